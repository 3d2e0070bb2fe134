package turn

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// Nobody is relayed into the server's own network, in whatever clothes the
// address comes.
func TestDeniedPeers(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("203.0.113.77")}
	w := allocated(t, ServerConfig{IPv6: true, UnknownRate: 1000, OwnAddresses: own}, ClientConfig{Family: BothFamilies})
	tcp := newAsker(t, newHost(t, ServerConfig{IPv6: true, UnknownRate: 1000, OwnAddresses: own, TCPRelays: true}), "alice", "wonderland")
	tcp.from.Protocol = TCP
	if code := tcp.ask(stun.Allocate, with(attr(stun.AttrRequestedTransport, "\x06\x00\x00\x00"), attr(stun.AttrAdditionalAddressFamily, "\x02\x00\x00\x00"))); code != 0 {
		t.Fatal(code)
	}
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.8.8.8", "168.63.129.16",
		"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
		"255.255.255.255", "203.0.113.77",
		"::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0:7f00:1",
		"64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2002:7f00:1::", "fc00::1", "fd00:ec2::254",
		"fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	} {
		addr := netip.MustParseAddr(text)
		for m, write := range map[stun.Method]func(b *stun.Builder){
			stun.CreatePermission: nil, stun.ChannelBind: attr(stun.AttrChannelNumber, "\x40\x00\x00\x00"), stun.Connect: nil,
		} {
			a := newAsker(t, w.host, "alice", "wonderland")
			if m == stun.Connect {
				a = tcp
			}
			code := a.ask(m, func(b *stun.Builder) {
				if write != nil {
					write(b)
				}
				// Written by hand: AddXORAddress would unmap it.
				value := rawXORAddress(addr, 80, a.last)
				b.Add(stun.AttrXORPeerAddress, value)
			})
			if code != stun.CodeForbidden {
				t.Errorf("%v to %v is answered by %v", m, addr, code)
			}
		}
	}
}

// rawXORAddress is the value of an attribute such as XOR-PEER-ADDRESS, where an
// IPv4-mapped IPv6 address stays one.
func rawXORAddress(a netip.Addr, port uint16, id stun.TransactionID) []byte {
	mask := append([]byte{0x21, 0x12, 0xa4, 0x42}, id[:]...)
	value := []byte{0, 1, byte(port>>8) ^ mask[0], byte(port) ^ mask[1]}
	if a.Is6() {
		value[1] = 2
	}
	for i, x := range a.AsSlice() {
		value = append(value, x^mask[i])
	}
	return value
}

func TestAllowedPeers(t *testing.T) {
	w := allocated(t, ServerConfig{
		OwnAddresses: []netip.Addr{serverAddr.Addr()},
		AllowedPeers: []netip.Prefix{netip.MustParsePrefix("10.5.0.0/16"), netip.MustParsePrefix("192.0.2.15/32")},
	}, ClientConfig{})
	w.permit(serverAddr)
	if !w.send(netip.AddrPortFrom(serverAddr.Addr(), 80), "to a service of this very host") {
		t.Error("an exception for the server's own address is none")
	}
	w.permit(netip.MustParseAddrPort("10.5.0.1:9"))
	w.permit(netip.MustParseAddrPort("10.6.0.1:9"))
	if !w.send(netip.MustParseAddrPort("10.5.0.1:9"), "inside the exception") {
		t.Error("an exception is none")
	}
	if w.send(netip.MustParseAddrPort("10.6.0.1:9"), "beside it") {
		t.Error("an exception excepts too much")
	}
}

// Two clients of one server reach each other by their relayed addresses, and
// nothing else at those addresses; not even where they lie in a denied range.
func TestRelayToRelay(t *testing.T) {
	h := newHost(t, ServerConfig{DeniedPeers: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}})
	a, b := newWire(t, h, ClientConfig{}), newWire(t, h, ClientConfig{Rand: seeded(9)})
	b.tuple.Client = netip.MustParseAddrPort("192.0.2.2:2")
	for _, w := range []*wire{a, b} {
		w.Start(w.now)
		w.talk()
	}
	a.permit(b.relayed[0])
	if !a.send(b.relayed[0], "relay to relay") {
		t.Error("two clients of one server cannot talk")
	}
	ssh := netip.AddrPortFrom(b.relayed[0].Addr(), 22)
	if a.send(ssh, "let me in") || h.Stats().Drops[DropOwnAddress] != 1 {
		t.Errorf("a relay leads into its own host: %v", h.toPeers)
	}
	a.bind(ssh)
	if a.send(ssh, "let me in") || h.Stats().Drops[DropOwnAddress] != 2 {
		t.Errorf("a channel leads into the host: %v", h.toPeers)
	}
	b.Close(b.now)
	b.talk()
	if a.send(b.relayed[0], "are you there?") {
		t.Error("a port is relayed to that is no relay any more")
	}
	a.permit(netip.AddrPortFrom(serverAddr.Addr(), 0))
	if a.send(serverAddr, "hello myself") {
		t.Error("a relay leads to its own server")
	}
}

