package sctp

// A reassembly puts the fragments of messages together (RFC 9260, Section
// 6.9).
//
// The fragments of one message have consecutive TSNs, so they find each other
// by TSN alone: a ring holds for each TSN after the Cumulative TSN Ack Point
// either a stray fragment that arrived, or the beginning of a message that
// waits for just this TSN. A fragment is copied once when it arrives in order
// and at most twice otherwise, and every step takes constant time.
type reassembly struct {
	ring []*piece // by TSN; a power of two; nil while no message is incomplete
	live int      // pieces in the ring
	free *piece   // for reuse, linked by next
	// hint is the size of the last message that came in fragments: the next
	// one is given as much room at once, if it is the only one: a window full of
	// room for what has not come is of no use.
	hint int
}

// minPieces is the smallest ring.
const minPieces = 8

// A piece is a message from its first fragment up to some later one, or a
// fragment that cannot be joined to its beginning yet.
type piece struct {
	at    tsn // its place in the ring: the TSN it waits for, or that of the stray fragment
	stray bool
	data  dataChunk // of the first fragment, or of the stray one; its payload is ours
	next  *piece
}

// pieceOverhead is what a message or fragment costs beside its bytes; it is
// counted against the receive window, so that many tiny ones cannot take more
// memory than was offered.
const pieceOverhead = 128

// add takes a fragment, a DATA chunk that does not carry a whole message, and
// returns the message it completed. The message's payload is a buffer of the
// association; window has it on its books.
func (r *reassembly) add(d *dataChunk, w *window, pool *buffers) (whole dataChunk, done bool, verdict fragmentVerdict) {
	if r.ring == nil {
		r.ring = make([]*piece, minPieces)
	}
	waiting := r.take(d.tsn)
	if d.flags&flagBegin != 0 {
		if waiting != nil {
			// The message before was left unfinished: its sender gave it up.
			w.giveBack(pool, waiting.data.payload)
			r.release(waiting)
			verdict = fragmentAbandoned
		}
		p := r.piece()
		p.data = *d
		size := len(d.payload)
		if r.live == 0 {
			size = max(size, w.ahead(r.hint))
		}
		p.data.payload = append(w.take(pool, size), d.payload...)
		p.at, p.stray = d.tsn+1, false
		whole, done, ok := r.advance(p, d.flags, w, pool)
		if !ok {
			verdict = fragmentTooLarge
		}
		return whole, done, verdict
	}
	if waiting == nil {
		p := r.piece()
		p.data = *d
		p.data.payload = append(w.take(pool, len(d.payload)), d.payload...)
		p.at, p.stray = d.tsn, true
		r.put(p)
		return dataChunk{}, false, fragmentKept
	}
	if !waiting.continues(d) {
		w.giveBack(pool, waiting.data.payload)
		r.release(waiting)
		return dataChunk{}, false, fragmentForeign
	}
	waiting.data.payload = w.grow(pool, waiting.data.payload, d.payload)
	waiting.at++
	whole, done, ok := r.advance(waiting, d.flags, w, pool)
	if !ok {
		verdict = fragmentTooLarge
	}
	return whole, done, verdict
}

// pass notes that TSN n came with something other than a fragment that
// continues a message: a message that waited for just that will not be
// finished. It reports whether there was one.
func (r *reassembly) pass(n tsn, w *window, pool *buffers) bool {
	if r.live == 0 {
		return false
	}
	p := r.take(n)
	if p == nil {
		return false
	}
	w.giveBack(pool, p.data.payload)
	r.release(p)
	return true
}

// A fragmentVerdict is what became of a fragment, beside a completed message.
type fragmentVerdict uint8

const (
	fragmentKept      fragmentVerdict = iota
	fragmentAbandoned                 // kept; the message before it was dropped unfinished
	fragmentForeign                   // dropped with the message it should have continued
	fragmentTooLarge                  // its message is larger than we accept
)

// continues reports whether d can be the next fragment of p's message: one of
// the same stream, of the same order, and of the same SSN if there is one.
func (p *piece) continues(d *dataChunk) bool {
	return p.data.stream == d.stream && (p.data.flags^d.flags)&flagUnordered == 0 &&
		(p.data.flags&flagUnordered != 0 || p.data.ssn == d.ssn)
}

