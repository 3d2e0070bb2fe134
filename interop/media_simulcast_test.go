package interop

import (
	"slices"
	"testing"

	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// Browsers send their camera in three sizes at once; each is recorded and decoded, whoever
// has offered it.
func TestSimulcastIsRecorded(t *testing.T) {
	for name, b := range map[string]*browser.Browser{"Chromium": browser.Chromium(t), "Firefox": browser.Firefox(t)} {
		// Chromium sends three layers of no less than 960 × 540.
		page := b.Open(t, mediaJS, callJS)
		var settings struct{ Width, Height int }
		page.Do(&settings, `
			globalThis.stream = await camera({video: {width: 960, height: 540}});
			return stream.getVideoTracks()[0].getSettings();`)
		if settings.Width != 960 || settings.Height != 540 {
			t.Fatalf("the camera's picture is of %d × %d", settings.Width, settings.Height)
		}
		rids := []string{"q", "h", "f"}
		t.Run(name+" offers", func(t *testing.T) {
			c := newMediaCall(t, page, peerconnection.Config{})
			c.do(nil, `pc.addTransceiver(stream.getVideoTracks()[0], {direction: "sendonly", sendEncodings: [
				{rid: "q", scaleResolutionDownBy: 4, maxBitrate: 60e3}, {rid: "h", scaleResolutionDownBy: 2, maxBitrate: 120e3}, {rid: "f", maxBitrate: 250e3}]})`)
			c.answerWith(nil)
			layersRecorded(c, rids)
		})
		t.Run("we offer to "+name, func(t *testing.T) {
			c := newMediaCall(t, page, peerconnection.Config{})
			if _, err := c.pc.AddTransceiverOf(video, &peerconnection.TransceiverInit{Direction: peerconnection.DirectionRecvOnly, ReceiveRIDs: rids}); err != nil {
				t.Fatal(err)
			}
			c.do(nil, `pc.answering = async () => {
				const [t] = pc.getTransceivers();
				t.direction = "sendonly";
				const p = t.sender.getParameters();
				p.encodings.forEach((e, i) => { e.scaleResolutionDownBy = 4 >> i; e.maxBitrate = [60e3, 120e3, 250e3][i]; });
				await t.sender.setParameters(p);
				await t.sender.replaceTrack(stream.getVideoTracks()[0]);
			}`)
			c.offer(nil)
			layersRecorded(c, rids)
		})
	}
}

func layersRecorded(c *mediaCall, rids []string) {
	t := c.t
	layers := c.pc.Transceivers()[0].Receiver().Layers()
	var recordings []*recording
	for i, track := range layers {
		if track.RID() != rids[i] {
			t.Fatalf("layer %d is %q", i, track.RID())
		}
		recordings = append(recordings, record(c.ctx, track))
	}
	c.connected()
	c.until("every layer has two seconds of video", func() bool {
		return !slices.ContainsFunc(recordings, func(r *recording) bool { return r.count() < 40 })
	})
	for i, r := range recordings {
		r.end()
		file, want := r.file(t), 960>>(len(rids)-1-i)
		got, pieces := probe(t, file).Streams[0], decoded(t, file)
		t.Logf("layer %s: %v; ffmpeg decodes %d pictures of %d × %d", rids[i], r, len(pieces), got.Width, got.Height)
		if got.Width != want || len(pieces) < 40 || r.missing > 0 {
			t.Errorf("layer %s is %d pixels wide, want %d: %v; ffmpeg decodes %d pictures", rids[i], got.Width, want, r, len(pieces))
		}
	}
	for _, s := range c.sent() {
		t.Logf("the browser: layer %s, %d pictures of %d × %d sent", s.RID, s.FramesSent, s.FrameWidth, s.FrameHeight)
	}
}
