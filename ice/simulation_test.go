package ice_test

import (
	"container/heap"
	"crypto/sha256"
	"flag"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/timers"
)

var (
	firstSeed = flag.Uint64("seed", 0, "the first seed of the simulation; with it, only that one is run")
	seedCount = flag.Int("seeds", 400, "how many seeds of the simulation to run")
)

// A world is two agents in a network of which nothing is certain, on virtual time.
type world struct {
	*rand.Rand
	now    time.Time
	seq    int
	events queue
	ends   [2]*end
	digest hash.Hash
	log    []string

	// The network.
	delay, jitter   time.Duration
	loss, duplicate float64
	blocked         map[ice.Path]bool // by own addresses, from ends[0] to ends[1] or back
}

// An end is an agent and what the network does with its addresses.
type end struct {
	*ice.Agent
	random io.Reader
	public map[netip.AddrPort]netip.AddrPort // behind a NAT: own address to public one
	own    map[netip.AddrPort]netip.AddrPort // and back
	port   uint16
}

// rebind gives every own address a new public one.
func (e *end) rebind() {
	clear(e.own)
	for _, c := range e.LocalCandidates() {
		e.port++
		e.public[c.Addr] = netip.AddrPortFrom(netip.MustParseAddr("203.0.113.9"), e.port)
		if c.Addr.Addr().Is6() {
			e.public[c.Addr] = netip.AddrPortFrom(netip.MustParseAddr("2001:db8:9::9"), e.port)
		}
		e.own[e.public[c.Addr]] = c.Addr
	}
}

type happening struct {
	at  time.Time
	seq int
	do  func()
}

type queue []happening

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(happening)) }
func (q *queue) Pop() any {
	old := *q
	x := old[len(old)-1]
	*q = old[:len(old)-1]
	return x
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.events, happening{w.now.Add(d), w.seq, do})
}

func (w *world) logf(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%8dms ", w.now.Sub(start).Milliseconds())+fmt.Sprintf(format, args...))
}

var start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// drain sends what the ends have to say.
func (w *world) drain() {
	for i, e := range w.ends {
		for {
			packet, path := e.AppendPacket(w.now, nil)
			if len(packet) == 0 {
				break
			}
			w.digest.Write(packet)
			w.send(i, path, packet)
		}
		for event, ok := e.NextEvent(); ok; event, ok = e.NextEvent() {
			w.logf("%d: %T%v", i, event, event)
		}
	}
}

func (w *world) send(from int, path ice.Path, packet []byte) {
	copies := 1
	if w.Float64() < w.duplicate {
		copies = 2
	}
	source := path.Local
	if public, ok := w.ends[from].public[source]; ok {
		source = public
	}
	for range copies {
		if w.Float64() < w.loss {
			continue
		}
		w.after(w.delay+time.Duration(w.Int64N(int64(w.jitter)+1)), func() {
			to := w.ends[1-from]
			dest := path.Remote
			if to.public != nil {
				own, ok := to.own[dest]
				if !ok {
					return
				}
				dest = own
			}
			if w.blocked[ice.Path{Local: path.Local, Remote: dest}] {
				return
			}
			to.Receive(w.now, ice.Path{Local: dest, Remote: source}, slices.Clone(packet))
		})
	}
}

// run lets time pass until done, which is asked after everything that happens,
// or until the limit.
func (w *world) run(limit time.Duration, done func() bool) bool {
	until := w.now.Add(limit)
	for steps := 0; ; steps++ {
		w.drain()
		if done() {
			return true
		}
		next := timers.Earlier(w.ends[0].NextTimeout(), w.ends[1].NextTimeout())
		if len(w.events) > 0 {
			next = timers.Earlier(next, w.events[0].at)
		}
		if next.IsZero() || next.After(until) {
			w.now = until
			return false
		}
		if steps > 1e6 {
			panic("no progress")
		}
		w.now = later(w.now, next)
		for _, e := range w.ends {
			if t := e.NextTimeout(); !t.IsZero() && !t.After(w.now) {
				e.Advance(w.now)
			}
		}
		for len(w.events) > 0 && !w.events[0].at.After(w.now) {
			heap.Pop(&w.events).(happening).do()
			w.drain()
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// agreed reports whether both ends completed on the same pair.
func (w *world) agreed() bool {
	a, z := w.ends[0], w.ends[1]
	if a.State() != ice.StateCompleted || z.State() != ice.StateCompleted || a.Controlling() == z.Controlling() {
		return false
	}
	pa, _ := a.SelectedPath()
	pz, _ := z.SelectedPath()
	if w.blocked[pa] || w.blocked[pz] {
		return false // they do not know yet
	}
	if public, ok := a.public[pa.Local]; ok {
		pa.Local = public
	}
	if public, ok := z.public[pz.Local]; ok {
		pz.Local = public
	}
	return pa == ice.Path{Local: pz.Remote, Remote: pz.Local}
}

// newWorld makes a network and two agents from a seed.
func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 8445))
	w := &world{Rand: r, now: start, digest: sha256.New(), blocked: map[ice.Path]bool{}}
	w.delay = time.Duration(1+r.IntN(150)) * time.Millisecond
	w.jitter = time.Duration(r.IntN(100)) * time.Millisecond
	w.loss = 0.3 * r.Float64()
	w.duplicate = 0.1 * r.Float64()
	nat := r.IntN(3) == 0
	lite := r.IntN(8) == 0 // ends[1]
	for i := range w.ends {
		var key [32]byte
		key[0], key[1], key[2], key[3] = byte(i), byte(seed), byte(seed>>8), byte(seed>>16)
		random := rand.NewChaCha8(key)
		e := &end{Agent: ice.New(ice.Config{Rand: random, Lite: lite && i == 1}), random: random, port: 20000}
		w.ends[i] = e
		e.SetRenomination(seed%2 == 1)
		addresses := []string{"192.0.2.%d:5000", "198.51.100.%d:5000", "[2001:db8::%d]:5000", "[2001:db8:1::%d]:5000"}
		r.Shuffle(len(addresses), func(i, j int) { addresses[i], addresses[j] = addresses[j], addresses[i] })
		n := 1 + r.IntN(len(addresses))
		if i == 1 { // both have one family in common
			n = len(addresses)
		}
		for _, a := range addresses[:n] {
			e.AddLocalAddress(start, netip.MustParseAddrPort(fmt.Sprintf(a, 1+i)), ice.LocalOptions{})
		}
		e.EndOfLocalCandidates(start)
		if nat && i == 0 {
			e.public, e.own = map[netip.AddrPort]netip.AddrPort{}, map[netip.AddrPort]netip.AddrPort{}
			e.rebind()
		}
	}
	// Some paths do not work, but one does.
	var paths []ice.Path
	for _, a := range w.ends[0].LocalCandidates() {
		for _, z := range w.ends[1].LocalCandidates() {
			if a.Addr.Addr().Is4() == z.Addr.Addr().Is4() {
				paths = append(paths, ice.Path{Local: a.Addr, Remote: z.Addr})
			}
		}
	}
	r.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	for _, p := range paths[1:] {
		if r.IntN(3) == 0 {
			w.block(p)
		}
	}
	conflict := r.IntN(5) == 0
	w.ends[0].SetControlling(true)
	w.ends[1].SetControlling(conflict)
	w.ends[0].SetRemoteLite(lite)
	w.introduce(time.Duration(r.IntN(1000)) * time.Millisecond)
	return w
}

