package mediafile

import "slices"

// NAL unit types of H.264 (Table 7-1).
const (
	h264Slice     = 1
	h264IDR       = 5
	h264SEI       = 6
	h264SPS       = 7
	h264PPS       = 8
	h264Delimiter = 9
)

func h264Type(nal []byte) byte { return nal[0] & 0x1f }

var h264 = &nalCodec{
	name:      "H264",
	coded:     h264Coded,
	key:       func(nal []byte) bool { return h264Type(nal) == h264IDR },
	delimiter: func(nal []byte) bool { return h264Type(nal) == h264Delimiter },
	set:       func(nal []byte) bool { return h264Type(nal) == h264SPS || h264Type(nal) == h264PPS },
	sequence:  func(nal []byte) bool { return h264Type(nal) == h264SPS },
	inspect:   func(nal []byte) Picture { return h264Sequence(nal[1:]) },
	// Section 7.4.1.2.3: "The first of any of the following NAL units after the last
	// VCL NAL unit of a primary coded picture specifies the start of a new access
	// unit": delimiter, parameter sets, SEI, types 14 to 18, and the first VCL NAL unit of
	// the next picture. That is the one with its first macroblock: first_mb_in_slice,
	// which stands first, is zero, a single bit 1. Slices in arbitrary order and
	// redundant pictures, which break this, are of profiles that nobody has.
	first: func(nal []byte) bool {
		switch t := h264Type(nal); {
		case h264Coded(nal):
			return len(nal) > 1 && nal[1]&0x80 != 0
		default:
			return t >= h264SEI && t <= h264Delimiter || t >= 14 && t <= 18
		}
	},
}

func h264Coded(nal []byte) bool { return h264Type(nal) >= h264Slice && h264Type(nal) <= h264IDR }

// h264Sequence reads seq_parameter_set_data() (Section 7.3.2.1.1), and of the VUI
// parameters (Section E.1.1) the timing.
func h264Sequence(b []byte) (p Picture) {
	r := bitReader{b: b, escaped: true}
	profile := r.bits(8)
	r.skip(8 + 8) // constraint flags, level_idc
	r.ue()        // seq_parameter_set_id
	chroma := uint32(1)
	if slices.Contains([]uint32{100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}, profile) {
		if chroma = r.ue(); chroma == 3 { // chroma_format_idc
			r.bit() // separate_colour_plane_flag
		}
		r.ue()  // bit_depth_luma_minus8
		r.ue()  // bit_depth_chroma_minus8
		r.bit() // qpprime_y_zero_transform_bypass_flag
		if r.flag() {
			r.h264ScalingLists(chroma)
		}
	}
	r.ue()          // log2_max_frame_num_minus4
	switch r.ue() { // pic_order_cnt_type
	case 0:
		r.ue() // log2_max_pic_order_cnt_lsb_minus4
	case 1:
		r.bit() // delta_pic_order_always_zero_flag
		r.se()  // offset_for_non_ref_pic
		r.se()  // offset_for_top_to_bottom_field
		for range min(r.ue(), 255) {
			r.se() // offset_for_ref_frame
		}
	}
	r.ue()  // max_num_ref_frames
	r.bit() // gaps_in_frame_num_value_allowed_flag
	width, height := r.ue()+1, r.ue()+1
	fields := uint32(2) // map units are of both fields' macroblocks
	if r.flag() {       // frame_mbs_only_flag
		fields = 1
	} else {
		r.bit() // mb_adaptive_frame_field_flag
	}
	r.bit() // direct_8x8_inference_flag
	var left, right, top, bottom uint32
	if r.flag() { // frame_cropping_flag
		left, right, top, bottom = r.ue(), r.ue(), r.ue(), r.ue()
	}
	// CropUnitX and CropUnitY are those of the chroma samples.
	x, y := uint32(1), fields
	if chroma == 1 || chroma == 2 {
		x = 2
	}
	if chroma == 1 {
		y *= 2
	}
	p.Width, p.Height = cropped(16*width, x*(left+right)), cropped(16*height*fields, y*(top+bottom))
	if r.failed || p.Width == 0 || p.Height == 0 {
		return Picture{}
	}
	if r.flag() { // vui_parameters_present_flag
		r.vuiColour()
		if r.flag() { // timing_info_present_flag
			// A tick is that of a field.
			unit, scale := r.bits(32), r.bits(32)
			if !r.failed && unit > 0 {
				p.rate = float64(scale) / float64(unit) / 2
			}
		}
	}
	return p
}

// cropped is what is left of a length. Nobody makes pictures that large.
func cropped(n, crop uint32) int {
	if n > 1<<16 || crop >= n {
		return 0
	}
	return int(n - crop)
}

// vuiColour reads the beginning of vui_parameters(), which H.264 and H.265 share: up
// to the place of chroma samples.
func (r *bitReader) vuiColour() {
	const extendedSAR = 255
	if r.flag() && r.bits(8) == extendedSAR { // aspect_ratio_idc
		r.skip(16 + 16)
	}
	if r.flag() { // overscan_info_present_flag
		r.bit()
	}
	if r.flag() { // video_signal_type_present_flag
		r.skip(3 + 1)
		if r.flag() { // colour_description_present_flag
			r.skip(8 + 8 + 8)
		}
	}
	if r.flag() { // chroma_loc_info_present_flag
		r.ue()
		r.ue()
	}
}

// h264ScalingLists passes over what follows seq_scaling_matrix_present_flag
// (Section 7.3.2.1.1.1).
func (r *bitReader) h264ScalingLists(chroma uint32) {
	lists := 8
	if chroma == 3 {
		lists = 12
	}
	for i := range lists {
		if !r.flag() { // seq_scaling_list_present_flag
			continue
		}
		size := 16
		if i >= 6 {
			size = 64
		}
		last, next := int32(8), int32(8)
		for range size {
			if next != 0 {
				next = (last + r.se() + 256) & 0xff
			}
			if next != 0 {
				last = next
			}
		}
	}
}
