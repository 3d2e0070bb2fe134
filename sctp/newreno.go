package sctp

import "time"

// newReno is the congestion control of RFC 9260, Section 7.2.
type newReno struct {
	// partialBytesAcked counts towards the next growth in congestion avoidance.
	partialBytesAcked int
}

func (r *newReno) begin(c *congestion) { *r = newReno{} }

func (r *newReno) acked(c *congestion, s *sample) {
	if c.inFastRecovery {
		// Section 7.2.4: growth has to wait until what was outstanding at the
		// loss is acknowledged.
		return
	}
	if c.cwnd <= c.ssthresh {
		// Section 7.2.1: "only if the current congestion window is being fully
		// utilized and the data sender is not in Fast Recovery", by at most "L
		// times the destination's PMDCS"; "the positive integer L SHOULD be 1".
		if s.full {
			c.cwnd += min(s.acked, c.pmdcs)
		}
		return
	}
	// Section 7.2.2: one PMDCS a round trip.
	r.partialBytesAcked += s.acked
	switch {
	case r.partialBytesAcked >= c.cwnd && s.full:
		r.partialBytesAcked -= c.cwnd
		c.cwnd += c.pmdcs
	case r.partialBytesAcked > c.cwnd:
		r.partialBytesAcked = c.cwnd
	}
	// "When all of the data transmitted by the sender has been acknowledged by
	// the receiver, partial_bytes_acked is initialized to 0."
	if s.allAcked {
		r.partialBytesAcked = 0
	}
}

// lost is Section 7.2.3.
func (r *newReno) lost(c *congestion, s *sample, first bool) {
	if first {
		c.ssthresh = max(c.cwnd/2, 4*c.pmdcs)
		c.cwnd = c.ssthresh
		r.partialBytesAcked = 0
	}
}

func (r *newReno) timeout(c *congestion, first bool) {
	c.ssthresh = max(c.cwnd/2, 4*c.pmdcs)
	c.cwnd = c.pmdcs
	r.partialBytesAcked = 0
}

// idle is the end of Section 7.2.1: "While the endpoint does not transmit data
// on a given transport address, the cwnd of the transport address SHOULD be
// adjusted to max(cwnd / 2, 4 * PMDCS) once per RTO. Before the first cwnd
// adjustment, the ssthresh of the transport address SHOULD be set to the cwnd."
func (r *newReno) idle(c *congestion, rtos int) { decay(c, rtos) }

func decay(c *congestion, rtos int) {
	c.ssthresh = max(c.cwnd, 4*c.pmdcs)
	for ; rtos > 0 && c.cwnd > 4*c.pmdcs; rtos-- {
		c.cwnd = max(c.cwnd/2, 4*c.pmdcs)
	}
}

func (r *newReno) restored(c *congestion) {}

func (r *newReno) rate(c *congestion, srtt time.Duration) float64 { return windowRate(c, srtt) }

// windowRate is the pace of a window: the window in a round trip, and more, so
// that pacing does not keep it from being filled, or from growing.
func windowRate(c *congestion, srtt time.Duration) float64 {
	if srtt == 0 {
		return 0
	}
	gain := 1.25
	if c.cwnd <= c.ssthresh {
		gain = 2
	}
	return gain * float64(c.cwnd) / srtt.Seconds()
}
