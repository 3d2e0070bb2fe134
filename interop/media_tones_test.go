package interop

import (
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// Keys of a telephone that are pressed in the browser are read here, and it hears those that
// are pressed here, on a track that says nothing else.
func TestTones(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newMediaCall(t, openMediaPage(t, name), peerconnection.Config{})
			keyboard := peerconnection.NewTrack(audio, "keyboard")
			// What is muted Chromium says has no energy.
			c.do(nil, `pc.ontrack = e => play(e.track, false); pc.addTransceiver(stream.getAudioTracks()[0])`)
			c.answerWith(func() {
				x := c.pc.Transceivers()[0]
				if err := x.Sender().ReplaceTrack(keyboard); err != nil {
					t.Fatal(err)
				}
				if err := x.SetDirection(peerconnection.DirectionSendRecv); err != nil {
					t.Fatal(err)
				}
			})
			c.connected()
			// Browsers play tones between frames: here, of silence.
			go perform(c.ctx, keyboard, []mediafile.Frame{{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond}})
			x := c.pc.Transceivers()[0]
			if !x.Sender().CanInsertDTMF() {
				t.Fatalf("no tones can be sent:\n%s", c.pc.RemoteDescription().SDP)
			}

			const keys = "159#D*"
			c.do(nil, `while (!pc.getSenders()[0].dtmf.canInsertDTMF) await new Promise(r => setTimeout(r, 20));
				pc.getSenders()[0].dtmf.insertDTMF(args[0], 100, 50)`, keys)
			heard := ""
			for len(heard) < len(keys) {
				tone, err := x.Receiver().Track().NextTone(c.ctx)
				if err != nil {
					t.Fatalf("%v, after %q", err, heard)
				}
				heard += string(tone.Key)
				if tone.Duration < 90*time.Millisecond || tone.Duration > 200*time.Millisecond {
					t.Errorf("the key %c was pressed for %v", tone.Key, tone.Duration)
				}
			}
			if heard != keys {
				t.Errorf("the browser pressed %s, and we hear %s", keys, heard)
			}

			quiet := c.received()[0].TotalAudioEnergy
			if err := x.Sender().InsertDTMF(keys, 100*time.Millisecond, 50*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			c.until("the keys were pressed", func() bool { return x.Sender().ToneBuffer() == "" })
			time.Sleep(300 * time.Millisecond)
			s := c.received()[0]
			t.Logf("the browser: %d packets, energy %g, before %g, in %.2f s of sound", s.PacketsReceived, s.TotalAudioEnergy, quiet, s.TotalSamplesDuration)
			if s.TotalAudioEnergy < quiet+0.001 {
				t.Errorf("the browser hears nothing: energy %g, and before %g, in %v s of sound", s.TotalAudioEnergy, quiet, s.TotalSamplesDuration)
			}
			if s.PacketsReceived < 6*5 || s.PacketsLost != 0 {
				t.Errorf("the browser has %d packets of six tones, and lost %d", s.PacketsReceived, s.PacketsLost)
			}
		})
	}
}
