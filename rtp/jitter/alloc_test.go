package jitter

import (
	"testing"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A shuttle sends the same packets over and over, as if they went on.
type shuttle struct {
	w     *world
	codec Codec
	next  int
	ticks int // from frame to frame
	size  int // packets to a frame
	p     rtp.Packet
}

// frame sends a frame's packets, each second pair in the wrong order, loses one in
// lost, and takes what is due.
func (s *shuttle) frame(lost int) {
	for i := range s.size {
		n := s.next + i
		if s.size > 2 && i > 0 && i < s.size-1 {
			n = s.next + s.size - 1 - i // the middle backwards
		}
		s.p.SetSequenceNumber(uint16(n))
		s.p.SetTimestamp(uint32(s.next / s.size * s.ticks))
		s.p.SetMarker(n == s.next+s.size-1)
		if s.codec.Format == payload.VP8 {
			s.p.Payload()[0] = 0
			if n == s.next {
				s.p.Payload()[0] = 0x10 // the start of a frame
			}
			s.p.Payload()[1] = byte(min(s.next, 1)) // the first one is a key frame
		}
		if lost == 0 || n%lost != lost-1 {
			s.w.b.Receive(s.w.now, s.p, s.codec)
		}
	}
	s.next += s.size
	until := s.w.now.Add(ticks(int64(s.ticks), s.codec.ClockRate))
	for {
		_, ok := s.w.b.NextFrame(s.w.now)
		if ok {
			continue
		}
		at := s.w.b.NextTimeout()
		if at.IsZero() || at.After(until) {
			break
		}
		s.w.now = at
	}
	s.w.now = until
}

func newShuttle(t testing.TB, codec Codec, video bool, ticks, size, bytes int) *shuttle {
	s := &shuttle{w: newWorld(t, Config{Video: video}), codec: codec, ticks: ticks, size: size}
	s.w.b.config.Trace = nil
	s.p = packet(t, rtp.Header{PayloadType: 100, SSRC: 1}, make([]byte, bytes)...)
	if codec.Format == payload.Opus {
		s.p.Payload()[0] = 0xf8
	}
	return s
}

// In the steady state nothing is allocated, be packets lost or not.
func TestAllocations(t *testing.T) {
	for name, s := range map[string]struct {
		s    *shuttle
		lost int
	}{
		"Opus":           {newShuttle(t, opus, false, 960, 1, 100), 0},
		"Opus with loss": {newShuttle(t, opus, false, 960, 1, 100), 10},
		"PCMU":           {newShuttle(t, pcmu, false, 160, 1, 160), 0},
		"PCMU with loss": {newShuttle(t, pcmu, false, 160, 1, 160), 10},
		"VP8":            {newShuttle(t, vp8, true, 3000, 8, 1200), 0},
	} {
		for range 200 {
			s.s.frame(s.lost)
		}
		emitted := s.s.w.b.Stats().JitterBufferEmittedCount
		if n := testing.AllocsPerRun(500, func() { s.s.frame(s.lost) }); n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
		if got := s.s.w.b.Stats(); got.JitterBufferEmittedCount-emitted < 400 || s.lost > 0 && got.PacketsMissing < 40 {
			t.Errorf("%s: this measures something else: %+v", name, got)
		}
	}
}

func BenchmarkAudio(b *testing.B) {
	s := newShuttle(b, opus, false, 960, 1, 100)
	b.ReportAllocs()
	for b.Loop() {
		s.frame(0)
	}
}

func BenchmarkAudioPCMU(b *testing.B) {
	s := newShuttle(b, pcmu, false, 160, 1, 160)
	b.ReportAllocs()
	for b.Loop() {
		s.frame(0)
	}
}

func BenchmarkAudioPCMUWithLoss(b *testing.B) {
	s := newShuttle(b, pcmu, false, 160, 1, 160)
	b.ReportAllocs()
	for b.Loop() {
		s.frame(10)
	}
}

// BenchmarkVideo is of a frame in 8 packets.
func BenchmarkVideo(b *testing.B) {
	s := newShuttle(b, vp8, true, 3000, 8, 1200)
	b.ReportAllocs()
	b.SetBytes(8 * 1200)
	for b.Loop() {
		s.frame(0)
	}
}
