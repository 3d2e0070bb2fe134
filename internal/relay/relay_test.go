package relay

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/turn"
)

// These tests run the shell for real, on loopback: sockets, connections, TLS. What a
// server decides is tested in package turn.

var loopback = netip.MustParseAddr("127.0.0.1")

func listenOn(t *testing.T, change func(*Config)) *Server {
	t.Helper()
	any := []netip.AddrPort{netip.AddrPortFrom(loopback, 0)}
	config := Config{
		Turn: turn.ServerConfig{
			Realm: "example.org", Users: map[string]string{"alice": "wonderland"},
			AllowedPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		},
		UDP: any, TCP: any, TLS: any, DTLS: any, Certificate: selfSigned(t), Relays: []netip.Addr{loopback},
	}
	if change != nil {
		change(&config)
	}
	s, err := Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func selfSigned(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A client is a turn.Client on a connection.
type client struct {
	t      *testing.T
	core   *turn.Client
	conn   net.Conn
	framer turn.Framer
	stream bool
	event  turn.ClientEvent
	data   []byte
}

func dial(t *testing.T, s *Server, protocol turn.Protocol) *client {
	t.Helper()
	c, err := tryDial(t, s, protocol)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryDial(t *testing.T, s *Server, protocol turn.Protocol) (*client, error) {
	t.Helper()
	datagrams, streams := s.Addresses()
	c := &client{t: t, stream: protocol.Stream()}
	var err error
	switch protocol {
	case turn.UDP:
		c.conn, err = net.Dial("udp", datagrams[0].String())
	case turn.TCP:
		c.conn, err = net.Dial("tcp", streams[0].String())
	case turn.TLS:
		c.conn, err = tls.Dial("tcp", streams[1].String(), &tls.Config{InsecureSkipVerify: true})
	case turn.DTLS:
		c.conn, err = dialDTLS(t, datagrams[1].String(), 0)
	}
	if err == nil {
		c.core, err = turn.NewClient(turn.ClientConfig{Username: "alice", Password: "wonderland", Stream: c.stream, Rand: rand.Reader})
	}
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.conn.Close() })
	return c, nil
}

// flush writes what the client has to say.
func (c *client) flush() error {
	for {
		b := c.core.AppendPacket(time.Now(), nil)
		if len(b) == 0 {
			return nil
		}
		if _, err := c.conn.Write(b); err != nil {
			return err
		}
	}
}

// until runs the client until something has happened.
func (c *client) until(what string, done func() bool) {
	c.t.Helper()
	if err := c.try(done); err != nil {
		c.t.Fatalf("waiting for %s: %v", what, err)
	}
}

// try is until, for who expects that the connection may end before.
func (c *client) try(done func() bool) error {
	c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	buffer := make([]byte, 65536)
	for {
		for e, ok := c.core.NextEvent(); ok; e, ok = c.core.NextEvent() {
			c.event = e
			if done() {
				return nil
			}
		}
		if done() {
			return nil
		}
		if err := c.flush(); err != nil {
			return err
		}
		space := buffer
		if c.stream {
			space = c.framer.Space()
		}
		n, err := c.conn.Read(space)
		if err != nil {
			return err
		}
		if !c.stream {
			c.receive(space[:n])
			continue
		}
		c.framer.Wrote(n)
		for m, ok := c.framer.Next(); ok; m, ok = c.framer.Next() {
			c.receive(m)
		}
	}
}

func (c *client) receive(m []byte) {
	c.core.Receive(time.Now(), m)
	if d, ok := c.core.NextData(); ok {
		c.data = bytes.Clone(d.Payload)
	}
}

// allocate brings the client to the point where it has a relayed address.
func (c *client) allocate() netip.AddrPort {
	c.t.Helper()
	var relayed netip.AddrPort
	c.core.Start(time.Now())
	c.until("an allocation", func() bool {
		a, ok := c.event.(turn.Allocated)
		relayed = a.Relayed
		return ok
	})
	return relayed
}

// Over each transport a client gets an address, and datagrams go to a peer and back, in
// indications first and then on a channel.
func TestRelay(t *testing.T) {
	s := listenOn(t, nil)
	peer, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	at := peer.LocalAddr().(*net.UDPAddr).AddrPort()
	for _, protocol := range []turn.Protocol{turn.UDP, turn.TCP, turn.TLS, turn.DTLS} {
		t.Run(protocol.String(), func(t *testing.T) {
			c := dial(t, s, protocol)
			c.t = t
			relayed := c.allocate()
			c.core.CreatePermission(time.Now(), at.Addr())
			c.until("a permission", func() bool { _, ok := c.event.(turn.PermissionCreated); return ok })
			for i := range 20 {
				if i == 10 {
					if err := c.core.BindChannel(time.Now(), at); err != nil {
						t.Fatal(err)
					}
					c.until("a channel", func() bool { _, ok := c.event.(turn.ChannelBound); return ok })
				}
				want := bytes.Repeat(fmt.Append(nil, i, " "), 1+i*20)
				packet, err := c.core.AppendData(time.Now(), nil, at, want)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.conn.Write(packet); err != nil {
					t.Fatal(err)
				}
				b := make([]byte, 2000)
				peer.SetReadDeadline(time.Now().Add(10 * time.Second))
				n, from, err := peer.ReadFromUDPAddrPort(b)
				if err != nil || from != relayed || !bytes.Equal(b[:n], want) {
					t.Fatalf("the peer got %d bytes from %v, want %d from %v: %v", n, from, len(want), relayed, err)
				}
				c.data = nil
				if _, err := peer.WriteToUDPAddrPort(b[:n], from); err != nil {
					t.Fatal(err)
				}
				c.until("the echo", func() bool { return c.data != nil })
				if !bytes.Equal(c.data, want) {
					t.Fatalf("%d bytes came back, want %d", len(c.data), len(want))
				}
			}
		})
	}
	var text strings.Builder
	if err := s.WriteMetrics(&text); err != nil || !strings.Contains(text.String(), "plainrtc_turn_relayed_packets_total{to=\"peer\"} 80\n") {
		t.Errorf("the metrics are %v\n%s", err, &text)
	}
}

// An allocation over TCP ends with its connection, and its relay is closed.
func TestConnectionEndsAllocation(t *testing.T) {
	s := listenOn(t, nil)
	c := dial(t, s, turn.TCP)
	relayed := c.allocate()
	if n := s.Stats().Allocations; n != 1 {
		t.Fatalf("there are %d allocations", n)
	}
	c.conn.Close()
	eventually(t, "the allocation ends", func() bool { return s.Stats().Allocations == 0 })
	eventually(t, "its port is free", func() bool {
		socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(relayed))
		if err != nil {
			return false
		}
		socket.Close()
		return true
	})
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not happen that %s", what)
		}
	}
}

