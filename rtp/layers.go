package rtp

import (
	"encoding/binary"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A VideoLayersAllocation tells a middlebox what each layer of a video takes,
// over all streams of a simulcast and all layers of scalable coding.
//
//	+-+-+-+-+-+-+-+-+
//	|RID| NS| sl_bm |
//	+-+-+-+-+-+-+-+-+
//	|sl0_bm |sl1_bm |  Spatial layer bitmask, up to 2 bytes,
//	|---------------|  when sl_bm == 0
//	|sl2_bm |sl3_bm |
//	+-+-+-+-+-+-+-+-+
//	|#tl|#tl|#tl|#tl|  Number of temporal layers per spatial layer
//	+-+-+-+-+-+-+-+-+
//	:      ...      :  Target bitrate in kbps per temporal layer, leb128
//	+-+-+-+-+-+-+-+-+
//	:      ...      :  Resolution and frame rate per spatial layer (optional)
//	+-+-+-+-+-+-+-+-+
//
// It is a big value: keep one, and parse into it.
type VideoLayersAllocation struct {
	Stream      uint8 // RID: which of the streams this packet belongs to
	StreamCount uint8 // 1 to 4; 0 when nothing is sent
	Layers      [16]SpatialLayer
	LayerCount  uint8 // how many of Layers there are, by stream and spatial id

	HasResolution bool // each layer has Width, Height and FrameRate
}

// A SpatialLayer is a layer that is being sent.
type SpatialLayer struct {
	Stream, Spatial uint8 // 0 to 3

	// Kbps is the total bit rate needed to decode up to each temporal layer.
	Kbps          [4]uint32
	TemporalCount uint8 // 1 to 4

	Width, Height uint32 // 1 to 65,536
	FrameRate     uint8  // the highest, per second
}

// Parse reads the value of the extension [ExtVideoLayersAllocation].
func (v *VideoLayersAllocation) Parse(value []byte) bool {
	*v = VideoLayersAllocation{}
	if len(value) == 1 && value[0] == 0 {
		return true // "An empty layer allocation … is encoded as special case with a single 0 byte."
	}
	r := wire.NewReader(value)
	first := r.Uint8()
	v.Stream, v.StreamCount = first>>6, first>>4&3+1
	if v.Stream >= v.StreamCount {
		r.Fail()
	}
	var masks [4]uint8
	for i := range masks {
		masks[i] = first & 0x0f
	}
	if first&0x0f == 0 {
		for i := uint8(0); i < v.StreamCount; i += 2 {
			pair := r.Uint8()
			masks[i], masks[i+1] = pair>>4, pair&0x0f
		}
	}
	for stream := range v.StreamCount {
		for spatial := range uint8(4) {
			if masks[stream]>>spatial&1 != 0 {
				v.Layers[v.LayerCount] = SpatialLayer{Stream: stream, Spatial: spatial}
				v.LayerCount++
			}
		}
	}
	if v.LayerCount == 0 {
		r.Fail()
	}
	layers := v.Layers[:v.LayerCount]
	var counts uint8
	for i := range layers {
		if i%4 == 0 {
			counts = r.Uint8()
		}
		layers[i].TemporalCount = counts>>6 + 1
		counts <<= 2
	}
	for i := range layers {
		for t := range layers[i].TemporalCount {
			layers[i].Kbps[t] = readLEB128(&r)
		}
	}
	if r.Len() > 0 {
		v.HasResolution = true
		for i := range layers {
			layers[i].Width, layers[i].Height = uint32(r.Uint16())+1, uint32(r.Uint16())+1
			layers[i].FrameRate = r.Uint8()
		}
	}
	if !r.Done() {
		*v = VideoLayersAllocation{}
		return false
	}
	return true
}

// readLEB128 reads a number of seven bits a byte, the lowest first.
func readLEB128(r *wire.Reader) (v uint32) {
	for shift := 0; shift < 32; shift += 7 {
		b := r.Uint8()
		if shift == 28 && b > 0x0f {
			break
		}
		v |= uint32(b&0x7f) << shift
		if b&0x80 == 0 {
			return v
		}
	}
	r.Fail()
	return 0
}

// Append appends the value to b. Layers must be in the order of their stream and
// spatial id.
func (v *VideoLayersAllocation) Append(b []byte) []byte {
	if v.LayerCount == 0 {
		return append(b, 0)
	}
	if v.StreamCount < 1 || v.StreamCount > 4 || v.Stream >= v.StreamCount || v.LayerCount > 16 {
		panic("BUG: at most four streams with at most four layers each are allocated")
	}
	layers := v.Layers[:v.LayerCount]
	var masks [4]uint8
	place := -1
	for _, l := range layers {
		if at := int(l.Stream)*4 + int(l.Spatial); at <= place || l.Spatial > 3 || l.Stream >= v.StreamCount || l.TemporalCount < 1 || l.TemporalCount > 4 {
			panic("BUG: the layers of an allocation are in order, and have one to four temporal layers each")
		} else {
			place = at
		}
		masks[l.Stream] |= 1 << l.Spatial
	}
	same := masks[0]
	for _, mask := range masks[:v.StreamCount] {
		if mask != same {
			same = 0
		}
	}
	b = append(b, v.Stream<<6|(v.StreamCount-1)<<4|same)
	if same == 0 {
		for i := uint8(0); i < v.StreamCount; i += 2 {
			b = append(b, masks[i]<<4|masks[i+1])
		}
	}
	for i, l := range layers {
		if i%4 == 0 {
			b = append(b, 0)
		}
		b[len(b)-1] |= (l.TemporalCount - 1) << (6 - i%4*2)
	}
	for _, l := range layers {
		for _, kbps := range l.Kbps[:l.TemporalCount] {
			for ; kbps >= 0x80; kbps >>= 7 {
				b = append(b, byte(kbps)|0x80)
			}
			b = append(b, byte(kbps))
		}
	}
	if v.HasResolution {
		for _, l := range layers {
			b = binary.BigEndian.AppendUint16(b, uint16(l.Width-1))
			b = binary.BigEndian.AppendUint16(b, uint16(l.Height-1))
			b = append(b, l.FrameRate)
		}
	}
	return b
}
