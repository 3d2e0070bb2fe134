package stun

import (
	"encoding/binary"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A Builder appends one message to a buffer. The message is whole, its length
// filled in, after each call.
//
// Attributes go in the order of the calls; the integrity attributes protect
// what stands before them, and FINGERPRINT is last.
type Builder struct {
	b     []byte
	start int // where the message begins in b
}

// NewBuilder appends the header of a message to b, which may hold other
// things already.
func NewBuilder(b []byte, t Type, id TransactionID) Builder {
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, uint16(t))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, magicCookie)
	b = append(b, id[:]...)
	return Builder{b: b, start: start}
}

// Bytes returns the buffer that NewBuilder was given, with the message at its end.
func (b *Builder) Bytes() []byte { return b.b }

// open appends the header of an attribute, whose value the caller appends to
// b.b before it calls close.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Type                  |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Value (variable)                ....
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 8489, Section 14, Figure 4.
func (b *Builder) open(t AttributeType) (at int) {
	b.b = binary.BigEndian.AppendUint16(b.b, uint16(t))
	b.b = append(b.b, 0, 0)
	return len(b.b)
}

// close fills in the lengths of the attribute whose value starts at at, and of
// the message. "The value in the Length field MUST contain the length of the
// Value part of the attribute, prior to padding". Section 14.
func (b *Builder) close(at int) {
	n := len(b.b) - at
	wire.PutUint16At(b.b, at-2, n)
	for range padded(n) - n {
		b.b = append(b.b, 0)
	}
	b.setLength(len(b.b) - b.start - headerSize)
}

func (b *Builder) setLength(n int) { wire.PutUint16At(b.b, b.start+2, n) }

// Add adds an attribute. An attribute without a value, such as USE-CANDIDATE,
// has a nil one.
func (b *Builder) Add(t AttributeType, value []byte) {
	at := b.open(t)
	b.b = append(b.b, value...)
	b.close(at)
}

// AddString adds an attribute that is a string, such as USERNAME.
func (b *Builder) AddString(t AttributeType, value string) {
	at := b.open(t)
	b.b = append(b.b, value...)
	b.close(at)
}

// AddUint32 adds an attribute of 32 bits, such as PRIORITY.
func (b *Builder) AddUint32(t AttributeType, value uint32) {
	at := b.open(t)
	b.b = binary.BigEndian.AppendUint32(b.b, value)
	b.close(at)
}

// AddUint64 adds an attribute of 64 bits, such as ICE-CONTROLLING.
func (b *Builder) AddUint64(t AttributeType, value uint64) {
	at := b.open(t)
	b.b = binary.BigEndian.AppendUint64(b.b, value)
	b.close(at)
}
