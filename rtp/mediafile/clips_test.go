package mediafile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A clip is a file that ffmpeg made; see testdata/README.md.
type clip struct {
	name     string
	codec    Codec
	frames   int
	length   time.Duration // to the end of the last frame
	interval time.Duration
}

const fps25 = 40 * time.Millisecond

var clips = []clip{
	{"vp8.ivf", Codec{"VP8", 90_000, 0}, 10, 10 * fps25, fps25},
	{"vp9.ivf", Codec{"VP9", 90_000, 0}, 10, 10 * fps25, fps25},
	{"av1.ivf", Codec{"AV1", 90_000, 0}, 10, 10 * fps25, fps25},
	{"h264.h264", Codec{"H264", 90_000, 0}, 10, 10 * fps25, fps25},
	{"slices.h264", Codec{"H264", 90_000, 0}, 10, 10 * fps25, fps25},
	{"h265.h265", Codec{"H265", 90_000, 0}, 10, 10 * fps25, fps25},
	// The end of the last packet is cut off.
	{"opus.ogg", Codec{"opus", 48_000, 2}, 13, 256_500 * time.Microsecond, 20 * time.Millisecond},
	{"pcmu.wav", Codec{"PCMU", 8000, 1}, 13, 250 * time.Millisecond, 20 * time.Millisecond},
	{"pcma.wav", Codec{"PCMA", 8000, 1}, 13, 250 * time.Millisecond, 20 * time.Millisecond},
	{"l16.wav", Codec{"L16", 8000, 1}, 13, 250 * time.Millisecond, 20 * time.Millisecond},
	{"g722.wav", Codec{"G722", 8000, 1}, 13, 250 * time.Millisecond, 20 * time.Millisecond},
}

func (c clip) video() bool { return c.codec.Channels == 0 }

func (c clip) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", c.name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readAll reads a file's frames, and copies them.
func readAll(t testing.TB, r Reader) (all []Frame) {
	t.Helper()
	for {
		f, err := r.NextFrame()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("frame %d: %v", len(all), err)
		}
		f.Data = bytes.Clone(f.Data)
		all = append(all, f)
	}
}

func open(t testing.TB, b []byte) Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The clips are recognized by what is in them, and have the frames and times that
// ffmpeg put there.
func TestReadClips(t *testing.T) {
	for _, c := range clips {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, c.bytes(t))
			if r.Codec() != c.codec {
				t.Errorf("codec is %+v, want %+v", r.Codec(), c.codec)
			}
			all := readAll(t, r)
			if len(all) != c.frames {
				t.Fatalf("%d frames, want %d", len(all), c.frames)
			}
			for i, f := range all {
				if want := time.Duration(i) * c.interval; f.PTS != want {
					t.Errorf("frame %d is for %v, want %v", i, f.PTS, want)
				}
				if i > 0 && all[i-1].PTS+all[i-1].Duration != f.PTS {
					t.Errorf("frame %d takes %v, up to frame %d are %v", i-1, all[i-1].Duration, i, f.PTS-all[i-1].PTS)
				}
				// Every fifth frame is a key frame.
				if want := !c.video() || i%5 == 0; f.KeyFrame != want {
					t.Errorf("frame %d is a key frame: %v", i, f.KeyFrame)
				}
			}
			last := all[len(all)-1]
			if end := last.PTS + last.Duration; end != c.length {
				t.Errorf("it ends at %v, want %v", end, c.length)
			}
			if _, err := r.NextFrame(); err != io.EOF {
				t.Errorf("behind the end: %v", err)
			}
		})
	}
}

// Key frames say how large pictures are; of H.264 and H.265, with their sets.
func TestInspect(t *testing.T) {
	for _, c := range clips {
		if !c.video() {
			continue
		}
		f := readAll(t, open(t, c.bytes(t)))
		p := Inspect(c.codec.Name, f[0].Data)
		p.rate = 0
		if want := (Picture{KeyFrame: true, Width: 80, Height: 48}); p != want {
			t.Errorf("%s begins with %+v, want %+v", c.name, p, want)
		}
		if p := Inspect(c.codec.Name, f[1].Data); p != (Picture{}) {
			t.Errorf("%s goes on with %+v", c.name, p)
		}
	}
	if p := Inspect("opus", []byte{0x9d}); p != (Picture{}) {
		t.Errorf("sound looks like %+v", p)
	}
}

// What is read and written again is the same, and what that makes is too. (An
// encoder's own parameter sets stand in front of its first key frame alone.)
func TestWriteClips(t *testing.T) {
	for _, c := range clips {
		t.Run(c.name, func(t *testing.T) {
			frames := readAll(t, open(t, c.bytes(t)))
			again := readAll(t, open(t, write(t, c.codec, frames)))
			if c.codec.Name == "opus" { // where the end was cut off is lost
				last := len(frames) - 1
				frames[last].Duration = again[last].Duration
			}
			compare(t, again, frames)
		})
	}
}

func compare(t *testing.T, got, want []Frame) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i, w := range want {
		if g := got[i]; !reflect.DeepEqual(g, w) {
			t.Errorf("frame %d is %x for %v+%v, key frame %v,\nwant %x for %v+%v, key frame %v",
				i, g.Data, g.PTS, g.Duration, g.KeyFrame, w.Data, w.PTS, w.Duration, w.KeyFrame)
		}
	}
}

// write writes frames to a file that cannot seek.
func write(t testing.TB, c Codec, frames []Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, c)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		if err := w.WriteFrame(f); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	if err := w.WriteFrame(frames[0]); err != ErrClosed {
		t.Errorf("a frame behind the end: %v", err)
	}
	return b.Bytes()
}