// A nonce is good for one 5-tuple and for an hour, and so are requests that
// somebody heard and says again.
func TestReplay(t *testing.T) {
	h := newHost(t, ServerConfig{})
	a := newAsker(t, h, "alice", "wonderland")
	a.ask(stun.Allocate, udp)
	heard := a.build(stun.CreatePermission, func(b *stun.Builder) {
		peer("203.0.113.9:0")(b)
		b.AddString(stun.AttrUsername, "alice")
		b.AddString(stun.AttrRealm, "example.org")
		b.Add(stun.AttrNonce, a.nonce)
		b.AddIntegrity(a.key)
	})
	thief := newAsker(t, h, "alice", "wonderland")
	thief.from.Client = netip.MustParseAddrPort("192.0.2.66:6666")
	if code := thief.raw(heard); code != stun.CodeStaleNonce {
		t.Errorf("a request is good from elsewhere: %v", code)
	}
	thief.from = FiveTuple{Client: clientAddr, Server: serverAddr, Protocol: TCP}
	if code := thief.raw(heard); code != stun.CodeStaleNonce {
		t.Errorf("a request is good over another protocol: %v", code)
	}
	if code := a.raw(heard); code != 0 {
		t.Errorf("a request is not good where it belongs: %v", code)
	}
	a.now = a.now.Add(time.Hour + 2*time.Second)
	if code := a.raw(heard); code != stun.CodeStaleNonce {
		t.Errorf("a request is good for ever: %v", code)
	}
	a.now = start.Add(-2 * time.Second)
	if code := a.raw(heard); code != stun.CodeStaleNonce {
		t.Errorf("a nonce of the future is good: %v", code)
	}
}

// Whoever has shown no credentials gets little, and never more than what they
// paid for.
func TestFloods(t *testing.T) {
	h := newHost(t, ServerConfig{UnknownRate: 10, UnknownTotal: 100})
	empty := newAsker(t, h, "alice", "wonderland")
	answered := func(n int, at time.Time, from func(i int) FiveTuple) (count int) {
		for i := range n {
			empty.from, empty.now = from(i), at
			if empty.raw(empty.build(stun.Allocate, udp)) == stun.CodeUnauthenticated {
				count++
			}
		}
		return count
	}
	one := func(i int) FiveTuple {
		return FiveTuple{Client: netip.AddrPortFrom(clientAddr.Addr(), uint16(i+1)), Server: serverAddr}
	}
	if n := answered(1000, start, one); n != 40 {
		t.Errorf("one source gets %d answers at once, want 40", n)
	}
	if n := answered(1000, start.Add(time.Second), one); n != 10 {
		t.Errorf("a second later %d, want 10", n)
	}
	many := func(i int) FiveTuple {
		addr := netip.AddrFrom4([4]byte{198, byte(i >> 16), byte(i >> 8), byte(i)})
		return FiveTuple{Client: netip.AddrPortFrom(addr, 1), Server: serverAddr}
	}
	if n := answered(100_000, start.Add(2*time.Second), many); n != 100 {
		t.Errorf("all sources together get %d answers, want 100", n)
	}
	tcp := func(i int) FiveTuple { t := many(i); t.Protocol = TCP; return t }
	if n := answered(50, start.Add(2*time.Second), tcp); n < 45 {
		t.Errorf("a flood of claimed addresses keeps real ones out: %d of 50 are answered", n)
	}
	// The sources of one IPv6 subscriber are one.
	six := func(i int) FiveTuple {
		addr := netip.MustParseAddr(fmt.Sprintf("2001:db8:7:7::%x", i+1))
		return FiveTuple{Client: netip.AddrPortFrom(addr, 1), Server: serverAddr}
	}
	if n := answered(60, start.Add(10*time.Second), six); n > 40 {
		t.Errorf("one IPv6 subscriber gets %d answers, want 40", n)
	}
	if h.Stats().Allocations != 0 || len(h.open) != 0 {
		t.Error("a flood leaves allocations")
	}
}

