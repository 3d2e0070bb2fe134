package mediafile

import "time"

// A Picture is what a frame of video tells of itself.
type Picture struct {
	// KeyFrame is whether decoding can start here.
	KeyFrame bool
	// Width and Height are the picture's, if the frame tells: key frames do.
	Width, Height int
	// rate is how many pictures a second the sequence has, if it tells.
	rate float64
}

// Inspect looks into a frame of video in the shape that package payload has it. Of
// other codecs, and of what is malformed, it returns the zero Picture.
func Inspect(codec string, frame []byte) Picture {
	if len(frame) == 0 {
		return Picture{}
	}
	switch canonical(codec) {
	case "VP8":
		return inspectVP8(frame)
	case "VP9":
		return inspectVP9(frame)
	case "AV1":
		return inspectAV1(frame)
	case "H264":
		return inspectNALs(frame, h264)
	case "H265":
		return inspectNALs(frame, h265)
	}
	return Picture{}
}

// interval is how long a picture is shown at the sequence's rate, if that makes
// sense.
func (p Picture) interval() (time.Duration, bool) {
	if p.rate < 0.01 || p.rate > 1000 {
		return 0, false
	}
	return time.Duration(float64(time.Second)/p.rate + 0.5), true
}

// inspectVP8 reads the uncompressed data chunk (RFC 6386, Section 9.1): the lowest
// bit is clear in key frames, which have a start code behind three bytes, and then
// 14 bits each of width and height, the low byte first, with two bits of scale.
func inspectVP8(b []byte) (p Picture) {
	if b[0]&1 != 0 || len(b) < 10 || b[3] != 0x9d || b[4] != 0x01 || b[5] != 0x2a {
		return Picture{}
	}
	return Picture{
		KeyFrame: true,
		Width:    int(b[6]) | int(b[7]&0x3f)<<8,
		Height:   int(b[8]) | int(b[9]&0x3f)<<8,
	}
}

// inspectVP9 reads the uncompressed header (VP9 Bitstream Specification, Section
// 6.2) as far as frame_size().
func inspectVP9(b []byte) Picture {
	r := bitReader{b: b}
	if r.bits(2) != 2 { // frame_marker
		return Picture{}
	}
	profile := r.bit() | r.bit()<<1
	if profile == 3 {
		r.bit() // reserved_zero
	}
	showExisting := r.flag()
	if nonKey := r.flag(); showExisting || nonKey {
		return Picture{}
	}
	r.skip(2) // show_frame, error_resilient_mode
	if r.bits(24) != 0x498342 {
		return Picture{}
	}
	// color_config()
	if profile >= 2 {
		r.bit() // ten_or_twelve_bit
	}
	const csRGB = 7
	rgb := r.bits(3) == csRGB
	if !rgb {
		r.bit() // color_range
	}
	if profile&1 == 1 {
		if !rgb {
			r.skip(2) // subsampling_x, subsampling_y
		}
		r.bit() // reserved_zero
	}
	p := Picture{KeyFrame: true, Width: int(r.bits(16)) + 1, Height: int(r.bits(16)) + 1}
	if r.failed {
		return Picture{}
	}
	return p
}
