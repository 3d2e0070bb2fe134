package ice

import (
	"net/netip"
	"testing"
)

func TestPriority(t *testing.T) {
	for _, test := range []struct {
		why       string
		got, want uint32
	}{
		{"RFC 8445, Section 15.1's host candidate", priority(Host, 65535, 1), 2130706431},
		{"RFC 8445, Section 15.1's server-reflexive candidate", priority(ServerReflexive, 65535, 1), 1694498815},
		{"Chromium's IPv4 host candidate", priority(Host, 0x7d1e, 1), 2122129151},
		{"the second component", priority(Host, 65535, 2), 2130706430},
		{"the last of all", priority(Relayed, 0, 256), 0},
	} {
		if test.got != test.want {
			t.Errorf("%s: %d, want %d", test.why, test.got, test.want)
		}
	}
}

// RFC 8421, Section 4: the families in turn, IPv6 first.
func TestLocalPreference(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	last := uint16(65535)
	for nth := range 20 {
		if got := localPreference(v6, nth, 0); got > last || got == last && nth > 0 {
			t.Errorf("IPv6 address %d has preference %d, not below %d", nth, got, last)
		} else {
			last = got
		}
		if got := localPreference(v4, nth, 0); got >= last {
			t.Errorf("IPv4 address %d has preference %d, not below %d", nth, got, last)
		} else {
			last = got
		}
	}
}

// The last address of a cheap network comes before the first of a costly one.
func TestLocalPreferenceOfCheapNetworks(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	for _, costs := range [][2]uint16{{0, 10}, {10, 50}, {50, 900}, {900, 999}} {
		if cheap, dear := localPreference(v4, 3, costs[0]), localPreference(v6, 0, costs[1]); cheap <= dear {
			t.Errorf("at a cost of %d the preference is %d, at %d it is %d", costs[0], cheap, costs[1], dear)
		}
	}
	if localPreference(v4, maxLocals, 65535) < 1 {
		t.Error("no preference is left for the last address of the dearest network")
	}
}

func TestPairPriority(t *testing.T) {
	// RFC 8445, Section 6.1.2.3: 2^32*MIN(G,D) + 2*MAX(G,D) + (G>D?1:0)
	if got, want := pairPriority(2130706431, 1694498815), uint64(1694498815<<32+2*2130706431+1); got != want {
		t.Errorf("%d, want %d", got, want)
	}
	if got, want := pairPriority(1694498815, 2130706431), uint64(1694498815<<32+2*2130706431); got != want {
		t.Errorf("%d, want %d", got, want)
	}
	if pairPriority(1<<32-1, 1<<32-1) < pairPriority(1<<31-2, 1<<31-1) {
		t.Error("the largest priorities overflow")
	}
}
