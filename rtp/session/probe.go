package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// A cluster of packets that probes for more bandwidth is made of the media that leaves and, where that does not
// suffice, of packets that left before, sent once more on the stream of retransmissions: who missed one
// is helped by it, and others drop it.

const (
	// paddingPackets is how many of the latest packets one is taken from.
	paddingPackets = 8
	// leastPadding is the size of a packet that is worth its headers.
	leastPadding = 200
)

// probe begins a cluster if one is planned and can be filled up. There is media to send.
func (s *Session) probe(now time.Time, e *encoding) {
	if s.congestion.Probing(now) || !s.canPad(e) {
		return
	}
	if _, ok := s.congestion.Probe(now); ok {
		s.queue.padded = e
	}
}

// canPad reports whether an encoding has a stream of retransmissions, of which feedback tells.
func (s *Session) canPad(e *encoding) bool {
	return e.codec != nil && e.codec.RTX != 0 && !e.gone && e.Active && s.numbers(e)
}

// numbers reports whether an encoding's packets are numbered for feedback.
func (s *Session) numbers(e *encoding) bool {
	return s.numbered || e.ids.ID(rtp.ExtTransportSequence) != 0
}

// appendPadding appends a packet that left before, for a cluster that nothing else is there for.
func (s *Session) appendPadding(now time.Time, b []byte) []byte {
	e := s.queue.padded
	if e == nil || !s.canPad(e) {
		return b
	}
	// The largest, so that few suffice.
	var v *slot
	for i := range uint16(paddingPackets) {
		o := e.history.get(e.rewrite.next - 1 - i)
		if o != nil && o.sent && o.codec.RTX != 0 && len(o.packet.Payload()) >= leastPadding && (v == nil || len(o.packet.Payload()) > len(v.packet.Payload())) {
			v = o
		}
	}
	if v == nil {
		return b
	}
	// To the peer's requests for it this is no answer.
	at, resent, queued, bytes := v.at, v.resent, v.queued, e.stats.repairedBytes
	b = s.appendSlot(now, b, e, v, true)
	e.stats.probes++
	e.stats.probeBytes += e.stats.repairedBytes - bytes
	v.at, v.resent, v.queued = at, resent, queued
	return b
}
