package interop

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/plainrtc/plainrtc/interop/browser"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// Both browsers play what we record of a call: all pictures, for as long as it was,
// and from the middle on, which takes the index. Sound they decode, as a page that
// nobody has touched must not be heard.
func TestBrowsersPlayRecordings(t *testing.T) {
	type recording struct{ name, mime string }
	files := map[recording][]byte{}
	for _, c := range clips {
		if !slices.Contains([]string{"vp8.ivf", "vp9.ivf", "av1.ivf", "mono.ogg", "l16.wav", "pcmu.wav", "pcma.wav"}, c.name) {
			continue
		}
		frames := readClip(t, c, encoded(t, c))
		if c.codec.Channels > 0 {
			ours := filepath.Join(t.TempDir(), c.name)
			writeClip(t, c, ours, frames)
			b, err := os.ReadFile(ours)
			if err != nil {
				t.Fatal(err)
			}
			files[recording{c.name, map[string]string{".ogg": "audio/ogg", ".wav": "audio/wav"}[filepath.Ext(c.name)]}] = b
			continue
		}
		file, err := os.Create(filepath.Join(t.TempDir(), c.name+".webm"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := mediafile.NewWebMWriter(file, c.codec)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames {
			if err := w.WriteFrame(0, f); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		file.Close()
		b, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		files[recording{c.name, "video/webm"}] = b
	}
	for name, b := range map[string]*browser.Browser{"Chromium": browser.Chromium(t), "Firefox": browser.Firefox(t)} {
		page := b.Open(t)
		for r, file := range files {
			var got struct {
				Duration, End, Sought float64
				Width, Pictures       int
				Error                 string
			}
			page.Do(&got, `
				const [bytes, mime] = args;
				const media = Uint8Array.from(atob(bytes), c => c.charCodeAt(0));
				const player = document.createElement("video");
				player.muted = true;
				const happens = what => new Promise((resolve, reject) => {
					player.addEventListener(what, resolve, {once: true});
					player.addEventListener("error", () => reject(player.error), {once: true});
				});
				try {
					if (mime.startsWith("audio")) {
						const sound = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(media.buffer);
						return {Duration: sound.duration, End: sound.duration, Sought: 0.6};
					}
					player.src = URL.createObjectURL(new Blob([media], {type: mime}));
					player.playbackRate = 4;
					await happens("loadedmetadata");
					const ended = happens("ended");
					await player.play();
					await ended;
					const result = {
						Duration: player.duration, End: player.currentTime, Width: player.videoWidth,
						Pictures: player.getVideoPlaybackQuality().totalVideoFrames,
					};
					const sought = happens("seeked");
					player.currentTime = 0.6;
					await sought;
					result.Sought = player.currentTime;
					return result;
				} catch (e) {
					return {Error: String(e && e.message || e)};
				}`, file, r.mime)
			what := name + " and " + r.name
			if got.Error != "" {
				t.Errorf("%s: %s", what, got.Error)
				continue
			}
			if got.Duration < 0.95 || got.Duration > 1.05 || got.End < 0.9 || got.Sought < 0.55 || got.Sought > 0.65 {
				t.Errorf("%s: %v s, played to %v, and from %v on", what, got.Duration, got.End, got.Sought)
			}
			if r.mime == "video/webm" && (got.Width != 160 || got.Pictures < 15) {
				t.Errorf("%s: %d pictures of width %d, want 15 of 160", what, got.Pictures, got.Width)
			}
		}
	}
}
