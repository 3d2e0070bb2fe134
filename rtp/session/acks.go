package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// acks keeps when packets left, of all streams, by one number, until feedback tells what became of
// them: the transport-wide sequence number, or with RFC 8888 one that stays here.
type acks struct {
	next   uint16
	left   []departure // in a ring that grows
	totals TransportTotals
	window ackWindow // of the feedback that is being read
	estimate
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
	settled departed = iota // no packet, or one that was told of
	inFlight
	lost // told of as such; it may still turn out to be late
)

// departures is how many packets may be on their way: those of a second at 80 Mbit/s. It begins with
// few.
const departures, minDepartures = 8192, 64

// TransportTotals is what feedback told so far of the packets that we sent.
type TransportTotals struct {
	Packets, Bytes uint64 // that arrived
	Lost           uint64
	Feedback       uint64 // how many feedback packets came
}

// An ackWindow is what one feedback packet tells.
type ackWindow struct {
	packets, lost, bytes int
	delay                time.Duration // on the way, summed over those with a time; by clocks that differ
	timed                int
}

// number takes the next number.
func (a *acks) number() uint16 {
	a.next++
	return a.next - 1
}

// remember notes that a packet leaves.
func (a *acks) remember(number uint16, at time.Duration, size int) {
	if a.left == nil {
		a.left = make([]departure, minDepartures)
	}
	v := a.departure(number)
	for len(a.left) < departures && v.state != settled && at-v.at < historyTime {
		old := a.left
		a.left = make([]departure, 2*len(old))
		for _, o := range old {
			if o.state != settled {
				*a.departure(o.number) = o
			}
		}
		v = a.departure(number)
	}
	*v = departure{at: at, size: int32(size), number: number, state: inFlight}
}

// departure returns the place of a number.
func (a *acks) departure(number uint16) *departure { return &a.left[int(number)&(len(a.left)-1)] }

func (a *acks) begin() { a.window = ackWindow{} }

// take enters what is told of one packet.
func (a *acks) take(number uint16, received bool, at time.Duration, timed bool) {
	if a.left == nil {
		return
	}
	v := a.departure(number)
	if v.number != number || v.state == settled {
		return
	}
	switch {
	case received:
		if v.state == lost {
			a.totals.Lost--
		}
		v.state = settled
		a.totals.Packets++
		a.totals.Bytes += uint64(v.size)
		a.window.packets++
		a.window.bytes += int(v.size)
		if timed {
			a.window.timed++
			a.window.delay += at - v.at
		}
	case v.state == inFlight:
		v.state = lost
		a.totals.Lost++
		a.window.lost++
	}
}

// end draws the conclusions.
func (a *acks) end(now time.Time, at, rtt time.Duration) {
	a.totals.Feedback++
	a.estimate.update(now, at, rtt, &a.window)
}

// receiveTWCC takes the peer's feedback by transport-wide sequence numbers.
func (s *Session) receiveTWCC(now time.Time, p rtcp.Packet) bool {
	f, ok := p.TransportFeedback()
	if !ok || f.Count > departures { // a run of lost packets takes but two bytes
		return false
	}
	s.acks.begin()
	for a := range p.Arrivals() {
		s.acks.take(a.Sequence, a.Received, a.Time, a.HasTime)
	}
	s.acks.end(now, s.since(now), s.rtt.value())
	return true
}
