package jitter

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// A slot is the place of one packet.
type slot struct {
	index int64 // the sequence number, counted through its laps
	state slotState

	packet    rtp.Packet // over a copy; zero when only a block of RED is there
	payload   []byte     // of the packet, or that block
	codec     Codec
	timestamp uint32
	sent      time.Duration // by the timestamp, on the timeline
	arrival   time.Time

	marker, start, key bool
	recovered          bool // sent again, or a block of RED

	memory []byte // what packet and payload lie in
}

// filler reports whether the packet has nothing to hand out.
func (s *slot) filler() bool { return len(s.payload) == 0 }

type slotState uint8

const (
	empty slotState = iota
	held            // the packet is there
	done            // it was, and has been handed out or given up
)

// A ring holds the packets from next on, each in the slot that its sequence
// number gives it, and remembers those before next, so far as their slots have not
// been taken.
type ring struct {
	slots []slot // a power of two
	limit int    // of len(slots)
	next  int64  // the first packet that has not been handed out or given up
	top   int64  // one behind the highest packet held; at least next

	// Something was handed out or given up: what comes before next is late. At first
	// it moves next back.
	settled bool

	count, bytes int      // held
	free         [][]byte // memory for packets to come

	handedOut [][]byte // memory of the frame that the caller looks at
}

const firstRing = 16

// maxKept is the largest memory kept for packets to come. Packets on a path
// through the Internet are smaller; others are not to make us keep theirs for good.
const maxKept = 2048

func (r *ring) init(maxPackets int) {
	r.limit = firstRing
	for r.limit < maxPackets {
		r.limit *= 2
	}
}

// at returns the slot of a packet; nil when it was never there.
func (r *ring) at(index int64) *slot {
	if len(r.slots) == 0 {
		return nil
	}
	s := &r.slots[index&int64(len(r.slots)-1)]
	if s.index != index || s.state == empty {
		return nil
	}
	return s
}

// held returns the slot of a packet that is waiting; nil when there is none.
func (r *ring) held(index int64) *slot {
	if s := r.at(index); s != nil && s.state == held {
		return s
	}
	return nil
}

// reaches reports whether a packet has a slot, when the ring is as large as may be.
func (r *ring) reaches(index int64) bool { return index-r.next < int64(r.limit) }

// lower makes index the next packet although it is before next, as long as
// nothing has been handed out.
func (r *ring) lower(index int64) bool {
	if r.settled || r.top-index > int64(r.limit) {
		return false
	}
	for r.top-index > int64(len(r.slots)) {
		r.grow()
	}
	r.next = index
	return true
}

// reserve returns the slot for a packet that is neither before next nor out of
// reach nor held.
func (r *ring) reserve(index int64) *slot {
	for index-r.next >= int64(len(r.slots)) {
		r.grow()
	}
	s := &r.slots[index&int64(len(r.slots)-1)]
	*s = slot{index: index, state: held}
	if n := len(r.free); n > 0 {
		s.memory, r.free = r.free[n-1][:0], r.free[:n-1]
	}
	r.count++
	r.top = max(r.top, index+1)
	return s
}

func (r *ring) grow() {
	old := r.slots
	r.slots = make([]slot, max(2*len(old), firstRing))
	for i := range old {
		if old[i].state != empty {
			r.slots[old[i].index&int64(len(r.slots)-1)] = old[i]
		}
	}
}

// keep copies a packet into its slot.
func (r *ring) keep(s *slot, p rtp.Packet) {
	s.memory = append(s.memory, p.Bytes()...)
	r.bytes += len(s.memory)
	s.packet, _ = rtp.Parse(s.memory)
	s.payload = s.packet.Payload()
}

// keepBlock copies a block of RED into its slot.
func (r *ring) keepBlock(s *slot, block []byte) {
	s.memory = append(s.memory, block...)
	r.bytes += len(s.memory)
	s.payload = s.memory
}

// consume ends a packet's stay. Its memory is used again, unless it is part of
// the frame that is being handed out: then only after the next releaseHandedOut.
func (r *ring) consume(s *slot, handedOut bool) {
	r.settled = true
	r.count--
	r.bytes -= len(s.memory)
	switch {
	case handedOut:
		r.handedOut = append(r.handedOut, s.memory)
	case cap(s.memory) <= maxKept:
		r.free = append(r.free, s.memory)
	}
	*s = slot{index: s.index, state: done}
}

func (r *ring) releaseHandedOut() {
	for _, memory := range r.handedOut {
		if cap(memory) <= maxKept {
			r.free = append(r.free, memory)
		}
	}
	clear(r.handedOut)
	r.handedOut = r.handedOut[:0]
}

// advance makes index the next packet; those before it that are held are dropped. It
// returns how many those were, and how many were missing.
func (r *ring) advance(index int64) (dropped, missing int) {
	for r.next < min(index, r.top) {
		r.settled = true
		if s := r.held(r.next); s != nil {
			r.consume(s, false)
			dropped++
		} else if r.at(r.next) == nil {
			missing++
		}
		r.next++
	}
	if index > r.next {
		missing += int(index - r.next)
		r.settled = true
	}
	r.next = max(r.next, index)
	r.top = max(r.top, r.next)
	return dropped, missing
}

// following returns the first packet held from index on; nil when there is none.
func (r *ring) following(index int64) *slot {
	if r.count == 0 {
		return nil
	}
	for ; index < r.top; index++ {
		if s := r.held(index); s != nil {
			return s
		}
	}
	return nil
}

// reset drops everything, and forgets all that was there.
func (r *ring) reset(next int64) (dropped int) {
	dropped, _ = r.advance(r.top)
	clear(r.slots)
	r.next, r.top, r.settled = next, next, false
	return dropped
}
