package payload

import "github.com/plainrtc/plainrtc/internal/wire"

// Types of open bitstream units (OBUs). AV1 Bitstream Specification, Section 6.2.2.
//
//	+-+-+-+-+-+-+-+-+
//	|F|  type |X|S|R| and, with X, a byte of layer ids; with S, the size in leb128
//	+-+-+-+-+-+-+-+-+
const (
	obuSequenceHeader    = 1
	obuTemporalDelimiter = 2
	obuTileList          = 8
	obuPadding           = 15

	obuHasExtension = 0x04 // X
	obuHasSize      = 0x02 // S
)

func obuType(header byte) byte { return header >> 3 & 0x0f }

// What the aggregation header, a payload's first byte, says:
//
//	 0 1 2 3 4 5 6 7
//	+-+-+-+-+-+-+-+-+
//	|Z|Y| W |N|-|-|-|
//	+-+-+-+-+-+-+-+-+
//
// RTP Payload Format For AV1, Section 4.4.
const (
	av1Continues   = 0x80 // Z: the first OBU element continues an OBU of the payload before
	av1Continued   = 0x40 // Y: the last OBU element goes on in the next payload
	av1NewSequence = 0x08 // N: the first packet of a coded video sequence
)

// tooSmall is the room in a payload that is not worth the beginning of an OBU.
const tooSmall = 8

