package dtls

import (
	"slices"
	"time"
)

const (
	// maxRTO is where doubling the retransmission timer ends. RFC 6347, Section
	// 4.2.4.1 has 60 s, for fear of congestion; a flight a second makes none, and
	// on a path that loses much it is what a call waits for.
	maxRTO = time.Second
	// maxIdleRTO is where it ends for a KeyUpdate, which nobody waits for: what RFC
	// 9147, Section 5.8.2 has.
	maxIdleRTO = time.Minute
	// minFragment is the least of a message that is worth a record of its own
	// at the end of a datagram.
	minFragment = 64
)

// A flight is what this side sends at one go, and sends again until the peer's
// next flight answers it (RFC 6347, Section 4.2.4). Records are made from it
// anew each time, with fresh sequence numbers.
type flight struct {
	buf   []byte
	items []flightItem
	// item and offset are what is sent next.
	item, offset int
	// answers is the message_seq after the peer's flight that this one answers:
	// a message before it that comes again says that the peer did not get us.
	answers uint16
	// final: the flight ends the handshake, so no answer is awaited.
	final bool
	// sent are the records of DTLS 1.3 that an ACK may name.
	sent []sentRecord
	// begun is when it was sent first, sentAt when it was sent last.
	begun, sentAt time.Time
	rto, maxRTO   time.Duration
}

// A flightItem is a message or a ChangeCipherSpec: a piece of the flight's buf.
type flightItem struct {
	typ      contentType
	epoch    uint64
	from, to int
	// acked are the parts of the message's body that the peer has, in order.
	acked []span
}

// start empties the flight for a new one, which answers the peer's messages
// before seq.
func (f *flight) start(now time.Time, seq uint16, initialRTO time.Duration) {
	// RFC 6347, Section 4.2.4.1 starts at a fixed value and keeps what doubling
	// made of it. We know more: an answer to the last flight has just come, so
	// the path is at most as long as it took since that went out first. Half as
	// much again, as RFC 9147, Section 5.8.2 recommends, is no shorter than what
	// doubling came to, and spares a path longer than the timer from having each
	// flight twice.
	f.rto = initialRTO
	if !f.begun.IsZero() {
		rtt := now.Sub(f.begun)
		f.rto = max(min(rtt+rtt/2, maxRTO), initialRTO)
	}
	*f = flight{buf: f.buf[:0], items: f.items[:0], sent: f.sent[:0], answers: seq, rto: f.rto, maxRTO: maxRTO}
}

// add puts what buf holds from position from on into the flight.
func (f *flight) add(typ contentType, epoch uint64, from int) {
	f.items = append(f.items, flightItem{typ: typ, epoch: epoch, from: from, to: len(f.buf)})
}

// addMessage adds a message, and returns it as it stands in buf.
func (f *flight) addMessage(epoch uint64, typ handshakeType, seq uint16, m message) []byte {
	from := len(f.buf)
	f.buf = appendHandshakeHeader(f.buf, typ, 0, seq, 0, 0)
	f.buf = m.append(f.buf)
	n := len(f.buf) - from - handshakeHeaderSize
	appendHandshakeHeader(f.buf[:from], typ, n, seq, 0, n)
	f.add(typeHandshake, epoch, from)
	return f.buf[from:]
}

func (f *flight) changeCipherSpec() {
	from := len(f.buf)
	f.buf = append(f.buf, 1)
	f.add(typeChangeCipherSpec, 0, from)
}

// unsent reports whether a part of the flight waits to be sent.
func (f *flight) unsent() bool { return f.item < len(f.items) }

// repeat makes the flight be sent again, and the next time later.
func (f *flight) repeat() {
	f.item, f.offset = 0, 0
	f.rto = max(min(2*f.rto, f.maxRTO), f.rto)
}

// drop ends the flight: it was answered, or it will not be.
func (f *flight) drop() { *f = flight{} }

// shrink gives back the memory that earlier, longer flights needed.
func (f *flight) shrink() { f.buf, f.items = slices.Clip(slices.Clone(f.buf)), slices.Clone(f.items) }

// append appends records with what is unsent, as much as fits into room bytes.
func (f *flight) append(b []byte, layer *recordLayer, room int) []byte {
	end := len(b) + room
	for f.unsent() {
		it := f.items[f.item]
		space := end - len(b) - layer.overhead(it.epoch)
		start := len(b)
		if it.typ != typeHandshake {
			if space < it.to-it.from {
				return b
			}
			b = layer.begin(b, it.typ, it.epoch)
			b = append(b, f.buf[it.from:it.to]...)
			b = layer.end(b, start)
			f.item++
			continue
		}
		m := f.buf[it.from:it.to]
		body := m[handshakeHeaderSize:]
		offset, upTo := missing(it.acked, f.offset, len(body))
		if offset == upTo && len(body) > 0 {
			f.item, f.offset = f.item+1, 0
			continue
		}
		space -= handshakeHeaderSize
		left := upTo - offset
		if space < left && space < minFragment {
			return b
		}
		n := min(left, space)
		if layer.v13 != nil {
			f.note(sentRecord{recordNumber{it.epoch, layer.next(it.epoch)}, f.item, span{offset, offset + n}})
		}
		b = layer.begin(b, typeHandshake, it.epoch)
		b = appendHandshakeHeader(b, handshakeType(m[0]), len(body), uint16(m[4])<<8|uint16(m[5]), offset, n)
		b = append(b, body[offset:offset+n]...)
		b = layer.end(b, start)
		if f.offset = offset + n; f.offset == len(body) {
			f.item, f.offset = f.item+1, 0
		}
	}
	return b
}
