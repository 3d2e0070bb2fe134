package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

const mediaFiles = "../../rtp/mediafile/testdata/"

// sendMedia negotiates media as the page does, and sends a picture and a tone until the
// test ends. With nil it only receives.
func (v *visitor) sendMedia(p *player) (transceivers map[peerconnection.Kind]*peerconnection.Transceiver) {
	v.t.Helper()
	transceivers = make(map[peerconnection.Kind]*peerconnection.Transceiver)
	for _, kind := range []peerconnection.Kind{peerconnection.KindVideo, peerconnection.KindAudio} {
		var x *peerconnection.Transceiver
		var err error
		if p != nil {
			x, err = v.pc.AddTransceiver(p.track(kind), nil)
		} else {
			x, err = v.pc.AddTransceiverOf(kind, &peerconnection.TransceiverInit{Direction: peerconnection.DirectionRecvOnly})
		}
		if err != nil {
			v.t.Fatal(err)
		}
		transceivers[kind] = x
	}
	v.negotiate()
	if p != nil {
		p.start()
		v.t.Cleanup(p.end)
	}
	return transceivers
}

func (v *visitor) negotiate() {
	v.t.Helper()
	if err := v.pc.SetLocalDescription(peerconnection.SessionDescription{}); err != nil {
		v.t.Fatal(err)
	}
	body, _ := json.Marshal(v.pc.LocalDescription())
	var answer peerconnection.SessionDescription
	v.do("POST", "/connections/"+v.id+"/offer", string(body), http.StatusOK, &answer)
	if err := v.pc.SetRemoteDescription(answer); err != nil {
		v.t.Fatal(err)
	}
}

// ask is the page's POST to media.
func (v *visitor) ask(body string, status int) (s mediaState) {
	v.t.Helper()
	var into any = &s
	if status != http.StatusOK {
		into = nil
	}
	v.do("POST", "/connections/"+v.id+"/media", body, status, into)
	return s
}

func (v *visitor) state() (s mediaState) {
	v.t.Helper()
	v.do("GET", "/connections/"+v.id+"/media", "", http.StatusOK, &s)
	return s
}

func probe(t *testing.T) *player {
	t.Helper()
	c, err := openProbe()
	if err != nil {
		t.Fatal(err)
	}
	return newPlayer(c)
}

// returned waits for frames of a clip.
func returned(ctx context.Context, t *testing.T, x *peerconnection.Transceiver, c *clip, n int) {
	t.Helper()
	for n > 0 {
		f, err := x.Receiver().Track().ReadFrame(ctx)
		if err != nil {
			t.Fatalf("%d more frames of %s should have come back: %v", n, c.kind, err)
		}
		if slices.ContainsFunc(c.frames, func(s mediafile.Frame) bool { return bytes.Equal(s.Data, f.Data) }) {
			n--
		}
	}
}

