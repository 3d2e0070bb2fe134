package fec

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/plainrtc/plainrtc/rtp"
)

// What a Decoder keeps.
const (
	heldPackets = 256 // a power of two: a large frame, whose repair packets are behind it
	heldRepairs = 64
	maxSize     = 2048 // of a packet: more than paths through the Internet have

	// idleAfter is how many packets without a repair packet tell that no more come.
	idleAfter = 2048
	// maxJump is how far a sequence number may be from the highest: RFC 3550, Appendix A.1.
	maxJump = 3000
)

// A Decoder recovers lost packets of one stream.
type Decoder struct {
	Format     Format
	Extensions *rtp.ExtensionMap // what header extensions mean; nil: nothing

	ssrc    uint32
	started bool
	highest int64 // sequence number, counted through its laps
	idle    int   // packets since the last repair packet
	held    *[heldPackets]packet
	repairs [heldRepairs]repair

	recovered [heldRepairs]int64 // what Next is to return; each repair packet recovers one at most
	count     int
	next      int

	// Discarded is how many repair packets were of no use: malformed, too late, or with nothing to
	// recover, or more than one packet.
	Discarded uint64
}

// A packet is one that arrived, or was recovered.
type packet struct {
	used  bool
	index int64
	bytes []byte
}

// A repair is a repair packet that waits for packets to come, until one alone is missing.
type repair struct {
	used bool
	header
	base    int64 // the sequence number that the mask begins with, counted through its laps
	missing mask
	parity  []byte
}

// Receive takes a packet of media as it arrived, not wrapped by RFC 2198 any more. It is
// copied, when there is need for it.
func (d *Decoder) Receive(p rtp.Packet) {
	d.drained()
	index, ok := d.place(p.SequenceNumber())
	if !ok {
		*d = Decoder{Format: d.Format, Extensions: d.Extensions, held: d.held, Discarded: d.Discarded}
		d.forget()
		index, _ = d.place(p.SequenceNumber())
	}
	d.ssrc, d.started = p.SSRC(), true
	d.reach(index)
	if d.held == nil {
		return
	}
	if d.idle++; d.idle > idleAfter {
		d.held, d.idle = nil, 0
		return
	}
	b := p.Bytes()
	v := &d.held[index&(heldPackets-1)]
	if len(b) > maxSize || index <= d.highest-heldPackets || v.used && v.index >= index {
		return
	}
	*v = packet{true, index, append(v.bytes[:0], b...)}
	if p, err := rtp.Parse(v.bytes); err == nil {
		blank(p, d.Extensions)
	}
	d.arrived(index)
}

// Repair takes the payload of a repair packet.
func (d *Decoder) Repair(payload []byte) {
	d.drained()
	h, parity, ok := d.Format.parse(payload)
	if ok && d.held == nil {
		d.held = new([heldPackets]packet)
	}
	if !ok || !d.started || len(parity) > maxSize || d.Format == Flex && h.ssrc != d.ssrc {
		d.Discarded++
		return
	}
	d.idle = 0
	base, ok := d.place(h.base)
	if !ok || base <= d.highest-heldPackets || base > d.highest+heldPackets {
		d.Discarded++
		return
	}
	r := d.vacancy()
	if r.used {
		d.Discarded++ // the oldest makes room
	}
	*r = repair{used: true, header: h, base: base, missing: h.mask, parity: append(r.parity[:0], parity...)}
	for m := h.mask; m.count() > 0; {
		i := m.first()
		m.clear(i)
		if d.has(base + int64(i)) {
			r.missing.clear(i)
		}
	}
	d.settle()
}

// Next returns the next packet that was recovered since the last call of Receive or
// Repair. It is valid until the next such call.
func (d *Decoder) Next() (rtp.Packet, bool) {
	for d.next < d.count {
		index := d.recovered[d.next]
		d.next++
		if v := &d.held[index&(heldPackets-1)]; v.used && v.index == index {
			p, err := rtp.Parse(v.bytes)
			return p, err == nil
		}
	}
	return rtp.Packet{}, false
}

// drained forgets what was recovered before: nobody has asked for it.
func (d *Decoder) drained() { d.count, d.next = 0, 0 }

