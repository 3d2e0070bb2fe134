package ice_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
)

// A movingWorld is two agents with two networks each, a dear one and a cheap one.
type movingWorld struct {
	*netsim.Network
	a, z  *agentNode
	hosts [2]*netsim.Host
}

const delay = 25 * time.Millisecond // each way through one link, so that a round trip takes 100 ms

func dear(end int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + end)}), 5000)
}

func cheap(end int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + end)}), 5000)
}

func newMovingWorld(seed uint64) *movingWorld {
	n := netsim.New(seed, start)
	w := &movingWorld{Network: n, a: newAgentNode(n, "a", ice.PolicyAll), z: newAgentNode(n, "z", ice.PolicyAll)}
	w.a.peer, w.z.peer = w.z, w.a
	w.a.SetControlling(true)
	for i, agent := range w.agents() {
		w.hosts[i] = n.AddHost(agent, netsim.Profile{Delay: delay}, dear(i).Addr(), cheap(i).Addr())
	}
	return w
}

func (w *movingWorld) agents() [2]*agentNode { return [2]*agentNode{w.a, w.z} }

// meetOnTwoNetworks has both ends meet on a dear network and a cheap one, and waits until the call is
// on the cheap one.
func (w *movingWorld) meetOnTwoNetworks(t *testing.T) {
	t.Helper()
	for i, agent := range w.agents() {
		agent.SetRenomination(true)
		agent.AddLocalAddress(start, dear(i), ice.LocalOptions{NetworkCost: 900})
		agent.AddLocalAddress(start, cheap(i), ice.LocalOptions{})
	}
	w.meet(t)
	if !w.Run(func() bool { return w.on(cheap(0), cheap(1)) }, 10*time.Second) {
		t.Fatal("the call is not on the cheap network")
	}
}

// meet connects the two with what addresses they have.
func (w *movingWorld) meet(t *testing.T) {
	t.Helper()
	for _, agent := range w.agents() {
		agent.EndOfLocalCandidates(w.Now())
		w.After(agent.signalling, func() { agent.SetRemoteCredentials(w.Now(), agent.peer.LocalCredentials()) })
	}
	if !w.Run(func() bool { return w.a.State() == ice.StateCompleted && w.z.State() == ice.StateCompleted }, 10*time.Second) {
		t.Fatalf("not completed: a is %v, z is %v", w.a.State(), w.z.State())
	}
	w.Run(nil, 5*time.Second)
}

// on reports whether both ends have nominated the pair of these addresses.
func (w *movingWorld) on(a, z netip.AddrPort) bool {
	pa, _ := w.a.SelectedPath()
	pz, _ := w.z.SelectedPath()
	return w.a.State() == ice.StateCompleted && w.z.State() == ice.StateCompleted &&
		pa == ice.Path{Local: a, Remote: z} && pz == ice.Path{Local: z, Remote: a}
}

// talkAndNote has both ends say a word every ten milliseconds for so long, and returns the
// longest silence that each of them has heard.
func (w *movingWorld) talkAndNote(d time.Duration) (silence [2]time.Duration) {
	const every = 10 * time.Millisecond
	began := w.Now()
	heard := [2]time.Time{began, began}
	said := [2]int{len(w.a.data), len(w.z.data)}
	var tick func()
	tick = func() {
		for i, agent := range w.agents() {
			agent.outbox = append(agent.outbox, "D")
			if len(agent.data) > said[i] {
				silence[i] = max(silence[i], w.Now().Sub(heard[i]))
				said[i], heard[i] = len(agent.data), w.Now()
			}
		}
		if w.Now().Sub(began) < d {
			w.After(every, tick)
		}
	}
	w.After(0, tick)
	w.Run(nil, d+every)
	for i := range heard {
		silence[i] = max(silence[i], w.Now().Sub(heard[i]))
	}
	return silence
}

