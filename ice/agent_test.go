package ice_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// A lab is one agent, and the test in the place of its peer.
type lab struct {
	*ice.Agent
	t      *testing.T
	now    time.Time
	peer   ice.Credentials
	drops  []string
	random io.Reader
}

// Trace keeps the reasons of drops.
func (l *lab) Trace(e *trace.Event) {
	if e.Kind == trace.KindDrop {
		l.drops = append(l.drops, e.Text)
	}
}

var (
	ours   = netip.MustParseAddrPort("192.0.2.1:5000")
	theirs = netip.MustParseAddrPort("192.0.2.2:6000")
)

// newLab makes an agent at ours that knows the peer's credentials.
func newLab(t *testing.T, config ice.Config) *lab {
	l := &lab{t: t, now: start, random: rand.NewChaCha8([32]byte{'l'}), peer: ice.Credentials{Ufrag: "peer", Pwd: "the-password-of-the-peer"}}
	config.Rand = rand.NewChaCha8([32]byte{'c'})
	config.Trace = trace.New(l, "lab")
	l.Agent = ice.New(config)
	l.AddLocalAddress(l.now, ours, ice.LocalOptions{})
	return l
}

// know tells the agent of the peer.
func (l *lab) know() *lab {
	if err := l.SetRemoteCredentials(l.now, l.peer); err != nil {
		l.t.Fatal(err)
	}
	return l
}

// candidate is the peer's nth host candidate.
func candidate(n int) ice.Candidate {
	return ice.Candidate{Foundation: fmt.Sprint(n), Component: 1, Priority: 2130706431 - uint32(n)<<8,
		Addr: netip.AddrPortFrom(theirs.Addr(), theirs.Port()+uint16(n)), Type: ice.Host}
}

// sent returns what the agent sends now.
func (l *lab) sent() (messages []stun.Message, paths []ice.Path) {
	for {
		b, path := l.AppendPacket(l.now, nil)
		if len(b) == 0 {
			return messages, paths
		}
		m, err := stun.Parse(b)
		if err != nil {
			l.t.Fatal(err)
		}
		messages, paths = append(messages, m), append(paths, path)
	}
}

// check makes the check of a controlling peer with what change does to it, and
// has the agent receive it from theirs.
func (l *lab) check(change func(*stun.Builder), username, password string) {
	b := stun.NewBuilder(nil, stun.BindingRequest, stun.NewTransactionID(l.random))
	b.AddString(stun.AttrUsername, username)
	if change == nil {
		b.AddUint64(stun.AttrICEControlling, 1)
		b.AddUint32(stun.AttrPriority, 1853759231)
	} else {
		change(&b)
	}
	b.AddIntegrity(stun.NewKey([]byte(password)))
	b.AddFingerprint()
	l.Receive(l.now, ice.Path{Local: ours, Remote: theirs}, b.Bytes())
}

// wantDrop checks the reasons for drops since the last call.
func (l *lab) wantDrop(want ...string) {
	l.t.Helper()
	if !slices.Equal(l.drops, want) {
		l.t.Errorf("dropped: %q, want %q", l.drops, want)
	}
	l.drops = nil
}

