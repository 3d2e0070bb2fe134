package sctp

import (
	"math"
	"testing"
	"time"
)

// RFC 9438: after a loss the window grows back to where it was along a cubic
// curve, slowly near it and fast beyond.
func TestCubic(t *testing.T) {
	const rtt = 100 * ms
	var c congestion
	u := new(cubic)
	c.start(1000+headerSize, u)
	c.cwnd = 100_000
	c.lost(&sample{next: 11})
	if c.cwnd != 70_000 || c.ssthresh != 70_000 {
		t.Fatalf("cwnd %d, ssthresh %d after a loss, want beta_cubic of it", c.cwnd, c.ssthresh)
	}
	k := math.Cbrt(30 / 0.4) // Section 4.2
	at := time.Second
	var half, full, beyond int
	for i := 0; at < time.Second+time.Duration(1.5*k*1e9); i++ {
		c.opportunity(c.cwnd)
		c.acked(&sample{at: at, acked: c.cwnd, cum: 20, next: 30, srtt: rtt})
		c.built(true)
		switch passed := (at - time.Second).Seconds(); {
		case passed < k/2:
			half = c.cwnd
		case passed < k:
			full = c.cwnd
		default:
			beyond = c.cwnd
		}
		at += rtt
	}
	if half < 93_000 || half > 99_000 || full < 99_000 || full > 102_000 || beyond < 103_000 {
		t.Errorf("the window is %d after half of K, %d after K and %d after half as much again", half, full, beyond)
	}

	c.cwnd = 80_000
	c.lost(&sample{next: 100})
	if want := 80 * 0.85; math.Abs(u.wMax-want) > 0.01 {
		t.Errorf("W_max is %v, want %v: fast convergence (Section 4.7)", u.wMax, want)
	}
	c.undo.resent = 1
	c.duplicates(1)
	if c.cwnd != 80_000 || c.inFastRecovery {
		t.Errorf("cwnd is %d when the loss turned out not to be one", c.cwnd)
	}
}

// RFC 9406: a round trip that grows makes slow start slower, and five rounds
// later ends it; one that shrinks back does not.
func TestHystart(t *testing.T) {
	var c congestion
	u := new(cubic)
	c.start(1000+headerSize, u)
	c.pacer.active = true // so that growth is not limited to eight packets a SACK
	cum := tsn(0)
	round := func(rtt time.Duration) {
		cum += 20
		for range nRTTSample {
			c.opportunity(c.cwnd)
			c.acked(&sample{acked: c.cwnd / nRTTSample, cum: cum, next: cum + 20, rtt: rtt, srtt: rtt})
			c.built(true)
		}
	}
	round(100 * ms)
	round(103 * ms)
	before := c.cwnd
	round(103 * ms)
	if c.cwnd < 2*before {
		t.Errorf("the window went from %d to %d while the round trip hardly grew", before, c.cwnd)
	}
	round(120 * ms)
	before = c.cwnd
	round(120 * ms)
	if c.cwnd < before*5/4 || c.cwnd > before*3/2 {
		t.Errorf("the window went from %d to %d in Conservative Slow Start", before, c.cwnd)
	}
	round(100 * ms)
	if u.hystart.cssBaselineMinRTT != 0 {
		t.Error("the round trip is short again, and slow start does not go on")
	}
	for range 8 {
		round(140 * ms)
	}
	if c.ssthresh > c.cwnd {
		t.Errorf("slow start goes on: cwnd %d, ssthresh %d", c.cwnd, c.ssthresh)
	}
}
