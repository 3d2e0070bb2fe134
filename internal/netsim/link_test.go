package netsim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestPerfectLink(t *testing.T) {
	p := newPair(1, Profile{Delay: 20 * time.Millisecond})
	p.sendMany(100, 10, time.Millisecond)
	for i, g := range p.z.got {
		if want := time.Duration(20+i) * time.Millisecond; g.at.Sub(start) != want {
			t.Fatalf("datagram %d arrives at %v, want %v", i, g.at.Sub(start), want)
		}
	}
	want := Counters{Packets: 100, Bytes: 1000, Delivered: 100}
	if got := p.link.Counters(); got != want {
		t.Errorf("the counters are %+v, want %+v", got, want)
	}
	want.Packets, want.Bytes, want.Delivered = 200, 2000, 200 // z's link down too
	if got := p.Counters(); got != want {
		t.Errorf("all counters are %+v, want %+v", got, want)
	}
}

// At 1 Mbit/s a packet of 1250 bytes, headers included, takes 10 ms.
func TestRateIsExact(t *testing.T) {
	p := newPair(1, Profile{Rate: 1_000_000, Queue: 1 << 20, Delay: 5 * time.Millisecond})
	p.sendMany(50, 1250-28, 0)
	if len(p.z.got) != 50 {
		t.Fatalf("%d of 50 arrived", len(p.z.got))
	}
	for i, g := range p.z.got {
		if want := time.Duration(10*(i+1)+5) * time.Millisecond; g.at.Sub(start) != want {
			t.Fatalf("datagram %d arrives at %v, want %v", i, g.at.Sub(start), want)
		}
	}
}

// No time is lost to rounding: at 3 bit/s a packet of 37 bytes takes 98 and two
// thirds of a second; three take 296 s to the nanosecond.
func TestRateDoesNotRound(t *testing.T) {
	p := newPair(1, Profile{Rate: 3, Queue: 1000})
	for range 3 {
		p.a.send(a(1, 1), a(2, 2), "123456789")
	}
	p.Run(nil, time.Hour)
	wantTexts(t, p.z, "123456789@1m38.666666666s 123456789@3m17.333333333s 123456789@4m56s")
}

// A link that was idle starts afresh, fractions of a nanosecond included.
func TestRateAfterIdleness(t *testing.T) {
	p := newPair(1, Profile{Rate: 1_000_000})
	p.sendMany(3, 1250-28, time.Second)
	for i, g := range p.z.got {
		if want := time.Duration(i)*time.Second + 10*time.Millisecond; g.at.Sub(start) != want {
			t.Errorf("datagram %d arrives at %v, want %v", i, g.at.Sub(start), want)
		}
	}
	p = newPair(1, Profile{Rate: 3})
	for i := range 3 {
		p.After(time.Duration(i)*100*time.Second, func() { p.a.send(a(1, 1), a(2, 2), "123456789") })
	}
	p.Run(nil, time.Hour)
	wantTexts(t, p.z, "123456789@1m38.666666666s 123456789@3m18.666666666s 123456789@4m58.666666666s")
}

func TestQueueIsBounded(t *testing.T) {
	for _, test := range []struct {
		queue, burst, want int
		why                string
	}{
		{1250, 5, 1, "room for one packet"},
		{2499, 5, 1, "one byte too little for two"},
		{2500, 5, 2, "room for two"},
		{12500, 100, 10, "room for ten"},
		{1, 5, 1, "a packet that need not wait is never dropped"},
		{0, 100, 10, "zero is what the link carries in 100 ms"},
	} {
		p := newPair(1, Profile{Rate: 1_000_000, Queue: test.queue})
		p.sendMany(test.burst, 1250-28, 0)
		c := p.link.Counters()
		if c.Delivered != test.want || c.Overflowed != test.burst-test.want {
			t.Errorf("a queue of %d bytes lets %d of %d packets pass, want %d: %s", test.queue, c.Delivered, test.burst, test.want, test.why)
		}
	}
}

// A sender at twice the rate gets half through, at the rate.
func TestOverload(t *testing.T) {
	p := newPair(1, Profile{Rate: 1_000_000, Queue: 5000})
	p.sendMany(2000, 1250-28, 5*time.Millisecond)
	if got := len(p.z.got); got < 1000 || got > 1004 {
		t.Errorf("%d of 2000 packets pass, want 1000 and what the queue held at the end", got)
	}
	for i := 1; i < len(p.z.got); i++ {
		if gap := p.z.got[i].at.Sub(p.z.got[i-1].at); gap != 10*time.Millisecond {
			t.Fatalf("packet %d comes %v after the one before, want 10 ms", i, gap)
		}
	}
}

func TestMTU(t *testing.T) {
	p := newPair(1, Profile{MTU: 1280})
	p.a.send(a(1, 1), a(2, 2), strings.Repeat("x", 1280-28))
	p.a.send(a(1, 1), a(2, 2), strings.Repeat("x", 1281-28))
	p.Run(nil, time.Second)
	if c := p.link.Counters(); c.Delivered != 1 || c.TooBig != 1 {
		t.Errorf("the counters are %+v, want one delivered and one too big", c)
	}
}

