package sctp

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/plainrtc/plainrtc/internal/serial"
)

// The chunks of user message interleaving (RFC 8260, Section 2). A message is
// named by its stream, its order and its Message Identifier, and a fragment by
// its number in the message, so that fragments of several messages may take
// turns on the wire.

// A mid is a Message Identifier. It counts the messages of a stream, ordered
// and unordered ones each by themselves. Of a DATA chunk's message we keep the
// same count, and its SSN is the lower half of it.
type mid = serial.Number32

// interleavedHeaderSize is the size of an I-DATA chunk without user data
// (RFC 8260, Section 2.1). A dataChunk that is interleaved is written as one.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 64   |  Res  |I|U|B|E|       Length = Variable       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                              TSN                              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        Stream Identifier      |           Reserved            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Message Identifier                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Payload Protocol Identifier / Fragment Sequence Number     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	\                           User Data                           \
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
const interleavedHeaderSize = 20

func parseInterleaved(c chunk) (d dataChunk, ok bool) {
	v := c.value
	if len(v) < interleavedHeaderSize-chunkHeaderSize {
		return dataChunk{}, false
	}
	d = dataChunk{
		flags:       c.flags,
		interleaved: true,
		tsn:         tsn(binary.BigEndian.Uint32(v)),
		stream:      binary.BigEndian.Uint16(v[4:]),
		mid:         mid(binary.BigEndian.Uint32(v[8:])),
		payload:     v[16:],
	}
	// "If the B bit is set, this field contains the PPID of the user message …
	// If the B bit is not set, this field contains the FSN", the Fragment Sequence
	// Number; that of the first fragment is zero.
	if word := binary.BigEndian.Uint32(v[12:]); d.flags&flagBegin != 0 {
		d.ppid = word
	} else {
		d.fsn = word
	}
	return d, true
}

func (d *dataChunk) appendInterleaved(b []byte) []byte {
	length := interleavedHeaderSize + len(d.payload)
	word := d.ppid
	if d.flags&flagBegin == 0 {
		word = d.fsn
	}
	b = append(b, byte(typeIData), d.flags, byte(length>>8), byte(length),
		byte(d.tsn>>24), byte(d.tsn>>16), byte(d.tsn>>8), byte(d.tsn),
		byte(d.stream>>8), byte(d.stream), 0, 0,
		byte(d.mid>>24), byte(d.mid>>16), byte(d.mid>>8), byte(d.mid),
		byte(word>>24), byte(word>>16), byte(word>>8), byte(word))
	return pad(append(b, d.payload...), length)
}

// interleavedForward is an I-FORWARD-TSN (RFC 8260, Section 2.3.1): the sender
// gave up on everything up to newCumTSN.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 194  |  Flags = 0x00 |      Length = Variable        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       New Cumulative TSN                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|       Stream Identifier       |          Reserved           |U|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Message Identifier                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	\                                                               \
type interleavedForward struct {
	newCumTSN tsn
	skipped   skippedMessages
}

// skippedMessages are encoded: a stream, an order, and the last Message
// Identifier skipped there.
type skippedMessages []byte

const skippedMessageSize = 8

func (s skippedMessages) len() int { return len(s) / skippedMessageSize }

func (s skippedMessages) at(i int) (stream uint16, unordered bool, last mid) {
	s = s[skippedMessageSize*i:]
	return binary.BigEndian.Uint16(s), s[3]&1 != 0, mid(binary.BigEndian.Uint32(s[4:]))
}

// append adds an entry.
func (s skippedMessages) append(stream uint16, unordered bool, last mid) skippedMessages {
	s = binary.BigEndian.AppendUint16(s, stream)
	var u byte
	if unordered {
		u = 1
	}
	return binary.BigEndian.AppendUint32(append(s, 0, u), uint32(last))
}

func parseInterleavedForward(c chunk) (f interleavedForward, ok bool) {
	v := c.value
	if len(v) < 4 || (len(v)-4)%skippedMessageSize != 0 {
		return interleavedForward{}, false
	}
	return interleavedForward{newCumTSN: tsn(binary.BigEndian.Uint32(v)), skipped: skippedMessages(v[4:])}, true
}

func (f interleavedForward) append(b []byte) []byte {
	start := len(b)
	b = beginChunk(b, typeIForwardTSN, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(f.newCumTSN))
	return endChunk(append(b, f.skipped...), start)
}

func (f interleavedForward) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "I-FORWARD-TSN cum=%d", f.newCumTSN)
	for i := range f.skipped.len() {
		stream, unordered, last := f.skipped.at(i)
		order := ""
		if unordered {
			order = "U"
		}
		fmt.Fprintf(&b, " stream=%d/mid=%s%d", stream, order, last)
	}
	return b.String()
}
