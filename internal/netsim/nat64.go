package netsim

import "net/netip"

// WellKnownPrefix is the prefix of IPv4 addresses as IPv6 hosts behind a NAT64 see
// them, where their network has none of its own. RFC 6052, Section 2.1.
var WellKnownPrefix = netip.MustParsePrefix("64:ff9b::/96")

// Synthesize returns the IPv6 address that a NAT64 with that prefix, of 96 bits,
// translates to an IPv4 address: what a DNS64 (RFC 6147) gives hosts for a name
// that has no IPv6 address. RFC 6052, Section 2.2.
func Synthesize(prefix netip.Prefix, a netip.Addr) netip.Addr {
	b, v4 := prefix.Masked().Addr().As16(), a.As4()
	copy(b[12:], v4[:])
	return netip.AddrFrom16(b)
}

// to4 translates where a packet from inside goes.
func (g *Gateway) to4(to netip.AddrPort) netip.AddrPort {
	if !g.nat.Prefix64.Contains(to.Addr()) {
		return to
	}
	b := to.Addr().As16()
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:])), to.Port())
}

// to6 translates where a packet from outside came from, for a host inside.
func (g *Gateway) to6(from, inside netip.AddrPort) netip.AddrPort {
	if inside.Addr().Is4() || !from.Addr().Is4() {
		return from
	}
	return netip.AddrPortFrom(Synthesize(g.nat.Prefix64, from.Addr()), from.Port())
}
