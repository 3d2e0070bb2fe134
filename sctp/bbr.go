package sctp

import (
	"math"
	"time"
)

// bbr is a congestion control that keeps a model of the path, how fast it
// delivers and its least round trip, and sends at that rate with little more
// than that in flight: BBRv3 (draft-ietf-ccwg-bbr-05), whose sections it follows.
//
// It differs from the draft in these points:
//   - Losses are congestion only while a queue stands (see congested): others are
//     the path's own, and one that loses a few packets in a hundred still carries
//     what it can.
//   - Startup ends, and its window stops growing, at the first sign of a queue; a
//     probe ends when it has made one. There is less to lose and to wait for.
//   - Probes come more often, and in Cruise the window is 1.6 bandwidth-delay
//     products, which leaves more to NewReno.
//   - A probe goes on until it has made a queue of a quarter of the path, so that it
//     adds the same to a small flow as to a large one, and a flow that others' probes
//     have made smaller yields to that: so they come to share alike.
//   - Loss is looked at once a SACK, not once a packet, and there is no undoing of
//     what a spurious loss did to the model: the next probe does it.
//
// A path with a round trip so short that packets are not paced has no model: what
// is measured there is processors. It is left to NewReno.
type bbr struct {
	reno       newReno
	unpaced    bool
	state      bbrState
	entered    int // the round in which this state began
	pacingGain float64
	cwndGain   float64

	// The model: bytes a second, bytes, and times since the epoch of rate.
	maxBw    [2]float64 // BBR.MaxBwFilter: of this probing cycle, and of the one before
	minRTT   time.Duration
	minRTTAt time.Duration
	extra    [2]float64 // BBR.ExtraACKedFilter: of these ten rounds, and of those before
	// What congestion bounds them with: the inflight that was found too much, until
	// more is probed, and short-term bounds, until the next probe. Infinity: none.
	inflightLongTerm  float64
	bwShortTerm       float64
	inflightShortTerm float64

	// The round trip: it began when rounds grew, and ends when what is sent from
	// then on is acknowledged.
	nextRound uint32 // BBR.next_round_delivered
	rounds    int
	// in this one:
	bwLatest       float64
	inflightLatest float64
	rttLeast       time.Duration
	lossInRound    bool // that was congestion
	stood          bool // a queue stood in the round before

	// Full pipe (Section 5.3.1.2).
	fullBw        float64
	fullBwCount   int
	fullBwNow     bool
	fullBwReached bool
	calm          time.Duration // losses before this are of Startup

	// ProbeBW (Section 5.3.3).
	cycleAt     time.Duration // when the phase began
	probeWait   time.Duration
	probedRound int  // the round in which the last probe began
	stopping    bool // the bandwidth filter moves on at the next round
	upRounds    uint
	upAcked     float64

	// ProbeRTT (Section 5.3.4).
	probeRTTMin   time.Duration
	probeRTTMinAt time.Duration
	probeRTTDone  time.Duration // zero: inflight is not low yet
	probeRTTRound int

	// ACK aggregation (Section 5.5.9).
	ackEpoch  time.Duration
	ackEpochN float64
	extraAt   int

	priorCwnd int
	dice      uint32
}

type bbrState uint8

const (
	bbrStartup       bbrState = iota // finds out how fast the path is
	bbrDrain                         // drains the queue that this made
	bbrProbeBWDown                   // sends slower than the path, for room and for a look at the round trip
	bbrProbeBWCruise                 // at its speed
	bbrProbeBWRefill                 // fills the pipe before it is probed
	bbrProbeBWUp                     // faster: is there more?
	bbrProbeRTT                      // hardly, to see the least round trip
)

func (s bbrState) String() string {
	return [...]string{"Startup", "Drain", "ProbeBW_DOWN", "ProbeBW_CRUISE", "ProbeBW_REFILL", "ProbeBW_UP", "ProbeRTT"}[s]
}

