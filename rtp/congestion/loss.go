package congestion

import (
	"math"
	"time"
)

// lossBased is the controller of Section 6, for queues too short for delay to show: A_s.
//
//   - "If 2-10% of the packets have been lost since the previous report from the receiver, the sender available
//     bandwidth estimate will be kept unchanged."
//   - "If more than 10% of the packets have been lost, a new estimate is calculated as As_hat(i) =
//     As_hat(i-1)(1-0.5p)".
//   - "As long as less than 2% of the packets have been lost, As_hat(i) will be increased".
type lossBased struct {
	bitrate      float64 // A_s; 0: not begun
	packets      int     // told of since the last time
	missing      int     // of them lost
	share        float64 // of the last time
	fell, looked time.Duration
}

const (
	lightLoss, heavyLoss = 0.02, 0.10
	leastCounted         = 20 // packets, for a share to be one
	// lossPause is, with a round trip, how long the effect of a decrease is awaited.
	lossPause = 300 * time.Millisecond
)

// update takes what one feedback packet told. delayBased is A_r, which is the most.
func (l *lossBased) update(now, rtt time.Duration, delayBased, target, incoming float64) {
	if l.bitrate == 0 {
		l.bitrate, l.looked = delayBased, now
	}
	if l.packets >= leastCounted {
		l.share = min(max(float64(l.missing)/float64(l.packets), 0), 1)
		l.packets, l.missing = 0, 0
		l.conclude(now, rtt, target, incoming)
	}
	l.rise(now, delayBased)
}

// report takes a share that the receiver has counted itself, in a receiver report.
func (l *lossBased) report(now, rtt time.Duration, share, most float64) {
	if l.bitrate == 0 {
		l.bitrate, l.looked = most, now
	}
	l.share = share
	l.conclude(now, rtt, l.bitrate, 0)
	l.rise(now, most)
}

// conclude lowers the rate when the loss is heavy. A queue that overflows loses what is sent too much, for as long as it
// is full: that is no reason to send less than arrives, but for what empties the queue.
func (l *lossBased) conclude(now, rtt time.Duration, target, incoming float64) {
	if l.share > heavyLoss && (l.fell == 0 || now-l.fell >= lossPause+rtt) {
		l.bitrate = min(l.bitrate, target, max(target*(1-0.5*l.share), decreaseFactor*incoming))
		l.fell = now
	}
}

// rise raises it when the loss is light.
func (l *lossBased) rise(now time.Duration, delayBased float64) {
	passed := min(max(now-l.looked, 0), time.Second).Seconds()
	l.looked = now
	if l.share < lightLoss {
		l.bitrate = l.bitrate*math.Pow(increaseFactor, passed) + leastRise*passed
	}
	// "The actual sending rate is the minimum": and a rise begins there.
	l.bitrate = min(l.bitrate, delayBased)
}

// raise takes what a probe has shown.
func (l *lossBased) raise(bitrate float64) {
	if l.share < lightLoss {
		l.bitrate = max(l.bitrate, bitrate)
	}
}
