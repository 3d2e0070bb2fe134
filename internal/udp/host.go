package udp

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
)

// HostAddresses returns the addresses of this host that a peer might reach:
// those of the interfaces that are up, in the order of the interfaces, and of
// one interface IPv6 before IPv4. Loopback addresses are among them only if
// there is nothing else; of IPv6, link-local addresses and those that RFC 8445,
// Section 5.1.1.1, rules out (site-local, IPv4-compatible, IPv4-mapped) never
// are. It returns nil where interfaces cannot be listed.
func HostAddresses() []netip.Addr {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	slices.SortStableFunc(interfaces, func(a, b net.Interface) int { return cmp.Compare(a.Index, b.Index) })
	var addrs, loopback []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		list, err := i.Addrs()
		if err != nil {
			continue
		}
		var usable []netip.Addr
		for _, a := range list {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			addr, ok := netip.AddrFromSlice(n.IP)
			switch addr = addr.Unmap(); {
			case !ok:
			case addr.IsLoopback():
				loopback = append(loopback, addr)
			case usableAddr(addr):
				usable = append(usable, addr)
			}
		}
		slices.SortFunc(usable, func(a, b netip.Addr) int {
			return cmp.Or(cmp.Compare(b.BitLen(), a.BitLen()), a.Compare(b))
		})
		addrs = append(addrs, usable...)
	}
	if len(addrs) == 0 {
		addrs = loopback
	}
	return slices.Compact(addrs)
}

var (
	siteLocal      = netip.MustParsePrefix("fec0::/10")
	ipv4Compatible = netip.MustParsePrefix("::/96")
)

func usableAddr(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() &&
		!(a.Is6() && (a.IsLinkLocalUnicast() || siteLocal.Contains(a) || ipv4Compatible.Contains(a)))
}
