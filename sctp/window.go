package sctp

import "time"

// A window is the receive window's account: what memory the peer may make us
// hold, and how much of it is taken.
//
// Every buffer is charged with its capacity and an overhead from the moment it
// is filled until the user releases it or it is dropped, be it a stray
// fragment, an unfinished message, a message that waits for its turn or one
// that waits for the user. What is left is advertised as a_rwnd.
type window struct {
	limit      int // what we advertise when all of it is free
	used       int
	maxMessage int // a message larger than this ends the association

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

// rwnd is the a_rwnd to advertise. What is less than a packet is not worth
// mentioning: it would only make the sender cut small fragments (the silly
// window syndrome of RFC 1122, Section 4.2.3.3).
func (w *window) rwnd() int {
	if free := w.limit - w.used; free >= silly {
		return free
	}
	return 0
}

const silly = 1200

// full reports whether the window advertised would be zero.
func (w *window) full() bool { return w.rwnd() == 0 }

// exhausted reports whether even the chunk that comes next in order has to be
// dropped. It gets more room than others, because the way out of a full window
// is to finish the message at the Cumulative TSN Ack Point and deliver it: room
// for such a message, and for its buffer to grow.
func (w *window) exhausted() bool { return w.used >= w.limit+2*w.maxMessage }

// bound is the most memory that the peer can make us hold.
func (w *window) bound() int { return w.limit + 4*w.maxMessage + 1<<16 }

// take gets a buffer for n bytes and charges it.
func (w *window) take(pool *buffers, n int) []byte {
	b := pool.get(n)
	w.used += cap(b) + pieceOverhead
	return b
}

// grow appends more to b, moving it to a larger buffer if it has to.
func (w *window) grow(pool *buffers, b, more []byte) []byte {
	if need := len(b) + len(more); need > cap(b) {
		larger := append(pool.get(max(need, min(2*cap(b), w.maxMessage))), b...)
		w.used += cap(larger) - cap(b)
		pool.put(b)
		b = larger
	}
	return append(b, more...)
}

// fit moves a finished message to a smaller buffer if most of its own is empty.
func (w *window) fit(pool *buffers, b []byte) []byte {
	if size := bufferSize(len(b)); 2*size <= cap(b) {
		smaller := append(pool.get(len(b)), b...)
		w.used += cap(smaller) - cap(b)
		pool.put(b)
		b = smaller
	}
	return b
}

// giveBack returns a buffer and its charge.
func (w *window) giveBack(pool *buffers, b []byte) {
	w.used -= cap(b) + pieceOverhead
	pool.put(b)
}
