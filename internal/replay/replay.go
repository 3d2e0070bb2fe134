// Package replay is the sliding window that keeps a packet from being taken
// twice: DTLS records (RFC 6347, Section 4.1.2.6) and SRTP packets (RFC 3711,
// Section 3.3.2).
//
// A packet is looked up with [Window.Fresh] before the expensive
// authentication and entered with [Window.Accept] only after it: a forged
// packet must not move the window.
package replay

// Size is how many sequence numbers below the highest one are remembered. RFC
// 6347 asks for at least 32 and prefers 64, and RFC 3711 for 64; ours is wider,
// because a batch of packets that another thread or network path overtakes is
// longer than that, and because a video packet that is sent again in its own
// stream comes a round trip late: at 3,000 packets a second, 300 ms are 900.
const Size = 1024

const words = Size / 64

// A Window remembers which sequence numbers were seen. The zero Window has
// seen none.
type Window struct {
	// top is the highest accepted sequence number plus one: zero when none was.
	top uint64
	// seen is a ring of bits: number n stands at bit n mod Size.
	seen [words]uint64
}

// Fresh reports whether seq was not accepted yet and is not too old to tell.
func (w *Window) Fresh(seq uint64) bool {
	if seq >= w.top {
		return true
	}
	if w.top-seq > Size {
		return false
	}
	return w.seen[seq/64%words]&(1<<(seq%64)) == 0
}

// Accept enters seq, whose packet was authenticated, and reports whether it
// was fresh.
func (w *Window) Accept(seq uint64) bool {
	if !w.Fresh(seq) {
		return false
	}
	if seq >= w.top {
		w.slide(seq + 1)
	}
	w.seen[seq/64%words] |= 1 << (seq % 64)
	return true
}

// Highest is the highest sequence number accepted so far.
func (w *Window) Highest() (seq uint64, ok bool) { return w.top - 1, w.top > 0 }

// slide moves the window's upper end to top, forgetting what falls out below.
func (w *Window) slide(top uint64) {
	if top-w.top >= Size {
		w.seen = [words]uint64{}
	} else {
		for n := w.top; n < top; n++ {
			w.seen[n/64%words] &^= 1 << (n % 64)
		}
	}
	w.top = top
}
