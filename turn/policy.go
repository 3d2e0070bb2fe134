package turn

import (
	"net/netip"
	"slices"
)

// DefaultDeniedPeers are the addresses that nobody should reach by way of a
// relay: those that lead into the network of the server's host, or to many.
// Those of cloud metadata services are among them.
func DefaultDeniedPeers() []netip.Prefix {
	var all []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8",        // this network
		"10.0.0.0/8",       // private
		"100.64.0.0/10",    // shared by carrier-grade NATs, and 100.100.100.200: metadata
		"127.0.0.0/8",      // loopback
		"168.63.129.16/32", // metadata
		"169.254.0.0/16",   // link-local, and 169.254.169.254: metadata
		"172.16.0.0/12",    // private
		"192.0.0.0/24",     // protocol assignments, and 192.0.0.192: metadata
		"192.88.99.0/24",   // 6to4 relays
		"192.168.0.0/16",   // private
		"198.18.0.0/15",    // benchmarks
		"224.0.0.0/4",      // multicast
		"240.0.0.0/4",      // reserved, and broadcast
		"::/96",            // unspecified, loopback, IPv4-compatible
		"::ffff:0:0:0/96",  // IPv4-translated
		"64:ff9b::/96",     // NAT64: what is behind depends on the network
		"64:ff9b:1::/48",   // NAT64, local
		"100::/64",         // discard
		"2001::/32",        // Teredo: wraps IPv4
		"2002::/16",        // 6to4: wraps IPv4
		"5f00::/16",        // segment routing
		"fc00::/7",         // unique local, and fd00:ec2::254: metadata
		"fe80::/10",        // link-local
		"fec0::/10",        // site-local
		"ff00::/8",         // multicast
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// A policy says whom nobody is relayed to.
type policy struct {
	denied, allowed []netip.Prefix
	own             []netip.Addr
}

func newPolicy(c ServerConfig) policy {
	p := policy{denied: c.DeniedPeers, allowed: c.AllowedPeers}
	for _, a := range c.OwnAddresses {
		p.own = append(p.own, a.Unmap().WithZone(""))
	}
	return p
}

// denies reports whether an address, which is no IPv4-mapped IPv6 one and has no
// zone, is out of bounds.
func (p *policy) denies(a netip.Addr) bool {
	return !contain(p.allowed, a) && (slices.Contains(p.own, a) || contain(p.denied, a))
}

// excepts reports whether an address is an exception: open, though it may be the
// server's own.
func (p *policy) excepts(a netip.Addr) bool { return contain(p.allowed, a) }

func contain(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}
