package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/turn"
)

// Clients on TCP and TLS.

// limits bound what a client may keep us waiting.
type limits struct {
	handshake time.Duration // for TLS
	message   time.Duration // for a message once it has begun
	stranger  time.Duration // without an allocation
	look      time.Duration // until it is looked again whether a silent client has one
	write     time.Duration // for a client that does not read
}

var usualLimits = limits{
	handshake: 10 * time.Second, message: 10 * time.Second, stranger: 30 * time.Second, look: time.Minute, write: 30 * time.Second,
}

const (
	// maxQueue bounds what waits to be written to one client, and maxQueued what waits
	// for all, in bytes.
	maxQueue  = 512 << 10
	maxQueued = 256 << 20
	// keepQueue is how large a buffer is kept once it is empty.
	keepQueue = 32 << 10
	// maxStranger is the size of the largest message of who has no allocation: no request
	// needs so much.
	maxStranger = 2048
)

// A connection is one client's.
type connection struct {
	server *Server
	conn   net.Conn
	from   turn.FiveTuple

	cork *cork // under TLS; nil for TCP

	mu      sync.Mutex
	waiting []byte
	sizes   []int         // of the packets that wait
	more    chan struct{} // has an element when something waits
	ended   bool

	peer    *peerConn     // of a TCP allocation's, once it belongs to one; the server's lock guards it
	written chan struct{} // closed once the writer has ended
}

// listen accepts connections; of TLS if there is a configuration for it.
func (s *Server) listen(at netip.AddrPort, protocol turn.Protocol, config *tls.Config) error {
	network := "tcp4" // "tcp" on 0.0.0.0 would be of IPv6, too
	if at.Addr().Is6() {
		network = "tcp6"
	}
	l, err := net.ListenTCP(network, net.TCPAddrFromAddrPort(at))
	if err != nil {
		return fmt.Errorf("relay: it cannot listen on %v for %v: %w", at, protocol, err)
	}
	s.listeners = append(s.listeners, l)
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				if s.refused(err) {
					return
				}
				time.Sleep(50 * time.Millisecond) // out of descriptors, perhaps
				continue
			}
			c := &connection{
				server: s, conn: conn, more: make(chan struct{}, 1), written: make(chan struct{}),
				from: turn.FiveTuple{Client: addrPort(conn.RemoteAddr()), Server: addrPort(conn.LocalAddr()), Protocol: protocol},
			}
			if config != nil {
				c.cork = &cork{Conn: conn}
				c.conn = tls.Server(c.cork, config)
			}
			if !s.admit(c) {
				conn.Close()
				continue
			}
			s.running.Go(c.write)
			s.running.Go(c.read)
		}
	})
	return nil
}

// refused says of a connection that was not accepted, and reports whether the server is
// closed.
func (s *Server) refused(err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.warn(time.Now(), "a connection was not accepted", "error", err)
	}
	return s.closed
}

// admit counts a connection in, if it is one of not too many.
func (s *Server) admit(c *connection) bool {
	b := s.enter()
	defer s.leave(b)
	if s.closed || !s.count(b, c.from) {
		return false
	}
	if s.clients[c.from] != nil {
		// The client has ended that one, and begun another from the same port, before we
		// have read the end. The allocation was that one's.
		s.core.Disconnected(b.now, c.from)
	}
	s.connections[c] = struct{}{}
	s.clients[c.from] = c
	return true
}

// read takes the client's messages until the connection ends.
func (c *connection) read() {
	s := c.server
	defer c.end()
	limits := &s.config.limits
	if t, ok := c.conn.(*tls.Conn); ok {
		c.conn.SetDeadline(time.Now().Add(limits.handshake))
		if err := t.Handshake(); err != nil {
			c.warn("a TLS handshake failed", err)
			return
		}
		c.conn.SetDeadline(time.Time{})
	}
	f := turn.Framer{Max: maxStranger}
	stranger := time.Now().Add(limits.stranger) // when a stranger has to go; zero: it is none
	var half time.Time                          // when the message must be whole that has begun; zero: none has
	for {
		limit := earlier(stranger, half)
		if limit.IsZero() {
			limit = time.Now().Add(limits.look)
		}
		c.conn.SetReadDeadline(limit)
		n, err := c.conn.Read(f.Space())
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if silent := late && stranger.IsZero() && half.IsZero(); err != nil && !silent {
			if late {
				c.warn("a connection was ended: it took too long for a message, or to ask for an allocation", nil)
			}
			return
		}
		f.Wrote(n)
		b := s.enter()
		whole := false
		for message, ok := f.Next(); ok; message, ok = f.Next() {
			whole = true
			for wait := s.hold(b, c, message); wait > 0; wait = s.hold(b, c, message) {
				s.leave(b)
				if !stranger.IsZero() && time.Until(stranger) < wait {
					c.warn("a connection was ended: it took too long to ask for an allocation", nil)
					return
				}
				time.Sleep(wait)
				b = s.enter()
			}
			s.fromClient(b, c.from, message)
			if c.peer != nil {
				break // and what follows are no messages
			}
		}
		switch allocated := s.core.Allocated(c.from); {
		case allocated:
			stranger, f.Max = time.Time{}, 0
		case stranger.IsZero():
			stranger, f.Max = b.now.Add(limits.stranger), maxStranger
		}
		switch {
		case f.Pending() == 0:
			half = time.Time{}
		case whole || half.IsZero():
			half = b.now.Add(limits.message)
		}
		peer := c.peer
		s.leave(b)
		if peer != nil {
			c.conn.SetReadDeadline(time.Time{})
			s.pass(peer, c.conn, peer.conn, true, f.Rest())
			<-c.written
			return
		}
		if f.Err() != nil {
			c.warn("a connection was ended: it is no client's", f.Err())
			return
		}
	}
}