const (
	bbrStartupFullLossCnt = 6 // packets; fewer are no sign, of those few that fly at first
	bbrLossThresh         = 0.02
	bbrBeta               = 0.7
	bbrHeadroom           = 0.15
	bbrPacingMargin       = 0.99
	bbrMinRTTFilterLen    = 10 * time.Second
	bbrProbeRTTInterval   = 5 * time.Second
	bbrProbeRTTDuration   = 200 * time.Millisecond

	// What the draft does not have. A queue stands when the least round trip of a
	// round is bbrQueueRTT of the least of all; one so long that it can't be our own
	// probe's is bbrForeignRTT. Losses beyond bbrLossLimit are congestion in any case.
	bbrQueueRTT   = 1.25
	bbrForeignRTT = 1.5
	bbrLossLimit  = 0.15
	// Where a queue stands that is neither our probe's nor so long that it must be
	// others', the estimates of the flows add up to more than there is: each yields
	// to bbrYield of what it is delivered, until it probes again. Down makes no queue
	// after bbrDownRounds any more.
	bbrYield      = 0.95
	bbrDownRounds = 2
	// bbrProbeRounds is how many round trips are between probes, up to two seconds
	// (the draft: two to three seconds), so that flows share alike after about as
	// many round trips on any path.
	bbrProbeRounds = 8
)

var bbrGains = [...]struct{ pacing, cwnd float64 }{
	bbrStartup:       {2.77, 2},
	bbrDrain:         {0.5, 2},
	bbrProbeBWDown:   {0.75, 2},
	bbrProbeBWCruise: {1, 1.6},
	bbrProbeBWRefill: {1, 2},
	bbrProbeBWUp:     {1.25, 2.25},
	bbrProbeRTT:      {1, 0.5},
}

func (r *bbr) begin(c *congestion) {
	*r = bbr{inflightLongTerm: math.Inf(1)}
	// The initial window is that of RFC 6928 and not of RFC 9260, Section 7.2.1,
	// for what is beyond Max.Burst is paced.
	c.cwnd = max(c.cwnd, 10*c.pmdcs)
	r.resetShortTerm()
	r.enter(bbrStartup)
}

func (r *bbr) enter(s bbrState) {
	r.state, r.entered = s, r.rounds
	r.pacingGain, r.cwndGain = bbrGains[s].pacing, bbrGains[s].cwnd
}

func (r *bbr) resetShortTerm() { r.bwShortTerm, r.inflightShortTerm = math.Inf(1), math.Inf(1) }

// bw is the bandwidth that the model says.
func (r *bbr) bw() float64 { return min(max(r.maxBw[0], r.maxBw[1]), r.bwShortTerm) }

// bdp is gain bandwidth-delay products.
func (r *bbr) bdp(bw, gain float64) float64 { return gain * bw * r.minRTT.Seconds() }

func (r *bbr) acked(c *congestion, s *sample) {
	if r.unpaced = s.minRTT < pacedRTT; r.unpaced {
		r.reno.acked(c, s)
		return
	}
	started := r.updateRound(s)
	bw := 0.0
	if s.interval > 0 && s.interval >= s.minRTT {
		bw = float64(s.delivered) / s.interval.Seconds()
		if s.blind {
			bw = min(bw, max(r.maxBw[0], r.maxBw[1]))
		}
	}
	r.updateLatest(c, s, bw, started)
	if r.fullBwReached {
		r.updateAggregation(s)
	}
	if bw > 0 && (!s.flown.limited || bw >= r.maxBw[0]) {
		r.maxBw[0] = max(r.maxBw[0], bw)
	}
	r.checkFullBw(c, s, bw, started)
	switch r.state {
	case bbrStartup:
		if r.fullBwReached {
			r.enter(bbrDrain)
		}
	case bbrDrain:
		if float64(s.flight) <= r.bdp(r.bw(), 1) {
			r.calm = s.at + 3*s.srtt
			r.startDown(s)
		}
	case bbrProbeRTT:
	default:
		r.probeBW(c, s, started)
	}
	r.updateMinRTT(c, s)
	r.setWindow(c, s)
}

// updateRound is Section 5.5.1.
func (r *bbr) updateRound(s *sample) (started bool) {
	if s.acked == 0 || int32(s.flown.delivered-r.nextRound) < 0 {
		return false
	}
	r.nextRound = s.total
	r.rounds++
	return true
}

