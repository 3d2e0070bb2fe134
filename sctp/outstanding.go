package sctp

import (
	"math/bits"
	"time"
)

// outstanding is the data that was sent and is not acknowledged cumulatively:
// a ring of chunks by TSN. A chunk is a slice of its message and costs no
// memory of its own; every operation on it takes constant time, amortised.
type outstanding struct {
	ring    []sentChunk // by TSN; a power of two; nil when nothing is outstanding
	cum     tsn         // Cumulative TSN Ack Point
	next    tsn         // the TSN that the next new chunk gets
	flight  int         // bytes in flight, with chunk headers: congestion control's
	payload int         // the same without headers: flow control's
	marked  int         // chunks marked for retransmission
	from    tsn         // no chunk before this one is marked
	gapAcks int         // chunks acknowledged by gap ack blocks
	// lostOften is the size of the largest chunk that was lost more than maxProbes
	// times, of late.
	lostOften int
	order     uint32 // counts transmissions
	fack      tsn    // the highest TSN that was ever acknowledged
	// oldest and newest are the ends of the list of chunks in flight, in the order
	// of their last transmission.
	oldest, newest listEnd
	rate           rate
	// advanced is Advanced.Peer.Ack.Point: everything up to it is acknowledged
	// or abandoned (RFC 3758, Section 3.5).
	advanced tsn
	// partial: the peer knows FORWARD TSN; without it every message is reliable.
	partial bool
	// header is the size of a chunk without user data.
	header int
	// resetAt, if resetting, is the Sender's Last Assigned TSN of an outgoing reset
	// request that is not answered, and resetDone that of the last one that was
	// performed: see appendForward.
	resetAt, resetDone tsn
	resetting          bool
	// cutShort are the messages that were abandoned with a rest unsent.
	cutShort []*outMessage
	// forget is called with each message whose last chunk left.
	forget func(*outMessage)
}

// A sentChunk is one DATA chunk.
type sentChunk struct {
	message *outMessage
	offset  int32
	size    int32
	// skip, at the first chunk of a run of acknowledged ones: how many follow
	// that need no look, so that a gap ack block is read once, not once a SACK.
	skip          int32
	transmissions int32
	order         uint32  // of its last transmission
	before, after listEnd // in the order of transmission, while it is in flight
	fsn           uint32  // its number in the message
	state         chunkState
	flags         uint8
	reneged       bool  // was acknowledged, and is no more
	flown         flown // what was so at its last transmission
}

// size is what a chunk takes in a packet.
func (o *outstanding) size(c *sentChunk) int { return o.header + padded(int(c.size)) }

// A listEnd is a TSN, or zero TSNs.
type listEnd struct {
	tsn tsn
	ok  bool
}

type chunkState uint8

const (
	chunkInFlight  chunkState = iota
	chunkAcked                // by a gap ack block
	chunkMarked               // for retransmission
	chunkAbandoned            // given up (RFC 3758)
)

func (o *outstanding) start(initial tsn, forget func(*outMessage)) {
	*o = outstanding{
		cum: initial - 1, next: initial, from: initial, fack: initial - 1, advanced: initial - 1,
		resetDone: initial - 1, partial: o.partial, header: o.header, forget: forget,
	}
}

func (o *outstanding) empty() bool { return o.next == o.cum+1 }

// len is how many chunks are outstanding.
func (o *outstanding) len() int { return int(o.next - o.cum - 1) }

func (o *outstanding) at(n tsn) *sentChunk { return &o.ring[uint32(n)&uint32(len(o.ring)-1)] }

// push enters a new chunk, which leaves now, and returns its TSN.
func (o *outstanding) push(now time.Time, c sentChunk) tsn {
	if o.len() >= len(o.ring) {
		o.resize()
	}
	n := o.next
	o.next++
	*o.at(n) = c
	c.message.chunks++
	if c.state == chunkInFlight {
		o.launch(now, n, o.at(n))
	}
	return n
}

func (o *outstanding) resize() {
	old := *o
	o.ring = make([]sentChunk, 1<<bits.Len(uint(max(o.len(), 7))))
	for n := o.cum + 1; n != o.next; n++ {
		*o.at(n) = *old.at(n)
	}
}