// Guessing passwords is answered no faster.
func TestGuessing(t *testing.T) {
	h := newHost(t, ServerConfig{UnknownRate: 10})
	a := newAsker(t, h, "alice", "guess")
	answers := 0
	for range 1000 {
		if a.ask(stun.Allocate, udp) == stun.CodeUnauthenticated {
			answers++
		}
	}
	if answers > 40 {
		t.Errorf("%d passwords may be tried at once", answers)
	}
	if h.Stats().Drops[DropRateLimited] == 0 {
		t.Error("the drops are not counted")
	}
}

// An unauthenticated answer, with the headers of IP and UDP, has at most three
// times the bytes of the question; and one source gets few.
func TestAmplification(t *testing.T) {
	const headers = 28
	h := newHost(t, ServerConfig{Software: "a server with a long name", Discovery: []Discovery{{serverAddr, netip.MustParseAddrPort("192.0.2.16:3479")}}})
	for _, m := range []stun.Method{stun.Binding, stun.Allocate, stun.Refresh, stun.CreatePermission, stun.ChannelBind} {
		a := newAsker(t, h, "alice", "wonderland")
		request := a.build(m, nil)
		a.raw(request)
		if in, out := len(request)+headers, len(a.answer.Bytes())+headers; out > 3*in {
			t.Errorf("%v: %d bytes are answered by %d", m, in, out)
		}
	}
}

// Allocations of those whose credentials are right are bounded too, and so are the sockets: beyond
// the bound the answer is 508, and what there was goes on.
func TestAllocationFlood(t *testing.T) {
	h := newHost(t, ServerConfig{MaxAllocations: 50, UnknownRate: 1 << 20})
	a := newAsker(t, h, "alice", "wonderland")
	codes := map[stun.ErrorCode]int{}
	for i := range 500 {
		a.from.Client, a.nonce = netip.AddrPortFrom(clientAddr.Addr(), uint16(i+1)), nil
		codes[a.ask(stun.Allocate, udp)]++
	}
	if codes[0] != 50 || codes[stun.CodeInsufficientCapacity] != 450 || len(h.open) != 50 || h.Stats().Allocations != 50 {
		t.Errorf("answered by %v; %d sockets are open, %d allocations there", codes, len(h.open), h.Stats().Allocations)
	}
	a.from.Client, a.nonce = netip.AddrPortFrom(clientAddr.Addr(), 1), nil
	if code := a.ask(stun.Refresh, nil); code != 0 {
		t.Errorf("who has an allocation gets %v", code)
	}
}

// Nothing passes a relay without a permission, in neither direction; nor with one of another
// address, or of another client's.
func TestPermissionBypass(t *testing.T) {
	h := newHost(t, ServerConfig{UnknownRate: 1000})
	a, b := newWire(t, h, ClientConfig{}), newWire(t, h, ClientConfig{Rand: seeded(9)})
	b.tuple.Client = netip.MustParseAddrPort("192.0.2.2:2")
	for _, w := range []*wire{a, b} {
		w.Start(w.now)
		w.talk()
	}
	b.permit(peerAddr)
	other := netip.MustParseAddrPort("203.0.113.10:9000")
	a.permit(other)
	send := func(peer netip.AddrPort) bool {
		m := stun.NewBuilder(nil, stun.NewType(stun.Send, stun.Indication), stun.TransactionID{1})
		m.AddXORAddress(stun.AttrXORPeerAddress, peer)
		m.AddString(stun.AttrData, "let me through")
		h.Receive(a.now, a.tuple, m.Bytes())
		_, ok := h.NextToPeer()
		return ok
	}
	if send(peerAddr) {
		t.Error("a Send indication passes by another client's permission")
	}
	if !send(other) {
		t.Error("a permission is none")
	}
	if h.Receive(a.now, a.tuple, []byte("\x40\x00\x00\x04data")); h.hasPeer {
		t.Error("ChannelData passes on a channel that is not bound")
	}
	if _, ok := h.fromPeer(a.now, a.relayed[0], peerAddr, "let me in"); ok {
		t.Error("a peer without a permission reaches the client")
	}
	if _, ok := h.fromPeer(a.now, a.relayed[0], netip.AddrPortFrom(other.Addr(), 1), "let me in"); !ok {
		t.Error("a permission is for a port") // RFC 8656, Section 9: for an IP address
	}
	b.bind(peerAddr)
	if h.Receive(a.now, a.tuple, []byte("\x40\x00\x00\x04data")); h.hasPeer {
		t.Error("ChannelData passes on another client's channel")
	}
}