// leb128Size is how many bytes n takes, seven bits each.
func leb128Size(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

func appendLEB128(b []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// readLEB128 reads a number that fits 32 bits, in up to 8 bytes. AV1, Section 4.10.5.
func readLEB128(r *wire.Reader) int {
	var v uint64
	for i := range 8 {
		b := r.Uint8()
		v |= uint64(b&0x7f) << (7 * i)
		if b&0x80 == 0 {
			if v > 1<<32-1 {
				r.Fail()
				return 0
			}
			return int(v)
		}
	}
	r.Fail()
	return 0
}

// An obu is one OBU of a frame, without its size.
type obu struct {
	header     [2]byte
	headerSize int
	payload    []byte
}

func (o obu) size() int { return o.headerSize + len(o.payload) }

// append appends the bytes from on up to to, as if header and payload were one.
func (o obu) append(b []byte, from, to int) []byte {
	if from < o.headerSize {
		b = append(b, o.header[from:min(to, o.headerSize)]...)
	}
	return append(b, o.payload[max(from-o.headerSize, 0):max(to-o.headerSize, 0)]...)
}

// An AV1Packetizer cuts temporal units, or the part of one that is one layer's
// frame.
type AV1Packetizer struct {
	obus  []obu
	next  int // the OBU to go on with
	sent  int // of that
	limit int
	flags byte // N, in the first payload
}

// Start begins a frame: a row of OBUs, each with its size. Temporal delimiters and
// tile lists, which senders should remove (Section 5), and padding are left out.
func (p *AV1Packetizer) Start(frame []byte, limit int) error {
	if limit < minLimit {
		return ErrLimit
	}
	if len(frame) == 0 {
		return ErrEmpty
	}
	p.obus, p.next, p.sent, p.limit, p.flags = p.obus[:0], 0, 0, limit, 0
	r := wire.NewReader(frame)
	for r.Len() > 0 {
		var o obu
		o.header[0], o.headerSize = r.Uint8(), 1
		if o.header[0]&obuHasExtension != 0 {
			o.header[1], o.headerSize = r.Uint8(), 2
		}
		if o.header[0]&obuHasSize != 0 {
			o.payload = r.Bytes(readLEB128(&r))
		} else {
			o.payload = r.Rest() // the last one may do without
		}
		if !r.OK() || o.header[0]&0x80 != 0 {
			return ErrFrame
		}
		// The element's length says it: senders should do without a size. Section 5.
		o.header[0] &^= obuHasSize
		switch obuType(o.header[0]) {
		case obuTemporalDelimiter, obuTileList, obuPadding:
			continue
		case obuSequenceHeader:
			// It starts every coded video sequence, and a random access point in it.
			p.flags = av1NewSequence
		}
		p.obus = append(p.obus, o)
	}
	if len(p.obus) == 0 {
		return ErrFrame
	}
	return nil
}

// Append appends the frame's next payload to b: OBU elements, each behind its
// length but for the last of up to three.
func (p *AV1Packetizer) Append(b []byte) (_ []byte, last bool) {
	at := len(b)
	header := p.flags
	p.flags = 0
	if p.sent > 0 {
		header |= av1Continues
	}
	b = append(b, 0)
	for count := 1; ; count++ {
		o := p.obus[p.next]
		left, room := o.size()-p.sent, p.limit-(len(b)-at)
		prefix := leb128Size(left)
		n := left
		final := true // no element follows in this payload
		if prefix+left <= room {
			final = p.next == len(p.obus)-1 || room-prefix-left < tooSmall
		} else if count <= 3 {
			n = min(left, room)
		} else {
			n = min(left, room-leb128Size(room))
		}
		if final && count <= 3 {
			header |= byte(count) << 4 // W: the last one has no length
		} else {
			b = appendLEB128(b, n)
		}
		b = o.append(b, p.sent, p.sent+n)
		if p.sent += n; p.sent == o.size() {
			p.next++
			p.sent = 0
		}
		if final {
			break
		}
	}
	if p.sent > 0 {
		header |= av1Continued
	}
	b[at] = header
	if p.next == len(p.obus) {
		clear(p.obus) // the frame was borrowed
		p.obus = p.obus[:0]
		return b, true
	}
	return b, false
}

// An AV1Depacketizer puts temporal units together, as OBUs with their sizes.
type AV1Depacketizer struct {
	open  bool // an OBU is unfinished
	start int  // where in the frame
}

// elements yields the OBU elements of a payload, one after the other.
type elements struct {
	r     wire.Reader
	count int // W; 0 when each element has its length
	index int
}

func av1Elements(payload []byte) elements {
	return elements{r: wire.NewReader(payload[1:]), count: int(payload[0] >> 4 & 3)}
}

// next returns the next element. ok is false behind the last one, and when the
// payload is malformed, which r tells.
func (e *elements) next() (element []byte, ok bool) {
	if e.r.Len() == 0 {
		if e.index < e.count {
			e.r.Fail()
		}
		return nil, false
	}
	e.index++
	switch {
	case e.count == 0 || e.index < e.count:
		element = e.r.Bytes(readLEB128(&e.r))
	case e.index == e.count:
		element = e.r.Rest()
	default:
		e.r.Fail()
	}
	return element, e.r.OK()
}

// Append appends the OBUs of a payload. Temporal delimiters and tile lists, which
// receivers must ignore (Section 5), and padding are left out.
func (d *AV1Depacketizer) Append(frame, payload []byte) ([]byte, error) {
	if len(payload) < 2 {
		return frame, ErrEmpty
	}
	if continues := payload[0]&av1Continues != 0; continues != d.open {
		return frame, ErrFragment
	}
	e := av1Elements(payload)
	for {
		element, ok := e.next()
		if !ok {
			break
		}
		if !d.open {
			d.open, d.start = true, len(frame)
		}
		frame = append(frame, element...)
		if payload[0]&av1Continued != 0 && e.r.Len() == 0 && (e.count == 0 || e.index == e.count) {
			return frame, nil
		}
		d.open = false
		var done bool
		if frame, done = finishOBU(frame, d.start); !done {
			return frame, ErrMalformed
		}
	}
	if !e.r.OK() {
		return frame, ErrMalformed
	}
	return frame, nil
}

// finishOBU gives the OBU that is frame[start:] its size, or drops it.
func finishOBU(frame []byte, start int) ([]byte, bool) {
	r := wire.NewReader(frame[start:])
	header := r.Uint8()
	if header&obuHasExtension != 0 {
		r.Uint8()
	}
	at := len(frame) - r.Len()
	if header&obuHasSize != 0 {
		if n := readLEB128(&r); n != r.Len() {
			r.Fail()
		}
	}
	if !r.OK() || header&0x80 != 0 {
		return frame[:start], false
	}
	switch obuType(header) {
	case obuTemporalDelimiter, obuTileList, obuPadding:
		return frame[:start], true
	}
	if header&obuHasSize != 0 {
		return frame, true
	}
	frame[start] |= obuHasSize
	n := len(frame) - at
	size := leb128Size(n)
	var zeros [8]byte
	frame = append(frame, zeros[:size]...)
	copy(frame[at+size:], frame[at:at+n])
	appendLEB128(frame[:at], n)
	return frame, true
}

// Finish ends a temporal unit.
func (d *AV1Depacketizer) Finish() error {
	if d.open {
		d.open = false
		return ErrFragment
	}
	return nil
}

// inspectAV1 checks a payload's elements, and reads its header. A payload that
// does not continue an OBU may be the first of a temporal unit.
func inspectAV1(payload []byte) (Info, error) {
	if len(payload) < 2 {
		return Info{}, ErrEmpty
	}
	e := av1Elements(payload)
	for {
		if _, ok := e.next(); !ok {
			break
		}
	}
	if !e.r.OK() {
		return Info{}, ErrMalformed
	}
	start := payload[0]&av1Continues == 0
	return Info{Start: start, Key: start && payload[0]&av1NewSequence != 0}, nil
}
