//go:build !linux

package udp

// ipv6Flags are not known here.
func ipv6Flags() map[zonedAddr]uint8 { return nil }
