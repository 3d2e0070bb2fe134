package jitter

import (
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// Audio and video are captured together and take different ways: what is slower
// is waited for, and no more than that.
func TestLipSync(t *testing.T) {
	wall := time.Date(2030, 3, 3, 3, 3, 3, 0, time.UTC) // the sender's clock is years ahead
	for name, delay := range map[string][2]time.Duration{
		"video is slower": {20 * ms, 220 * ms},
		"audio is slower": {180 * ms, 30 * ms},
		"both are alike":  {40 * ms, 40 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			audio, video := newWorld(t, Config{}), newWorld(t, Config{Video: true})
			var s Sync
			for at := time.Duration(0); at < 20*time.Second; at += 10 * ms {
				audio.sleepUntil(at)
				video.sleepUntil(at)
				if sent := at - delay[0]; sent >= 0 && sent%(20*ms) == 0 {
					audio.send(voice(t, int(sent/(20*ms))), opus)
				}
				if sent := at - delay[1]; sent >= 0 && sent%(40*ms) == 0 {
					n := int(sent / (40 * ms))
					video.send(vp8Packet(t, n, uint32(n)*3600+777, true, true, n == 0, payload.VP8Descriptor{}), vp8)
				}
				if at%(5*time.Second) == time.Second {
					ntp := rtp.NewNTPTime(wall.Add(at))
					audio.b.SenderReport(audio.now, ntp, uint32(at/ms)*48)
					video.b.SenderReport(video.now, ntp, uint32(at/ms)*90+777)
				}
				s.Update(epoch.Add(at), audio.b, video.b)
			}
			lag := func(w *world) time.Duration {
				f := w.frames[len(w.frames)-1]
				for i := len(w.frames) - 1; f.Concealed; i-- {
					f = w.frames[i]
				}
				return f.Due.Sub(f.CaptureTime)
			}
			if d := lag(video) - lag(audio); d < -10*ms || d > 10*ms {
				t.Errorf("video is played %v after the audio captured with it", d)
			}
			if got, want := min(audio.b.Stats().Offset, video.b.Stats().Offset), 15*ms; got > want {
				t.Errorf("the slower one waits, too: %v", got)
			}
			if want := delay[1] - delay[0]; s.Skew < want-15*ms || s.Skew > want+15*ms {
				t.Errorf("skew %v, want %v", s.Skew, want)
			}
		})
	}
}

// Reports that make no sense change nothing.
func TestNonsenseReports(t *testing.T) {
	audio, video := newWorld(t, Config{}), newWorld(t, Config{Video: true})
	var s Sync
	for n := range 200 {
		audio.send(voice(t, n), opus).sleep(20 * ms)
		video.send(vp8Packet(t, n, uint32(n)*1800, true, true, n == 0, payload.VP8Descriptor{}), vp8).sleep(20 * ms)
		audio.b.SenderReport(audio.now, 1<<40, 5)
		video.b.SenderReport(video.now, 3<<60, 1<<31)
		s.Update(audio.now, audio.b, video.b)
	}
	if a, v := audio.b.Stats().Offset, video.b.Stats().Offset; a > 20*ms || v > 20*ms || s.Skew != 0 {
		t.Errorf("delays %v and %v, skew %v", a, v, s.Skew)
	}
}
