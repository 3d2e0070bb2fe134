package udp

import (
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// ipv6Flags are the flags of the host's IPv6 addresses.
func ipv6Flags() map[zonedAddr]uint8 {
	text, err := os.ReadFile("/proc/net/if_inet6")
	if err != nil {
		return nil // no IPv6
	}
	return parseIfInet6(string(text))
}

// parseIfInet6 reads lines such as
//
//	20010db8000000000000000000000001 02 40 00 80     eth0
//
// of address, interface, length of the prefix, scope, flags and the interface's name,
// the numbers in hexadecimal.
func parseIfInet6(text string) map[zonedAddr]uint8 {
	flags := map[zonedAddr]uint8{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 6 {
			continue
		}
		raw, err := hex.DecodeString(f[0])
		addr, ok := netip.AddrFromSlice(raw)
		index, err2 := strconv.ParseUint(f[1], 16, 31)
		flag, err3 := strconv.ParseUint(f[4], 16, 8)
		if err == nil && err2 == nil && err3 == nil && ok {
			flags[zonedAddr{addr, int(index)}] = uint8(flag)
		}
	}
	return flags
}
