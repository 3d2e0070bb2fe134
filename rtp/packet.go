package rtp

import (
	"encoding/binary"
	"fmt"
	"iter"
	"strings"
)

const fixedHeader = 12

// A Packet is an RTP packet that Parse accepted: a view of borrowed bytes.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P|X|  CC   |M|     PT      |       sequence number         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           timestamp                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           synchronization source (SSRC) identifier            |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|            contributing source (CSRC) identifiers             |
//	|                             ....                              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 3550, Section 5.1. The zero Packet is none: only IsZero may be asked of it.
type Packet struct {
	b []byte

	// Where the payload starts, counted from the start of the packet, and how much
	// padding follows it. With these a Packet is four words, which is the most that
	// the compiler keeps in registers.
	payload uint32
	padding uint8
}

// Is reports whether a datagram that arrived where several protocols share a
// port is RTP: version 2 (RFC 7983, Section 7), and a payload type that RTCP
// does not claim (RFC 5761, Section 4).
func Is(b []byte) bool { return len(b) >= 2 && b[0]>>6 == 2 && !isRTCP(b[1]) }

// isRTCP reports whether a packet's second byte is an RTCP packet type, 192 to
// 223, which leaves payload types 64 to 95 unusable. RFC 5761, Section 4.
func isRTCP(second byte) bool { return second >= 192 && second <= 223 }

// Parse checks that b is one RTP packet. It keeps b and does not allocate.
//
// Elements of the header extension are looked at when they are read: one that is
// malformed ends the list, and does not make the media undecodable.
func Parse(b []byte) (Packet, error) {
	if len(b) < fixedHeader {
		return Packet{}, ErrShort
	}
	if b[0]>>6 != 2 {
		return Packet{}, ErrVersion
	}
	if isRTCP(b[1] | 0x80) {
		return Packet{}, ErrRTCP
	}
	at := fixedHeader + 4*int(b[0]&0x0f)
	if at > len(b) {
		return Packet{}, ErrShort
	}
	if b[0]&0x10 != 0 {
		if at+4 > len(b) {
			return Packet{}, ErrExtension
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
		if at > len(b) {
			return Packet{}, ErrExtension
		}
	}
	padding := uint8(0)
	if b[0]&0x20 != 0 {
		// "The last octet of the padding contains a count of how many padding
		// octets should be ignored, including itself." RFC 3550, Section 5.1.
		padding = b[len(b)-1]
		if padding == 0 || int(padding) > len(b)-at {
			return Packet{}, ErrPadding
		}
	}
	return Packet{b, uint32(at), padding}, nil
}

// IsZero reports whether p is the zero Packet.
func (p Packet) IsZero() bool { return p.b == nil }

// Bytes returns the packet as it is on the wire: the bytes Parse was given.
func (p Packet) Bytes() []byte { return p.b }

// HeaderSize is the size of the header with CSRCs and header extension: where
// the payload starts.
func (p Packet) HeaderSize() int { return int(p.payload) }

// Payload returns what is between header and padding. It is empty in a packet
// of padding alone, as senders use to probe for bandwidth.
func (p Packet) Payload() []byte {
	end := len(p.b) - int(p.padding)
	return p.b[p.payload:end:end]
}

// PaddingSize is the number of padding bytes.
func (p Packet) PaddingSize() int { return int(p.padding) }

// Marker reports the marker bit: the end of a video frame, the start of a talk spurt.
func (p Packet) Marker() bool { return p.b[1]&0x80 != 0 }

// PayloadType returns the payload type, of 7 bits.
func (p Packet) PayloadType() uint8 { return p.b[1] & 0x7f }

// SequenceNumber returns the sequence number.
func (p Packet) SequenceNumber() uint16 { return binary.BigEndian.Uint16(p.b[2:]) }

// Timestamp returns the timestamp, in units of the payload type's clock rate.
func (p Packet) Timestamp() uint32 { return binary.BigEndian.Uint32(p.b[4:]) }

// SSRC returns the synchronization source.
func (p Packet) SSRC() uint32 { return binary.BigEndian.Uint32(p.b[8:]) }

// CSRCs yields the contributing sources, of which there are at most 15.
func (p Packet) CSRCs() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i := range int(p.b[0] & 0x0f) {
			if !yield(binary.BigEndian.Uint32(p.b[fixedHeader+4*i:])) {
				return
			}
		}
	}
}

// SetMarker writes the marker bit into the packet.
func (p Packet) SetMarker(marker bool) {
	p.b[1] &= 0x7f
	if marker {
		p.b[1] |= 0x80
	}
}

// SetPayloadType writes the payload type into the packet.
func (p Packet) SetPayloadType(t uint8) {
	if t > 0x7f {
		panic("BUG: a payload type has 7 bits")
	}
	p.b[1] = p.b[1]&0x80 | t
}

// SetSequenceNumber writes the sequence number into the packet.
func (p Packet) SetSequenceNumber(n uint16) { binary.BigEndian.PutUint16(p.b[2:], n) }

// SetTimestamp writes the timestamp into the packet.
func (p Packet) SetTimestamp(t uint32) { binary.BigEndian.PutUint32(p.b[4:], t) }

// SetSSRC writes the synchronization source into the packet.
func (p Packet) SetSSRC(ssrc uint32) { binary.BigEndian.PutUint32(p.b[8:], ssrc) }

// String describes the packet in one line, for traces.
func (p Packet) String() string {
	if p.IsZero() {
		return "no packet"
	}
	var s strings.Builder
	fmt.Fprintf(&s, "RTP PT=%d seq=%d ts=%d ssrc=%08x", p.PayloadType(), p.SequenceNumber(), p.Timestamp(), p.SSRC())
	if p.Marker() {
		s.WriteString(" M")
	}
	for csrc := range p.CSRCs() {
		fmt.Fprintf(&s, " csrc=%08x", csrc)
	}
	for id, value := range p.Extensions() {
		fmt.Fprintf(&s, " ext%d=%x", id, value)
	}
	fmt.Fprintf(&s, " payload[%d]", len(p.Payload()))
	if n := p.PaddingSize(); n > 0 {
		fmt.Fprintf(&s, " padding[%d]", n)
	}
	return s.String()
}
