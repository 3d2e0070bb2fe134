package relay

import (
	"crypto/rand"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/turn"
)

// A dtlsConn is a dtls.Conn on a socket, for one goroutine.
type dtlsConn struct {
	net.Conn
	core *dtls.Conn
}

// dialDTLS connects; version 0 is any.
func dialDTLS(t *testing.T, at string, version dtls.Version) (*dtlsConn, error) {
	t.Helper()
	certificate, err := dtls.GenerateCertificate(rand.Reader, time.Now())
	if err != nil {
		return nil, err
	}
	c := new(dtlsConn)
	if c.core, err = dtls.NewClient(dtls.Config{
		Certificate: certificate, Rand: rand.Reader, MinVersion: version, MaxVersion: version,
		VerifyPeer: func([]byte) error { return nil }, NoClientCertificate: true,
	}); err != nil {
		return nil, err
	}
	if c.Conn, err = net.Dial("udp", at); err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	c.core.Connect(time.Now())
	b := make([]byte, 1<<16)
	for !c.core.Established() {
		c.flush()
		n, err := c.Conn.Read(b)
		if err != nil {
			return nil, err
		}
		c.core.Receive(time.Now(), b[:n])
		if c.core.Err() != nil {
			return nil, c.core.Err()
		}
	}
	c.flush()
	return c, nil
}

func (c *dtlsConn) flush() {
	for b := c.core.AppendPacket(time.Now(), nil); len(b) > 0; b = c.core.AppendPacket(time.Now(), nil) {
		c.Conn.Write(b)
	}
}

func (c *dtlsConn) Write(b []byte) (int, error) { return c.Conn.Write(c.core.Seal(nil, b)) }

func (c *dtlsConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil {
			return 0, err
		}
		c.core.Receive(time.Now(), b[:n])
		if data, ok := c.core.NextData(); ok {
			return copy(b, data), nil
		}
		c.flush()
		if c.core.Err() != nil {
			return 0, io.EOF
		}
	}
}

func sessionsOf(s *Server) (all, halves int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions.all), len(s.sessions.halves)
}

// Before a client has shown a cookie it is nothing, and what pretends to be half a
// ClientHello takes the place of others such.
func TestStrangersOnDTLSAreForgotten(t *testing.T) {
	s := listenOn(t, nil)
	socket := s.sockets[1]
	certificate, err := dtls.GenerateCertificate(rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	newClient := func(g dtls.Group) *dtls.Conn {
		client, err := dtls.NewClient(dtls.Config{
			Certificate: certificate, Rand: rand.Reader, VerifyPeer: func([]byte) error { return nil }, Groups: []dtls.Group{g},
		})
		if err != nil {
			t.Fatal(err)
		}
		client.Connect(time.Now())
		return client
	}
	hello := newClient(dtls.X25519MLKEM768).AppendPacket(time.Now(), nil) // which goes on in a second datagram
	whole := newClient(dtls.X25519).AppendPacket(time.Now(), nil)
	for i := range 1000 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 7, byte(i >> 8), byte(i)}), 9)
		s.fromSessions(socket, []udp.Packet{{Data: append([]byte(nil), hello...), From: from}})
	}
	if all, halves := sessionsOf(s); all != 0 || halves > maxHalves || halves == 0 {
		t.Errorf("after half a ClientHello of many there are %d sessions and %d halves, want none and 1 to %d", all, halves, maxHalves)
	}
	from := netip.MustParseAddrPort("127.8.0.1:9")
	_, before := sessionsOf(s)
	s.fromSessions(socket, []udp.Packet{{Data: whole, From: from}})
	if all, halves := sessionsOf(s); all != 0 || halves > before {
		t.Errorf("one without a cookie is kept: %d sessions, %d halves after %d", all, halves, before)
	}
	s.fromSessions(socket, []udp.Packet{{Data: []byte("\x17nonsense"), From: from}, {From: from}})
	if n := len(s.perAddress); n != 0 {
		t.Errorf("%d addresses are counted", n)
	}
}

// A session without an allocation ends in time, one with an allocation stays, and its end
// ends the allocation.
func TestSessionsEnd(t *testing.T) {
	for _, version := range []dtls.Version{dtls.DTLS12, dtls.DTLS13} {
		s := listenOn(t, short(func(l *limits) { l.stranger, l.look = time.Second, 5*time.Millisecond }))
		datagrams, _ := s.Addresses()
		conn, err := dialDTLS(t, datagrams[1].String(), version)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%v: a session goes on without an allocation: %v", version, err)
		}
		eventually(t, "it is forgotten", func() bool { all, _ := sessionsOf(s); return all == 0 })
	}
	s, c := allocateInTime(t, turn.DTLS)
	if all, _ := sessionsOf(s); all != 1 {
		t.Fatalf("there are %d sessions", all)
	}
	conn := c.conn.(*dtlsConn)
	conn.core.Close(time.Now())
	conn.flush()
	eventually(t, "the allocation ends with the session", func() bool { return s.Stats().Allocations == 0 })
	if all, halves := sessionsOf(s); all != 0 || halves != 0 {
		t.Errorf("there are %d sessions and %d halves", all, halves)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.perAddress) != 0 {
		t.Errorf("addresses are still counted: %v", s.perAddress)
	}
}

// As many sessions as are allowed, and no more.
func TestSessionsAreBounded(t *testing.T) {
	s := listenOn(t, func(c *Config) { c.MaxAddressConnections = 2 })
	datagrams, _ := s.Addresses()
	for range 2 {
		if _, err := dialDTLS(t, datagrams[1].String(), dtls.DTLS12); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	b := &batch{now: time.Now()}
	counted := s.count(b, turn.FiveTuple{Client: netip.AddrPortFrom(loopback, 1)})
	s.mu.Unlock()
	if counted {
		t.Error("a third of one address is served")
	}
	if all, _ := sessionsOf(s); all != 2 {
		t.Errorf("there are %d sessions", all)
	}
}
