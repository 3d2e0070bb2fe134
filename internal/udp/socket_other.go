//go:build !linux || 386 || portable

// Linux on 386 is here because package syscall has no SYS_SENDMSG for it, and with the
// tag portable so that it can be tested there.

package udp

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// A Socket is a UDP socket. Its methods may be called from several goroutines.
type Socket struct {
	conn  *net.UDPConn
	ipv6  bool // takes IPv6 addresses
	both  bool // and IPv4 ones
	local netip.AddrPort
}

func listen(addr netip.AddrPort, receive func(*Socket, []Packet)) (*Socket, error) {
	s := &Socket{ipv6: addr.Addr().Is6()}
	s.both = s.ipv6 && addr.Addr().IsUnspecified()
	network := "udp4"
	switch {
	case s.both:
		network = "udp"
	case s.ipv6:
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	conn.SetReadBuffer(receiveBuffer)
	conn.SetWriteBuffer(sendBuffer)
	s.conn = conn
	s.local = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	s.local = netip.AddrPortFrom(s.local.Addr().Unmap().WithZone(""), s.local.Port())
	go s.run(receive)
	return s, nil
}

// canShare says that no address is shared here.
const canShare = false

func listenShared(netip.AddrPort, func(*Socket, []Packet)) (*Socket, error) {
	panic("BUG: udp: no address is shared here")
}

func (s *Socket) run(receive func(*Socket, []Packet)) {
	b := make([]byte, maxDatagram)
	batch := make([]Packet, 1)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Windows reports here what the network says about datagrams sent
			// earlier, once each. Should an error stay, it shall not eat a processor.
			time.Sleep(time.Millisecond)
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
		batch[0] = Packet{b[:n:n], from}
		receive(s, batch)
	}
}

// Local returns the address that the socket is bound to.
func (s *Socket) Local() netip.AddrPort { return s.local }

// Close closes the socket. It does not wait for a call of receive that has
// begun, and may be called from inside of one. Closing twice does nothing.
func (s *Socket) Close() error {
	if err := s.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// MTU is not known here: whether packets are fragmented is up to the system.
func (s *Socket) MTU(to netip.AddrPort) int { return 0 }

// SendInFragments sends one datagram that may be larger than what the path carries.
func (s *Socket) SendInFragments(to netip.AddrPort, b []byte) error { return s.Send(to, b, len(b)) }

// Send sends b to to: one datagram, or several in a row, each of segment bytes
// but the last, which may be shorter. It does not keep b and does not allocate.
func (s *Socket) Send(to netip.AddrPort, b []byte, segment int) error {
	if segment <= 0 || segment > len(b) {
		segment = len(b)
	}
	if !s.both {
		to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	}
	var failed error
	for len(b) > 0 {
		n := min(segment, len(b))
		_, err := s.conn.WriteToUDPAddrPort(b[:n], to)
		if errors.Is(err, net.ErrClosed) {
			return net.ErrClosed
		}
		if err != nil && failed == nil {
			// The others may get through all the same.
			failed = s.sendError(to, err)
		}
		b = b[n:]
	}
	return failed
}
