//go:build !linux

package relay

import (
	"errors"
	"syscall"
)

// sharePort is not done here: connections of TCP allocations have to leave from the port that the
// allocation listens on, and each system has its own way to that.
func sharePort(_, _ string, _ syscall.RawConn) error {
	return errors.New("TCP allocations (RFC 6062) are served on Linux alone")
}
