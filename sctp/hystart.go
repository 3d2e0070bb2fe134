package sctp

import (
	"slices"
	"time"
)

// A hystart ends slow start before the queue at the bottleneck overflows
// (HyStart++, RFC 9406): when the least round trip of a round has grown, it goes
// on at a quarter of the speed for some rounds, Conservative Slow Start, and
// then leaves, unless the round trip shrinks back: then it was noise.
//
// The RFC looks at the least round trip since the round began. Where packets are
// paced a queue builds up in the course of a round, which would be seen a round
// later, when the window has doubled once more. So the least of the last samples
// counts here; and when the round trip has grown by as much again, it was no noise,
// and slow start ends at once.
type hystart struct {
	windowEnd          tsn // the round ends when this is acknowledged
	lastRoundMinRTT    time.Duration
	currentRoundMinRTT time.Duration             // zero: infinity
	recent             [nRTTSample]time.Duration // the last samples of the round, in no order
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

// threshold is RttThresh.
func threshold(rtt time.Duration) time.Duration {
	return max(minRTTThresh, min(rtt/minRTTDivisor, maxRTTThresh))
}

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
		h.recent[h.rttSampleCount%nRTTSample] = s.rtt
		h.rttSampleCount++
	}
	grow = s.acked
	if !c.pacer.active {
		grow = min(grow, slowStartLimit*c.pmdcs)
	}
	if h.rttSampleCount < nRTTSample {
		if h.cssBaselineMinRTT > 0 {
			grow /= cssGrowthDivisor
		}
		return grow, false
	}
	least := slices.Min(h.recent[:])
	if h.cssBaselineMinRTT > 0 {
		if least < h.cssBaselineMinRTT {
			h.cssBaselineMinRTT = 0 // slow start goes on
		}
		return grow / cssGrowthDivisor, least >= h.cssBaselineMinRTT+threshold(h.cssBaselineMinRTT)
	}
	if h.lastRoundMinRTT > 0 && least >= h.lastRoundMinRTT+threshold(h.lastRoundMinRTT) {
		h.cssBaselineMinRTT, h.cssRounds = least, 0
	}
	return grow, false
}
