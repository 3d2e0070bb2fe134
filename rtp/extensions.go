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
	if p.b[0]&0x10 == 0 {
		return 0, nil, false
	}
	at := fixedHeader + 4*int(p.b[0]&0x0f)
	return binary.BigEndian.Uint16(p.b[at:]), p.b[at+4 : p.payload : p.payload], true
}

// Extension returns the value of the first element with the given id. Writing to
// the value changes the packet.
func (p Packet) Extension(id uint8) (value []byte, ok bool) {
	block, twoByte := p.elements()
	for found, at, end := nextElement(block, 0, twoByte); found != 0; found, at, end = nextElement(block, end, twoByte) {
		if found == id {
			return block[at:end:end], true
		}
	}
	return nil, false
}

// Extensions yields the elements of the header extension, in their order, and
// without padding. Writing to a value changes the packet.
func (p Packet) Extensions() iter.Seq2[uint8, []byte] {
	return func(yield func(uint8, []byte) bool) {
		block, twoByte := p.elements()
		for id, at, end := nextElement(block, 0, twoByte); id != 0; id, at, end = nextElement(block, end, twoByte) {
			if !yield(id, block[at:end:end]) {
				return
			}
		}
	}
}

// elements returns the header extension when it is one of RFC 8285, and in which
// form. Of another kind only its sender knows what it means.
func (p Packet) elements() (block []byte, twoByte bool) {
	profile, block, _ := p.ExtensionProfile()
	switch {
	case profile == oneByteProfile:
		return block, false
	case profile&0xfff0 == twoByteProfile:
		return block, true
	}
	return nil, false
}

// nextElement finds the element at b[from:], behind padding. Its value is
// b[at:end], and the next element is at b[end:]. An id of 0 ends the list, and so
// does an element that is cut off.
func nextElement(b []byte, from int, twoByte bool) (id uint8, at, end int) {
	for from < len(b) && b[from] == 0 { // padding bytes are zeros
		from++
	}
	if from >= len(b) {
		return 0, 0, 0
	}
	if !twoByte {
		//	 0
		//	 0 1 2 3 4 5 6 7
		//	+-+-+-+-+-+-+-+-+
		//	|  ID   |  len  |
		//	+-+-+-+-+-+-+-+-+
		//
		// "The 4-bit length is the number, minus one, of data bytes".
		id, at = b[from]>>4, from+1
		end = at + int(b[from]&0x0f) + 1
		// "If the ID value 15 is encountered, its length field MUST be ignored, processing
		// of the entire extension MUST terminate at that point". Section 4.2. And the
		// same for id 0 with a length greater than 0: Section 4.1.2.
		if id == 15 || end > len(b) {
			return 0, 0, 0
		}
		return id, at, end
	}
	//	 0                   1
	//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
	//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
	//	|       ID      |     length    |
	//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
	if from+2 > len(b) {
		return 0, 0, 0
	}
	id, at = b[from], from+2
	end = at + int(b[from+1])
	if end > len(b) {
		return 0, 0, 0
	}
	return id, at, end
}