func (w *world) block(p ice.Path) {
	w.blocked[p] = true
	w.blocked[ice.Path{Local: p.Remote, Remote: p.Local}] = true
}

// introduce tells each end of the other, ends[0] later: the credentials at
// once, and the candidates one by one.
func (w *world) introduce(answer time.Duration) {
	for i, e := range w.ends {
		other := w.ends[1-i]
		var wait time.Duration
		if i == 0 {
			wait = answer
		}
		credentials := other.LocalCredentials()
		w.after(wait, func() { e.SetRemoteCredentials(w.now, credentials) })
		for _, c := range other.LocalCandidates() {
			if w.IntN(4) > 0 {
				wait += time.Duration(w.IntN(100)) * time.Millisecond
			}
			w.after(wait, func() { e.AddRemoteCandidate(w.now, c) })
		}
	}
}

// trouble does one bad thing to a call.
func (w *world) trouble() {
	switch w.IntN(4) {
	case 0:
		if w.ends[0].public != nil {
			w.logf("NAT rebinding")
			w.ends[0].rebind()
		}
	case 1: // the path in use dies, if there is another one
		path, ok := w.ends[0].SelectedPath()
		for _, a := range w.ends[0].LocalCandidates() {
			for _, z := range w.ends[1].LocalCandidates() {
				p := ice.Path{Local: a.Addr, Remote: z.Addr}
				if ok && p != path && a.Addr.Addr().Is4() == z.Addr.Addr().Is4() && !w.blocked[p] {
					w.logf("%v dies", path)
					w.block(path)
					return
				}
			}
		}
	case 2:
		w.logf("restart")
		for _, e := range w.ends {
			e.Restart(w.now, ice.NewCredentials(e.random))
		}
		w.introduce(time.Duration(w.IntN(1000)) * time.Millisecond)
	case 3:
		w.logf("burst of loss")
		loss := w.loss
		w.loss = 1
		w.after(time.Duration(w.IntN(8000))*time.Millisecond, func() { w.loss = loss })
	}
}

// simulate plays a seed: set-up, trouble, recovery.
func simulate(seed uint64) (w *world, err error) {
	w = newWorld(seed)
	if !w.run(20*time.Second, w.agreed) {
		return w, fmt.Errorf("not agreed 20 s after the start")
	}
	w.logf("agreed")
	for range w.IntN(3) {
		w.run(time.Duration(w.IntN(15000))*time.Millisecond, func() bool { return false })
		w.trouble()
		w.drain()
		if !w.run(75*time.Second, func() bool { return w.loss < 1 && w.agreed() }) {
			return w, fmt.Errorf("not agreed again 75 s after trouble")
		}
		w.logf("agreed again")
	}
	return w, nil
}

// Two agents with several addresses each, in a network that loses up to 30 % of
// the datagrams, duplicates and reorders them, whose NAT rebinds and whose paths
// die: they always agree on one pair, and do so again after each trouble.
func TestSimulation(t *testing.T) {
	first, n := *firstSeed, *seedCount
	if first != 0 {
		n = 1
	} else if testing.Short() {
		n = min(n, 100)
	}
	for seed := first; seed < first+uint64(n); seed++ {
		w, err := simulate(seed)
		if err != nil {
			for _, line := range w.log {
				t.Log(line)
			}
			for i, e := range w.ends {
				path, _ := e.SelectedPath()
				t.Logf("%d: %v, controlling %v, %v", i, e.State(), e.Controlling(), path)
				for _, p := range e.Pairs() {
					t.Logf("   %v %v nominated=%v selected=%v rtt=%v", p.Path, p.State, p.Nominated, p.Selected, p.RTT)
				}
			}
			t.Fatalf("seed %d: %v (run it alone with -seed %d)", seed, err, seed)
		}
		if seed%10 == 0 {
			again, _ := simulate(seed)
			if !slices.Equal(w.digest.Sum(nil), again.digest.Sum(nil)) {
				t.Fatalf("seed %d sent other bytes the second time", seed)
			}
		}
	}
}
