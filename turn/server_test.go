package turn

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// RFC 8656, Section 7.2: the port above is reserved, and whoever has the token
// gets it, once, within 30 seconds.
func TestReservation(t *testing.T) {
	h := newHost(t, ServerConfig{})
	w := newWire(t, h, ClientConfig{EvenPort: true, ReserveNext: true})
	w.Start(w.now)
	w.talk()
	rtp, _ := has[Allocated](w)
	if e := h.opened[0]; !e.EvenPort || e.Next == 0 || rtp.ReservationToken == [8]byte{} {
		t.Fatalf("%+v, %+v", e, rtp)
	}
	claim := func(client netip.AddrPort) *wire {
		w := newWire(t, h, ClientConfig{ReservationToken: rtp.ReservationToken, Rand: seeded(byte(client.Port()))})
		w.tuple.Client = client
		w.Start(w.now)
		w.talk()
		return w
	}
	second := claim(netip.MustParseAddrPort("192.0.2.2:2"))
	rtcp, ok := has[Allocated](second)
	if !ok || rtcp.Relayed != netip.AddrPortFrom(rtp.Relayed.Addr(), rtp.Relayed.Port()+1) {
		t.Fatalf("claimed %+v of %+v: %v", rtcp, rtp, second.Err())
	}
	second.permit(peerAddr)
	if !second.send(peerAddr, "rtcp") || !second.hear(peerAddr, "rtcp back") {
		t.Error("the reserved relay does not relay")
	}
	if third := claim(netip.MustParseAddrPort("192.0.2.3:3")); third.Err().(*PeerError).Code != stun.CodeInsufficientCapacity {
		t.Errorf("claimed twice: %v", third.Err())
	}
	w.Close(w.now)
	w.talk()
	if len(h.open) != 1 || h.Stats().Allocations != 1 {
		t.Errorf("%d relays are open", len(h.open))
	}
}

// RFC 8656, Section 8.2: one of two families is given up, the other one stays.
func TestRefreshOneFamily(t *testing.T) {
	h := newHost(t, ServerConfig{IPv6: true})
	a := newAsker(t, h, "alice", "wonderland")
	refresh := func(f string, lifetime string) stun.ErrorCode {
		return a.ask(stun.Refresh, with(attr(stun.AttrRequestedAddressFamily, f), attr(stun.AttrLifetime, lifetime)))
	}
	const four, six, never, hour = "\x01\x00\x00\x00", "\x02\x00\x00\x00", "\x00\x00\x00\x00", "\x00\x00\x0e\x10"
	if a.ask(stun.Allocate, with(udp, attr(stun.AttrAdditionalAddressFamily, six))) != 0 || len(h.open) != 2 {
		t.Fatal("no dual allocation")
	}
	if code := refresh(four, never); code != 0 || len(h.open) != 1 || len(h.allocations) != 1 {
		t.Errorf("%v, %d relays", code, len(h.open))
	}
	if code := refresh(four, hour); code != stun.CodePeerAddressFamilyMismatch {
		t.Errorf("the one that is gone is refreshed: %v", code)
	}
	if code := a.ask(stun.CreatePermission, peer("203.0.113.9:0")); code != stun.CodePeerAddressFamilyMismatch {
		t.Errorf("the one that is gone takes permissions: %v", code)
	}
	if code := refresh(six, hour); code != 0 {
		t.Errorf("the other one is not refreshed: %v", code)
	}
	if lifetime, _ := lifetimeOf(a.answer); lifetime != time.Hour || !h.NextTimeout().Equal(start.Add(time.Hour)) {
		t.Errorf("it lives for %v", lifetime)
	}
	if code := refresh(six, never); code != 0 || len(h.open) != 0 || len(h.allocations) != 0 {
		t.Errorf("%v, %d relays", code, len(h.open))
	}
}

// The shell is slow: requests meanwhile find no allocation yet, and a
// retransmission is not answered twice.
func TestSlowRelay(t *testing.T) {
	h := newHost(t, ServerConfig{})
	h.slow = true
	a := newAsker(t, h, "alice", "wonderland")
	if code := a.ask(stun.Allocate, udp); code != -1 {
		t.Fatalf("answered by %v before there is a relay", code)
	}
	if code := a.ask(stun.CreatePermission, peer("203.0.113.9:0")); code != stun.CodeAllocationMismatch {
		t.Errorf("a permission: %v", code)
	}
	if code := a.ask(stun.Refresh, nil); code != stun.CodeAllocationMismatch {
		t.Errorf("a refresh: %v", code)
	}
	relay := h.opened[0].Relay
	h.RelayOpened(start, relay, netip.MustParseAddrPort("198.51.100.1:50000"))
	h.RelayOpened(start, relay, netip.MustParseAddrPort("198.51.100.1:50002")) // nonsense
	h.RelayFailed(start, relay)                                                // more of it
	h.RelayOpened(start, 99, netip.MustParseAddrPort("198.51.100.1:50002"))
	p, _ := h.AppendPacket(start, nil)
	if m := mustParse(t, p); m.Type() != stun.NewType(stun.Allocate, stun.SuccessResponse) {
		t.Errorf("the answer is %v", m)
	}
	if p, _ := h.AppendPacket(start, nil); len(p) > 0 {
		t.Error("there is another answer")
	}
}

