package turn

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// An asker builds requests by hand, as no decent client would.
type asker struct {
	t      testing.TB
	host   *host
	from   FiveTuple
	now    time.Time
	name   string
	key    *stun.Key
	nonce  []byte
	answer stun.Message
	last   stun.TransactionID
	ids    byte
}

func newAsker(t testing.TB, h *host, name, password string) *asker {
	t.Helper()
	key, err := stun.LongTermKey(stun.AlgorithmMD5, name, "example.org", password)
	must(t, err)
	a := &asker{t: t, host: h, from: tuple, now: start, name: name, key: key}
	return a
}

// raw sends a request as it is, and returns the answer's code: 0 for success, -1
// for none.
func (a *asker) raw(b []byte) stun.ErrorCode {
	a.t.Helper()
	a.host.Receive(a.now, a.from, b)
	a.host.take()
	a.host.serve(a.now)
	packet, to := a.host.AppendPacket(a.now, nil)
	if len(packet) == 0 {
		return -1
	}
	if to != a.from {
		a.t.Fatalf("the answer goes to %v", to)
	}
	a.answer = mustParse(a.t, packet)
	if nonce := a.answer.Nonce(); nonce != nil {
		a.nonce = nonce
	}
	code, _, _ := a.answer.ErrorCode()
	return code
}

func (a *asker) build(m stun.Method, write func(b *stun.Builder)) []byte {
	a.ids++
	a.last = stun.TransactionID{0: a.ids, 11: byte(a.from.Client.Port())}
	b := stun.NewBuilder(nil, stun.NewType(m, stun.Request), a.last)
	if write != nil {
		write(&b)
	}
	return b.Bytes()
}

// ask sends a signed request with what write puts into it.
func (a *asker) ask(m stun.Method, write func(b *stun.Builder)) stun.ErrorCode {
	a.t.Helper()
	if a.nonce == nil {
		if code := a.raw(a.build(stun.Allocate, nil)); code != stun.CodeUnauthenticated {
			a.t.Fatalf("no challenge but %v", code)
		}
	}
	return a.raw(a.build(m, func(b *stun.Builder) {
		if write != nil {
			write(b)
		}
		b.AddString(stun.AttrUsername, a.name)
		b.AddString(stun.AttrRealm, "example.org")
		b.Add(stun.AttrNonce, a.nonce)
		b.AddIntegrity(a.key)
	}))
}

func udp(b *stun.Builder) { b.AddUint32(stun.AttrRequestedTransport, protocolUDP<<24) }

func with(writes ...func(b *stun.Builder)) func(b *stun.Builder) {
	return func(b *stun.Builder) {
		for _, w := range writes {
			w(b)
		}
	}
}

func attr(t stun.AttributeType, value string) func(b *stun.Builder) {
	return func(b *stun.Builder) { b.AddString(t, value) }
}

func peer(addr string) func(b *stun.Builder) {
	return func(b *stun.Builder) { b.AddXORAddress(stun.AttrXORPeerAddress, netip.MustParseAddrPort(addr)) }
}

