package main

import (
	"net"
	"syscall"
)

// dontFragment makes datagrams travel whole, or not at all. If the system has no such thing,
// what the path carries is overestimated.
func dontFragment(c net.Conn) {
	u, ok := c.(*net.UDPConn)
	if !ok {
		return
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return
	}
	const ipMTUDiscover, ipv6MTUDiscover, probe = 10, 23, 3
	raw.Control(func(fd uintptr) {
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, ipMTUDiscover, probe)
		syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, ipv6MTUDiscover, probe)
	})
}
