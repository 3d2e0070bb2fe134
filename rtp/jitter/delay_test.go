package jitter

import (
	"math"
	"slices"
	"testing"
	"time"
)

// A quantile of the histogram is that of the sample, as long as nothing is forgotten.
func TestHistogram(t *testing.T) {
	r := seeded(1)
	var h histogram
	var all []time.Duration
	for range memory {
		x := time.Duration(r.ExpFloat64() * float64(30*ms))
		h.add(x)
		all = append(all, x)
	}
	slices.Sort(all)
	for _, share := range []float64{0.5, 0.1, 0.01, 0.004} {
		want := all[len(all)-1-int(share*float64(len(all)))]
		if got := h.above(share); got < want-widest || got > want+widest {
			t.Errorf("%v of the weight lies above %v, of the sample above %v", share, got, want)
		}
	}
}

// Old times are forgotten, wherever they lie, and those beyond the ends are counted
// at the ends.
func TestHistogramMoves(t *testing.T) {
	var h histogram
	for i, at := range []time.Duration{0, 700 * ms, 1500 * ms, -900 * ms, 0, 1 << 60, -1 << 60, 5 * ms} {
		for range 5 * memory {
			h.add(at)
		}
		if got := h.above(0.01); i < 5 && (got < at-widest || got > at+widest) {
			t.Errorf("after all were at %v, a hundredth lies above %v", at, got)
		}
		var sum float64
		for _, w := range h.bins {
			sum += float64(w)
		}
		if math.Abs(sum-h.total) > h.total*1e-3 || math.IsNaN(sum) {
			t.Fatalf("the bins hold %v, the total is %v", sum, h.total)
		}
	}
}

// The drift of a clock is found in the fastest packets, and the quantile follows it.
func TestDrift(t *testing.T) {
	for _, drift := range []float64{-500e-6, -100e-6, 100e-6, 500e-6} {
		r := seeded(2)
		var e estimator
		for n := range 15000 { // 5 min, after which the clocks are up to 150 ms apart
			sent := time.Duration(n) * 20 * ms
			e.add(sent, time.Duration(float64(sent)*drift)+time.Duration(r.Float64()*float64(40*ms)))
		}
		if got := e.drift.slope; math.Abs(got-drift) > 30e-6 {
			t.Errorf("a drift of %v is taken for %v", drift, got)
		}
		now := time.Duration(300e9 * drift)
		if got := e.wanted - now; got < 38*ms || got > 44*ms {
			t.Errorf("with a drift of %v and 40 ms of jitter, %v are waited", drift, got)
		}
	}
}

// When a path becomes better for good the delay follows within seconds; when
// packets take longer now and then it stays.
func TestBetterPath(t *testing.T) {
	r := seeded(3)
	var e estimator
	at := func(n int) time.Duration { return time.Duration(n) * 20 * ms }
	for n := range 3000 {
		e.add(at(n), 150*ms+time.Duration(r.Float64()*float64(50*ms)))
	}
	for n := range 1000 {
		e.add(at(3000+n), time.Duration(r.Float64()*float64(50*ms)))
	}
	if got := e.wanted; got > 60*ms {
		t.Errorf("20 s after the path became faster, %v are waited", got)
	}
	e.reset()
	for n := range 9000 {
		x := r.Float64() * 20
		if n%400 < 6 {
			x = 150
		}
		e.add(at(n), time.Duration(x*float64(ms)))
		if n > 1000 && e.wanted < 120*ms {
			t.Fatalf("after %d packets, six in 400 of which take 150ms, %v are waited", n, e.wanted)
		}
	}
}