// launch counts a chunk as in flight, which leaves now; land as no longer.
func (o *outstanding) launch(now time.Time, n tsn, c *sentChunk) {
	o.order++
	c.order = o.order
	c.flown = o.rate.sent(now, o.flight, o.size(c))
	o.flight += o.size(c)
	o.payload += int(c.size)
	c.before, c.after = o.newest, listEnd{}
	if o.newest.ok {
		o.at(o.newest.tsn).after = listEnd{n, true}
	} else {
		o.oldest = listEnd{n, true}
	}
	o.newest = listEnd{n, true}
}

func (o *outstanding) land(c *sentChunk) {
	o.flight -= o.size(c)
	o.payload -= int(c.size)
	if c.before.ok {
		o.at(c.before.tsn).after = c.after
	} else {
		o.oldest = c.after
	}
	if c.after.ok {
		o.at(c.after.tsn).before = c.before
	} else {
		o.newest = c.before
	}
}

// A sackResult is what a SACK changed.
type sackResult struct {
	acked    int  // bytes newly acknowledged
	advanced bool // the Cumulative TSN Ack Point moved
	// newest is the chunk, of those newly acknowledged, that was sent last; nil if
	// there is none. It is good until something is sent.
	newest *sentChunk
	// reordered: a chunk that was sent once came behind others that were sent after it.
	reordered bool
}

// ack takes a SACK (RFC 9260, Section 6.2.1). It refuses one that
// acknowledges what was not sent or whose gap ack blocks are not in order.
func (o *outstanding) ack(now time.Time, cum tsn, gaps gapBlocks) (r sackResult, ok bool) {
	if cum.Before(o.cum) || cum.AtLeast(o.next) || !o.validGaps(cum, gaps) {
		return sackResult{}, false
	}
	fack := o.fack
	o.ackUpTo(cum, fack, &r)
	switch {
	case len(gaps) > 0:
		o.ackGaps(now, gaps, fack, &r)
	case o.gapAcks > 0:
		o.renege(now, nil)
	}
	return r, true
}

// ackUpTo moves the Cumulative TSN Ack Point.
func (o *outstanding) ackUpTo(cum, fack tsn, r *sackResult) {
	r.advanced = cum != o.cum
	for o.cum != cum {
		c := o.at(o.cum + 1)
		switch c.state {
		case chunkInFlight:
			o.land(c)
			o.count(o.cum+1, c, fack, r)
		case chunkAcked:
			o.gapAcks--
		case chunkMarked:
			o.marked--
			o.count(o.cum+1, c, fack, r)
		}
		o.drop(c)
		o.cum++
	}
	if o.from.AtMost(cum) {
		o.from = cum + 1
	}
	if o.advanced.Before(cum) {
		o.advanced = cum
	}
}

// count notes that c was newly acknowledged; fack is what was the highest TSN
// before.
func (o *outstanding) count(n tsn, c *sentChunk, fack tsn, r *sackResult) {
	if r.newest == nil || int32(c.order-r.newest.order) > 0 {
		r.newest = c
	}
	if n.After(o.fack) {
		o.fack = n
	} else if n.Before(fack) && c.once() {
		r.reordered = true
	}
	r.acked += o.size(c)
}

func (o *outstanding) validGaps(cum tsn, gaps gapBlocks) bool {
	last := 0
	for i := range gaps.len() {
		start, end := gaps.at(i)
		if int(start) <= last || end < start {
			return false
		}
		last = int(end)
	}
	return last <= int(o.next-1-cum)
}

// ackGaps marks what gap ack blocks acknowledge.
func (o *outstanding) ackGaps(now time.Time, gaps gapBlocks, fack tsn, r *sackResult) {
	total := 0
	for i := range gaps.len() {
		start, end := gaps.at(i)
		total += int(end-start) + 1
		first, last := o.cum+tsn(start), o.cum+tsn(end)
		for n := first; n.AtMost(last); {
			c := o.at(n)
			if c.state == chunkAcked {
				n += tsn(max(1, c.skip))
				continue
			}
			n++
			switch c.state {
			case chunkAbandoned:
				total-- // it stays abandoned: a FORWARD TSN will pass over it
				continue
			case chunkInFlight:
				o.land(c)
			case chunkMarked:
				o.marked--
			}
			o.gapAcks++
			c.state, c.skip = chunkAcked, 1
			o.count(n-1, c, fack, r)
		}
		if c := o.at(first); c.state == chunkAcked {
			// An abandoned chunk in the block stops the run short of it.
			c.skip = o.run(first, last)
		}
	}
	if total != o.gapAcks && gaps.len() < manyBlocks {
		o.renege(now, gaps)
	}
}

