package payload

import (
	"encoding/binary"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A VP8Descriptor stands in front of each piece of a VP8 frame.
//
//	      0 1 2 3 4 5 6 7
//	     +-+-+-+-+-+-+-+-+
//	     |X|R|N|S|R| PID | (REQUIRED)
//	     +-+-+-+-+-+-+-+-+
//	X:   |I|L|T|K| RSV   | (OPTIONAL)
//	     +-+-+-+-+-+-+-+-+
//	I:   |M| PictureID   | (OPTIONAL)
//	     +-+-+-+-+-+-+-+-+
//	     |   PictureID   |
//	     +-+-+-+-+-+-+-+-+
//	L:   |   TL0PICIDX   | (OPTIONAL)
//	     +-+-+-+-+-+-+-+-+
//	T/K: |TID|Y| KEYIDX  | (OPTIONAL)
//	     +-+-+-+-+-+-+-+-+
//
// RFC 7741, Section 4.2.
type VP8Descriptor struct {
	NonReference bool  // N: the frame can be discarded without affecting others
	Start        bool  // S: a VP8 partition starts here
	Partition    uint8 // PID: which, 3 bits

	HasPictureID bool
	PictureID    uint16 // of 7 bits when Short, else of 15; written 15 bits wide unless Short
	Short        bool   // M is 0

	HasTL0PICIDX bool
	TL0PICIDX    uint8 // counts the frames of the lowest temporal layer

	HasTID    bool
	TID       uint8 // temporal layer, 2 bits
	LayerSync bool  // Y: the frame depends on the lowest layer only

	HasKeyIndex bool
	KeyIndex    uint8 // KEYIDX: counts key frames, 5 bits
}

// Parse reads a descriptor, and returns what follows it.
func (d *VP8Descriptor) Parse(payload []byte) (piece []byte, ok bool) {
	r := wire.NewReader(payload)
	v := r.Uint8()
	*d = VP8Descriptor{NonReference: v&0x20 != 0, Start: v&0x10 != 0, Partition: v & 7}
	if v&0x80 != 0 {
		x := r.Uint8()
		if x&0x80 != 0 {
			d.HasPictureID = true
			id := r.Uint8()
			d.PictureID = uint16(id & 0x7f)
			if d.Short = id&0x80 == 0; !d.Short {
				d.PictureID = d.PictureID<<8 | uint16(r.Uint8())
			}
		}
		if x&0x40 != 0 {
			d.HasTL0PICIDX, d.TL0PICIDX = true, r.Uint8()
		}
		if x&0x30 != 0 {
			v := r.Uint8()
			if d.HasTID = x&0x20 != 0; d.HasTID {
				d.TID, d.LayerSync = v>>6, v&0x20 != 0
			}
			if d.HasKeyIndex = x&0x10 != 0; d.HasKeyIndex {
				d.KeyIndex = v & 0x1f
			}
		}
	}
	return r.Rest(), r.OK()
}

// Append appends the descriptor.
func (d *VP8Descriptor) Append(b []byte) []byte {
	at := len(b)
	b = append(b, d.Partition&7)
	if d.NonReference {
		b[at] |= 0x20
	}
	if d.Start {
		b[at] |= 0x10
	}
	if !d.HasPictureID && !d.HasTL0PICIDX && !d.HasTID && !d.HasKeyIndex {
		return b
	}
	b[at] |= 0x80
	b = append(b, 0)
	if d.HasPictureID {
		b[at+1] |= 0x80
		if d.Short {
			b = append(b, byte(d.PictureID&0x7f))
		} else {
			b = binary.BigEndian.AppendUint16(b, 0x8000|d.PictureID)
		}
	}
	if d.HasTL0PICIDX {
		b[at+1] |= 0x40
		b = append(b, d.TL0PICIDX)
	}
	if d.HasTID || d.HasKeyIndex {
		var v byte
		if d.HasTID {
			b[at+1] |= 0x20
			v = d.TID << 6
			if d.LayerSync {
				v |= 0x20
			}
		}
		if d.HasKeyIndex {
			b[at+1] |= 0x10
			v |= d.KeyIndex & 0x1f
		}
		b = append(b, v)
	}
	return b
}

// A VP8Packetizer cuts VP8 frames. Descriptor is what it puts in front of each
// piece, but for Start and Partition: set what a frame needs before its Start.
// PictureID, where there is one, goes up by itself after each frame.
//
// The frame is cut without regard to partitions, as RFC 7741, Section 4.4 allows.
type VP8Packetizer struct {
	Descriptor VP8Descriptor

	left  []byte
	limit int
	cut   cutter
}

// Start begins a frame.
func (p *VP8Packetizer) Start(frame []byte, limit int) error {
	if limit < minLimit {
		return ErrLimit
	}
	if len(frame) == 0 {
		return ErrEmpty
	}
	p.left, p.limit, p.cut = frame, limit, cutter{}
	p.Descriptor.Start, p.Descriptor.Partition = true, 0
	return nil
}

// Append appends the frame's next payload to b.
func (p *VP8Packetizer) Append(b []byte) (_ []byte, last bool) {
	at := len(b)
	b = p.Descriptor.Append(b)
	n := p.cut.next(len(p.left), p.limit-(len(b)-at))
	b = append(b, p.left[:n]...)
	p.left = p.left[n:]
	p.Descriptor.Start = false
	if len(p.left) > 0 {
		return b, false
	}
	p.left = nil
	p.Descriptor.PictureID = (p.Descriptor.PictureID + 1) & 0x7fff
	return b, true
}

// A VP8Depacketizer puts VP8 frames together.
type VP8Depacketizer struct{}

// Append appends the piece of a frame.
func (VP8Depacketizer) Append(frame, payload []byte) ([]byte, error) {
	var d VP8Descriptor
	piece, ok := d.Parse(payload)
	if !ok {
		return frame, ErrDescriptor
	}
	if len(piece) == 0 {
		return frame, ErrEmpty
	}
	if len(frame) == 0 && !(d.Start && d.Partition == 0) {
		return frame, ErrFragment
	}
	return append(frame, piece...), nil
}

// Finish ends a frame.
func (VP8Depacketizer) Finish() error { return nil }

func inspectVP8(payload []byte) (i Info, err error) {
	var d VP8Descriptor
	piece, ok := d.Parse(payload)
	if !ok {
		return Info{}, ErrDescriptor
	}
	if len(piece) == 0 {
		return Info{}, ErrEmpty
	}
	i.Start = d.Start && d.Partition == 0
	// "P: Inverse key frame flag", the lowest bit of a frame. RFC 7741, Section 4.3.
	i.Key = i.Start && piece[0]&1 == 0
	return i, nil
}
