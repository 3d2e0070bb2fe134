package interop

import (
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
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
			var s pageStream
			c.until("the browser hears them", func() bool {
				s = c.received()[0]
				return s.TotalAudioEnergy >= quiet+0.001
			})
			t.Logf("the browser: %d packets, energy %g, before %g, in %.2f s of sound", s.PacketsReceived, s.TotalAudioEnergy, quiet, s.TotalSamplesDuration)
			if s.PacketsReceived < 6*5 || s.PacketsLost != 0 {
				t.Errorf("the browser has %d packets of six tones, and lost %d", s.PacketsReceived, s.PacketsLost)
			}
		})
	}
}

// Pion gets the packets of the tones as RFC 4733 has them: each tone begins with a marked
// packet, keeps its timestamp, grows, and has its end said three times.
func TestTonesToPion(t *testing.T) {
	var engine webrtc.MediaEngine
	for i, mimeType := range []string{webrtc.MimeTypePCMU, "audio/telephone-event"} {
		codec := webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mimeType, ClockRate: 8000},
			PayloadType:        webrtc.PayloadType(101 * i),
		}
		if err := engine.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			t.Fatal(err)
		}
	}
	ctx := testContext(t)
	us, them := newPlainPeer(t, peerconnection.Config{}), pionPeerOf(t, webrtc.NewAPI(webrtc.WithMediaEngine(&engine)))
	arrived := newQueue[*webrtc.TrackRemote]()
	them.pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { arrived.push(track) })
	sender, err := us.pc.AddTrack(peerconnection.NewTrack(audio, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	_, answer := connect(t, ctx, us, them, signalling{})
	const keys = "159#D*"
	if err := sender.InsertDTMF(keys, 100*time.Millisecond, 50*time.Millisecond); err != nil {
		t.Fatalf("%v\n%s", err, answer)
	}
	track, err := arrived.next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	track.SetReadDeadline(endOf(ctx))
	heard, ends, began, last := "", 0, uint32(0), 0
	for len(heard) < len(keys) || ends < 3 {
		p, _, err := track.ReadRTP()
		if err != nil {
			t.Fatalf("%v, after %q", err, heard)
		}
		if len(p.Payload) != 4 {
			t.Fatalf("a packet of a tone is %v", p)
		}
		key, end, duration := "0123456789*#ABCD"[p.Payload[0]&15], p.Payload[1]&0x80 != 0, int(p.Payload[2])<<8|int(p.Payload[3])
		switch {
		case p.Marker:
			heard += string(key)
			ends, began, last = 0, p.Timestamp, 0
		case len(heard) == 0 || heard[len(heard)-1] != key || p.Timestamp != began:
			t.Fatalf("after %q comes a packet of %c at %d, which began at %d", heard, key, p.Timestamp, began)
		case duration < last:
			t.Errorf("the tone %c lasts for %d, after %d", key, duration, last)
		}
		last = duration
		if end {
			if ends++; duration < 800 || duration > 1000 {
				t.Errorf("the tone %c lasted for %d, want 800", key, duration)
			}
		}
	}
	if heard != keys {
		t.Errorf("Pion hears %s, want %s", heard, keys)
	}
}
