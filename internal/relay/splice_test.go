package relay

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/turn"
)

// dialTCP is dial for a client that has its connections relayed (RFC 6062).
func dialTCP(t *testing.T, s *Server, protocol turn.Protocol) *client {
	t.Helper()
	c := dial(t, s, protocol)
	var err error
	if c.core, err = turn.NewClient(turn.ClientConfig{Username: "alice", Password: "wonderland", Stream: true, TCP: true, Rand: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	return c
}

// bound is the client's connection for one with a peer, and what was read of it already.
func bound(t *testing.T, s *Server, control *client, protocol turn.Protocol, id turn.ConnectionID) (net.Conn, io.Reader) {
	t.Helper()
	c := dial(t, s, protocol)
	var err error
	if c.core, err = control.core.BindConnection(time.Now(), id); err != nil {
		t.Fatal(err)
	}
	c.until("the connection", func() bool { _, ok := c.event.(turn.ConnectionBound); return ok })
	c.conn.SetDeadline(time.Now().Add(20 * time.Second))
	return c.conn, io.MultiReader(bytes.NewReader(bytes.Clone(c.framer.Rest())), c.conn)
}

func tcpPeer(t *testing.T) (*net.TCPListener, netip.AddrPort) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	l.SetDeadline(time.Now().Add(20 * time.Second))
	return l, addrPort(l.Addr())
}

// exchange sends a megabyte each way at once, and ends one direction after the other.
func exchange(t *testing.T, client net.Conn, fromClient io.Reader, peer net.Conn) {
	t.Helper()
	up, down := make([]byte, 1<<20), make([]byte, 1<<20)
	rand.Read(up)
	rand.Read(down)
	half := func(c net.Conn) { c.(interface{ CloseWrite() error }).CloseWrite() }
	got := make(chan [32]byte, 2)
	sum := func(r io.Reader) {
		h := sha256.New()
		io.Copy(h, r)
		got <- [32]byte(h.Sum(nil))
	}
	go func() { client.Write(up); half(client) }()
	go func() { peer.Write(down); half(peer) }()
	go sum(fromClient)
	go sum(peer)
	want := map[[32]byte]string{sha256.Sum256(up): "to the peer", sha256.Sum256(down): "to the client"}
	for range 2 {
		delete(want, <-got)
	}
	for _, direction := range want {
		t.Errorf("what was sent %s is not what arrived", direction)
	}
}

// A client connects with a peer, and a peer with the client, over TCP and over TLS.
func TestTCPAllocation(t *testing.T) {
	s := listenOn(t, func(c *Config) { c.Turn.TCPRelays = true })
	for _, protocol := range []turn.Protocol{turn.TCP, turn.TLS} {
		t.Run(protocol.String(), func(t *testing.T) {
			l, at := tcpPeer(t)
			c := dialTCP(t, s, protocol)
			relayed := c.allocate()

			if err := c.core.Connect(time.Now(), at); err != nil {
				t.Fatal(err)
			}
			var connected turn.Connected
			c.until("a connection with the peer", func() (ok bool) { connected, ok = c.event.(turn.Connected); return ok })
			peer, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			if from := addrPort(peer.RemoteAddr()); from != relayed {
				t.Errorf("the peer is connected from %v, want %v", from, relayed)
			}
			io.WriteString(peer, "first words") // wait for the client
			data, reader := bound(t, s, c, protocol, connected.Connection)
			first := make([]byte, 11)
			if _, err := io.ReadFull(reader, first); err != nil || string(first) != "first words" {
				t.Fatalf("the first words are %q: %v", first, err)
			}
			exchange(t, data, reader, peer)

			// And the other way.
			if early, err := net.Dial("tcp", relayed.String()); err == nil {
				early.SetDeadline(time.Now().Add(20 * time.Second))
				ended(t, early, "though it has no permission")
				early.Close()
			}
			if err := c.core.CreatePermission(time.Now(), loopback); err != nil {
				t.Fatal(err)
			}
			c.until("a permission", func() bool { _, ok := c.event.(turn.PermissionCreated); return ok })
			peer, err = net.Dial("tcp", relayed.String())
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			peer.SetDeadline(time.Now().Add(20 * time.Second))
			var attempted turn.Attempted
			c.until("an attempt", func() (ok bool) { attempted, ok = c.event.(turn.Attempted); return ok })
			if attempted.Peer != addrPort(peer.LocalAddr()) {
				t.Errorf("attempted by %v, want %v", attempted.Peer, peer.LocalAddr())
			}
			data, reader = bound(t, s, c, protocol, attempted.Connection)
			exchange(t, data, reader, peer)
			eventually(t, "both are forgotten", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return len(s.peers) == 0 && len(s.connections) == 1
			})
		})
	}
	v := s.Stats()
	if v.PeerConnectionsTotal != 4 || v.StreamBytesToPeers != 4<<20 || v.StreamBytesToClients != 4<<20+22 {
		t.Errorf("counted is %+v", v)
	}
}

// Where nobody listens there is no connection, and with the control connection all end.
func TestTCPAllocationEnds(t *testing.T) {
	s := listenOn(t, func(c *Config) { c.Turn.TCPRelays = true })
	l, at := tcpPeer(t)
	closed, nobody := tcpPeer(t)
	closed.Close()
	c := dialTCP(t, s, turn.TCP)
	relayed := c.allocate()
	c.core.Connect(time.Now(), nobody)
	c.until("a refusal", func() bool {
		failed, ok := c.event.(turn.ConnectFailed)
		return ok && failed.Peer == nobody
	})
	c.core.Connect(time.Now(), at)
	var connected turn.Connected
	c.until("a connection with the peer", func() (ok bool) { connected, ok = c.event.(turn.Connected); return ok })
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	peer.SetDeadline(time.Now().Add(20 * time.Second))
	data, _ := bound(t, s, c, turn.TCP, connected.Connection)
	c.conn.Close()
	ended(t, peer, "though the allocation has ended")
	ended(t, data, "though the allocation has ended")
	eventually(t, "nothing is left", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.peers)+len(s.connections)+len(s.relays) == 0
	})
	eventually(t, "the relay is closed", func() bool {
		conn, err := net.Dial("tcp", relayed.String())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

// Who asks for connections where they are not relayed is told so.
func TestTCPAllocationIsRefused(t *testing.T) {
	s := listenOn(t, nil)
	c := dialTCP(t, s, turn.TCP)
	c.core.Start(time.Now())
	c.until("a refusal", func() bool { _, ok := c.event.(turn.Closed); return ok })
	if e, ok := c.core.Err().(*turn.PeerError); !ok || e.Code != 442 {
		t.Errorf("refused by %v", c.core.Err())
	}
}

// A server that ends leaves no connection behind.
func TestCloseEndsConnections(t *testing.T) {
	s := listenOn(t, func(c *Config) { c.Turn.TCPRelays = true })
	l, at := tcpPeer(t)
	c := dialTCP(t, s, turn.TLS)
	c.allocate()
	c.core.Connect(time.Now(), at)
	var connected turn.Connected
	c.until("a connection with the peer", func() (ok bool) { connected, ok = c.event.(turn.Connected); return ok })
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	peer.SetDeadline(time.Now().Add(20 * time.Second))
	data, _ := bound(t, s, c, turn.TLS, connected.Connection)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ended(t, peer, "though the server has ended")
	if _, err := io.Copy(io.Discard, data.(*tls.Conn).NetConn()); err != nil {
		t.Logf("the client's connection ends by %v", err)
	}
}
