package turn

import (
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// Each way to abuse a server is told of once a minute, however often it is tried.
func TestAbuseIsToldOnce(t *testing.T) {
	elsewhere := FiveTuple{Client: netip.MustParseAddrPort("192.0.2.66:6"), Server: serverAddr}
	for kind, abuse := range map[AbuseKind]func(a *asker){
		AbuseRate: func(a *asker) {
			for range 100 {
				a.raw(a.build(stun.Allocate, udp))
			}
		},
		AbuseMalformed:   func(a *asker) { a.raw([]byte("\x16\x03\x01 is TLS")) },
		AbuseCredentials: func(a *asker) { newAsker(t, a.host, "alice", "guess").ask(stun.Allocate, udp) },
		AbuseNonce:       func(a *asker) { a.nonce = []byte("made up"); a.ask(stun.Refresh, nil) },
		AbuseHijack: func(a *asker) {
			b := newAsker(t, a.host, "bob", "builder")
			b.from = a.from
			b.ask(stun.Refresh, attr(stun.AttrLifetime, "\x00\x00\x00\x00"))
		},
		AbusePeer: func(a *asker) { a.ask(stun.CreatePermission, peer("169.254.169.254:80")) },
		AbuseQuota: func(a *asker) {
			b := newAsker(t, a.host, "alice", "wonderland")
			b.from = elsewhere
			b.ask(stun.Allocate, udp)
		},
		AbuseBandwidth: func(a *asker) {
			a.ask(stun.ChannelBind, with(peer("203.0.113.9:80"), attr(stun.AttrChannelNumber, "\x40\x00\x00\x00")))
			for range 10 {
				a.raw(append([]byte("\x40\x00\x04\x00"), make([]byte, 1024)...))
			}
		},
	} {
		t.Run(kind.String(), func(t *testing.T) {
			h := newHost(t, ServerConfig{MaxUserAllocations: 1, UserBandwidth: 1000})
			a := newAsker(t, h, "alice", "wonderland")
			if code := a.ask(stun.Allocate, udp); code != 0 {
				t.Fatal(code)
			}
			count := func() (n int) {
				for _, told := range h.abuses {
					if told.Kind == kind {
						n++
					}
				}
				return n
			}
			if len(h.abuses) != 0 {
				t.Fatalf("who does nothing wrong is told of: %v", h.abuses)
			}
			abuse(a)
			if count() != 1 {
				t.Fatalf("it is told of %d times: %v", count(), h.abuses)
			}
			abuse(a)
			if count() != 1 {
				t.Errorf("a second time it is told of again: %v", h.abuses)
			}
			a.now, a.nonce = a.now.Add(abuseEvery), nil
			abuse(a)
			abuse(a)
			if kind != AbuseCredentials && kind != AbuseHijack && kind != AbuseQuota && count() != 2 { // whose time is another
				t.Errorf("a minute later it is told of %d times", count())
			}
		})
	}
}

// What is too much over a stream waits, for a client on one asks only once.
func TestStreamsAreHeld(t *testing.T) {
	h := newHost(t, ServerConfig{UnknownRate: 10})
	a := newAsker(t, h, "alice", "wonderland")
	a.from.Protocol = TCP
	request := a.build(stun.Allocate, udp)
	for i := range 40 {
		if wait := h.Hold(a.now, a.from, request); wait != 0 {
			t.Fatalf("request %d is held for %v", i, wait)
		}
		if code := a.raw(request); code != stun.CodeUnauthenticated {
			t.Fatalf("request %d is answered by %v", i, code)
		}
	}
	for i := range 20 {
		wait := h.Hold(a.now, a.from, request)
		if wait < 99*time.Millisecond || wait > 101*time.Millisecond {
			t.Fatalf("request %d more is held for %v, want a tenth of a second", i, wait)
		}
		a.now = a.now.Add(wait + time.Millisecond)
		if code := a.raw(request); code != stun.CodeUnauthenticated {
			t.Errorf("request %d was held, and is answered by %v", i, code)
		}
	}
	// Nothing else waits: not data, nor datagrams, nor who has an allocation.
	if wait := h.Hold(a.now, tuple, request); wait != 0 {
		t.Errorf("a datagram is held for %v", wait)
	}
	if wait := h.Hold(a.now, a.from, []byte("\x40\x00\x00\x04data")); wait != 0 {
		t.Errorf("data is held for %v", wait)
	}
	a.now = a.now.Add(time.Minute)
	if code := a.ask(stun.Allocate, udp); code != 0 {
		t.Fatal(code)
	}
	for i := range 100 {
		if wait := h.Hold(a.now, a.from, request); wait != 0 {
			t.Fatalf("who has an allocation is held for %v", wait)
		}
		if code := a.raw(a.build(stun.Binding, nil)); code != 0 {
			t.Fatalf("request %d of who has an allocation is answered by %v", i, code)
		}
	}
	for reason, n := range h.Stats().Drops {
		if n > 0 {
			t.Errorf("dropped %d: %v", n, DropReason(reason))
		}
	}
}
