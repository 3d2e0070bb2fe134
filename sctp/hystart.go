package sctp

import "time"

// A hystart ends slow start before the queue at the bottleneck overflows
// (HyStart++, RFC 9406): when the least round trip of a round has grown, it goes
// on at a quarter of the speed for some rounds, Conservative Slow Start, and
// then leaves, unless the round trip shrinks back: then it was noise.
type hystart struct {
	windowEnd          tsn // the round ends when this is acknowledged
	lastRoundMinRTT    time.Duration
	currentRoundMinRTT time.Duration // zero: infinity
	rttSampleCount     int
	cssBaselineMinRTT  time.Duration // zero: not in Conservative Slow Start
	cssRounds          int
	begun              bool
}

// RFC 9406, Section 4.3.
const (
	minRTTThresh     = 4 * time.Millisecond
	maxRTTThresh     = 16 * time.Millisecond
	minRTTDivisor    = 8
	nRTTSample       = 8
	cssGrowthDivisor = 4
	cssRoundsMax     = 5
	slowStartLimit   = 8 // L, where packets are not paced
)

// acked is Section 4.2: it returns by how much the window grows in slow start,
// and whether slow start ends.
func (h *hystart) acked(c *congestion, s *sample) (grow int, end bool) {
	if !h.begun || s.cum.AtLeast(h.windowEnd) {
		// A round begins.
		if h.begun && h.cssBaselineMinRTT > 0 {
			if h.cssRounds++; h.cssRounds >= cssRoundsMax {
				return 0, true
			}
		}
		h.lastRoundMinRTT, h.currentRoundMinRTT, h.rttSampleCount = h.currentRoundMinRTT, 0, 0
		h.windowEnd, h.begun = s.next, true
	}
	if s.rtt > 0 {
		if h.currentRoundMinRTT == 0 || s.rtt < h.currentRoundMinRTT {
			h.currentRoundMinRTT = s.rtt
		}
		h.rttSampleCount++
	}
	grow = s.acked
	if !c.pacer.active {
		grow = min(grow, slowStartLimit*c.pmdcs)
	}
	enough := h.rttSampleCount >= nRTTSample && h.currentRoundMinRTT > 0
	if h.cssBaselineMinRTT > 0 {
		if enough && h.currentRoundMinRTT < h.cssBaselineMinRTT {
			h.cssBaselineMinRTT = 0 // slow start goes on
		}
		return grow / cssGrowthDivisor, false
	}
	if enough && h.lastRoundMinRTT > 0 {
		thresh := max(minRTTThresh, min(h.lastRoundMinRTT/minRTTDivisor, maxRTTThresh))
		if h.currentRoundMinRTT >= h.lastRoundMinRTT+thresh {
			h.cssBaselineMinRTT, h.cssRounds = h.currentRoundMinRTT, 0
		}
	}
	return grow, false
}