// hold is how long a message has to wait.
func (s *Server) hold(b *batch, c *connection, message []byte) time.Duration {
	if s.closed {
		return 0
	}
	return s.core.Hold(b.now, c.from, message)
}

// warn logs what ended a connection that is perhaps nobody's who means well.
func (c *connection) warn(text string, err error) {
	args := []any{"client", c.from.Client, "over", c.from.Protocol}
	if err != nil {
		args = append(args, "error", err)
	}
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if !c.server.closed {
		c.server.warn(time.Now(), text, args...)
	}
}

// earlier is the earlier of two times, of which zero stands for never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// queue takes a packet to be written. It is called with the server locked, and never blocks.
func (c *connection) queue(packet []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int64(len(packet))
	if c.ended || len(c.waiting)+len(packet) > maxQueue || c.server.queued.Load()+n > maxQueued {
		return
	}
	c.server.queued.Add(n)
	c.waiting = append(c.waiting, packet...)
	c.sizes = append(c.sizes, len(packet))
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// write writes what waits, all of it at once, and after that what a peer sends, if there is one.
func (c *connection) write() {
	defer close(c.written)
	var b []byte
	var sizes []int
	for range c.more {
		c.mu.Lock()
		b, c.waiting = c.waiting, b[:0]
		sizes, c.sizes = c.sizes, sizes[:0]
		c.mu.Unlock()
		c.conn.SetWriteDeadline(time.Now().Add(c.server.config.limits.write))
		if err := c.writeAll(b, sizes); err != nil {
			c.conn.Close() // the reader ends it
		}
		c.server.queued.Add(-int64(len(b)))
		if cap(b) > keepQueue {
			b, sizes = nil, nil
		}
	}
	c.server.queued.Add(-int64(len(c.waiting))) // nothing is added any more
	if c.peer != nil {
		c.conn.SetWriteDeadline(time.Time{}) // who does not read holds up his peer, and nobody else
		c.server.pass(c.peer, c.peer.conn, c.conn, false, nil)
	}
}

// writeAll writes packets; under TLS each in a record of its own, as some clients, coturn's
// among them, expect no other.
func (c *connection) writeAll(b []byte, sizes []int) error {
	if c.cork == nil {
		_, err := c.conn.Write(b)
		return err
	}
	c.cork.put()
	for _, n := range sizes {
		if _, err := c.conn.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return c.cork.pull()
}

// A cork holds back what is written to a connection, so that many records leave in one
// system call.
type cork struct {
	net.Conn
	mu   sync.Mutex
	in   bool
	held []byte
}

func (c *cork) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.in {
		return c.Conn.Write(b)
	}
	c.held = append(c.held, b...)
	return len(b), nil
}

func (c *cork) put() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = true
}

func (c *cork) pull() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in = false
	_, err := c.Conn.Write(c.held)
	if c.held = c.held[:0]; cap(c.held) > keepQueue {
		c.held = nil
	}
	return err
}

// endQueue ends the writer once it has written what waits.
func (c *connection) endQueue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended = true
		close(c.more)
	}
}

// end takes the connection, and its allocation, out of the server.
func (c *connection) end() {
	c.conn.Close()
	c.endQueue()
	s := c.server
	b := s.enter()
	if c.peer != nil {
		s.core.PeerClosed(b.now, c.peer.id)
	}
	delete(s.connections, c)
	s.discount(c.from)
	if s.clients[c.from] == c { // and not another's, from the same port
		delete(s.clients, c.from)
		if !s.closed {
			s.core.Disconnected(b.now, c.from)
		}
	}
	s.leave(b)
}
