package netsim

import (
	"net/netip"
	"slices"
)

// A Protocol is what runs over IP.
type Protocol uint8

// The protocols.
const (
	UDP Protocol = iota
	TCP
)

func (p Protocol) String() string { return [...]string{"UDP", "TCP"}[p] }

// A Rule is what a firewall lets out: a protocol, to a port or, if that is 0, to any.
// What answers is let in, as Filtering has it. A gateway without addresses that
// routes its hosts is a firewall and nothing else:
//
//	n.AddNAT(netsim.NAT{
//		Filtering: netsim.AddressAndPortDependent,
//		Allow:     []netsim.Rule{{netsim.TCP, 443}},
//		Routed:    []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
//	}, netsim.Profile{})
type Rule struct {
	Protocol Protocol
	Port     uint16
}

// allows reports whether hosts inside may send p.
func (g *Gateway) allows(p *packet) bool {
	return g.nat.Allow == nil || slices.ContainsFunc(g.nat.Allow, func(r Rule) bool {
		return r.Protocol == p.protocol && (r.Port == 0 || r.Port == p.to.Port())
	})
}

// routes reports whether a host inside keeps its address.
func (g *Gateway) routes(a netip.Addr) bool {
	return slices.ContainsFunc(g.nat.Routed, func(p netip.Prefix) bool { return p.Contains(a) })
}
