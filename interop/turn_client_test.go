package interop

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	pionturn "github.com/pion/turn/v5"

	"github.com/plainrtc/plainrtc/dtls"
	turnserver "github.com/plainrtc/plainrtc/internal/relay"
	"github.com/plainrtc/plainrtc/turn"
)

// echoPeer is a peer that sends back what it gets.
func echoPeer(t *testing.T) netip.AddrPort {
	t.Helper()
	peer, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := peer.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			peer.WriteToUDPAddrPort(b[:n], from)
		}
	}()
	return peer.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Pion's client, against our server: over UDP and TCP, with a password and with one that is
// good for a time.
func TestTurnServesPionsClient(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	any := []netip.AddrPort{netip.AddrPortFrom(loopback, 0)}
	s, err := turnserver.Listen(turnserver.Config{
		Turn: turn.ServerConfig{
			Realm: "example.org", Users: map[string]string{"alice": "wonderland"}, Secrets: []string{"looking glass"},
			AllowedPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		},
		UDP: any, TCP: any, Relays: []netip.Addr{loopback},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	datagrams, streams := s.Addresses()
	echo := net.UDPAddrFromAddrPort(echoPeer(t))
	limited, password, err := pionturn.GenerateLongTermTURNRESTCredentials("looking glass", "bob", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, user, password string }{
		{"UDP", "alice", "wonderland"},
		{"UDP, time-limited", limited, password},
		{"TCP", "alice", "wonderland"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := datagrams[0].String()
			conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
			if c.name == "TCP" {
				server = streams[0].String()
				var stream net.Conn
				if stream, err = net.Dial("tcp", server); err == nil {
					conn = pionturn.NewSTUNConn(stream)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			client, err := pionturn.NewClient(&pionturn.ClientConfig{
				STUNServerAddr: server, TURNServerAddr: server, Conn: conn, Username: c.user, Password: c.password, Realm: "example.org",
			})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if err := client.Listen(); err != nil {
				t.Fatal(err)
			}
			relayed, err := client.Allocate()
			if err != nil {
				t.Fatal(err)
			}
			defer relayed.Close()
			relayed.SetDeadline(time.Now().Add(20 * time.Second))
			b := make([]byte, 1<<16)
			for i := range 100 { // the first in indications, and then on a channel
				want := bytes.Repeat([]byte{byte(i)}, 5+i*12) // over TCP Pion waits for more if there are fewer
				if _, err := relayed.WriteTo(want, echo); err != nil {
					t.Fatal(err)
				}
				n, from, err := relayed.ReadFrom(b)
				if err != nil || !bytes.Equal(b[:n], want) || from.String() != echo.String() {
					t.Fatalf("message %d came back as %d bytes from %v, want %d from %v: %v", i, n, from, len(want), echo, err)
				}
			}
		})
	}
}

// Our client, against coturn: over each transport, with a password and with one that is
// good for a time. This coturn knows MD5 alone.
func TestTurnClientWithCoturn(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	cert, key, _ := certificateFiles(t)
	echo := echoPeer(t)
	plain, secure := startCoturn(t, loopback, cert, key, coturnPassword...)
	limitedPlain, limitedSecure := startCoturn(t, loopback, cert, key, coturnSecret...)
	name := turn.TimeLimitedUsername(time.Now().Add(time.Hour), "bob")
	password := turn.TimeLimitedPassword("looking glass", name)
	for _, c := range []struct {
		protocol       turn.Protocol
		at, user, word string
	}{
		{turn.UDP, plain, "alice", "wonderland"},
		{turn.TCP, plain, "alice", "wonderland"},
		{turn.TLS, secure, "alice", "wonderland"},
		{turn.DTLS, secure, "alice", "wonderland"},
		{turn.UDP, limitedPlain, name, password},
		{turn.TCP, limitedPlain, name, password},
		{turn.TLS, limitedSecure, name, password},
		{turn.DTLS, limitedSecure, name, password},
	} {
		t.Run(fmt.Sprintf("%v, %s", c.protocol, map[bool]string{true: "time-limited", false: "password"}[c.user == name]), func(t *testing.T) {
			newTurnShell(t, c.protocol, c.at, c.user, c.word).relay(echo)
		})
	}
	s := newTurnShell(t, turn.UDP, plain, "alice", "looking glass")
	s.core.Start(time.Now())
	s.until("a refusal", func() bool { _, ok := s.event.(turn.Closed); return ok })
}

// Our client has its TCP connections relayed by coturn: one that it makes, and one that the peer
// makes (RFC 6062).
func TestTurnConnectsByCoturn(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificateFiles(t)
	plain, secure := startCoturn(t, netip.MustParseAddr("127.0.0.1"), cert, key, coturnPassword...)
	for protocol, at := range map[turn.Protocol]string{turn.TCP: plain, turn.TLS: secure} {
		t.Run(protocol.String(), func(t *testing.T) {
			s := newTurnShell(t, protocol, at, "alice", "wonderland")
			var err error
			if s.core, err = turn.NewClient(turn.ClientConfig{Username: "alice", Password: "wonderland", Stream: true, TCP: true, Rand: rand.Reader}); err != nil {
				t.Fatal(err)
			}
			// echo lets the peer send back what the client sends, and ends.
			echo := func(id turn.ConnectionID, peer net.Conn) {
				t.Helper()
				defer peer.Close()
				data := newTurnShell(t, protocol, at, "alice", "wonderland")
				var err error
				if data.core, err = s.core.BindConnection(time.Now(), id); err != nil {
					t.Fatal(err)
				}
				data.until("the connection", func() bool { _, ok := data.event.(turn.ConnectionBound); return ok })
				go func() {
					io.Copy(peer, peer)
				}()
				want := bytes.Repeat([]byte("there and back "), 20_000)
				end := time.Now().Add(20 * time.Second)
				data.conn.SetDeadline(end)
				peer.SetDeadline(end)
				go data.conn.Write(want)
				got := make([]byte, len(want))
				if _, err := io.ReadFull(io.MultiReader(bytes.NewReader(data.framer.Rest()), data.conn), got); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%d bytes do not come back as they were: %v", len(want), err)
				}
				data.conn.Close()
			}
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			peerAt := netip.MustParseAddrPort(l.Addr().String())
			s.core.Start(time.Now())
			var relayed netip.AddrPort
			s.until("an allocation", func() bool {
				a, ok := s.event.(turn.Allocated)
				relayed = a.Relayed
				return ok
			})
			if err := s.core.CreatePermission(time.Now(), peerAt.Addr()); err != nil {
				t.Fatal(err)
			}
			s.until("a permission", func() bool { _, ok := s.event.(turn.PermissionCreated); return ok })
			if err := s.core.Connect(time.Now(), peerAt); err != nil {
				t.Fatal(err)
			}
			var connected turn.Connected
			s.until("a connection", func() (ok bool) { connected, ok = s.event.(turn.Connected); return ok })
			peer, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			echo(connected.Connection, peer)
			if peer, err = net.Dial("tcp", relayed.String()); err != nil {
				t.Fatal(err)
			}
			var attempted turn.Attempted
			s.until("an attempt", func() (ok bool) { attempted, ok = s.event.(turn.Attempted); return ok })
			echo(attempted.Connection, peer)
			s.core.Close(time.Now())
			s.until("the end", func() bool { _, ok := s.event.(turn.Closed); return ok })
		})
	}
}

// The doctor finds coturn well, over each transport.
func TestDoctorWithCoturn(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificateFiles(t)
	plain, secure := startCoturn(t, netip.MustParseAddr("127.0.0.1"), cert, key, coturnPassword...)
	binary := filepath.Join(t.TempDir(), "plainrtc")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "github.com/plainrtc/plainrtc/cmd/plainrtc").CombinedOutput(); err != nil {
		t.Fatalf("building plainrtc: %v\n%s", err, out)
	}
	examine := func(password string) (found map[string]string, ok bool, all []byte) {
		t.Helper()
		all, _ = exec.Command(binary, "doctor", "--ice-server", "turn:"+plain, "--ice-server", "turns:"+secure, "--username", "alice", "--credential", password,
			"--ca", cert, "--timeout", "20s", "--json").Output()
		var r struct {
			OK      bool
			Servers []struct {
				Transports []struct {
					Transport, Problem string
					Relay              struct{ OK bool }
				}
			}
		}
		if err := json.Unmarshal(all, &r); err != nil {
			t.Fatalf("%v\n%s", err, all)
		}
		found = map[string]string{}
		for _, s := range r.Servers {
			for _, x := range s.Transports {
				found[x.Transport] = fmt.Sprint(x.Relay.OK, " ", x.Problem)
			}
		}
		return found, r.OK, all
	}
	for password, want := range map[string]string{"wonderland": "true ", "looking glass": "false 401"} {
		found, ok, all := examine(password)
		if ok != (password == "wonderland") || !maps.Equal(found, map[string]string{"udp": want, "tcp": want, "dtls": want, "tls": want}) {
			t.Errorf("with the password %q it finds %v\n%s", password, found, all)
		}
	}
}

// Our client, against Pion's server.
func TestTurnClientWithPion(t *testing.T) {
	datagrams, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	streams, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	relays := &pionturn.RelayAddressGeneratorStatic{RelayAddress: net.IPv4(127, 0, 0, 1), Address: "127.0.0.1"}
	key := pionturn.GenerateAuthKey("alice", "example.org", "wonderland")
	s, err := pionturn.NewServer(pionturn.ServerConfig{
		Realm: "example.org",
		AuthHandler: func(a *pionturn.RequestAttributes) (string, []byte, bool) {
			return a.Username, key, a.Username == "alice"
		},
		PacketConnConfigs: []pionturn.PacketConnConfig{{PacketConn: datagrams, RelayAddressGenerator: relays}},
		ListenerConfigs:   []pionturn.ListenerConfig{{Listener: streams, RelayAddressGenerator: relays}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	echo := echoPeer(t)
	for protocol, at := range map[turn.Protocol]string{turn.UDP: datagrams.LocalAddr().String(), turn.TCP: streams.Addr().String()} {
		t.Run(protocol.String(), func(t *testing.T) {
			newTurnShell(t, protocol, at, "alice", "wonderland").relay(echo)
		})
	}
}

// relay allocates, sends to the peer in indications and then on a channel, gets all of it
// back, and ends.
func (s *turnShell) relay(echo netip.AddrPort) {
	t := s.t
	t.Helper()
	s.core.Start(time.Now())
	s.until("an allocation", func() bool { _, ok := s.event.(turn.Allocated); return ok })
	if err := s.core.CreatePermission(time.Now(), echo.Addr()); err != nil {
		t.Fatal(err)
	}
	s.until("a permission", func() bool { _, ok := s.event.(turn.PermissionCreated); return ok })
	for i := range 60 {
		if i == 20 {
			if err := s.core.BindChannel(time.Now(), echo); err != nil {
				t.Fatal(err)
			}
			s.until("a channel", func() bool { _, ok := s.event.(turn.ChannelBound); return ok })
		}
		want := bytes.Repeat([]byte{byte(i)}, 5+i*19) // Pion waits for more over TCP if there are fewer
		packet, err := s.core.AppendData(time.Now(), nil, echo, want)
		if err != nil {
			t.Fatal(err)
		}
		s.data = nil
		s.write(packet)
		s.until("an echo", func() bool { return s.data != nil })
		if !bytes.Equal(s.data, want) {
			t.Fatalf("message %d came back as %d bytes, want %d", i, len(s.data), len(want))
		}
	}
	s.core.Close(time.Now())
	s.until("the end", func() bool { _, ok := s.event.(turn.Closed); return ok })
}

// A turnShell gives a turn.Client a connection and a clock.
type turnShell struct {
	t      *testing.T
	core   *turn.Client
	conn   net.Conn
	secure *dtls.Conn // with DTLS
	framer turn.Framer
	stream bool
	event  turn.ClientEvent
	data   []byte
}

func newTurnShell(t *testing.T, protocol turn.Protocol, at, user, password string) *turnShell {
	t.Helper()
	s := &turnShell{t: t, stream: protocol.Stream()}
	var err error
	if s.core, err = turn.NewClient(turn.ClientConfig{Username: user, Password: password, Stream: s.stream, Rand: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	switch protocol {
	case turn.TCP:
		s.conn, err = net.Dial("tcp", at)
	case turn.TLS:
		s.conn, err = tls.Dial("tcp", at, &tls.Config{InsecureSkipVerify: true})
	default:
		s.conn, err = net.Dial("udp", at)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.conn.Close() })
	if protocol == turn.DTLS {
		own, err := dtls.GenerateCertificate(rand.Reader, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if s.secure, err = dtls.NewClient(dtls.Config{
			Certificate: own, Rand: rand.Reader, NoClientCertificate: true, VerifyPeer: func([]byte) error { return nil },
		}); err != nil {
			t.Fatal(err)
		}
		s.secure.Connect(time.Now())
		s.until("a handshake", s.secure.Established)
	}
	return s
}

func (s *turnShell) write(b []byte) {
	s.t.Helper()
	if s.secure != nil {
		b = s.secure.Seal(nil, b)
	}
	if _, err := s.conn.Write(b); err != nil {
		s.t.Fatal(err)
	}
}

func (s *turnShell) flush() {
	s.t.Helper()
	now := time.Now()
	if s.secure != nil {
		s.secure.Advance(now)
		for b := s.secure.AppendPacket(now, nil); len(b) > 0; b = s.secure.AppendPacket(now, nil) {
			s.conn.Write(b)
		}
		if s.secure.Err() != nil {
			s.t.Fatal(s.secure.Err())
		}
	}
	s.core.Advance(now)
	for b := s.core.AppendPacket(now, nil); len(b) > 0; b = s.core.AppendPacket(now, nil) {
		s.write(b)
	}
}

// until runs the client until something has happened.
func (s *turnShell) until(what string, done func() bool) {
	s.t.Helper()
	s.event = nil
	end := time.Now().Add(20 * time.Second)
	buffer := make([]byte, 1<<16)
	for {
		for e, ok := s.core.NextEvent(); ok; e, ok = s.core.NextEvent() {
			if s.event = e; done() {
				return
			}
		}
		if done() {
			return
		}
		s.flush()
		now := time.Now()
		if now.After(end) {
			s.t.Fatalf("%s does not come; the last event was %+v", what, s.event)
		}
		s.conn.SetReadDeadline(now.Add(100 * time.Millisecond)) // and then the timers have a look
		space := buffer
		if s.stream {
			space = s.framer.Space()
		}
		n, err := s.conn.Read(space)
		switch {
		case os.IsTimeout(err):
		case err != nil:
			s.t.Fatalf("waiting for %s: %v", what, err)
		case s.stream:
			s.framer.Wrote(n)
			for m, ok := s.framer.Next(); ok; m, ok = s.framer.Next() {
				s.receive(m)
			}
		case s.secure != nil:
			s.secure.Receive(time.Now(), space[:n])
			for m, ok := s.secure.NextData(); ok; m, ok = s.secure.NextData() {
				s.receive(m)
			}
		default:
			s.receive(space[:n])
		}
	}
}

func (s *turnShell) receive(m []byte) {
	s.core.Receive(time.Now(), m)
	if d, ok := s.core.NextData(); ok {
		s.data = bytes.Clone(d.Payload)
	}
}
