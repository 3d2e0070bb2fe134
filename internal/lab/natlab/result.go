package natlab

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
)

// An Experiment is two agents that want to connect. The one at From offers.
type Experiment struct {
	From, To Topology
	// RTT is how long a round trip between the agents takes; 0: 100 ms. One to the server
	// takes half of that: it is in the middle.
	RTT time.Duration
	// Seed decides credentials, transactions and the ports of NATs.
	Seed uint64
	// Log has the result tell everything that happened.
	Log bool
}

func (e *Experiment) rtt() time.Duration { return cmp.Or(e.RTT, 100*time.Millisecond) }

// A Result is how it went.
type Result struct {
	From, To Topology
	OK       bool            // they did connect, and data of each came to the other
	Direct   bool            // theory says that there is a direct path
	Over     netsim.Protocol // which that is over
	Relayed  bool            // data goes over the server

	// Local and Remote are the types of the candidates that data goes between, as the
	// one who offered has it, and Protocol what it leaves by: over a relay, what
	// leads to that.
	Local, Remote string
	Protocol      string

	// Connected is when both ends had a path, and Nominated when both had the one
	// that was nominated, in round trips since the answer was back. They may be
	// negative: who answers can be done before.
	Connected, Nominated float64

	// Checks is how many checks both sent until then, and Pace the least time
	// between two ordinary ones of one end, which are not triggered and no
	// repetition; 0: there were no two.
	Checks int
	Pace   time.Duration

	Log []string
}

// patience is for how long agents are given to connect. Where data goes is looked at
// a second later.
const patience = 20 * time.Second

// Connect makes the experiment.
func Connect(e Experiment) (Result, error) {
	r := Result{From: e.From, To: e.To}
	r.Over, r.Direct = Direct(e.From, e.To)
	var log *[]string
	if e.Log {
		log = &r.Log
	}
	w := newWorld(e, log)
	if err := addServer(w); err != nil {
		return r, err
	}
	var nodes [2]*node
	for i := range nodes {
		nodes[i] = newNode(w, users[i])
		nodes[i].host = w.add(i, nodes[i])
		nodes[i].addrs, nodes[i].nat64 = w.hosts[i].addrs, w.hosts[i].topology.nat64()
	}
	a, z := nodes[0], nodes[1]
	a.peer, z.peer = z, a
	a.SetControlling(true)
	w.At(start, func() {
		a.gather(start)
		a.describe()
	})
	w.After(w.signalling(), func() { // behind what describe has sent
		z.gather(w.Now())
		z.describe()
	})
	r.OK = w.Run(func() bool { return !a.completed.IsZero() && !z.completed.IsZero() }, patience)
	if !r.OK {
		return r, nil
	}
	r.Connected, r.Nominated = w.sinceExchange(a.connected, z.connected), w.sinceExchange(a.completed, z.completed)
	r.Checks = a.checks + z.checks
	w.Run(nil, time.Second)
	w.At(w.Now(), func() { a.words, z.words = 1, 1 })
	w.Run(func() bool { return a.heard && z.heard }, 2*w.rtt)
	r.Pace = a.pace
	if z.pace > 0 && (r.Pace == 0 || z.pace < r.Pace) {
		r.Pace = z.pace
	}
	r.OK = a.heard && z.heard && r.look(a, z)
	return r, nil
}

// sinceExchange is the later of two times in round trips since the answer was back;
// +Inf if one of them never came.
func (w *world) sinceExchange(t, u time.Time) float64 {
	if t.IsZero() || u.IsZero() {
		return math.Inf(1)
	}
	if u.After(t) {
		t = u
	}
	return float64(t.Sub(start.Add(2*w.signalling()))) / float64(w.rtt)
}

// look takes down the pair that data takes in the end, and reports whether it is one
// that was nominated on both sides.
func (r *Result) look(a, z *node) bool {
	pa, pz := selected(a), selected(z)
	if pa == nil || pz == nil {
		return false
	}
	r.Local, r.Remote = pa.Local.Type.String(), pa.Remote.Type.String()
	r.Protocol = pa.Local.Protocol.String()
	if pa.Local.URL == relayTLS {
		r.Protocol = relayTLS
	}
	for _, c := range []ice.Candidate{pa.Local, pa.Remote, pz.Local, pz.Remote} {
		r.Relayed = r.Relayed || isRelay(c.Addr.Addr())
	}
	return true
}

func isRelay(a netip.Addr) bool { return a == relay4 || a == relay6 }

func selected(n *node) *ice.PairStats {
	for _, p := range n.Pairs() {
		if p.Selected && p.Nominated {
			return &p
		}
	}
	return nil
}

// String says it in one line.
func (r *Result) String() string {
	way := "direct"
	if r.Relayed {
		way = "relayed"
	}
	if !r.OK {
		return fmt.Sprintf("%s → %s: not connected", r.From.Name, r.To.Name)
	}
	return fmt.Sprintf("%s → %s: %s, %s to %s over %s, connected after %.1f and nominated after %.1f round trips, %d checks",
		r.From.Name, r.To.Name, way, r.Local, r.Remote, r.Protocol, r.Connected, r.Nominated, r.Checks)
}