// place counts a sequence number through its laps; false tells that it is far from all
// others.
func (d *Decoder) place(sequence uint16) (int64, bool) {
	if !d.started {
		return 1<<16 + int64(sequence), true
	}
	n := int64(int16(sequence - uint16(d.highest)))
	return d.highest + n, n <= maxJump && n >= -maxJump
}

// reach moves on to a sequence number, and forgets repair packets for what is no longer held.
func (d *Decoder) reach(index int64) {
	if index <= d.highest {
		return
	}
	d.highest = index
	if d.held == nil {
		return
	}
	for i := range d.repairs {
		if r := &d.repairs[i]; r.used && r.base <= d.highest-heldPackets {
			r.used = false
			d.Discarded++
		}
	}
}

// forget drops everything that is held, but not the memory.
func (d *Decoder) forget() {
	if d.held == nil {
		return
	}
	for i := range d.held {
		d.held[i].used = false
	}
}

func (d *Decoder) has(index int64) bool {
	v := &d.held[index&(heldPackets-1)]
	return v.used && v.index == index
}

// vacancy is a free place for a repair packet, or else the oldest's.
func (d *Decoder) vacancy() *repair {
	oldest := &d.repairs[0]
	for i := range d.repairs {
		r := &d.repairs[i]
		if !r.used {
			return r
		}
		if r.base < oldest.base {
			oldest = r
		}
	}
	return oldest
}

// arrived strikes a packet off all lists of what is missing.
func (d *Decoder) arrived(index int64) {
	for i := range d.repairs {
		if r := &d.repairs[i]; r.used && r.missing.has(index-r.base) {
			r.missing.clear(int(index - r.base))
		}
	}
	d.settle()
}

// settle recovers what can be: each packet that it brings back may be the last but one
// of another repair packet.
func (d *Decoder) settle() {
	for again := true; again; {
		again = false
		for i := range d.repairs {
			r := &d.repairs[i]
			if !r.used {
				continue
			}
			switch r.missing.count() {
			case 0:
				r.used = false
				d.Discarded++
			case 1:
				r.used = false
				if !d.recover(r) {
					d.Discarded++
				} else {
					again = true
				}
			}
		}
	}
}

// recover makes the one packet that a repair packet misses. RFC 5109, Section 9.
func (d *Decoder) recover(r *repair) bool {
	lost := r.base + int64(r.missing.first())
	v := &d.held[lost&(heldPackets-1)]
	if v.used && v.index > lost {
		return false // its place was taken
	}
	h := r.header
	h.mask.clear(r.missing.first())
	v.used = false
	b := append(v.bytes[:0], make([]byte, fixedHeader)...)
	b = append(b, r.parity...)
	v.bytes = b
	for m := h.mask; m.count() > 0; {
		i := m.first()
		m.clear(i)
		if !d.has(r.base + int64(i)) {
			return false // it was here, and made room since
		}
		other := d.held[(r.base+int64(i))&(heldPackets-1)].bytes
		h.mix(other)
		body := other[fixedHeader:min(len(other), len(b))]
		subtle.XORBytes(b[fixedHeader:], b[fixedHeader:], body)
	}
	if int(h.length) > len(r.parity) {
		return false // not all of it is protected, or the parity is of something else
	}
	b = b[:fixedHeader+int(h.length)]
	// "Set the version [...] to 2."
	b[0], b[1] = 2<<6|h.flags[0]&0x3f, h.flags[1]
	binary.BigEndian.PutUint16(b[2:], uint16(lost))
	binary.BigEndian.PutUint32(b[4:], h.time)
	binary.BigEndian.PutUint32(b[8:], d.ssrc)
	if _, err := rtp.Parse(b); err != nil || d.count == len(d.recovered) {
		return false
	}
	*v = packet{true, lost, b}
	d.recovered[d.count] = lost
	d.count++
	d.highest = max(d.highest, lost)
	for i := range d.repairs {
		if o := &d.repairs[i]; o.used && o.missing.has(lost-o.base) {
			o.missing.clear(int(lost - o.base))
		}
	}
	return true
}
