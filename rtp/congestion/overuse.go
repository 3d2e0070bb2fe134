package congestion

import (
	"math"
	"time"
)

// A signal is what the over-use detector says of the path.
type signal uint8

const (
	normal   signal = iota
	overuse         // the queue grows
	underuse        // it drains
)

func (s signal) String() string { return [...]string{"normal", "over-use", "under-use"}[s] }

// A detector compares m(i) with a threshold that adapts, Section 5.4: were it fixed, flows that fill queues
// would starve this one, and small jitter would stop it.
type detector struct {
	signal    signal
	threshold float64       // del_var_th(i), ms; 0: not begun
	updated   time.Duration // when the threshold was
	over      time.Duration // for how long m(i) was above it; -1: it is not
	times     int
	previous  float64 // m(i-1)
}

const (
	firstThreshold = 12.5 // del_var_th(0), ms
	leastThreshold = 6.0
	mostThreshold  = 600.0
	thresholdUp    = 0.0087 // K_u
	thresholdDown  = 0.039  // K_d
	thresholdSpike = 15.0   // what is this much above the threshold does not raise it
	overuseTime    = 10 * time.Millisecond
	trendGain      = 4.0
	mostDeltas     = 60 // by how many groups a slope is multiplied, at most
)

// update takes a slope that n variations gave, of which the last was sent over a time, and arrived.
func (d *detector) update(slope float64, n int, sent, arrived time.Duration) {
	if d.threshold == 0 {
		d.threshold, d.over = firstThreshold, -1
	}
	if n < 2 {
		d.signal = normal
		return
	}
	// What the queue has grown by, and by which it goes on to grow: the delay that the slope makes
	// over so many groups, amplified.
	m := float64(min(n, mostDeltas)) * slope * trendGain
	switch {
	case m > d.threshold:
		// "An over-use will be signaled only if the condition has been true for at least
		// overuse_time_th and over at least two groups, and if m(i) >= m(i-1)".
		if d.over < 0 {
			d.over = sent / 2
		} else {
			d.over += sent
		}
		d.times++
		if d.over > overuseTime && d.times > 1 && slope >= d.previous {
			d.over, d.times = 0, 0
			d.signal = overuse
		}
	case m < -d.threshold:
		d.over, d.times = -1, 0
		d.signal = underuse
	default:
		d.over, d.times = -1, 0
		d.signal = normal
	}
	d.previous = slope
	d.adapt(m, arrived)
}

// adapt moves the threshold towards |m(i)|:
//
//	del_var_th(i) = del_var_th(i-1) + (t(i)-t(i-1)) * K(i) * (|m(i)|-del_var_th(i-1))
//
// "with K(i)=K_d if |m(i)| < del_var_th(i-1) or K(i)=K_u otherwise." Section 5.4.
func (d *detector) adapt(m float64, arrived time.Duration) {
	passed := min(max(milliseconds(arrived-d.updated), 0), 100)
	d.updated = arrived
	size := math.Abs(m)
	// "del_var_th(i) SHOULD NOT be updated if: |m(i)| - del_var_th(i) > 15".
	if size > d.threshold+thresholdSpike {
		return
	}
	k := thresholdUp
	if size < d.threshold {
		k = thresholdDown
	}
	// "It is also RECOMMENDED to clamp del_var_th(i) to the range [6, 600]".
	d.threshold = min(max(d.threshold+k*(size-d.threshold)*passed, leastThreshold), mostThreshold)
}
