package peerconnection

import (
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/ice"
)

// Our addresses, and the networks that they are in, as they come and go. What becomes
// of a call is ICE's affair: a path that begins at an address that is gone is gone, and
// new addresses are new candidates, which the peer learns of by the usual door.

// A localNetwork is what is known of the network that an address of ours is in.
type localNetwork struct {
	addr     netip.Addr
	id, cost uint16
}

// localOptions is what ICE is told of an address.
func (c *core) localOptions(networks []localNetwork, addr netip.Addr, tcp ice.TCPType) ice.LocalOptions {
	o := ice.LocalOptions{TCP: tcp, Name: c.nameFor(addr)}
	for _, n := range networks {
		if n.addr == addr {
			o.NetworkID, o.NetworkCost = n.id, n.cost
		}
	}
	return o
}

// addLocal gives ICE the address of a socket. A shared one is others', too.
func (c *core) addLocal(now time.Time, networks []localNetwork, addr netip.AddrPort, shared bool) {
	o := c.localOptions(networks, addr.Addr(), ice.NoTCPType)
	o.Shared = shared
	c.ice.AddLocalAddress(now, addr, o)
}

// addActive gives ICE an address to open connections from, once.
func (c *core) addActive(now time.Time, networks []localNetwork, addr netip.Addr) {
	if c.tcpActive {
		c.ice.AddLocalAddress(now, netip.AddrPortFrom(addr, 9), c.localOptions(networks, addr, ice.TCPActive))
	}
}

// networkChanged tells of the addresses that the sockets have now.
func (c *core) networkChanged(now time.Time, networks []localNetwork, addresses []netip.AddrPort, shared bool) {
	if c.gathering == ICEGatheringNew {
		return
	}
	// The new ones first, so that there is somewhere to go.
	c.openChanged(now, networks)
	had := c.ice.LocalAddresses(false)
	for _, a := range addresses {
		if !slices.Contains(had, a) {
			c.addLocal(now, networks, a, shared)
			c.addActive(now, networks, a.Addr())
		}
	}
	for _, a := range had {
		if slices.Contains(addresses, a) {
			continue
		}
		c.ice.RemoveLocalAddress(now, a)
		if !slices.Contains(addrsOf(addresses), a.Addr()) {
			c.ice.RemoveTCPAddress(now, a, ice.TCPActive)
		}
	}
	c.pump(now)
}

// openChanged tells ICE the addresses to open connections between.
func (c *core) openChanged(now time.Time, networks []localNetwork) {
	for _, a := range c.tcpOpen {
		if !slices.Contains(c.tcpOpenTold, a) {
			c.ice.AddLocalAddress(now, a, c.localOptions(networks, a.Addr(), ice.TCPSimultaneousOpen))
		}
	}
	for _, a := range c.tcpOpenTold {
		if !slices.Contains(c.tcpOpen, a) {
			c.ice.RemoveTCPAddress(now, a, ice.TCPSimultaneousOpen)
		}
	}
	c.tcpOpenTold = c.tcpOpen
}

// hiddenChanged tells of the addresses that TURN servers are asked from now.
func (c *core) hiddenChanged(now time.Time, addresses []netip.AddrPort) {
	if c.gathering == ICEGatheringNew {
		return
	}
	had := c.ice.LocalAddresses(true)
	c.addHidden(now, addresses)
	for _, a := range had {
		if !slices.Contains(addresses, a) {
			c.ice.RemoveLocalAddress(now, a)
		}
	}
}
