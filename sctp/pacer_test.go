package sctp

import (
	"testing"
	"time"
)

func TestPacer(t *testing.T) {
	const rate, size, least = 1e6, 1000, 4000 // a packet a millisecond
	now := epoch()
	var p pacer
	burst := func() (n int) {
		for !p.waits(now) && n < 100 {
			p.sent(now, size, rate, least)
			n++
		}
		return n
	}
	if n := burst(); n != 4 {
		t.Errorf("%d packets leave at once, want a quantum of 4", n)
	}
	start, total := now, 0
	for range 1000 {
		now = p.release.Add(300 * time.Microsecond) // timers fire late
		total += burst()
	}
	if got := float64(total*size) / now.Sub(start).Seconds(); got < 0.97*rate || got > 1.01*rate {
		t.Errorf("late timers make it %.0f bytes a second, want %.0f", got, rate)
	}
	now = now.Add(time.Minute)
	if n := burst(); n > 8 {
		t.Errorf("%d packets leave at once after a pause", n)
	}
	p.sent(now, size, 0, least)
	if p.waits(now) {
		t.Error("a pacer without a rate waits")
	}
}
