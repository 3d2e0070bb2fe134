package relay

import "syscall"

// soReusePort is missing in package syscall on some processors.
const soReusePort = 15

// sharePort lets several sockets of ours have one port: the listener of a TCP allocation, and the
// connections that leave from it.
func sharePort(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		if failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); failed == nil {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1)
		}
	})
	if err != nil {
		return err
	}
	return failed
}