// A datagram of 9000 bytes passes a link of 1500 in seven fragments: it takes the
// time of their headers too, and arrives if each of them does.
func TestFragments(t *testing.T) {
	p := newPair(1, Profile{MTU: 1500, Rate: 1_000_000, Queue: 1 << 30})
	p.a.split = true
	p.sendMany(1, 9000, 0)
	if want := time.Duration(9000+8+7*20) * 8 * time.Microsecond; len(p.z.got) != 1 || p.z.got[0].at.Sub(start) != want {
		t.Errorf("it arrives: %v, and %v were expected", p.z.texts(), want)
	}
	if c := p.link.Counters(); c.Fragmented != 1 {
		t.Errorf("the counters are %+v, want one fragmented", c)
	}
	const n = 5000
	p = newPair(1, Profile{MTU: 1500, Loss: 0.1})
	p.a.split = true
	p.sendMany(n, 9000, 0)
	within(t, "datagrams of which no fragment was lost", len(p.z.got), n, math.Pow(0.9, 7))
}

// within checks a count of things that happen with probability p each against
// five standard deviations: a seed that fails it would be one in a million.
func within(t *testing.T, what string, got, of int, p float64) {
	t.Helper()
	mean, deviation := float64(of)*p, math.Sqrt(float64(of)*p*(1-p))
	if math.Abs(float64(got)-mean) > 5*deviation {
		t.Errorf("%s: %d of %d, want %.0f ± %.0f", what, got, of, mean, 5*deviation)
	}
}

func TestLossReorderingAndDuplicationHappenAsOftenAsTheyShould(t *testing.T) {
	const count = 20_000
	for _, probability := range []float64{0, 0.01, 0.3, 0.999, 1} {
		p := newPair(1, Profile{Loss: probability})
		p.sendMany(count, 1, time.Microsecond)
		within(t, "lost", p.link.Counters().Lost, count, probability)
		if got := len(p.z.got); got != count-p.link.Counters().Lost {
			t.Errorf("%d arrived", got)
		}
		p = newPair(1, Profile{Duplicate: probability})
		p.sendMany(count, 1, time.Microsecond)
		within(t, "duplicated", p.link.Counters().Duplicated, count, probability)
		if got := len(p.z.got); got != count+p.link.Counters().Duplicated {
			t.Errorf("%d arrived", got)
		}
		p = newPair(1, Profile{Reorder: probability})
		p.sendMany(count, 1, time.Microsecond)
		within(t, "reordered", p.link.Counters().Reordered, count, probability)
		if len(p.z.got) != count {
			t.Errorf("%d arrived", len(p.z.got))
		}
	}
}

// The model of Gilbert and Elliott: 1/Leave datagrams in a burst, and
// Enter/(Enter+Leave) of all in one.
func TestBursts(t *testing.T) {
	const count, enter, leave = 200_000, 0.01, 0.25
	p := newPair(1, Profile{Burst: Burst{Enter: enter, Leave: leave}})
	total, bursts, inBurst := 0, 0, false
	for i := range count {
		p.After(time.Duration(i), func() { // sees what became of the datagram before
			lost := p.link.Counters().Lost > total
			if lost && !inBurst {
				bursts++
			}
			inBurst, total = lost, p.link.Counters().Lost
			p.a.send(a(1, 1), a(2, 2), "x")
		})
	}
	p.Run(nil, time.Second)
	share := float64(total) / count
	if want := enter / (enter + leave); math.Abs(share-want) > 0.1*want {
		t.Errorf("%.4f of all are lost, want %.4f", share, want)
	}
	if length := float64(total) / float64(bursts); math.Abs(length-1/leave) > 0.1/leave {
		t.Errorf("a burst has %.2f datagrams, want %.2f", length, 1/leave)
	}

	// In the bad state not everything need be lost, and the good one has a loss of its own.
	p = newPair(1, Profile{Loss: 0.02, Burst: Burst{Enter: 0.5, Leave: 0.5, Loss: 0.4}})
	p.sendMany(20_000, 1, time.Microsecond)
	within(t, "lost in both states", p.link.Counters().Lost, 20_000, (0.02+0.4)/2)
}

