package sctp

import "time"

// An rto is the retransmission timeout of RFC 9260, Section 6.3.1.
type rto struct {
	current time.Duration // RTO, backed off
	srtt    time.Duration // zero: not measured yet
	rttvar  time.Duration
	min     time.Duration
	max     time.Duration
}

// minVariance bounds the variance term from below. A peer may keep its SACK
// back for 200 ms (Section 6.2), which a round trip measured over SACKs that
// were not delayed knows nothing of; with the RTO.Min of 1 s that the RFC has
// in mind this would be covered, with ours it has to be said.
const minVariance = 220 * time.Millisecond

func (r *rto) start(initial, lowest, highest time.Duration) {
	*r = rto{current: initial, min: lowest, max: highest}
}

// measured takes a round trip of a packet that was sent once (C2, C3).
func (r *rto) measured(rtt time.Duration) {
	rtt = max(rtt, 1) // a zero SRTT means that there is none
	if r.srtt == 0 {
		r.srtt, r.rttvar = rtt, rtt/2
	} else {
		// RTO.Alpha is 1/8, RTO.Beta 1/4.
		r.rttvar += ((r.srtt - rtt).Abs() - r.rttvar) / 4
		r.srtt += (rtt - r.srtt) / 8
	}
	r.collapse(0)
}

// collapse undoes what backOff did: a new measurement does, and so does the end
// of the handshake, whose losses say little of what comes. Before there is any
// measurement the timeout is initial.
func (r *rto) collapse(initial time.Duration) {
	r.current = initial
	if r.srtt > 0 {
		r.current = min(max(r.srtt+max(4*r.rttvar, minVariance), r.min), r.max)
	}
}

// backOff doubles the timeout (E2).
func (r *rto) backOff() { r.current = min(2*r.current, r.max) }
