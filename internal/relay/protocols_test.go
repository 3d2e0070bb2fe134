package relay

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/turn"
)

// Whoever asks too often over TCP is answered late, and not left without an answer: nobody
// asks twice over a stream. And it is logged, once.
func TestStreamsAreHeldBack(t *testing.T) {
	log := &countingLog{Handler: slog.DiscardHandler, seen: map[string]int{}}
	s := listenOn(t, func(c *Config) { c.Turn.UnknownRate, c.Log = 20, slog.New(log) })
	_, streams := s.Addresses()
	const each, many = 30, 4 // 80 at once and then 20 a second: two seconds
	answered := make(chan int, many)
	for range many {
		conn := connect(t, streams[0])
		go func() {
			go func() {
				for range each {
					io.WriteString(conn, bindingRequest)
				}
			}()
			var f turn.Framer
			n := 0
			for n < each {
				k, err := conn.Read(f.Space())
				if err != nil {
					break
				}
				f.Wrote(k)
				for m, ok := f.Next(); ok; m, ok = f.Next() {
					if bytes.HasPrefix(m, []byte("\x01\x01")) { // a Binding success response
						n++
					}
				}
			}
			answered <- n
		}()
	}
	for range many {
		if n := <-answered; n != each {
			t.Errorf("%d of %d requests of a connection are answered", n, each)
		}
	}
	if v := s.Stats(); v.Drops[turn.DropRateLimited] != 0 {
		t.Errorf("%d requests were dropped", v.Drops[turn.DropRateLimited])
	}
	datagrams, _ := s.Addresses()
	flood, err := net.Dial("udp", datagrams[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer flood.Close()
	eventually(t, "a flood of datagrams is noticed", func() bool {
		for range 100 {
			io.WriteString(flood, bindingRequest)
		}
		return s.Stats().Drops[turn.DropRateLimited] > 200
	})
	log.mu.Lock()
	defer log.mu.Unlock()
	if n := log.seen[turn.AbuseRate.String()]; n != 1 || len(log.seen) != 1 {
		t.Errorf("it was logged: %v", log.seen)
	}
}

// What is no client's at all, or too slow, is logged once of each kind.
func TestStrangeConnectionsAreLoggedOnce(t *testing.T) {
	for _, c := range []struct {
		says  string
		door  int
		early string // what the client says first
		quick func(*limits)
	}{
		{"a connection was ended: it is no client's", 0, "\xff is no message", func(*limits) {}},
		{"a connection was ended: it took too long for a message, or to ask for an allocation", 0, "", func(l *limits) { l.stranger = 20 * time.Millisecond }},
		{"a TLS handshake failed", 1, "\x16\x03\x01\x02", func(l *limits) { l.handshake = 20 * time.Millisecond }},
	} {
		log := &countingLog{Handler: slog.DiscardHandler, seen: map[string]int{}}
		s := listenOn(t, func(config *Config) {
			short(c.quick)(config)
			config.Log = slog.New(log)
		})
		_, streams := s.Addresses()
		for range 3 {
			conn := connect(t, streams[c.door])
			io.WriteString(conn, c.early)
			ended(t, conn, "though it is nobody's")
		}
		log.mu.Lock()
		if log.seen[c.says] != 1 || len(log.seen) != 1 {
			t.Errorf("it was logged: %v", log.seen)
		}
		log.mu.Unlock()
	}
}

// A client names what it wants to speak, over TLS: RFC 7443.
func TestProtocolNames(t *testing.T) {
	s := listenOn(t, nil)
	_, streams := s.Addresses()
	for _, c := range []struct {
		names []string
		want  string
	}{
		{nil, ""}, {[]string{"stun.turn"}, "stun.turn"}, {[]string{"h2", "stun.nat-discovery"}, "stun.nat-discovery"}, {[]string{"h2", "http/1.1"}, ""},
	} {
		conn, err := tls.Dial("tcp", streams[1].String(), &tls.Config{InsecureSkipVerify: true, NextProtos: c.names})
		if err != nil {
			t.Errorf("%v: %v", c.names, err)
			continue
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != c.want {
			t.Errorf("%v: %q is chosen, want %q", c.names, got, c.want)
		}
		conn.Close()
	}
}

// listenTwice listens on two loopback addresses with two ports each.
func listenTwice(t *testing.T) (s *Server, first, second netip.AddrPort) {
	t.Helper()
	for range 20 {
		l, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		first = l.LocalAddr().(*net.UDPAddr).AddrPort()
		l.Close()
		second = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), first.Port()+1)
		config := Config{
			Turn:   turn.ServerConfig{Realm: "example.org", Users: map[string]string{"alice": "wonderland"}},
			UDP:    []netip.AddrPort{first},
			Second: netip.AddrPortFrom(second.Addr(), 0), Relays: []netip.Addr{loopback},
		}
		if s, err = Listen(config); err == nil {
			t.Cleanup(func() { s.Close() })
			return s, first, second
		}
	}
	t.Fatal("no ports are free")
	return nil, first, second
}

// A server with two addresses answers from where it is asked to: RFC 5780.
func TestSecondAddress(t *testing.T) {
	_, first, second := listenTwice(t)
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	for flags, want := range map[byte]netip.AddrPort{
		0: first, 2: netip.AddrPortFrom(first.Addr(), second.Port()), 4: netip.AddrPortFrom(second.Addr(), first.Port()), 6: second,
	} {
		changeRequest := append([]byte("\x00\x01\x00\x08\x21\x12\xa4\x42abcdefghijkl\x00\x03\x00\x04\x00\x00\x00"), flags)
		conn.WriteToUDPAddrPort(changeRequest, first)
		b := make([]byte, 1500)
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatal(err)
		}
		otherAddress := append([]byte("\x80\x2c\x00\x08\x00\x01"), byte(second.Port()>>8), byte(second.Port()), 127, 0, 0, 2)
		if from != want || !bytes.Contains(b[:n], otherAddress) {
			t.Errorf("asked to change %d it answers from %v, want %v: %x", flags, from, want, b[:n])
		}
	}
}

// With several sockets for one address each client is served, whichever it meets.
func TestShards(t *testing.T) {
	s := listenOn(t, func(c *Config) { c.Shards, c.Turn.UnknownRate = 4, 1000 })
	if datagrams, _ := s.Addresses(); len(datagrams) != 2 || len(s.sockets) != 5 {
		t.Fatalf("%d sockets on %v", len(s.sockets), datagrams)
	}
	peer, at := newPeer(t)
	b := make([]byte, 100)
	for range 16 {
		c := dial(t, s, turn.UDP)
		c.allocate()
		c.bind(at)
		packet, err := c.core.AppendData(time.Now(), nil, at, []byte("there"))
		if err != nil {
			t.Fatal(err)
		}
		c.conn.Write(packet)
		n, from, err := peer.ReadFromUDPAddrPort(b)
		if err != nil || string(b[:n]) != "there" {
			t.Fatalf("the peer got %q: %v", b[:n], err)
		}
		c.data = nil
		peer.WriteToUDPAddrPort([]byte("and back"), from)
		c.until("the answer", func() bool { return c.data != nil })
		if string(c.data) != "and back" {
			t.Errorf("the client got %q", c.data)
		}
	}
}
