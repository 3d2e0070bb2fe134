package udp

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// The groups of a netlink socket that tell of links and addresses (linux/rtnetlink.h).
const (
	rtmgrpLink       = 0x1
	rtmgrpIPv4IfAddr = 0x10
	rtmgrpIPv6IfAddr = 0x100
)

// openSource has touch called when the kernel tells of a change; nil where it does not.
func openSource(touch func()) io.Closer {
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil
	}
	if syscall.Bind(fd, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: rtmgrpLink | rtmgrpIPv4IfAddr | rtmgrpIPv6IfAddr}) != nil {
		syscall.Close(fd)
		return nil
	}
	source := os.NewFile(uintptr(fd), "netlink") // in Go's network poller
	go func() {
		// What it tells is looked at anew: that it told is enough. ENOBUFS says that
		// more was told than there was room for.
		b := make([]byte, 16<<10)
		for {
			if _, err := source.Read(b); err != nil && !errors.Is(err, syscall.ENOBUFS) {
				return
			}
			touch()
		}
	}()
	return source
}
