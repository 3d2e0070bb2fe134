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
			len(v.packet.Bytes()) > e.answered.credit {
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