// advance joins p with the stray fragments that follow it, until its last
// fragment or a TSN that has not arrived. Flags are those of the fragment that
// was joined last.
func (r *reassembly) advance(p *piece, flags uint8, w *window, pool *buffers) (whole dataChunk, done, ok bool) {
	for {
		if len(p.data.payload) > w.maxMessage {
			w.giveBack(pool, p.data.payload)
			r.release(p)
			return dataChunk{}, false, false
		}
		if flags&flagEnd != 0 {
			whole = p.data
			whole.payload = w.fit(pool, whole.payload)
			r.hint = len(whole.payload)
			r.release(p)
			return whole, true, true
		}
		next := r.peek(p.at)
		if next == nil || !next.stray {
			// Nothing there, or another message that waits for the same TSN,
			// which cannot be: it would have begun at or after p.at.
			r.put(p)
			return dataChunk{}, false, true
		}
		r.take(p.at)
		if !p.continues(&next.data) {
			w.giveBack(pool, next.data.payload)
			w.giveBack(pool, p.data.payload)
			r.release(next)
			r.release(p)
			return dataChunk{}, false, true
		}
		p.data.payload = w.grow(pool, p.data.payload, next.data.payload)
		p.at++
		flags = next.data.flags
		w.giveBack(pool, next.data.payload)
		r.release(next)
	}
}

// forward forgets what the peer gave up: stray fragments up to cum, and
// messages that wait for a TSN up to cum; old is where the Cumulative TSN Ack
// Point was. A message that waits for the very next TSN may still be finished,
// unless it is an ordered one that skipped says is given up.
func (r *reassembly) forward(old, cum tsn, skipped skippedStreams, w *window, pool *buffers) {
	if r.live == 0 {
		return
	}
	// Whichever is less: the TSNs that are given up, or the ring.
	for i := range min(int(cum-old), len(r.ring)) {
		p := *r.slot(old + 1 + tsn(i))
		if p != nil && p.at.AtMost(cum) {
			r.take(p.at)
			w.giveBack(pool, p.data.payload)
			r.release(p)
		}
	}
	p := r.peek(cum + 1)
	if p == nil || p.stray || p.data.flags&flagUnordered != 0 {
		return
	}
	for i := range skipped.len() {
		if stream, last := skipped.at(i); stream == p.data.stream && p.data.ssn.AtMost(last) {
			r.take(p.at)
			w.giveBack(pool, p.data.payload)
			r.release(p)
			return
		}
	}
}

// sweep forgets what still stands at TSN first to last, all of which the
// Cumulative TSN Ack Point has passed: strays whose message never began, and
// messages whose continuation turned out to be something else.
func (r *reassembly) sweep(first, last tsn, w *window, pool *buffers) (dropped bool) {
	for n := first; r.live > 0 && n.AtMost(last); n++ {
		if p := r.take(n); p != nil {
			w.giveBack(pool, p.data.payload)
			r.release(p)
			dropped = true
		}
	}
	return dropped
}

// reset forgets everything: the association restarts.
func (r *reassembly) reset(w *window, pool *buffers) {
	for _, p := range r.ring {
		if p != nil {
			w.giveBack(pool, p.data.payload)
		}
	}
	*r = reassembly{}
}

// shrink gives back what an idle reassembly does not need.
func (r *reassembly) shrink() {
	if r.live == 0 {
		*r = reassembly{}
	}
}

// The ring. All TSNs in it lie within maxSpan+1 of each other.

func (r *reassembly) slot(n tsn) **piece { return &r.ring[uint32(n)&uint32(len(r.ring)-1)] }

// peek returns what stands at n, if anything.
func (r *reassembly) peek(n tsn) *piece {
	if p := *r.slot(n); p != nil && p.at == n {
		return p
	}
	return nil
}

func (r *reassembly) take(n tsn) *piece {
	p := r.peek(n)
	if p != nil {
		*r.slot(n) = nil
		r.live--
	}
	return p
}

// put places p at p.at, making the ring larger until it has a place of its own.
func (r *reassembly) put(p *piece) {
	for *r.slot(p.at) != nil {
		r.resize(2 * len(r.ring))
	}
	*r.slot(p.at) = p
	r.live++
}

// resize moves the pieces to a ring of the given size, or a larger one if two
// of them met there.
func (r *reassembly) resize(size int) {
	old := r.ring
	r.ring = make([]*piece, size)
	for _, p := range old {
		if p == nil {
			continue
		}
		if *r.slot(p.at) != nil {
			r.ring = old
			r.resize(2 * size)
			return
		}
		*r.slot(p.at) = p
	}
}

func (r *reassembly) piece() *piece {
	p := r.free
	if p == nil {
		return new(piece)
	}
	r.free, p.next = p.next, nil
	return p
}

func (r *reassembly) release(p *piece) {
	p.data = dataChunk{}
	p.next, r.free = r.free, p
}
