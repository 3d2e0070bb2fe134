package ice

import (
	"net/netip"
	"slices"
	"time"
)

// maxPrefixes bounds how many NAT64 prefixes are used: a network has one.
const maxPrefixes = 2

// shared is what carriers number their customers with: RFC 6598.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// learnNAT64 is called when a server of the address server saw an IPv6 base at an
// IPv4 address. Then a NAT64 (RFC 6146) is in between, and server is an address
// that DNS64 has made up (RFC 6147): a prefix, and the server's IPv4 address. The
// same prefix leads to the peer's IPv4 candidates, which are out of reach otherwise
// for a host without IPv4. Of the six lengths that RFC 6052, Section 2.2 has for
// prefixes only 96 bits are known here, those of the Well-Known Prefix and of nearly
// all others.
func (a *Agent) learnNAT64(now time.Time, server netip.Addr) {
	prefix := netip.PrefixFrom(server, 96).Masked()
	if len(a.nat64) == maxPrefixes || slices.Contains(a.nat64, prefix) {
		return
	}
	a.nat64 = append(a.nat64, prefix)
	a.note(now, "there is a NAT64 with the prefix "+prefix.String())
	for _, r := range slices.Clone(a.remotes) {
		a.translateRemote(now, r.addr, r.candidate)
	}
}

// translateRemote adds the peer's IPv4 candidate c as an IPv6 host sees it through
// the NAT64.
//
// "The Well-Known Prefix MUST NOT be used to represent non-global IPv4 addresses".
// RFC 6052, Section 3.1.
func (a *Agent) translateRemote(now time.Time, addr netip.AddrPort, c Candidate) {
	ip := addr.Addr()
	if !ip.Is4() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || shared.Contains(ip) {
		return
	}
	for _, prefix := range a.nat64 {
		b, v4 := prefix.Addr().As16(), ip.As4()
		copy(b[12:], v4[:])
		a.addRemote(now, netip.AddrPortFrom(netip.AddrFrom16(b), addr.Port()), c)
	}
}