// Two pages send media and have it back; one of them records, and downloads what it
// has recorded.
func TestPageMedia(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	a := newTestAnswerer(t)
	p := newTestPage(t, a, clips{})
	server := httptest.NewServer(p.handler())
	defer server.Close()
	v, other := visit(t, server.URL), visit(t, server.URL)

	v.ask(`{"record":true}`, http.StatusConflict) // nothing arrives yet
	v.ask(`{"source":"clip"}`, http.StatusConflict)
	v.ask(`{"source":"elsewhere"}`, http.StatusConflict)
	v.ask(`record`, http.StatusBadRequest)
	for _, who := range []*visitor{v, other} {
		sent := probe(t)
		transceivers := who.sendMedia(sent)
		returned(ctx, t, transceivers[peerconnection.KindVideo], sent.clips.video, 5)
		returned(ctx, t, transceivers[peerconnection.KindAudio], sent.clips.audio, 10)
	}
	eventually(t, "both tracks are read", func() bool {
		var s peerconnection.Stats
		v.do("GET", "/connections/"+v.id+"/stats", "", http.StatusOK, &s)
		n := 0
		for _, i := range s.InboundRTP {
			if i.JitterBufferEmittedCount > 0 {
				n++
			}
		}
		return n == 2 && len(s.OutboundRTP) == 2
	})

	if s := v.ask(`{"record":true}`, http.StatusOK); !s.Recording || len(s.Recordings) != 0 {
		t.Errorf("after the start of a recording: %+v", s)
	}
	eventually(t, "half a second is recorded", func() bool { return v.state().Seconds > 0.5 })
	s := v.ask(`{"record":false}`, http.StatusOK)
	if s.Recording || s.Notice != "" || len(s.Recordings) != 1 || s.Directory != p.recordings.dir {
		t.Fatalf("after the end of a recording: %+v", s)
	}
	if s := other.state(); len(s.Recordings) != 0 {
		t.Errorf("another page sees the recording: %+v", s)
	}
	r := s.Recordings[0]
	if r.Seconds < 0.5 || r.Content != "VP8 and opus" || !strings.HasSuffix(r.Name, ".webm") {
		t.Errorf("the recording is %+v", r)
	}
	// The page that made it may be gone.
	v.do("POST", "/connections/"+v.id+"/close", "", http.StatusNoContent, nil)
	response, err := http.Get(server.URL + "/" + r.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK || int64(len(b)) != r.Bytes || !isCompleteWebM(b) {
		t.Errorf("the download is %s, %d bytes of %d, complete: %v", response.Status, len(b), r.Bytes, isCompleteWebM(b))
	}
	for name, want := range map[string]string{
		"Content-Type": "video/webm", "Content-Disposition": `attachment; filename="` + r.Name + `"`, "X-Content-Type-Options": "nosniff",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	secret := strings.Split(r.URL, "/")[1]
	for _, path := range []string{
		"/recordings/guessed/" + r.Name, "/recordings/" + secret + "/other.webm", "/recordings/" + secret + "/..%2f..%2f..%2fetc%2fpasswd",
		"/recordings/" + secret + "/", "/recordings/", "/recordings/" + secret + "/" + r.Name + "%00",
	} {
		other.do("GET", path, "", http.StatusNotFound, nil)
	}
}

// isCompleteWebM tells a file that was closed: its duration is filled in.
func isCompleteWebM(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0x1a, 0x45, 0xdf, 0xa3}) && bytes.Contains(b[:min(len(b), 500)], []byte{0x44, 0x89, 0x88})
}

// A page that sends nothing watches a clip; and one that sends has it instead of its
// echo, and its echo again.
func TestPagePlaysClips(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := openClips(mediaFiles+"vp9.ivf", mediaFiles+"pcmu.wav")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(newTestPage(t, newTestAnswerer(t), c).handler())
	defer server.Close()

	watching := visit(t, server.URL)
	watching.ask(`{"source":"clip"}`, http.StatusOK)
	transceivers := watching.sendMedia(nil)
	// More than once over.
	returned(ctx, t, transceivers[peerconnection.KindVideo], c.video, len(c.video.frames)*3/2)
	returned(ctx, t, transceivers[peerconnection.KindAudio], c.audio, 5)
	watching.ask(`{"record":true}`, http.StatusConflict)

	v, sent := visit(t, server.URL), probe(t)
	transceivers = v.sendMedia(sent)
	for range 2 {
		returned(ctx, t, transceivers[peerconnection.KindVideo], sent.clips.video, 5)
		v.ask(`{"source":"clip"}`, http.StatusOK)
		returned(ctx, t, transceivers[peerconnection.KindVideo], c.video, 5)
		v.ask(`{"source":"echo"}`, http.StatusOK)
	}
	returned(ctx, t, transceivers[peerconnection.KindAudio], sent.clips.audio, 5)
}

// Ctrl-C completes what is being recorded.
func TestServeEndsRecordings(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "for it")
	url, stop := start(t, "serve", "--addr", "127.0.0.1:0", "--record-dir", dir)
	v := visit(t, strings.TrimSuffix(url, "/"))
	v.sendMedia(probe(t))
	eventually(t, "media arrives", func() bool {
		var s peerconnection.Stats
		v.do("GET", "/connections/"+v.id+"/stats", "", http.StatusOK, &s)
		return len(s.InboundRTP) == 2 && s.InboundRTP[0].JitterBufferEmittedCount > 0 && s.InboundRTP[1].JitterBufferEmittedCount > 0
	})
	v.ask(`{"record":true}`, http.StatusOK)
	eventually(t, "something is recorded", func() bool { return v.state().Seconds > 0.2 })
	if status := stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 1 {
		t.Fatalf("the directory has %q", files)
	}
	b, err := os.ReadFile(files[0])
	if err != nil || !isCompleteWebM(b) {
		t.Errorf("the recording was not completed (%v)", err)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, want 0600 (%v)", info.Mode(), err)
	}
}