// congested reports whether losses since a packet left are too many: more than
// the threshold of those in flight with it, as the draft has it, and while a
// queue stood.
func (r *bbr) congested(s *sample) bool {
	lost, inFlight := float64(s.totalLost-s.flown.lost), float64(s.flown.inFlight)
	if inFlight == 0 || lost <= bbrLossThresh*inFlight {
		return false
	}
	return r.queued(bbrQueueRTT) || lost > bbrLossLimit*inFlight
}

// queued reports whether a queue stands at the bottleneck in this round.
func (r *bbr) queued(times float64) bool { return r.rttLeast > time.Duration(times*float64(r.minRTT)) }

// updateLatest is Section 5.5.10.3, the reaction to loss within a round.
func (r *bbr) updateLatest(c *congestion, s *sample, bw float64, started bool) {
	if started {
		if r.lossInRound && r.state != bbrStartup && r.state != bbrProbeBWRefill && r.state != bbrProbeBWUp {
			if math.IsInf(r.bwShortTerm, 1) {
				r.bwShortTerm = max(r.maxBw[0], r.maxBw[1])
			}
			if math.IsInf(r.inflightShortTerm, 1) {
				r.inflightShortTerm = float64(c.cwnd)
			}
			r.bwShortTerm = max(r.bwLatest, bbrBeta*r.bwShortTerm)
			r.inflightShortTerm = max(r.inflightLatest, bbrBeta*r.inflightShortTerm)
		}
		r.stood = r.queued(bbrQueueRTT)
		if r.stood && !r.queued(bbrForeignRTT) && r.bwLatest > 0 && (r.state == bbrProbeBWCruise || r.state == bbrProbeBWDown && r.rounds-r.entered > bbrDownRounds) {
			r.bwShortTerm = min(r.bwShortTerm, bbrYield*r.bwLatest)
		}
		r.bwLatest, r.inflightLatest, r.rttLeast, r.lossInRound = 0, 0, 0, false
	}
	r.bwLatest = max(r.bwLatest, bw)
	r.inflightLatest = max(r.inflightLatest, float64(s.delivered))
	if s.rtt > 0 && (r.rttLeast == 0 || s.rtt < r.rttLeast) {
		r.rttLeast = s.rtt
	}
	if s.acked > 0 && s.at >= r.calm && (s.lost > 0 && r.queued(bbrForeignRTT) || r.congested(s)) {
		r.lossInRound = true
	}
}

// updateAggregation is Section 5.5.9: how much more than expected is
// acknowledged at once.
func (r *bbr) updateAggregation(s *sample) {
	expected := r.bw() * (s.at - r.ackEpoch).Seconds()
	if r.ackEpochN <= expected {
		r.ackEpoch, r.ackEpochN, expected = s.at, 0, 0
	}
	r.ackEpochN += float64(s.acked)
	if r.rounds-r.extraAt >= 10 {
		r.extra[1], r.extra[0], r.extraAt = r.extra[0], 0, r.rounds
	}
	r.extra[0] = max(r.extra[0], r.ackEpochN-expected)
}

// checkFullBw is Section 5.3.1.2: the pipe is full when for three rounds the
// bandwidth has not grown by a quarter; or, in Startup, when losses say so.
func (r *bbr) checkFullBw(c *congestion, s *sample, bw float64, started bool) {
	if r.state == bbrStartup && r.rounds > 1 && r.congested(s) && int(s.totalLost-s.flown.lost) >= bbrStartupFullLossCnt*c.pmdcs {
		r.fullBwReached = true
		r.inflightLongTerm = max(r.bdp(r.bw(), 1), r.inflightLatest)
	}
	if r.fullBwNow || !started || s.flown.limited {
		return
	}
	if bw >= 1.25*r.fullBw {
		r.fullBw, r.fullBwCount, r.fullBwNow = bw, 0, false
		return
	}
	// A queue that stands already says so after one round.
	if r.fullBwCount++; r.fullBwCount >= 3 || r.state == bbrStartup && r.stood {
		r.fullBwNow, r.fullBwReached = true, true
	}
}

func (r *bbr) resetFullBw() { r.fullBw, r.fullBwCount, r.fullBwNow = 0, 0, false }

