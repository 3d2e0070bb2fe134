package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// An rtt is the round-trip time of the transport, smoothed over all that reports
// measure.
type rtt struct {
	smoothed time.Duration // 0: not measured yet
}

// defaultRTT stands for a round trip that is not known: too long wastes time
// once, too short sends everything twice.
const defaultRTT = 100 * time.Millisecond

// maxRTT bounds what a report may claim.
const maxRTT = 10 * time.Second

func (r *rtt) value() time.Duration { return r.smoothed }

func (r *rtt) orDefault() time.Duration {
	if r.smoothed == 0 {
		return defaultRTT
	}
	return r.smoothed
}

// sample enters a measurement.
func (r *rtt) sample(d time.Duration) {
	if r.smoothed == 0 {
		r.smoothed = d
		return
	}
	r.smoothed += (d - r.smoothed) / 8
}

// roundTrip computes the round-trip propagation delay, "(A - LSR - DLSR)" (RFC 3550,
// Section 6.4.1), which RFC 3611, Section 4.5 does with a DLRR too.
func roundTrip(now time.Time, last, delay uint32) (time.Duration, bool) {
	if last == 0 {
		return 0, false
	}
	units := int32(rtp.NewNTPTime(now).Middle() - last - delay)
	d := time.Duration(int64(units) * int64(time.Second) >> 16)
	if d > maxRTT || d < -time.Second {
		return 0, false
	}
	// Clocks of 65,536 ticks a second may disagree by one: nothing is faster than that.
	return max(d, time.Second>>16), true
}

// RTT returns the smoothed round-trip time; zero: it was not measured yet.
func (s *Session) RTT() time.Duration { return s.rtt.value() }

// sampleRTT enters a measurement, and tells the jitter buffers, which wait for retransmissions.
func (s *Session) sampleRTT(d time.Duration) {
	s.rtt.sample(d)
	for _, c := range s.sections {
		for _, st := range c.streams {
			st.tellRTT()
		}
	}
}