// Each user has a quota, whatever the time in the name.
func TestUserQuota(t *testing.T) {
	h := newHost(t, ServerConfig{Secrets: []string{"secret"}, MaxUserAllocations: 2})
	allocate := func(name string, port uint16) stun.ErrorCode {
		a := newAsker(t, h, name, TimeLimitedPassword("secret", name))
		a.from.Client = netip.AddrPortFrom(clientAddr.Addr(), port)
		return a.ask(stun.Allocate, udp)
	}
	for i, c := range []struct {
		name string
		want stun.ErrorCode
	}{
		{"1767300000:alice", 0}, {"1767300001:alice", 0}, {"1767300002:alice", 486}, {"1767300000:bob", 0},
		{"1767300000", 0}, {"1767300000", 0}, {"1767300000", 486}, {"1767225599:carol", 401}, {"x1767300000:carol", 401},
	} {
		if code := allocate(c.name, uint16(i+1)); code != c.want {
			t.Errorf("allocation %d, of %s, is answered by %v, want %v", i, c.name, code, c.want)
		}
	}
	// Whoever leaves makes room.
	h.Advance(start.Add(time.Hour))
	if len(h.users) != 0 {
		t.Errorf("%d users are kept without allocations", len(h.users))
	}
	if code := allocate("1767300003:alice", 99); code != 0 {
		t.Errorf("the quota is not given back: %v", code)
	}
}

func TestUserBandwidth(t *testing.T) {
	w := allocated(t, ServerConfig{UserBandwidth: 10_000}, ClientConfig{})
	w.bind(peerAddr)
	kilobyte := strings.Repeat("x", 1000)
	passed := 0
	for range 30 {
		if w.send(peerAddr, kilobyte) {
			passed++
		}
		if w.hear(peerAddr, kilobyte) {
			passed++
		}
	}
	if passed != 10 {
		t.Errorf("%d kilobytes pass at once, want 10", passed)
	}
	w.now = w.now.Add(500 * time.Millisecond)
	for passed = 0; w.send(peerAddr, kilobyte); passed++ {
	}
	if passed != 5 || w.host.Stats().Drops[DropBandwidth] != 51 {
		t.Errorf("%d kilobytes pass half a second later, %d were dropped", passed, w.host.Stats().Drops[DropBandwidth])
	}
}

// One allocation holds no more than so many permissions and channels.
func TestBoundedAllocation(t *testing.T) {
	a := newAsker(t, newHost(t, ServerConfig{}), "alice", "wonderland")
	a.ask(stun.Allocate, udp)
	granted := map[stun.Method]int{}
	for i := range 300 {
		at := fmt.Sprintf("203.0.%d.%d:9", 100+i/250, 1+i%250)
		for _, m := range []stun.Method{stun.ChannelBind, stun.CreatePermission} {
			if a.ask(m, with(attr(stun.AttrChannelNumber, fmt.Sprintf("\x40%c\x00\x00", rune(i%128))), peer(at))) == 0 {
				granted[m]++
			}
		}
	}
	if granted[stun.ChannelBind] != maxChannels || granted[stun.CreatePermission] != maxPermissions {
		t.Errorf("granted: %v", granted)
	}
	// When they have expired there is room again.
	a.now = a.now.Add(6 * time.Minute)
	if code := a.ask(stun.CreatePermission, peer("203.0.113.1:1")); code != 0 {
		t.Errorf("what expired takes up room: %v", code)
	}
}

// A channel's number does not pass to another peer while the first one's data
// may be under way.
func TestChannelHold(t *testing.T) {
	a := newAsker(t, newHost(t, ServerConfig{Lifetime: time.Hour}), "alice", "wonderland")
	a.ask(stun.Allocate, udp)
	number := attr(stun.AttrChannelNumber, "\x40\x00\x00\x00")
	bind := func(at time.Duration, to string, want stun.ErrorCode) {
		t.Helper()
		a.now = start.Add(at)
		if code := a.ask(stun.ChannelBind, with(number, peer(to))); code != want {
			t.Errorf("after %v binding to %s is answered by %v, want %v", at, to, code, want)
		}
	}
	bind(0, "203.0.113.9:9", 0)
	bind(time.Minute, "203.0.113.10:9", 400)
	bind(9*time.Minute, "203.0.113.9:9", 0)
	bind(20*time.Minute, "203.0.113.10:9", 400)
	bind(24*time.Minute+time.Second, "203.0.113.10:9", 0)
}

