package interop

import (
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// A browser's camera and microphone come to us and go back in each codec that it has,
// and it sees its own picture move.
func TestMediaIsEchoed(t *testing.T) {
	for _, name := range []string{"Chromium", "Firefox"} {
		t.Run(name, func(t *testing.T) {
			c := newMediaCall(t, openMediaPage(t, name), peerconnection.Config{})
			mimeTypes := c.pageCodecs()
			c.do(nil, `addCodecs(pc, args[0])`, mimeTypes)
			c.answerWith(c.echo)
			c.connected()
			c.watch(2 * time.Second)
			for i, s := range c.received() {
				want := mimeTypes[i]
				t.Logf("%s: %d packets, %d lost, %d pictures of %d × %d, %d freezes; %.2f s of sound, %.0f samples concealed",
					want, s.PacketsReceived, s.PacketsLost, s.FramesDecoded, s.FrameWidth, s.FrameHeight, s.FreezeCount, s.TotalSamplesDuration, s.ConcealedSamples)
				switch {
				case !strings.EqualFold(s.Codec, want):
					t.Errorf("what came back as %s is %s", want, s.Codec)
				case s.PacketsLost > 0:
					t.Errorf("%s: %d packets are lost", want, s.PacketsLost)
				case s.Kind == "audio" && s.TotalSamplesDuration < 1:
					t.Errorf("%s: %v s of sound came back", want, s.TotalSamplesDuration)
				case s.Kind == "video" && (s.FrameWidth < 80 || s.FrameWidth*3 != s.FrameHeight*4):
					t.Errorf("%s: the pictures that came back are of %d × %d", want, s.FrameWidth, s.FrameHeight)
				}
			}
		})
	}
}
