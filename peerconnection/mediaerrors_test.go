package peerconnection

import (
	"strings"
	"testing"
	"time"
)

// What a user's call is refused for is said in terms of this package, in a sentence that tells
// what to do.
func TestMediaRefusals(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	mic, cam := NewTrack(KindAudio, "mic"), NewTrack(KindVideo, "cam")
	sound, err := a.AddTransceiver(mic, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Audio without telephone events, and video of H.264 alone.
	if err := sound.SetCodecPreferences([]Codec{{MimeType: "audio/opus", ClockRate: 48000, Channels: 2}}); err != nil {
		t.Fatal(err)
	}
	x, err := a.AddTransceiver(cam, nil)
	if err != nil {
		t.Fatal(err)
	}
	var h264 []Codec
	for _, c := range Capabilities(KindVideo).Codecs {
		if c.MimeType == "video/H264" {
			h264 = append(h264, c)
		}
	}
	if err := x.SetCodecPreferences(h264); err != nil {
		t.Fatal(err)
	}
	refused := func(err error, want string) {
		t.Helper()
		if err == nil || !strings.HasPrefix(err.Error(), "peerconnection: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "session: ") {
			t.Errorf("the error is %q, want one of this package that says %q", err, want)
		}
	}
	refused(sound.Sender().InsertDTMF("1", 0, 0), "the peer does not receive")
	tell(t, ctx, a, z)
	refused(cam.WriteFrame(Frame{Data: vp8Frame(1, 100, true), Codec: Codec{MimeType: "video/VP8"}}), "the peer takes H264")
	refused(cam.WriteFrame(Frame{Data: vp8Frame(1, 100, true), RID: "q"}), `the layer "q"`)
	refused(cam.WriteFrame(Frame{Data: []byte{1, 2, 3}}), "a frame is not sent: ")
	refused(cam.WriteRTP([]byte{1, 2, 3}), "no RTP packet")
	refused(sound.Sender().InsertDTMF("1", 0, 0), "telephone events")
	refused(accept(t, ctx, z, KindVideo).WriteFrame(Frame{}), "a remote one")

	tones, err := a.AddTrack(NewTrack(KindAudio, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	tell(t, ctx, a, z)
	refused(tones.InsertDTMF("12x", 0, 0), "0 to 9")
	if err := tones.SetStreams("a b"); err == nil {
		t.Error("a stream's id may have no spaces")
	}
	// And one that is played has the length that W3C gives those that do not say.
	if err := tones.InsertDTMF("5", 0, 0); err != nil {
		t.Fatal(err)
	}
	for {
		e, err := z.AcceptTrack(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e.Transceiver.MID() != tones.Transceiver().MID() {
			continue
		}
		tone, err := e.Track.NextTone(ctx)
		if err != nil || tone.Key != '5' || tone.Duration < 90*time.Millisecond || tone.Duration > 140*time.Millisecond {
			t.Errorf("the tone %q of %v, %v; want one of 100 ms", tone.Key, tone.Duration, err)
		}
		break
	}
}
