package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// nackAnswers is what an encoding keeps of the peer's NACKs.
type nackAnswers struct {
	received  uint64
	requested uint64 // packets
	refused   uint64 // packets that were not there, or sent again a moment before, or too many
	credit    int    // bytes that may be sent again
}

// A packet of NACKs can ask for thousands of packets, and again a round trip later. So that a peer
// that asks for all of them can't make us send many times what we would, an encoding
// sends as many bytes again as it has sent, over time: at a loss of one half, all come through.
const (
	firstCredit = 64 << 10 // at the beginning
	maxCredit   = 1 << 20  // what was not used: a second of 8 Mbit/s
)

// repairs bounds what is sent again once it is known what the path carries: what congestion has taken would else be sent
// again into the same congestion, and keep it up. As libwebrtc does, but at half of its rate: the
// rest is for what is new.
type repairs struct {
	sent   meter
	budget float64 // bytes
	filled time.Time
}

const (
	// repairShare is the part of the target, or of what arrives from who does not keep to it, that
	// may be sent again.
	repairShare = 0.5
	// repairTime is for how long a part that was not used is kept.
	repairTime = 300 * time.Millisecond
)

// mayRepair takes the size of a packet out of the budget, if that suffices.
func (s *Session) mayRepair(now time.Time, size int) bool {
	if !s.congestion.Known(now) {
		return true
	}
	r := &s.queue.repaired
	rate := repairShare * max(s.congestion.Target(now), s.congestion.Throughput()) / 8
	passed := repairTime
	if !r.filled.IsZero() {
		passed = min(now.Sub(r.filled), repairTime)
	}
	r.filled = now
	r.budget = min(r.budget+rate*passed.Seconds(), max(rate*repairTime.Seconds(), leastRepairs))
	if r.budget < float64(size) {
		return false
	}
	r.budget -= float64(size)
	return true
}

// leastRepairs is what the budget holds at least: a few packets.
const leastRepairs = 8 * defaultMTU

// receiveNACK sends again what the peer misses, as retransmissions (RFC 4588): the same packet
// once more only when the one before had time to arrive.
func (s *Session) receiveNACK(now time.Time, e *encoding, p rtcp.Packet) {
	e.answered.received++
	at := s.since(now)
	for sequence := range p.Lost() {
		e.answered.requested++
		v := e.history.get(sequence)
		wait := max(s.rtt.value(), minResend)
		if v == nil || !v.sent || v.queued || v.codec.RTX == 0 || at-v.at > historyTime || v.resent >= maxTries || v.resent > 0 && at-v.at < wait ||
			len(v.packet.Bytes()) > e.answered.credit || !s.mayRepair(now, len(v.packet.Bytes())) {
			e.answered.refused++
			continue
		}
		e.answered.credit -= len(v.packet.Bytes())
		v.queued = true
		s.queue.pushRepair(e, v)
	}
}

// minResend is the least time between two retransmissions of a packet.
const minResend = 10 * time.Millisecond
