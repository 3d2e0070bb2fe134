package turn

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// A tcpWire is a client with a TCP allocation.
func tcpWire(t *testing.T, config ServerConfig) *wire {
	t.Helper()
	config.TCPRelays, config.UnknownRate = true, 1000
	return allocated(t, config, ClientConfig{Stream: true, TCP: true})
}

// asked are the events of the server's that a test answers itself.
func asked[E ServerEvent](h *host) (found []E) {
	for _, e := range h.asked {
		if e, ok := e.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

// connectTo asks for a connection and lets the shell report it.
func (w *wire) connectTo(peer netip.AddrPort) ConnectionID {
	w.t.Helper()
	before := len(asked[ConnectPeer](w.host))
	must(w.t, w.Connect(w.now, peer))
	w.talk()
	all := asked[ConnectPeer](w.host)
	if len(all) != before+1 {
		w.t.Fatalf("the server was asked to connect %d times", len(all)-before)
	}
	w.host.PeerConnected(w.now, all[before].Connection)
	w.talk()
	c, ok := has[Connected](w)
	if !ok || c.Peer != peer || c.Connection != all[before].Connection {
		w.t.Fatalf("the client was told %+v", w.events)
	}
	return c.Connection
}

// comeFor is another connection of the same client's to the server, which comes for one with a peer.
func (w *wire) comeFor(id ConnectionID, port uint16) *wire {
	w.t.Helper()
	d := newWire(w.t, w.host, ClientConfig{Stream: true, TCP: true})
	var err error
	d.Client, err = w.BindConnection(w.now, id)
	must(w.t, err)
	d.tuple.Client, d.now = netip.AddrPortFrom(clientAddr.Addr(), port), w.now
	d.talk()
	return d
}

// A client connects with a peer, and comes for the connection. RFC 6062, Section 3.
func TestConnect(t *testing.T) {
	w := tcpWire(t, ServerConfig{})
	if len(w.host.opened) != 1 || !w.host.opened[0].TCP {
		t.Fatalf("the relays are %+v", w.host.opened)
	}
	id := w.connectTo(peerAddr)
	d := w.comeFor(id, 1)
	if _, ok := has[ConnectionBound](d); !ok {
		t.Fatalf("the data connection was told %+v", d.events)
	}
	if s := asked[Splice](w.host); len(s) != 1 || s[0].Connection != id || s[0].Client != d.tuple {
		t.Errorf("spliced is %+v", s)
	}
	if v := w.host.Stats(); v.PeerConnectionsTotal != 1 || v.Requests[RequestConnect] != 1 || v.Requests[RequestConnectionBind] != 1 {
		t.Errorf("counted is %+v", v)
	}
	w.host.PeerClosed(w.now, id)
	w.talk()
	if w.connectTo(peerAddr) == id {
		t.Error("two connections have one name")
	}
}

// A peer connects to the relayed address, if it has a permission. Section 5.3.
func TestConnectionAttempt(t *testing.T) {
	w := tcpWire(t, ServerConfig{})
	relay := w.host.relayAt(w.relayed[0])
	if _, ok := w.host.PeerAccepted(w.now, relay, peerAddr); ok || w.host.Stats().Drops[DropNoPermission] != 1 {
		t.Error("a peer without a permission is let in")
	}
	w.permit(peerAddr)
	id, ok := w.host.PeerAccepted(w.now, relay, peerAddr)
	w.talk()
	attempt, told := has[Attempted](w)
	if !ok || !told || attempt.Peer != peerAddr || attempt.Connection != id {
		t.Fatalf("accepted %v %v, and the client was told %+v", id, ok, w.events)
	}
	w.pass(permissionLifetime + time.Second) // its traffic is not seen, but the attempt was
	if _, ok := w.host.PeerAccepted(w.now, relay, netip.AddrPortFrom(peerAddr.Addr(), 7)); !ok {
		t.Error("a permission that was used is not renewed")
	}
	w.pass(2 * permissionLifetime)
	if _, ok := w.host.PeerAccepted(w.now, relay, peerAddr); ok {
		t.Error("a peer is let in whose permission has expired")
	}
}

// Nothing waits for ever: 30 seconds for the peer, 30 for the client. Sections 5.2 and 5.3.
func TestConnectionTimeouts(t *testing.T) {
	w := tcpWire(t, ServerConfig{})
	must(t, w.Connect(w.now, peerAddr))
	w.talk()
	w.pass(connectTimeout - time.Second)
	if _, ok := has[ConnectFailed](w); ok {
		t.Fatal("the server gives up early")
	}
	w.pass(time.Second)
	failed, ok := has[ConnectFailed](w)
	if e, is := failed.Err.(*PeerError); !ok || !is || e.Code != stun.CodeConnectionTimeout {
		t.Fatalf("the client was told %+v", w.events)
	}
	if len(asked[ClosePeer](w.host)) != 1 {
		t.Error("the connection is not given up")
	}
	id := w.connectTo(peerAddr)
	w.pass(bindTimeout)
	if all := asked[ClosePeer](w.host); len(all) != 2 || all[1].Connection != id {
		t.Errorf("nobody came for a connection, and closed are %v", all)
	}
	d := w.comeFor(id, 1)
	closed, _ := has[Closed](d)
	if e, is := closed.Err.(*PeerError); !is || e.Code != stun.CodeBadRequest {
		t.Errorf("who came too late was told %+v", d.events)
	}
	// A connection that is bound stays.
	id = w.connectTo(peerAddr)
	d = w.comeFor(id, 2)
	w.pass(5 * time.Minute)
	if len(asked[ClosePeer](w.host)) != 2 {
		t.Error("a bound connection is closed")
	}
	// With the allocation it ends.
	w.Close(w.now)
	w.talk()
	if all := asked[ClosePeer](w.host); len(all) != 3 || all[2].Connection != id {
		t.Errorf("the allocation ended, and closed are %v", all)
	}
	if n := len(w.host.connections); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// The refusals of RFC 6062, Sections 5.1, 5.2 and 5.4.
func TestConnectionRefusals(t *testing.T) {
	tcp := attr(stun.AttrRequestedTransport, "\x06\x00\x00\x00")
	fresh := func(config ServerConfig, protocol Protocol) *asker {
		config.TCPRelays, config.UnknownRate = !config.TCPRelays, 1000
		a := newAsker(t, newHost(t, config), "alice", "wonderland")
		a.from.Protocol = protocol
		return a
	}
	for _, c := range []struct {
		name  string
		asker *asker
		write func(*stun.Builder)
		want  stun.ErrorCode
	}{
		{"over UDP", fresh(ServerConfig{}, UDP), tcp, stun.CodeBadRequest},
		{"over DTLS", fresh(ServerConfig{}, DTLS), tcp, stun.CodeBadRequest},
		{"where it is not served", fresh(ServerConfig{TCPRelays: true}, TCP), tcp, stun.CodeUnsupportedTransport},
		{"with an even port", fresh(ServerConfig{}, TCP), with(tcp, attr(stun.AttrEvenPort, "\x00")), stun.CodeBadRequest},
		{"with a token", fresh(ServerConfig{}, TCP), with(tcp, attr(stun.AttrReservationToken, "12345678")), stun.CodeBadRequest},
		{"not fragmented", fresh(ServerConfig{DontFragment: true}, TCP), with(tcp, attr(stun.AttrDontFragment, "")), stun.CodeBadRequest},
		{"over TLS", fresh(ServerConfig{}, TLS), tcp, 0},
	} {
		if code := c.asker.ask(stun.Allocate, c.write); code != c.want {
			t.Errorf("Allocate %s: %v, want %v", c.name, code, c.want)
		}
	}

	a := fresh(ServerConfig{OwnAddresses: []netip.Addr{netip.MustParseAddr("203.0.113.77")}}, TCP)
	if code := a.ask(stun.Connect, peer("203.0.113.9:80")); code != stun.CodeAllocationMismatch {
		t.Errorf("without an allocation: %v", code)
	}
	a.ask(stun.Allocate, tcp)
	for _, c := range []struct {
		name   string
		method stun.Method
		write  func(*stun.Builder)
		want   stun.ErrorCode
	}{
		{"without a peer", stun.Connect, nil, stun.CodeBadRequest},
		{"without a port", stun.Connect, peer("203.0.113.9:0"), stun.CodeBadRequest},
		{"to cloud metadata", stun.Connect, peer("169.254.169.254:80"), stun.CodeForbidden},
		{"to the loopback address", stun.Connect, peer("127.0.0.1:22"), stun.CodeForbidden},
		{"to the server's own address", stun.Connect, peer("203.0.113.77:22"), stun.CodeForbidden},
		{"to a relay's host", stun.Connect, peer("198.51.100.1:22"), stun.CodeForbidden},
		{"to itself", stun.Connect, func(b *stun.Builder) {
			b.AddXORAddress(stun.AttrXORPeerAddress, netip.AddrPortFrom(relayHost, a.host.port))
		}, stun.CodeForbidden},
		{"of another family", stun.Connect, peer("[2001:db8::9]:80"), stun.CodePeerAddressFamilyMismatch},
		{"to a peer", stun.Connect, peer("203.0.113.9:80"), -1}, // the answer waits for the peer
		{"to the same again", stun.Connect, peer("203.0.113.9:80"), stun.CodeConnectionAlreadyExists},
		{"to another port", stun.Connect, peer("203.0.113.9:81"), -1},
		{"on the control connection", stun.ConnectionBind, attr(stun.AttrConnectionID, "\x00\x00\x00\x01"), stun.CodeBadRequest},
		{"with a channel", stun.ChannelBind, with(peer("203.0.113.9:80"), attr(stun.AttrChannelNumber, "\x40\x00\x00\x00")), stun.CodeForbidden},
	} {
		if code := a.ask(c.method, c.write); code != c.want {
			t.Errorf("%v %s: %v, want %v", c.method, c.name, code, c.want)
		}
	}
	id := asked[ConnectPeer](a.host)[0].Connection
	name := string([]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
	bind := func(user, password string, protocol Protocol, value string) stun.ErrorCode {
		d := newAsker(t, a.host, user, password)
		d.from = FiveTuple{Client: netip.MustParseAddrPort("192.0.2.2:7"), Server: serverAddr, Protocol: protocol}
		return d.ask(stun.ConnectionBind, attr(stun.AttrConnectionID, value))
	}
	if code := bind("alice", "wonderland", TCP, name); code != stun.CodeBadRequest {
		t.Errorf("a connection is bound that is not there yet: %v", code)
	}
	a.host.PeerConnected(a.now, id)
	a.host.AppendPacket(a.now, nil)
	for _, c := range []struct {
		user, password, value string
		protocol              Protocol
		want                  stun.ErrorCode
	}{
		{"alice", "wonderland", "\x00\x00\x00\x09", TCP, stun.CodeBadRequest},
		{"alice", "wonderland", name, UDP, stun.CodeBadRequest},
		{"bob", "builder", name, TCP, stun.CodeWrongCredentials},
		{"alice", "guess", name, TCP, stun.CodeUnauthenticated},
		{"alice", "wonderland", name, TLS, 0},
		{"alice", "wonderland", name, TLS, stun.CodeBadRequest}, // it is taken
	} {
		if code := bind(c.user, c.password, c.protocol, c.value); code != c.want {
			t.Errorf("ConnectionBind of %x by %s, %s over %v: %v, want %v", c.value, c.user, c.password, c.protocol, code, c.want)
		}
	}
}

// Clients that use the nonce of their control connection for the others are served.
func TestConnectionBindWithTheControlsNonce(t *testing.T) {
	h := newHost(t, ServerConfig{TCPRelays: true})
	control := newAsker(t, h, "alice", "wonderland")
	control.from.Protocol = TCP
	control.ask(stun.Allocate, attr(stun.AttrRequestedTransport, "\x06\x00\x00\x00"))
	control.ask(stun.Connect, peer("203.0.113.9:80"))
	id := asked[ConnectPeer](h)[0].Connection
	h.PeerConnected(start, id)
	h.AppendPacket(start, nil)
	data := newAsker(t, h, "alice", "wonderland")
	data.from = FiveTuple{netip.MustParseAddrPort("192.0.2.1:7"), serverAddr, TCP}
	name := attr(stun.AttrConnectionID, string([]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}))
	data.nonce = control.nonce
	if code := data.ask(stun.ConnectionBind, attr(stun.AttrConnectionID, "\x00\x00\x00\x09")); code != stun.CodeStaleNonce {
		t.Errorf("the nonce is good for another connection: %v", code)
	}
	data.nonce = control.nonce
	if code := data.ask(stun.ConnectionBind, name); code != 0 {
		t.Errorf("the nonce is not good for the allocation's connection: %v", code)
	}
}

// Connections are bounded, of an allocation and of all.
func TestConnectionsAreBounded(t *testing.T) {
	w := tcpWire(t, ServerConfig{})
	w.permit(peerAddr)
	relay := w.host.relayAt(w.relayed[0])
	for port := range uint16(200) {
		w.host.PeerAccepted(w.now, relay, netip.AddrPortFrom(peerAddr.Addr(), port+1))
		w.talk()
	}
	if n := len(w.host.connections); n != maxConnections || w.host.Stats().Drops[DropTooMany] != 200-maxConnections {
		t.Errorf("an allocation has %d connections, %d were refused", n, w.host.Stats().Drops[DropTooMany])
	}
	must(t, w.Connect(w.now, netip.AddrPortFrom(peerAddr.Addr(), 999)))
	w.talk()
	failed, _ := has[ConnectFailed](w)
	if e, is := failed.Err.(*PeerError); !is || e.Code != stun.CodeInsufficientCapacity {
		t.Errorf("one more is answered by %+v", failed)
	}
	w = tcpWire(t, ServerConfig{MaxPeerConnections: 2})
	w.connectTo(netip.AddrPortFrom(peerAddr.Addr(), 1))
	w.connectTo(netip.AddrPortFrom(peerAddr.Addr(), 2))
	must(t, w.Connect(w.now, netip.AddrPortFrom(peerAddr.Addr(), 3)))
	w.talk()
	if failed, _ := has[ConnectFailed](w); failed.Err == nil {
		t.Error("the server has more connections than it may")
	}
}

// A user's bandwidth is one, whatever it is used for: who sends more is slowed down.
func TestConnectionBandwidth(t *testing.T) {
	w := tcpWire(t, ServerConfig{UserBandwidth: 100_000})
	id := w.connectTo(peerAddr)
	if wait := w.host.Passed(w.now, id, true, 100_000); wait != 0 {
		t.Errorf("the first second's worth waits for %v", wait)
	}
	if wait := w.host.Passed(w.now, id, false, 50_000); wait != 500*time.Millisecond {
		t.Errorf("half as much more waits for %v", wait)
	}
	if wait := w.host.Passed(w.now.Add(time.Second), id, false, 10_000); wait != 0 {
		t.Errorf("a second later it waits for %v", wait)
	}
	if v := w.host.Stats(); v.StreamBytesToPeers != 100_000 || v.StreamBytesToClients != 60_000 {
		t.Errorf("counted is %+v", v)
	}
}

// A time-limited password lets one begin; connections of an allocation that was made in
// time are bound later, too.
func TestConnectionAfterThePasswordExpired(t *testing.T) {
	h := newHost(t, ServerConfig{Secrets: []string{"secret"}, TCPRelays: true, UnknownRate: 1000})
	name := TimeLimitedUsername(start.Add(time.Minute), "carol")
	config := ClientConfig{Username: name, Password: TimeLimitedPassword("secret", name), Stream: true, TCP: true}
	w := newWire(t, h, config)
	w.Start(w.now)
	w.talk()
	w.pass(2 * time.Minute)
	id := w.connectTo(peerAddr)
	d := w.comeFor(id, 1)
	if _, ok := has[ConnectionBound](d); !ok {
		t.Errorf("the data connection was told %+v", d.events)
	}
}

// Of what a client is told that nobody authenticates, it believes what may be.
func TestAttemptIsChecked(t *testing.T) {
	w := tcpWire(t, ServerConfig{})
	attempt := func(writes ...func(*stun.Builder)) []byte {
		b := stun.NewBuilder(nil, stun.NewType(stun.ConnectionAttempt, stun.Indication), stun.TransactionID{1})
		with(writes...)(&b)
		return b.Bytes()
	}
	id, from := attr(stun.AttrConnectionID, "\x00\x00\x00\x01"), peer("203.0.113.9:80")
	for _, c := range []struct {
		packet []byte
		want   string
	}{
		{attempt(id), DropMalformed},
		{attempt(from), DropMalformed},
		{attempt(from, attr(stun.AttrConnectionID, "\x01")), DropMalformed},
		{attempt(id, from), DropNotPeer},
	} {
		w.Receive(w.now, c.packet)
		if drops := w.drops.Drops(); len(drops) == 0 || !slices.Contains(drops, c.want) {
			t.Errorf("dropped for %q, want %q", drops, c.want)
		}
	}
	w.permit(peerAddr)
	w.Receive(w.now, attempt(id, from))
	w.talk()
	if _, ok := has[Attempted](w); !ok {
		t.Error("an attempt is not told")
	}
	if err := w.BindChannel(w.now, peerAddr); err != ErrNotAllocated {
		t.Errorf("a channel over TCP: %v", err)
	}
	if _, err := w.AppendData(w.now, nil, peerAddr, []byte("x")); err != ErrNotAllocated {
		t.Errorf("a datagram over TCP: %v", err)
	}
	if _, err := newWire(t, w.host, ClientConfig{Stream: true, TCP: true}).BindConnection(w.now, 1); err != ErrNotAllocated {
		t.Errorf("a connection is bound without an allocation: %v", err)
	}
	if _, err := NewClient(ClientConfig{TCP: true, Rand: seeded(1)}); err == nil {
		t.Error("TCP is asked for over datagrams")
	}
}
