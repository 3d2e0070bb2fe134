package udp

import (
	"net/netip"
	"testing"
)

func TestParseIfInet6(t *testing.T) {
	flags := parseIfInet6(`00000000000000000000000000000001 01 80 10 80       lo
20010db80000000000000000000000ab 0a 40 00 01     eth0
fe80000000000000000000fffe000001 02 40 20 80     eth0
20010db80000000000000000000000cd 02 40 00 21     eth0
nonsense 02 40 00 21 eth0
20010db8 02 40

`)
	if len(flags) != 4 {
		t.Errorf("read %d addresses: %v", len(flags), flags)
	}
	for addr, want := range map[string]uint8{"2001:db8::ab": flagTemporary, "2001:db8::cd": flagTemporary | flagDeprecated} {
		index := 2
		if want == flagTemporary {
			index = 10
		}
		if got := flags[zonedAddr{netip.MustParseAddr(addr), index}]; got != want {
			t.Errorf("%s has flags %#x, want %#x", addr, got, want)
		}
	}
}
