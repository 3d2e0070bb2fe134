package fec

import (
	"encoding/binary"
	"math/bits"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A Format is a payload format of repair packets.
type Format uint8

// The formats.
const (
	ULP  Format = iota // RFC 5109
	Flex               // draft-ietf-payload-flexible-fec-scheme-03
)

func (f Format) String() string {
	if f == Flex {
		return "flexfec-03"
	}
	return "ulpfec"
}

// fixedHeader is the size of an RTP header that has nothing but what all have; what is
// behind it is what parity is of.
const fixedHeader = 12

// A header is what stands before the parity in the payload of a repair packet, in either
// format.
type header struct {
	flags  [2]byte // P, X, CC, M and PT of what was lost, once the others' are taken out
	time   uint32  // its timestamp
	length uint16  // how long it is without the fixed header
	ssrc   uint32  // whose packets are protected; of Flex
	base   uint16  // the sequence number that the mask's first bit stands for
	mask   mask
}

// A mask has a bit for each packet from the base on, the first the lowest: set, it is
// protected.
type mask [2]uint64

// maskBits is how many packets a mask reaches, at most.
const maskBits = 15 + 31 + 63

func (m *mask) set(i int)        { m[i>>6] |= 1 << (i & 63) }
func (m *mask) clear(i int)      { m[i>>6] &^= 1 << (i & 63) }
func (m *mask) has(i int64) bool { return i >= 0 && i < maskBits && m[i>>6]>>(i&63)&1 != 0 }
func (m *mask) count() int       { return bits.OnesCount64(m[0]) + bits.OnesCount64(m[1]) }

// first is the lowest bit that is set, of those that are.
func (m *mask) first() int {
	if m[0] != 0 {
		return bits.TrailingZeros64(m[0])
	}
	return 64 + bits.TrailingZeros64(m[1])
}

// last is the highest.
func (m *mask) last() int {
	if m[1] != 0 {
		return 127 - bits.LeadingZeros64(m[1])
	}
	return 63 - bits.LeadingZeros64(m[0])
}

// take sets n bits from at on, as they stand on the wire: the first is the highest of v.
func (m *mask) take(at, n int, v uint64) {
	for i := range n {
		if v>>(n-1-i)&1 != 0 {
			m.set(at + i)
		}
	}
}

// put returns n bits from at on, as they stand on the wire.
func (m *mask) put(at, n int) (v uint64) {
	for i := range n {
		v <<= 1
		if m.has(int64(at + i)) {
			v |= 1
		}
	}
	return v
}

// parse reads the payload of a repair packet: its header, and the parity behind it.
func (f Format) parse(payload []byte) (h header, parity []byte, ok bool) {
	if f == Flex {
		return parseFlex(payload)
	}
	return parseULP(payload)
}

// parseULP reads an FEC header and the header of level 0.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|E|L|P|X|  CC   |M| PT recovery |            SN base            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          TS recovery                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        length recovery        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|       Protection Length       |             mask              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|              mask cont. (present only when L = 1)             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 5109, Sections 7.3 and 7.4.
func parseULP(payload []byte) (h header, parity []byte, ok bool) {
	r := wire.NewReader(payload)
	h.flags = [2]byte{r.Uint8(), r.Uint8()}
	h.base = r.Uint16()
	h.time = r.Uint32()
	h.length = r.Uint16()
	protection := int(r.Uint16())
	h.mask.take(0, 16, uint64(r.Uint16()))
	if h.flags[0]&0x40 != 0 {
		h.mask.take(16, 32, uint64(r.Uint32()))
	}
	// The E bit "SHALL be set to 0, and SHOULD be ignored by the receiver".
	parity = r.Bytes(protection) // other levels may follow
	return h, parity, r.OK() && h.mask.count() > 0
}

// parseFlex reads the header of a repair packet with a flexible mask, for one SSRC.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|R|F|P|X|  CC   |M| PT recovery |        length recovery        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          TS recovery                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   SSRCCount   |                    reserved                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                             SSRC_i                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           SN base_i           |k|          Mask [0-14]        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|k|                   Mask [15-45] (optional)                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|k|                                                             |
//	+-+                   Mask [46-108] (optional)                  |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// draft-ietf-payload-flexible-fec-scheme-03, Section 4.2. A set k says that the mask ends
// with these bits.
func parseFlex(payload []byte) (h header, parity []byte, ok bool) {
	r := wire.NewReader(payload)
	h.flags = [2]byte{r.Uint8(), r.Uint8()}
	h.length = r.Uint16()
	h.time = r.Uint32()
	count := r.Uint8()
	r.Skip(3)
	h.ssrc = r.Uint32()
	h.base = r.Uint16()
	v := uint64(r.Uint16())
	h.mask.take(0, 15, v)
	if v>>15 == 0 {
		v = uint64(r.Uint32())
		h.mask.take(15, 31, v)
		if v>>31 == 0 {
			v = r.Uint64()
			h.mask.take(46, 63, v)
			if v>>63 == 0 {
				r.Fail()
			}
		}
	}
	if h.flags[0]&0xc0 != 0 || count != 1 {
		r.Fail()
	}
	parity = r.Rest()
	return h, parity, r.OK() && h.mask.count() > 0
}

// Protects returns whose packets a repair packet protects, which Flex says and ULP does
// not.
func (f Format) Protects(payload []byte) (ssrc uint32, ok bool) {
	h, _, ok := f.parse(payload)
	return h.ssrc, ok && f == Flex
}

// appendHeader appends a header that the parity of so many bytes will follow.
func (f Format) appendHeader(b []byte, h *header, parity int) []byte {
	last := h.mask.last()
	if f == Flex {
		b = append(b, h.flags[0]&0x3f, h.flags[1])
		b = binary.BigEndian.AppendUint16(b, h.length)
		b = binary.BigEndian.AppendUint32(b, h.time)
		b = append(b, 1, 0, 0, 0)
		b = binary.BigEndian.AppendUint32(b, h.ssrc)
		b = binary.BigEndian.AppendUint16(b, h.base)
		if last < 15 {
			return binary.BigEndian.AppendUint16(b, 1<<15|uint16(h.mask.put(0, 15)))
		}
		b = binary.BigEndian.AppendUint16(b, uint16(h.mask.put(0, 15)))
		if last < 46 {
			return binary.BigEndian.AppendUint32(b, 1<<31|uint32(h.mask.put(15, 31)))
		}
		b = binary.BigEndian.AppendUint32(b, uint32(h.mask.put(15, 31)))
		return binary.BigEndian.AppendUint64(b, 1<<63|h.mask.put(46, 63))
	}
	long := byte(0)
	if last >= 16 {
		long = 0x40
	}
	b = append(b, h.flags[0]&0x3f|long, h.flags[1])
	b = binary.BigEndian.AppendUint16(b, h.base)
	b = binary.BigEndian.AppendUint32(b, h.time)
	b = binary.BigEndian.AppendUint16(b, h.length)
	b = binary.BigEndian.AppendUint16(b, uint16(parity))
	b = binary.BigEndian.AppendUint16(b, uint16(h.mask.put(0, 16)))
	if long != 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(h.mask.put(16, 32)))
	}
	return b
}

// mix takes a packet's header into, or out of, that of a repair packet.
func (h *header) mix(packet []byte) {
	h.flags[0] ^= packet[0]
	h.flags[1] ^= packet[1]
	h.time ^= binary.BigEndian.Uint32(packet[4:])
	h.length ^= uint16(len(packet) - fixedHeader)
}
