//go:build !((linux && !mips && !mipsle && !mips64 && !mips64le) || darwin || dragonfly || freebsd || netbsd || openbsd)

package peerconnection

import (
	"errors"
	"syscall"
)

// canReuse says that no connection leaves from a port that listens: there are no candidates for
// a simultaneous open.
const canReuse = false

func reuse(_, _ string, _ syscall.RawConn) error { return errors.ErrUnsupported }