// A client's stream ends, and its allocation with it; unless it has a ticket.
func TestDisconnected(t *testing.T) {
	for mobility, left := range map[bool]int{false: 0, true: 1} {
		w := allocated(t, ServerConfig{Mobility: true}, ClientConfig{Stream: true, Mobility: mobility})
		w.host.Disconnected(w.now, w.tuple)
		w.host.Disconnected(w.now, w.tuple)
		w.host.serve(w.now)
		if len(w.host.open) != left {
			t.Errorf("mobility %v: %d relays are open", mobility, len(w.host.open))
		}
	}
}

// A Refresh asks for a lifetime, and gets what the server grants.
func TestLifetimes(t *testing.T) {
	a := newAsker(t, newHost(t, ServerConfig{Lifetime: 5 * time.Minute, MaxLifetime: 20 * time.Minute}), "alice", "wonderland")
	a.ask(stun.Allocate, udp)
	for asked, want := range map[uint32]time.Duration{1: 5 * time.Minute, 600: 10 * time.Minute, 1 << 31: 20 * time.Minute, 0xffffffff: 20 * time.Minute} {
		if code := a.ask(stun.Refresh, func(b *stun.Builder) { b.AddUint32(stun.AttrLifetime, asked) }); code != 0 {
			t.Fatal(code)
		}
		if got, _ := lifetimeOf(a.answer); got != want {
			t.Errorf("%d seconds: %v, want %v", asked, got, want)
		}
	}
}

// The scheme of everybody's services: echo -n NAME | openssl dgst -sha1 -hmac secret -binary | base64.
func TestTimeLimitedPassword(t *testing.T) {
	name := TimeLimitedUsername(time.Unix(1767225600, 0), "alice")
	if password := TimeLimitedPassword("secret", name); name != "1767225600:alice" || password != "RjhlVen+DhQzYDfv//fV2MBBUwM=" {
		t.Errorf("%s %s", name, password)
	}
}

