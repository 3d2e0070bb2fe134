package peerconnection

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"
)

// What has come before a track ends is read before its end is told, however long it should still
// have waited for its time: when either side closes the connection, and when the sender stops.
func TestFramesBeforeTheEnd(t *testing.T) {
	const frames = 40
	for name, end := range map[string]func(t *testing.T, a, z *PeerConnection){
		"the peer closes": func(t *testing.T, a, z *PeerConnection) { a.Close() },
		"we close":        func(t *testing.T, a, z *PeerConnection) { z.Close() },
		"its transceiver stops": func(t *testing.T, a, z *PeerConnection) {
			if err := a.Transceivers()[0].Stop(); err != nil {
				t.Fatal(err)
			}
			tell(t, within(t, 60*time.Second), a, z)
		},
	} {
		for _, kind := range []Kind{KindAudio, KindVideo} {
			for _, early := range []bool{true, false} { // somebody reads already
				t.Run(fmt.Sprint(name, ", ", kind, ", early: ", early), func(t *testing.T) {
					t.Parallel()
					ctx := within(t, 60*time.Second)
					a, z := newPeer(t, Config{}), newPeer(t, Config{})
					track := NewTrack(kind, "track")
					if _, err := a.AddTrack(track); err != nil {
						t.Fatal(err)
					}
					if _, err := a.CreateDataChannel("stays", nil); err != nil { // which keeps the connection
						t.Fatal(err)
					}
					tell(t, ctx, a, z)
					// Ten seconds of media in a moment: nearly all of it waits.
					for n := range frames {
						f := Frame{Data: vp8Frame(n, 100, n == 0), KeyFrame: n == 0, PTS: time.Duration(n) * 250 * time.Millisecond}
						if kind == KindAudio {
							f.Data = fmt.Appendf([]byte{0xf8}, "frame %d ", n)
						}
						if err := track.WriteFrame(f); err != nil {
							t.Fatal(err)
						}
					}
					received := accept(t, ctx, z, kind)
					n := 0
					read := func() error {
						f, err := received.ReadFrame(ctx)
						if err == nil && !f.Concealed {
							if !bytes.Contains(f.Data, fmt.Appendf(nil, "frame %d ", n)) {
								t.Fatalf("frame %d is %q", n, f.Data)
							}
							n++
						}
						return err
					}
					if early {
						if err := read(); err != nil {
							t.Fatal(err)
						}
					}
					for len(z.Stats().InboundRTP) == 0 || z.Stats().InboundRTP[0].PacketsReceived < frames {
						if ctx.Err() != nil {
							t.Fatal("the frames do not arrive")
						}
						time.Sleep(10 * time.Millisecond)
					}
					end(t, a, z)
					err := read()
					for ; err == nil; err = read() {
					}
					if n != frames || !errors.Is(err, ErrTrackEnded) {
						t.Errorf("%d frames of %d, and then: %v", n, frames, err)
					}
				})
			}
		}
	}
}
