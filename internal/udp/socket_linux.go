//go:build !386 && !portable

package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A Socket is a UDP socket. Its methods may be called from several goroutines.
type Socket struct {
	fd      int
	ipv6    bool // of family AF_INET6
	whole   bool // what it sends is not fragmented
	shared  bool // the address is others', too
	local   netip.AddrPort
	receive func(s *Socket, batch []Packet)
	reader  *reader
	id      int32 // the socket in its reader's epoll set

	// users is twice the number of calls that use fd at this moment, plus one
	// once the socket is closed. The last one to leave a closed socket closes fd:
	// not earlier, for the number could be another file's by then.
	users atomic.Int64

	sendLock sync.Mutex
	sender   sender
}

// Constants that package syscall does not have.
const (
	solUDP          = 17
	udpSegment      = 103
	udpGRO          = 104
	ipv6V6Only      = 26
	ipMTU           = 14
	ipv6MTU         = 24
	ipMTUDiscover   = 10
	ipv6MTUDiscover = 23
	pmtudDont       = 0
	pmtudProbe      = 3
	soSndBufForce   = 32
	soRcvBufForce   = 33
	soReusePort     = 15
)

// sendTimeout is how long a send may wait for room in the socket's buffer. An
// interface empties it in less, unless it is stuck.
const sendTimeout = 10 * time.Millisecond

func listen(addr netip.AddrPort, receive func(*Socket, []Packet)) (*Socket, error) {
	return listenAs(&Socket{ipv6: addr.Addr().Is6(), receive: receive}, addr)
}

// canShare says that listenShared does what it says.
const canShare = true

// listenShared opens one of several sockets on an address.
func listenShared(addr netip.AddrPort, receive func(*Socket, []Packet)) (*Socket, error) {
	return listenAs(&Socket{ipv6: addr.Addr().Is6(), receive: receive, shared: true}, addr)
}

func listenAs(s *Socket, addr netip.AddrPort) (*Socket, error) {
	family := syscall.AF_INET
	if s.ipv6 {
		family = syscall.AF_INET6
	}
	// The socket is a blocking one, for senders (see sendTimeout); readers ask
	// not to wait in each call.
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	s.fd = fd
	if err := s.open(addr); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	if err := readers.add(s); err != nil {
		syscall.Close(fd)
		return nil, err
	}
	return s, nil
}