// The network that a call is on goes, at one end: what does it cost, until each end hears
// the other again on the dear network? Whether the host tells of it, so that the agent
// knows, or nobody does, and it has to be found out. On a good network, and on one that
// loses a tenth of all datagrams; there is no restart.
func TestLostNetwork(t *testing.T) {
	const seeds = 25
	for _, c := range []struct {
		name  string
		loser int // 0 is controlling
		told  bool
		loss  float64
		most  time.Duration // in the worst case of all
	}{
		{"the controlling end knows that it has lost its network", 0, true, 0, 250 * time.Millisecond},
		{"the controlled end knows that it has lost its network", 1, true, 0, 250 * time.Millisecond},
		{"the controlling end knows, and a tenth is lost", 0, true, 0.1, 3 * time.Second},
		{"the controlled end knows, and a tenth is lost", 1, true, 0.1, 3 * time.Second},
		{"nobody knows that the network is gone", 0, false, 0, 3 * time.Second},
		{"nobody knows, and a tenth is lost", 1, false, 0.1, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			var loser, other []time.Duration
			for seed := range uint64(seeds) {
				w := newMovingWorld(seed)
				w.meetOnTwoNetworks(t)
				for _, h := range w.hosts {
					h.Up.Profile.Loss, h.Up.Profile.Jitter = c.loss/2, 5*time.Millisecond
					h.Down.Profile.Loss = c.loss / 2
				}
				w.talkAndNote(time.Duration(seed) * 97 * time.Millisecond)
				w.After(0, func() {
					w.hosts[c.loser].RemoveAddress(cheap(c.loser).Addr())
					if c.told {
						w.agents()[c.loser].RemoveLocalAddress(w.Now(), cheap(c.loser))
					}
				})
				silence := w.talkAndNote(20 * time.Second)
				if max(silence[0], silence[1]) > c.most {
					t.Errorf("seed %d: %v and %v without data", seed, silence[0], silence[1])
				}
				for i, agent := range w.agents() {
					if path, _ := agent.SelectedPath(); agent.State() != ice.StateCompleted || path.Local == cheap(c.loser) || path.Remote == cheap(c.loser) {
						t.Errorf("seed %d: agent %d is %v on %v", seed, i, agent.State(), path)
					}
				}
				loser, other = append(loser, silence[c.loser]), append(other, silence[1-c.loser])
			}
			const roundTrip = 4 * delay
			for who, all := range map[string][]time.Duration{"who lost its network": loser, "the other": other} {
				slices.Sort(all)
				t.Logf("%s hears nothing for %.1f round trips, %.1f at worst", who, float64(all[len(all)/2])/float64(roundTrip), float64(all[len(all)-1])/float64(roundTrip))
			}
		})
	}
}

// The cheap network goes, and comes back while its loss is still dealt with: the dear pair is
// nominated after the cheap ones have come. They are checked nevertheless, and data goes back there.
func TestNetworkBackAtOnce(t *testing.T) {
	again := func(end int) netip.AddrPort { return netip.AddrPortFrom(cheap(end).Addr(), 6000) }
	for away := time.Duration(0); away < 500*time.Millisecond; away += time.Millisecond {
		w := newMovingWorld(1)
		for _, agent := range w.agents() {
			agent.signalling = time.Millisecond
		}
		w.meetOnTwoNetworks(t)
		w.After(0, func() {
			for i, agent := range w.agents() {
				agent.RemoveLocalAddress(w.Now(), cheap(i))
			}
		})
		w.After(away, func() {
			for i, agent := range w.agents() {
				agent.AddLocalAddress(w.Now(), again(i), ice.LocalOptions{})
			}
		})
		w.Run(nil, away)
		if !w.Run(func() bool { return w.on(again(0), again(1)) }, 30*time.Second) {
			path, _ := w.a.SelectedPath()
			t.Errorf("away for %v: data goes %v", away, path)
		}
	}
}