// probeBW is Section 5.3.3.
func (r *bbr) probeBW(c *congestion, s *sample, started bool) {
	r.adaptLongTerm(c, s)
	if started && r.stopping {
		r.stopping = false
		r.maxBw[1], r.maxBw[0] = r.maxBw[0], 0
	}
	flight := float64(s.flight)
	switch r.state {
	case bbrProbeBWDown:
		if r.timeToProbe(c, s) {
			r.startRefill(s)
		} else if flight <= r.withHeadroom(c) && flight <= r.bdp(r.bw(), 1) {
			r.enter(bbrProbeBWCruise)
			r.cycleAt = s.at
		}
	case bbrProbeBWCruise:
		if r.timeToProbe(c, s) {
			r.startRefill(s)
		}
	case bbrProbeBWRefill:
		if started {
			r.enter(bbrProbeBWUp)
			r.cycleAt = s.at
			r.upRounds, r.upAcked = 0, 0
			r.resetFullBw()
			r.fullBw = r.bwLatest
		}
	case bbrProbeBWUp:
		// The window is a whole number, and may be less than a byte below the bound.
		if s.full && float64(c.cwnd+1) > r.inflightLongTerm {
			r.resetFullBw()
			r.fullBw = r.bwLatest
		} else if r.fullBwNow || s.at-r.cycleAt > r.minRTT && flight >= r.bdp(r.bw(), bbrGains[bbrProbeBWUp].pacing) && s.rtt >= time.Duration(bbrQueueRTT*float64(r.minRTT)) {
			r.startDown(s)
		}
	}
}

// startDown begins a cycle of ProbeBW (BBRStartProbeBW_DOWN). How long it lasts
// is thrown by dice, so that flows do not probe together.
func (r *bbr) startDown(s *sample) {
	r.dice = (r.dice^uint32(s.cum))*1664525 + 1013904223
	r.probeWait = min(bbrProbeRounds*r.minRTT, 2*time.Second)
	r.probeWait += time.Duration(r.dice>>8) * r.probeWait / 2 >> 24
	r.probedRound = r.rounds - int(r.dice>>31)
	r.stopping = true
	r.cycleAt = s.at
	r.enter(bbrProbeBWDown)
}

func (r *bbr) startRefill(s *sample) {
	r.resetShortTerm()
	r.nextRound = s.total
	r.cycleAt = s.at
	r.enter(bbrProbeBWRefill)
}

// timeToProbe is BBRIsTimeToProbeBW(): after the wait, or as often as Reno would
// on a path so large.
func (r *bbr) timeToProbe(c *congestion, s *sample) bool {
	reno := min(r.bdp(r.bw(), 1)/float64(c.pmdcs), 63)
	return s.at-r.cycleAt >= r.probeWait || float64(r.rounds-r.probedRound) >= reno
}

// withHeadroom is BBRInflightWithHeadroom(): room for others to begin in.
func (r *bbr) withHeadroom(c *congestion) float64 {
	if math.IsInf(r.inflightLongTerm, 1) {
		return r.inflightLongTerm
	}
	return max((1-bbrHeadroom)*r.inflightLongTerm, float64(4*c.pmdcs))
}

// adaptLongTerm is BBRAdaptLongTermModel() and BBRHandleInflightTooHigh().
func (r *bbr) adaptLongTerm(c *congestion, s *sample) {
	if s.acked == 0 {
		return
	}
	probing := r.state == bbrProbeBWUp || r.state == bbrProbeBWRefill
	if r.congested(s) {
		if probing {
			if !s.flown.limited {
				r.inflightLongTerm = max(float64(s.flown.inFlight), bbrBeta*r.bdp(r.bw(), 1))
			}
			if r.state == bbrProbeBWUp {
				r.startDown(s)
			}
		}
		return
	}
	if math.IsInf(r.inflightLongTerm, 1) {
		return
	}
	r.inflightLongTerm = max(r.inflightLongTerm, float64(s.flown.inFlight))
	if r.state == bbrProbeBWUp && s.full && float64(c.cwnd+1) > r.inflightLongTerm {
		// BBRProbeInflightLongTermUpward(): a packet more in the first round, then
		// two, four, …
		growth := float64(uint64(1)<<min(r.upRounds, 30)) * float64(c.pmdcs)
		r.upAcked += float64(s.acked)
		r.inflightLongTerm += growth * float64(s.acked) / float64(c.cwnd)
		if r.upAcked >= float64(c.cwnd) {
			r.upAcked = 0
			r.upRounds++
		}
	}
}