// A file that can seek has the same frames, and in front what only the end knows. It
// may begin anywhere in what it is written to.
func TestFixUps(t *testing.T) {
	for _, c := range clips {
		t.Run(c.name, func(t *testing.T) {
			frames := readAll(t, open(t, c.bytes(t)))
			file, err := os.Create(filepath.Join(t.TempDir(), c.name))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			const before = "something else"
			file.WriteString(before)
			w, err := NewWriter(file, c.codec)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range frames {
				if err := w.WriteFrame(f); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(file.Name())
			if err != nil || !bytes.HasPrefix(b, []byte(before)) {
				t.Fatalf("what was there is gone: %v", err)
			}
			r := open(t, b[len(before):])
			switch r := r.(type) {
			case *IVFReader:
				if r.Frames != c.frames || r.Width != 80 || r.Height != 48 {
					t.Errorf("the header says %d frames of %d × %d", r.Frames, r.Width, r.Height)
				}
			case *WAVReader:
				if want := int64(c.length) * int64(r.rate) / int64(time.Second); r.left != want {
					t.Errorf("the header says %d bytes, want %d", r.left, want)
				}
			}
			if again := readAll(t, r); len(again) != len(frames) {
				t.Errorf("%d frames, want %d", len(again), len(frames))
			}
		})
	}
}

// Frames go through packets as they are, but for what packets do not carry.
func TestClipsAsPackets(t *testing.T) {
	for _, c := range clips {
		t.Run(c.name, func(t *testing.T) {
			format, ok := payload.FormatByName(c.codec.Name)
			if !ok {
				t.Fatal("there is no payload format of that name")
			}
			frames := readAll(t, open(t, c.bytes(t)))
			packetizer, depacketizer := format.NewPacketizer(), format.NewDepacketizer()
			arrived := make([]Frame, len(frames))
			for i, f := range frames {
				if err := packetizer.Start(f.Data, 1000); err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
				arrived[i] = f
				arrived[i].Data = nil
				for last := false; !last; {
					var p []byte
					p, last = packetizer.Append(nil)
					var err error
					if arrived[i].Data, err = depacketizer.Append(arrived[i].Data, p); err != nil {
						t.Fatalf("frame %d: %v", i, err)
					}
				}
				if err := depacketizer.Finish(); err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
			}
			again := readAll(t, open(t, write(t, c.codec, arrived)))
			if c.codec.Name == "opus" {
				frames[len(frames)-1].Duration = again[len(frames)-1].Duration
			}
			compare(t, again, frames)
		})
	}
}

// A file that is cut off has the frames that are whole, and then says so.
func TestCutOff(t *testing.T) {
	for _, c := range clips {
		b := c.bytes(t)
		whole := len(readAll(t, open(t, b)))
		for n := 0; n < len(b); n += 1 + len(b)/200 {
			r, err := NewReader(bytes.NewReader(b[:n]))
			if err != nil {
				if err == io.EOF {
					t.Errorf("%s without all but %d bytes: %v", c.name, n, err)
				}
				continue
			}
			count := 0
			for err == nil {
				if _, err = r.NextFrame(); err == nil {
					count++
				}
			}
			if err != io.EOF && err != ErrTruncated {
				t.Errorf("%s after %d bytes: %v", c.name, n, err)
			}
			if count > whole {
				t.Errorf("%s has more frames when it is cut off after %d bytes", c.name, n)
			}
		}
	}
}

// Video begins with a key frame; a file without any frame is none.
func TestFilesBeginWithKeyFrames(t *testing.T) {
	for _, c := range clips {
		if !c.video() {
			continue
		}
		frames := readAll(t, open(t, c.bytes(t)))
		again := readAll(t, open(t, write(t, c.codec, frames[2:])))
		if len(again) != 5 || !again[0].KeyFrame || again[0].PTS != 0 {
			t.Errorf("%s: %d frames, want the five from the second key frame on", c.name, len(again))
		}
		w, err := NewWriter(io.Discard, c.codec)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteFrame(frames[1]); err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != ErrNoFrame {
			t.Errorf("%s without a key frame: %v", c.name, err)
		}
	}
}

func TestUnknown(t *testing.T) {
	for _, text := range []string{"", "DKI", "RIFF\x00\x00\x00\x00AVI ", "\x00\x00\x00\x01", "\x00\x00\x01\x1f\x00", "#!rtpplay1.0 1.2.3.4/5\n"} {
		if _, err := NewReader(bytes.NewReader([]byte(text))); !errors.Is(err, ErrUnknown) && err != ErrTruncated {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, c := range []Codec{{}, {Name: "telephone-event"}, {Name: "opus", Channels: 3}, {Name: "L16", ClockRate: 100, Channels: 1}, {Name: "PCMU", ClockRate: 8000}} {
		if _, err := NewWriter(io.Discard, c); err != ErrCodec {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A disk that is full is told of by every call from then on.
func TestFullDisk(t *testing.T) {
	for _, c := range clips {
		frames := readAll(t, open(t, c.bytes(t)))
		w, err := NewWriter(&full{room: 300}, c.codec)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 { // Ogg writes once a second
			for i := range frames {
				frames[i].PTS += c.length
				if err = w.WriteFrame(frames[i]); err != nil {
					break
				}
			}
		}
		if !errors.Is(err, errFull) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := w.Close(); !errors.Is(err, errFull) {
			t.Errorf("%s: Close says %v", c.name, err)
		}
	}
}

var errFull = errors.New("no space left on device")

type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room -= len(b); f.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}
