package sctp

import (
	"time"
	"unsafe"
)

// A window is the receive window's account: what memory the peer may make us
// hold, and how much of it is taken.
//
// Every buffer is charged with its capacity and an overhead from the moment it
// is filled until the user releases it or it is dropped, be it a stray
// fragment, an unfinished message, a message that waits for its turn or one
// that waits for the user. What is left is advertised as a_rwnd.
//
// One buffer counts as no more than longFrom: the first message that grows beyond
// that, until the user releases it, and then another that is as long. So a message
// that is larger than the window comes through it, at full speed, and what a peer
// can make us hold is the window and one message.
type window struct {
	limit      int // what we advertise when all of it is free
	used       int
	maxMessage int // a message larger than this ends the association
	// long is where the buffer of the long message begins; nil: there is none. It
	// tells whose buffer is grown or given back.
	long    *byte
	excused int // how much of it does not count

	// most is how large limit may grow; consumed is what the user has released
	// since then.
	most     int
	consumed int
	since    time.Time
}

// growRTT is the round trip from which on the window grows. It carries a gigabit
// a second over shorter ones as it is.
const growRTT = 8 * time.Millisecond

// released notes that the user is done with n bytes, on a path with this round
// trip. The window grows to four times what the user takes in a round trip: what
// the path holds, as much again for a sender that is speeding up, and both once
// more while losses are repaired. A peer whose data the user does not take cannot
// make it grow.
func (w *window) released(now time.Time, n int, rtt time.Duration) {
	if rtt < growRTT || w.limit >= w.most {
		return
	}
	if w.consumed += n; now.Sub(w.since) < rtt {
		return
	}
	if now.Sub(w.since) < 2*rtt { // else there was a pause
		w.limit = max(w.limit, min(4*w.consumed, w.most))
	}
	w.consumed, w.since = 0, now
}

// hold makes room for a message that is not long on each of so many streams, as far
// as the window may grow. A peer that interleaves them finishes none before it has
// sent most of all, and would crawl from one probe of a full window to the next, or
// fill it for good.
func (w *window) hold(streams int) {
	w.limit = max(w.limit, min((streams+1)*w.ordinary(), w.most))
}

// rwnd is the a_rwnd to advertise. What is less than a packet is not worth
// mentioning: it would only make the sender cut small fragments (the silly
// window syndrome of RFC 1122, Section 4.2.3.3).
func (w *window) rwnd() int {
	if free := w.limit - w.counted(); free >= silly {
		return free
	}
	return 0
}

const silly = 1200

// longFrom is the size from which on a message is long, and the largest that every
// peer takes: less would be of use to nobody.
const longFrom = 256 << 10

// counted is what is taken of the window.
func (w *window) counted() int { return w.used - w.excused }

// charge notes that b, which has grown by n, is held.
func (w *window) charge(b []byte, n int) {
	w.used += n
	w.excuse(b)
}

// excuse lets b be the long message, if there is none and it is long enough, or if
// it has grown since it became that.
func (w *window) excuse(b []byte) {
	if w.long == nil && cap(b) > longFrom || w.isLong(b) {
		w.long, w.excused = unsafe.SliceData(b), cap(b)-longFrom
	}
}

func (w *window) isLong(b []byte) bool { return w.long != nil && w.long == unsafe.SliceData(b) }

// move notes that what was in b is in another buffer now.
func (w *window) move(b, to []byte) {
	if w.isLong(b) {
		w.long, w.excused = nil, 0
		if cap(to) > longFrom {
			w.long = unsafe.SliceData(to)
		}
	}
	w.charge(to, cap(to)-cap(b))
}

// full reports whether the window advertised would be zero.
func (w *window) full() bool { return w.rwnd() == 0 }

// spill is what is taken beyond the window of what comes after a gap. A sender that
// fills what it was offered counts user data, and we count buffers, which are up to
// a quarter larger where packets are. What was under way when the window closed is
// taken, for what is dropped here looks like congestion there.
func (w *window) spill() int { return w.limit / 4 }

// exhausted reports whether even the chunk that comes next in order has to be
// dropped. It gets more room than others, because the way out of a full window
// is to finish the message at the Cumulative TSN Ack Point and deliver it: room
// for such a message, and for its buffer to grow. A long one has room of its own.
func (w *window) exhausted() bool { return w.counted() >= w.limit+w.spill()+2*w.ordinary() }

// ordinary is the largest message that is not long.
func (w *window) ordinary() int { return min(w.maxMessage, longFrom) }

// bound is the most memory that the peer can make us hold: the window and a quarter,
// the long message, and what a message at the Cumulative TSN Ack Point may take
// beyond.
func (w *window) bound() int {
	return w.limit + w.spill() + bufferSize(w.maxMessage) + 4*w.ordinary() + 1<<16
}

// ahead is how much room a message that has begun may have at once, where n bytes
// are expected: no more than the window has left, for what is expected is no more
// than that, and room for a long message only where there is no other, which the
// window would have to count whole.
func (w *window) ahead(n int) int {
	n = min(n, w.maxMessage)
	if w.long != nil {
		n = min(n, longFrom)
	}
	if w.counted()+min(bufferSize(n), longFrom) > w.limit {
		return 0
	}
	return n
}

// take gets a buffer for n bytes and charges it.
func (w *window) take(pool *buffers, n int) []byte {
	b := pool.get(n)
	w.charge(b, cap(b)+pieceOverhead)
	return b
}

// grow appends more to b, moving it to a larger buffer if it has to.
func (w *window) grow(pool *buffers, b, more []byte) []byte {
	if need := len(b) + len(more); need > cap(b) {
		size := min(2*cap(b), w.maxMessage)
		if need <= longFrom { // most messages are not long
			size = min(size, longFrom)
		}
		larger := append(pool.get(max(need, size)), b...)
		w.move(b, larger)
		pool.put(b)
		b = larger
	}
	w.excuse(b) // another may have been the long one when it grew
	return append(b, more...)
}

// fit moves a finished message to a smaller buffer if most of its own is empty.
func (w *window) fit(pool *buffers, b []byte) []byte {
	if size := bufferSize(len(b)); 2*size <= cap(b) {
		smaller := append(pool.get(len(b)), b...)
		w.move(b, smaller)
		pool.put(b)
		b = smaller
	}
	return b
}

// giveBack returns a buffer and its charge.
func (w *window) giveBack(pool *buffers, b []byte) {
	w.forget(b)
	pool.put(b)
}

// forget returns the charge of a buffer that is somebody else's now.
func (w *window) forget(b []byte) {
	w.used -= cap(b) + pieceOverhead
	if w.isLong(b) {
		w.long, w.excused = nil, 0
	}
}
