package congestion

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// A Receiver estimates at the receiver what the path carries, from the times in the headers of packets when they left
// (abs-send-time), for who can be told by REMB alone. Section 7: the same filter, detector and rate control.
type Receiver struct {
	epoch      time.Time
	delay      delayBased
	throughput throughput

	begun   bool
	last    rtp.AbsSendTime // the send time that came last
	sent    time.Duration   // by the sender's clock, unwrapped
	arrived time.Duration   // the last packet
	first   time.Duration
	updated time.Duration
	slow    bool // the path was over-used once: its capacity is no guess any more

	told   float64 // what the sender was told last; 0: nothing yet
	toldAt time.Duration
}

const (
	// rembInterval is how often an estimate is repeated.
	rembInterval = time.Second
	// rembDrop makes an estimate leave at once: "If the estimate is lower by more than 3 %",
	// as libwebrtc does.
	rembDrop = 0.97
	// updateInterval is how often the rate control is asked, beside at once when the path is over-used.
	updateInterval = 100 * time.Millisecond
	// startTime is for how long the estimate leaves the sender free to find the rate by itself.
	startTime = 5 * time.Second
	// paused is how long nothing may come until what was measured is not of this stream.
	paused = 2 * time.Second
)

// Received takes a packet: when it left, as the header extension has it, and its size.
func (r *Receiver) Received(now time.Time, sendTime rtp.AbsSendTime, size int) {
	if r.epoch.IsZero() {
		r.epoch = now
	}
	at := now.Sub(r.epoch)
	if r.begun && at-r.arrived > paused {
		r.begun = false
		r.delay.restart()
		r.throughput = throughput{bitrate: r.throughput.bitrate, variance: fastChange}
	}
	if !r.begun {
		if r.delay.bitrate == 0 {
			r.delay.set(startBitrate)
			r.first = at
		}
		r.begun, r.last = true, sendTime
	}
	r.sent += sendTime.Sub(r.last)
	r.last, r.arrived = sendTime, at
	r.throughput.add(at, size)
	r.delay.add(at, r.sent, at)
}

// Estimate returns what the sender is to be told, in bit/s, and whether that is due now. rtt is zero when it is not
// known. It is asked when a packet has arrived.
func (r *Receiver) Estimate(now time.Time, rtt time.Duration) (bitrate float64, due bool) {
	if !r.begun || r.throughput.bitrate == 0 {
		return 0, false
	}
	if rtt == 0 {
		rtt = 200 * time.Millisecond
	}
	at, d, s := now.Sub(r.epoch), &r.delay, r.delay.detector.signal
	if at-r.updated >= updateInterval || s == overuse {
		r.updated = at
		if s == overuse {
			r.slow = true
		}
		d.update(at, r.throughput.bitrate, rtt)
		if !r.slow && at-r.first < startTime {
			d.set(max(d.bitrate, increaseRatio*r.throughput.bitrate+increaseMargin))
		}
	}
	if r.told > 0 && d.bitrate > rembDrop*r.told && at-r.toldAt < rembInterval {
		return d.bitrate, false
	}
	r.told, r.toldAt = d.bitrate, at
	return d.bitrate, true
}