// A check has the attributes that Chromium's have, in the same order, except
// for the network's cost where none is known.
func TestCheckLooksLikeChromiums(t *testing.T) {
	l := newLab(t, ice.Config{}).know()
	l.AddLocalAddress(l.now, netip.MustParseAddrPort("192.0.2.3:5000"), ice.LocalOptions{NetworkID: 1, NetworkCost: 10, Preference: 65535})
	l.AddRemoteCandidate(l.now, candidate(0))
	messages, paths := l.sent()
	if len(messages) != 1 {
		t.Fatalf("%d checks at once, want 1: the others are paced", len(messages))
	}
	m := messages[0]
	var types []stun.AttributeType
	for attribute := range m.Attributes() {
		types = append(types, attribute)
	}
	// chromium-wire-default.pcap, frame 1.
	want := []stun.AttributeType{stun.AttrUsername, stun.AttrGoogNetworkInfo, stun.AttrICEControlled, stun.AttrPriority, stun.AttrMessageIntegrity, stun.AttrFingerprint}
	if !slices.Equal(types, want) {
		t.Errorf("attributes %v, want %v", types, want)
	}
	if got, want := string(m.Username()), "peer:"+l.LocalCredentials().Ufrag; got != want {
		t.Errorf("USERNAME %q, want %q: the peer's fragment first", got, want)
	}
	if err := m.CheckIntegrity(stun.NewKey([]byte(l.peer.Pwd))); err != nil {
		t.Error(err)
	}
	if err := m.CheckFingerprint(); err != nil {
		t.Error(err)
	}
	if v, _ := m.Uint32(stun.AttrPriority); v != 110<<24|65535<<8|255 {
		t.Errorf("PRIORITY %d is not that of a peer-reflexive candidate of the same base", v)
	}
	if v, _ := m.Uint32(stun.AttrGoogNetworkInfo); v != 1<<16|10 {
		t.Errorf("GOOG-NETWORK-INFO %#x", v)
	}
	if want := (ice.Path{Local: netip.MustParseAddrPort("192.0.2.3:5000"), Remote: theirs}); paths[0] != want {
		t.Errorf("sent on %v, want %v", paths[0], want)
	}
}

// What is not acceptable is refused as the RFCs say, and told to the trace.
func TestRefusedChecks(t *testing.T) {
	good := func(b *stun.Builder) {
		b.AddUint64(stun.AttrICEControlling, 1)
		b.AddUint32(stun.AttrPriority, 1)
	}
	const right = "the right password"
	for _, test := range []struct {
		name               string
		change             func(*stun.Builder)
		username, password string
		code               stun.ErrorCode
		drop               string
	}{
		{"nothing wrong", good, "", right, 0, ""},
		{"wrong password", good, "", "wrong", stun.CodeUnauthenticated, "check with a wrong password"},
		{"other fragment", good, "other:peer", right, stun.CodeUnauthenticated, "check for a username fragment that is not ours"},
		{"no colon", good, "nocolon", right, stun.CodeUnauthenticated, "check for a username fragment that is not ours"},
		{"no PRIORITY", func(b *stun.Builder) { b.AddUint64(stun.AttrICEControlling, 1) }, "", right, stun.CodeBadRequest, "check without PRIORITY"},
		{"unknown attribute", func(b *stun.Builder) { good(b); b.AddUint32(0x7ff0, 1) }, "", right, stun.CodeUnknownAttribute, "check with an unknown comprehension-required attribute"},
		{"unknown optional attribute", func(b *stun.Builder) { good(b); b.AddUint32(0xc070, 1) }, "", right, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t, ice.Config{}).know()
			if test.username == "" {
				test.username = l.LocalCredentials().Ufrag + ":peer"
			}
			if test.password == right {
				test.password = l.LocalCredentials().Pwd
			}
			l.check(test.change, test.username, test.password)
			messages, paths := l.sent()
			if len(messages) == 0 {
				t.Fatal("no response")
			}
			if paths[0] != (ice.Path{Local: ours, Remote: theirs}) {
				t.Errorf("the response goes %v", paths[0])
			}
			code, _, _ := messages[0].ErrorCode()
			if code != test.code {
				t.Errorf("%v, want code %d", messages[0], test.code)
			}
			if test.code == stun.CodeUnknownAttribute && !slices.Equal(messages[0].UnknownAttributes(), []stun.AttributeType{0x7ff0}) {
				t.Errorf("UNKNOWN-ATTRIBUTES %v", messages[0].UnknownAttributes())
			}
			if test.drop == "" {
				l.wantDrop()
				if a, _ := messages[0].XORMappedAddress(); a != theirs {
					t.Errorf("XOR-MAPPED-ADDRESS %v, want %v", a, theirs)
				}
				if len(messages) != 2 {
					t.Errorf("%d messages, want the response and a triggered check", len(messages))
				}
			} else {
				l.wantDrop(test.drop)
				if len(messages) != 1 || len(l.Pairs()) != 0 {
					t.Errorf("a refused check had consequences: %d messages, %v", len(messages), l.Pairs())
				}
			}
		})
	}
}

