package udp

import (
	"net/netip"
	"slices"
	"testing"
)

// at makes an address of an interface, with the first half of it as its network.
func at(name string, network uint16, prefix string, flags uint8) listed {
	p := netip.MustParsePrefix(prefix)
	return listed{HostAddress{p.Addr(), name, network, networkCost(name)}, p.Masked(), flags}
}

func TestChoose(t *testing.T) {
	lo, eth := at("lo", 1, "127.0.0.1/8", 0), at("eth0", 2, "192.0.2.7/24", 0)
	for _, c := range []struct {
		why    string
		all    []listed
		accept func(HostAddress) bool
		want   []string
	}{
		{"loopback when there is nothing else", []listed{lo, at("eth0", 2, "fe80::1/64", 0)}, nil, []string{"127.0.0.1"}},
		{"and not otherwise", []listed{lo, eth}, nil, []string{"192.0.2.7"}},
		{"what the filter takes", []listed{lo, eth, at("wlan0", 3, "198.51.100.7/24", 0)},
			func(a HostAddress) bool { return a.Interface != "eth0" }, []string{"198.51.100.7"}},
		{"loopback when the filter takes nothing else", []listed{lo, eth}, func(a HostAddress) bool { return a.IsLoopback() }, []string{"127.0.0.1"}},
		{"a temporary address stands for the others of its prefix", []listed{
			at("eth0", 2, "2001:db8:1::a/64", 0), at("eth0", 2, "2001:db8:1::b/64", flagTemporary), at("eth0", 2, "2001:db8:2::c/64", 0), eth,
		}, nil, []string{"2001:db8:1::b", "2001:db8:2::c", "192.0.2.7"}},
		{"but not for those of another interface", []listed{
			at("eth0", 2, "2001:db8:1::a/64", 0), at("wlan0", 3, "2001:db8:1::b/64", flagTemporary),
		}, nil, []string{"2001:db8:1::a", "2001:db8:1::b"}},
		{"a deprecated temporary one does not", []listed{
			at("eth0", 2, "2001:db8:1::a/64", 0), at("eth0", 2, "2001:db8:1::b/64", flagTemporary|flagDeprecated),
		}, nil, []string{"2001:db8:1::a"}},
		{"a deprecated one is better than none", []listed{at("eth0", 2, "2001:db8:1::a/64", flagDeprecated), eth}, nil, []string{"2001:db8:1::a", "192.0.2.7"}},
		{"one that may be somebody else's is not ours yet", []listed{at("eth0", 2, "2001:db8:1::a/64", flagTentative), at("eth0", 2, "2001:db8:1::b/64", flagDADFailed), eth},
			nil, []string{"192.0.2.7"}},
		{"once, if two interfaces have it", []listed{eth, at("eth1", 3, "192.0.2.7/24", 0)}, nil, []string{"192.0.2.7"}},
	} {
		var got []string
		for _, a := range choose(c.all, c.accept) {
			got = append(got, a.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
}

func TestNetworkCost(t *testing.T) {
	for name, want := range map[string]uint16{"eth0": 0, "enp3s0": 0, "wlp2s0": 10, "wlan0": 10, "wwan0": 900, "rmnet_data0": 900, "tun0": 50, "": 50} {
		if got := networkCost(name); got != want {
			t.Errorf("%q costs %d, want %d", name, got, want)
		}
	}
}
