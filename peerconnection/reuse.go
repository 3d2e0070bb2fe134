//go:build (linux && !mips && !mipsle && !mips64 && !mips64le) || darwin || dragonfly || freebsd || netbsd || openbsd

package peerconnection

import (
	"os"
	"syscall"
)

// canReuse says that connections may leave from a port that listens.
const canReuse = true

// reuse lets a socket share its port with others of this user that do so, too.
func reuse(_, _ string, raw syscall.RawConn) (err error) {
	failed := raw.Control(func(fd uintptr) {
		if err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err == nil {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1)
		}
	})
	if failed != nil {
		return failed
	}
	return os.NewSyscallError("setsockopt", err)
}
