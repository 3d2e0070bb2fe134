package relay

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/turn"
)

// Clients on DTLS: each address has a dtls.Conn between the socket and the core, once it
// has shown a cookie. It costs no goroutine.

// A session is one client's.
type session struct {
	from   turn.FiveTuple
	socket *udp.Socket
	conn   *dtls.Conn
	// stranger is when one without an allocation has to go; zero: it has one.
	stranger time.Time
}

// sessions are all of them.
type sessions struct {
	config dtls.Config
	all    map[turn.FiveTuple]*session
	// halves have sent a part of a ClientHello, and no cookie: perhaps not from where they
	// say. The oldest has to make room.
	halves []*session
	// next is not later than when any has a timer running or has to be looked at; zero: never.
	next time.Time
	// record is where what goes to a client is sealed.
	record []byte
}

// maxHalves bounds the halves.
const maxHalves = 64

// newSessions takes the certificate that TLS has.
func newSessions(c *tls.Certificate) (s sessions, err error) {
	key, ok := c.PrivateKey.(crypto.Signer)
	if !ok || len(c.Certificate) == 0 {
		return s, errors.New("relay: the certificate has no key that DTLS can sign with")
	}
	s.all = make(map[turn.FiveTuple]*session)
	s.config = dtls.Config{
		Certificate: &dtls.Certificate{DER: c.Certificate[0], Key: key},
		Rand:        rand.Reader, NoClientCertificate: true, Cookie: true,
	}
	rand.Read(s.config.CookieSecret[:])
	_, err = dtls.NewServer(s.config) // what is wrong is said now
	return s, err
}

// fromSessions is the door for datagrams of clients on DTLS.
func (s *Server) fromSessions(socket *udp.Socket, packets []udp.Packet) {
	b := s.enter()
	from := turn.FiveTuple{Server: socket.Local(), Protocol: turn.DTLS}
	for _, p := range packets {
		if s.closed {
			break
		}
		from.Client = p.From
		c := s.session(b, from, socket, p.Data)
		if c == nil {
			continue
		}
		c.conn.Receive(b.now, p.Data)
		for message, ok := c.conn.NextData(); ok; message, ok = c.conn.NextData() {
			s.fromClient(b, from, message)
		}
		s.settle(b, c)
	}
	s.leave(b)
}

// session finds whose a datagram is, or begins one.
func (s *Server) session(b *batch, from turn.FiveTuple, socket *udp.Socket, datagram []byte) *session {
	if c := s.sessions.all[from]; c != nil {
		return c
	}
	if i := slices.IndexFunc(s.sessions.halves, func(c *session) bool { return c.from == from }); i >= 0 {
		return s.sessions.halves[i]
	}
	const handshake = 22 // only with one of these does a client begin
	if len(datagram) == 0 || datagram[0] != handshake {
		return nil
	}
	config := s.sessions.config
	config.PeerAddress = from.Client
	conn, err := dtls.NewServer(config)
	if err != nil {
		return nil
	}
	conn.Connect(b.now)
	c := &session{from: from, socket: socket, conn: conn, stranger: b.now.Add(s.config.limits.stranger)}
	if len(s.sessions.halves) >= maxHalves {
		s.sessions.halves = slices.Delete(s.sessions.halves, 0, 1)
	}
	s.sessions.halves = append(s.sessions.halves, c)
	return c
}

// settle sends what a session has to send, and sees what has become of it.
func (s *Server) settle(b *batch, c *session) {
	for {
		packet := c.conn.AppendPacket(b.now, b.scratch[:0])
		if len(packet) == 0 {
			break
		}
		b.add(c.socket, c.from.Client, packet)
	}
	ended := false
	for e, ok := c.conn.NextEvent(); ok; e, ok = c.conn.NextEvent() {
		if _, closed := e.(dtls.Closed); closed {
			ended = true
		}
	}
	half := s.sessions.all[c.from] != c
	switch {
	case ended || half && c.conn.Forgettable():
		// What is forgotten comes again, with its cookie, if there is such a client.
		s.forget(b, c)
		return
	case half && c.conn.State() != dtls.StateAwaitClientHello: // the cookie is right
		s.sessions.halves = slices.DeleteFunc(s.sessions.halves, func(h *session) bool { return h == c })
		if !s.count(b, c.from) {
			return
		}
		s.sessions.all[c.from] = c
	}
	switch allocated := s.core.Allocated(c.from); {
	case allocated:
		c.stranger = time.Time{}
	case c.stranger.IsZero():
		c.stranger = b.now.Add(s.config.limits.stranger)
	}
	s.sessions.wake(b.now, c, s.config.limits.look)
}

// wake makes sure that a session's timer fires.
func (s *sessions) wake(now time.Time, c *session, look time.Duration) {
	at := earlier(c.stranger, c.conn.NextTimeout())
	if c.stranger.IsZero() {
		at = earlier(at, now.Add(look)) // whether its allocation is still there
	}
	s.next = earlier(s.next, at)
}

// forget takes a session, and its allocation, out of the server.
func (s *Server) forget(b *batch, c *session) {
	if s.sessions.all[c.from] != c {
		s.sessions.halves = slices.DeleteFunc(s.sessions.halves, func(h *session) bool { return h == c })
		return
	}
	delete(s.sessions.all, c.from)
	s.discount(c.from)
	s.core.Disconnected(b.now, c.from)
}

// advanceSessions fires the timers that are due.
func (s *Server) advanceSessions(b *batch) {
	if next := s.sessions.next; next.IsZero() || next.After(b.now) {
		return
	}
	s.sessions.next = time.Time{}
	look := func(c *session) {
		if t := c.conn.NextTimeout(); !t.IsZero() && !t.After(b.now) {
			c.conn.Advance(b.now)
		}
		if !c.stranger.IsZero() && !c.stranger.After(b.now) && !s.core.Allocated(c.from) {
			c.conn.Close(b.now)
		}
		s.settle(b, c)
	}
	for _, c := range slices.Clone(s.sessions.halves) {
		look(c)
	}
	for _, c := range s.sessions.all {
		look(c)
	}
}

// seal gathers a packet for a client on DTLS.
func (s *Server) seal(b *batch, to turn.FiveTuple, packet []byte) {
	if c := s.sessions.all[to]; c != nil {
		if s.sessions.record = c.conn.Seal(s.sessions.record[:0], packet); len(s.sessions.record) > 0 {
			b.add(c.socket, to.Client, s.sessions.record)
		}
	}
}

// count counts a connection or session in, if it is one of not too many. It is called with
// the server locked.
func (s *Server) count(b *batch, from turn.FiveTuple) bool {
	who, all := subscriber(from.Client.Addr()), len(s.connections)+len(s.sessions.all)
	if all >= s.config.MaxConnections || s.perAddress[who] >= s.config.MaxAddressConnections {
		s.warn(b.now, "connections are refused: there are too many", "all", all, "client", who, "of the client", s.perAddress[who])
		return false
	}
	s.perAddress[who]++
	return true
}

// discount counts one out.
func (s *Server) discount(from turn.FiveTuple) {
	if who := subscriber(from.Client.Addr()); s.perAddress[who] > 1 {
		s.perAddress[who]--
	} else {
		delete(s.perAddress, who)
	}
}

// subscriber is whose address one is: of IPv6 a subscriber has a whole /64.
func subscriber(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.Prefix(64)
		return p.Addr()
	}
	return a
}
