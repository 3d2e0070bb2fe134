package relay

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/turn"
)

// Ways to make a server busy, fat or deaf, that the shell has to answer.

// short are limits for tests: one that is to be met is short, the others are the usual.
func short(change func(*limits)) func(*Config) {
	return func(c *Config) {
		c.limits = usualLimits
		change(&c.limits)
	}
}

func connect(t *testing.T, at netip.AddrPort) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}

// ended waits for the server to end a connection.
func ended(t *testing.T, conn net.Conn, why string) {
	t.Helper()
	if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("a connection goes on %s: %v", why, err)
	}
}

func connections(s *Server) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.connections)
}

// bindingRequest is a message that needs no credentials.
const bindingRequest = "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"

// Slow clients are ended, whatever they are slow at: a TLS handshake, a message, an
// allocation. Requests that need none do not help.
func TestSlowClientsAreEnded(t *testing.T) {
	s := listenOn(t, short(func(l *limits) { l.handshake = 50 * time.Millisecond }))
	_, streams := s.Addresses()
	ended(t, connect(t, streams[1]), "though it begins no TLS handshake")
	half := connect(t, streams[1])
	io.WriteString(half, "\x16\x03\x01\x02")
	ended(t, half, "with half a TLS handshake")

	trickle := func(conn net.Conn) { // a byte now and then, which begins a request of 8 bytes more
		message := "\x00\x01\x00\x08\x21\x12\xa4\x42abcdefghijkl"
		for i := range len(message) {
			if _, err := io.WriteString(conn, message[i:i+1]); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	s = listenOn(t, short(func(l *limits) { l.message = 50 * time.Millisecond }))
	_, streams = s.Addresses()
	for i, conn := range []net.Conn{connect(t, streams[0]), tls.Client(connect(t, streams[1]), &tls.Config{InsecureSkipVerify: true})} {
		go trickle(conn)
		ended(t, conn, []string{"over TCP", "over TLS"}[i]+" though its message is not whole in time")
	}

	s = listenOn(t, short(func(l *limits) { l.stranger = 50 * time.Millisecond }))
	_, streams = s.Addresses()
	for i, conn := range []net.Conn{connect(t, streams[0]), tls.Client(connect(t, streams[1]), &tls.Config{InsecureSkipVerify: true})} {
		go func() {
			for {
				if _, err := io.WriteString(conn, bindingRequest); err != nil {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		ended(t, conn, []string{"over TCP", "over TLS"}[i]+" though it has no allocation")
	}
	eventually(t, "they are forgotten", func() bool { return connections(s) == 0 })
}

// allocateInTime has a client allocate on a server that ends strangers soon, and then be silent for
// longer than strangers may. On a busy machine soon is later: what is too short for the
// client is tried again with a longer limit.
func allocateInTime(t *testing.T, protocol turn.Protocol) (*Server, *client) {
	t.Helper()
	for limit := 20 * time.Millisecond; ; limit *= 4 {
		s := listenOn(t, short(func(l *limits) { l.stranger, l.look = limit, time.Millisecond }))
		c, err := tryDial(t, s, protocol)
		if err == nil {
			c.core.Start(time.Now())
			err = c.try(func() bool { _, ok := c.event.(turn.Allocated); return ok })
		}
		if err == nil {
			time.Sleep(2*limit + 50*time.Millisecond)
			return s, c
		}
		if limit > 5*time.Second {
			t.Fatalf("%v: in %v no client comes to an allocation: %v", protocol, limit, err)
		}
	}
}

// A client that has an allocation may be silent; one whose allocation has ended is a
// stranger.
func TestSilentClientIsKeptWithItsAllocation(t *testing.T) {
	for _, protocol := range []turn.Protocol{turn.TCP, turn.TLS} {
		s, c := allocateInTime(t, protocol)
		if n := connections(s); n != 1 {
			t.Fatalf("%v: there are %d connections", protocol, n)
		}
		c.core.Close(time.Now())
		c.flush()
		ended(t, c.conn, "though its allocation has ended")
		eventually(t, "it is forgotten", func() bool { return connections(s) == 0 })
	}
}

// What a stranger announces is not waited for, and what one with an allocation sends may
// be as large as UDP has it.
func TestOversizedMessages(t *testing.T) {
	s := listenOn(t, nil)
	_, streams := s.Addresses()
	for _, message := range []string{"\x00\x01\x10\x00\x21\x12\xa4\x42abcdefghijkl", "\x40\x00\xff\xff...."} {
		conn := connect(t, streams[0])
		io.WriteString(conn, message)
		ended(t, conn, "though it announces a large message, and has no allocation")
	}
	peer, at := newPeer(t)
	c := dial(t, s, turn.TCP)
	c.allocate()
	c.bind(at)
	want := bytes.Repeat([]byte("large "), 10000)
	packet, err := c.core.AppendData(time.Now(), nil, at, want)
	if err != nil {
		t.Fatal(err)
	}
	c.conn.Write(packet)
	got := make([]byte, 1<<16)
	if n, err := peer.Read(got); err != nil || !bytes.Equal(got[:n], want) {
		t.Errorf("the peer got %d bytes, want %d: %v", n, len(want), err)
	}
}

// Without credentials nothing is opened, kept or relayed, however often one asks.
func TestStrangersGetNothing(t *testing.T) {
	s := listenOn(t, nil)
	datagrams, _ := s.Addresses()
	conn, err := net.Dial("udp", datagrams[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	allocate := "\x00\x03\x00\x08\x21\x12\xa4\x42abcdefghijkl\x00\x19\x00\x04\x11\x00\x00\x00"
	for range 500 {
		io.WriteString(conn, allocate)
		io.WriteString(conn, "\x40\x00\x00\x04data")
	}
	eventually(t, "all are seen", func() bool {
		v := s.Stats()
		return v.Drops[turn.DropNoAllocation] == 500 && v.Unauthenticated+v.Drops[turn.DropRateLimited] == 500
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.core.Stats()
	if v.Allocations != 0 || len(s.relays) != 0 || v.ToPeers.Packets != 0 {
		t.Errorf("there are %d allocations, %d relays, %d relayed", v.Allocations, len(s.relays), v.ToPeers.Packets)
	}
	if v.Unauthenticated > 100 {
		t.Errorf("%d of 500 requests were answered, want few", v.Unauthenticated)
	}
}

// A log counts what is logged.
type countingLog struct {
	slog.Handler
	mu   sync.Mutex
	seen map[string]int
}

func (c *countingLog) Enabled(context.Context, slog.Level) bool { return true }

func (c *countingLog) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[r.Message]++
	return nil
}

// A flood of connections is refused beyond its bounds, which are the subscriber's and
// everybody's, and logged once.
func TestConnectionFloodIsBoundedAndLoggedOnce(t *testing.T) {
	log := &countingLog{Handler: slog.DiscardHandler, seen: map[string]int{}}
	s := listenOn(t, func(c *Config) { c.MaxConnections, c.MaxAddressConnections, c.Log = 5, 100, slog.New(log) })
	_, streams := s.Addresses()
	for range 5 {
		connect(t, streams[0])
	}
	eventually(t, "five are there", func() bool { return connections(s) == 5 })
	for range 40 {
		ended(t, connect(t, streams[0]), "though there are too many")
	}
	if n := connections(s); n != 5 {
		t.Errorf("there are %d connections", n)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	if n := log.seen["connections are refused: there are too many"]; n != 1 || len(log.seen) != 1 {
		t.Errorf("it was logged: %v", log.seen)
	}
}

// A subscriber has one IPv4 address, and any number of IPv6 ones.
func TestSubscriber(t *testing.T) {
	for a, want := range map[string]string{"192.0.2.7": "192.0.2.7", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::"} {
		if got := subscriber(netip.MustParseAddr(a)); got.String() != want {
			t.Errorf("%s is of %v, want %s", a, got, want)
		}
	}
}

// A client that does not read loses what is sent to it, and holds up nobody.
func TestClientThatDoesNotRead(t *testing.T) {
	s := listenOn(t, short(func(l *limits) { l.write = 100 * time.Millisecond }))
	peer, at := newPeer(t)
	c := dial(t, s, turn.TCP)
	c.conn.(*net.TCPConn).SetReadBuffer(4096)
	relayed := c.allocate()
	c.bind(at)
	s.mu.Lock()
	var conn *connection
	for conn = range s.connections {
	}
	s.mu.Unlock()
	payload := make([]byte, 8192)
	most := 0
	eventually(t, "the server gives it up", func() bool {
		for range 16 {
			peer.WriteToUDPAddrPort(payload, relayed)
		}
		conn.mu.Lock()
		most = max(most, len(conn.waiting))
		conn.mu.Unlock()
		return connections(s) == 0
	})
	if most > maxQueue {
		t.Errorf("%d bytes waited, want at most %d", most, maxQueue)
	}
	eventually(t, "nothing waits any more", func() bool { return s.queued.Load() == 0 })
	other := dial(t, s, turn.TCP)
	other.allocate()
}

// A new connection from the same port is another client's, and survives the end of the old one.
func TestConnectionFromTheSamePort(t *testing.T) {
	s := listenOn(t, nil)
	c := dial(t, s, turn.TCP)
	c.allocate()
	s.mu.Lock()
	var from turn.FiveTuple
	for from = range s.clients {
	}
	s.mu.Unlock()
	a, z := net.Pipe()
	defer z.Close()
	second := &connection{server: s, conn: a, from: from, more: make(chan struct{}, 1)}
	if !s.admit(second) {
		t.Fatal("it is refused")
	}
	if n := s.Stats().Allocations; n != 0 {
		t.Error("the new connection has the old one's allocation")
	}
	c.conn.Close()
	eventually(t, "the old one is forgotten", func() bool { return connections(s) == 1 })
	s.mu.Lock()
	kept := s.clients[from]
	s.mu.Unlock()
	if kept != second {
		t.Error("the new connection is forgotten with the old one")
	}
	second.end()
	if n := connections(s); n != 0 {
		t.Errorf("there are %d connections", n)
	}
}

// On the unspecified addresses, which is what a server listens on by default, IPv4 and
// IPv6 have a listener each for one port.
func TestListensOnEverything(t *testing.T) {
	l, err := net.Listen("tcp", "[::]:0") // of both
	if err != nil {
		t.Fatal(err)
	}
	port := addrPort(l.Addr()).Port()
	l.Close()
	s := listenOn(t, func(c *Config) {
		c.UDP, c.TLS, c.DTLS = nil, nil, nil
		c.TCP = []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port), netip.AddrPortFrom(netip.IPv6Unspecified(), port)}
	})
	if _, streams := s.Addresses(); len(streams) != 2 || streams[0].Addr().Is6() || streams[1].Addr().Is4() {
		t.Errorf("it listens on %v", streams)
	}
}

func newPeer(t *testing.T) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	peer, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	peer.SetReadDeadline(time.Now().Add(10 * time.Second))
	return peer, peer.LocalAddr().(*net.UDPAddr).AddrPort()
}

func (c *client) bind(at netip.AddrPort) {
	c.t.Helper()
	if err := c.core.BindChannel(time.Now(), at); err != nil {
		c.t.Fatal(err)
	}
	c.until("a channel", func() bool { _, ok := c.event.(turn.ChannelBound); return ok })
}

// What is relayed is not allocated for, from the reader's call to the system's, in both
// directions, and leaves in runs.
func TestRelayPathDoesNotAllocate(t *testing.T) {
	s := listenOn(t, nil)
	_, at := newPeer(t)
	c := dial(t, s, turn.UDP)
	c.allocate()
	c.bind(at)
	packet, err := c.core.AppendData(time.Now(), nil, at, make([]byte, 1200))
	if err != nil {
		t.Fatal(err)
	}
	var id turn.RelayID
	s.mu.Lock()
	for id = range s.relays {
	}
	s.mu.Unlock()
	fromClient, fromPeer := make([]udp.Packet, 32), make([]udp.Packet, 32)
	for i := range fromClient {
		fromClient[i] = udp.Packet{Data: packet, From: addrPortOf(c.conn.LocalAddr())}
		fromPeer[i] = udp.Packet{Data: make([]byte, 1200), From: at}
	}
	before := s.Stats()
	for name, f := range map[string]func(){
		"to a peer":   func() { s.fromClients(s.sockets[0], fromClient) },
		"to a client": func() { s.fromPeers(id, fromPeer) },
	} {
		if n := testing.AllocsPerRun(50, f); n != 0 {
			t.Errorf("what is relayed %s allocates %v times", name, n)
		}
	}
	after := s.Stats()
	if to, from := after.ToPeers.Packets-before.ToPeers.Packets, after.ToClients.Packets-before.ToClients.Packets; to != 51*32 || from != 51*32 {
		t.Errorf("%d were relayed to the peer and %d to the client, want %d", to, from, 51*32)
	}

	b := s.enter()
	for _, p := range fromClient {
		s.fromClient(b, turn.FiveTuple{Client: p.From, Server: s.sockets[0].Local()}, p.Data)
	}
	if len(b.runs) != 1 || b.runs[0].segment != 1200 || b.runs[0].end != 32*1200 {
		t.Errorf("they leave in %d runs", len(b.runs))
	}
	s.leave(b)
}

func addrPortOf(a net.Addr) netip.AddrPort { return a.(*net.UDPAddr).AddrPort() }

// A run has one place to go to and one size, but for its end.
func TestRuns(t *testing.T) {
	here, there := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	b := new(batch)
	for _, d := range []struct {
		to   netip.AddrPort
		size int
	}{{here, 100}, {here, 100}, {here, 50}, {here, 50}, {there, 50}, {there, 60}, {here, 0}, {here, 0}} {
		b.add(nil, d.to, make([]byte, d.size))
	}
	var got []int
	for _, r := range b.runs {
		got = append(got, r.end-r.start, r.segment)
	}
	want := []int{250, 100, 50, 50, 50, 50, 60, 60, 0, 0, 0, 0}
	if !slices.Equal(got, want) {
		t.Errorf("the runs are %v, want %v", got, want)
	}
	big := make([]byte, 1<<15)
	b = new(batch)
	for range 3 {
		b.add(nil, here, big)
	}
	if len(b.runs) != 3 {
		t.Errorf("%d runs of what is larger than one system call takes, want 3", len(b.runs))
	}
}

// What several clients send in turn is put together by where it goes, in its order.
func TestRunsAreJoined(t *testing.T) {
	here, there := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	a, c := new(udp.Socket), new(udp.Socket)
	b := new(batch)
	type sent struct {
		by      *udp.Socket
		to      netip.AddrPort
		packets string
		segment int
	}
	for _, d := range []struct {
		by   *udp.Socket
		to   netip.AddrPort
		text string
	}{
		{a, here, "one"}, {c, here, "uno"}, {a, here, "two"}, {a, there, "eins"}, {a, here, "six"}, {c, here, "due"}, {a, here, "4"}, {a, here, "five"},
		{c, here, ""}, {c, here, "tre"}, {a, there, "vier"}, {a, there, "fünf"},
	} {
		b.add(d.by, d.to, []byte(d.text))
	}
	var got []sent
	for i := range b.runs {
		if r := &b.runs[i]; r.by != nil {
			got = append(got, sent{r.by, r.to, string(b.join(i)), r.segment})
		}
	}
	want := []sent{{a, here, "onetwosix4", 3}, {c, here, "unodue", 3}, {a, there, "einsvier", 4}, {a, here, "five", 4}, {c, here, "", 0}, {c, here, "tre", 3}, {a, there, "fünf", 5}}
	if !slices.Equal(got, want) {
		t.Errorf("sent is\n%v, want\n%v", got, want)
	}
}
