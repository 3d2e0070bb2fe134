package udp

import (
	"fmt"
	"net/netip"
)

// A Packet is a datagram that arrived.
type Packet struct {
	Data []byte         // borrowed for the call; it may be overwritten
	From netip.AddrPort // never an IPv4 address in IPv6's clothes; without zone
}

const (
	// maxDatagram is the largest UDP payload over IPv4: 65,535 less the headers
	// of IP and UDP.
	maxDatagram = 65507

	// The sizes asked for a socket's buffers in the kernel, which may grant
	// less. The first holds the bursts that arrive while a reader is busy; it
	// takes memory only while it does. The second holds a few of the largest
	// sends, and no more: what waits there is late.
	receiveBuffer = 4 << 20
	sendBuffer    = 1 << 20
)

// Listen opens a socket on addr, whose port may be 0 for any, and calls receive
// with what arrives; see the package's documentation for where and how long. A
// batch has one packet or more, all for this socket. On the unspecified IPv6
// address it takes IPv4 too.
func Listen(addr netip.AddrPort, receive func(s *Socket, batch []Packet)) (*Socket, error) {
	if !addr.IsValid() {
		return nil, fmt.Errorf("udp: cannot listen without an address")
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	s, err := listen(addr, receive)
	if err != nil {
		return nil, fmt.Errorf("udp: cannot listen on %v: %w", addr, err)
	}
	return s, nil
}

// ListenGroup is Listen with n sockets on one address, among which the kernel divides what
// arrives: what comes from one place always comes to the same socket, and the sockets
// have readers of their own. Where the system cannot do that there is one socket.
func ListenGroup(addr netip.AddrPort, n int, receive func(s *Socket, batch []Packet)) (group []*Socket, err error) {
	if n <= 1 || !canShare {
		s, err := Listen(addr, receive)
		if err != nil {
			return nil, err
		}
		return []*Socket{s}, nil
	}
	if !addr.IsValid() {
		return nil, fmt.Errorf("udp: cannot listen without an address")
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	for range 10 {
		// Between the probe and the group somebody else may be given a port that was any.
		if group, err = listenGroup(addr, n, receive); err == nil || addr.Port() != 0 {
			break
		}
	}
	return group, err
}

func listenGroup(addr netip.AddrPort, n int, receive func(s *Socket, batch []Packet)) (group []*Socket, err error) {
	// Whoever shares an address shares it with everybody of the same user who does, another
	// process too. So whether it is taken is seen by a socket that does not share.
	probe, err := Listen(addr, func(*Socket, []Packet) {})
	if err != nil {
		return nil, err
	}
	addr = probe.Local()
	probe.Close()
	for range n {
		s, err := listenShared(addr, receive)
		if err != nil {
			for _, s := range group {
				s.Close()
			}
			return nil, fmt.Errorf("udp: cannot listen on %v: %w", addr, err)
		}
		group = append(group, s)
	}
	return group, nil
}

// sendError says what went wrong, which a caller mostly passes over: a datagram
// that is not sent is a datagram lost.
func (s *Socket) sendError(to netip.AddrPort, err error) error {
	return fmt.Errorf("udp: cannot send from %v to %v: %w", s.local, to, err)
}