// updateMinRTT is Section 5.3.4.
func (r *bbr) updateMinRTT(c *congestion, s *sample) {
	expired := r.probeRTTMin > 0 && s.at-r.probeRTTMinAt > bbrProbeRTTInterval
	if s.rtt > 0 && (r.probeRTTMin == 0 || s.rtt <= r.probeRTTMin || expired) {
		r.probeRTTMin, r.probeRTTMinAt = s.rtt, s.at
	}
	if r.probeRTTMin > 0 && (r.minRTT == 0 || r.probeRTTMin <= r.minRTT || s.at-r.minRTTAt > bbrMinRTTFilterLen) {
		r.minRTT, r.minRTTAt = r.probeRTTMin, r.probeRTTMinAt
	}
	if expired && r.state != bbrProbeRTT && r.fullBwReached && !s.flown.limited {
		r.priorCwnd = max(r.priorCwnd, c.cwnd)
		r.probeRTTDone = 0
		r.enter(bbrProbeRTT)
	}
	if r.state != bbrProbeRTT {
		return
	}
	switch {
	case r.probeRTTDone == 0:
		if float64(s.flight) <= r.probeRTTWindow(c) {
			r.probeRTTDone, r.probeRTTRound = s.at+bbrProbeRTTDuration, r.rounds
		}
	case r.rounds > r.probeRTTRound && s.at >= r.probeRTTDone:
		r.probeRTTMinAt = s.at
		r.resetShortTerm()
		c.cwnd = max(c.cwnd, r.priorCwnd)
		r.priorCwnd = 0
		r.startDown(s)
		r.enter(bbrProbeBWCruise)
	}
}

func (r *bbr) probeRTTWindow(c *congestion) float64 {
	return max(r.bdp(r.bw(), bbrGains[bbrProbeRTT].cwnd), float64(4*c.pmdcs))
}

// setWindow is Section 5.6.4.
func (r *bbr) setWindow(c *congestion, s *sample) {
	least := float64(4 * c.pmdcs)
	limit := max(r.bdp(r.bw(), r.cwndGain)+max(r.extra[0], r.extra[1]), float64(3*c.pacer.quantum), least)
	if r.state == bbrProbeBWUp {
		limit += float64(2 * c.pmdcs)
	}
	cwnd := float64(c.cwnd + s.acked)
	if r.fullBwReached {
		cwnd = min(cwnd, limit)
	} else if float64(c.cwnd) >= limit && s.total >= uint32(8*c.pmdcs) || s.rtt > time.Duration(bbrQueueRTT*float64(r.minRTT)) {
		cwnd = float64(c.cwnd)
	}
	// BBRBoundCwndForModel().
	bound := math.Inf(1)
	switch r.state {
	case bbrProbeBWDown, bbrProbeBWRefill, bbrProbeBWUp, bbrDrain:
		bound = r.inflightLongTerm
	case bbrProbeBWCruise, bbrProbeRTT:
		bound = r.withHeadroom(c)
	}
	bound = max(min(bound, r.inflightShortTerm), least)
	cwnd = max(min(cwnd, bound), least)
	if r.state == bbrProbeRTT {
		cwnd = min(cwnd, r.probeRTTWindow(c))
	}
	c.cwnd = int(min(cwnd, 1<<30))
}

// lost: what is lost is seen with what is acknowledged.
func (r *bbr) lost(c *congestion, s *sample, first bool) {
	if r.unpaced {
		r.reno.lost(c, s, first)
	}
}

func (r *bbr) timeout(c *congestion, first bool) {
	if r.unpaced {
		r.reno.timeout(c, first)
		return
	}
	c.cwnd = c.pmdcs
}

// idle: the model remains, and pacing keeps the first packets from making a burst.
func (r *bbr) idle(c *congestion, rtos int) {
	if r.unpaced {
		r.reno.idle(c, rtos)
	}
}

func (r *bbr) restored(c *congestion) {}

func (r *bbr) rate(c *congestion, srtt time.Duration) float64 {
	rate := r.pacingGain * r.bw() * bbrPacingMargin
	if !r.fullBwReached && srtt > 0 {
		rate = max(rate, r.pacingGain*float64(c.cwnd)/srtt.Seconds())
	}
	return rate
}
