package peerconnection

import "time"

// A mediaClock turns RTP timestamps, which wrap, into times since the track's first frame.
// Where timestamps begin anew, with another stream or another clock rate, it goes on by
// the time that has passed.
type mediaClock struct {
	started bool
	another bool // stream follows: its timestamps have nothing to do with those before
	last    uint32
	ticks   int64
	rate    uint32
	base    time.Duration // of the time before timestamps began anew
	asked   time.Time     // the last time
}

// pts is when a frame is to be presented that is handed out now.
func (c *mediaClock) pts(now time.Time, timestamp, rate uint32) time.Duration {
	if !c.started || c.another || rate != c.rate {
		if c.started {
			// Two frames do not share a time.
			c.base = c.at() + max(now.Sub(c.asked), time.Millisecond)
		}
		c.started, c.another = true, false
		c.last, c.ticks, c.rate = timestamp, 0, rate
	}
	c.ticks += int64(int32(timestamp - c.last))
	c.last, c.asked = timestamp, now
	return c.at()
}

func (c *mediaClock) at() time.Duration {
	if c.rate == 0 {
		return c.base
	}
	seconds, rest := c.ticks/int64(c.rate), c.ticks%int64(c.rate)
	return c.base + time.Duration(seconds)*time.Second + time.Duration(rest)*time.Second/time.Duration(c.rate)
}
