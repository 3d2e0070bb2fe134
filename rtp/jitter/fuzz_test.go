package jitter

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// FuzzBuffer feeds a buffer whatever packets, reports and pauses there may be. It
// must not panic, hang or grow, and what it hands out is in order.
func FuzzBuffer(f *testing.F) {
	for i, name := range []string{"opus", "pcmu", "red", "vp8", "vp9svc", "h264", "av1svc"} {
		packets, _ := captured(f, name)
		var script []byte
		for _, p := range packets {
			b := p.Bytes()
			script = append(script, byte(i), 20)
			script = binary.BigEndian.AppendUint16(script, uint16(len(b)))
			script = append(script, b...)
		}
		f.Add(script, i >= 3)
	}
	formats := []Codec{
		opus, pcmu, {Format: payload.Opus, ClockRate: 48000, RED: true}, vp8, {Format: payload.VP9, ClockRate: 90000}, h264, {Format: payload.AV1, ClockRate: 90000},
		{Format: payload.H265, ClockRate: 90000}, {Format: payload.L16, ClockRate: 8000, Channels: 2}, {Format: payload.G711, ClockRate: 8000, ALaw: true, RED: true}, {}, {Format: payload.VP8}, {Format: payload.L16, ClockRate: 1},
		{Format: payload.G722, ClockRate: 8000}, {Format: payload.L16, ClockRate: 4e9, Channels: 9}, {Format: payload.VP8, ClockRate: 1 << 31},
	}
	f.Fuzz(func(t *testing.T, script []byte, video bool) {
		ids := new(rtp.ExtensionMap)
		ids.Set(rtp.ExtDependencyDescriptor, 13)
		ids.Set(rtp.ExtAudioLevel, 10)
		ids.Set(rtp.ExtPlayoutDelay, 5)
		b := New(Config{Video: video, Extensions: ids, MaxPackets: 256, MaxBytes: 1 << 16})
		other := New(Config{Video: !video})
		var s Sync
		now := epoch
		take := func() {
			for i := 0; ; i++ {
				frame, ok := b.NextFrame(now)
				if !ok {
					break
				}
				if i > 10000 {
					t.Fatalf("frames without end: %+v", frame)
				}
				if !frame.Concealed && len(frame.Data) == 0 || frame.Due.After(now) {
					t.Fatalf("a frame of %d bytes, due in %v", len(frame.Data), frame.Due.Sub(now))
				}
			}
			if at := b.NextTimeout(); !at.IsZero() && !at.After(now) {
				t.Fatalf("nothing is due, and the timeout is %v ago", now.Sub(at))
			}
			if held := b.Stats(); held.HeldPackets > 256 || held.HeldBytes > 1<<16 {
				t.Fatalf("holds %+v", held)
			}
		}
		for len(script) >= 4 {
			what, pause, n := script[0], script[1], int(binary.BigEndian.Uint16(script[2:]))
			script = script[4:]
			n = min(n, len(script))
			datagram := script[:n]
			script = script[n:]
			if pause&0x80 != 0 {
				now = now.Add(time.Duration(pause&0x7f) * time.Second)
			} else {
				now = now.Add(time.Duration(pause) * ms)
			}
			take()
			switch what >> 4 {
			case 1:
				b.SetRTT(time.Duration(n) * ms)
			case 2:
				b.SetDelay(time.Duration(n%4096)*ms, time.Duration(n%4096*2)*ms)
			case 3:
				b.SenderReport(now, rtp.NTPTime(n)<<48, uint32(n)<<16)
			case 4:
				s.Update(now, b, other)
			case 5:
				if at := b.NextTimeout(); !at.IsZero() {
					now = at
				}
			default:
				p, err := rtp.Parse(datagram)
				if err != nil {
					continue
				}
				codec := formats[what&15]
				if what>>4 == 6 {
					b.Recover(now, p, codec)
				} else {
					b.Receive(now, p, codec)
				}
			}
			take()
		}
		for range 100 {
			at := b.NextTimeout()
			if at.IsZero() {
				break
			}
			if at.Sub(now) > 30*time.Second {
				t.Fatalf("the next timeout is in %v: %+v", at.Sub(now), b.Stats())
			}
			now = at
			take()
		}
	})
}
