package dtls

import (
	"slices"
	"time"
)

// ACKs tell the sender of a flight which of its records arrived, so that it
// sends the others alone again (RFC 9147, Section 7). A flight that is answered
// by another needs none: the answer says that all of it arrived. So ACKs are
// sent for a flight that stays incomplete, and for what has no answer: the
// client's last flight, and messages after the handshake.
//
// "Implementations have some discretion about which events to treat as signs of
// disruption" (Section 7.1). Ours for an incomplete flight waits for a quarter of
// the time that a sender waits, as recommended, and is not hurried by a gap: most
// gaps are datagrams that overtook each other.
//
// ACKs in clear, which may be sent for ClientHello and ServerHello, are neither
// sent nor believed. Anybody could forge one, and stop a message that never
// arrived from being sent again. There is one exception, which names no record: a
// client that gets protected records and no ServerHello, without which it cannot
// open them, says with an empty ACK that it is there (Section 7.1). All that this
// can bring about is a flight that is sent again somewhat earlier.

const (
	// ackDelay is the part of InitialRTO for which an incomplete flight may
	// stand still before what there is of it is acknowledged.
	ackDelay = 4
	// maxAcks bounds the records that one ACK names: more than a flight has
	// that is in nobody's interest to fragment further.
	maxAcks = 32
	// maxSent bounds the records that a flight remembers having sent.
	maxSent = 64
)

// A span is a part of a message's body.
type span struct{ from, to int }

// A sentRecord says what a record carried.
type sentRecord struct {
	number recordNumber
	item   int
	span   span
}

// note remembers a record that is being sent, and forgets the oldest.
func (f *flight) note(r sentRecord) {
	if f.sent == nil {
		f.sent = make([]sentRecord, 0, 8) // of most flights
	}
	if len(f.sent) == maxSent {
		f.sent = slices.Delete(f.sent, 0, 1)
	}
	f.sent = append(f.sent, r)
}

// acknowledge notes that a record arrived, and reports whether that is news.
func (f *flight) acknowledge(n recordNumber) (news bool) {
	for i, r := range f.sent {
		if r.number == n {
			f.sent = slices.Delete(f.sent, i, i+1)
			it := &f.items[r.item]
			it.acked = merge(it.acked, r.span)
			return true
		}
	}
	return false
}

// arrived reports whether all of the flight was acknowledged.
func (f *flight) arrived() bool {
	for _, it := range f.items {
		size := it.to - it.from - handshakeHeaderSize
		if from, to := missing(it.acked, 0, size); from != to {
			return false
		}
	}
	return true
}

// merge adds s to spans that are in order and apart.
func merge(spans []span, s span) []span {
	at := 0
	for at < len(spans) && spans[at].to < s.from {
		at++
	}
	end := at
	for end < len(spans) && spans[end].from <= s.to {
		s.from, s.to = min(s.from, spans[end].from), max(s.to, spans[end].to)
		end++
	}
	return slices.Replace(spans, at, end, s)
}

// missing is the first part at or after from, of size bytes, that spans leave
// out: empty when there is none.
func missing(spans []span, from, size int) (int, int) {
	for _, s := range spans {
		if s.to <= from {
			continue
		}
		if s.from > from {
			return from, s.from
		}
		from = s.to
	}
	return from, size
}

// An acker says which records of the peer's are to be acknowledged.
type acker struct {
	numbers []recordNumber // in the order of arrival; the oldest are forgotten
	unsent  bool
	// delay is when the next ACK of an incomplete flight follows.
	delay time.Duration
}

// received notes a record whose messages are processed or held.
func (a *acker) received(n recordNumber) {
	if a.numbers == nil {
		a.numbers = make([]recordNumber, 0, 8)
	}
	if len(a.numbers) == maxAcks {
		a.numbers = slices.Delete(a.numbers, 0, 1)
	}
	a.numbers = append(a.numbers, n)
}

// answered forgets the records of a flight that our own answers.
func (a *acker) answered() { a.numbers, a.unsent, a.delay = a.numbers[:0], false, 0 }

// message is the ACK, "in numerically increasing order" (RFC 9147, Section 7).
func (a *acker) message() ackMessage {
	m := ackMessage(slices.Clone(a.numbers))
	slices.SortFunc(m, recordNumber.compare)
	return slices.Compact(m)
}

// appendACK appends the ACK that is due, if it fits into room bytes.
func (c *Conn) appendACK(b []byte, room int) []byte {
	if !c.acks.unsent {
		return b
	}
	m := c.acks.message()
	if overhead13+2+16*len(m) > room {
		return b
	}
	c.acks.unsent = false
	start := len(b)
	b = c.layer.begin(b, typeACK, c.writeEpoch)
	b = m.append(b)
	if c.session != nil {
		// What comes again is noted again.
		c.acks.answered()
	}
	return c.layer.end(b, start)
}

// incomplete sees to it that what arrived of a flight is acknowledged if the
// rest does not follow soon. That any of it arrived says that all of our flight
// did, so only the peer's is still to be repaired; and should the ACK be lost,
// another follows, later each time.
func (c *Conn) incomplete(now time.Time) {
	c.timers.Stop(timerRetransmit)
	c.acknowledgeSoon(now)
}

func (c *Conn) acknowledgeSoon(now time.Time) {
	if c.acks.delay == 0 {
		c.acks.delay = c.config.InitialRTO / ackDelay
	}
	c.timers.SetEarlier(timerACK, now.Add(c.acks.delay))
}

// receiveClearACK takes an ACK in clear.
func (c *Conn) receiveClearACK(now time.Time, body []byte) {
	m, ok := parseACK(body)
	if !ok || len(m) > 0 || c.isClient || c.layer.v13 == nil {
		c.drop(now, DropACKInClear, len(body))
		return
	}
	// The client waited for a quarter of the timer; who did not is somebody else.
	c.repeatIfOlder(now, c.config.InitialRTO/ackDelay)
}

// receiveACK takes the peer's ACK. What is still missing of our flight is sent
// at once: the peer has waited for it already.
func (c *Conn) receiveACK(now time.Time, body []byte) {
	m, ok := parseACK(body)
	if !ok {
		c.drop(now, DropMalformedACK, len(body))
		return
	}
	f := &c.flight
	news := false
	for _, n := range m {
		news = f.acknowledge(n) || news
	}
	for i := range f.items {
		// Who has keys has our ServerHello, said so or not.
		if it := &f.items[i]; it.epoch == 0 {
			it.acked = []span{{0, it.to - it.from - handshakeHeaderSize}}
		}
	}
	switch {
	case !news:
	case f.arrived():
		c.flightArrived(now)
	case !f.unsent():
		f.item, f.offset = 0, 0
	}
}

// forget takes back a record that was noted, but nothing in it kept.
func (a *acker) forget(n recordNumber) {
	if i := slices.Index(a.numbers, n); i >= 0 {
		a.numbers = slices.Delete(a.numbers, i, i+1)
	}
}
