package mediafile

// NAL unit types of H.265 (Table 7-1).
const (
	h265FirstIRAP = 16
	h265LastIRAP  = 23
	h265LastVCL   = 31
	h265VPS       = 32
	h265SPS       = 33
	h265PPS       = 34
	h265Delimiter = 35
	h265PrefixSEI = 39
)

// +---------------+---------------+
// |F|   Type    |  LayerId  | TID |
// +-------------+-----------------+
func h265Type(nal []byte) byte { return nal[0] >> 1 & 0x3f }

func h265Base(nal []byte) bool { return len(nal) > 2 && nal[0]&1 == 0 && nal[1]>>3 == 0 }

var h265 = &nalCodec{
	name:      "H265",
	coded:     func(nal []byte) bool { return h265Type(nal) <= h265LastVCL },
	key:       func(nal []byte) bool { return h265Type(nal) >= h265FirstIRAP && h265Type(nal) <= h265LastIRAP },
	delimiter: func(nal []byte) bool { return h265Type(nal) == h265Delimiter },
	set:       func(nal []byte) bool { return h265Type(nal) >= h265VPS && h265Type(nal) <= h265PPS },
	sequence:  func(nal []byte) bool { return h265Type(nal) == h265SPS && h265Base(nal) },
	inspect:   func(nal []byte) Picture { return h265Sequence(nal[2:]) },
	// Section 7.4.2.4.4: the first of these behind the last VCL NAL unit of a picture,
	// of the base layer, starts the next access unit: delimiter, parameter sets,
	// prefix SEI, types 41 to 44 and 48 to 55, and a slice with
	// first_slice_segment_in_pic_flag, its first bit.
	first: func(nal []byte) bool {
		if len(nal) < 2 || nal[0]&1 != 0 || nal[1]>>3 != 0 { // nuh_layer_id
			return false
		}
		switch t := h265Type(nal); {
		case t <= h265LastVCL:
			return len(nal) > 2 && nal[2]&0x80 != 0
		default:
			return t <= h265Delimiter || t == h265PrefixSEI || t >= 41 && t <= 44 || t >= 48 && t <= 55
		}
	},
}

// h265Sequence reads seq_parameter_set_rbsp() (Section 7.3.2.2.1), and of the VUI
// parameters (Section E.2.1) the timing.
func h265Sequence(b []byte) (p Picture) {
	r := bitReader{b: b, escaped: true}
	r.skip(4) // sps_video_parameter_set_id
	subLayers := int(r.bits(3))
	r.bit() // sps_temporal_id_nesting_flag
	r.h265ProfileTierLevel(subLayers)
	r.ue() // sps_seq_parameter_set_id
	chroma := r.ue()
	if chroma == 3 {
		r.bit() // separate_colour_plane_flag
	}
	width, height := r.ue(), r.ue()
	var left, right, top, bottom uint32
	if r.flag() { // conformance_window_flag
		left, right, top, bottom = r.ue(), r.ue(), r.ue(), r.ue()
	}
	x, y := uint32(1), uint32(1) // SubWidthC, SubHeightC
	if chroma == 1 || chroma == 2 {
		x = 2
	}
	if chroma == 1 {
		y = 2
	}
	p.Width, p.Height = cropped(width, x*(left+right)), cropped(height, y*(top+bottom))
	if r.failed || p.Width == 0 || p.Height == 0 {
		return Picture{}
	}
	p.rate = r.h265Rate(subLayers)
	return p
}

// h265ProfileTierLevel passes over profile_tier_level(1, subLayers) (Section 7.3.3).
func (r *bitReader) h265ProfileTierLevel(subLayers int) {
	const profile, level = 88, 8
	r.skip(profile + level)
	if subLayers == 0 {
		return
	}
	present := r.bits(2 * subLayers)
	r.skip(2 * (8 - subLayers)) // reserved_zero_2bits
	for i := range subLayers {
		flags := present >> (2 * (subLayers - 1 - i))
		if flags&2 != 0 {
			r.skip(profile)
		}
		if flags&1 != 0 {
			r.skip(level)
		}
	}
}

