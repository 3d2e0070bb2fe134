package fec

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/plainrtc/plainrtc/rtp"
)

// MaxGroup is how many packets may be protected together: as many as the masks of both
// formats reach without their longest form.
const MaxGroup = 46

// Overhead is how much longer than the longest packet a repair packet is at most, apart
// from its own header extension: the headers of either format, and RFC 2198's.
const Overhead = 24 + 1

// An Encoder makes repair packets for groups of packets.
type Encoder struct {
	Format     Format
	Extensions *rtp.ExtensionMap // what header extensions mean; nil: nothing

	group []member
	bytes []byte // of all packets of the group
	last  int    // the highest sequence number, counted from the first
}

// A member is a packet of the group.
type member struct {
	index int // its sequence number, counted from that of the first
	begin int // where it stands
	end   int
}

// Add takes a packet into the group, as it is before its payload is wrapped: its header
// with the header extension, and its payload. It returns false for a packet that has no place
// there, and so is not protected: the group is full, or it is not behind the others.
func (e *Encoder) Add(header, payload []byte) bool {
	index := 0
	if len(e.group) > 0 {
		index = int(int16(binary.BigEndian.Uint16(header[2:]) - binary.BigEndian.Uint16(e.bytes[2:])))
		if index <= e.last || index >= MaxGroup {
			return false
		}
	}
	m := member{index: index, begin: len(e.bytes)}
	e.bytes = append(append(e.bytes, header...), payload...)
	m.end = len(e.bytes)
	p, err := rtp.Parse(e.bytes[m.begin:])
	if err != nil {
		e.bytes = e.bytes[:m.begin]
		return false
	}
	blank(p, e.Extensions)
	e.group, e.last = append(e.group, m), index
	return true
}

// Len is how many packets the group has.
func (e *Encoder) Len() int { return len(e.group) }

// protects reports whether repair packet i of n is the parity of packet j of a group.
//
// The first n packets are in one repair packet each, and those behind them in two: first
// in neighbours, then in those that stand two apart, and so on, until no pair is left and it
// begins anew. No two packets are in the same repair packets, up to n(n+1)/2 of them: so
// any two that are lost are recovered, and most bursts shorter than n.
func protects(i, n, j int) bool {
	j %= n * (n + 1) / 2
	apart, first := j/n, j%n
	return i == first || i == (first+apart)%n
}

// AppendRepair appends the payload of repair packet i of n for the group. There is nothing to
// append when the group has no more than i packets.
func (e *Encoder) AppendRepair(b []byte, i, n int) []byte {
	if i >= len(e.group) {
		return b
	}
	var h header
	longest := 0
	first := e.bytes[e.group[i].begin:]
	h.ssrc = binary.BigEndian.Uint32(first[8:])
	h.base = binary.BigEndian.Uint16(first[2:])
	for j := i; j < len(e.group); j++ { // packet i is the first
		if !protects(i, n, j) {
			continue
		}
		m := e.group[j]
		h.mask.set(m.index - e.group[i].index)
		h.mix(e.bytes[m.begin:m.end])
		longest = max(longest, m.end-m.begin-fixedHeader)
	}
	b = e.Format.appendHeader(b, &h, longest)
	at := len(b)
	for range longest {
		b = append(b, 0)
	}
	for j := i; j < len(e.group); j++ {
		if !protects(i, n, j) {
			continue
		}
		m := e.group[j]
		body := e.bytes[m.begin+fixedHeader : m.end]
		subtle.XORBytes(b[at:], b[at:], body)
	}
	return b
}

// Reset begins another group.
func (e *Encoder) Reset() { e.group, e.bytes, e.last = e.group[:0], e.bytes[:0], 0 }