// Streams of nonsense are ended at once, and one address has only so many of them.
func TestConnectionsAreBounded(t *testing.T) {
	s := listenOn(t, func(c *Config) { c.MaxAddressConnections = 3 })
	_, streams := s.Addresses()
	open := func() net.Conn {
		conn, err := net.Dial("tcp", streams[0].String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		return conn
	}
	ended := func(conn net.Conn) bool {
		_, err := io.ReadAll(conn)
		return err == nil || strings.Contains(err.Error(), "reset")
	}
	conn := open()
	io.WriteString(conn, "\xff\xff\xff\xffGET / HTTP/1.1\r\n\r\n")
	if !ended(conn) {
		t.Error("a stream of nonsense goes on")
	}
	connections := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.connections)
	}
	eventually(t, "it is forgotten", func() bool { return connections() == 0 })
	for range 3 {
		open()
	}
	eventually(t, "three are there", func() bool { return connections() == 3 })
	if !ended(open()) {
		t.Error("a fourth connection of one address goes on")
	}
}

// Draining refuses new allocations and waits for the others.
func TestDrain(t *testing.T) {
	s := listenOn(t, nil)
	c := dial(t, s, turn.UDP)
	c.allocate()
	drained := s.Drain()
	late := dial(t, s, turn.UDP)
	late.core.Start(time.Now())
	late.until("a refusal", func() bool {
		switch late.event.(type) {
		case turn.Closed, turn.TryAlternate:
			return true
		}
		return false
	})
	select {
	case <-drained:
		t.Fatal("drained while there is an allocation")
	default:
	}
	c.core.Close(time.Now())
	c.until("the end", func() bool { _, ok := c.event.(turn.Closed); return ok })
	select {
	case <-drained:
	case <-time.After(10 * time.Second):
		t.Error("not drained though the last allocation has ended")
	}
}

// What can't be served is said before anything is opened.
func TestConfigIsChecked(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Relays = nil }, "no address to open relays on"},
		{func(c *Config) { c.Relays = append(c.Relays, loopback) }, "one address of each family"},
		{func(c *Config) { c.MinPort, c.MaxPort = 2, 1 }, "no port from 2 to 1"},
		{func(c *Config) { c.Certificate = nil }, "TLS needs a certificate"},
		{func(c *Config) { c.DTLS = c.UDP }, "no key that DTLS can sign with"},
		{func(c *Config) { c.UDP, c.TCP, c.TLS, c.DTLS = nil, nil, nil, nil }, "no address to listen on"},
	} {
		any := []netip.AddrPort{netip.AddrPortFrom(loopback, 0)}
		config := Config{Turn: turn.ServerConfig{Realm: "r", Users: map[string]string{"a": "b"}}, UDP: any, TLS: any, Certificate: &tls.Certificate{}, Relays: []netip.Addr{loopback}}
		c.change(&config)
		if s, err := Listen(config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
			if err == nil {
				s.Close()
			}
		}
	}
}