// h265Rate reads on from the size: zero if there is no timing.
func (r *bitReader) h265Rate(subLayers int) float64 {
	r.ue() // bit_depth_luma_minus8
	r.ue() // bit_depth_chroma_minus8
	lsb := int(min(r.ue(), 12)) + 4
	ordering := 1
	if r.flag() { // sps_sub_layer_ordering_info_present_flag
		ordering = subLayers + 1
	}
	for range ordering {
		r.ue() // sps_max_dec_pic_buffering_minus1
		r.ue() // sps_max_num_reorder_pics
		r.ue() // sps_max_latency_increase_plus1
	}
	for range 6 {
		r.ue() // sizes of coding and transform blocks, and the depths of their trees
	}
	if r.flag() && r.flag() { // scaling_list_enabled_flag, sps_scaling_list_data_present_flag
		r.h265ScalingLists()
	}
	r.skip(2)     // amp_enabled_flag, sample_adaptive_offset_enabled_flag
	if r.flag() { // pcm_enabled_flag
		r.skip(4 + 4)
		r.ue()
		r.ue()
		r.bit()
	}
	if !r.h265RefPicSets() {
		return 0
	}
	if r.flag() { // long_term_ref_pics_present_flag
		for range min(r.ue(), 32) {
			r.skip(lsb + 1)
		}
	}
	r.skip(2)      // sps_temporal_mvp_enabled_flag, strong_intra_smoothing_enabled_flag
	if !r.flag() { // vui_parameters_present_flag
		return 0
	}
	r.vuiColour()
	r.skip(3)     // neutral_chroma_indication_flag, field_seq_flag, frame_field_info_present_flag
	if r.flag() { // default_display_window_flag
		for range 4 {
			r.ue()
		}
	}
	if !r.flag() { // vui_timing_info_present_flag
		return 0
	}
	unit, scale := r.bits(32), r.bits(32)
	if r.failed || unit == 0 {
		return 0
	}
	return float64(scale) / float64(unit)
}

// h265ScalingLists passes over scaling_list_data() (Section 7.3.4).
func (r *bitReader) h265ScalingLists() {
	for size := range 4 {
		step := 1
		if size == 3 {
			step = 3
		}
		for matrix := 0; matrix < 6; matrix += step {
			if !r.flag() { // scaling_list_pred_mode_flag
				r.ue() // scaling_list_pred_matrix_id_delta
				continue
			}
			if size > 1 {
				r.se() // scaling_list_dc_coef_minus8
			}
			for range min(64, 1<<(4+2*size)) {
				r.se() // scaling_list_delta_coef
			}
		}
	}
}

// h265RefPicSets passes over the short-term reference picture sets (Section 7.3.7),
// which are told as what they have more or less than the one before.
func (r *bitReader) h265RefPicSets() bool {
	const maxPics = 16 // sps_max_dec_pic_buffering_minus1
	count := r.ue()
	if count > 64 {
		return false
	}
	pics := 0 // of the set before: NumDeltaPocs
	for i := range count {
		if i > 0 && r.flag() { // inter_ref_pic_set_prediction_flag
			r.bit() // delta_rps_sign
			r.ue()  // abs_delta_rps_minus1
			kept := 0
			for range pics + 1 {
				if r.flag() || r.flag() { // used_by_curr_pic_flag; else use_delta_flag
					kept++
				}
			}
			pics = kept
		} else {
			negative, positive := r.ue(), r.ue()
			if negative > maxPics || positive > maxPics {
				return false
			}
			pics = int(negative + positive)
			for range pics {
				r.ue()  // delta_poc_minus1
				r.bit() // used_by_curr_pic_flag
			}
		}
		if r.failed || pics > 2*maxPics {
			return false
		}
	}
	return true
}
