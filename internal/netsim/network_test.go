package netsim

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

func TestRoundTripTakesTheDelaysOfAllLinks(t *testing.T) {
	n := New(1, start)
	x, y := &toy{}, &toy{echoes: true}
	hx := n.AddHost(x, Profile{Delay: 10 * time.Millisecond}, a(1, 0).Addr())
	n.AddHost(y, Profile{Delay: 3 * time.Millisecond}, a(2, 0).Addr())
	hx.Down.Profile.Delay = 100 * time.Millisecond
	n.Path(a(1, 0).Addr(), a(2, 0).Addr()).Profile.Delay = time.Second
	x.send(a(1, 7), a(2, 9), "ping")
	if !n.Run(func() bool { return len(x.got) > 0 }, time.Minute) {
		t.Fatal("no echo")
	}
	if want := 1116 * time.Millisecond; n.Now().Sub(start) != want {
		t.Errorf("there and back took %v, want 10+1000+3+3+100 ms", n.Now().Sub(start))
	}
	if g := y.got[0]; g.local != a(2, 9) || g.remote != a(1, 7) {
		t.Errorf("it arrived at %v from %v", g.local, g.remote)
	}
	if n.Path(a(1, 0).Addr(), a(2, 0).Addr()).Counters().Delivered != 1 {
		t.Error("Path does not return the same link twice")
	}
}

func TestRunEndsWhenItShould(t *testing.T) {
	n := New(1, start)
	x := &toy{wake: start.Add(time.Second), every: time.Second, target: sent{a(1, 1), a(2, 2), "tick"}}
	y := &toy{}
	n.AddHost(x, Profile{Delay: time.Millisecond}, a(1, 0).Addr())
	n.AddHost(y, Profile{}, a(2, 0).Addr())
	at := func(want time.Duration, ticks int, why string) {
		t.Helper()
		if got := n.Now().Sub(start); got != want || len(y.got) != ticks {
			t.Errorf("%s: at %v with %d ticks, want %v with %d", why, got, len(y.got), want, ticks)
		}
	}
	if n.Run(nil, 2500*time.Millisecond) {
		t.Error("a nil condition holds")
	}
	at(2500*time.Millisecond, 2, "Run goes to its limit")
	if !n.Run(func() bool { return len(y.got) == 3 }, time.Hour) {
		t.Error("the condition does not hold")
	}
	at(3001*time.Millisecond, 3, "and ends as soon as the condition holds")
	if !n.Run(func() bool { return true }, time.Hour) {
		t.Error("a condition that holds at once does not hold")
	}
	at(3001*time.Millisecond, 3, "a condition that holds at once takes no time")
	if n.Run(func() bool { return false }, 999*time.Millisecond) {
		t.Error("a condition that never holds holds")
	}
	at(4*time.Second, 3, "a timer at the limit fires, its packet comes later")
	if n.Run(nil, time.Millisecond); true {
		at(4001*time.Millisecond, 4, "with the next Run")
	}
	x.wake = time.Time{}
	if n.Run(func() bool { return false }, time.Hour) {
		t.Error("a condition that never holds holds")
	}
	at(4001*time.Millisecond+time.Hour, 4, "a network without anything to do waits")
}

// At one instant: what was entered first, then timers by host.
func TestOrderAtOneInstant(t *testing.T) {
	n := New(1, start)
	z := &toy{}
	second := &toy{wake: start.Add(time.Second), every: time.Hour, target: sent{a(2, 1), a(9, 1), "timer 2"}}
	first := &toy{wake: start.Add(time.Second), every: time.Hour, target: sent{a(1, 1), a(9, 1), "timer 1"}}
	n.AddHost(first, Profile{}, a(1, 0).Addr())
	n.AddHost(second, Profile{}, a(2, 0).Addr())
	n.AddHost(z, Profile{}, a(9, 0).Addr())
	n.After(time.Second, func() { first.send(a(1, 1), a(9, 1), "call 1") })
	n.At(start.Add(time.Second), func() { second.send(a(2, 1), a(9, 1), "call 2") })
	n.At(start.Add(-time.Second), func() {
		if n.Now() != start {
			t.Errorf("a call for the past turns the clock back to %v", n.Now())
		}
		second.send(a(2, 1), a(9, 1), "late")
	})
	n.Run(nil, time.Second)
	wantTexts(t, z, "late@0s call 1@1s call 2@1s timer 1@1s timer 2@1s")
}

