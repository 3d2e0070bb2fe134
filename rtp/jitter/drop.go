package jitter

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// Why packets and frames are dropped, in the trace.
const (
	dropDuplicate   = "packet is there already, or was"
	dropLate        = "packet is behind what was handed out"
	dropOverflow    = "buffer is full: oldest packets make room"
	dropStray       = "sequence number is far from all others"
	dropPayload     = "payload is malformed"
	dropClockRate   = "clock rate of the codec is not between 1 kHz and 1 MHz"
	dropLong        = "packet has more than a second of audio"
	dropKind        = "audio in a stream of video, or video in a stream of audio"
	dropRestarted   = "packet is from before the source started anew"
	dropHole        = "frame has a hole that was not filled in time"
	dropUndecodable = "frame depends on one that was given up"
	dropFrame       = "frame is malformed"
)

func (b *Buffer) dropPacket(now time.Time, reason string, size int) {
	b.stats.PacketsDiscarded++
	b.config.Trace.Drop(now, trace.RTP, reason, size)
}