// Each request that the RFC has an error for gets that one.
func TestRefusals(t *testing.T) {
	const permission, channel = stun.CreatePermission, stun.ChannelBind
	number := attr(stun.AttrChannelNumber, "\x40\x00\x00\x00")
	for _, c := range []struct {
		name  string
		m     stun.Method
		write func(b *stun.Builder)
		want  stun.ErrorCode
		fresh bool // without an allocation
	}{
		{"no transport", stun.Allocate, nil, 400, true},
		{"half a transport", stun.Allocate, attr(stun.AttrRequestedTransport, "\x11"), 400, true},
		{"TCP", stun.Allocate, attr(stun.AttrRequestedTransport, "\x06\x00\x00\x00"), 442, true},
		{"IPv6", stun.Allocate, with(udp, attr(stun.AttrRequestedAddressFamily, "\x02\x00\x00\x00")), 440, true},
		{"no family", stun.Allocate, with(udp, attr(stun.AttrRequestedAddressFamily, "\x07\x00\x00\x00")), 440, true},
		{"two ways to say a family", stun.Allocate, with(udp, attr(stun.AttrRequestedAddressFamily, "\x01\x00\x00\x00"),
			attr(stun.AttrAdditionalAddressFamily, "\x02\x00\x00\x00")), 400, true},
		{"additional IPv4", stun.Allocate, with(udp, attr(stun.AttrAdditionalAddressFamily, "\x01\x00\x00\x00")), 400, true},
		{"two families and a reservation", stun.Allocate, with(udp, attr(stun.AttrAdditionalAddressFamily, "\x02\x00\x00\x00"),
			attr(stun.AttrEvenPort, "\x80")), 400, true},
		{"long EVEN-PORT", stun.Allocate, with(udp, attr(stun.AttrEvenPort, "\x80\x00")), 400, true},
		{"EVEN-PORT with a token", stun.Allocate, with(udp, attr(stun.AttrEvenPort, "\x00"), attr(stun.AttrReservationToken, "12345678")), 400, true},
		{"family with a token", stun.Allocate, with(udp, attr(stun.AttrRequestedAddressFamily, "\x01\x00\x00\x00"),
			attr(stun.AttrReservationToken, "12345678")), 400, true},
		{"a token of nothing", stun.Allocate, with(udp, attr(stun.AttrReservationToken, "12345678")), 508, true},
		{"mobility", stun.Allocate, with(udp, attr(stun.AttrMobilityTicket, "")), 405, true},
		{"an unknown attribute", stun.Allocate, with(udp, attr(0x7777, "")), 420, true},
		{"a second allocation", stun.Allocate, udp, 437, false},

		{"refresh of nothing", stun.Refresh, nil, 437, true},
		{"refresh by a forged ticket", stun.Refresh, attr(stun.AttrMobilityTicket, strings.Repeat("x", ticketSize)), 405, true},
		{"refresh of another family", stun.Refresh, attr(stun.AttrRequestedAddressFamily, "\x02\x00\x00\x00"), 443, false},
		{"refresh of no family", stun.Refresh, attr(stun.AttrRequestedAddressFamily, "\x02"), 443, false},

		{"permission of nothing", permission, peer("203.0.113.9:0"), 437, true},
		{"permission for nobody", permission, nil, 400, false},
		{"permission for half an address", permission, attr(stun.AttrXORPeerAddress, "\x00\x01\x00\x00"), 400, false},
		{"permission for IPv6", permission, peer("[2001:db8::9]:0"), 443, false},
		{"permission for loopback", permission, peer("127.0.0.1:0"), 403, false},
		{"permission for two, one of them forbidden", permission, with(peer("203.0.113.9:0"), peer("10.1.2.3:0")), 403, false},

		{"channel of nothing", channel, with(number, peer("203.0.113.9:9")), 437, true},
		{"channel without number", channel, peer("203.0.113.9:9"), 400, false},
		{"channel without peer", channel, number, 400, false},
		{"channel number below", channel, with(attr(stun.AttrChannelNumber, "\x3f\xff\x00\x00"), peer("203.0.113.9:9")), 400, false},
		{"channel number above", channel, with(attr(stun.AttrChannelNumber, "\x80\x00\x00\x00"), peer("203.0.113.9:9")), 400, false},
		{"channel to port 0", channel, with(number, peer("203.0.113.9:0")), 400, false},
		{"channel to IPv6", channel, with(number, peer("[2001:db8::9]:9")), 443, false},
		{"channel to a private address", channel, with(number, peer("192.168.0.1:9")), 403, false},
		{"channel number of another peer", channel, with(attr(stun.AttrChannelNumber, "\x40\x01\x00\x00"), peer("203.0.113.10:9")), 400, false},
		{"channel to a peer of another channel", channel, with(number, peer("203.0.113.9:1001")), 400, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAsker(t, newHost(t, ServerConfig{}), "alice", "wonderland")
			if !c.fresh {
				if code := a.ask(stun.Allocate, udp); code != 0 {
					t.Fatal(code)
				}
				if code := a.ask(channel, with(attr(stun.AttrChannelNumber, "\x40\x01\x00\x00"), peer("203.0.113.9:1001"))); code != 0 {
					t.Fatal(code)
				}
			}
			if code := a.ask(c.m, c.write); code != c.want {
				t.Errorf("answered by %v, want %v", code, c.want)
			}
			if a.answer.CheckIntegrity(a.key) != nil {
				t.Error("the refusal of an authenticated request is not signed")
			}
		})
	}
}

