package sctp

import "time"

// A rate estimates how fast the path delivers (draft-ietf-ccwg-bbr, Section
// 4.1): of each transmission it keeps what had been delivered by then, and what
// has been delivered between that and the acknowledgement, over the time this
// took, is a sample. Amounts are bytes of chunks; they wrap, and only
// differences count.
type rate struct {
	epoch       time.Time     // times count from here
	delivered   uint32        // C.delivered: acknowledged in all
	deliveredAt time.Duration // C.delivered_time: when it last grew
	firstSentAt time.Duration // C.first_send_time: when what was last acknowledged left
	lost        uint32        // C.lost: marked for retransmission in all
	// limited is C.app_limited: the sender ran out of data, so that samples say
	// little until what was in flight then is delivered. Zero: it did not.
	limited   uint32
	isLimited bool
	// blindAt is when a SACK last had no room to tell what had arrived. What is
	// acknowledged later seems to have been delivered all at once.
	blindAt time.Duration
}

// A flown is what was so when a chunk left.
type flown struct {
	at          time.Duration // P.send_time
	deliveredAt time.Duration
	firstSentAt time.Duration
	delivered   uint32
	lost        uint32
	inFlight    int32 // P.tx_in_flight, with the chunk itself
	limited     bool
}

// since is the time of now.
func (r *rate) since(now time.Time) time.Duration {
	if r.epoch.IsZero() {
		r.epoch = now
	}
	return now.Sub(r.epoch)
}

// sent is Section 4.1.2.2: size bytes leave, behind those in flight.
func (r *rate) sent(now time.Time, flight, size int) flown {
	at := r.since(now)
	if flight == 0 {
		r.firstSentAt, r.deliveredAt = at, at
	}
	return flown{
		at: at, deliveredAt: r.deliveredAt, firstSentAt: r.firstSentAt,
		delivered: r.delivered, lost: r.lost, inFlight: int32(flight + size), limited: r.isLimited,
	}
}

// acked is Section 4.1.2.3: n bytes were acknowledged, of which those that
// left last left as f says. The sample is delivered bytes in interval; a zero
// interval is no sample.
func (r *rate) acked(now time.Time, n int, f flown) (delivered int, interval time.Duration) {
	at := r.since(now)
	r.delivered += uint32(n)
	r.deliveredAt = at
	if r.isLimited && int32(r.delivered-r.limited) > 0 {
		r.isLimited = false
	}
	// The longer of the times that sending and acknowledging took: a bunch of
	// acknowledgements that were held up says nothing of the path.
	r.firstSentAt = f.at
	return int(r.delivered - f.delivered), max(f.at-f.firstSentAt, at-f.deliveredAt)
}

// blind notes that a SACK had no room for all gap ack blocks.
func (r *rate) blind(now time.Time) { r.blindAt = r.since(now) }

// ranOut is Section 4.1.2.4: nothing is left to send, and the window is not full.
func (r *rate) ranOut(flight int) {
	r.limited, r.isLimited = r.delivered+uint32(flight), true
}
