package rtp

import (
	"encoding/binary"
	"iter"
)

// What RFC 8285 puts where RFC 3550 says "defined by profile".
const (
	oneByteProfile = 0xBEDE // Section 4.2
	twoByteProfile = 0x1000 // Section 4.3; the low four bits are "appbits", which are ours to ignore
)

// Limits of an element in one-byte form. Section 4.2.
const (
	maxOneByteID    = 14
	maxOneByteValue = 16
)

// ExtensionProfile returns the 16 bits that say what form the header extension
// has, and the header extension whole. ok tells whether there is any.
func (p Packet) ExtensionProfile() (profile uint16, block []byte, ok bool) {
	if p.extensions == 0 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(p.b[p.extensions-4:]), p.b[p.extensions:p.payload:p.payload], true
}

// Extension returns the value of the first element with the given id. Writing to
// the value changes the packet.
func (p Packet) Extension(id uint8) (value []byte, ok bool) {
	if id == 0 {
		return nil, false
	}
	at := elements(p)
	for {
		found, value, ok := at.next()
		if !ok || found == id {
			return value, ok
		}
	}
}

// Extensions yields the elements of the header extension, in their order, and
// without padding. Writing to a value changes the packet.
func (p Packet) Extensions() iter.Seq2[uint8, []byte] {
	return func(yield func(uint8, []byte) bool) {
		at := elements(p)
		for {
			id, value, ok := at.next()
			if !ok || !yield(id, value) {
				return
			}
		}
	}
}

// A cursor walks over the elements of a header extension.
type cursor struct {
	b       []byte
	twoByte bool
}

func elements(p Packet) cursor {
	profile, block, _ := p.ExtensionProfile()
	switch {
	case profile == oneByteProfile:
		return cursor{b: block}
	case profile&0xfff0 == twoByteProfile:
		return cursor{b: block, twoByte: true}
	default: // RFC 3550's own kind of extension, of which only the sender knows what it means
		return cursor{}
	}
}

// next returns the next element, whose id is never 0. An element that is cut off
// ends the list.
func (c *cursor) next() (id uint8, value []byte, ok bool) {
	for len(c.b) > 0 && c.b[0] == 0 { // "padding bytes have the value of 0"
		c.b = c.b[1:]
	}
	if len(c.b) == 0 {
		return 0, nil, false
	}
	var head, n int
	if c.twoByte {
		//	 0                   1
		//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
		//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
		//	|       ID      |     length    |
		//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
		if len(c.b) < 2 {
			c.b = nil
			return 0, nil, false
		}
		head, id, n = 2, c.b[0], int(c.b[1])
	} else {
		//	 0
		//	 0 1 2 3 4 5 6 7
		//	+-+-+-+-+-+-+-+-+
		//	|  ID   |  len  |
		//	+-+-+-+-+-+-+-+-+
		//
		// "The 4-bit length is the number, minus one, of data bytes".
		head, id, n = 1, c.b[0]>>4, int(c.b[0]&0x0f)+1
		// "If the ID value 15 is used, its length field MUST be ignored, processing
		// of the entire extension MUST terminate at that point". Section 4.2. And the
		// same for id 0 with a length greater than 0: Section 4.1.2.
		if id == 15 || id == 0 {
			c.b = nil
			return 0, nil, false
		}
	}
	if head+n > len(c.b) {
		c.b = nil
		return 0, nil, false
	}
	value = c.b[head : head+n : head+n]
	c.b = c.b[head+n:]
	return id, value, true
}
