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
	first := n
	for first != o.cum+1 && o.at(first-1).message == m {
		first--
	}
	for ; first != o.next && o.at(first).message == m; first++ {
		c := o.at(first)
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
// over abandoned chunks and reports whether it moved.
//
// It stops at a chunk acknowledged by a gap ack block: that one may be part of
// a message that is still being sent, and a receiver may drop all it holds up
// to the point.
func (o *outstanding) advance() bool {
	before := o.advanced
	for n := o.advanced + 1; n != o.next && o.at(n).state == chunkAbandoned; n++ {
		o.advanced = n
	}
	return o.advanced != before
}

// appendForward appends a FORWARD TSN up to the Advanced.Peer.Ack.Point, or as
// far as its list of streams fits into room bytes.
func (o *outstanding) appendForward(b []byte, room int) []byte {
	start := len(b)
	b = beginChunk(b, typeForwardTSN, 0)
	b = binary.BigEndian.AppendUint32(b, 0)
	list := len(b)
	newCum := o.cum
chunks:
	for newCum != o.advanced {
		m := o.at(newCum + 1).message
		if !m.unordered {
			// One entry a stream, with its last SSN. Streams that gave something
			// up at the same time are few.
			for i := list; ; i += 4 {
				if i == len(b) {
					if i+4-start > room {
						break chunks
					}
					b = binary.BigEndian.AppendUint16(b, m.stream.id)
					b = binary.BigEndian.AppendUint16(b, uint16(m.ssn))
					break
				}
				if binary.BigEndian.Uint16(b[i:]) == m.stream.id {
					binary.BigEndian.PutUint16(b[i+2:], uint16(m.ssn))
					break
				}
			}
		}
		newCum++
	}
	binary.BigEndian.PutUint32(b[start+4:], uint32(newCum))
	return endChunk(b, start)
}
