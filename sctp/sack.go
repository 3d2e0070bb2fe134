package sctp

import (
	"time"
)

// An acknowledger decides when a SACK leaves (RFC 9260, Section 6.2).
//
// "Specifically, an acknowledgement SHOULD be generated for at least every
// second packet (not every second DATA chunk) received and SHOULD be generated
// within 200 ms of the arrival of any unacknowledged DATA chunk."
type acknowledger struct {
	due     bool // a SACK belongs into the next packet
	waiting bool // one packet with DATA waits for a second one, or for T-sack
	first   bool // a DATA chunk has been acknowledged
	rwnd    uint32
}

// sackDelay is how long the SACK for a lone packet waits for company. Less
// than the RFC's 200 ms, because a sender with a congestion window of one
// packet waits for it; more than an application takes to answer a message, so
// that the SACK can ride with the answer.
const sackDelay = 50 * time.Millisecond

// packet notes the arrival of a packet with DATA and reports whether T-sack
// has to run. Immediate says that this SACK must not wait: a gap, a duplicate,
// the I bit, or a state in which nothing else will come.
func (k *acknowledger) packet(immediate bool) (delay bool) {
	// The first SACK is not delayed: the sender learns its round trip from it.
	if immediate || k.waiting || !k.first {
		k.due, k.waiting, k.first = true, false, true
		return false
	}
	k.waiting = true
	return true
}

// timeout makes the delayed SACK due.
func (k *acknowledger) timeout() { k.due, k.waiting = true, false }

// sent notes that a SACK advertising rwnd was built.
func (k *acknowledger) sent(rwnd uint32) { k.due, k.waiting, k.rwnd = false, false, rwnd }

// reopened reports whether the window has grown so much since it was last
// advertised that the peer, who may be waiting for it, should be told without
// having to probe: it was narrow, and a quarter of all there is has come free.
func (k *acknowledger) reopened(rwnd, window int) bool {
	return int(k.rwnd) < window/4 && rwnd-int(k.rwnd) >= window/4
}
