package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A peerClock is how far our clock is ahead of the one in the peer's sender reports, with the
// fastest way of a report in it: packets that are passed on keep their relation to each other, so
// that audio and video stay in step, and get sender reports in our time.
type peerClock struct {
	known  bool
	offset time.Duration
}

// clockStep is a difference that is no way through a network: the clock was set.
const clockStep = 2 * time.Second

// report enters a sender report that arrived. A faster way counts at once, a slower one little: clocks
// drift by less than a millisecond between reports.
func (c *peerClock) report(now time.Time, sr rtcp.SenderReport) {
	offset := now.Sub(sr.NTPTimestamp.Time())
	switch d := offset - c.offset; {
	case !c.known, d < 0, d > clockStep:
		c.known, c.offset = true, offset
	default:
		c.offset += d / 64
	}
}

// sampled converts an RTP timestamp of a stream to our time; zero when no sender report tells, or
// one that cannot be true.
func (st *Stream) sampled(now time.Time, codec *Codec, timestamp uint32) time.Time {
	if st.report.at.IsZero() || codec.ClockRate == 0 {
		return time.Time{}
	}
	passed := int64(int32(timestamp-st.report.RTPTimestamp)) * int64(time.Second) / int64(codec.ClockRate)
	at := st.report.base.Add(st.session.clock.offset + time.Duration(passed))
	if d := now.Sub(at); d > clockStep || d < -clockStep {
		return time.Time{}
	}
	return at
}