func TestJitterKeepsTheOrder(t *testing.T) {
	p := newPair(1, Profile{Delay: 10 * time.Millisecond, Jitter: 20 * time.Millisecond})
	for i := range 500 {
		at := time.Duration(i) * 100 * time.Millisecond
		for j := range 2 {
			p.After(at+time.Duration(j)*time.Millisecond, func() { p.a.send(a(1, 1), a(2, 2), fmt.Sprintf("%04d", 2*i+j)) })
		}
	}
	p.Run(nil, time.Hour)
	if len(p.z.got) != 1000 || !inOrder(p.z.got) {
		t.Fatal("jitter loses datagrams or changes their order")
	}
	var sum, least, most time.Duration = 0, time.Hour, 0
	for i := range 500 {
		d := p.z.got[2*i].at.Sub(start) - time.Duration(i)*100*time.Millisecond
		sum, least, most = sum+d, min(least, d), max(most, d)
	}
	if mean := sum / 500; least < 10*time.Millisecond || most > 30*time.Millisecond || most < 29*time.Millisecond ||
		least > 11*time.Millisecond || mean < 19*time.Millisecond || mean > 21*time.Millisecond {
		t.Errorf("the delay is %v to %v, %v on average; want 10 ms to 30 ms, 20 ms", least, most, mean)
	}
}

// A datagram that is held back arrives exactly so much later, behind those that
// were sent meanwhile, and holds up none of them.
func TestReorder(t *testing.T) {
	p := newPair(1, Profile{Delay: 10 * time.Millisecond})
	send := func(at time.Duration, text string, reorder float64) {
		p.After(at, func() {
			p.link.Profile.Reorder, p.link.Profile.ReorderBy = reorder, 5*time.Millisecond
			p.a.send(a(1, 1), a(2, 2), text)
		})
	}
	send(0, "late", 1)
	send(2*time.Millisecond, "first", 0)
	send(4*time.Millisecond, "second", 0)
	send(7*time.Millisecond, "third", 0)
	p.Run(nil, time.Second)
	wantTexts(t, p.z, "first@12ms second@14ms late@15ms third@17ms")

	// Late means behind everything before it, however slow that was.
	p = newPair(1, Profile{Delay: 100 * time.Millisecond})
	p.a.send(a(1, 1), a(2, 2), "slow")
	p.After(time.Millisecond, func() {
		p.link.Profile = Profile{Reorder: 1}
		p.a.send(a(1, 1), a(2, 2), "late")
	})
	p.Run(nil, time.Second)
	wantTexts(t, p.z, "slow@100ms late@110ms")
}

func TestDuplicatesAreCopies(t *testing.T) {
	p := newPair(1, Profile{Duplicate: 1, Delay: time.Millisecond})
	p.a.send(a(1, 1), a(2, 2), "twice")
	p.Run(nil, time.Second)
	wantTexts(t, p.z, "twice@1ms twice@1ms")
}

// A link that is down for a while loses what is sent then, and no more.
func TestOutage(t *testing.T) {
	p := newPair(1, Profile{Delay: 100 * time.Millisecond})
	p.After(10*time.Second, func() { p.link.Profile.Loss = 1 })
	p.After(20*time.Second, func() { p.link.Profile.Loss = 0 })
	p.sendMany(30, 1, time.Second)
	if c := p.link.Counters(); c.Delivered != 20 || c.Lost != 10 {
		t.Errorf("the counters are %+v, want 20 delivered and 10 lost", c)
	}
}

func TestAdverseIsVariedAndBounded(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 1))
	var jitter, burst, reorder, duplicate, rate int
	for range 1000 {
		p := Adverse(dice, 0.3)
		if p.Loss < 0 || p.Loss > 0.3 || p.Delay < 0 || p.Delay > 100*time.Millisecond || p.Rate < 0 || p.Rate > 0 && p.Rate < 256_000 {
			t.Fatalf("the profile %+v is out of bounds", p)
		}
		count := func(n *int, is bool) {
			if is {
				*n++
			}
		}
		count(&jitter, p.Jitter > 0)
		count(&burst, p.Burst != Burst{})
		count(&reorder, p.Reorder > 0)
		count(&duplicate, p.Duplicate > 0)
		count(&rate, p.Rate > 0)
	}
	within(t, "with jitter", jitter, 1000, 0.5)
	within(t, "with bursts", burst, 1000, 0.25)
	within(t, "with reordering", reorder, 1000, 0.5)
	within(t, "with duplication", duplicate, 1000, 0.5)
	within(t, "with a bottleneck", rate, 1000, 0.25)
}

// FuzzSchedule compares the heap with the order that sorting gives.
func FuzzSchedule(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		var s schedule
		waiting := map[uint64]time.Duration{}
		now := time.Duration(0)
		for range 500 {
			if random.IntN(3) > 0 {
				at := now + time.Duration(random.IntN(10))
				s.push(event{at: at})
				waiting[s.entered] = at
				continue
			}
			var want uint64
			for order, at := range waiting {
				if want == 0 || at < waiting[want] || at == waiting[want] && order < want {
					want = order
				}
			}
			at, ok := s.next()
			if ok != (want > 0) {
				t.Fatalf("next says %v with %d waiting", ok, len(waiting))
			}
			if !ok {
				continue
			}
			if e := s.pop(); e.order != want || e.at != at || e.at != waiting[want] {
				t.Fatalf("event %d at %v comes, want %d at %v", e.order, e.at, want, waiting[want])
			}
			now = at
			delete(waiting, want)
		}
	})
}