// Misuse is told in words.
func TestConfigErrors(t *testing.T) {
	random := seeded(1)
	users := map[string]string{"alice": "wonderland"}
	for _, c := range []ServerConfig{
		{},
		{Rand: random},
		{Rand: random, Realm: "example.org"},
		{Rand: random, Realm: strings.Repeat("r", 128), Users: users},
		{Rand: random, Realm: "example.org", Users: map[string]string{"": "x"}},
		{Rand: random, Realm: "example.org", Users: map[string]string{"alice": "\x00"}},
		{Rand: random, Realm: "example.org", Users: users, Algorithms: []stun.PasswordAlgorithm{7}},
		{Rand: strings.NewReader("too short"), Realm: "example.org", Users: users},
	} {
		if _, err := NewServer(c); err == nil || !strings.HasPrefix(err.Error(), "turn: ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, c := range []ClientConfig{{}, {Rand: random}, {Rand: random, Username: "a"}, {Rand: random, Username: "a", Password: "\x01"}} {
		if _, err := NewClient(c); err == nil || !strings.HasPrefix(err.Error(), "turn: ") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	c, _ := NewClient(ClientConfig{Rand: random, Username: "a", Password: "b"})
	if _, err := c.AppendData(start, nil, peerAddr, nil); err != ErrNotAllocated {
		t.Error(err)
	}
	if err := errors.Join(c.CreatePermission(start, peerAddr.Addr()), c.BindChannel(start, peerAddr), c.Move(start)); err == nil ||
		strings.Count(err.Error(), string(ErrNotAllocated)) != 3 {
		t.Error(err)
	}
	w := allocated(t, ServerConfig{}, ClientConfig{})
	for _, bad := range []netip.AddrPort{{}, peer6, netip.AddrPortFrom(peerAddr.Addr(), 0), netip.AddrPortFrom(anyHost, 1)} {
		if err := w.BindChannel(w.now, bad); err != ErrNoAddress {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if err := w.Move(w.now); err != ErrNoTicket {
		t.Error(err)
	}
	w.permit(peerAddr)
	if b, err := w.AppendData(w.now, []byte("before"), peerAddr, make([]byte, maxPayload+1)); err != ErrTooLarge || string(b) != "before" {
		t.Errorf("%q %v", b, err)
	}
	b, err := w.AppendData(w.now, []byte("before"), peerAddr, []byte("x"))
	if err != nil || !bytes.HasPrefix(b, []byte("before")) || mustParse(t, b[6:]).Method() != stun.Send {
		t.Errorf("%q %v", b, err)
	}
	for i := 0; ; i++ {
		err := w.BindChannel(w.now, netip.AddrPortFrom(peerAddr.Addr(), uint16(1+i)))
		if err == ErrTooMany {
			break
		}
		if i > maxBindings {
			t.Fatal("channels without end")
		}
		w.requests = nil // as if never answered
	}
}

// RFC 8656, Section 7.3: an allocation of the wrong family is given back.
func TestWrongFamily(t *testing.T) {
	c, _ := NewClient(ClientConfig{Username: "alice", Password: "wonderland", Rand: seeded(1), Family: IPv6})
	c.Start(start)
	request := mustParse(t, c.AppendPacket(start, nil))
	b := stun.NewBuilder(nil, stun.NewType(stun.Allocate, stun.SuccessResponse), request.TransactionID())
	b.AddXORAddress(stun.AttrXORRelayedAddress, netip.MustParseAddrPort("198.51.100.1:50000"))
	b.AddXORAddress(stun.AttrXORMappedAddress, clientAddr)
	b.AddUint32(stun.AttrLifetime, 600)
	c.Receive(start, b.Bytes())
	goodbye := mustParse(t, c.AppendPacket(start, nil))
	if lifetime, _ := lifetimeOf(goodbye); goodbye.Method() != stun.Refresh || lifetime != 0 {
		t.Fatalf("it says %v", goodbye)
	}
	answer := stun.NewBuilder(nil, stun.NewType(stun.Refresh, stun.SuccessResponse), goodbye.TransactionID())
	c.Receive(start, answer.Bytes())
	if e, ok := c.Err().(*LocalError); !ok || e.Err != ErrFamily {
		t.Error(c.Err())
	}
}

// What a server, or somebody in its name, sends to a client that has not asked
// for it.
func TestClientDrops(t *testing.T) {
	w := allocated(t, ServerConfig{}, ClientConfig{})
	w.bind(peerAddr)
	data := func(peer netip.AddrPort) []byte {
		b := append(make([]byte, Headroom), "data"...)
		return wrapIndication(b, Headroom, stun.Data, stun.TransactionID{}, peer, false)
	}
	stranger := netip.MustParseAddrPort("203.0.113.66:6")
	channel := []byte("\x40\x00\x00\x04data")
	for _, c := range []struct {
		name   string
		after  time.Duration
		packet []byte
		want   string
	}{
		{"a peer's data", 0, data(peerAddr), ""},
		{"data on its channel", 0, channel, ""},
		{"data of another port of it", 0, data(netip.AddrPortFrom(peerAddr.Addr(), 1)), ""},
		{"a stranger's data", 0, data(stranger), DropNotPeer},
		{"another channel", 0, []byte("\x40\x01\x00\x04data"), DropNoChannel},
		{"half of it", 0, channel[:6], DropMalformed},
		{"a peer's data, after its permission", 6 * time.Minute, data(peerAddr), DropNotPeer},
		{"data on its channel, after its permission", 6 * time.Minute, channel, DropNotPeer},
		{"data on its channel, after that", 11 * time.Minute, channel, DropNoChannel},
		{"a Data indication without data", 0, stunHeader(stun.NewType(stun.Data, stun.Indication)), DropMalformed},
		{"an answer to nothing", 0, stunHeader(stun.NewType(stun.Refresh, stun.SuccessResponse)), DropNotExpected},
		{"a request", 0, stunHeader(stun.BindingRequest), DropNotExpected},
		{"noise", 0, []byte("\x00noise"), string(stun.ErrShort)},
	} {
		before := len(w.drops.Drops())
		w.Client.Receive(start.Add(c.after), c.packet)
		_, ok := w.NextData()
		drops := w.drops.Drops()[before:]
		switch {
		case c.want == "" && (!ok || len(drops) > 0):
			t.Errorf("%s is dropped: %v", c.name, drops)
		case c.want != "" && (ok || len(drops) != 1 || drops[0] != c.want):
			t.Errorf("%s: %v, %v, want %q", c.name, ok, drops, c.want)
		}
	}
}
