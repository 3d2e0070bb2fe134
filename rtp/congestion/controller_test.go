package congestion

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Probes find the path in two seconds, and then the estimate stays a little below it.
func TestFindsThePath(t *testing.T) {
	for _, rate := range []float64{500e3, 1e6, 3e6, 10e6} {
		l := newLink(t, rate)
		l.between("before anything is known", startBitrate, startBitrate)
		if l.c.Known(l.at()) {
			t.Error("something is known before anything was told")
		}
		l.media(3*time.Second, 0)
		l.between("after three seconds", 0.7*rate, 1.05*rate)
		for range 20 {
			l.media(time.Second, 0)
			l.between("later on", 0.7*rate, 1.05*rate)
		}
		if wait := l.free - l.now; wait > 50*ms {
			t.Errorf("at %.0f packets wait %v", rate, wait)
		}
	}
}

// The receiver's clock is another one, may be set, and wraps.
func TestClocksDiffer(t *testing.T) {
	l := newLink(t, 1e6)
	l.skew = -5 * time.Hour
	l.media(5*time.Second, 0)
	l.between("with another clock", 0.7e6, 1.05e6)
	for _, skew := range []time.Duration{12 * 24 * time.Hour, 0, time.Minute, -time.Hour} {
		l.skew = skew
		l.media(2*time.Second, 0)
		l.between("after the clock was set", 0.6e6, 1.3e6)
	}
}

// What the application does not use does not become an estimate; when it could use more and says so, it is probed for.
func TestIdleApplication(t *testing.T) {
	l := newLink(t, 5e6)
	l.c.SetWanted(100e3)
	l.media(30*time.Second, 100e3)
	l.between("with 100 kbit/s to send", 300e3, 320e3)
	l.c.SetWanted(2.5e6)
	l.media(20*time.Second, 100e3)
	l.between("when it could send more", 2e6, 2.6e6)
	l.c.SetWanted(0)
	l.media(20*time.Second, 0)
	l.between("when it sends all it may", 3.5e6, 5.2e6)
}

// A drop while little was sent is made good by a probe.
func TestProbeAfterADrop(t *testing.T) {
	l := newLink(t, 3e6)
	l.queue = 300 * ms
	l.media(5*time.Second, 0)
	before := l.c.Target(l.at())
	l.rate = 200e3
	l.media(2*time.Second, 0)
	l.between("on a narrow path", 30e3, 350e3)
	l.rate = 3e6
	l.media(8*time.Second, 50e3)
	l.between("when it is wide again, and little is sent", 0.7*before, 3.2e6)
}

// Section 6: light loss is nothing, moderate loss stops the rise, heavy loss lowers the rate.
func TestLoss(t *testing.T) {
	l := newLink(t, 1e9)
	l.c.SetLimit(5e6)
	l.media(5*time.Second, 0)
	l.c.SetLimit(0)
	every := func(n int) { l.lose = func(i int) bool { return i%n == 0 } }
	l.lose = func(i int) bool { return i%100 == 0 }
	before := l.c.Target(l.at())
	l.media(5*time.Second, 0)
	if now := l.c.Target(l.at()); now < 1.2*before {
		t.Errorf("with a loss of 1 %% it goes from %.0f to %.0f", before, now)
	}
	every(20)
	l.media(time.Second, 0)
	before = l.c.Target(l.at())
	l.media(5*time.Second, 0)
	l.between("with a loss of 5 %", 0.99*before, 1.01*before)
	every(4)
	l.media(5*time.Second, 0)
	l.between("with a loss of 25 %", leastBitrate, 0.4*before)
}

// A queue that overflows does not make it send much less than the path carries; it may send a little more, for a few per cent
// of loss are nothing to Section 6.
func TestOverflow(t *testing.T) {
	l := newLink(t, 3e6)
	l.queue = 100 * ms
	l.media(5*time.Second, 0)
	l.rate = 500e3
	l.media(3*time.Second, 0)
	l.between("three seconds after the drop", 300e3, 550e3)
	l.media(20*time.Second, 0)
	l.between("at last", 380e3, 550e3)
}

