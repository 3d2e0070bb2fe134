package mediafile

import "time"

// Timestamp is what a packet of a frame at pts has, counted from a timestamp of zero.
// An SSRC begins at a random one (RFC 3550, Section 5.1), which is to be added.
func (c Codec) Timestamp(pts time.Duration) uint32 { return uint32(ticks(pts, c.ClockRate)) }

// A Clock makes the PTS of frames that are recorded, of their RTP timestamps.
type Clock struct {
	// Rate is the codec's clock rate.
	Rate int

	started bool
	last    uint32
	ticks   int64
}

// PTS counts from the first timestamp it is given. Timestamps wrap, and may go back a
// little: each is taken to be less than half the range from the one before.
func (c *Clock) PTS(timestamp uint32) time.Duration {
	if !c.started {
		c.started, c.last = true, timestamp
	}
	c.ticks += int64(int32(timestamp - c.last))
	c.last = timestamp
	return duration(c.ticks, c.Rate)
}

// ticks and duration convert between time and a clock of the given rate, to the
// nearest. They do not overflow for three thousand years.
func ticks(d time.Duration, rate int) int64 {
	seconds, rest := d/time.Second, d%time.Second
	return int64(seconds)*int64(rate) + (int64(rest)*int64(rate)+int64(time.Second)/2)/int64(time.Second)
}

func duration(ticks int64, rate int) time.Duration {
	seconds, rest := ticks/int64(rate), ticks%int64(rate)
	return time.Duration(seconds)*time.Second + time.Duration((rest*int64(time.Second)+int64(rate)/2)/int64(rate))
}