// A peer that pairs its new candidates with what it knows of ours calls us by our old fragment until it
// hears of the new one, and knows us by no other from then on: we go along, both times.
func TestPeerHearsOfRestartLater(t *testing.T) {
	l := newLab(t, ice.Config{}).know()
	old := l.LocalCredentials()
	l.Restart(l.now, ice.NewCredentials(l.random))
	l.peer = ice.Credentials{Ufrag: "anew", Pwd: "another-password-of-the-peer"}
	l.know()
	for _, known := range []ice.Credentials{old, l.LocalCredentials()} {
		l.check(nil, known.Ufrag+":anew", known.Pwd)
		var username string
		for range 20 {
			messages, _ := l.sent()
			for _, m := range messages {
				if m.Type() == stun.BindingRequest {
					username = string(m.Username())
				}
			}
			l.now = l.now.Add(time.Second)
			l.Advance(l.now)
		}
		if want := "anew:" + known.Ufrag; username != want {
			t.Errorf("the peer calls us %q, and we call it %q, want %q", known.Ufrag, username, want)
		}
		l.wantDrop()
	}
}

func TestDropsWhatIsNoCheck(t *testing.T) {
	l := newLab(t, ice.Config{}).know()
	path := ice.Path{Local: ours, Remote: theirs}
	l.Receive(l.now, path, []byte("garbage"))
	l.wantDrop(stun.ErrShort.Error())

	b := stun.NewBuilder(nil, stun.BindingRequest, stun.TransactionID{1})
	l.Receive(l.now, path, b.Bytes())
	l.wantDrop(stun.ErrNoFingerprint.Error())

	b.AddFingerprint()
	l.Receive(l.now, path, b.Bytes())
	l.wantDrop("check without USERNAME or MESSAGE-INTEGRITY")
	if messages, _ := l.sent(); len(messages) != 1 || messages[0].Type() != stun.BindingErrorResponse {
		t.Errorf("answered %v, want 400", messages)
	}

	for _, test := range []struct {
		t    stun.Type
		drop string
	}{
		{stun.BindingSuccessResponse, "response to no check of ours"},
		{stun.BindingIndication, "indication"},
		{stun.NewType(stun.Allocate, stun.Request), "not a Binding message"},
	} {
		b := stun.NewBuilder(nil, test.t, stun.TransactionID{1})
		b.AddFingerprint()
		l.Receive(l.now, path, b.Bytes())
		l.wantDrop(test.drop)
		l.Receive(l.now, ice.Path{Local: theirs, Remote: theirs}, b.Bytes())
		l.wantDrop("arrived at an address that is no local candidate")
	}
	if messages, _ := l.sent(); len(messages) != 0 {
		t.Errorf("answered %v", messages)
	}
}

// respond answers the first check that is under way.
func (l *lab) respond(m stun.Message, path ice.Path, t stun.Type, password string, change func(*stun.Builder)) {
	b := stun.NewBuilder(nil, t, m.TransactionID())
	change(&b)
	if password != "" {
		b.AddIntegrity(stun.NewKey([]byte(password)))
	}
	b.AddFingerprint()
	l.Receive(l.now, path, b.Bytes())
}