// RFC 8489, Section 9.2.4, and the order of its checks.
func TestAuthentication(t *testing.T) {
	h := newHost(t, ServerConfig{UnknownRate: 1000})
	nonce := func(a *asker) { // a fresh one
		a.nonce = nil
		a.raw(a.build(stun.Allocate, nil))
	}
	type parts struct {
		username, userhash, realm string
		nonce                     []byte
		algorithms                []stun.PasswordAlgorithm
		algorithm                 stun.PasswordAlgorithm
		password                  string
	}
	both := []stun.PasswordAlgorithm{stun.AlgorithmSHA256, stun.AlgorithmMD5}
	for _, c := range []struct {
		name   string
		change func(p *parts)
		want   stun.ErrorCode
	}{
		{"all is well", func(p *parts) {}, 0},
		{"no username", func(p *parts) { p.username = "" }, 400},
		{"no realm", func(p *parts) { p.realm = "" }, 400},
		{"no nonce", func(p *parts) { p.nonce = nil }, 400},
		{"another realm", func(p *parts) { p.realm = "example.com" }, 401},
		{"another user's password", func(p *parts) { p.username = "bob" }, 401},
		{"nobody", func(p *parts) { p.username = "mallory" }, 401},
		{"wrong password", func(p *parts) { p.password = "x" }, 401},
		{"a USERHASH of nobody", func(p *parts) { p.username, p.userhash = "", strings.Repeat("h", 32) }, 401},
		{"half a USERHASH", func(p *parts) { p.username, p.userhash = "", "h" }, 401},
		{"a nonce of another server", func(p *parts) { p.nonce = []byte("f//499k954d6OL34oL9FSTvy64sA") }, 438},
		{"a nonce whose features were removed", func(p *parts) { p.nonce = append([]byte("obMatJos2AAAA"), p.nonce[13:]...) }, 438},
		{"a nonce with a wrong code", func(p *parts) { p.nonce = append(p.nonce[:len(p.nonce)-3:len(p.nonce)-3], "AAA"...) }, 438},
		{"a list without a choice", func(p *parts) { p.algorithms = both }, 400},
		{"a choice without a list", func(p *parts) { p.algorithm = stun.AlgorithmSHA256 }, 400},
		{"a list made weaker", func(p *parts) { p.algorithms, p.algorithm = both[1:], stun.AlgorithmMD5 }, 400},
		{"an algorithm of the future", func(p *parts) { p.algorithms, p.algorithm = both, 3 }, 400},
		{"the list and a choice", func(p *parts) { p.algorithms, p.algorithm = both, stun.AlgorithmSHA256 }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAsker(t, h, "alice", "wonderland")
			a.from.Client = netip.AddrPortFrom(clientAddr.Addr(), uint16(1000+len(h.allocations)))
			nonce(a)
			p := parts{username: "alice", realm: "example.org", nonce: a.nonce, password: "wonderland"}
			c.change(&p)
			algorithm := p.algorithm
			if algorithm != stun.AlgorithmSHA256 {
				algorithm = stun.AlgorithmMD5
			}
			key, _ := stun.LongTermKey(algorithm, "alice", "example.org", p.password)
			code := a.raw(a.build(stun.Allocate, func(b *stun.Builder) {
				udp(b)
				for t, v := range map[stun.AttributeType]string{stun.AttrUsername: p.username, stun.AttrUserhash: p.userhash,
					stun.AttrRealm: p.realm, stun.AttrNonce: string(p.nonce)} {
					if v != "" {
						b.AddString(t, v)
					}
				}
				if p.algorithms != nil {
					b.AddPasswordAlgorithms(p.algorithms...)
				}
				if p.algorithm != 0 {
					b.AddPasswordAlgorithm(p.algorithm)
				}
				b.AddIntegrity(key)
			}))
			if code != c.want {
				t.Errorf("answered by %v, want %v", code, c.want)
			}
			// What it could not authenticate a server answers without MESSAGE-INTEGRITY
			// (RFC 8489, Section 9.2.4).
			if signed := a.answer.Has(stun.AttrMessageIntegrity); signed != (code == 0) {
				t.Errorf("signed: %v", signed)
			}
			if challenged := a.answer.Has(stun.AttrNonce); challenged != (code == 401 || code == 438) {
				t.Errorf("challenged: %v", challenged)
			}
		})
	}
}

