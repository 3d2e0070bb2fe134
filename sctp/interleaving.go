package sctp

// An interleaving puts the fragments of I-DATA messages together (RFC 8260,
// Section 2). Their TSNs say nothing about which belong together: the stream,
// the order and the Message Identifier do.
//
// A sender finishes one message of a stream and order before it begins the
// next, so the unfinished messages of one are few, and the one that a fragment
// belongs to is nearly always the first, the last, or the same as before.
type interleaving struct {
	// lists holds the unfinished messages, by stream and order; one without any
	// is not in it. It is only looked up, never ranged over but to drop all.
	lists  map[streamOrder]*partialList
	recent *partial // what the last fragment was for
	live   int      // partials in all lists
	open   int      // lists with a message that has begun
	// skipped is, by stream, one more than the last Message Identifier of an
	// unordered message that the peer gave up: a fragment of such a one may
	// still come, and would wait for ever.
	skipped []mid
	// hint is the size of the last message that came in fragments: the next
	// one is given as much room at once, if it is the only one.
	hint int

	freeList    *partialList
	freePartial *partial
	freeStray   *stray
}

// A streamOrder is a stream's ordered or its unordered messages.
type streamOrder uint32

func orderOf(stream uint16, unordered bool) streamOrder {
	o := streamOrder(stream) << 1
	if unordered {
		o |= 1
	}
	return o
}

// A partialList is the unfinished messages of one stream and order, by Message
// Identifier.
type partialList struct {
	head, tail *partial
	open       int          // messages that have begun
	free       *partialList // links those for reuse
}

// A partial is a message of which not everything has come.
type partial struct {
	order streamOrder
	// data is of the first fragment, its payload what follows from there without
	// a gap. The payload is ours, and not there before the first fragment.
	data       dataChunk
	begun      bool
	counted    bool   // in its list's open
	fsn        uint32 // the fragment that it waits for
	head, tail *stray // fragments after that one, by their number
	prev, next *partial
}

// A stray is a fragment that came before its turn.
type stray struct {
	fsn     uint32
	end     bool
	payload []byte // ours
	next    *stray
}

// add takes a fragment, an I-DATA chunk that does not carry a whole message, and
// returns the message it completed. The message's payload is a buffer of the
// association; window has it on its books.
func (r *interleaving) add(d *dataChunk, w *window, pool *buffers) (whole dataChunk, done bool, verdict fragmentVerdict) {
	begin := d.flags&flagBegin != 0
	if !begin && d.fsn == 0 {
		return dataChunk{}, false, fragmentForeign
	}
	p := r.find(d)
	end := d.flags&flagEnd != 0
	switch {
	case begin && p.begun || !begin && p.begun && d.fsn < p.fsn:
		return dataChunk{}, false, fragmentForeign // it was there before
	case begin:
		size := len(d.payload)
		if r.live == 1 {
			size = max(size, w.ahead(r.hint))
		}
		p.data, p.begun, p.fsn = *d, true, 1
		r.count(p)
		p.data.payload = append(w.take(pool, size), d.payload...)
	case p.begun && d.fsn == p.fsn:
		p.data.payload = w.grow(pool, p.data.payload, d.payload)
		p.fsn++
	default:
		if !r.insert(p, d, w, pool) {
			return dataChunk{}, false, fragmentForeign
		}
		return dataChunk{}, false, fragmentKept
	}
	for !end && p.head != nil && p.head.fsn == p.fsn && len(p.data.payload) <= w.maxMessage {
		s := p.head
		p.data.payload = w.grow(pool, p.data.payload, s.payload)
		end = s.end
		p.fsn++
		r.dropStray(p, w, pool)
	}
	switch {
	case len(p.data.payload) > w.maxMessage:
		r.drop(p, w, pool)
		return dataChunk{}, false, fragmentTooLarge
	case !end:
		return dataChunk{}, false, fragmentKept
	}
	whole = p.data
	whole.payload = w.fit(pool, whole.payload)
	r.hint = len(whole.payload)
	p.begun = false // the payload is not the partial's any more
	r.drop(p, w, pool)
	return whole, true, fragmentKept
}

// count notes that a message has begun.
func (r *interleaving) count(p *partial) {
	list := r.lists[p.order]
	if p.counted = true; list.open == 0 {
		r.open++
	}
	list.open++
}

// find returns the message that a fragment belongs to, new if need be.
func (r *interleaving) find(d *dataChunk) *partial {
	o := orderOf(d.stream, d.flags&flagUnordered != 0)
	if p := r.recent; p != nil && p.order == o && p.data.mid == d.mid {
		return p
	}
	list := r.lists[o]
	if list == nil {
		if r.lists == nil {
			r.lists = make(map[streamOrder]*partialList)
		}
		if list = r.freeList; list == nil {
			list = new(partialList)
		} else {
			r.freeList, list.free = list.free, nil
		}
		r.lists[o] = list
	}
	// From the end that is nearer, where nearly all are.
	before := list.tail
	if h := list.head; h != nil && d.mid.AtMost(h.data.mid) {
		before = h
	}
	for before != nil && d.mid.Before(before.data.mid) {
		before = before.prev
	}
	if before == nil || before.data.mid != d.mid {
		p := r.partial()
		p.order, p.data.mid = o, d.mid
		list.insert(p, before)
		r.live++
		before = p
	}
	r.recent = before
	return before
}

