package interop

import (
	"strconv"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// A picture of VP9 in spatial layers is one frame here, whichever refer to which, and a file of
// them decodes to the size of the highest, one picture for each frame. libvpx does that:
// ffmpeg's own decoder shows the lowest layer.
func TestSpatialLayersAreRecorded(t *testing.T) {
	page := browser.Chromium(t).Open(t, mediaJS, callJS)
	page.Do(nil, `globalThis.stream = await camera({video: {width: 960, height: 540}})`)
	for _, mode := range []string{"L2T1", "L3T3_KEY"} {
		t.Run(mode, func(t *testing.T) {
			c := newMediaCall(t, page, peerconnection.Config{})
			c.do(nil, `pc.addTransceiver(stream.getVideoTracks()[0].clone(), {direction: "sendonly", sendEncodings: [{scalabilityMode: args[0]}]})
				.setCodecPreferences(codecsOf("video", "video/VP9"))`, mode)
			c.answerWith(nil)
			r := record(c.ctx, c.pc.Transceivers()[0].Receiver().Track())
			c.connected()
			// It takes a while until it sends all of the layers.
			var frames, pictures, full int
			for full < 20 {
				before := r.count()
				c.until("there is another second of video", func() bool { return r.count() >= before+20 })
				file := r.file(t)
				found := probe(t, file)
				lowest := found.Streams[0].Width * found.Streams[0].Height * 3 / 2 // bytes
				frames, pictures, full = len(found.Packets), 0, 0
				for line := range strings.Lines(string(ffmpeg(t, "-c:v", "libvpx-vp9", "-i", file, "-autoscale", "0", "-fps_mode", "passthrough", "-f", "framemd5", "-"))) {
					if fields := strings.Split(line, ","); !strings.HasPrefix(line, "#") {
						pictures++
						size, err := strconv.Atoi(strings.TrimSpace(fields[4]))
						if err != nil {
							t.Fatal(err)
						}
						if size >= 4*lowest {
							full++
						}
					}
				}
			}
			r.end()
			t.Logf("%d frames, %d pictures, %d of them larger than the lowest layer; %v", frames, pictures, full, r)
			if pictures != frames || r.missing > 0 {
				t.Errorf("%d frames are decoded to %d pictures: %v", frames, pictures, r)
			}
		})
	}
}
