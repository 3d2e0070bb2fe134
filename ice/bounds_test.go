package ice_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/stun"
)

// What a peer, and anybody else, can make an agent keep.

// What the peer, or anybody in its name, may make us keep is bounded.
func TestBounds(t *testing.T) {
	l := newLab(t, ice.Config{MaxPairs: 20}).know()
	refused := 0
	for n := range 200 {
		if l.AddRemoteCandidate(l.now, candidate(n)) != nil {
			refused++
		}
	}
	if refused != 200-64 {
		t.Errorf("%d of 200 candidates refused, want all but 64", refused)
	}
	pairs := l.Pairs()
	if len(pairs) != 20 {
		t.Errorf("%d pairs, want 20", len(pairs))
	}
	for i, p := range pairs {
		if p.Remote.Addr != candidate(i).Addr {
			t.Errorf("pair %d is with %v: the 20 with the highest priority must stay", i, p.Remote.Addr)
		}
	}
}

// A peer that turns up at one address after another cannot grow the agent, nor
// lock out the address it is at in the end.
func TestManyReboundAddresses(t *testing.T) {
	l := newLab(t, ice.Config{}).know()
	l.SetControlling(true)
	key := stun.NewKey([]byte(l.LocalCredentials().Pwd))
	for n := range 1000 {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, byte(n >> 8), byte(n)}), 7000)
		path := ice.Path{Local: ours, Remote: from}
		b := stun.NewBuilder(nil, stun.BindingRequest, stun.NewTransactionID(l.random))
		b.AddString(stun.AttrUsername, l.LocalCredentials().Ufrag+":peer")
		b.AddUint64(stun.AttrICEControlled, 1)
		b.AddUint32(stun.AttrPriority, 1853759231)
		b.AddIntegrity(key)
		b.AddFingerprint()
		l.Receive(l.now, path, b.Bytes())
		// Each address answers the checks that are sent there, then falls silent.
		for range 3 {
			messages, paths := l.sent()
			for i, m := range messages {
				if m.Type() == stun.BindingRequest && paths[i] == path {
					l.respond(m, path, stun.BindingSuccessResponse, l.peer.Pwd, func(b *stun.Builder) { b.AddXORAddress(stun.AttrXORMappedAddress, ours) })
				}
			}
		}
		if n := len(l.Pairs()); n > 8 {
			t.Fatalf("%d pairs are kept after nomination, want at most 8", n)
		}
		for until := l.now.Add(8 * time.Second); l.now.Before(until); {
			next := until
			if at := l.NextTimeout(); !at.IsZero() && at.Before(until) {
				next = at
			}
			l.now = later(l.now, next)
			l.Advance(l.now)
			messages, paths := l.sent()
			for i, m := range messages {
				if m.Type() == stun.BindingRequest && paths[i] == path {
					l.respond(m, path, stun.BindingSuccessResponse, l.peer.Pwd, func(b *stun.Builder) { b.AddXORAddress(stun.AttrXORMappedAddress, ours) })
				}
			}
		}
		if got, _ := l.SelectedPath(); got != path {
			t.Fatalf("after %d moves data goes %v, want %v", n, got, path)
		}
		if !l.KnowsPath(path) || l.KnowsPath(ice.Path{Local: ours, Remote: theirs}) {
			t.Fatalf("the agent does not know which paths are the peer's")
		}
	}
}

// Early checks that turn out to be somebody else's have no consequences.
func TestEarlyStranger(t *testing.T) {
	l := newLab(t, ice.Config{})
	l.check(nil, l.LocalCredentials().Ufrag+":stranger", l.LocalCredentials().Pwd)
	if messages, _ := l.sent(); len(messages) != 1 || messages[0].Type() != stun.BindingSuccessResponse {
		t.Fatalf("an early check was answered with %v", messages)
	}
	if len(l.Pairs()) != 1 {
		t.Fatalf("%d pairs, want 1", len(l.Pairs()))
	}
	l.know()
	if messages, _ := l.sent(); len(messages) != 0 || len(l.Pairs()) != 0 {
		t.Errorf("the stranger's pair stays: %v, and is checked: %v", l.Pairs(), messages)
	}
	l.check(nil, l.LocalCredentials().Ufrag+":stranger", l.LocalCredentials().Pwd)
	l.wantDrop("check with a username fragment that is not the peer's")
	if messages, _ := l.sent(); len(messages) != 1 || len(l.Pairs()) != 0 {
		t.Errorf("a stranger's check has consequences: %v, %v", messages, l.Pairs())
	}
}

// A flood of addresses before any path is found fills the list of candidates
// once; those that never answer make room for new ones.
func TestFloodOfAddresses(t *testing.T) {
	l := newLab(t, ice.Config{Patience: time.Minute}).know()
	checkFrom := func(n int) {
		b := stun.NewBuilder(nil, stun.BindingRequest, stun.NewTransactionID(l.random))
		b.AddString(stun.AttrUsername, l.LocalCredentials().Ufrag+":peer")
		b.AddUint64(stun.AttrICEControlling, 1)
		b.AddUint32(stun.AttrPriority, 1853759231)
		b.AddIntegrity(stun.NewKey([]byte(l.LocalCredentials().Pwd)))
		b.AddFingerprint()
		l.Receive(l.now, ice.Path{Local: ours, Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, byte(n >> 8), byte(n)}), 7000)}, b.Bytes())
		l.sent()
	}
	for n := range 300 {
		checkFrom(n)
	}
	if len(l.Pairs()) != 64 || len(l.drops) != 300-64 || l.drops[0] != "check from an address more than the check list takes" {
		t.Fatalf("%d pairs and %d drops, want 64 pairs and the others dropped", len(l.Pairs()), len(l.drops))
	}
	for until := l.now.Add(35 * time.Second); l.now.Before(until); {
		if l.now = later(l.now, l.NextTimeout()); l.now.After(until) {
			l.now = until
		}
		l.Advance(l.now)
		l.sent()
	}
	l.drops = nil
	checkFrom(300)
	l.wantDrop()
	if n := len(l.Pairs()); n != 64 {
		t.Errorf("%d pairs, want 64", n)
	}
}
