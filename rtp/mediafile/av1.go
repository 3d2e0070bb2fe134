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
			s := sequenceHeader(payload)
			p, reduced = s.Picture, s.reduced
		case obuFrameHeader, obuFrame:
			// show_existing_frame and frame_type, of which 0 is KEY_FRAME. Section 5.9.2.
			p.KeyFrame = p.Width > 0 && len(payload) > 0 && (reduced || payload[0]>>5 == 0)
			return p
		}
		unit = rest
	}
}

// A sequence is what a sequence header tells.
type sequence struct {
	Picture
	reduced bool

	profile, level, tier              uint32
	highBitdepth, twelveBit, mono     uint32
	subsamplingX, subsamplingY, place uint32
}

// sequenceHeader reads sequence_header_obu() (Section 5.5.1) as far as the size, and
// what stands behind that into s.
func sequenceHeader(b []byte) (s sequence) {
	r := bitReader{b: b}
	s.profile = r.bits(3)
	r.bit() // still_picture
	if s.reduced = r.flag(); s.reduced {
		s.level = r.bits(5) // seq_level_idx
	} else {
		decoderModel, delayLength := false, 0
		if r.flag() { // timing_info_present_flag
			unit, scale := r.bits(32), r.bits(32)
			if r.flag() { // equal_picture_interval
				if perPicture := float64(unit) * (float64(r.ue()) + 1); perPicture > 0 {
					s.rate = float64(scale) / perPicture
				}
			}
			if decoderModel = r.flag(); decoderModel {
				delayLength = int(r.bits(5)) + 1
				r.skip(32 + 5 + 5)
			}
		}
		initialDelay := r.flag()
		for i := range r.bits(5) + 1 { // operating_points_cnt_minus_1
			r.skip(12) // operating_point_idc
			level, tier := r.bits(5), uint32(0)
			if level > 7 {
				tier = r.bit()
			}
			if i == 0 {
				s.level, s.tier = level, tier
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
	s.Width, s.Height = int(r.bits(w))+1, int(r.bits(h))+1
	if r.failed {
		return sequence{reduced: s.reduced}
	}
	s.colours(&r)
	return s
}

// colours passes over the tools that are enabled, and reads color_config() (Section
// 5.5.2).
func (s *sequence) colours(r *bitReader) {
	if !s.reduced && r.flag() { // frame_id_numbers_present_flag
		r.skip(4 + 3)
	}
	r.skip(3) // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
	if !s.reduced {
		r.skip(4) // enable_interintra_compound to enable_dual_filter
		orderHint := r.flag()
		if orderHint {
			r.skip(2) // enable_jnt_comp, enable_ref_frame_mvs
		}
		// seq_choose_screen_content_tools; else whether they are forced
		if (r.flag() || r.flag()) && !r.flag() { // seq_choose_integer_mv
			r.bit() // seq_force_integer_mv
		}
		if orderHint {
			r.skip(3) // order_hint_bits_minus_1
		}
	}
	r.skip(3) // enable_superres, enable_cdef, enable_restoration
	s.highBitdepth = r.bit()
	if s.profile == 2 && s.highBitdepth == 1 {
		s.twelveBit = r.bit()
	}
	if s.profile != 1 {
		s.mono = r.bit()
	}
	const bt709, sRGB, identity = 1, 13, 0
	srgb := false
	if r.flag() { // color_description_present_flag
		srgb = r.bits(8) == bt709
		srgb = r.bits(8) == sRGB && srgb
		srgb = r.bits(8) == identity && srgb
	}
	switch {
	case s.mono == 1:
		s.subsamplingX, s.subsamplingY = 1, 1
		return
	case srgb:
		return
	}
	r.bit() // color_range
	switch {
	case s.profile == 0:
		s.subsamplingX, s.subsamplingY = 1, 1
	case s.profile == 2 && s.twelveBit == 0:
		s.subsamplingX = 1
	case s.profile == 2:
		if s.subsamplingX = r.bit(); s.subsamplingX == 1 {
			s.subsamplingY = r.bit()
		}
	}
	if s.subsamplingX == 1 && s.subsamplingY == 1 {
		s.place = r.bits(2) // chroma_sample_position
	}
}

// av1Configuration makes what Matroska and MP4 have of a stream in front
// (AV1 Codec ISO Media File Format Binding, Section 2.3.3), of a key frame's unit.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|1|  version  1 | prof|  level  |T|H|W|M|X|Y| P | reserved      | sequence header OBU
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
func av1Configuration(unit []byte) []byte {
	for {
		kind, payload, rest, ok := nextOBU(unit)
		if !ok {
			return nil
		}
		if kind != obuSequenceHeader {
			unit = rest
			continue
		}
		s := sequenceHeader(payload)
		return append([]byte{
			0x81,
			byte(s.profile<<5 | s.level),
			byte(s.tier<<7 | s.highBitdepth<<6 | s.twelveBit<<5 | s.mono<<4 | s.subsamplingX<<3 | s.subsamplingY<<2 | s.place),
			0,
		}, unit[:len(unit)-len(rest)]...)
	}
}
