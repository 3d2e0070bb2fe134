package jitter

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// A Frame is what one packet of audio holds, or the packets of one timestamp of
// video, as package payload describes it for each format; or it takes the place of
// audio that is not there. What it points to is valid until the next call of
// NextFrame.
type Frame struct {
	Data      []byte // as the format has it; empty when a decoder is to conceal
	Codec     Codec
	Timestamp uint32
	KeyFrame  bool // decoding can start here; all audio is

	// Concealed says that nothing has come for this time. Data is made up, for
	// G.711 and L16.
	Concealed bool

	// Missing is how many packets before this frame, and behind the one before it,
	// were given up.
	Missing int

	// Duration is how long the audio lasts. It is zero for video, whose frames last
	// until the next.
	Duration time.Duration

	Due        time.Time // when it was to be played
	ReceivedAt time.Time // when its last packet came; zero when nothing did

	// CaptureTime is when it was captured, by the sender's wall clock; zero before
	// the first sender report.
	CaptureTime time.Time

	// Packet is the last packet, for its header extensions. It is zero for what is
	// Concealed, and for audio that only a RED packet after it had.
	Packet rtp.Packet
}

// A reportClock is the sender's wall clock, as its latest report has it.
type reportClock struct {
	known     bool
	ntp       time.Time
	timestamp uint32
}

// SenderReport takes an RTCP sender report's two times of one instant. RFC 3550,
// Section 6.4.1.
func (b *Buffer) SenderReport(now time.Time, ntp rtp.NTPTime, timestamp uint32) {
	if ntp == 0 {
		return // "A sender that … has no notion of wallclock … MAY set the NTP timestamp to zero."
	}
	b.reports = reportClock{true, ntp.Time(), timestamp}
}

// at is when the media of a timestamp was captured; zero when that is not known.
func (c *reportClock) at(timestamp, rate uint32) time.Time {
	if !c.known || rate == 0 {
		return time.Time{}
	}
	return c.ntp.Add(ticks(int64(int32(timestamp-c.timestamp)), rate))
}