func TestResponses(t *testing.T) {
	mapped := func(b *stun.Builder) { b.AddXORAddress(stun.AttrXORMappedAddress, ours) }
	code := func(c stun.ErrorCode) func(*stun.Builder) { return func(b *stun.Builder) { b.AddErrorCode(c, "") } }
	there := ice.Path{Local: ours, Remote: theirs}
	const right = "right"
	for _, test := range []struct {
		name     string
		t        stun.Type
		path     ice.Path
		password string
		change   func(*stun.Builder)
		drop     string
		state    ice.PairState
	}{
		{"success", stun.BindingSuccessResponse, there, right, mapped, "", ice.PairSucceeded},
		{"wrong password", stun.BindingSuccessResponse, there, "wrong", mapped, "response with a wrong password", ice.PairInProgress},
		{"no integrity", stun.BindingSuccessResponse, there, "", mapped, "response with a wrong password", ice.PairInProgress},
		{"no address", stun.BindingSuccessResponse, there, right, func(*stun.Builder) {}, "response without XOR-MAPPED-ADDRESS", ice.PairInProgress},
		{"from elsewhere, RFC 8445, Section 7.2.5.2.1", stun.BindingSuccessResponse, ice.Path{Local: ours, Remote: netip.MustParseAddrPort("192.0.2.9:6000")}, right, mapped,
			"response that took another path than its check", ice.PairFailed},
		{"forbidden", stun.BindingErrorResponse, there, right, code(stun.CodeForbidden), "", ice.PairFailed},
		{"refused by anybody", stun.BindingErrorResponse, there, "", code(stun.CodeUnauthenticated), "refusal without integrity", ice.PairInProgress},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t, ice.Config{}).know()
			l.AddRemoteCandidate(l.now, candidate(0))
			messages, _ := l.sent()
			if test.password == right {
				test.password = l.peer.Pwd
			}
			l.respond(messages[0], test.path, test.t, test.password, test.change)
			if test.drop == "" {
				l.wantDrop()
			} else {
				l.wantDrop(test.drop)
			}
			if got := l.Pairs()[0].State; got != test.state {
				t.Errorf("the pair is %v, want %v", got, test.state)
			}
			if _, ok := l.SelectedPath(); ok != (test.state == ice.PairSucceeded) {
				t.Errorf("there is a path for data: %v", ok)
			}
			l.respond(messages[0], there, test.t, test.password, mapped)
			if test.state == ice.PairSucceeded {
				l.wantDrop("response to no check of ours") // it was answered already
			}
		})
	}
}

// RFC 8445, Section 6.1.4.2: ordinary checks are Ta apart.
func TestPacing(t *testing.T) {
	l := newLab(t, ice.Config{Ta: 20 * time.Millisecond})
	for n := range 10 {
		l.AddRemoteCandidate(l.now, candidate(n))
	}
	if messages, _ := l.sent(); len(messages) != 0 {
		t.Fatalf("checks without the peer's password: %v", messages)
	}
	l.know()
	for n := range 10 {
		messages, paths := l.sent()
		if len(messages) != 1 {
			t.Fatalf("%v: %d checks, want one", l.now.Sub(start), len(messages))
		}
		if want := candidate(n).Addr; paths[0].Remote != want {
			t.Errorf("check %d goes to %v, want %v: the highest priority first", n, paths[0].Remote, want)
		}
		if next := l.NextTimeout(); next.Sub(l.now) != 20*time.Millisecond {
			t.Errorf("the next timeout is in %v, want Ta", next.Sub(l.now))
		}
		l.now = l.NextTimeout()
		l.Advance(l.now)
	}
}

