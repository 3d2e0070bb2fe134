package sctp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A bbrPath lets a bbr send over a path of a rate and a round trip, with a queue
// before it, as a fluid: in steps of a millisecond, without packets.
type bbrPath struct {
	c    congestion
	r    *bbr
	rate float64 // bytes a second
	rtt  time.Duration

	at        time.Duration
	order     uint32
	flight    []bbrSegment // sent and not acknowledged, in order
	inFlight  int
	queue     float64 // bytes
	delivered uint32
	lost      uint32
	lastFirst time.Duration // C.first_send_time
	lastAt    time.Duration // C.delivered_time
	credit    float64
	minRTT    time.Duration
	lose      func() bool // whether what is sent now will be lost
	foreign   float64     // bytes of others in the queue
	states    []string
}

// A bbrSegment is what was sent in one step.
type bbrSegment struct {
	size  int
	f     flown
	due   time.Duration // when it is acknowledged
	lost  bool
	rtt   time.Duration
	order uint32
}

func newBBRPath(mbits float64, rtt time.Duration) *bbrPath {
	p := &bbrPath{r: new(bbr), rate: mbits * 1e6 / 8, rtt: rtt, at: time.Second}
	p.c.start(1200, p.r)
	p.states = []string{p.r.state.String()}
	return p
}

const bbrStep = time.Millisecond

// step is a millisecond.
func (p *bbrPath) step() {
	p.at += bbrStep
	acked, k := 0, sample{at: p.at, full: p.inFlight >= p.c.cwnd-2000 || p.c.pacer.active}
	var newest *bbrSegment
	for len(p.flight) > 0 && p.flight[0].due <= p.at {
		s := p.flight[0]
		p.flight = p.flight[1:]
		p.inFlight -= s.size
		if s.lost {
			p.lost += uint32(s.size)
			k.lost += s.size
			continue
		}
		acked += s.size
		newest = &s
	}
	if newest != nil {
		p.delivered += uint32(acked)
		k.acked, k.flown, k.rtt, k.srtt = acked, newest.f, newest.rtt, newest.rtt
		if p.minRTT == 0 || k.rtt < p.minRTT {
			p.minRTT = k.rtt
		}
		k.delivered = int(p.delivered - newest.f.delivered)
		k.interval = max(newest.f.at-newest.f.firstSentAt, p.at-newest.f.deliveredAt)
		p.lastFirst, p.lastAt = newest.f.at, p.at
	}
	k.minRTT, k.flight, k.total, k.totalLost = p.minRTT, p.inFlight, p.delivered, p.lost
	if acked > 0 {
		p.r.acked(&p.c, &k)
	}
	if s := p.r.state.String(); s != p.states[len(p.states)-1] {
		p.states = append(p.states, s)
	}
	p.send()
	p.queue = max(0, p.queue-p.rate*bbrStep.Seconds())
}

func (p *bbrPath) send() {
	srtt := p.rtt
	rate := p.r.rate(&p.c, srtt)
	p.c.pacer.quantum = int(rate / 1000)
	p.credit = min(p.credit+rate*bbrStep.Seconds(), 2*rate*bbrStep.Seconds()+3000)
	n := min(int(p.credit), p.c.cwnd-p.inFlight)
	if n <= 0 {
		return
	}
	p.credit -= float64(n)
	if p.inFlight == 0 {
		p.lastFirst, p.lastAt = p.at, p.at
	}
	p.inFlight += n
	p.queue += float64(n)
	rtt := p.rtt + time.Duration((p.queue+p.foreign)/p.rate*float64(time.Second))
	p.order++
	s := bbrSegment{size: n, rtt: rtt, due: p.at + rtt, order: p.order, f: flown{
		at: p.at, deliveredAt: p.lastAt, firstSentAt: p.lastFirst, delivered: p.delivered, lost: p.lost, inFlight: int32(p.inFlight),
	}}
	s.lost = p.lose != nil && p.lose()
	p.flight = append(p.flight, s)
}

func (p *bbrPath) run(d time.Duration) {
	for end := p.at + d; p.at < end; {
		p.step()
	}
}