// Without feedback the rate is halved every two seconds; what was there before is found again by a probe.
func TestSilence(t *testing.T) {
	l := newLink(t, 2e6)
	l.media(5*time.Second, 0)
	before := l.c.Target(l.at())
	l.deaf = true
	l.media(7*time.Second, 0)
	l.between("after seven seconds", before/8, before/8)
	l.media(time.Minute, 0)
	l.between("after a minute", leastBitrate, leastBitrate)
	l.deaf, l.arrived = false, nil
	l.media(10*time.Second, 0)
	if now := l.c.Target(l.at()); now < 1.5*leastBitrate {
		t.Errorf("after ten seconds with feedback the target is %.0f", now)
	}
	// A pause of the application's is no silence.
	before = l.c.Target(l.at())
	l.wait(time.Minute)
	l.media(time.Second, 0)
	l.between("after a pause", 0.95*before, 2*before)
}

// What others allow bounds the target; the peer's estimate does so for a while, and stands for ours when there
// is none. Then its reports of loss count.
func TestLimits(t *testing.T) {
	l := newLink(t, 2e6)
	l.c.SetRemote(l.at(), 900e3)
	l.between("the peer's estimate alone", 900e3, 900e3)
	l.c.Report(l.at(), 0.5, 0)
	l.between("and half of the packets lost", 675e3, 675e3)
	l.media(5*time.Second, 0)
	l.between("with feedback", 900e3, 900e3)
	l.media(10*time.Second, 0)
	l.between("long after the peer's estimate", 1.4e6, 2.1e6)
	l.c.Report(l.at(), 0.5, 0)
	l.between("reports do not count beside feedback", 1.4e6, 2.1e6)
	l.c.SetLimit(64e3)
	l.between("limited", 64e3, 64e3)
	l.c.SetLimit(0)
	l.between("not limited", 1.4e6, 2.1e6)
}

// What was told of as lost and arrives after all was not lost, and nothing counts twice.
func TestTotals(t *testing.T) {
	c := New(Config{})
	for i := range uint16(5) {
		c.Sent(testStart, 65533+i, 100)
	}
	take := func(number uint16, received bool) {
		c.BeginFeedback()
		c.Take(number, received, 0, received)
		c.EndFeedback(testStart, 0)
	}
	take(65533, true)
	take(65533, true)
	take(65534, false)
	take(65534, false)
	take(0, false)
	take(0, true)
	take(500, true)
	if got, want := c.Totals(), (Totals{Packets: 2, Bytes: 200, Lost: 1, Feedback: 7}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// The same calls give the same figures.
func TestDeterministic(t *testing.T) {
	run := func() (all []float64) {
		l, dice := newLink(t, 1e6), rand.New(rand.NewPCG(1, 2))
		l.lose = func(int) bool { return dice.IntN(30) == 0 }
		for range 20 {
			l.media(time.Second, 0)
			all = append(all, l.c.Target(l.at()), l.c.PacingRate(l.at()), l.c.Throughput())
		}
		return all
	}
	a, b := run(), run()
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("figure %d is %v and %v", i, a[i], b[i])
		}
	}
}

// A packet that leaves costs no allocation, nor does feedback on it.
func TestNothingIsAllocated(t *testing.T) {
	l := newLink(t, 1e6)
	l.media(20*time.Second, 0)
	if n := testing.AllocsPerRun(1000, func() { l.media(50*ms, 0) }); n > 0 {
		t.Errorf("50 ms of packets and feedback cost %v allocations", n)
	}
	var r Receiver
	now := testStart
	if n := testing.AllocsPerRun(1000, func() { now = now.Add(10 * ms); estimate(&r, now, now, 1000) }); n > 0 {
		t.Errorf("a packet that arrives costs %v allocations", n)
	}
}
