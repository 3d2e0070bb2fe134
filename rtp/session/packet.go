package session

import (
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A Packet is an RTP packet that nobody changes any more: it may be kept, shared,
// and passed on by any number of senders. (Its Set methods must not be used.)
// Padding has been taken off, and what a retransmission carried is as the original was.
type Packet struct {
	rtp.Packet

	Arrival time.Time
	// Sampled is the time of the RTP timestamp by our clock, as the peer's sender reports tell;
	// zero before the first. Audio and video of one peer that belong together have the same.
	Sampled time.Time
	Codec   *Codec // nil: that of whoever sends it
	Start   bool   // a frame may start here; true for formats that are not known
	Key     bool   // decoding can start here; true for audio and for formats that are not known

	source *Stream           // nil: it did not arrive in a session
	ids    *rtp.ExtensionMap // what its header extensions mean; nil: they mean nothing
}

// NewPacket returns a packet that did not arrive in a session, for WritePacket. It
// keeps b, which must not be changed any more. codec says what it is, and ids what its
// header extensions mean; either may be nil.
func NewPacket(b []byte, codec *Codec, ids *rtp.ExtensionMap) (Packet, error) {
	p, err := rtp.Parse(b)
	if err != nil {
		return Packet{}, err
	}
	if p.PaddingSize() > 0 {
		b = slices.Clone(b[:len(b)-p.PaddingSize()])
		b[0] &^= 0x20
		if p, err = rtp.Parse(b); err != nil {
			return Packet{}, err
		}
	}
	info := codec.inspect(p.Payload())
	return Packet{Packet: p, Codec: codec, ids: ids, Start: info.Start, Key: info.Key}, nil
}

// inspect finds out where a payload stands in its frame. Of a format that is not known every
// packet may be anywhere.
func (c *Codec) inspect(body []byte) payload.Info {
	if c == nil || c.Format == 0 {
		return payload.Info{Start: true, Key: true}
	}
	info, err := c.Format.Inspect(body)
	if err != nil {
		return payload.Info{}
	}
	return info
}

// slabSize is what slabs grow to: the largest size that the allocator has a class for, thirty packets
// of video, or some hundreds of audio.
const (
	slabSize  = 32 << 10
	firstSlab = 4 << 10 // of a source that may say but little
)

// A slab is memory that packets are cut from and that is written only once, so that
// they can be shared without locks or counting: the garbage collector knows when
// the last of them is forgotten.
type slab struct {
	free []byte
	size int // of the one that free is the rest of
}

// take returns n bytes.
func (s *slab) take(n int) []byte {
	if n > len(s.free) {
		if n > firstSlab {
			return make([]byte, n)
		}
		s.size = min(max(2*s.size, firstSlab), slabSize)
		s.free = make([]byte, s.size)
	}
	b := s.free[:n:n]
	s.free = s.free[n:]
	return b
}