// "441 (Wrong Credentials)": another user's allocation is not for us, though
// our password is right.
func TestAnotherUsersAllocation(t *testing.T) {
	h := newHost(t, ServerConfig{})
	alice, bob := newAsker(t, h, "alice", "wonderland"), newAsker(t, h, "bob", "builder")
	if code := alice.ask(stun.Allocate, udp); code != 0 {
		t.Fatal(code)
	}
	for _, m := range []stun.Method{stun.Allocate, stun.Refresh, stun.CreatePermission, stun.ChannelBind} {
		if code := bob.ask(m, nil); code != stun.CodeWrongCredentials {
			t.Errorf("%v is answered by %v", m, code)
		}
	}
}

// What a client does after each refusal of Allocate.
func TestRefusedAllocate(t *testing.T) {
	for code, want := range map[stun.ErrorCode]time.Duration{
		stun.CodeBadRequest: 0, stun.CodeForbidden: 0, stun.CodeUnsupportedTransport: 0, stun.CodeWrongCredentials: 0,
		stun.CodeAllocationQuotaReached: time.Minute, stun.CodeInsufficientCapacity: time.Minute, stun.CodeServerError: time.Minute,
	} {
		c, err := NewClient(ClientConfig{Username: "alice", Password: "wonderland", Rand: seeded(1)})
		must(t, err)
		c.Start(start)
		request := mustParse(t, c.AppendPacket(start, nil))
		b := stun.NewBuilder(nil, stun.NewType(stun.Allocate, stun.ErrorResponse), request.TransactionID())
		b.AddErrorCode(code, "because")
		c.Receive(start, b.Bytes())
		e, _ := c.NextEvent()
		refusal, ok := c.Err().(*PeerError)
		if closed, is := e.(Closed); !ok || !is || closed.Err != c.Err() || refusal.Code != code || refusal.Wait() != want {
			t.Errorf("%v: %v, %v", code, e, c.Err())
		}
		if !strings.Contains(c.Err().Error(), "because") || len(c.AppendPacket(start, nil)) > 0 || !c.NextTimeout().IsZero() {
			t.Errorf("%v: it is not at its end, or does not say why: %v", code, c.Err())
		}
	}
}

// What a client cannot use of a challenge.
func TestUselessChallenges(t *testing.T) {
	nonce := string(stun.AppendNonceFeatures(nil, stun.FeaturePasswordAlgorithms)) + "x"
	for want, write := range map[error]func(b *stun.Builder){
		ErrNoChallenge: attr(stun.AttrRealm, "example.org"),
		ErrBidDown:     with(attr(stun.AttrRealm, "example.org"), attr(stun.AttrNonce, nonce)),
		ErrNoAlgorithm: with(attr(stun.AttrRealm, "example.org"), attr(stun.AttrNonce, nonce),
			attr(stun.AttrPasswordAlgorithms, "\x00\x09\x00\x00")),
	} {
		c, _ := NewClient(ClientConfig{Username: "alice", Password: "wonderland", Rand: seeded(1)})
		c.Start(start)
		request := mustParse(t, c.AppendPacket(start, nil))
		b := stun.NewBuilder(nil, stun.NewType(stun.Allocate, stun.ErrorResponse), request.TransactionID())
		b.AddErrorCode(stun.CodeUnauthenticated, "")
		write(&b)
		c.Receive(start, b.Bytes())
		if e, ok := c.Err().(*LocalError); !ok || e.Err != want {
			t.Errorf("%v, want %v", c.Err(), want)
		}
	}
}

// A server that calls every nonce stale is not asked for ever.
func TestStaleForEver(t *testing.T) {
	w := allocated(t, ServerConfig{}, ClientConfig{})
	must(t, w.CreatePermission(w.now, peerAddr.Addr()))
	for asked := 1; ; asked++ {
		p := w.Client.AppendPacket(w.now, nil)
		if len(p) == 0 {
			break
		}
		if asked > 10 {
			t.Fatal("it asks for ever")
		}
		b := stun.NewBuilder(nil, stun.NewType(stun.CreatePermission, stun.ErrorResponse), mustParse(t, p).TransactionID())
		b.AddErrorCode(stun.CodeStaleNonce, "")
		b.AddString(stun.AttrRealm, "example.org")
		b.AddString(stun.AttrNonce, strings.Repeat("n", asked))
		w.Client.Receive(w.now, b.Bytes())
	}
	e, _ := w.Client.NextEvent()
	if ended, ok := e.(PermissionEnded); !ok || ended.Err.(*LocalError).Err != ErrStaleNonces {
		t.Errorf("the end is %v", e)
	}
}
