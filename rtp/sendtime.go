package rtp

import (
	"encoding/binary"
	"time"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// An AbsSendTime is when a packet left its sender, by the sender's clock: 24 bits,
// of which 6 are whole seconds and 18 the fraction. It wraps after 64 s.
type AbsSendTime uint32

// NewAbsSendTime converts t. The rounding never differs between equal times.
func NewAbsSendTime(t time.Time) AbsSendTime {
	return AbsSendTime(NewNTPTime(t)>>14) & 0xffffff
}

// ParseAbsSendTime reads the value of the extension [ExtAbsSendTime].
func ParseAbsSendTime(value []byte) (t AbsSendTime, ok bool) {
	if len(value) != 3 {
		return 0, false
	}
	return AbsSendTime(value[0])<<16 | AbsSendTime(value[1])<<8 | AbsSendTime(value[2]), true
}

// Append appends the value to b.
func (t AbsSendTime) Append(b []byte) []byte { return wire.AppendUint24(b, uint32(t)) }

// Put writes the value over one that is in a packet.
func (t AbsSendTime) Put(value []byte) { t.Append(value[:0:3]) }

// Sub returns how much later t is than u: between -32 and 32 s.
func (t AbsSendTime) Sub(u AbsSendTime) time.Duration {
	units := int64(int32((t-u)<<8)) >> 8
	return time.Duration(units * int64(time.Second) >> 18)
}

// An AbsCaptureTime is when a packet's first sample or frame was captured.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ID   | len=15|     absolute capture timestamp (bit 0-23)     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|             absolute capture timestamp (bit 24-55)            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ... (56-63)  |  estimated capture clock offset (bit 0-23)    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           estimated capture clock offset (bit 24-55)          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ... (56-63)  |
//	+-+-+-+-+-+-+-+-+
type AbsCaptureTime struct {
	Timestamp NTPTime // by the capturer's clock

	// Offset is what is added to the sender's clock to get the capturer's, in
	// units of 2^-32 s. It is there when HasOffset says so.
	Offset    int64
	HasOffset bool
}

// ParseAbsCaptureTime reads the value of the extension [ExtAbsCaptureTime].
func ParseAbsCaptureTime(value []byte) (t AbsCaptureTime, ok bool) {
	r := wire.NewReader(value)
	t.Timestamp = NTPTime(r.Uint64())
	if r.Len() > 0 {
		t.HasOffset = true
		t.Offset = int64(r.Uint64())
	}
	if !r.Done() {
		return AbsCaptureTime{}, false
	}
	return t, true
}

// Append appends the value to b.
func (t AbsCaptureTime) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Timestamp))
	if t.HasOffset {
		b = binary.BigEndian.AppendUint64(b, uint64(t.Offset))
	}
	return b
}

// A TransmissionOffset is how long after its sampling, which the RTP timestamp
// tells, a packet was sent: a signed number of 24 bits, in units of the RTP
// clock. RFC 5450, Section 3.
type TransmissionOffset int32

// ParseTransmissionOffset reads the value of the extension [ExtTransmissionOffset].
func ParseTransmissionOffset(value []byte) (o TransmissionOffset, ok bool) {
	t, ok := ParseAbsSendTime(value) // another 24-bit number
	return TransmissionOffset(int32(t<<8) >> 8), ok
}

// Append appends the value to b.
func (o TransmissionOffset) Append(b []byte) []byte { return wire.AppendUint24(b, uint32(o)) }

// Put writes the value over one that is in a packet.
func (o TransmissionOffset) Put(value []byte) { o.Append(value[:0:3]) }
