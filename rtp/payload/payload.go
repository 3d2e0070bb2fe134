package payload

import "strings"

// A Reason says why a payload or a frame was not acceptable. It is an error, and
// the reason given to the trace.
type Reason string

func (r Reason) Error() string { return "payload: " + string(r) }

// Why frames and payloads are refused.
const (
	ErrEmpty       Reason = "frame or payload is empty"
	ErrLimit       Reason = "payloads must be at least 64 bytes"
	ErrTooLarge    Reason = "frame does not fit a payload, and the format does not let it be cut"
	ErrDescriptor  Reason = "payload descriptor is cut off"
	ErrMalformed   Reason = "payload is malformed"
	ErrUnsupported Reason = "payload is of a structure that is not negotiated"
	ErrFragment    Reason = "payload continues a fragment that did not start, or leaves one unfinished"
	ErrFrame       Reason = "frame is not what the format cuts: no NAL units in Annex B, or no OBUs with sizes"
)

// minLimit is the smallest limit a Packetizer takes: every format has room for its
// headers and makes progress.
const minLimit = 64

// A Packetizer cuts frames into payloads. One is for one stream.
type Packetizer interface {
	// Start begins a frame, which is borrowed until its last payload. No payload
	// will be longer than limit.
	Start(frame []byte, limit int) error

	// Append appends the frame's next payload to b. After the last one it must not
	// be called before the next Start.
	Append(b []byte) (_ []byte, last bool)
}

// A Depacketizer puts payloads together to frames. One is for one stream.
type Depacketizer interface {
	// Append appends to frame what payload contributes to it. The frame's payloads
	// come in their order, and none is missing. After an error the frame is lost,
	// and Finish makes ready for the next one.
	Append(frame, payload []byte) ([]byte, error)

	// Finish ends a frame. It fails when the frame is not whole.
	Finish() error
}

// An Info is what one payload tells of itself.
type Info struct {
	Start bool // it may be the first of a frame; that it is, its timestamp tells
	End   bool // it is the last of a frame, whatever the marker bit says
	Key   bool // decoding can start here
}

// A Format is a payload format.
type Format uint8

// The formats.
const (
	Opus Format = 1 + iota
	G711        // PCMU and PCMA
	G722
	L16
	CN // comfort noise, between what one of the others encodes
	VP8
	VP9
	H264
	H265
	AV1
)

var formatNames = [...]string{Opus: "opus", G711: "PCMU", G722: "G722", L16: "L16", CN: "CN", VP8: "VP8", VP9: "VP9", H264: "H264", H265: "H265", AV1: "AV1"}

// FormatByName finds the format of an encoding name of SDP's "a=rtpmap", in any
// case (RFC 8866, Section 6.6).
func FormatByName(encoding string) (Format, bool) {
	if strings.EqualFold(encoding, "PCMA") {
		return G711, true
	}
	for f := Opus; f <= AV1; f++ {
		if strings.EqualFold(encoding, formatNames[f]) {
			return f, true
		}
	}
	return 0, false
}

func (f Format) String() string {
	switch {
	case f == G711:
		return "G711"
	case f >= Opus && f <= AV1:
		return formatNames[f]
	}
	return "unknown format"
}

// NewPacketizer returns a packetizer of the format with its usual settings: H.264
// in packetization mode 1, VP8 and VP9 with a picture id and one layer.
func (f Format) NewPacketizer() Packetizer {
	switch f {
	case Opus, G711, G722, L16, CN:
		return new(AudioPacketizer)
	case VP8:
		return &VP8Packetizer{Descriptor: VP8Descriptor{HasPictureID: true}}
	case VP9:
		return &VP9Packetizer{Descriptor: VP9Descriptor{HasPictureID: true}}
	case H264:
		return new(H264Packetizer)
	case H265:
		return new(H265Packetizer)
	case AV1:
		return new(AV1Packetizer)
	}
	panic("BUG: no such payload format")
}

// NewDepacketizer returns a depacketizer of the format.
func (f Format) NewDepacketizer() Depacketizer {
	switch f {
	case Opus, G711, G722, L16, CN:
		return AudioDepacketizer{}
	case VP8:
		return VP8Depacketizer{}
	case VP9:
		return VP9Depacketizer{}
	case H264:
		return new(H264Depacketizer)
	case H265:
		return new(H265Depacketizer)
	case AV1:
		return new(AV1Depacketizer)
	}
	panic("BUG: no such payload format")
}

// Inspect looks at one payload.
func (f Format) Inspect(payload []byte) (Info, error) {
	if len(payload) == 0 {
		return Info{}, ErrEmpty
	}
	switch f {
	case Opus, G711, G722, L16, CN:
		return Info{Start: true, End: true, Key: true}, nil
	case VP8:
		return inspectVP8(payload)
	case VP9:
		return inspectVP9(payload)
	case H264:
		return inspectH264(payload)
	case H265:
		return inspectH265(payload)
	case AV1:
		return inspectAV1(payload)
	}
	panic("BUG: no such payload format")
}

// A cutter says how what is left of a frame is cut: into as few pieces as room allows, all of
// the same size but the last, which is a little shorter; so that no packet is much smaller
// than the others, and all leave, here and at whoever forwards them, in one system call.
type cutter struct{ size, room int }

// next tells how much of what is left the next piece has.
func (c *cutter) next(left, room int) int {
	if c.room != room {
		count := (left + room - 1) / room
		*c = cutter{(left + count - 1) / count, room}
	}
	return min(c.size, left)
}