// A server that has recorded nothing leaves nothing behind.
func TestTemporaryDirectoryIsRemoved(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, stop := start(t, "serve", "--addr", "127.0.0.1:0")
	if n := len(entries(t, os.Getenv("TMPDIR"))); n != 1 {
		t.Errorf("%d directories for recordings, want 1", n)
	}
	stop()
	if left := entries(t, os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}

func entries(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A tape feeds a recorder with the frames of files.
type tape struct {
	t     *testing.T
	store *recordings
	live  []*liveTrack
	clips []*clip
	at    time.Time
}

func newTape(t *testing.T, files ...string) *tape {
	t.Helper()
	store, err := openRecordings(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.root.Close() })
	tp := &tape{t: t, store: store, at: time.Now()}
	for _, name := range files {
		kind := peerconnection.KindVideo
		if ext := filepath.Ext(name); ext == ".wav" || ext == ".ogg" {
			kind = peerconnection.KindAudio
		}
		c, err := openClip(mediaFiles+name, kind)
		if err != nil {
			t.Fatal(err)
		}
		c.codec.ClockRate, c.codec.Channels = 8000, 1
		if c.codec.MimeType == "audio/opus" {
			c.codec.ClockRate, c.codec.Channels = 48000, 2
		}
		l := &liveTrack{track: peerconnection.NewTrack(kind, name)}
		l.saw(tp.at, &peerconnection.Frame{Codec: c.codec})
		tp.live, tp.clips = append(tp.live, l), append(tp.clips, c)
	}
	return tp
}

// play records frame n of each file.
func (tp *tape) play(r *recorder, n int) error {
	for i, c := range tp.clips {
		if n >= len(c.frames) {
			continue
		}
		f := c.frames[n]
		err := r.frame(tp.at.Add(f.PTS), tp.live[i], &peerconnection.Frame{Data: f.Data, PTS: f.PTS, KeyFrame: f.KeyFrame, Codec: c.codec, Duration: f.Duration})
		if err != nil {
			return err
		}
	}
	return nil
}

// Each set of codecs goes to the files that hold it.
func TestRecordingFiles(t *testing.T) {
	for _, test := range []struct {
		files, want []string
	}{
		{[]string{"vp8.ivf", "opus.ogg"}, []string{"1.webm"}},
		{[]string{"av1.ivf"}, []string{"1.webm"}},
		{[]string{"opus.ogg"}, []string{"1.webm"}},
		{[]string{"h264.h264", "opus.ogg"}, []string{"1.h264", "2.ogg"}},
		{[]string{"vp9.ivf", "pcmu.wav"}, []string{"1.ivf", "2.wav"}},
	} {
		tp := newTape(t, test.files...)
		r, err := newRecorder(tp.store, tp.at, tp.live)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 10 {
			if err := tp.play(r, n); err != nil {
				t.Error(err)
			}
		}
		done, err := r.finish()
		if err != nil {
			t.Errorf("%v: %v", test.files, err)
		}
		var got []string
		for _, d := range done {
			_, name, _ := strings.Cut(strings.TrimPrefix(d.Name, "plainrtc-"), "-")
			got = append(got, name[len("150405-"):])
			if d.Seconds < 0.1 || d.Bytes < 100 {
				t.Errorf("%v: %+v", test.files, d)
			}
			// What can be read again is all there.
			file, err := tp.store.root.Open(d.Name)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if again, err := mediafile.NewReader(file); err == nil {
				n := 0
				for _, err = again.NextFrame(); err == nil; _, err = again.NextFrame() {
					n++
				}
				if n < 9 || err != io.EOF {
					t.Errorf("%s has %d frames: %v", d.Name, n, err)
				}
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%v are recorded as %v, want %v", test.files, got, test.want)
		}
	}
}

// A recording begins with a key frame, which is asked for until it comes; and one into
// which none came leaves no file.
func TestRecordingWaitsForKeyFrame(t *testing.T) {
	tp := newTape(t, "vp8.ivf", "opus.ogg")
	requests := func() (n int) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for {
			if _, err := tp.live[0].track.NextKeyframeRequest(ctx); err != nil {
				return n
			}
			n++
		}
	}
	r, err := newRecorder(tp.store, tp.at, tp.live)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []int{1, 0, 0, 0} {
		if err := tp.play(r, n+1); err != nil || r.begun {
			t.Fatalf("frame %d: begun %v, %v", n+1, r.begun, err)
		}
		if got := requests(); got != want {
			t.Errorf("after frame %d, %d key frames were asked for, want %d", n+1, got, want)
		}
	}
	tp.at = tp.at.Add(keyframePatience)
	tp.play(r, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := tp.live[0].track.NextKeyframeRequest(ctx); err != nil {
		t.Errorf("it does not ask again after %v: %v", keyframePatience, err)
	}
	if done, err := r.finish(); len(done) != 0 || err == nil {
		t.Errorf("without a key frame: %v, %v", done, err)
	}
	if left := entries(t, tp.store.dir); len(left) != 0 {
		t.Errorf("an empty recording left %v", left)
	}
}

// Whatever visitors do, recordings end where they must.
func TestRecordingsAreBounded(t *testing.T) {
	tp := newTape(t, "vp8.ivf")
	record := func() *recorder {
		t.Helper()
		r, err := newRecorder(tp.store, tp.at, tp.live)
		if err != nil {
			t.Fatal(err)
		}
		if err := tp.play(r, 0); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := record()
	tp.store.bytes = maxRecorded - 10
	if err := tp.play(r, 1); !errors.Is(err, errFull) {
		t.Errorf("over %d bytes: %v", maxRecorded, err)
	}
	if done, err := r.finish(); len(done) != 1 || err != nil {
		t.Errorf("what was recorded until then: %v, %v", done, err)
	}
	tp.store.bytes = 0
	r = record()
	tp.at = tp.at.Add(maxRecordingTime)
	if err := tp.play(r, 1); err == nil || !strings.Contains(err.Error(), "10m0s at most") {
		t.Errorf("after ten minutes: %v", err)
	}
	r.finish()
	r = record()
	tp.clips[0].codec.MimeType = "video/VP9"
	if err := tp.play(r, 5); err == nil || !strings.Contains(err.Error(), "the codec has changed from video/VP8 to video/VP9") {
		t.Errorf("with another codec: %v", err)
	}
	r.finish()
	tp.store.made = maxRecordings
	if _, err := newRecorder(tp.store, tp.at, tp.live); !errors.Is(err, errFull) {
		t.Errorf("after %d files: %v", maxRecordings, err)
	}
	// Names that are taken by others are left alone.
	tp.store.made = 0
	for i := range 3 {
		tp.store.root.WriteFile(fmt.Sprintf("plainrtc-%s-%d.webm", tp.at.Format("20060102-150405"), i+1), []byte("mine"), 0o600)
	}
	file, err := tp.store.create(tp.at, ".webm")
	if err != nil || !strings.HasSuffix(file.Name(), "-4.webm") {
		t.Errorf("beside three files of others: %v, %v", file.Name(), err)
	}
	file.Close()
}

// Who asks for a key frame gets the next one of the clip at once, sound along with it, and
// two clips of nearly the same length stay together.
func TestPlayerSkipsToKeyFrames(t *testing.T) {
	c, err := openClips(mediaFiles+"vp8.ivf", mediaFiles+"opus.ogg") // a key frame at each 200 ms, of 400 ms
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	voices := newPlayer(c).voices(now)
	video, audio := voices[0], voices[1]
	if video.turn != audio.turn || video.turn < 400*time.Millisecond || video.turn > 410*time.Millisecond {
		t.Errorf("the clips begin anew after %v and %v", video.turn, audio.turn)
	}
	for _, test := range []struct{ frame, key int }{{1, 5}, {5, 5}, {6, 0}} {
		v := *video
		for v.next != test.frame {
			v.advance()
		}
		now := v.due()
		v.skip(v.due().Sub(now)+v.untilKeyframe(), now)
		if v.next != test.key || !v.due().Equal(now) {
			t.Errorf("from frame %d it skips to %d, due in %v; want %d now", test.frame, v.next, v.due().Sub(now), test.key)
		}
	}
	// Time goes on over the end of the clip.
	last := video.due()
	for i := range 25 {
		if video.advance(); !video.due().After(last) {
			t.Errorf("frame %d is due at %v after %v", i, video.due().Sub(now), last.Sub(now))
		}
		last = video.due()
	}
}

// Sound and picture of a recording go together by when they were captured, if the peer
// has said that of both, and by when they were due otherwise.
func TestRecordingIsInStep(t *testing.T) {
	tp := newTape(t, "vp8.ivf", "opus.ogg")
	video, audio := tp.live[0], tp.live[1]
	video.pts, audio.pts = 5*time.Second, 2*time.Second
	video.captured, audio.captured = tp.at, tp.at.Add(100*time.Millisecond)
	video.read, audio.read = tp.at.Add(300*time.Millisecond), tp.at.Add(310*time.Millisecond)
	for _, want := range []time.Duration{100 * time.Millisecond, 10 * time.Millisecond} {
		r, err := newRecorder(tp.store, tp.at, tp.live)
		if err != nil {
			t.Fatal(err)
		}
		if got := (audio.pts + r.tracks[1].offset) - (video.pts + r.tracks[0].offset); got != want {
			t.Errorf("the sound comes %v behind the picture, want %v", got, want)
		}
		r.finish()
		video.captured = time.Time{}
	}
}