// until runs until a state begins, and returns how long that took.
func (p *bbrPath) until(t *testing.T, state bbrState, limit time.Duration) time.Duration {
	t.Helper()
	from := p.at
	for p.r.state != state {
		if p.step(); p.at-from > limit {
			t.Fatalf("after %v the state is %v, not %v: %v", limit, p.r.state, state, p.states)
		}
	}
	return p.at - from
}

func (p *bbrPath) bdp() float64 { return p.rate * p.rtt.Seconds() }

// near reports whether got is within a share of want.
func near(got, want, share float64) bool { return got >= want*(1-share) && got <= want*(1+share) }

// Section 5.3: from Startup, which doubles the rate each round trip, by Drain to
// the cycle of ProbeBW.
func TestBBRStates(t *testing.T) {
	p := newBBRPath(100, 40*ms)
	if p.r.state != bbrStartup || p.r.pacingGain != 2.77 || p.r.cwndGain != 2 {
		t.Errorf("it begins in %v with gains %v and %v", p.r.state, p.r.pacingGain, p.r.cwndGain)
	}
	p.run(120 * ms)
	if bw := p.r.bw(); bw < 10000/0.04 || p.r.fullBwReached {
		t.Errorf("after three round trips the bandwidth is %.0f", bw)
	}
	took := p.until(t, bbrDrain, time.Second)
	if !near(p.r.bw(), p.rate, 0.1) {
		t.Errorf("Startup finds %.0f of %.0f bytes a second", p.r.bw(), p.rate)
	}
	// log2 of 500 kB by 12 kB is 5.4; and some to see that it grows no more.
	if took > 11*p.rtt {
		t.Errorf("Startup takes %v, %d round trips", took+120*ms, (took+120*ms)/p.rtt)
	}
	if p.r.pacingGain != 0.5 {
		t.Errorf("Drain's gain is %v", p.r.pacingGain)
	}
	p.until(t, bbrProbeBWDown, time.Second)
	if flight := float64(p.inFlight); flight > 1.1*p.bdp() {
		t.Errorf("Drain ends with %.2f bandwidth-delay products in flight", flight/p.bdp())
	}
	p.run(3 * time.Second)
	got := strings.Join(p.states, " ")
	cycle := "ProbeBW_DOWN ProbeBW_CRUISE ProbeBW_REFILL ProbeBW_UP "
	if want := "Startup Drain " + cycle + cycle + cycle; !strings.HasPrefix(got, want) {
		t.Errorf("the states are %s, want %s…", got, want)
	}
}

// Section 5.3.3: what each phase does with what is in flight.
func TestBBRPhases(t *testing.T) {
	p := newBBRPath(100, 40*ms)
	p.until(t, bbrProbeBWDown, 2*time.Second)
	for range 3 {
		p.until(t, bbrProbeBWCruise, time.Second)
		if flight := float64(p.inFlight); flight > 1.08*p.bdp() {
			t.Errorf("Down ends with %.2f bandwidth-delay products in flight", flight/p.bdp())
		}
		cruise := p.until(t, bbrProbeBWRefill, 3*time.Second)
		if cruise > 13*p.rtt {
			t.Errorf("Cruise lasts %v", cruise)
		}
		if !near(float64(p.inFlight), p.bdp(), 0.15) {
			t.Errorf("Cruise has %.2f bandwidth-delay products in flight", float64(p.inFlight)/p.bdp())
		}
		if refill := p.until(t, bbrProbeBWUp, time.Second); !near(float64(refill), float64(p.rtt), 0.3) {
			t.Errorf("Refill lasts %v: a round trip is due", refill)
		}
		p.until(t, bbrProbeBWDown, time.Second)
		if flight := float64(p.inFlight); flight < 1.2*p.bdp() || flight > 1.8*p.bdp() {
			t.Errorf("Up ends with %.2f bandwidth-delay products in flight", flight/p.bdp())
		}
	}
}

// A path that becomes faster is found out about; one that becomes slower, too,
// within two cycles.
func TestBBRFollowsTheRate(t *testing.T) {
	p := newBBRPath(50, 40*ms)
	p.run(3 * time.Second)
	p.rate *= 2
	p.run(4 * time.Second)
	if !near(p.r.bw(), p.rate, 0.1) {
		t.Errorf("the rate has doubled, and the bandwidth is %.0f of %.0f", p.r.bw(), p.rate)
	}
	p.rate /= 4
	p.run(4 * time.Second)
	if !near(p.r.bw(), p.rate, 0.15) {
		t.Errorf("the rate is a quarter, and the bandwidth is %.0f of %.0f", p.r.bw(), p.rate)
	}
}