func TestAddressesDecideWhoReceives(t *testing.T) {
	n := New(1, start)
	v6 := netip.MustParseAddr("2001:db8::1")
	x, y := &toy{}, &toy{}
	hx := n.AddHost(x, Profile{}, a(1, 0).Addr(), v6)
	n.AddHost(y, Profile{Delay: time.Second}, a(2, 0).Addr(), netip.MustParseAddr("2001:db8::2"))
	any4, any6 := netip.AddrPortFrom(netip.IPv4Unspecified(), 5), netip.AddrPortFrom(netip.IPv6Unspecified(), 5)

	x.send(any4, a(2, 1), "v4")
	x.send(any6, netip.MustParseAddrPort("[2001:db8::2]:1"), "v6")
	x.send(a(3, 1), a(2, 1), "not its address")
	x.send(a(1, 1), a(3, 1), "nobody's address")
	n.Run(nil, time.Minute)
	wantTexts(t, y, "v4@1s v6@1s")
	if y.got[0].remote != a(1, 5) || y.got[1].remote != netip.AddrPortFrom(v6, 5) {
		t.Errorf("an unspecified address became %v and %v", y.got[0].remote, y.got[1].remote)
	}
	wantDrops(t, n, Drops{NoRoute: 2})

	// Addresses come and go.
	y.send(a(2, 1), a(1, 1), "under way")
	n.Run(nil, 500*time.Millisecond)
	hx.RemoveAddress(a(1, 0).Addr())
	n.Run(nil, time.Minute)
	wantDrops(t, n, Drops{NoRoute: 3})
	hx.AddAddress(a(4, 0).Addr())
	y.send(a(2, 1), a(4, 1), "to the new one")
	n.Run(nil, time.Minute)
	if len(x.got) != 1 || x.got[0].text != "to the new one" || len(hx.Addresses()) != 2 {
		t.Errorf("after the change of address %q arrived", x.texts())
	}
}

func TestMistakesPanic(t *testing.T) {
	n := New(1, start)
	h := n.AddHost(&toy{}, Profile{}, a(1, 0).Addr())
	for name, mistake := range map[string]func(){
		"an address twice":       func() { n.AddHost(&toy{}, Profile{}, a(1, 0).Addr()) },
		"no address":             func() { h.AddAddress(netip.Addr{}) },
		"removing a foreign one": func() { h.RemoveAddress(a(2, 0).Addr()) },
		"packets without end":    func() { n.AddHost(&chatter{}, Profile{Loss: 1}, a(3, 0).Addr()); n.Run(nil, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			mistake()
		}()
	}
}

// A chatter always has another packet.
type chatter struct{ toy }

func (chatter) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	return append(b, 1), a(3, 1), a(1, 1)
}

func TestTimerThatDoesNotMovePanics(t *testing.T) {
	n := New(1, start)
	n.AddHost(&alarm{}, Profile{}, a(3, 0).Addr())
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "seed 1: at 1s things happen without end") {
			t.Errorf("the panic says %q", s)
		}
	}()
	n.Run(nil, time.Minute)
}

// An alarm does not stop its timer.
type alarm struct{ toy }

func (alarm) Advance(time.Time)      {}
func (alarm) NextTimeout() time.Time { return start.Add(time.Second) }
func (alarm) AppendPacket(_ time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	return b, netip.AddrPort{}, netip.AddrPort{}
}

// adverse runs two chatty nodes over bad links and a NAT and returns the hash
// of what was delivered.
func adverse(seed uint64, change func(n *Network, x *toy)) (hash string, delivered int) {
	n := New(seed, start)
	dice := rand.New(n.Rand("profiles"))
	x := &toy{wake: start, every: 7 * time.Millisecond}
	y := &toy{echoes: true}
	g := n.AddNAT(Symmetric, Adverse(dice, 0.3), a(100, 0).Addr())
	g.AddHost(x, Profile{}, private(1, 0).Addr())
	n.AddHost(y, Adverse(dice, 0.3), a(2, 0).Addr())
	x.target = sent{private(1, 1), a(2, 2), "some text of some length"}
	if change != nil {
		change(n, x)
	}
	n.Run(nil, 20*time.Second)
	return n.Hash(), len(x.got) + len(y.got)
}

func TestSameSeedSameBytes(t *testing.T) {
	seen := map[string]uint64{}
	for seed := range uint64(20) {
		hash, delivered := adverse(seed, nil)
		if delivered < 100 {
			t.Errorf("seed %d: only %d datagrams arrived", seed, delivered)
		}
		if again, _ := adverse(seed, nil); again != hash {
			t.Errorf("seed %d: the second run has the hash %s, the first %s", seed, again, hash)
		}
		if other, ok := seen[hash]; ok {
			t.Errorf("seeds %d and %d have the same hash", other, seed)
		}
		seen[hash] = seed
	}
}

