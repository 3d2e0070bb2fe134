package relay

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/turn"
)

// Clients on TCP and TLS.

const (
	// handshakeLimit is how long a TLS handshake may take, messageLimit how long a message
	// once it has begun, and strangerLimit how long a connection may be without an
	// allocation.
	handshakeLimit = 10 * time.Second
	messageLimit   = 10 * time.Second
	strangerLimit  = 30 * time.Second
	// idleLimit is how long one with an allocation may say nothing: it is refreshed more
	// often, or else it has ended.
	idleLimit = time.Hour + time.Minute
	// writeLimit is how long a write may take of a client that does not read.
	writeLimit = 30 * time.Second
	// maxQueue bounds what waits to be written to one client, in bytes.
	maxQueue = 512 << 10
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
}

// listen accepts connections; of TLS if there is a configuration for it.
func (s *Server) listen(at netip.AddrPort, protocol turn.Protocol, config *tls.Config) error {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return fmt.Errorf("relay: it cannot listen on %v for %v: %w", at, protocol, err)
	}
	s.listeners = append(s.listeners, l)
	s.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				if s.isClosed() {
					return
				}
				s.config.Log.Warn("a connection was not accepted", "error", err)
				time.Sleep(50 * time.Millisecond) // out of descriptors, perhaps
				continue
			}
			c := &connection{
				server: s, conn: conn, more: make(chan struct{}, 1),
				from: turn.FiveTuple{Client: addrPort(conn.RemoteAddr()), Server: addrPort(conn.LocalAddr()), Protocol: protocol},
			}
			if !s.admit(c) {
				conn.Close()
				continue
			}
			if config != nil {
				c.cork = &cork{Conn: conn}
				c.conn = tls.Server(c.cork, config)
			}
			s.running.Go(c.write)
			s.running.Go(c.read)
		}
	})
	return nil
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// admit counts a connection in, if it is one of not too many.
func (s *Server) admit(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := c.from.Client.Addr()
	if s.closed || len(s.connections) >= s.config.MaxConnections || s.perAddress[who] >= s.config.MaxAddressConnections {
		if now := time.Now(); now.Sub(s.lastWarning) > time.Minute {
			s.lastWarning = now
			s.config.Log.Warn("connections are refused: there are too many", "all", len(s.connections), "client", who, "of the client", s.perAddress[who])
		}
		return false
	}
	s.connections[c] = struct{}{}
	s.perAddress[who]++
	s.clients[c.from] = door{connection: c}
	return true
}

// read takes the client's messages until the connection ends.
func (c *connection) read() {
	s := c.server
	defer c.end()
	if t, ok := c.conn.(*tls.Conn); ok {
		c.conn.SetDeadline(time.Now().Add(handshakeLimit))
		if t.Handshake() != nil {
			return
		}
		c.conn.SetDeadline(time.Time{})
	}
	var f turn.Framer
	limit, allocated := time.Now().Add(strangerLimit), false
	var half time.Time // when the message must be whole that has begun; zero: none has
	for {
		c.conn.SetReadDeadline(earlier(limit, half))
		n, err := c.conn.Read(f.Space())
		if err != nil {
			return
		}
		f.Wrote(n)
		b := s.enter()
		whole := false
		for message, ok := f.Next(); ok; message, ok = f.Next() {
			whole = true
			s.fromClient(b, c.from, door{connection: c}, message)
		}
		switch {
		case s.core.Allocated(c.from):
			limit, allocated = b.now.Add(idleLimit), true
		case allocated:
			limit, allocated = b.now.Add(strangerLimit), false
		}
		switch {
		case f.Pending() == 0:
			half = time.Time{}
		case whole || half.IsZero():
			half = b.now.Add(messageLimit)
		}
		s.leave(b)
		if f.Err() != nil {
			s.config.Log.Debug("a connection was ended", "client", c.from.Client, "error", f.Err())
			return
		}
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
	if c.ended || len(c.waiting)+len(packet) > maxQueue {
		return
	}
	c.waiting = append(c.waiting, packet...)
	c.sizes = append(c.sizes, len(packet))
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// write writes what waits, all of it at once.
func (c *connection) write() {
	var b []byte
	var sizes []int
	for range c.more {
		c.mu.Lock()
		b, c.waiting = c.waiting, b[:0]
		sizes, c.sizes = c.sizes, sizes[:0]
		c.mu.Unlock()
		c.conn.SetWriteDeadline(time.Now().Add(writeLimit))
		if err := c.writeAll(b, sizes); err != nil {
			c.conn.Close() // the reader ends it
		}
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
	c.held = c.held[:0]
	return err
}

// end takes the connection, and its allocation, out of the server.
func (c *connection) end() {
	c.conn.Close()
	c.mu.Lock()
	c.ended = true
	close(c.more)
	c.mu.Unlock()
	s := c.server
	b := s.enter()
	delete(s.connections, c)
	delete(s.clients, c.from)
	if who := c.from.Client.Addr(); s.perAddress[who] > 1 {
		s.perAddress[who]--
	} else {
		delete(s.perAddress, who)
	}
	if !s.closed {
		s.core.Disconnected(b.now, c.from)
	}
	s.leave(b)
}
