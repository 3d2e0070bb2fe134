package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/congestion"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// mostTold is how many packets one feedback may tell of: a run of lost ones takes but two bytes.
const mostTold = 8192

// receiveTWCC takes the peer's feedback by transport-wide sequence numbers.
func (s *Session) receiveTWCC(now time.Time, p rtcp.Packet) bool {
	f, ok := p.TransportFeedback()
	if !ok || f.Count > mostTold {
		return false
	}
	s.congestion.BeginFeedback()
	for a := range p.Arrivals() {
		s.congestion.Take(a.Sequence, a.Received, a.Time, a.HasTime)
	}
	s.congestion.EndFeedback(now, s.rtt.value())
	return true
}

// nextNumber is the number of the next packet, of all streams, under which feedback is taken: its
// transport-wide sequence number, or with RFC 8888 one that stays here.
func (s *Session) nextNumber() uint16 {
	s.number++
	return s.number - 1
}

// AvailableOutgoingBitrate is the estimate of what the path carries, in bits a second, and no more than
// the peer's own (REMB) and its description allow; zero: nothing is known.
func (s *Session) AvailableOutgoingBitrate(now time.Time) uint64 {
	if !s.congestion.Known(now) {
		return 0
	}
	return uint64(s.congestion.Target(now))
}

// TransportTotals is what feedback told so far of the packets that we sent.
type TransportTotals = congestion.Totals
