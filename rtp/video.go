package rtp

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A VideoOrientation tells how to turn a frame before it is shown.
//
//	 0                   1
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ID   | len=0 |0 0 0 0 C F R R|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// 3GPP TS 26.114, Section 7.4.5.
type VideoOrientation struct {
	BackCamera bool   // C: the camera faces away from its user
	Flip       bool   // F: mirrored horizontally
	Rotation   uint16 // in degrees, clockwise, to show the frame upright: 0, 90, 180 or 270
}

// ParseVideoOrientation reads the value of the extension [ExtVideoOrientation].
func ParseVideoOrientation(value []byte) (o VideoOrientation, ok bool) {
	if len(value) != 1 {
		return o, false
	}
	v := value[0]
	return VideoOrientation{BackCamera: v&8 != 0, Flip: v&4 != 0, Rotation: uint16(v&3) * 90}, true
}

// Append appends the value to b.
func (o VideoOrientation) Append(b []byte) []byte {
	if o.Rotation%90 != 0 || o.Rotation > 270 {
		panic(fmt.Sprintf("BUG: a frame cannot be turned by %d degrees", o.Rotation))
	}
	v := byte(o.Rotation / 90)
	if o.Flip {
		v |= 4
	}
	if o.BackCamera {
		v |= 8
	}
	return append(b, v)
}

// A PlayoutDelay bounds how long a receiver should delay a frame.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ID   | len=2 |       MIN delay       |       MAX delay       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Both are multiples of 10 ms, up to 40.95 s.
type PlayoutDelay struct{ Min, Max time.Duration }

const playoutDelayUnit = 10 * time.Millisecond

// ParsePlayoutDelay reads the value of the extension [ExtPlayoutDelay]. A minimum
// above the maximum is refused.
func ParsePlayoutDelay(value []byte) (d PlayoutDelay, ok bool) {
	v, ok := ParseAbsSendTime(value) // another 24-bit number
	lowest, highest := time.Duration(v>>12), time.Duration(v&0xfff)
	if !ok || lowest > highest {
		return PlayoutDelay{}, false
	}
	return PlayoutDelay{lowest * playoutDelayUnit, highest * playoutDelayUnit}, true
}

// Append appends the value to b.
func (d PlayoutDelay) Append(b []byte) []byte {
	units := func(d time.Duration) uint32 { return uint32(min(max(d/playoutDelayUnit, 0), 0xfff)) }
	return wire.AppendUint24(b, units(d.Min)<<12|units(d.Max))
}

// A VideoContentType tells what a video shows, so that a receiver can treat it
// accordingly: one byte, of which the lowest bit is settled.
type VideoContentType uint8

// The kinds of content.
const (
	ContentUnspecified VideoContentType = 0
	ContentScreenshare VideoContentType = 1
)

// ParseVideoContentType reads the value of the extension [ExtVideoContentType].
func ParseVideoContentType(value []byte) (t VideoContentType, ok bool) {
	if len(value) != 1 {
		return 0, false
	}
	return VideoContentType(value[0]), true
}

// Append appends the value to b.
func (t VideoContentType) Append(b []byte) []byte { return append(b, byte(t)) }

// A VideoTiming tells how long a frame took from capture through each stage of
// its way: a byte of flags and six 16-bit numbers of milliseconds since capture.
type VideoTiming struct {
	ByTimer bool // this frame is told of because it is time again
	BySize  bool // or because it is larger than usual

	EncodeStart, EncodeFinish time.Duration
	PacketizationComplete     time.Duration
	PacerExit                 time.Duration    // the last packet left the pacer
	Network                   [2]time.Duration // for what is on the path to fill in
}

// ParseVideoTiming reads the value of the extension [ExtVideoTiming].
func ParseVideoTiming(value []byte) (t VideoTiming, ok bool) {
	r := wire.NewReader(value)
	flags := r.Uint8()
	t.ByTimer, t.BySize = flags&1 != 0, flags&2 != 0
	for _, d := range []*time.Duration{&t.EncodeStart, &t.EncodeFinish, &t.PacketizationComplete, &t.PacerExit, &t.Network[0], &t.Network[1]} {
		*d = time.Duration(r.Uint16()) * time.Millisecond
	}
	if !r.Done() {
		return VideoTiming{}, false
	}
	return t, true
}

// Append appends the value to b. Times beyond 65.535 s are written as that.
func (t VideoTiming) Append(b []byte) []byte {
	var flags byte
	if t.ByTimer {
		flags |= 1
	}
	if t.BySize {
		flags |= 2
	}
	b = append(b, flags)
	for _, d := range [...]time.Duration{t.EncodeStart, t.EncodeFinish, t.PacketizationComplete, t.PacerExit, t.Network[0], t.Network[1]} {
		b = binary.BigEndian.AppendUint16(b, uint16(min(max(d.Milliseconds(), 0), 0xffff)))
	}
	return b
}
