package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A twccSender keeps when packets left, by their transport-wide sequence number, until feedback
// tells what became of them.
type twccSender struct {
	next   uint16
	left   []departure // in a ring
	totals TransportTotals
	acked  meter // bytes that arrived
}

// A departure is one packet that left.
type departure struct {
	at     time.Duration
	size   int32
	number uint16
	state  departed
}

type departed uint8

const (
	unknown departed = iota // no packet, or one that was told of
	inFlight
	lost // told of as such; it may still turn out to be late
)

// departures is how many packets may be on their way: those of a second at 80 Mbit/s.
const departures = 8192

// TransportTotals is what transport-wide feedback told so far.
type TransportTotals struct {
	Packets, Bytes uint64 // that arrived
	Lost           uint64
	Feedback       uint64 // how many feedback packets came
}

// number takes the next sequence number.
func (t *twccSender) number() uint16 {
	t.next++
	return t.next - 1
}

// remember notes that a packet leaves.
func (t *twccSender) remember(number uint16, at time.Duration, size int) {
	if t.left == nil {
		t.left = make([]departure, departures)
	}
	t.left[number&(departures-1)] = departure{at: at, size: int32(size), number: number, state: inFlight}
}

// receiveTransportFeedback takes the peer's feedback.
func (s *Session) receiveTransportFeedback(now time.Time, p rtcp.Packet) bool {
	if _, ok := p.TransportFeedback(); !ok {
		return false
	}
	t := &s.sent
	t.totals.Feedback++
	if t.left == nil {
		return true
	}
	for a := range p.Arrivals() {
		v := &t.left[a.Sequence&(departures-1)]
		if v.number != a.Sequence || v.state == unknown {
			continue
		}
		switch {
		case a.Received:
			if v.state == lost {
				t.totals.Lost--
			}
			v.state = unknown
			t.totals.Packets++
			t.totals.Bytes += uint64(v.size)
			t.acked.bytes += int(v.size)
		case v.state == inFlight:
			v.state = lost
			t.totals.Lost++
		}
	}
	t.acked.advance(now)
	return true
}

// target is the rate that the media may have, in bytes a second; 0: nothing is known of it.
func (s *Session) target() float64 { return 0 }
