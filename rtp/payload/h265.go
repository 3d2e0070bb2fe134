package payload

import (
	"encoding/binary"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// NAL unit types, of H.265 and, from 48 on, of RFC 7798, Section 4.4.
//
//	+---------------+---------------+
//	|0|1|2|3|4|5|6|7|0|1|2|3|4|5|6|7|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|F|   Type    |  LayerId  | TID |
//	+-------------+-----------------+
const (
	h265FirstIRAP = 16 // pictures that refer to no other
	h265LastIRAP  = 23
	h265VPS       = 32
	h265SPS       = 33
	h265AP        = 48
	h265FU        = 49
)

const h265Header = 2

func h265Type(header byte) byte { return header >> 1 & 0x3f }

// An H265Packetizer cuts access units.
type H265Packetizer struct {
	nal, rest []byte
	sent      int // of nal, when it is fragmented; its header counts
	limit     int
	cut       cutter // of nal
}

// Start begins an access unit, in Annex B. What is no NAL unit of H.265 is left out.
func (p *H265Packetizer) Start(frame []byte, limit int) error {
	if limit < minLimit {
		return ErrLimit
	}
	if len(frame) == 0 {
		return ErrEmpty
	}
	p.nal, p.rest = nextH265(frame)
	p.sent, p.limit, p.cut = 0, limit, cutter{}
	if p.nal == nil {
		return ErrFrame
	}
	return nil
}

func nextH265(stream []byte) (nal, rest []byte) {
	for {
		if nal, rest = nextNAL(stream); nal == nil || validH265(nal) {
			return nal, rest
		}
		stream = rest
	}
}

// validH265 reports whether nal has its header, and a type that is H.265's own.
func validH265(nal []byte) bool { return len(nal) >= h265Header && h265Type(nal[0]) < h265AP }

// Append appends the access unit's next payload to b.
func (p *H265Packetizer) Append(b []byte) (_ []byte, last bool) {
	if len(p.nal) > p.limit {
		return p.appendFragment(b)
	}
	if next, _ := nextH265(p.rest); next != nil && h265Header+2+len(p.nal)+2+len(next) <= p.limit {
		return p.appendAggregate(b)
	}
	return p.advance(append(b, p.nal...))
}

// advance goes on to the next NAL unit.
func (p *H265Packetizer) advance(b []byte) (_ []byte, last bool) {
	p.nal, p.rest = nextH265(p.rest)
	p.sent, p.cut = 0, cutter{}
	return b, p.nal == nil
}

// appendAggregate appends as many NAL units as fit one aggregation packet.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    PayloadHdr (Type=48)       |         NALU 1 Size           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          NALU 1 HDR           |         NALU 1 Data           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 7798, Section 4.4.2. "The value of LayerId MUST be equal to the lowest value
// of LayerId of all the aggregated NAL units. The value of TID MUST be the lowest
// value of TID of all the aggregated NAL units."
func (p *H265Packetizer) appendAggregate(b []byte) (_ []byte, last bool) {
	at := len(b)
	forbidden, layer, tid := byte(0), uint16(63), uint16(7)
	b = append(b, 0, 0)
	for !last && len(b)-at+2+len(p.nal) <= p.limit {
		header := binary.BigEndian.Uint16(p.nal)
		forbidden |= p.nal[0] & 0x80
		layer, tid = min(layer, header>>3&63), min(tid, header&7)
		b = binary.BigEndian.AppendUint16(b, uint16(len(p.nal)))
		b, last = p.advance(append(b, p.nal...))
	}
	binary.BigEndian.PutUint16(b[at:], uint16(forbidden)<<8|h265AP<<9|layer<<3|tid)
	return b, last
}

// appendFragment appends a piece of a NAL unit.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    PayloadHdr (Type=49)       |S|E|  FuType   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 7798, Section 4.4.3.
func (p *H265Packetizer) appendFragment(b []byte) (_ []byte, last bool) {
	p.sent = max(p.sent, h265Header)
	header := h265Type(p.nal[0])
	if p.sent == h265Header {
		header |= 0x80
	}
	n := p.cut.next(len(p.nal)-p.sent, p.limit-3)
	if p.sent+n == len(p.nal) {
		header |= 0x40
	}
	b = append(b, p.nal[0]&0x81|h265FU<<1, p.nal[1], header)
	b = append(b, p.nal[p.sent:p.sent+n]...)
	if p.sent += n; p.sent == len(p.nal) {
		return p.advance(b)
	}
	return b, false
}

// An H265Depacketizer puts access units together, in Annex B.
type H265Depacketizer struct{ open bool } // a fragment is unfinished

// Append appends the NAL units, or the fragment, of a payload.
func (d *H265Depacketizer) Append(frame, payload []byte) ([]byte, error) {
	if len(payload) < h265Header {
		return frame, ErrMalformed
	}
	t := h265Type(payload[0])
	if d.open && t != h265FU {
		return frame, ErrFragment
	}
	switch {
	case t < h265AP:
		return append(appendStartCode(frame), payload...), nil

	case t == h265AP:
		r := wire.NewReader(payload[h265Header:])
		for out := frame; ; {
			nal := r.Vector16()
			if !validH265(nal) {
				return frame, ErrMalformed
			}
			out = append(appendStartCode(out), nal...)
			if r.Len() == 0 {
				return out, nil
			}
		}

	case t == h265FU:
		// "the Start bit and End bit must not both be set to 1 in the same FU header",
		// Section 4.4.3.
		if len(payload) < 4 || payload[2]&0xc0 == 0xc0 || payload[2]&0x3f >= h265AP {
			return frame, ErrMalformed
		}
		start := payload[2]&0x80 != 0
		if start == d.open {
			return frame, ErrFragment
		}
		if start {
			frame = append(appendStartCode(frame), payload[0]&0x81|payload[2]&0x3f<<1, payload[1])
		}
		d.open = payload[2]&0x40 == 0
		return append(frame, payload[3:]...), nil

	default: // PACI, and what is reserved
		return frame, ErrUnsupported
	}
}

// Finish ends an access unit.
func (d *H265Depacketizer) Finish() error {
	if d.open {
		d.open = false
		return ErrFragment
	}
	return nil
}

// inspectH265 looks at the first NAL unit, and at those with it. A payload that
// does not continue a fragment may be the first of an access unit.
func inspectH265(payload []byte) (i Info, err error) {
	if len(payload) < h265Header {
		return Info{}, ErrMalformed
	}
	key := func(t byte) bool { return t >= h265FirstIRAP && t <= h265LastIRAP || t == h265VPS || t == h265SPS }
	switch t := h265Type(payload[0]); {
	case t < h265AP:
		return Info{Start: true, Key: key(t)}, nil
	case t == h265AP:
		i.Start = true
		r := wire.NewReader(payload[h265Header:])
		for r.Len() > 0 {
			nal := r.Vector16()
			if !validH265(nal) {
				return Info{}, ErrMalformed
			}
			i.Key = i.Key || key(h265Type(nal[0]))
		}
		return i, nil
	case t == h265FU:
		if len(payload) < 4 || payload[2]&0x3f >= h265AP {
			return Info{}, ErrMalformed
		}
		i.Start = payload[2]&0x80 != 0
		i.Key = i.Start && key(payload[2]&0x3f)
		return i, nil
	}
	return Info{}, ErrUnsupported
}
