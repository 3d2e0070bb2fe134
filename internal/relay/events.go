package relay

import (
	"net/netip"

	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/turn"
)

// What the core asks of the shell: sockets.

// attempts is how many ports are tried for one relay.
const attempts = 64

func (s *Server) event(b *batch, e turn.ServerEvent) {
	switch e := e.(type) {
	case turn.OpenRelay:
		s.openRelay(b, e)
	case turn.CloseRelay:
		if r := s.relays[e.Relay]; r != nil {
			delete(s.relays, e.Relay)
			b.closing = append(b.closing, r)
		}
	case turn.Abuse:
		args := []any{"client", e.From.Client, "over", e.From.Protocol}
		if e.Peer.IsValid() {
			args = append(args, "peer", e.Peer)
		}
		s.warn(b.now, e.Kind.String(), args...)
	case turn.ConnectPeer:
		s.connect(b, e)
	case turn.Splice:
		s.splice(b, e)
	case turn.ClosePeer:
		s.closePeer(b, e.Connection)
	case turn.Drained:
		select {
		case <-s.drained:
		default:
			close(s.drained)
		}
	}
}

func (s *Server) openRelay(b *batch, e turn.OpenRelay) {
	at := -1
	for i, a := range s.config.Relays {
		if a.Is6() == e.IPv6 {
			at = i
		}
	}
	if at < 0 || s.closed {
		s.core.RelayFailed(b.now, e.Relay)
		return
	}
	for range attempts {
		port := s.port()
		if e.EvenPort {
			port &^= 1
		}
		if port < s.config.MinPort || e.Next != 0 && port == s.config.MaxPort {
			continue
		}
		r, err := s.listenRelay(e.Relay, netip.AddrPortFrom(s.config.Relays[at], port), e.TCP)
		if err != nil {
			continue
		}
		if e.Next != 0 {
			next, err := s.listenRelay(e.Next, netip.AddrPortFrom(s.config.Relays[at], port+1), false)
			if err != nil {
				r.Close()
				continue
			}
			s.relays[e.Next] = next
		}
		s.relays[e.Relay] = r
		address := netip.AddrPortFrom(s.config.Relays[at], port)
		if at < len(s.config.Advertised) {
			address = netip.AddrPortFrom(s.config.Advertised[at], address.Port())
		}
		s.core.RelayOpened(b.now, e.Relay, address)
		return
	}
	s.warn(b.now, "no port is free for a relay", "address", s.config.Relays[at], "from", s.config.MinPort, "to", s.config.MaxPort)
	s.core.RelayFailed(b.now, e.Relay)
}

func (s *Server) listenRelay(id turn.RelayID, at netip.AddrPort, tcp bool) (*relay, error) {
	if tcp {
		return s.listenPeers(id, at)
	}
	socket, err := udp.Listen(at, func(_ *udp.Socket, packets []udp.Packet) { s.fromPeers(id, packets) })
	if err != nil {
		return nil, err
	}
	return &relay{id: id, socket: socket}, nil
}

// port is one of the configured range, at random, so that strangers can't guess it (RFC
// 8656, Section 7.2; RFC 6056).
func (s *Server) port() uint16 {
	return s.config.MinPort + uint16(s.ports.IntN(int(s.config.MaxPort-s.config.MinPort)+1))
}