// Over what is dropped, and why, the counters tell.
func TestDrops(t *testing.T) {
	w := allocated(t, ServerConfig{}, ClientConfig{})
	w.bind(peerAddr)
	indication := func(m stun.Method, writes ...func(b *stun.Builder)) []byte {
		b := stun.NewBuilder(nil, stun.NewType(m, stun.Indication), stun.TransactionID{})
		with(writes...)(&b)
		return b.Bytes()
	}
	data := attr(stun.AttrData, "data")
	elsewhere := w.tuple
	elsewhere.Client = netip.MustParseAddrPort("192.0.2.66:6666")
	fingerprinted := stun.NewBuilder(nil, stun.BindingRequest, stun.TransactionID{})
	fingerprinted.AddFingerprint()
	wrongPrint := fingerprinted.Bytes()
	wrongPrint[len(wrongPrint)-1] ^= 1
	for _, c := range []struct {
		name   string
		from   FiveTuple
		packet []byte
		want   DropReason
	}{
		{"nothing", w.tuple, nil, DropNotSTUN},
		{"noise", w.tuple, []byte("\x16\xfe\xfd a DTLS handshake, or whatever"), DropNotSTUN},
		{"a wrong fingerprint", w.tuple, wrongPrint, DropNotSTUN},
		{"a response", w.tuple, stunHeader(stun.NewType(stun.Allocate, stun.SuccessResponse)), DropNotRequest},
		{"a method of the future", w.tuple, stunHeader(stun.NewType(0x00b, stun.Request)), DropUnknownMethod},
		{"a Data indication", w.tuple, indication(stun.Data, data), DropUnknownMethod},
		{"from port 0", FiveTuple{Client: netip.AddrPortFrom(clientAddr.Addr(), 0)}, stunHeader(stun.BindingRequest), DropSource},
		{"ChannelData of nobody", elsewhere, []byte("\x40\x00\x00\x01x"), DropNoAllocation},
		{"a Send indication of nobody", elsewhere, indication(stun.Send, peer("203.0.113.9:9"), data), DropNoAllocation},
		{"short ChannelData", w.tuple, []byte("\x40\x00\x00\x02x"), DropIncomplete},
		{"another channel", w.tuple, []byte("\x40\x01\x00\x01x"), DropUnboundChannel},
		{"no data", w.tuple, indication(stun.Send, peer("203.0.113.9:9")), DropIncomplete},
		{"no peer", w.tuple, indication(stun.Send, data), DropIncomplete},
		{"port 0", w.tuple, indication(stun.Send, peer("203.0.113.9:0"), data), DropIncomplete},
		{"an attribute of the future", w.tuple, indication(stun.Send, peer("203.0.113.9:9"), data, attr(0x7777, "")), DropIncomplete},
		{"another peer", w.tuple, indication(stun.Send, peer("203.0.113.10:9"), data), DropNoPermission},
		{"a DF bit that cannot be set", w.tuple, indication(stun.Send, peer("203.0.113.9:9"), data, attr(stun.AttrDontFragment, "")), DropIncomplete},
	} {
		before := w.host.Stats()
		w.host.Receive(w.now, c.from, c.packet)
		if _, ok := w.host.NextToPeer(); ok {
			t.Errorf("%s is relayed", c.name)
		}
		if p, _ := w.host.Server.AppendPacket(w.now, nil); len(p) > 0 {
			t.Errorf("%s is answered", c.name)
		}
		after := w.host.Stats()
		for r := range NumDropReasons {
			want := before.Drops[r]
			if DropReason(r) == c.want {
				want++
			}
			if after.Drops[r] != want {
				t.Errorf("%s: drops for %q are %d, want %d", c.name, DropReason(r), after.Drops[r], want)
			}
		}
	}
	if _, ok := w.host.fromPeer(w.now, w.relayed[0], netip.MustParseAddrPort("203.0.113.10:9"), "stranger"); ok {
		t.Error("a stranger reaches the client")
	}
	if _, ok := w.host.fromPeer(w.now.Add(6*time.Minute), w.relayed[0], peerAddr, "late"); ok {
		t.Error("a permission lasts for more than five minutes")
	}
	w.host.ReceivePeer(w.now, 99, peerAddr, make([]byte, Headroom), Headroom)
	if _, ok := w.host.NextToClient(); ok {
		t.Error("a relay of nobody relays")
	}
	for r := 1; r < NumDropReasons; r++ {
		if strings.HasPrefix(DropReason(r).String(), "DropReason") {
			t.Errorf("reason %d has no words", r)
		}
	}
}

