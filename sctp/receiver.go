package sctp

import "encoding/binary"

// A receiver is the receive side of an association: which TSNs came, what
// becomes of their data, and what the next SACK says. It knows nothing of the
// send side.
type receiver struct {
	tracker      tracker
	ack          acknowledger
	reassembly   reassembly   // of DATA
	interleaving interleaving // of I-DATA
	delivery     delivery
	window       window
	pool         *buffers
	streams      uint16 // number of inbound streams
	lent         int    // buffers that the user holds
}

// An outcome is what became of a DATA chunk.
type outcome struct {
	// drop is why the chunk was dropped, if it was: a reason for the trace.
	drop string
	// immediate: the SACK must not wait.
	immediate bool
	// abort: the association cannot go on.
	abort *LocalError
	// badStream: an ERROR with Invalid Stream Identifier is owed.
	badStream bool
}

// data takes a DATA chunk with user data (RFC 9260, Section 6.2).
func (r *receiver) data(d *dataChunk) (o outcome) {
	switch r.tracker.look(d.tsn) {
	case duplicate:
		// "When a packet arrives with duplicate DATA chunk(s) and with no new
		// DATA chunk(s), the endpoint MUST immediately send a SACK chunk with no
		// delay."
		r.tracker.report(d.tsn)
		return outcome{drop: dropDuplicate, immediate: true}
	case beyond:
		return outcome{drop: dropSpan, immediate: true}
	}
	inOrder := d.tsn == r.tracker.cum+1
	if r.window.full() {
		if o, ok := r.squeeze(d, inOrder); !ok {
			return o
		}
	}

	// "If the endpoint detects a gap in the received DATA chunk sequence, it
	// SHOULD send a SACK chunk with Gap Ack Blocks immediately" (Section 6.7); and
	// when it closes too.
	o.immediate = !inOrder || r.tracker.gap() || d.flags&flagImmediate != 0
	r.tracker.add(d.tsn)
	r.assemble(d, &o)
	if n := r.interleaving.open; n > 1 && 2*r.window.counted() > r.window.limit {
		r.window.hold(n)
	}
	if inOrder && r.reassembly.sweep(d.tsn, r.tracker.cum, &r.window, r.pool) {
		o.drop = dropFragment
	}
	return o
}

// squeeze decides whether to take a chunk although the window is full: "When
// the receiver's advertised window is 0, the receiver MUST drop any new
// incoming DATA chunk with a TSN larger than the largest TSN received so far"
// (Section 6.2). What was offered before it closed is no such chunk: see spill.
//
// A chunk that closes a gap, or goes on with the message at the Cumulative TSN
// Ack Point, is taken: it is the only way to deliver what the window is full
// of. So is any chunk that comes next, when nothing waits for the user: nobody
// else could make room.
func (r *receiver) squeeze(d *dataChunk, inOrder bool) (o outcome, ok bool) {
	user := r.delivery.ready.head != nil || r.lent > 0
	switch {
	case !inOrder:
		if r.window.counted() < r.window.limit+r.window.spill() {
			return outcome{}, true
		}
	case r.window.exhausted() && !user:
		// The window is full of messages whose predecessors the peer never sends,
		// although every TSN came.
		return outcome{abort: &LocalError{OutOfResource, "the receive window is full of messages that can never be delivered"}}, false
	case r.window.exhausted():
	case !user || r.tracker.gap() || d.flags&flagBegin == 0:
		return outcome{}, true
	}
	return outcome{drop: dropWindow, immediate: true}, false
}

// assemble takes the data of a chunk whose TSN is new.
func (r *receiver) assemble(d *dataChunk, o *outcome) {
	const whole = flagBegin | flagEnd
	switch {
	case d.stream >= r.streams:
		// Section 6.5: acknowledged all the same.
		r.reassembly.pass(d.tsn, &r.window, r.pool)
		o.drop, o.badStream = dropStream, true
	case d.interleaved && (d.flags&flagUnordered == 0 && r.delivery.late(d) || d.flags&flagUnordered != 0 && r.interleaving.late(d)):
		o.drop = dropSSN
	case d.flags&whole != whole:
		m, done, verdict := r.add(d)
		switch verdict {
		case fragmentTooLarge:
			o.abort = tooLarge
		case fragmentForeign, fragmentAbandoned:
			o.drop = dropFragment
		}
		if done {
			r.deliver(m, o)
		}
	case len(d.payload) > r.window.maxMessage:
		o.abort = tooLarge
	default:
		if r.reassembly.pass(d.tsn, &r.window, r.pool) {
			o.drop = dropFragment
		}
		m := *d
		m.payload = append(r.window.take(r.pool, len(d.payload)), d.payload...)
		r.deliver(m, o)
	}
}

