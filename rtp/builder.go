package rtp

import (
	"encoding/binary"
	"slices"
)

// A Header is the fixed part of a packet's header and the contributing sources.
type Header struct {
	Marker         bool
	PayloadType    uint8 // 7 bits; 64 to 95 look like RTCP and must not be used
	SequenceNumber uint16
	Timestamp      uint32
	SSRC           uint32
	CSRCs          []uint32 // at most 15
}

// A Builder appends a packet's header to a buffer, element by element of its
// header extension. After each call the header is whole.
type Builder struct {
	b     []byte
	start int // of the packet
	block int // of the header extension's elements; 0 before the first
	end   int // of the last element, before padding
}

// NewBuilder appends h to b, which may hold other things already.
func NewBuilder(b []byte, h Header) Builder {
	if len(h.CSRCs) > 15 {
		panic("BUG: a packet has at most 15 contributing sources")
	}
	if h.PayloadType > 0x7f || isRTCP(h.PayloadType|0x80) {
		panic("BUG: a payload type has 7 bits and is not one of those that RTCP needs")
	}
	start := len(b)
	second := h.PayloadType
	if h.Marker {
		second |= 0x80
	}
	b = append(b, 2<<6|byte(len(h.CSRCs)), second)
	b = binary.BigEndian.AppendUint16(b, h.SequenceNumber)
	b = binary.BigEndian.AppendUint32(b, h.Timestamp)
	b = binary.BigEndian.AppendUint32(b, h.SSRC)
	for _, csrc := range h.CSRCs {
		b = binary.BigEndian.AppendUint32(b, csrc)
	}
	return Builder{b: b, start: start}
}

// Bytes returns the buffer with the packet so far. The payload is appended to it,
// after which nothing more may be added to the header.
func (p *Builder) Bytes() []byte { return p.b }

// Add appends an element to the header extension. An id of 0, which stands for
// an extension that was not negotiated, adds nothing.
//
// An id above 14, or a value that is empty or longer than 16 bytes, needs the
// two-byte form. A packet has one form or the other; a stream may mix them only
// when both peers said "extmap-allow-mixed" (RFC 8285, Section 4.1.2 and
// Section 6). Keeping to that is up to the caller.
func (p *Builder) Add(id uint8, value []byte) {
	copy(p.Reserve(id, len(value)), value)
}

// Reserve adds an element of n zero bytes, and returns them to be filled in. It
// returns nil for an id of 0. They are valid until the next call.
func (p *Builder) Reserve(id uint8, n int) []byte {
	if id == 0 {
		return nil
	}
	if n > 255 {
		panic("BUG: the value of a header extension has at most 255 bytes")
	}
	if p.block == 0 {
		p.b[p.start] |= 0x10
		p.b = append(p.b, oneByteProfile>>8, oneByteProfile&0xff, 0, 0)
		p.block, p.end = len(p.b), len(p.b)
	}
	if !p.twoByte() && (id > maxOneByteID || n == 0 || n > maxOneByteValue) {
		p.widen()
	}
	p.b = p.b[:p.end] // padding goes
	if p.twoByte() {
		p.b = append(p.b, id, byte(n))
	} else {
		p.b = append(p.b, id<<4|byte(n-1))
	}
	at := len(p.b)
	p.b = slices.Grow(p.b, n+3)[:at+n]
	value := p.b[at : at+n : at+n]
	clear(value)
	p.end = len(p.b)
	p.finish()
	return value
}

func (p *Builder) twoByte() bool {
	return binary.BigEndian.Uint16(p.b[p.block-4:]) == twoByteProfile
}

// widen turns the elements from one-byte into two-byte form. Each element moves
// by one more byte than the one before it.
func (p *Builder) widen() {
	p.b = p.b[:p.end]
	binary.BigEndian.PutUint16(p.b[p.block-4:], twoByteProfile)
	for at := p.block; at < len(p.b); {
		id, n := p.b[at]>>4, p.b[at]&0x0f+1
		p.b = slices.Insert(p.b, at, id)
		p.b[at+1] = n
		at += 2 + int(n)
	}
	p.end = len(p.b)
}

// finish pads the elements to a word, and writes their length.
func (p *Builder) finish() {
	for (len(p.b)-p.block)%4 != 0 {
		p.b = append(p.b, 0)
	}
	words := (len(p.b) - p.block) / 4
	if words > 0xffff {
		panic("BUG: a header extension has at most 65,535 words")
	}
	binary.BigEndian.PutUint16(p.b[p.block-2:], uint16(words))
}

// AppendPadding appends n bytes of padding, 1 to 255, to a packet that has its
// payload and starts at b[start].
func AppendPadding(b []byte, start, n int) []byte {
	if n < 1 || n > 255 || b[start]&0x20 != 0 {
		panic("BUG: a packet is padded once, by 1 to 255 bytes")
	}
	b[start] |= 0x20
	at := len(b)
	b = slices.Grow(b, n)[:at+n]
	clear(b[at:])
	b[len(b)-1] = byte(n)
	return b
}