func stunHeader(typ stun.Type) []byte {
	b := stun.NewBuilder(nil, typ, stun.TransactionID{})
	return b.Bytes()
}

// Responses that nobody takes are bounded too.
func TestBusy(t *testing.T) {
	h := newHost(t, ServerConfig{UnknownRate: 100_000})
	for range 2 * maxResponses {
		h.Receive(start, tuple, stunHeader(stun.BindingRequest))
	}
	if n := h.Stats().Drops[DropBusy]; n != maxResponses {
		t.Errorf("%d are dropped", n)
	}
}

// Whoever sends from a client's address, and knows its name and its nonce, still
// needs its password.
func TestHijack(t *testing.T) {
	h := newHost(t, ServerConfig{})
	a, thief := newAsker(t, h, "alice", "wonderland"), newAsker(t, h, "alice", "a guess")
	if code := a.ask(stun.Allocate, udp); code != 0 {
		t.Fatal(code)
	}
	thief.nonce = a.nonce
	for _, m := range []stun.Method{stun.Allocate, stun.Refresh, stun.CreatePermission, stun.ChannelBind} {
		if code := thief.ask(m, with(attr(stun.AttrLifetime, "\x00\x00\x00\x00"), peer("203.0.113.66:6"))); code != stun.CodeUnauthenticated {
			t.Errorf("%v by somebody else is answered by %v", m, code)
		}
	}
	if len(h.allocations) != 1 || len(h.allocations[tuple].permissions) != 0 {
		t.Error("somebody else changed the allocation")
	}
}

// What is not renewed ends: a permission after five minutes, a channel after ten.
func TestNothingOutlivesItsTime(t *testing.T) {
	r := newRelaying(t)
	for after, want := range map[time.Duration][2]bool{
		5*time.Minute - time.Second:  {true, true},
		5*time.Minute + time.Second:  {false, true},
		10*time.Minute - time.Second: {false, true},
		10*time.Minute + time.Second: {false, false},
	} {
		for i, packet := range [][]byte{r.indication, r.channel} {
			r.host.Receive(start.Add(after), r.tuple, packet)
			if _, ok := r.host.NextToPeer(); ok != want[i] {
				t.Errorf("after %v packet %d is relayed: %v", after, i, ok)
			}
		}
		r.host.ReceivePeer(start.Add(after), r.relay, peerAddr, r.space, Headroom)
		if _, ok := r.host.NextToClient(); ok != want[0] {
			t.Errorf("after %v the peer is relayed: %v", after, ok)
		}
	}
}

// A ticket is good for its own user alone, and no longer than its successor.
func TestTickets(t *testing.T) {
	h := newHost(t, ServerConfig{Mobility: true})
	a, thief := newAsker(t, h, "alice", "wonderland"), newAsker(t, h, "bob", "builder")
	if code := a.ask(stun.Allocate, with(udp, attr(stun.AttrMobilityTicket, ""))); code != 0 {
		t.Fatal(code)
	}
	ticket := func() string { value, _ := a.answer.Get(stun.AttrMobilityTicket); return string(value) }
	first := ticket()
	thief.from.Client = netip.MustParseAddrPort("192.0.2.66:6")
	if code := thief.ask(stun.Refresh, attr(stun.AttrMobilityTicket, first)); code != stun.CodeWrongCredentials {
		t.Errorf("another user's ticket is answered by %v", code)
	}
	move := func(port uint16, with string, want stun.ErrorCode) {
		t.Helper()
		a.from.Client = netip.AddrPortFrom(clientAddr.Addr(), port)
		a.nonce = nil
		if code := a.ask(stun.Refresh, attr(stun.AttrMobilityTicket, with)); code != want {
			t.Errorf("moving to port %d is answered by %v, want %v", port, code, want)
		}
	}
	move(1, first, 0)
	second := ticket()
	if second == first {
		t.Error("the ticket is the same")
	}
	move(2, first, 0) // the answer might have been lost
	third := ticket()
	move(3, third, 0)
	move(4, first, stun.CodeAllocationMismatch)
	move(4, second, stun.CodeAllocationMismatch)
	move(4, "short", stun.CodeBadRequest)
	move(4, strings.Repeat("x", ticketSize), stun.CodeAllocationMismatch)
	if len(h.allocations) != 1 || len(h.open) != 1 {
		t.Errorf("%d allocations, %d relays", len(h.allocations), len(h.open))
	}
}
