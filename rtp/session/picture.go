package session

import (
	"github.com/plainrtc/plainrtc/rtp/mediafile"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A pictureSize is that of the pictures of a stream, as its latest key frame tells; zero: none did.
type pictureSize struct{ width, height int }

// see takes the size that a key frame tells, or its first packet, if it does.
func (s *pictureSize) see(p mediafile.Picture) {
	if p.Width > 0 && p.Height > 0 {
		*s = pictureSize{p.Width, p.Height}
	}
}

// seePacket takes the size from the first packet of a key frame, where headers and parameter sets are.
func (s *pictureSize) seePacket(c *Codec, body, scratch []byte) []byte {
	frame := scratch[:0]
	switch c.Format {
	case payload.VP8:
		var d payload.VP8Descriptor
		if piece, ok := d.Parse(body); ok {
			s.see(mediafile.Inspect(c.Name, piece))
		}
		return scratch
	case payload.VP9:
		var d payload.VP9Descriptor
		piece, ok := d.Parse(body)
		switch n := d.Structure.SpatialLayers; {
		case !ok:
		case d.HasStructure && d.Structure.HasSizes: // the first packet is of the smallest layer
			s.see(mediafile.Picture{Width: int(d.Structure.Width[n-1]), Height: int(d.Structure.Height[n-1])})
		default:
			s.see(mediafile.Inspect(c.Name, piece))
		}
		return scratch
	// What is incomplete is not told of as an error: the packet is but the beginning.
	case payload.H264:
		var d payload.H264Depacketizer
		frame, _ = d.Append(frame, body)
	case payload.H265:
		var d payload.H265Depacketizer
		frame, _ = d.Append(frame, body)
	case payload.AV1:
		var d payload.AV1Depacketizer
		frame, _ = d.Append(frame, body)
	default:
		return scratch
	}
	s.see(mediafile.Inspect(c.Name, frame))
	return frame
}
