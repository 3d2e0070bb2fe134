package mediafile

// Types of open bitstream units (OBUs). AV1 Bitstream Specification, Section 6.2.2.
const (
	obuSequenceHeader    = 1
	obuTemporalDelimiter = 2
	obuFrameHeader       = 3
	obuFrame             = 6
)

// temporalDelimiter is the OBU that begins each temporal unit of a file, and that
// RTP leaves out: its header, and a size of zero.
var temporalDelimiter = []byte{obuTemporalDelimiter<<3 | 2, 0}

// nextOBU cuts the first OBU off a temporal unit. ok is false where there is none.
//
//	+-+-+-+-+-+-+-+-+
//	|F|  type |X|S|R| and, with X, a byte of layer ids; with S, the size in leb128
//	+-+-+-+-+-+-+-+-+
func nextOBU(b []byte) (kind byte, payload, rest []byte, ok bool) {
	if len(b) == 0 || b[0]&0x80 != 0 {
		return 0, nil, nil, false
	}
	kind, at := b[0]>>3&15, 1
	if b[0]&4 != 0 {
		at++
	}
	size := len(b) - at
	if b[0]&2 != 0 {
		v := uint64(0)
		for i := 0; ; i++ {
			if i == 8 || at >= len(b) {
				return 0, nil, nil, false
			}
			c := b[at]
			at++
			v |= uint64(c&0x7f) << (7 * i)
			if c&0x80 == 0 {
				break
			}
		}
		if v > uint64(len(b)-at) {
			return 0, nil, nil, false
		}
		size = int(v)
	}
	if size < 0 {
		return 0, nil, nil, false
	}
	return kind, b[at : at+size], b[at+size:], true
}

// inspectAV1 looks for a sequence header and, behind it, a key frame: that is where
// decoding can start (Section 7.6.2).
func inspectAV1(unit []byte) (p Picture) {
	reduced := false
	for {
		kind, payload, rest, ok := nextOBU(unit)
		if !ok {
			return p
		}
		switch kind {
		case obuSequenceHeader:
			p, reduced = sequenceHeader(payload)
		case obuFrameHeader, obuFrame:
			// show_existing_frame and frame_type, of which 0 is KEY_FRAME. Section 5.9.2.
			p.KeyFrame = p.Width > 0 && len(payload) > 0 && (reduced || payload[0]>>5 == 0)
			return p
		}
		unit = rest
	}
}

// sequenceHeader reads sequence_header_obu() (Section 5.5.1) as far as the size.
func sequenceHeader(b []byte) (p Picture, reduced bool) {
	r := bitReader{b: b}
	r.skip(3 + 1) // seq_profile, still_picture
	if reduced = r.flag(); reduced {
		r.skip(5) // seq_level_idx
	} else {
		decoderModel, delayLength := false, 0
		if r.flag() { // timing_info_present_flag
			unit, scale := r.bits(32), r.bits(32)
			if r.flag() { // equal_picture_interval
				if perPicture := float64(unit) * (float64(r.ue()) + 1); perPicture > 0 {
					p.rate = float64(scale) / perPicture
				}
			}
			if decoderModel = r.flag(); decoderModel {
				delayLength = int(r.bits(5)) + 1
				r.skip(32 + 5 + 5)
			}
		}
		initialDelay := r.flag()
		for range r.bits(5) + 1 { // operating_points_cnt_minus_1
			r.skip(12)         // operating_point_idc
			if r.bits(5) > 7 { // seq_level_idx
				r.bit() // seq_tier
			}
			if decoderModel && r.flag() {
				r.skip(2*delayLength + 1)
			}
			if initialDelay && r.flag() {
				r.skip(4)
			}
		}
	}
	w, h := int(r.bits(4))+1, int(r.bits(4))+1
	p.Width, p.Height = int(r.bits(w))+1, int(r.bits(h))+1
	if r.failed {
		return Picture{}, reduced
	}
	return p, reduced
}
