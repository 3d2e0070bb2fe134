package payload

import (
	"encoding/binary"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// NAL unit types, of H.264 and, from 24 on, of RFC 6184, Section 5.2.
//
//	+---------------+
//	|0|1|2|3|4|5|6|7|
//	+-+-+-+-+-+-+-+-+
//	|F|NRI|  Type   |
//	+---------------+
const (
	h264IDR   = 5
	h264SPS   = 7
	h264STAPA = 24
	h264FUA   = 28
)

// An H264Packetizer cuts access units.
type H264Packetizer struct {
	// SingleNAL is packetization mode 0: each NAL unit is a payload, and must fit one.
	SingleNAL bool

	nal, rest []byte
	sent      int // of nal, when it is fragmented; its header counts
	limit     int
	cut       cutter // of nal
}

// Start begins an access unit, in Annex B. What is no NAL unit of H.264 is left out.
func (p *H264Packetizer) Start(frame []byte, limit int) error {
	if limit < minLimit {
		return ErrLimit
	}
	if len(frame) == 0 {
		return ErrEmpty
	}
	if p.SingleNAL {
		for nal, rest := nextH264(frame); nal != nil; nal, rest = nextH264(rest) {
			if len(nal) > limit {
				return ErrTooLarge
			}
		}
	}
	p.nal, p.rest = nextH264(frame)
	p.sent, p.limit, p.cut = 0, limit, cutter{}
	if p.nal == nil {
		return ErrFrame
	}
	return nil
}

func nextH264(stream []byte) (nal, rest []byte) {
	for {
		if nal, rest = nextNAL(stream); nal == nil || validH264(nal[0]) {
			return nal, rest
		}
		stream = rest
	}
}

// validH264 reports whether a NAL unit's type is H.264's own.
func validH264(header byte) bool { return header&0x1f >= 1 && header&0x1f < h264STAPA }

// Append appends the access unit's next payload to b.
func (p *H264Packetizer) Append(b []byte) (_ []byte, last bool) {
	if len(p.nal) > p.limit {
		return p.appendFragment(b)
	}
	if !p.SingleNAL {
		if next, _ := nextH264(p.rest); next != nil && 1+2+len(p.nal)+2+len(next) <= p.limit {
			return p.appendAggregate(b)
		}
	}
	return p.advance(append(b, p.nal...))
}

// advance goes on to the next NAL unit.
func (p *H264Packetizer) advance(b []byte) (_ []byte, last bool) {
	p.nal, p.rest = nextH264(p.rest)
	p.sent, p.cut = 0, cutter{}
	return b, p.nal == nil
}

// appendAggregate appends as many NAL units as fit one STAP-A.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|STAP-A NAL HDR |         NALU 1 Size           | NALU 1 HDR    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 6184, Section 5.7.1.
func (p *H264Packetizer) appendAggregate(b []byte) (_ []byte, last bool) {
	at := len(b)
	b = append(b, h264STAPA)
	for !last && len(b)-at+2+len(p.nal) <= p.limit {
		// "The value of NRI MUST be the maximum of all the NAL units carried in the
		// aggregation packet." F is set when one of them has it. Section 5.7.
		b[at] = b[at]&0x80 | max(b[at]&0x60, p.nal[0]&0x60) | p.nal[0]&0x80 | h264STAPA
		b = binary.BigEndian.AppendUint16(b, uint16(len(p.nal)))
		b, last = p.advance(append(b, p.nal...))
	}
	return b, last
}

// appendFragment appends a piece of a NAL unit.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| FU indicator  |S|E|R|  Type   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 6184, Section 5.8. "The NAL unit type octet of the fragmented NAL unit is not
// included as such".
func (p *H264Packetizer) appendFragment(b []byte) (_ []byte, last bool) {
	p.sent = max(p.sent, 1)
	header := p.nal[0] & 0x1f
	if p.sent == 1 {
		header |= 0x80
	}
	n := p.cut.next(len(p.nal)-p.sent, p.limit-2)
	if p.sent+n == len(p.nal) {
		header |= 0x40
	}
	b = append(b, p.nal[0]&0xe0|h264FUA, header)
	b = append(b, p.nal[p.sent:p.sent+n]...)
	if p.sent += n; p.sent == len(p.nal) {
		return p.advance(b)
	}
	return b, false
}

// An H264Depacketizer puts access units together, in Annex B.
type H264Depacketizer struct{ open bool } // a fragment is unfinished

// Append appends the NAL units, or the fragment, of a payload.
func (d *H264Depacketizer) Append(frame, payload []byte) ([]byte, error) {
	if len(payload) == 0 {
		return frame, ErrEmpty
	}
	t := payload[0] & 0x1f
	if d.open && t != h264FUA {
		return frame, ErrFragment
	}
	switch {
	case validH264(t):
		return append(appendStartCode(frame), payload...), nil

	case t == h264STAPA:
		r := wire.NewReader(payload[1:])
		for out := frame; ; {
			nal := r.Vector16()
			if len(nal) == 0 || !validH264(nal[0]) {
				return frame, ErrMalformed
			}
			out = append(appendStartCode(out), nal...)
			if r.Len() == 0 {
				return out, nil
			}
		}

	case t == h264FUA:
		// "the Start bit and End bit MUST NOT both be set to one". Section 5.8.
		if len(payload) < 3 || payload[1]&0xc0 == 0xc0 || !validH264(payload[1]) {
			return frame, ErrMalformed
		}
		start := payload[1]&0x80 != 0
		if start == d.open {
			return frame, ErrFragment
		}
		if start {
			frame = append(appendStartCode(frame), payload[0]&0xe0|payload[1]&0x1f)
		}
		d.open = payload[1]&0x40 == 0
		return append(frame, payload[2:]...), nil

	default: // STAP-B, MTAP and FU-B are of mode 2; 0, 30 and 31 of nobody
		return frame, ErrUnsupported
	}
}

// Finish ends an access unit.
func (d *H264Depacketizer) Finish() error {
	if d.open {
		d.open = false
		return ErrFragment
	}
	return nil
}

// inspectH264 looks at the first NAL unit, and at those with it. A payload that
// does not continue a fragment may be the first of an access unit.
func inspectH264(payload []byte) (i Info, err error) {
	key := func(header byte) bool { return header&0x1f == h264IDR || header&0x1f == h264SPS }
	switch t := payload[0] & 0x1f; {
	case validH264(t):
		return Info{Start: true, Key: key(payload[0])}, nil
	case t == h264STAPA:
		i.Start = true
		r := wire.NewReader(payload[1:])
		for r.Len() > 0 {
			nal := r.Vector16()
			if len(nal) == 0 || !validH264(nal[0]) {
				return Info{}, ErrMalformed
			}
			i.Key = i.Key || key(nal[0])
		}
		return i, nil
	case t == h264FUA:
		if len(payload) < 3 || !validH264(payload[1]) {
			return Info{}, ErrMalformed
		}
		i.Start = payload[1]&0x80 != 0
		i.Key = i.Start && key(payload[1])
		return i, nil
	}
	return Info{}, ErrUnsupported
}
