package rtp

import (
	"encoding/binary"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A ColorSpace tells how the numbers of a frame's pixels are meant.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      ID       |   length=28   |   primaries   |   transfer    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    matrix     |range+chr.sit. |         luminance_max         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         luminance_min         | primary_r.x and .y            :
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	: primary_g.x and .y, primary_b.x and .y, white.x and .y        :
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    max_content_light_level    | max_frame_average_light_level |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// What follows the fourth byte is there when HasHDR says so.
type ColorSpace struct {
	Primaries, Transfer, Matrix uint8 // ITU-T H.273, Tables 2, 3 and 4

	// As in a WebM file, each of 2 bits.
	Range                        uint8 // 1 limited, 2 full, 3 as matrix and transfer say
	ChromaSitingH, ChromaSitingV uint8 // 1 collocated, 2 half

	HasHDR bool
	HDR    HDRMetadata
}

// HDRMetadata is what a display of high dynamic range needs to know. SMPTE ST 2086.
type HDRMetadata struct {
	LuminanceMax              uint16 // cd/m²
	LuminanceMin              uint16 // 1/10,000 cd/m²
	Red, Green, Blue, White   Chromaticity
	MaxContentLightLevel      uint16 // cd/m²
	MaxFrameAverageLightLevel uint16 // cd/m²
}

// A Chromaticity is a place in the CIE 1931 diagram, in units of 1/50,000.
type Chromaticity struct{ X, Y uint16 }

// ParseColorSpace reads the value of the extension [ExtColorSpace].
func ParseColorSpace(value []byte) (c ColorSpace, ok bool) {
	r := wire.NewReader(value)
	c.Primaries, c.Transfer, c.Matrix = r.Uint8(), r.Uint8(), r.Uint8()
	v := r.Uint8()
	c.Range, c.ChromaSitingH, c.ChromaSitingV = v>>4&3, v>>2&3, v&3
	if r.Len() > 0 {
		c.HasHDR = true
		c.HDR.LuminanceMax, c.HDR.LuminanceMin = r.Uint16(), r.Uint16()
		for _, p := range []*Chromaticity{&c.HDR.Red, &c.HDR.Green, &c.HDR.Blue, &c.HDR.White} {
			p.X, p.Y = r.Uint16(), r.Uint16()
		}
		c.HDR.MaxContentLightLevel, c.HDR.MaxFrameAverageLightLevel = r.Uint16(), r.Uint16()
	}
	if !r.Done() {
		return ColorSpace{}, false
	}
	return c, true
}

// Append appends the value to b.
func (c ColorSpace) Append(b []byte) []byte {
	b = append(b, c.Primaries, c.Transfer, c.Matrix, c.Range&3<<4|c.ChromaSitingH&3<<2|c.ChromaSitingV&3)
	if !c.HasHDR {
		return b
	}
	h := c.HDR
	for _, v := range [...]uint16{
		h.LuminanceMax, h.LuminanceMin,
		h.Red.X, h.Red.Y, h.Green.X, h.Green.Y, h.Blue.X, h.Blue.Y, h.White.X, h.White.Y,
		h.MaxContentLightLevel, h.MaxFrameAverageLightLevel,
	} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}