// run is how many chunks from first on are acknowledged, up to last at most.
// It looks only at what this SACK acknowledged, or was shorter before.
func (o *outstanding) run(first, last tsn) int32 {
	n := first
	for n.AtMost(last) {
		c := o.at(n)
		if c.state != chunkAcked {
			break
		}
		n += tsn(max(1, c.skip))
	}
	return int32(min(int(n-first), int(last-first)+1))
}

// mark takes a chunk out of flight: it has to be sent again, unless its
// message is not worth it (RFC 3758).
func (o *outstanding) mark(now time.Time, n tsn, c *sentChunk) {
	m := c.message
	if o.partial && (m.maxRetransmits >= 0 && int(c.transmissions) > m.maxRetransmits || m.expired(now)) {
		o.abandon(n)
		return
	}
	if c.transmissions > maxProbes {
		o.lostOften = max(o.lostOften, int(c.size))
	}
	o.land(c)
	c.state = chunkMarked
	o.marked++
	if n.Before(o.from) {
		o.from = n
	}
}

// timeout marks everything that is in flight: T3-rtx expired (Section 6.3.3).
func (o *outstanding) timeout(now time.Time) {
	if o.flight == 0 && o.marked == 0 && o.gapAcks > 0 {
		o.renege(now, nil)
	}
	for n := o.cum + 1; n != o.next; n++ {
		if c := o.at(n); c.state == chunkInFlight {
			o.mark(now, n, c)
		}
	}
}

// renege takes back acknowledgements that the blocks no longer hold: "the data
// receiver reneged on the data" (Section 6.2.1, D.iii). It is slow and rare.
//
// A SACK with many blocks may have had no room for more: receivers report 20 of
// them, or what fits into a packet. What it leaves out is taken back only when
// holes have been filled; or at T3-rtx, if nothing else is outstanding.
func (o *outstanding) renege(now time.Time, gaps gapBlocks) {
	n := o.cum + 1
	take := func(until tsn) {
		for ; n.Before(until); n++ {
			if c := o.at(n); c.state == chunkAcked {
				c.state, c.skip, c.reneged = chunkInFlight, 0, true
				o.gapAcks--
				o.launch(now, n, c)
			} else {
				c.skip = 0
			}
		}
	}
	for i := range gaps.len() {
		start, end := gaps.at(i)
		take(o.cum + tsn(start))
		for ; n.AtMost(o.cum + tsn(end)); n++ {
			o.at(n).skip = 0
		}
	}
	take(o.next)
}

// manyBlocks is the number of gap ack blocks from which on a SACK may be short
// of some.
const manyBlocks = 16

// retransmit returns the lowest chunk marked for retransmission, without
// taking it.
func (o *outstanding) retransmit() (tsn, *sentChunk) {
	if o.marked == 0 {
		return 0, nil
	}
	for {
		c := o.at(o.from)
		if c.state == chunkMarked {
			return o.from, c
		}
		if o.from++; o.from == o.next {
			panic("BUG: a marked chunk is not there")
		}
	}
}

// resend notes that the chunk that retransmit returned leaves again.
func (o *outstanding) resend(now time.Time, n tsn, c *sentChunk) {
	c.state = chunkInFlight
	c.transmissions++
	o.marked--
	o.launch(now, n, c)
}

// once reports whether it is known which transmission of c was acknowledged.
func (c *sentChunk) once() bool { return c.transmissions == 1 && !c.reneged }

// drop lets go of a chunk.
func (o *outstanding) drop(c *sentChunk) {
	m := c.message
	c.message = nil
	m.chunks--
	if m.chunks == 0 && m.cut == len(m.data) {
		o.forget(m)
	}
}

// reset lets go of everything and goes on with the TSN initial.
func (o *outstanding) reset(initial tsn) {
	for n := o.cum + 1; n != o.next; n++ {
		o.drop(o.at(n))
	}
	o.start(initial, o.forget)
}

// shrink gives back what an idle association does not need.
func (o *outstanding) shrink() {
	if o.empty() {
		o.ring = nil
	}
}
