package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/interop/browser"
)

// Somebody opens the page of plainrtc serve, presses the button for the camera, and sees
// it come back and the graphs move; records four seconds and downloads a file that
// ffprobe and ffmpeg play; has a clip played instead; stops; and goes on with the drawing.
func TestServeMedia(t *testing.T) {
	program := buildPlainrtc(t)
	video, audio := encoded(t, clips[0]), encoded(t, clips[5])
	for _, b := range []struct {
		name string
		get  func(testing.TB) *browser.Browser
	}{
		{"Chromium", func(t testing.TB) *browser.Browser { return browser.Chromium(t) }},
		{"Firefox", func(t testing.TB) *browser.Browser { return browser.Firefox(t) }},
	} {
		t.Run(b.name, func(t *testing.T) {
			url, stop := startServe(t, program, "--play", video, "--play-audio", audio, "--record-dir", t.TempDir())
			allowCamera(t, b.get(t).Open(t)) // it takes time to start, and stays on for the page below
			page := b.get(t).Visit(t, url)
			page.OnFailure(func() string {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				v, err := page.Eval(ctx, `return document.querySelector(".media").innerText + JSON.stringify(document.documentElement.dataset)`)
				return fmt.Sprintf("%s %v", v, err)
			})
			click := func(id string) { page.Do(nil, `document.getElementById(args[0]).click()`, id) }
			await(t, page, pageState, "connected ok ")

			click("use-camera")
			await(t, page, `return document.documentElement.dataset.decoded > 10 ? "decoded" : document.getElementById("media-trouble").textContent`, "decoded")
			// Every line of every graph has figures, and something flows each way.
			await(t, page, `
				const moves = (g, side) => g.samples[side].filter(v => v !== null).length > 1;
				const still = Object.values(graphs).flatMap(g => sides.filter(side => !moves(g, side)).map(side => g.name + " " + side));
				for (const side of sides) if (!(Math.max(...graphs.bitrate.samples[side]) > 10)) still.push("no bitrate of " + side);
				return still.join(", ")`, "")

			click("record")
			await(t, page, `return parseInt(document.getElementById("record-text").textContent) >= 4 ? "recorded" : document.getElementById("media-trouble").textContent`, "recorded")
			click("record")
			await(t, page, `return document.querySelectorAll("#recordings a").length + document.getElementById("media-trouble").textContent`, "1")
			var link string
			page.Do(&link, `return new URL(document.querySelector("#recordings a").href).pathname`)
			checkRecording(t, url[:len(url)-1]+link)

			const width = `const w = document.getElementById("back").videoWidth; return w === 160 ? "clip" : w > 160 ? "echo" : "nothing"`
			click("clip-name")
			await(t, page, width, "clip")
			page.Do(nil, `document.querySelector("input[value=echo]").click()`)
			await(t, page, width, "echo")

			click("stop")
			await(t, page, `return document.documentElement.dataset.media + document.getElementById("media-trouble").textContent`, "off")
			var before string
			page.Do(&before, `return document.documentElement.dataset.decoded`)
			click("use-drawing")
			await(t, page, `
				const more = document.documentElement.dataset.decoded - args[0];
				const shown = ["sent", "back"].every(p => document.getElementById(p).videoWidth > 160);
				return shown && (more > 5 || more < 0) ? "shown" : document.getElementById("media-trouble").textContent`, "shown", before)
			stop()
			await(t, page, pageState, "closed ok The plainrtc program does not answer")
		})
	}
}

// checkRecording downloads a recording of about four seconds, less what went by until the first key frame, and plays it.
func checkRecording(t *testing.T, url string) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	name := filepath.Join(t.TempDir(), "recording.webm")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	// Cameras do not keep time exactly, and ffmpeg rounds times to the rate that it guesses:
	// without a variable rate it warns of two pictures that get the same.
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", name, "-fps_mode", "vfr", "-f", "null", "-").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("ffmpeg plays the recording with %v: %s", err, out)
	}
	out, err = exec.Command("ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", name).CombinedOutput()
	var found struct {
		Streams []struct {
			Type   string `json:"codec_type"`
			Frames string `json:"nb_read_frames"`
			Width  int
		}
		Format struct{ Duration string }
	}
	if err != nil || json.Unmarshal(out, &found) != nil || len(found.Streams) != 2 {
		t.Fatalf("ffprobe: %v: %s", err, out)
	}
	duration, _ := strconv.ParseFloat(found.Format.Duration, 64)
	pictures, _ := strconv.Atoi(found.Streams[0].Frames)
	sounds, _ := strconv.Atoi(found.Streams[1].Frames)
	t.Logf("%.2f s, %d pictures, %d packets of sound, %d bytes", duration, pictures, sounds, len(b))
	// A machine with much to do captures fewer pictures.
	if duration < 2 || duration > 30 || found.Streams[0].Type != "video" || found.Streams[0].Width < 100 ||
		float64(pictures) < 4*duration || float64(pictures) > 40*duration {
		t.Errorf("%.2f s with %d pictures: %+v", duration, pictures, found.Streams[0])
	}
	// Of 20 ms each, unless the machine had too much to do.
	if float64(sounds) < 20*duration || float64(sounds) > 55*duration {
		t.Errorf("%.2f s with %d packets of sound", duration, sounds)
	}
}
