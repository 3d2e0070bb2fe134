package congestion

import (
	"math"
	"time"
)

// An aimd is the rate control of Section 5.5: additive or multiplicative increase, multiplicative decrease.
//
//	+----+--------+-----------+------------+--------+
//	|     \ State |   Hold    |  Increase  |Decrease|
//	|      \      |           |            |        |
//	| Signal\     |           |            |        |
//	+--------+----+-----------+------------+--------+
//	|  Over-use   | Decrease  |  Decrease  |        |
//	+-------------+-----------+------------+--------+
//	|  Normal     | Increase  |            |  Hold  |
//	+-------------+-----------+------------+--------+
//	|  Under-use  |           |   Hold     |  Hold  |
//	+-------------+-----------+------------+--------+
//
// Decrease is left at once for Hold.
type aimd struct {
	increasing bool
	bitrate    float64 // A_r, bit/s
	capacity   capacity
	changed    time.Duration // when it last did
	fell       time.Duration
}

const (
	decreaseFactor = 0.85 // beta
	increaseFactor = 1.08 // eta, a second
	leastRise      = 1000 // bit/s, of a multiplicative increase
	leastSlope     = 4000 // bit/s in a second, of an additive one
	// increaseRatio and increaseMargin: "the rate should not be increased" beyond "1.5 * R_hat(i)", for
	// more was not tried, and 10 kbit/s.
	increaseRatio, increaseMargin = 1.5, 10e3
)

// update draws the conclusion from a signal and the incoming rate, which is 0 when it is not known.
func (a *aimd) update(now time.Duration, s signal, incoming float64, rtt time.Duration) {
	switch s {
	case overuse:
		switch {
		case incoming == 0: // nothing was measured yet
			if now-a.changed >= 200*time.Millisecond {
				a.bitrate, a.changed = a.bitrate/2, now
			}
		case a.settled(now, incoming, rtt):
			a.decrease(now, incoming)
		}
	case underuse:
		// "the under-use signal always triggers a transition to hold": queues are to be emptied first.
		a.increasing = false
	case normal:
		if !a.increasing {
			a.increasing, a.changed = true, now
		}
		a.increase(now, incoming, rtt)
	}
}

// settled reports whether what the last change did can be seen: a response time has passed, or it was by far not
// enough.
func (a *aimd) settled(now time.Duration, incoming float64, rtt time.Duration) bool {
	return now-a.changed >= min(max(rtt, 10*time.Millisecond), 200*time.Millisecond) || incoming < a.bitrate/2
}

// decrease: A_r(i) = beta * R_hat(i).
func (a *aimd) decrease(now time.Duration, incoming float64) {
	next := decreaseFactor * incoming
	if next > a.bitrate && a.capacity.known() {
		next = decreaseFactor * 1000 * a.capacity.kbit
	}
	a.bitrate = min(a.bitrate, next)
	// What arrives while the link is over-used is its capacity. One that differs from those before by
	// three standard deviations is that of a link that has changed.
	if a.capacity.below(incoming) {
		a.capacity.forget()
	}
	a.capacity.seen(incoming)
	a.increasing, a.changed, a.fell = false, now, now
}

func (a *aimd) increase(now time.Duration, incoming float64, rtt time.Duration) {
	if a.capacity.above(incoming) {
		a.capacity.forget()
	}
	passed := min(max(now-a.changed, 0), time.Second).Seconds()
	a.changed = now
	// Before anything has arrived, nothing is known.
	most := increaseRatio*incoming + increaseMargin
	if incoming == 0 || a.bitrate >= most {
		return
	}
	var rise float64
	if a.capacity.known() {
		rise = max(leastSlope, a.slope(rtt)) * passed
	} else {
		rise = max(a.bitrate*(math.Pow(increaseFactor, passed)-1), leastRise*passed)
	}
	a.bitrate = min(a.bitrate+rise, most)
}

// slope is how much the rate rises in a second near the capacity: "at most half a packet per
// response_time interval", the response time being a round trip and the 100 ms of the detector; of packets
// as frames of 30 a second make them.
func (a *aimd) slope(rtt time.Duration) float64 {
	const packet = 8 * 1200
	frame := a.bitrate / 30
	size := frame / math.Ceil(max(frame/packet, 1e-9))
	response := rtt + 100*time.Millisecond
	return size / (2 * response.Seconds())
}
