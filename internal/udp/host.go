package udp

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// A HostAddress is an address of this host, and the network that it is in.
type HostAddress struct {
	netip.Addr
	Interface string // its name
	Network   uint16 // the interface's number
	Cost      uint16 // of the network; see networkCost
}

// HostAddresses returns the addresses of this host that a peer might reach, as
// [Networks] has them.
func HostAddresses() []netip.Addr {
	var addrs []netip.Addr
	for _, a := range Networks(nil) {
		addrs = append(addrs, a.Addr)
	}
	return addrs
}

// Networks returns the addresses of this host that a peer might reach, of those that
// accept takes, or of all if it is nil: those of the interfaces that are up and have a
// carrier, in the order of the interfaces, and of one interface IPv6 before IPv4.
//
//   - Loopback addresses are among them only if there is nothing else.
//   - Of IPv6, link-local addresses and those that RFC 8445, Section 5.1.1.1, rules out
//     (site-local, IPv4-compatible, IPv4-mapped) never are.
//   - Of the IPv6 addresses of one prefix, the temporary ones (RFC 8981) stand for the
//     others: those that allow to follow the host around "MUST NOT be gathered" then.
//   - Deprecated ones are not used while the interface has others (RFC 4862, Section
//     5.5.4), nor those that are not known to be nobody else's yet.
//
// The last two need Linux, which tells what kind an address is. It returns nil where
// interfaces cannot be listed.
func Networks(accept func(HostAddress) bool) []HostAddress {
	return choose(addresses.current(), accept)
}

// A listed is an address as the host has it.
type listed struct {
	HostAddress
	prefix netip.Prefix
	flags  uint8 // IPv6, on Linux
}

// Flags of IPv6 addresses (linux/if_addr.h).
const (
	flagTemporary  = 0x01
	flagDADFailed  = 0x08
	flagDeprecated = 0x20
	flagTentative  = 0x40
)

// list returns the addresses of the interfaces that are up.
func list() (all []listed) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	slices.SortStableFunc(interfaces, func(a, b net.Interface) int { return cmp.Compare(a.Index, b.Index) })
	flags := ipv6Flags()
	for _, i := range interfaces {
		loopback := i.Flags&net.FlagLoopback != 0
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning == 0 && !loopback {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		first := len(all)
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			addr, ok := netip.AddrFromSlice(n.IP)
			if !ok {
				continue
			}
			addr = addr.Unmap()
			bits, _ := n.Mask.Size()
			all = append(all, listed{
				HostAddress: HostAddress{addr, i.Name, uint16(i.Index), networkCost(i.Name)},
				prefix:      netip.PrefixFrom(addr, bits).Masked(),
				flags:       flags[zonedAddr{addr, i.Index}],
			})
		}
		slices.SortStableFunc(all[first:], func(a, b listed) int {
			return cmp.Or(cmp.Compare(b.BitLen(), a.BitLen()), a.Compare(b.Addr))
		})
	}
	return all
}

// A zonedAddr is an address of one interface.
type zonedAddr struct {
	addr  netip.Addr
	index int
}

// choose leaves out what is of no use to a peer, or better not told.
func choose(all []listed, accept func(HostAddress) bool) (chosen []HostAddress) {
	var usable []listed
	var loopback []HostAddress
	for _, a := range all {
		switch {
		case accept != nil && !accept(a.HostAddress), a.flags&(flagTentative|flagDADFailed) != 0:
		case a.IsLoopback():
			loopback = append(loopback, a.HostAddress)
		case usableAddr(a.Addr):
			usable = append(usable, a)
		}
	}
	for _, a := range usable {
		better := slices.ContainsFunc(usable, func(b listed) bool {
			if b.Network != a.Network || !a.Is6() || !b.Is6() || b.flags&flagDeprecated != 0 {
				return false
			}
			return a.flags&flagDeprecated != 0 || a.prefix == b.prefix && a.flags&flagTemporary == 0 && b.flags&flagTemporary != 0
		})
		known := slices.ContainsFunc(chosen, func(b HostAddress) bool { return b.Addr == a.Addr })
		if !better && !known {
			chosen = append(chosen, a.HostAddress)
		}
	}
	if len(chosen) == 0 {
		return loopback
	}
	return chosen
}

var (
	siteLocal      = netip.MustParsePrefix("fec0::/10")
	ipv4Compatible = netip.MustParsePrefix("::/96")
)

func usableAddr(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() &&
		!(a.Is6() && (a.IsLinkLocalUnicast() || siteLocal.Contains(a) || ipv4Compatible.Contains(a)))
}

// networkCost guesses from an interface's name what it costs to use, in libwebrtc's
// numbers: nothing for a cable, 10 for a wireless network, 900 for a mobile one, and 50
// for what is not known, tunnels among them.
func networkCost(name string) uint16 {
	for _, kind := range [...]struct {
		prefix string
		cost   uint16
	}{
		{"lo", 0}, {"eth", 0}, {"en", 0}, {"veth", 0}, {"br", 0}, {"bond", 0}, {"docker", 0},
		{"wlan", 10}, {"wl", 10}, {"Wi-Fi", 10}, {"Ethernet", 0},
		{"wwan", 900}, {"ww", 900}, {"rmnet", 900}, {"pdp_ip", 900}, {"ccmni", 900}, {"Cellular", 900},
	} {
		if strings.HasPrefix(name, kind.prefix) {
			return kind.cost
		}
	}
	return 50
}
