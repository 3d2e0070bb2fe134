package relay

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/plainrtc/plainrtc/turn"
)

// addDiscovery adds to the addresses of UDP those that the discovery of NAT behaviour needs (RFC
// 5780): the first that is served of Second's family and Second make four.
func addDiscovery(config *Config) error {
	second := config.Second
	if !second.IsValid() {
		return nil
	}
	all := expand(config.UDP)
	i := slices.IndexFunc(all, func(a netip.AddrPort) bool {
		return a.Addr().Is4() == second.Addr().Is4() && a.Addr() != second.Addr() &&
			a.Addr().IsLoopback() == second.Addr().IsLoopback()
	})
	if i < 0 {
		return fmt.Errorf("relay: a second address of UDP, %v, needs a first one: another address of the same family", second.Addr())
	}
	first := all[i]
	if second.Port() == 0 {
		second = netip.AddrPortFrom(second.Addr(), first.Port()+1)
	}
	if first.Port() == 0 || second.Port() == 0 || first.Port() == second.Port() {
		return fmt.Errorf("relay: two addresses of UDP, %v and %v, need two ports that are not zero", first, second)
	}
	for _, a := range []netip.AddrPort{
		second, netip.AddrPortFrom(first.Addr(), second.Port()), netip.AddrPortFrom(second.Addr(), first.Port()),
	} {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	config.UDP = all
	config.Turn.Discovery = append(config.Turn.Discovery, turn.Discovery{First: first, Second: second})
	return nil
}
