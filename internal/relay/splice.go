package relay

import (
	"context"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/turn"
)

// TCP allocations (RFC 6062): a listener for each, a connection with each peer, and one of the
// client's for it. Until the client has come for it nobody reads what the peer
// sends, so that TCP itself holds the peer back; from then on both goroutines of the client's
// connection pass on bytes, one in each direction.

// A peerConn is a connection with a peer.
type peerConn struct {
	id     turn.ConnectionID
	cancel context.CancelFunc // ends the attempt to connect
	conn   net.Conn           // nil until it is there
	client *connection        // nil until it is bound
	done   chan struct{}      // closed once it is no more
}

// passBuffer is what is read at a time from one end of a connection.
const passBuffer = 32 << 10

// listenPeers opens the listener of a TCP allocation, which accepts from now on.
func (s *Server) listenPeers(id turn.RelayID, at netip.AddrPort) (*relay, error) {
	// Connections to peers leave from this port too, which the system allows if all who use
	// the port say so beforehand: then it would be shared with others who do. So whether
	// it is free is seen without saying so.
	probe, err := net.ListenTCP(network(at), net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	probe.Close()
	config := net.ListenConfig{Control: sharePort}
	l, err := config.Listen(context.Background(), network(at), at.String())
	if err != nil {
		return nil, err
	}
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				s.mu.Lock()
				gone := s.closed || s.relays[id] == nil
				s.mu.Unlock()
				if gone {
					return
				}
				time.Sleep(50 * time.Millisecond) // out of descriptors, perhaps
				continue
			}
			s.accepted(id, conn)
		}
	})
	return &relay{id: id, listener: l}, nil
}

func network(at netip.AddrPort) string {
	if at.Addr().Is4() {
		return "tcp4"
	}
	return "tcp6"
}

// accepted hands a peer's connection to the core.
func (s *Server) accepted(id turn.RelayID, conn net.Conn) {
	b := s.enter()
	defer s.leave(b)
	if !s.closed {
		if name, ok := s.core.PeerAccepted(b.now, id, addrPort(conn.RemoteAddr())); ok {
			s.peers[name] = &peerConn{id: name, conn: conn, cancel: func() {}, done: make(chan struct{})}
			return
		}
	}
	b.closing = append(b.closing, conn)
}

// connect begins to connect with a peer, from the relay's address.
func (s *Server) connect(b *batch, e turn.ConnectPeer) {
	r := s.relays[e.Relay]
	if s.closed || r == nil || r.listener == nil {
		s.core.PeerFailed(b.now, e.Connection)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &peerConn{id: e.Connection, cancel: cancel, done: make(chan struct{})}
	s.peers[p.id] = p
	from := r.listener.Addr()
	s.running.Go(func() {
		defer cancel()
		d := net.Dialer{LocalAddr: from, Control: sharePort} // how long it may take the core knows
		conn, err := d.DialContext(ctx, network(e.Peer), e.Peer.String())
		b := s.enter()
		defer s.leave(b)
		switch {
		case err != nil:
			s.config.Log.Debug("a peer was not connected with", "peer", e.Peer, "error", err)
			if s.peers[p.id] == p {
				s.core.PeerFailed(b.now, p.id)
			}
		case s.peers[p.id] != p: // the core has given up
			b.closing = append(b.closing, conn)
		default:
			p.conn = conn
			s.core.PeerConnected(b.now, p.id)
		}
	})
}

// splice joins a client's connection with a peer's.
func (s *Server) splice(b *batch, e turn.Splice) {
	c, p := s.clients[e.Client], s.peers[e.Connection]
	if c == nil || p == nil || p.conn == nil {
		return
	}
	c.peer, p.client = p, c
	b.spliced = append(b.spliced, c)
}

// closePeer ends a connection with a peer, and the client's.
func (s *Server) closePeer(b *batch, id turn.ConnectionID) {
	p := s.peers[id]
	if p == nil {
		return
	}
	delete(s.peers, id)
	close(p.done)
	p.cancel()
	if p.conn != nil {
		b.closing = append(b.closing, p.conn)
	}
	switch c := p.client; {
	case c == nil:
	case c.cork != nil:
		b.closing = append(b.closing, c.cork.Conn) // TLS would say goodbye, and wait for one that does not read
	default:
		b.closing = append(b.closing, c.conn)
	}
}

// pass passes on what one end of a connection sends until it ends, and then tells the other
// end that nothing more comes.
func (s *Server) pass(p *peerConn, from, to net.Conn, toPeer bool, first []byte) {
	buffer := make([]byte, max(passBuffer, len(first)))
	n := copy(buffer, first)
	var ended error
	for {
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
			s.mu.Lock()
			wait := s.core.Passed(time.Now(), p.id, toPeer, n)
			s.mu.Unlock()
			if wait > 0 {
				select {
				case <-time.After(wait):
				case <-p.done:
				}
			}
		}
		if ended != nil {
			break
		}
		n, ended = from.Read(buffer)
	}
	if half, ok := to.(interface{ CloseWrite() error }); ended == io.EOF && ok && half.CloseWrite() == nil {
		return // the other direction may go on
	}
	from.Close()
	to.Close()
}