// insert puts p behind another, or first.
func (l *partialList) insert(p, before *partial) {
	p.prev = before
	if before == nil {
		p.next, l.head = l.head, p
	} else {
		p.next, before.next = before.next, p
	}
	if p.next == nil {
		l.tail = p
	} else {
		p.next.prev = p
	}
}

// insert keeps a fragment whose turn has not come; not the same one twice.
func (r *interleaving) insert(p *partial, d *dataChunk, w *window, pool *buffers) bool {
	at := &p.head
	if p.tail != nil && p.tail.fsn < d.fsn {
		at = &p.tail.next
	}
	for *at != nil && (*at).fsn < d.fsn {
		at = &(*at).next
	}
	if *at != nil && (*at).fsn == d.fsn {
		return false
	}
	s := r.freeStray
	if s == nil {
		s = new(stray)
	} else {
		r.freeStray = s.next
	}
	*s = stray{
		fsn: d.fsn, end: d.flags&flagEnd != 0, next: *at,
		payload: append(w.take(pool, len(d.payload)), d.payload...),
	}
	*at = s
	if s.next == nil {
		p.tail = s
	}
	return true
}

// dropStray lets go of p's first stray.
func (r *interleaving) dropStray(p *partial, w *window, pool *buffers) {
	s := p.head
	if p.head = s.next; p.head == nil {
		p.tail = nil
	}
	w.giveBack(pool, s.payload)
	*s = stray{next: r.freeStray}
	r.freeStray = s
}

// drop lets go of a message.
func (r *interleaving) drop(p *partial, w *window, pool *buffers) {
	if p.begun {
		w.giveBack(pool, p.data.payload)
	}
	for p.head != nil {
		r.dropStray(p, w, pool)
	}
	list := r.lists[p.order]
	if p.counted {
		if list.open--; list.open == 0 {
			r.open--
		}
	}
	if p.prev == nil {
		list.head = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		list.tail = p.prev
	} else {
		p.next.prev = p.prev
	}
	if list.head == nil {
		delete(r.lists, p.order)
		list.free, r.freeList = r.freeList, list
	}
	if r.recent == p {
		r.recent = nil
	}
	*p = partial{next: r.freePartial}
	r.freePartial = p
	r.live--
}

// longest is the largest buffer of an unfinished message; of equal ones that of the
// first stream, so that the order of a map does not show.
func (r *interleaving) longest() (b []byte) {
	var order streamOrder
	for o, list := range r.lists {
		for p := list.head; p != nil; p = p.next {
			if n := cap(p.data.payload); n > cap(b) || n == cap(b) && o < order {
				b, order = p.data.payload, o
			}
		}
	}
	return b
}

// late reports whether an unordered message was given up before.
func (r *interleaving) late(d *dataChunk) bool {
	return int(d.stream) < len(r.skipped) && r.skipped[d.stream] != 0 && d.mid.Before(r.skipped[d.stream])
}

// skip forgets the messages of a stream and order that the peer gave up, all up
// to last.
func (r *interleaving) skip(stream uint16, unordered bool, last mid, w *window, pool *buffers) {
	if list := r.lists[orderOf(stream, unordered)]; list != nil {
		for p := list.head; p != nil && p.data.mid.AtMost(last); {
			next := p.next
			r.drop(p, w, pool)
			p = next
		}
	}
	if unordered {
		if n := int(stream) + 1; n > len(r.skipped) {
			r.skipped = append(r.skipped, make([]mid, n-len(r.skipped))...)
		}
		if at := &r.skipped[stream]; *at == 0 || at.AtMost(last) {
			*at = last + 1
		}
	}
}

// resetStream makes a stream begin again; what is unfinished will not be
// finished.
func (r *interleaving) resetStream(stream uint16, w *window, pool *buffers) {
	for _, unordered := range [2]bool{false, true} {
		list := r.lists[orderOf(stream, unordered)]
		for list != nil && list.head != nil {
			r.drop(list.head, w, pool)
		}
	}
	if int(stream) < len(r.skipped) {
		r.skipped[stream] = 0
	}
}

// reset makes every stream begin again.
func (r *interleaving) reset(w *window, pool *buffers) {
	// The map's order does not show: dropped buffers are all alike.
	for _, list := range r.lists {
		for list.head != nil {
			r.drop(list.head, w, pool)
		}
	}
	*r = interleaving{}
}

func (r *interleaving) partial() *partial {
	p := r.freePartial
	if p == nil {
		return new(partial)
	}
	r.freePartial, p.next = p.next, nil
	return p
}

// shrink gives back what an idle interleaving does not need.
func (r *interleaving) shrink() {
	if r.live == 0 {
		*r = interleaving{skipped: r.skipped}
	}
}
