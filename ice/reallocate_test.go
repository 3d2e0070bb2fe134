package ice_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/turn"
)

// Allocations that a server has forgotten, and spare ones that must be kept.

// forget starts the server again: it has forgotten every allocation.
func (w *natWorld) forget(t testing.TB) {
	w.server.Server, w.server.open = newServerNode(t).Server, map[netip.AddrPort]turn.RelayID{}
}

// restart has both restart ICE, and tell each other.
func (w *natWorld) restart() {
	w.At(w.Now(), func() {
		for i, agent := range []*agentNode{w.a, w.z} {
			agent.Restart(w.Now(), ice.NewCredentials(w.Rand(fmt.Sprint("restart", i))))
		}
		for _, agent := range []*agentNode{w.a, w.z} {
			w.After(agent.signalling, func() { agent.SetRemoteCredentials(w.Now(), agent.peer.LocalCredentials()) })
		}
	})
}

// The server that carries a call is started again, at once or after a while, and has
// forgotten every allocation. The agents notice the silence, ask for others, and tell each other:
// the call goes on without an ICE restart.
func TestServerForgets(t *testing.T) {
	symmetric := natKinds[len(natKinds)-1]
	for _, away := range []time.Duration{0, 2 * time.Second, 10 * time.Second, 20 * time.Second} {
		w := newNATWorld(t, 8, [2]natKind{symmetric, symmetric}, ice.PolicyAll)
		w.introduce(t)
		if !w.Run(w.completed, 10*time.Second) || !w.relayed() {
			t.Fatalf("a is %v, z is %v", w.a.State(), w.z.State())
		}
		since := w.Now()
		w.server.dead = true
		w.Run(nil, away)
		w.forget(t)
		w.server.dead = false
		for !w.talk(time.Second) {
			if w.Now().Sub(since) > away+30*time.Second {
				t.Fatalf("away for %v: a is %v, z is %v", away, w.a.State(), w.z.State())
			}
		}
		t.Logf("the server was away for %v, and the call silent for at most %v", away, w.Now().Sub(since))
		if !w.Run(func() bool { return w.server.Stats().Allocations == 2 }, 30*time.Second) {
			t.Errorf("away for %v: the server has %d allocations", away, w.server.Stats().Allocations)
		}
	}
}

// Both restart ICE when the server has forgotten them, and do not know it yet.
func TestServerForgetsBeforeARestart(t *testing.T) {
	symmetric := natKinds[len(natKinds)-1]
	w := newNATWorld(t, 8, [2]natKind{symmetric, symmetric}, ice.PolicyAll)
	w.introduce(t)
	if !w.Run(w.completed, 10*time.Second) {
		t.Fatalf("a is %v, z is %v", w.a.State(), w.z.State())
	}
	w.forget(t)
	w.restart()
	if !w.Run(func() bool { return w.completed() && w.server.Stats().Allocations == 2 }, 20*time.Second) || !w.talk(time.Second) {
		t.Fatalf("after a restart a is %v, z is %v", w.a.State(), w.z.State())
	}
}

// Allocations that carry nothing are kept for the day that the path fails: over hours, behind NATs that
// forget soon; and replaced when the server has forgotten them.
func TestSpareAllocations(t *testing.T) {
	var cone natKind
	for _, k := range natKinds {
		if k.nat != nil && k.nat.Mapping == netsim.EndpointIndependent {
			cone = k
		}
	}
	w := newNATWorld(t, 9, [2]natKind{cone, cone}, ice.PolicyAll)
	w.introduce(t)
	if !w.Run(w.completed, 10*time.Second) || w.relayed() {
		t.Fatalf("a is %v, z is %v", w.a.State(), w.z.State())
	}
	spares := func() (all []string) {
		for _, agent := range []*agentNode{w.a, w.z} {
			for _, c := range agent.LocalCandidates() {
				if c.Type == ice.Relayed {
					all = append(all, c.Addr.String())
				}
			}
		}
		return all
	}
	first := spares()
	w.Run(nil, 2*time.Hour)
	if now := spares(); len(first) != 2 || !slices.Equal(now, first) || w.server.Stats().Allocations != 2 {
		t.Errorf("the relayed candidates were %v, and two hours later %v; the server has %d allocations", first, now, w.server.Stats().Allocations)
	}
	w.forget(t)
	w.Run(nil, 10*time.Minute)
	if now := spares(); len(now) != 2 || w.server.Stats().Allocations != 2 || !w.completed() || w.relayed() {
		t.Errorf("the relayed candidates are %v, of %d that the server lends; a is %v, z is %v", now, w.server.Stats().Allocations, w.a.State(), w.z.State())
	}
	if n := len(w.a.LocalCandidates()); n > 4 {
		t.Errorf("a has %d candidates", n)
	}
}
