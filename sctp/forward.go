package sctp

import "encoding/binary"

// Partial reliability (RFC 3758): a message whose time or tries ran out is
// abandoned, and a FORWARD TSN tells the peer not to wait for it.

// abandon gives up the message that chunk n belongs to: all its chunks, those
// acknowledged by gap ack blocks too, so that the Advanced.Peer.Ack.Point can
// pass over them. The unsent rest is the caller's to drop.
func (o *outstanding) abandon(n tsn) {
	m := o.at(n).message
	m.abandoned = true
	if m.cut < len(m.data) {
		o.cutShort = append(o.cutShort, m)
	}
	// Other messages' chunks may lie between.
	first := n
	for first != o.cum+1 && (o.at(first).message != m || o.at(first).flags&flagBegin == 0) {
		first--
	}
	for left := m.chunks; left > 0; first++ {
		c := o.at(first)
		if c.message != m {
			continue
		}
		left--
		switch c.state {
		case chunkInFlight:
			o.land(c)
		case chunkAcked:
			o.gapAcks--
		case chunkMarked:
			o.marked--
		}
		c.state, c.skip = chunkAbandoned, 0
	}
}

// advance is RFC 3758, Section 3.5, C2: it moves the Advanced.Peer.Ack.Point
// over abandoned chunks and reports whether it did.
//
// It passes over an unordered message of one chunk that a gap ack block
// acknowledged, too: the peer's user has it. Otherwise one loss a round trip would
// be passed over, and a sender that loses more of them falls behind for good, until
// its SACKs have no room for the gaps. It stops at any other chunk that is
// acknowledged: that one may be part of a message that is still being sent, or wait
// for those before it, and a receiver may drop all it holds up to the point.
func (o *outstanding) advance() (moved bool) {
	for n := o.advanced + 1; n != o.next; n++ {
		switch c := o.at(n); {
		case c.state == chunkAbandoned:
			moved = true
		case c.state == chunkAcked && c.message.unordered && c.flags&(flagBegin|flagEnd) == flagBegin|flagEnd:
		default:
			return moved
		}
		o.advanced = n
	}
	return moved
}

// appendForward appends a FORWARD TSN, or an I-FORWARD-TSN, up to the
// Advanced.Peer.Ack.Point, or as far as its list fits into room bytes.
func (o *outstanding) appendForward(b []byte, room int, interleaved bool) []byte {
	start := len(b)
	typ, entry := typeForwardTSN, 4
	if interleaved {
		typ, entry = typeIForwardTSN, skippedMessageSize
	}
	b = beginChunk(b, typ, 0)
	b = binary.BigEndian.AppendUint32(b, 0)
	list := len(b)
	newCum, limit := o.cum, o.advanced
	// What was given up before a stream was reset must not be told to a peer that
	// has performed the reset: it would be taken for the stream's next use. So no
	// chunk reaches from before a reset to after it. One that ends with what came
	// before it is passed over by a peer that was there already.
	if o.resetting && o.resetAt.After(newCum) && o.resetAt.Before(limit) {
		limit = o.resetAt
	}
	told := newCum
	if o.resetDone.After(told) && o.resetDone.Before(o.next) {
		told = o.resetDone // which the peer has passed
	}
	for newCum != limit {
		c := o.at(newCum + 1)
		m := c.message
		// One entry a stream, with its last message; I-DATA has one for unordered
		// messages too. Streams that gave something up at the same time are few.
		if c.state == chunkAbandoned && newCum.AtLeast(told) && (interleaved || !m.unordered) {
			at := list
			for at < len(b) && !m.skippedBy(b[at:at+entry]) {
				at += entry
			}
			if at == len(b) && at+entry-start > room {
				break
			}
			b = m.putSkipped(b, at, interleaved)
		}
		newCum++
	}
	binary.BigEndian.PutUint32(b[start+4:], uint32(newCum))
	return endChunk(b, start)
}

// skippedBy reports whether an entry is of m's stream and order.
func (m *outMessage) skippedBy(entry []byte) bool {
	return binary.BigEndian.Uint16(entry) == m.stream.id && (len(entry) == 4 || entry[3]&1 != 0 == m.unordered)
}

// putSkipped writes the entry at b[at:], or appends it.
func (m *outMessage) putSkipped(b []byte, at int, interleaved bool) []byte {
	rest := b[:at]
	if interleaved {
		rest = skippedMessages(rest).append(m.stream.id, m.unordered, m.mid)
	} else {
		rest = binary.BigEndian.AppendUint16(rest, m.stream.id)
		rest = binary.BigEndian.AppendUint16(rest, uint16(m.mid))
	}
	return rest[:max(len(rest), len(b))]
}
