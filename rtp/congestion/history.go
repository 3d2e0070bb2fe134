package congestion

import "time"

// history keeps when packets left, by one number for all streams, until feedback tells what
// became of them. Section 3.
type history struct {
	left   []departure // in a ring that grows
	totals Totals
}

// A departure is one packet that left.
type departure struct {
	at      time.Duration
	size    int32
	number  uint16
	cluster uint16 // of the probe that it belongs to; 0: none
	state   departed
}

type departed uint8

const (
	settled departed = iota // no packet, or one that was told of
	inFlight
	lost // told of as such; it may still turn out to be late
)

const (
	// departures is how many packets may be on their way: those of a second at 80 Mbit/s. It begins
	// with few.
	departures, minDepartures = 8192, 64
	// departureTime is for how long a packet is remembered that nobody tells of.
	departureTime = time.Second
)

// Totals is what feedback told so far.
type Totals struct {
	Packets, Bytes uint64 // that arrived
	Lost           uint64
	Feedback       uint64 // how many feedback packets came
}

// remember notes that a packet leaves.
func (h *history) remember(number uint16, at time.Duration, size int, cluster uint16) {
	if h.left == nil {
		h.left = make([]departure, minDepartures)
	}
	v := h.departure(number)
	for len(h.left) < departures && v.state != settled && at-v.at < departureTime {
		old := h.left
		h.left = make([]departure, 2*len(old))
		for _, o := range old {
			if o.state != settled {
				*h.departure(o.number) = o
			}
		}
		v = h.departure(number)
	}
	*v = departure{at: at, size: int32(size), number: number, cluster: cluster, state: inFlight}
}

// departure returns the place of a number.
func (h *history) departure(number uint16) *departure { return &h.left[int(number)&(len(h.left)-1)] }

// find returns a packet that was not settled; nil if there is none of that number.
func (h *history) find(number uint16) *departure {
	if h.left == nil {
		return nil
	}
	v := h.departure(number)
	if v.number != number || v.state == settled {
		return nil
	}
	return v
}