// Section 5.3.4: a round trip that was not seen to be the least for five seconds
// is looked at, for a fifth of a second and with half of a bandwidth-delay product.
func TestBBRProbeRTT(t *testing.T) {
	p := newBBRPath(100, 40*ms)
	p.run(2 * time.Second)
	p.foreign = 0.1 * p.bdp() // others queue; the least round trip is no more seen
	took := p.until(t, bbrProbeRTT, 8*time.Second)
	if took < 2*time.Second || took > 5500*ms {
		t.Errorf("ProbeRTT comes after %v", took)
	}
	p.run(100 * ms)
	if flight := float64(p.inFlight); p.r.state != bbrProbeRTT || flight > 0.55*p.bdp() {
		t.Errorf("in %v %.2f bandwidth-delay products are in flight", p.r.state, flight/p.bdp())
	}
	p.foreign = 0
	lasted := p.until(t, bbrProbeBWCruise, time.Second)
	if lasted < 100*ms || lasted > 250*ms {
		t.Errorf("ProbeRTT lasts %v", lasted+100*ms)
	}
	if !near(p.minRTT.Seconds(), p.rtt.Seconds(), 0.05) {
		t.Errorf("the least round trip is %v", p.minRTT)
	}
	before := p.delivered
	p.run(200 * ms)
	if got := float64(p.delivered-before) / 0.2; !near(got, p.rate, 0.25) {
		t.Errorf("after ProbeRTT the rate is %.0f of %.0f", got, p.rate)
	}
}

// Losses without a queue are the path's own, up to a share that is congestion in
// any case.
func TestBBRLosses(t *testing.T) {
	for _, test := range []struct {
		every int // packet that is lost
		least float64
	}{{100, 0.93}, {33, 0.88}, {10, 0.6}} {
		p := newBBRPath(100, 40*ms)
		n := 0
		p.lose = func() bool { n++; return n%test.every == 0 }
		p.run(3 * time.Second)
		before := p.delivered
		p.run(3 * time.Second)
		share := float64(p.delivered-before) / 3 / p.rate
		t.Logf("one in %d is lost: %.2f of the rate", test.every, share)
		if share < test.least {
			t.Errorf("one in %d is lost, and the rate is %.2f of the path's", test.every, share)
		}
	}
}

// Whose queue stands beside ours yields: but only while it is not so long that it
// must be another's who does not.
func TestBBRYields(t *testing.T) {
	for _, test := range []struct {
		queue  float64 // of others, in bandwidth-delay products
		yields bool
	}{{0, false}, {0.4, true}, {1, false}} {
		p := newBBRPath(100, 40*ms)
		p.run(2 * time.Second)
		p.until(t, bbrProbeBWCruise, 2*time.Second)
		p.foreign = test.queue * p.bdp()
		least := p.r.bw()
		for range 200 {
			p.step()
			if p.r.state == bbrProbeBWCruise {
				least = min(least, p.r.bw())
			}
		}
		if yields := least < 0.97*p.rate; yields != test.yields {
			t.Errorf("beside a queue of %.1f bandwidth-delay products the bandwidth is %.2f of the rate", test.queue, least/p.rate)
		}
	}
}

// Each state's gains are those of the table.
func TestBBRGains(t *testing.T) {
	p := newBBRPath(20, 30*ms)
	seen := map[bbrState]bool{}
	for range 9000 {
		p.step()
		seen[p.r.state] = true
		if g := bbrGains[p.r.state]; p.r.pacingGain != g.pacing || p.r.cwndGain != g.cwnd {
			t.Fatalf("in %v the gains are %v and %v", p.r.state, p.r.pacingGain, p.r.cwndGain)
		}
	}
	for _, s := range []bbrState{bbrStartup, bbrDrain, bbrProbeBWDown, bbrProbeBWCruise, bbrProbeBWRefill, bbrProbeBWUp} {
		if !seen[s] {
			t.Errorf("%v never came: %v", s, fmt.Sprint(slices.Compact(p.states)))
		}
	}
}
