package interop

import (
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// Chromium's microphone beeps, and is silent in between: of G.711 it then sends comfort noise
// (RFC 3389) now and then, and nothing else. We read it as such, with pauses that nothing is made up
// for, and it comes back with the sound.
func TestComfortNoise(t *testing.T) {
	c := newMediaCall(t, openMediaPage(t, "Chromium"), peerconnection.Config{})
	c.do(nil, `pc.addTransceiver(stream.getAudioTracks()[0]).setCodecPreferences(codecsOf("audio", "audio/PCMU").concat(codecsOf("audio", "audio/CN")))`)
	c.answerWith(c.echo)
	track := c.pc.Transceivers()[0].Receiver().Track()
	c.connected()

	var sound, noise, concealed int
	var first, last, paused time.Duration
	for begun := false; noise < 20 || sound < 100 || paused < time.Second; {
		f, err := track.ReadFrame(c.ctx)
		if err != nil {
			t.Fatalf("%v, after %d frames of sound and %d of noise, with pauses of %v", err, sound, noise, paused)
		}
		if begun && f.PTS > last {
			paused += f.PTS - last
		}
		if last = f.PTS + f.Duration; !begun {
			begun, first = true, f.PTS
		}
		switch {
		case f.Concealed:
			concealed++
		case f.Codec.MimeType == "audio/PCMU":
			// The jitter buffer stretches and shortens what it holds.
			if sound++; f.Duration != time.Duration(len(f.Data))*time.Second/8000 {
				t.Fatalf("a frame of sound has %d bytes, and lasts for %v", len(f.Data), f.Duration)
			}
		case f.Codec.MimeType == "audio/CN":
			if n, ok := payload.ParseComfortNoise(f.Data); !ok || n.Level > 127 || len(n.Coefficients) == 0 {
				t.Fatalf("%x is no noise of Chromium's: %v", f.Data, n)
			}
			noise++
		default:
			t.Fatalf("a frame of %s", f.Codec.MimeType)
		}
	}
	c.until("the browser has it back", func() bool { s := c.received(); return len(s) > 0 && s[0].PacketsReceived > sound/2 })
	s, in := c.received()[0], c.pc.Stats().InboundRTP[0]
	t.Logf("in %v: %d frames of sound, %d of noise, %d concealed, pauses of %v; the browser: %s, %d packets, %.2f s of sound, %.0f samples concealed; %d packets lost",
		last-first, sound, noise, concealed, paused, s.Codec, s.PacketsReceived, s.TotalSamplesDuration, s.ConcealedSamples, in.PacketsLost)
	if s.PacketsLost != 0 || in.PacketsLost != 0 {
		t.Errorf("%d packets are lost there, %d here", s.PacketsLost, in.PacketsLost)
	}
}
