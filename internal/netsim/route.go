package netsim

import (
	"fmt"
	"net/netip"
)

// A realm is a star of hosts and NATs that reach each other by address: the
// middle of the network, or what stands behind a NAT.
type realm struct {
	net   *Network
	at    map[netip.Addr]*Link    // the way down to each address
	paths map[[2]netip.Addr]*Link // links between two addresses
	nat   *Gateway                // the way out; nil in the middle of the network
}

// claim enters the way down to an address.
func (r *realm) claim(a netip.Addr, down *Link) {
	if !a.IsValid() || a.IsUnspecified() || r.at[a] != nil {
		panic(fmt.Sprintf("netsim: the address %v is no address, or is taken", a))
	}
	r.at[a] = down
	if r.nat != nil && r.nat.routes(a) {
		r.nat.outer.claim(a, r.nat.Down)
	}
}

// release takes it away.
func (r *realm) release(a netip.Addr) {
	delete(r.at, a)
	if r.nat != nil && r.nat.routes(a) {
		r.nat.outer.release(a)
	}
}

// route sends a packet on that came up from a host or out of a NAT.
func (r *realm) route(p *packet) {
	if l := r.paths[[2]netip.Addr{p.from.Addr(), p.to.Addr()}]; l != nil {
		l.send(p)
		return
	}
	r.forward(p)
}

// forward sends a packet down to its address, or out.
func (r *realm) forward(p *packet) {
	switch down := r.at[p.to.Addr()]; {
	case down != nil:
		down.send(p)
	case r.nat != nil:
		r.nat.out(p)
	default:
		r.net.drop(&r.net.drops.NoRoute, "nobody has the address", p)
	}
}

// Path returns the link that carries, in the middle of the network, what one
// address sends to another; without a first call for them there is none, and
// the middle takes no time. A NAT's address stands for all hosts behind it.
func (n *Network) Path(from, to netip.Addr) *Link {
	key := [2]netip.Addr{from, to}
	l := n.middle.paths[key]
	if l == nil {
		l = n.newLink(Profile{}, n.middle.forward)
		if n.middle.paths == nil {
			n.middle.paths = map[[2]netip.Addr]*Link{}
		}
		n.middle.paths[key] = l
	}
	return l
}
