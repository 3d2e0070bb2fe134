package payload

import (
	"encoding/binary"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A VP9Descriptor stands in front of each piece of a VP9 frame.
//
//	      0 1 2 3 4 5 6 7
//	     +-+-+-+-+-+-+-+-+
//	     |I|P|L|F|B|E|V|Z| (REQUIRED)
//	     +-+-+-+-+-+-+-+-+
//	I:   |M| PICTURE ID  | (REQUIRED)
//	     +-+-+-+-+-+-+-+-+
//	M:   | EXTENDED PID  | (RECOMMENDED)
//	     +-+-+-+-+-+-+-+-+
//	L:   | TID |U| SID |D| (CONDITIONALLY RECOMMENDED)
//	     +-+-+-+-+-+-+-+-+
//	     |   TL0PICIDX   | (CONDITIONALLY REQUIRED: not in flexible mode)
//	     +-+-+-+-+-+-+-+-+
//	P,F: | P_DIFF      |N| (CONDITIONALLY REQUIRED: up to 3 times)
//	     +-+-+-+-+-+-+-+-+
//	V:   | SS            |
//	     | ..            |
//	     +-+-+-+-+-+-+-+-+
//
// RFC 9628, Section 4.2.
type VP9Descriptor struct {
	InterPredicted bool // P: the frame refers to earlier pictures
	Flexible       bool // F: and says to which, by Diffs
	Start          bool // B: a frame starts here
	End            bool // E: a frame ends here
	NotReference   bool // Z: frames of higher spatial layers do not refer to this one

	HasPictureID bool
	PictureID    uint16 // of 7 bits when Short, else of 15
	Short        bool   // M is 0

	HasLayers   bool
	TID         uint8 // temporal layer, 3 bits
	SwitchingUp bool  // U: to this temporal layer can be switched here
	SID         uint8 // spatial layer, 3 bits
	InterLayer  bool  // D: the frame refers to the layer below, of the same picture
	TL0PICIDX   uint8 // counts the pictures of the lowest temporal layer, when not Flexible

	Diffs     [3]uint8 // P_DIFF: how many pictures ago, 7 bits
	DiffCount uint8

	HasStructure bool // V
	Structure    VP9Structure
}

// A VP9Structure is the scalability structure of the pictures to come.
//
//	      +-+-+-+-+-+-+-+-+
//	V:    | N_S |Y|G|-|-|-|
//	      +-+-+-+-+-+-+-+-+              -\
//	Y:    |     WIDTH     | (OPTIONAL)    .
//	      +               +               .
//	      |               | (OPTIONAL)    .
//	      +-+-+-+-+-+-+-+-+               . - N_S + 1 times
//	      |     HEIGHT    | (OPTIONAL)    .
//	      +               +               .
//	      |               | (OPTIONAL)    .
//	      +-+-+-+-+-+-+-+-+              -/
//	G:    |      N_G      | (OPTIONAL)
//	      +-+-+-+-+-+-+-+-+                           -\
//	N_G:  |  TID  |U| R |-|-| (OPTIONAL)                .
//	      +-+-+-+-+-+-+-+-+              -\            . - N_G times
//	      |    P_DIFF     | (OPTIONAL)    . - R times .
//	      +-+-+-+-+-+-+-+-+              -/           -/
//
// RFC 9628, Section 4.2.1.
type VP9Structure struct {
	SpatialLayers uint8 // 1 to 8

	HasSizes      bool // Y
	Width, Height [8]uint16

	HasGroup bool // G
	GroupLen uint8
	Group    []byte // the pictures of the group, as they stand on the wire; borrowed
}

// Parse reads a descriptor, and returns what follows it.
func (d *VP9Descriptor) Parse(payload []byte) (piece []byte, ok bool) {
	r := wire.NewReader(payload)
	v := r.Uint8()
	*d = VP9Descriptor{InterPredicted: v&0x40 != 0, Flexible: v&0x10 != 0, Start: v&0x08 != 0, End: v&0x04 != 0, NotReference: v&0x01 != 0,
		HasPictureID: v&0x80 != 0, HasLayers: v&0x20 != 0, HasStructure: v&0x02 != 0}
	if d.HasPictureID {
		id := r.Uint8()
		d.PictureID = uint16(id & 0x7f)
		if d.Short = id&0x80 == 0; !d.Short {
			d.PictureID = d.PictureID<<8 | uint16(r.Uint8())
		}
	}
	if d.HasLayers {
		v := r.Uint8()
		d.TID, d.SwitchingUp, d.SID, d.InterLayer = v>>5, v&0x10 != 0, v>>1&7, v&1 != 0
		if !d.Flexible {
			d.TL0PICIDX = r.Uint8()
		}
	}
	if d.Flexible && d.InterPredicted {
		for more := true; more; {
			if int(d.DiffCount) == len(d.Diffs) {
				return nil, false // "up to 3 times"
			}
			v := r.Uint8()
			d.Diffs[d.DiffCount] = v >> 1
			d.DiffCount++
			more = v&1 != 0
		}
	}
	if d.HasStructure {
		d.Structure.parse(&r)
	}
	return r.Rest(), r.OK()
}

func (s *VP9Structure) parse(r *wire.Reader) {
	v := r.Uint8()
	s.SpatialLayers, s.HasSizes, s.HasGroup = v>>5+1, v&0x10 != 0, v&0x08 != 0
	if s.HasSizes {
		for i := range s.SpatialLayers {
			s.Width[i], s.Height[i] = r.Uint16(), r.Uint16()
		}
	}
	if s.HasGroup {
		s.GroupLen = r.Uint8()
		scan, size := *r, 0
		for range s.GroupLen {
			references := int(scan.Uint8() >> 2 & 3)
			scan.Skip(references)
			size += 1 + references
		}
		s.Group = r.Bytes(size)
	}
}

// Append appends the descriptor.
func (d *VP9Descriptor) Append(b []byte) []byte {
	var v byte
	for i, flag := range [...]bool{d.HasPictureID, d.InterPredicted, d.HasLayers, d.Flexible, d.Start, d.End, d.HasStructure, d.NotReference} {
		if flag {
			v |= 0x80 >> i
		}
	}
	b = append(b, v)
	if d.HasPictureID {
		if d.Short {
			b = append(b, byte(d.PictureID&0x7f))
		} else {
			b = binary.BigEndian.AppendUint16(b, 0x8000|d.PictureID)
		}
	}
	if d.HasLayers {
		v := d.TID<<5 | d.SID&7<<1
		if d.SwitchingUp {
			v |= 0x10
		}
		if d.InterLayer {
			v |= 1
		}
		b = append(b, v)
		if !d.Flexible {
			b = append(b, d.TL0PICIDX)
		}
	}
	if d.Flexible && d.InterPredicted {
		if d.DiffCount < 1 || d.DiffCount > 3 {
			panic("BUG: a VP9 frame in flexible mode refers to one to three pictures")
		}
		for i, diff := range d.Diffs[:d.DiffCount] {
			v := diff << 1
			if i+1 < int(d.DiffCount) {
				v |= 1
			}
			b = append(b, v)
		}
	}
	if d.HasStructure {
		b = d.Structure.append(b)
	}
	return b
}

func (s *VP9Structure) append(b []byte) []byte {
	if s.SpatialLayers < 1 || s.SpatialLayers > 8 {
		panic("BUG: VP9 has one to eight spatial layers")
	}
	v := (s.SpatialLayers - 1) << 5
	if s.HasSizes {
		v |= 0x10
	}
	if s.HasGroup {
		v |= 0x08
	}
	b = append(b, v)
	if s.HasSizes {
		for i := range s.SpatialLayers {
			b = binary.BigEndian.AppendUint16(b, s.Width[i])
			b = binary.BigEndian.AppendUint16(b, s.Height[i])
		}
	}
	if s.HasGroup {
		b = append(b, s.GroupLen)
		b = append(b, s.Group...)
	}
	return b
}

// A VP9Packetizer cuts VP9 frames, in non-flexible mode unless Descriptor says
// otherwise. Descriptor is what it puts in front of each piece, but for Start, End
// and, in non-flexible mode, InterPredicted, which it finds in the frame: set what
// a frame needs before its Start. HasStructure holds for a frame's first piece.
//
// PictureID goes up by itself after each frame, unless HasLayers: then the frames
// of one picture share it, and only the caller knows when the next begins.
type VP9Packetizer struct {
	Descriptor VP9Descriptor

	left  []byte
	limit int
	cut   cutter
}

// Start begins a frame.
func (p *VP9Packetizer) Start(frame []byte, limit int) error {
	if limit < minLimit {
		return ErrLimit
	}
	if len(frame) == 0 {
		return ErrEmpty
	}
	p.left, p.limit, p.cut = frame, limit, cutter{}
	p.Descriptor.Start, p.Descriptor.End = true, false
	if !p.Descriptor.Flexible && !p.Descriptor.HasLayers {
		p.Descriptor.InterPredicted = !vp9Key(frame)
	}
	return nil
}

// vp9Key reads the beginning of the uncompressed header: VP9 Bitstream
// Specification, Section 6.2. frame_marker is 2 bits, then profile_low_bit,
// profile_high_bit, a reserved bit in profile 3, show_existing_frame, frame_type.
func vp9Key(frame []byte) bool {
	v := frame[0]
	if v>>4&3 == 3 {
		v <<= 1
	}
	return frame[0]>>6 == 2 && v&0x08 == 0 && v&0x04 == 0
}

// Append appends the frame's next payload to b.
func (p *VP9Packetizer) Append(b []byte) (_ []byte, last bool) {
	d, at := &p.Descriptor, len(b)
	b = d.Append(b)
	if room := p.limit - (len(b) - at); room < 1 { // a scalability structure of hundreds of bytes
		panic("BUG: the VP9 descriptor leaves no room for the frame")
	}
	n := p.cut.next(len(p.left), p.limit-(len(b)-at))
	if d.End = n == len(p.left); d.End {
		b[at] |= 0x04
	}
	b = append(b, p.left[:n]...)
	p.left = p.left[n:]
	d.Start, d.HasStructure = false, false
	if !d.End {
		return b, false
	}
	p.left = nil
	if !d.HasLayers {
		d.PictureID = (d.PictureID + 1) & 0x7fff
	}
	return b, true
}

// A VP9Depacketizer puts VP9 frames together: the frames of a picture's spatial
// layers follow each other, as decoders take them.
type VP9Depacketizer struct{}

// Append appends the piece of a frame.
func (VP9Depacketizer) Append(frame, payload []byte) ([]byte, error) {
	var d VP9Descriptor
	piece, ok := d.Parse(payload)
	if !ok {
		return frame, ErrDescriptor
	}
	if len(piece) == 0 {
		return frame, ErrEmpty
	}
	if len(frame) == 0 && !d.Start {
		return frame, ErrFragment
	}
	return append(frame, piece...), nil
}

// Finish ends a frame.
func (VP9Depacketizer) Finish() error { return nil }

func inspectVP9(payload []byte) (i Info, err error) {
	var d VP9Descriptor
	piece, ok := d.Parse(payload)
	if !ok {
		return Info{}, ErrDescriptor
	}
	if len(piece) == 0 {
		return Info{}, ErrEmpty
	}
	lowest := !d.HasLayers || d.SID == 0
	// A key picture's base layer frame refers to nothing. RFC 9628, Section 3.
	return Info{Start: d.Start && lowest, Key: d.Start && lowest && !d.InterPredicted}, nil
}
