package congestion

import (
	"testing"
	"time"
)

const ms = time.Millisecond

var testStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A link carries packets in order at a rate, and feedback on them every 100 ms.
type link struct {
	t     testing.TB
	c     *Controller
	now   time.Duration
	rate  float64 // bit/s
	delay time.Duration
	queue time.Duration // the most that a packet waits; 0: any
	skew  time.Duration // of the receiver's clock
	lose  func(n int) bool
	deaf  bool // no feedback comes back

	n       int
	number  uint16
	free    time.Duration // when the link is
	told    time.Duration
	arrived []arrival
}

type arrival struct {
	number uint16
	lost   bool
	at     time.Duration
}

func newLink(t testing.TB, rate float64) *link {
	return &link{t: t, c: New(Config{}), rate: rate, delay: 25 * ms}
}

func (l *link) at() time.Time { return testStart.Add(l.now) }

// send sends a packet.
func (l *link) send(size int) {
	l.c.Sent(l.at(), l.number, size)
	a := arrival{number: l.number}
	l.number++
	l.n++
	l.free = max(l.free, l.now)
	if l.queue > 0 && l.free-l.now > l.queue || l.lose != nil && l.lose(l.n) {
		a.lost = true
	} else {
		l.free += time.Duration(8 * float64(size) / l.rate * float64(time.Second))
		a.at = l.free + l.delay
	}
	l.arrived = append(l.arrived, a)
}

// wait lets time pass, and feedback come.
func (l *link) wait(d time.Duration) {
	l.now += d
	if l.deaf || l.now-l.told < 100*ms {
		return
	}
	l.told = l.now
	l.c.BeginFeedback()
	n := 0
	for _, a := range l.arrived {
		if a.at+l.delay > l.now {
			break
		}
		l.c.Take(a.number, !a.lost, a.at+l.skew, true)
		n++
	}
	l.arrived = append(l.arrived[:0], l.arrived[n:]...)
	if n > 0 {
		l.c.EndFeedback(l.at(), 2*l.delay)
	}
}

// media sends for a time what the controller says, or at most so much: a packet of a frame each 5 ms.
func (l *link) media(d time.Duration, most float64) {
	const every = 5 * ms
	for end := l.now + d; l.now < end; l.wait(every) {
		rate := l.c.Target(l.at())
		if most > 0 {
			rate = min(rate, most)
		}
		l.c.Probe(l.at())
		for l.c.Probing(l.at()) {
			l.send(1000)
			l.wait(time.Duration(8 * 1000 / l.c.PacingRate(l.at()) * float64(time.Second)))
		}
		l.send(max(int(rate/8*every.Seconds()), 20))
	}
}

func (l *link) between(what string, low, high float64) {
	l.t.Helper()
	if got := l.c.Target(l.at()); got < low || got > high {
		l.t.Errorf("%s the target is %.0f, want %.0f to %.0f", what, got, low, high)
	}
}