// add puts a fragment where it belongs.
func (r *receiver) add(d *dataChunk) (whole dataChunk, done bool, verdict fragmentVerdict) {
	if d.interleaved {
		return r.interleaving.add(d, &r.window, r.pool)
	}
	return r.reassembly.add(d, &r.window, r.pool)
}

var tooLarge = &LocalError{ProtocolViolation, "a message is larger than the max-message-size we announced"}

func (r *receiver) deliver(m dataChunk, o *outcome) {
	if !r.delivery.add(m) {
		r.window.giveBack(r.pool, m.payload)
		o.drop = dropSSN
	}
}

// forward takes a FORWARD TSN whose newCumTSN is new (RFC 3758, Section 3.6).
func (r *receiver) forward(f forwardChunk) {
	old := r.tracker.cum
	r.tracker.forward(f.newCumTSN)
	r.reassembly.forward(old, f.newCumTSN, f.skipped, &r.window, r.pool)
	r.reassembly.sweep(f.newCumTSN+1, r.tracker.cum, &r.window, r.pool)
	for i := range f.skipped.len() {
		if stream, last := f.skipped.at(i); stream < r.streams {
			r.delivery.skip(stream, unwrap(last, *r.delivery.expected(stream)))
		}
	}
}

// forwardInterleaved takes an I-FORWARD-TSN, which says for itself which
// messages were given up: TSNs do not (RFC 8260, Section 2.3.1).
func (r *receiver) forwardInterleaved(f interleavedForward) {
	r.tracker.forward(f.newCumTSN)
	for i := range f.skipped.len() {
		stream, unordered, last := f.skipped.at(i)
		if stream >= r.streams {
			continue
		}
		r.interleaving.skip(stream, unordered, last, &r.window, r.pool)
		if !unordered {
			r.delivery.skip(stream, last)
		}
	}
}

// resetStreams makes inbound streams begin again at their first message; no
// streams: all of them.
func (r *receiver) resetStreams(streams []uint16) {
	if len(streams) == 0 {
		r.interleaving.reset(&r.window, r.pool)
		r.delivery.resetAll(r.giveBack)
	}
	for _, id := range streams {
		r.interleaving.resetStream(id, &r.window, r.pool)
		r.delivery.resetStream(id, r.giveBack)
	}
}

// appendSack builds the SACK that is due, with as many gap ack blocks as fit
// into room bytes.
func (r *receiver) appendSack(b []byte, room int) []byte {
	t := &r.tracker
	dups := t.dups
	if room < sackHeaderSize+len(dups) {
		dups = nil
	}
	rwnd := uint32(r.window.rwnd())
	start := len(b)
	b = beginChunk(b, typeSack, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(t.cum))
	b = binary.BigEndian.AppendUint32(b, rwnd)
	b = append(b, 0, 0, 0, byte(len(dups)/4))
	if t.gap() {
		b = t.appendGaps(b, max(0, room-sackHeaderSize-len(dups))/4)
		binary.BigEndian.PutUint16(b[start+12:], uint16((len(b)-start-sackHeaderSize)/4))
	}
	b = append(b, dups...)
	t.dups = t.dups[:0]
	r.ack.sent(rwnd)
	return endChunk(b, start)
}

// restart begins again before the peer's initial TSN; messages that are whole
// stay for the user to take.
func (r *receiver) restart(initial tsn) {
	r.tracker.start(initial)
	r.ack = acknowledger{}
	r.reassembly.reset(&r.window, r.pool)
	r.resetStreams(nil)
}

// renumber begins every stream anew, and TSNs at first.
func (r *receiver) renumber(first tsn) {
	r.tracker.start(first)
	r.reassembly.reset(&r.window, r.pool)
	r.resetStreams(nil)
}

// nextLong has the longest buffer that is still held be the long message, now that
// the one which was is released. It was counted whole, and may have filled the
// window: the peer would learn only from a probe that there is room again.
func (r *receiver) nextLong() {
	var long []byte
	longest := func(b []byte) {
		if cap(b) > cap(long) {
			long = b
		}
	}
	longest(r.interleaving.longest())
	for _, p := range r.reassembly.ring {
		if p != nil {
			longest(p.data.payload)
		}
	}
	for m := r.delivery.ready.head; m != nil; m = m.next {
		longest(m.data.payload)
	}
	r.window.excuse(long)
}

func (r *receiver) giveBack(b []byte) { r.window.giveBack(r.pool, b) }

func (r *receiver) shrink() {
	r.tracker.shrink()
	r.reassembly.shrink()
	r.interleaving.shrink()
	r.delivery.shrink()
}
