package payload

import (
	"encoding/binary"
	"strings"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// An Event is a key pressed on a telephone, while it is held: the payload of
// "telephone-event".
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     event     |E|R| volume    |          duration             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 4733, Section 2.3. The packet's timestamp is when the key went down, in all
// packets of the event; the first of them has the marker bit.
type Event struct {
	Code     uint8  // 0 to 15 are the tones of DTMF
	End      bool   // E: the key went up; sent three times
	Volume   uint8  // in -dBm0, 0 to 63
	Duration uint16 // so far, in ticks of the RTP clock
}

const tones = "0123456789*#ABCD"

// Tone returns the key of a DTMF tone, or 0.
func (e Event) Tone() byte {
	if int(e.Code) >= len(tones) {
		return 0
	}
	return tones[e.Code]
}

// ToneCode returns the event code of a key, 0 to 9, *, #, and A to D in either case.
func ToneCode(key byte) (code uint8, ok bool) {
	if key >= 'a' && key <= 'd' {
		key -= 'a' - 'A'
	}
	i := strings.IndexByte(tones, key)
	return uint8(i), i >= 0
}

// ParseEvent reads a payload, or the first event of several.
func ParseEvent(payload []byte) (e Event, ok bool) {
	r := wire.NewReader(payload)
	e.Code = r.Uint8()
	v := r.Uint8()
	e.End, e.Volume, e.Duration = v&0x80 != 0, v&0x3f, r.Uint16()
	if !r.OK() {
		return Event{}, false
	}
	return e, true
}

// Append appends the payload.
func (e Event) Append(b []byte) []byte {
	v := min(e.Volume, 63)
	if e.End {
		v |= 0x80
	}
	return binary.BigEndian.AppendUint16(append(b, e.Code, v), e.Duration)
}