func TestHashSeesEverything(t *testing.T) {
	base, _ := adverse(1, nil)
	for name, change := range map[string]func(n *Network, x *toy){
		"one byte":     func(_ *Network, x *toy) { x.target.text = "Some text of some length" },
		"a port":       func(_ *Network, x *toy) { x.target.remote = a(2, 3) },
		"a nanosecond": func(n *Network, x *toy) { n.hosts[1].Down.Profile.Delay++ },
		"one more":     func(_ *Network, x *toy) { x.send(private(1, 1), a(2, 2), "one more") },
	} {
		if hash, _ := adverse(1, change); hash == base {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

// What one link carries does not change the luck of another.
func TestLinksHaveDiceOfTheirOwn(t *testing.T) {
	survivors := func(disturb bool) string {
		n := New(3, start)
		x, y, z := &toy{}, &toy{}, &toy{}
		n.AddHost(x, Profile{Loss: 0.5}, a(1, 0).Addr())
		n.AddHost(y, Profile{Loss: 0.5}, a(2, 0).Addr())
		n.AddHost(z, Profile{}, a(3, 0).Addr())
		for i := range 50 {
			n.After(time.Duration(i)*time.Millisecond, func() { x.send(a(1, 1), a(3, 1), string(rune('A'+i))) })
			if disturb {
				n.After(time.Duration(i)*time.Millisecond, func() { y.send(a(2, 1), a(1, 1), "noise") })
			}
		}
		n.Run(nil, time.Second)
		return z.texts()
	}
	if survivors(false) != survivors(true) {
		t.Error("the traffic of another host changes which datagrams are lost")
	}
}

func TestRandDependsOnSeedAndName(t *testing.T) {
	draw := func(seed uint64, name string) uint64 { return New(seed, start).Rand(name).Uint64() }
	if draw(1, "a") != draw(1, "a") || draw(1, "a") == draw(2, "a") || draw(1, "a") == draw(1, "b") {
		t.Error("the source is not one of seed and name")
	}
}

func TestReceivedBytesAreOverwritten(t *testing.T) {
	p := newPair(1, Profile{})
	k := &keeper{}
	p.AddHost(k, Profile{}, a(3, 0).Addr())
	p.a.send(a(1, 1), a(3, 1), "borrowed")
	p.Run(nil, time.Second)
	if string(k.kept) == "borrowed" {
		t.Error("a node that keeps borrowed bytes gets away with it")
	}
}

type keeper struct {
	toy
	kept []byte
}

func (k *keeper) Receive(_ time.Time, _, _ netip.AddrPort, packet []byte) { k.kept = packet }

func TestDropsAreTraced(t *testing.T) {
	p := newPair(1, Profile{MTU: 100})
	var r trace.Recorder
	p.Trace = trace.New(&r, "")
	p.a.send(a(1, 1), a(2, 2), strings.Repeat("x", 73))
	p.a.send(a(1, 1), a(3, 2), "x")
	p.Run(nil, time.Second)
	got := strings.Join(r.Drops(), "; ")
	want := "larger than the MTU: 192.0.2.1:1 → 192.0.2.2:2; nobody has the address: 192.0.2.1:1 → 192.0.2.3:2"
	if got != want {
		t.Errorf("traced %q, want %q", got, want)
	}
}

// A mirror sends back whatever arrives, and allocates nothing for it.
type mirror struct {
	toy
	stored [256]struct {
		local, remote netip.AddrPort
		bytes         [1200]byte
		size          int
	}
	first, count int
}

func (m *mirror) Receive(_ time.Time, local, remote netip.AddrPort, packet []byte) {
	s := &m.stored[(m.first+m.count)%len(m.stored)]
	s.local, s.remote, s.size = local, remote, copy(s.bytes[:], packet)
	m.count++
}

func (m *mirror) AppendPacket(_ time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	if m.count == 0 {
		return b, netip.AddrPort{}, netip.AddrPort{}
	}
	s := &m.stored[m.first%len(m.stored)]
	m.first++
	m.count--
	return append(b, s.bytes[:s.size]...), s.local, s.remote
}

// echoing is two mirrors that face each other through a NAT.
func echoing() *Network {
	n := New(1, start)
	x, y := &mirror{}, &mirror{}
	p := Profile{Delay: time.Millisecond, Jitter: time.Millisecond, Reorder: 0.01, Rate: 1e9, MTU: 1500}
	n.AddNAT(PortRestrictedCone, p, a(100, 0).Addr()).AddHost(x, p, private(1, 0).Addr())
	n.AddHost(y, p, a(2, 0).Addr())
	for range 100 {
		x.Receive(start, private(1, 1), a(2, 2), make([]byte, 1000))
	}
	n.Run(nil, time.Second)
	return n
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	n := echoing()
	before := n.Counters().Delivered
	allocs := testing.AllocsPerRun(10, func() { n.Run(nil, 100*time.Millisecond) })
	if got := n.Counters().Delivered - before; got < 1000 {
		t.Fatalf("only %d packets in a second: this measures nothing", got)
	}
	if allocs > 0 {
		t.Errorf("%v allocations in 100 ms", allocs)
	}
}

func BenchmarkNetwork(b *testing.B) {
	n := echoing()
	before := n.Counters().Delivered
	b.ReportAllocs()
	for b.Loop() {
		n.Run(nil, 10*time.Millisecond)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n.Counters().Delivered-before), "ns/packet")
}

// Without the hash everything arrives all the same, and nothing stands for it.
func TestUnhashed(t *testing.T) {
	p := newPair(1, Profile{Delay: 20 * time.Millisecond})
	nothing := p.Hash()
	p.Unhashed = true
	p.sendMany(10, 10, time.Millisecond)
	if len(p.z.got) != 10 || p.Hash() != nothing {
		t.Errorf("%d of 10 arrived, and the hash is %s", len(p.z.got), p.Hash())
	}
}
