package congestion

import "time"

// A drain empties the queue that stands when a link has lost much of its rate: the draft only stops to fill it, and as
// a queue that stands does not grow, its filter soon sees nothing amiss. For a while after a large drop less
// is sent than might be, by what is to be worked off. The queue is known by how much longer
// packets take than the fastest of the last ten to twenty seconds. At other times a queue that stands is that of others, which
// fill it as soon as we make room.
type drain struct {
	// The base delay, by clocks that differ.
	begun         bool
	since         time.Duration
	older, latest time.Duration

	window  time.Duration // when the current one began
	least   time.Duration // of its delays
	queue   time.Duration // of the last one, above the base
	peak    float64       // the highest rate of late
	peakAt  time.Duration
	on      bool
	started time.Duration
}

const (
	baseTime    = 10 * time.Second
	queueWindow = 100 * time.Millisecond
	peakTime    = 2 * time.Second
	// drainTime is how long it may take, after which the queue is somebody else's.
	drainTime = 3 * time.Second
	// drained is what is no queue to speak of.
	drained = 40 * time.Millisecond
	// drainShare is the part of the rate that is sent when the queue is almost empty, and leastDrain that when it is
	// long.
	drainShare, leastDrain = 0.9, 0.5
)

// add takes how long a packet was on its way, by clocks that differ.
func (d *drain) add(now, delay time.Duration) {
	switch {
	case !d.begun:
		*d = drain{begun: true, since: now, older: delay, latest: delay, window: now, least: delay}
	case now-d.since > baseTime:
		d.since, d.older, d.latest = now, d.latest, delay
	}
	if now-d.window >= queueWindow {
		d.queue = d.least - min(d.older, d.latest)
		d.window, d.least = now, delay
	}
	d.latest, d.least = min(d.latest, delay), min(d.least, delay)
}

// update reports whether a queue is worked off, given the rate that over-use has left. That does not rise meanwhile.
func (d *drain) update(now time.Duration, bitrate float64) (on bool) {
	switch {
	case d.on:
		d.on = d.queue > drained && now-d.started < drainTime
	case bitrate < largeDrop*d.peak:
		d.on, d.started, d.peak = true, now, 0
	}
	if bitrate >= d.peak || now-d.peakAt > peakTime {
		d.peak, d.peakAt = bitrate, now
	}
	return d.on
}

// share is the part of the rate that is sent while the queue is worked off, so that it is empty after a second.
func (d *drain) share() float64 { return max(leastDrain, drainShare-d.queue.Seconds()) }