// RFC 8445, Section 6.1.2.6: of pairs with the same foundation one is checked,
// and the others when it succeeds.
func TestFrozen(t *testing.T) {
	l := newLab(t, ice.Config{}).know()
	for n := range 3 {
		c := candidate(n)
		c.Foundation = "same"
		l.AddRemoteCandidate(l.now, c)
	}
	states := func() (s []ice.PairState) {
		for _, p := range l.Pairs() {
			s = append(s, p.State)
		}
		return s
	}
	if got, want := states(), []ice.PairState{ice.PairWaiting, ice.PairFrozen, ice.PairFrozen}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	messages, paths := l.sent()
	l.respond(messages[0], ice.Path{Local: ours, Remote: paths[0].Remote}, stun.BindingSuccessResponse, l.peer.Pwd,
		func(b *stun.Builder) { b.AddXORAddress(stun.AttrXORMappedAddress, ours) })
	if got, want := states(), []ice.PairState{ice.PairSucceeded, ice.PairWaiting, ice.PairWaiting}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPairsThatAreNeverFormed(t *testing.T) {
	l := newLab(t, ice.Config{}).know()
	l.AddLocalAddress(l.now, netip.MustParseAddrPort("[fe80::1%eth0]:5000"), ice.LocalOptions{})
	l.AddLocalAddress(l.now, netip.MustParseAddrPort("[2001:db8::1]:5000"), ice.LocalOptions{})
	for _, text := range []string{
		"candidate:1 1 udp 1 192.0.2.1 5000 typ host",             // our own address
		"candidate:2 1 tcp 1 192.0.2.2 9 typ host tcptype active", // not UDP
		"candidate:3 2 udp 1 192.0.2.2 6001 typ host",             // RTCP: it shares the path
		"candidate:4 1 udp 1 somewhere.example 6001 typ host",     // a name
		"candidate:5 1 udp 1 b0f3a0e4.local 6001 typ host",        // a hidden address
		"candidate:6 1 udp 1 224.0.0.1 6001 typ host",             // not one host
		"candidate:7 1 udp 1 0.0.0.0 6001 typ host",               // nowhere
		"candidate:8 1 udp 1 192.0.2.2 0 typ host",                // no port
	} {
		c, err := ice.ParseCandidate(text)
		if err == nil {
			err = l.AddRemoteCandidate(l.now, c)
		}
		if err != nil {
			t.Error(err)
		}
	}
	if p := l.Pairs(); len(p) != 0 {
		t.Errorf("%v", p)
	}
	// Link-local with link-local, global with global.
	for _, text := range []string{"candidate:9 1 udp 1 fe80::2 6000 typ host", "candidate:10 1 udp 1 2001:db8::2 6000 typ host"} {
		c, _ := ice.ParseCandidate(text)
		l.AddRemoteCandidate(l.now, c)
	}
	for _, p := range l.Pairs() {
		if p.Path.Local.Addr().IsLinkLocalUnicast() != p.Path.Remote.Addr().IsLinkLocalUnicast() {
			t.Errorf("paired %v", p.Path)
		}
	}
	if len(l.Pairs()) != 2 {
		t.Errorf("%d pairs, want 2", len(l.Pairs()))
	}
}

func TestMisuse(t *testing.T) {
	l := newLab(t, ice.Config{})
	for _, c := range []ice.Credentials{{}, {Ufrag: "abc", Pwd: "0123456789012345678901"}, {Ufrag: "abcd", Pwd: "short"}, {Ufrag: "ab d", Pwd: "0123456789012345678901"}} {
		if l.SetRemoteCredentials(l.now, c) == nil {
			t.Errorf("credentials %+v were taken", c)
		}
	}
	l.know()
	late := candidate(0)
	late.Ufrag = "elsewhere"
	if l.AddRemoteCandidate(l.now, late) == nil {
		t.Error("a candidate of another generation was taken")
	}
	if _, ok := l.AddLocalAddress(l.now, ours, ice.LocalOptions{}); ok {
		t.Error("an address was taken twice")
	}
	l.Close(l.now)
	if l.AddRemoteCandidate(l.now, candidate(0)) == nil {
		t.Error("a closed agent took a candidate")
	}
	if !l.NextTimeout().IsZero() {
		t.Error("a closed agent has a timer")
	}
}

// RFC 7675, Section 5.1: an interval between 4 and 6 seconds, a different one
// each time.
func TestConsentInterval(t *testing.T) {
	p := connect(t, 1)
	var last time.Time
	seen := map[time.Duration]bool{}
	for range 50 {
		before := p.agents[0].Stats().ChecksSent
		for p.agents[0].Stats().ChecksSent == before {
			next := p.agents[0].NextTimeout()
			if other := p.agents[1].NextTimeout(); other.Before(next) {
				next = other
			}
			p.pass(next.Sub(p.now))
		}
		if d := p.now.Sub(last); !last.IsZero() {
			seen[d] = true
			if d < 4*time.Second || d > 6*time.Second {
				t.Errorf("consent was checked after %v", d)
			}
		}
		last = p.now
	}
	if len(seen) < 40 {
		t.Errorf("only %d different intervals of 49", len(seen))
	}
}

// An agent that failed is as good as new after a restart.
func TestRestartAfterFailure(t *testing.T) {
	p := connect(t, 1)
	p.pass(time.Minute)
	for _, a := range p.agents {
		// Nothing arrives for a minute.
		for until := p.now.Add(time.Minute); a.State() != ice.StateFailed; {
			now := a.NextTimeout()
			if now.IsZero() || now.After(until) {
				t.Fatalf("the agent is %v, want failed", a.State())
			}
			a.Advance(now)
			for b, _ := a.AppendPacket(now, nil); len(b) > 0; b, _ = a.AppendPacket(now, nil) {
			}
		}
		if _, ok := a.SelectedPath(); ok || !a.NextTimeout().IsZero() {
			t.Fatal("a failed agent has a path, or a timer")
		}
	}
	p.now = p.now.Add(2 * time.Minute)
	random := rand.NewChaCha8([32]byte{'r'})
	for _, a := range p.agents {
		a.Restart(p.now, ice.NewCredentials(random))
	}
	for i, a := range p.agents {
		for _, c := range p.agents[1-i].LocalCandidates() {
			a.AddRemoteCandidate(p.now, c)
		}
		a.SetRemoteCredentials(p.now, p.agents[1-i].LocalCredentials())
	}
	p.exchange()
	p.pass(time.Second)
	for _, a := range p.agents {
		if a.State() != ice.StateCompleted {
			t.Errorf("the agent is %v, want completed", a.State())
		}
	}
}

// Chromium from 144 on answers only some checks, but goes on sending its own: it
// is alive all the same. Consent, though, takes an answer within 30 seconds.
func TestPeerThatAnswersSelectively(t *testing.T) {
	l := newLab(t, ice.Config{}).know()
	l.AddRemoteCandidate(l.now, candidate(0))
	path := ice.Path{Local: ours, Remote: theirs}
	answer := func() {
		messages, _ := l.sent()
		for _, m := range messages {
			if m.Type() == stun.BindingRequest {
				l.respond(m, path, stun.BindingSuccessResponse, l.peer.Pwd, func(b *stun.Builder) { b.AddXORAddress(stun.AttrXORMappedAddress, ours) })
			}
		}
	}
	useCandidate := func(b *stun.Builder) {
		b.AddUint64(stun.AttrICEControlling, 1)
		b.Add(stun.AttrUseCandidate, nil)
		b.AddUint32(stun.AttrPriority, 1853759231)
	}
	answer()
	for i := range 40 {
		l.check(useCandidate, l.LocalCredentials().Ufrag+":peer", l.LocalCredentials().Pwd)
		if i%10 == 9 {
			answer() // one in 25 seconds
		} else {
			l.sent()
		}
		if l.State() != ice.StateCompleted {
			t.Fatalf("after %v the agent is %v", l.now.Sub(start), l.State())
		}
		l.now = l.now.Add(2500 * time.Millisecond)
		l.Advance(l.now)
	}
	var failed time.Duration
	for last := l.now; l.State() != ice.StateFailed; failed = l.now.Sub(last) {
		l.check(useCandidate, l.LocalCredentials().Ufrag+":peer", l.LocalCredentials().Pwd)
		l.sent()
		l.now = l.now.Add(2500 * time.Millisecond)
		l.Advance(l.now)
		if failed > time.Minute || l.State() == ice.StateDisconnected {
			t.Fatalf("%v without an answer the agent is %v", failed, l.State())
		}
	}
	if failed < 25*time.Second || failed > 32*time.Second {
		t.Errorf("the agent failed after %v", failed)
	}
}
