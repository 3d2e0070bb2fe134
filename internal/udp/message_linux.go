//go:build !386 && !portable

package udp

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"
)

// maxSegments is how many datagrams UDP_SEGMENT cuts one send into: the
// kernel's UDP_MAX_SEGMENTS, which newer kernels have raised.
const maxSegments = 64

// An address in the kernel's form, which is as large as IPv6's.
type rawAddr struct {
	syscall.RawSockaddrInet6
}

// bytes returns the address as the kernel reads and writes it: for IPv4, family
// (2), port (2), address (4); for IPv6, family (2), port (2), flow label (4),
// address (16), scope (4). Port and address are in network byte order.
func (r *rawAddr) bytes() *[syscall.SizeofSockaddrInet6]byte {
	return (*[syscall.SizeofSockaddrInet6]byte)(unsafe.Pointer(r))
}

func (r *rawAddr) addrPort() netip.AddrPort {
	b := r.bytes()
	port := binary.BigEndian.Uint16(b[2:])
	switch r.Family {
	case syscall.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port)
	case syscall.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])).Unmap(), port)
	}
	return netip.AddrPort{}
}

// A sender is what one sendmsg call is made of. It lives in the Socket, for
// what is passed to the kernel by address would otherwise be allocated.
type sender struct {
	// segmentation is whether UDP_SEGMENT works here; until it fails, it does.
	segmentation bool

	to      rawAddr
	iov     syscall.Iovec
	msg     syscall.Msghdr
	control segmentControl
}

// A segmentControl is a control message of type UDP_SEGMENT.
type segmentControl struct {
	header syscall.Cmsghdr
	size   uint16
	_      [6]byte // CMSG_SPACE rounds up
}

// setDestination says whether a socket of this family can send to to at all.
func (s *sender) setDestination(to netip.AddrPort, ipv6 bool) bool {
	addr := to.Addr()
	b := s.to.bytes()
	*b = [syscall.SizeofSockaddrInet6]byte{}
	switch {
	case ipv6 && addr.IsValid():
		s.to.Family = syscall.AF_INET6
		*(*[16]byte)(b[8:24]) = addr.As16() // IPv4 as ::ffff:a.b.c.d
		s.msg.Namelen = syscall.SizeofSockaddrInet6
	case !ipv6 && addr.Unmap().Is4():
		s.to.Family = syscall.AF_INET
		*(*[4]byte)(b[4:8]) = addr.Unmap().As4()
		s.msg.Namelen = syscall.SizeofSockaddrInet4
	default:
		return false
	}
	binary.BigEndian.PutUint16(b[2:], to.Port())
	return true
}

func (s *sender) send(fd int, b []byte, segment int) syscall.Errno {
	s.iov.Base = unsafe.SliceData(b)
	s.iov.SetLen(len(b))
	s.msg.Name = (*byte)(unsafe.Pointer(&s.to))
	s.msg.Iov = &s.iov
	s.msg.Iovlen = 1
	s.msg.Control = nil
	s.msg.SetControllen(0)
	if len(b) > segment {
		s.control.header.Level = solUDP
		s.control.header.Type = udpSegment
		s.control.header.SetLen(syscall.CmsgLen(2))
		s.control.size = uint16(segment)
		s.msg.Control = (*byte)(unsafe.Pointer(&s.control))
		s.msg.SetControllen(syscall.CmsgSpace(2))
	}
	var errno syscall.Errno
	for {
		_, _, errno = syscall.Syscall(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&s.msg)), syscall.MSG_NOSIGNAL)
		if errno != syscall.EINTR {
			break
		}
	}
	s.iov.Base = nil // b is not kept
	return errno
}

const (
	bundles    = 32      // how many a slab holds
	bundleSize = 1 << 16 // no datagram, and no bundle that UDP_GRO joined, is larger
)

// A slab is what a reader reads into, bundle by bundle.
type slab struct {
	messages [bundles]mmsghdr
	iovs     [bundles]syscall.Iovec
	from     [bundles]rawAddr
	control  [bundles]controlBuffer
	packets  []Packet
	full     bool                      // by the last read: there may be more
	data     [bundles][bundleSize]byte // last: what follows no pointer is not scanned
}

// A controlBuffer has room for what the kernel says of a bundle, aligned as it
// wants it.
type controlBuffer [8]uint64

func (c *controlBuffer) bytes() *[64]byte { return (*[64]byte)(unsafe.Pointer(c)) }

// mmsghdr is the kernel's struct of that name.
type mmsghdr struct {
	header syscall.Msghdr
	n      uint32
}

func newSlab() *slab {
	b := &slab{packets: make([]Packet, 0, bundles*maxSegments)}
	for i := range bundles {
		b.iovs[i].Base = &b.data[i][0]
		b.iovs[i].SetLen(bundleSize)
		h := &b.messages[i].header
		h.Name = (*byte)(unsafe.Pointer(&b.from[i]))
		h.Iov = &b.iovs[i]
		h.Iovlen = 1
		h.Control = &b.control[i].bytes()[0]
	}
	return b
}

// read takes what waits in the socket, up to the slab's size, and returns it
// datagram by datagram; nothing, if nothing waits. It does not wait for more.
func (b *slab) read(fd int) []Packet {
	for i := range bundles {
		h := &b.messages[i].header
		h.Namelen = syscall.SizeofSockaddrInet6
		h.SetControllen(len(b.control[i].bytes()))
		h.Flags = 0
	}
	n, _, errno := syscall.Syscall6(syscall.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages)), bundles,
		syscall.MSG_DONTWAIT, 0, 0)
	b.full = errno == 0 && n == bundles
	// EAGAIN: nothing waits. Other errors are those of datagrams sent earlier,
	// which the network reports and forgets.
	if errno != 0 {
		return nil
	}
	b.packets = b.packets[:0]
	for i := range int(n) {
		m := &b.messages[i]
		from := b.from[i].addrPort()
		if m.header.Flags&syscall.MSG_TRUNC != 0 || !from.IsValid() {
			continue
		}
		data := b.data[i][:m.n]
		segment := joined(b.control[i].bytes()[:m.header.Controllen])
		if segment <= 0 {
			segment = len(data)
		}
		for len(data) > segment {
			b.packets = append(b.packets, Packet{data[:segment:segment], from})
			data = data[segment:]
		}
		b.packets = append(b.packets, Packet{data[:len(data):len(data)], from})
	}
	return b.packets
}

// joined is the size of the datagrams that UDP_GRO joined into one bundle, or 0.
func joined(control []byte) int {
	const header = syscall.SizeofCmsghdr
	for len(control) >= header {
		h := (*syscall.Cmsghdr)(unsafe.Pointer(&control[0]))
		n := int(h.Len)
		if n < header || n > len(control) {
			return 0
		}
		if h.Level == solUDP && h.Type == udpGRO && n >= header+4 {
			return int(binary.NativeEndian.Uint32(control[header:]))
		}
		control = control[min(len(control), syscall.CmsgSpace(n-header)):]
	}
	return 0
}