func (s *Socket) open(addr netip.AddrPort) error {
	set := func(level, option, value int) error { return syscall.SetsockoptInt(s.fd, level, option, value) }
	if s.ipv6 {
		only := 1
		if addr.Addr().IsUnspecified() {
			only = 0
		}
		if err := set(syscall.IPPROTO_IPV6, ipv6V6Only, only); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if s.shared {
		if err := set(syscall.SOL_SOCKET, soReusePort, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	// The limits of net.core.rmem_max and wmem_max bind only who is not root.
	if set(syscall.SOL_SOCKET, soRcvBufForce, receiveBuffer) != nil {
		set(syscall.SOL_SOCKET, syscall.SO_RCVBUF, receiveBuffer)
	}
	if set(syscall.SOL_SOCKET, soSndBufForce, sendBuffer) != nil {
		set(syscall.SOL_SOCKET, syscall.SO_SNDBUF, sendBuffer)
	}
	timeout := syscall.NsecToTimeval(sendTimeout.Nanoseconds())
	syscall.SetsockoptTimeval(s.fd, syscall.SOL_SOCKET, syscall.SO_SNDTIMEO, &timeout)
	// Kernels before 5.0 do not know it, and pass one datagram at a time.
	set(solUDP, udpGRO, 1)
	s.sender.segmentation = true
	s.whole = s.setDiscovery(pmtudProbe) == nil

	var sa syscall.Sockaddr
	if s.ipv6 {
		sa = &syscall.SockaddrInet6{Addr: addr.Addr().As16(), Port: int(addr.Port()), ZoneId: zoneID(addr.Addr().Zone())}
	} else {
		sa = &syscall.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}
	}
	if err := syscall.Bind(s.fd, sa); err != nil {
		return os.NewSyscallError("bind", err)
	}
	bound, err := syscall.Getsockname(s.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	switch bound := bound.(type) {
	case *syscall.SockaddrInet4:
		s.local = netip.AddrPortFrom(netip.AddrFrom4(bound.Addr), uint16(bound.Port))
	case *syscall.SockaddrInet6:
		s.local = netip.AddrPortFrom(netip.AddrFrom16(bound.Addr), uint16(bound.Port))
	}
	return nil
}

// setDiscovery says what becomes of what is larger than the path's MTU: with
// pmtudProbe it is sent all the same, and never fragmented, so that it is us who
// find out whether it arrives; with pmtudDont it is fragmented where need be.
func (s *Socket) setDiscovery(mode int) error {
	if !s.ipv6 {
		return syscall.SetsockoptInt(s.fd, syscall.IPPROTO_IP, ipMTUDiscover, mode)
	}
	if err := syscall.SetsockoptInt(s.fd, syscall.IPPROTO_IPV6, ipv6MTUDiscover, mode); err != nil {
		return err
	}
	syscall.SetsockoptInt(s.fd, syscall.IPPROTO_IP, ipMTUDiscover, mode) // of no use if it takes no IPv4
	return nil
}

// MTU is the size of the largest IP packet that leaves towards to, as far as this
// host can tell: its interface's. Zero: not known, or packets are fragmented, so
// that larger ones prove nothing.
func (s *Socket) MTU(to netip.AddrPort) int {
	if !s.whole {
		return 0
	}
	// Only a connected socket can be asked. Connecting one sends nothing.
	family, level, option := syscall.AF_INET, syscall.IPPROTO_IP, ipMTU
	var local, remote syscall.Sockaddr
	if to.Addr().Unmap().Is4() {
		remote = &syscall.SockaddrInet4{Addr: to.Addr().Unmap().As4(), Port: int(to.Port())}
		if s.local.Addr().Is4() {
			local = &syscall.SockaddrInet4{Addr: s.local.Addr().As4()}
		}
	} else {
		family, level, option = syscall.AF_INET6, syscall.IPPROTO_IPV6, ipv6MTU
		remote = &syscall.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())}
		local = &syscall.SockaddrInet6{Addr: s.local.Addr().As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(fd)
	if local != nil && syscall.Bind(fd, local) != nil || syscall.Connect(fd, remote) != nil {
		return 0
	}
	mtu, err := syscall.GetsockoptInt(fd, level, option)
	if err != nil {
		return 0
	}
	return mtu
}

func zoneID(zone string) uint32 {
	if zone == "" {
		return 0
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0
	}
	return uint32(i.Index)
}

// Local returns the address that the socket is bound to.
func (s *Socket) Local() netip.AddrPort { return s.local }

// enter is called before fd is used; if it returns true, leave is called after.
func (s *Socket) enter() bool {
	for {
		u := s.users.Load()
		if u&1 != 0 {
			return false
		}
		if s.users.CompareAndSwap(u, u+2) {
			return true
		}
	}
}

func (s *Socket) leave() {
	if s.users.Add(-2) == 1 {
		syscall.Close(s.fd)
	}
}

// Close closes the socket. It does not wait for a call of receive that has
// begun, and may be called from inside of one. Closing twice does nothing.
func (s *Socket) Close() error {
	if !s.enter() {
		return nil
	}
	defer s.leave()
	for {
		u := s.users.Load()
		if u&1 != 0 {
			return nil // somebody else does, at this moment
		}
		if s.users.CompareAndSwap(u, u|1) {
			break
		}
	}
	readers.remove(s)
	return nil
}

// Send sends b to to: one datagram, or several in a row, each of segment bytes
// but the last, which may be shorter. It does not keep b and does not allocate.
func (s *Socket) Send(to netip.AddrPort, b []byte, segment int) error {
	if !s.enter() {
		return net.ErrClosed
	}
	defer s.leave()
	s.sendLock.Lock()
	defer s.sendLock.Unlock()
	if !s.sender.setDestination(to, s.ipv6) {
		return s.sendError(to, syscall.EAFNOSUPPORT)
	}
	if segment <= 0 || segment > len(b) {
		segment = len(b)
	}
	if segment > maxDatagram {
		return s.sendError(to, syscall.EMSGSIZE)
	}
	return s.send(to, b, segment)
}

// SendInFragments sends one datagram that may be larger than what the path
// carries: it is fragmented then, by this host or on the way.
func (s *Socket) SendInFragments(to netip.AddrPort, b []byte) error {
	if !s.enter() {
		return net.ErrClosed
	}
	defer s.leave()
	s.sendLock.Lock()
	defer s.sendLock.Unlock()
	if !s.sender.setDestination(to, s.ipv6) {
		return s.sendError(to, syscall.EAFNOSUPPORT)
	}
	if s.whole && s.setDiscovery(pmtudDont) == nil {
		defer s.setDiscovery(pmtudProbe)
	}
	if s.ipv6 {
		// Routers do not fragment IPv6: we do, to what every link carries.
		syscall.SetsockoptInt(s.fd, syscall.IPPROTO_IPV6, ipv6MTU, 1280)
		defer syscall.SetsockoptInt(s.fd, syscall.IPPROTO_IPV6, ipv6MTU, 0)
	}
	return s.send(to, b, len(b))
}

// send sends a run to the destination that is set. Called with sendLock held.
func (s *Socket) send(to netip.AddrPort, b []byte, segment int) error {
	var failed error
	segmentation := s.sender.segmentation
	for len(b) > 0 {
		bundle := segment
		if s.sender.segmentation {
			bundle *= max(1, min(maxSegments, maxDatagram/segment))
		}
		bundle = min(bundle, len(b))
		err := s.sender.send(s.fd, b[:bundle], segment)
		if err != 0 && bundle > segment && refusesSegmentation(err) {
			// The kernel, or the interface, does not do it. Datagram by datagram,
			// then, from here on.
			s.sender.segmentation = false
			continue
		}
		if err == syscall.EMSGSIZE {
			// Larger than the interface takes, and so are the others. It is not
			// segmentation that was refused.
			s.sender.segmentation = segmentation
			return s.sendError(to, err)
		}
		if err != 0 && failed == nil {
			failed = s.sendError(to, err)
		}
		if err == syscall.EAGAIN {
			break // it waited long enough; what is left is lost
		}
		b = b[bundle:]
	}
	return failed
}

func refusesSegmentation(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EMSGSIZE) ||
		errors.Is(err, syscall.EOPNOTSUPP)
}
