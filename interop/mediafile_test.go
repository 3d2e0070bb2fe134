package interop

import (
	"bytes"
	network "encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp/mediafile"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A clip is made by ffmpeg: a second of its test picture, or of a tone.
type clip struct {
	name   string // with the extension that ffmpeg knows it by
	codec  mediafile.Codec
	encode string // ffmpeg's options
}

const (
	testPicture = "-f lavfi -i testsrc=size=160x120:rate=15:duration=1 -pix_fmt yuv420p -g 8 "
	testTone    = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=1 "
)

var clips = []clip{
	{"vp8.ivf", mediafile.Codec{Name: "VP8", ClockRate: 90000}, testPicture + "-c:v libvpx -deadline realtime"},
	{"vp9.ivf", mediafile.Codec{Name: "VP9", ClockRate: 90000}, testPicture + "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0"},
	{"av1.ivf", mediafile.Codec{Name: "AV1", ClockRate: 90000}, testPicture + "-c:v libaom-av1 -usage realtime -cpu-used 8 -lag-in-frames 0"},
	{"h264.h264", mediafile.Codec{Name: "H264", ClockRate: 90000}, testPicture + "-c:v libx264 -preset veryfast -bf 0 -x264-params slices=2:aud=1"},
	{"h265.h265", mediafile.Codec{Name: "H265", ClockRate: 90000}, testPicture + "-c:v libx265 -preset ultrafast -x265-params bframes=0:keyint=8:min-keyint=8:scenecut=0:log-level=none -f hevc"},
	{"mono.ogg", mediafile.Codec{Name: "opus", ClockRate: 48000, Channels: 2}, testTone + "-c:a libopus -b:a 32k"},
	{"stereo60.ogg", mediafile.Codec{Name: "opus", ClockRate: 48000, Channels: 2}, testTone + "-c:a libopus -b:a 200k -ac 2 -frame_duration 60"},
	{"pcmu.wav", mediafile.Codec{Name: "PCMU", ClockRate: 8000, Channels: 1}, testTone + "-ar 8000 -c:a pcm_mulaw"},
	{"pcma.wav", mediafile.Codec{Name: "PCMA", ClockRate: 8000, Channels: 1}, testTone + "-ar 8000 -c:a pcm_alaw"},
	{"l16.wav", mediafile.Codec{Name: "L16", ClockRate: 48000, Channels: 2}, testTone + "-ac 2"},
	{"g722.wav", mediafile.Codec{Name: "G722", ClockRate: 8000, Channels: 1}, testTone + "-ar 16000 -c:a g722"},
}

// What ffmpeg encodes we read, with the times and key frames that ffprobe finds; cut
// it into packets, put it together and write it; and then ffmpeg decodes from
// our file what it decodes from its own, picture by picture, without a word.
func TestMediaFilesWithFFmpeg(t *testing.T) {
	for _, c := range clips {
		t.Run(c.name, func(t *testing.T) {
			theirs, ours := encoded(t, c), filepath.Join(t.TempDir(), c.name)
			frames := readClip(t, c, theirs)
			writeClip(t, c, ours, throughPackets(t, c, frames))

			want, got := decoded(t, theirs), decoded(t, ours)
			if c.codec.Name == "opus" {
				// The end of the last packet, which theirs says to cut off.
				want, got = want[:len(want)-1], got[:len(got)-1]
			}
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("what ffmpeg decodes from our file is not what it decodes from its own: %d pieces, want %d", len(got), len(want))
			}
			readClip(t, c, ours)
		})
	}
}

// encoded is the name of a file with the clip, which ffmpeg encodes once for all tests.
func encoded(t *testing.T, c clip) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), c.name)
	if b := encodedClips[c.name]; b != nil {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	ffmpeg(t, strings.Fields(c.encode+" "+name)...)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	encodedClips[c.name] = b
	return name
}

var encodedClips = map[string][]byte{}

// readClip reads a file, and compares what it finds with what ffprobe does.
func readClip(t *testing.T, c clip, name string) []mediafile.Frame {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := mediafile.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if r.Codec() != c.codec {
		t.Errorf("codec is %+v, want %+v", r.Codec(), c.codec)
	}
	var frames []mediafile.Frame
	for {
		f, err := r.NextFrame()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Data = bytes.Clone(f.Data)
		frames = append(frames, f)
	}
	probed := probe(t, name)
	if strings.HasSuffix(name, ".wav") {
		// ffprobe's packets are as long as it pleases: what matters is where they end.
		last := frames[len(frames)-1]
		if end := last.PTS + last.Duration; end != time.Second {
			t.Errorf("%v of sound, want 1 s", end)
		}
		return frames
	}
	if len(frames) != len(probed.Packets) {
		t.Fatalf("%d frames, ffprobe finds %d", len(frames), len(probed.Packets))
	}
	if s := probed.Streams[0]; c.codec.Channels == 0 && (s.Width != 160 || s.Height != 120) {
		t.Errorf("pictures are of %d × %d", s.Width, s.Height)
	}
	first, timed := probed.Packets[0].at()
	for i, f := range frames {
		p := probed.Packets[i]
		if key := strings.Contains(p.Flags, "K"); f.KeyFrame != key {
			t.Errorf("frame %d is a key frame: %v, says ffprobe: %v", i, f.KeyFrame, key)
		}
		if at, _ := p.at(); timed && (f.PTS-(at-first)).Abs() > time.Millisecond {
			t.Errorf("frame %d is for %v, says ffprobe %v", i, f.PTS, at-first)
		}
		// An Annex B stream has a rate and no times.
		if want := time.Duration(i) * time.Second / 15; c.codec.Channels == 0 && (f.PTS-want).Abs() > time.Millisecond {
			t.Errorf("frame %d is for %v, want %v", i, f.PTS, want)
		}
	}
	return frames
}

// throughPackets sends frames as RTP payloads.
func throughPackets(t *testing.T, c clip, frames []mediafile.Frame) []mediafile.Frame {
	t.Helper()
	format, ok := payload.FormatByName(c.codec.Name)
	if !ok {
		t.Fatalf("%s has no payload format", c.codec.Name)
	}
	packetizer, depacketizer := format.NewPacketizer(), format.NewDepacketizer()
	var arrived []mediafile.Frame
	for i, f := range frames {
		limit := 1200
		if c.codec.Channels > 0 {
			limit = max(limit, len(f.Data)) // 20 ms of L16 are a packet all the same
		}
		if err := packetizer.Start(f.Data, limit); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		f.Data = nil
		for last := false; !last; {
			var p []byte
			var err error
			p, last = packetizer.Append(nil)
			if f.Data, err = depacketizer.Append(f.Data, p); err != nil {
				t.Fatalf("frame %d: %v", i, err)
			}
		}
		if err := depacketizer.Finish(); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		arrived = append(arrived, f)
	}
	return arrived
}

func writeClip(t *testing.T, c clip, name string, frames []mediafile.Frame) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	codec := c.codec
	if strings.HasPrefix(c.name, "mono") { // SDP says two whatever is inside: RFC 7587, Section 7
		codec.Channels = 1
	}
	writeTo(t, codec, file, frames)
}

func writeTo(t *testing.T, codec mediafile.Codec, to io.Writer, frames []mediafile.Frame) {
	t.Helper()
	w, err := mediafile.NewWriter(to, codec)
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
}

// A recording of which packets are missing, to a pipe, or whose writer was never
// closed, plays without an error too, and for as long as the call was.
func TestMediaFilesOfLossyCalls(t *testing.T) {
	for _, name := range []string{"mono.ogg", "pcma.wav", "vp8.ivf", "h264.h264"} {
		c := clips[slices.IndexFunc(clips, func(c clip) bool { return c.name == name })]
		frames := readClip(t, c, encoded(t, c))
		lost := frames
		if c.codec.Channels > 0 {
			lost = slices.Delete(slices.Clone(frames), 10, 14)
		}
		// A bytes.Buffer can no more seek than a pipe.
		var pipe bytes.Buffer
		writeTo(t, c.codec, &pipe, lost)
		ours := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(ours, pipe.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		pieces := decoded(t, ours)
		if c.codec.Channels == 0 {
			if len(pieces) != len(frames) {
				t.Errorf("%s: %d pictures, want %d", name, len(pieces), len(frames))
			}
			continue
		}
		last := frames[len(frames)-1]
		if got, want := samples(t, ours, c.codec.ClockRate), int((last.PTS+last.Duration).Seconds()*float64(c.codec.ClockRate)+0.5); got < want-960 || got > want+960 {
			t.Errorf("%s: %d samples, want %d", name, got, want)
		}
	}
}

// ffmpeg runs it, and fails the test if it has anything to say.
func ffmpeg(t *testing.T, args ...string) []byte {
	t.Helper()
	return quiet(t, "ffmpeg", append(strings.Fields("-hide_banner -nostdin -loglevel error -y"), args...)...)
}

func quiet(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatal(program + " is not installed, and this test is worth nothing without it: apt-get install ffmpeg")
	}
	cmd := exec.CommandContext(testContext(t), program, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil || said.Len() > 0 {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, said.Bytes())
	}
	return out.Bytes()
}

// decoded returns a hash of each decoded picture, or piece of sound.
func decoded(t *testing.T, name string, options ...string) (hashes []string) {
	t.Helper()
	args := append([]string{"-i", name}, options...)
	for line := range strings.Lines(string(ffmpeg(t, append(args, "-fps_mode", "passthrough", "-f", "framemd5", "-")...))) {
		if fields := strings.Split(line, ","); !strings.HasPrefix(line, "#") {
			hashes = append(hashes, strings.TrimSpace(fields[len(fields)-1]))
		}
	}
	return hashes
}

// samples is how many ffmpeg decodes.
func samples(t *testing.T, name string, rate int) int {
	t.Helper()
	return len(ffmpeg(t, "-i", name, "-ac", "1", "-ar", fmt.Sprint(rate), "-f", "s16le", "-")) / 2
}

// A probed file is what ffprobe says of it.
type probed struct {
	Streams []struct{ Width, Height int }
	Packets []probedPacket
}

type probedPacket struct {
	Time  string `json:"pts_time"`
	Flags string
}

func (p probedPacket) at() (time.Duration, bool) {
	seconds, err := strconv.ParseFloat(p.Time, 64)
	return time.Duration(seconds * float64(time.Second)), err == nil
}

func probe(t *testing.T, name string) (p probed) {
	t.Helper()
	out := quiet(t, "ffprobe", "-v", "error", "-show_entries", "stream=width,height:packet=pts_time,flags", "-of", "json", name)
	if err := json.Unmarshal(out, &p); err != nil || len(p.Streams) != 1 || len(p.Packets) == 0 {
		t.Fatalf("ffprobe says %s: %v", out, err)
	}
	return p
}

// What key frames say of themselves, in every shape that these encoders give it, is
// what ffprobe finds.
func TestSequencesWithFFmpeg(t *testing.T) {
	for name, encode := range map[string]string{
		"cropped.h264":    "-c:v libx264 -preset veryfast -x264-params sar=4/3:fullrange=on:colorprim=bt709:transfer=bt709:colormatrix=bt709:overscan=show:chromaloc=1:level=4",
		"fields.h264":     "-c:v libx264 -preset veryfast -x264-params interlaced=1:tff=1",
		"baseline.h264":   "-c:v libx264 -preset ultrafast -profile:v baseline",
		"high422.h264":    "-c:v libx264 -preset veryfast -pix_fmt yuv422p",
		"high444.h264":    "-c:v libx264 -preset veryfast -pix_fmt yuv444p -x264-params cqm=jvt",
		"cropped.h265":    "-c:v libx265 -preset ultrafast -x265-params log-level=none:sar=4:colorprim=bt709:transfer=bt709:colormatrix=bt709:overscan=show:chromaloc=1:scaling-list=default -f hevc",
		"layers.h265":     "-c:v libx265 -preset ultrafast -x265-params log-level=none:temporal-layers=2:bframes=4:no-open-gop=1 -f hevc",
		"profile1.ivf":    "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv444p",
		"profile1rgb.ivf": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt gbrp",
		"profile3.ivf":    "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv444p10le",
		"svt.ivf":         "-c:v libsvtav1 -preset 12 -pix_fmt yuv420p10le",
	} {
		file := filepath.Join(t.TempDir(), name)
		ffmpegTalks(t, strings.Fields("-f lavfi -i testsrc=size=182x140:rate=24000/1001:duration=0.15 -pix_fmt yuv420p "+encode+" "+file)...)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := mediafile.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		frame, err := r.NextFrame()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s := probe(t, file).Streams[0]
		if p := mediafile.Inspect(r.Codec().Name, frame.Data); !p.KeyFrame || p.Width != s.Width || p.Height != s.Height || p.Width != 182 {
			t.Errorf("%s begins with %+v, ffprobe says %d × %d", name, p, s.Width, s.Height)
		}
		if want := time.Second * 1001 / 24_000; (frame.Duration-want).Abs() > time.Microsecond && name != "fields.h264" {
			t.Errorf("%s: a picture takes %v, want %v", name, frame.Duration, want)
		}
	}
}

// ffmpegTalks is ffmpeg with encoders that say something whatever they are told.
func ffmpegTalks(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(testContext(t), "ffmpeg", append(strings.Fields("-hide_banner -nostdin -loglevel error -y"), args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Pictures and sound of a call in one file, as a browser plays it: ffmpeg decodes from
// it what it does from the files that they came from, whether it is whole, with its
// length and an index, or what a pipe brings.
func TestWebMWithFFmpeg(t *testing.T) {
	clipNamed := func(name string) clip {
		return clips[slices.IndexFunc(clips, func(c clip) bool { return c.name == name })]
	}
	for _, name := range []string{"vp8.ivf", "vp9.ivf", "av1.ivf"} {
		video, audio := clipNamed(name), clipNamed("mono.ogg")
		pictures, sounds := encoded(t, video), encoded(t, audio)
		frames, packets := readClip(t, video, pictures), readClip(t, audio, sounds)
		mux := func(to io.Writer) {
			w, err := mediafile.NewWebMWriter(to, video.codec, mediafile.Codec{Name: "opus", ClockRate: 48000, Channels: 1})
			if err != nil {
				t.Fatal(err)
			}
			for i, j := 0, 0; i < len(frames) || j < len(packets); {
				if j == len(packets) || i < len(frames) && frames[i].PTS <= packets[j].PTS {
					err = w.WriteFrame(0, frames[i])
					i++
				} else {
					err = w.WriteFrame(1, packets[j])
					j++
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		whole, pipe := filepath.Join(t.TempDir(), "whole.webm"), filepath.Join(t.TempDir(), "pipe.webm")
		file, err := os.Create(whole)
		if err != nil {
			t.Fatal(err)
		}
		mux(file)
		file.Close()
		var b bytes.Buffer
		mux(&b)
		if err := os.WriteFile(pipe, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{whole, pipe} {
			if got, want := decoded(t, file, "-map", "0:v"), decoded(t, pictures); !slices.Equal(got, want) {
				t.Errorf("%s of %s: %d pictures, want %d", file, name, len(got), len(want))
			}
			got, want := decoded(t, file, "-map", "0:a"), decoded(t, sounds)
			if !slices.Equal(got[:len(want)-1], want[:len(want)-1]) { // the end is not cut off
				t.Errorf("%s of %s: %d pieces of sound, want %d", file, name, len(got), len(want))
			}
		}
		out := string(quiet(t, "ffprobe", "-v", "error", "-show_entries", "format=format_name,duration", "-of", "csv=p=0", whole))
		container, seconds, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(out, "matroska,webm", "webm")), ",")
		if d, err := strconv.ParseFloat(seconds, 64); strings.Trim(container, `"`) != "webm" || err != nil || d < 0.99 || d > 1.03 {
			t.Errorf("%s: ffprobe says %s", name, out)
		}
		// The index leads to the second key frame.
		if got := decoded(t, whole, "-map", "0:v", "-ss", "0.8"); len(got) != 3 {
			t.Errorf("%s: %d pictures from 0.8 s on, want 3", name, len(got))
		}
	}
}

// What WebM says of an AV1 stream in front is what ffmpeg writes into an MP4.
func TestAV1ConfigurationWithFFmpeg(t *testing.T) {
	for _, encode := range []string{
		"-c:v libaom-av1 -usage realtime -cpu-used 8",
		"-c:v libaom-av1 -usage realtime -cpu-used 8 -pix_fmt yuv444p -colorspace bt709 -color_primaries bt709 -color_trc bt709",
		"-c:v libaom-av1 -usage realtime -cpu-used 8 -pix_fmt yuv422p10le -chroma_sample_location topleft",
		"-c:v libaom-av1 -usage realtime -cpu-used 8 -pix_fmt yuv420p12le",
		"-c:v libaom-av1 -usage realtime -cpu-used 8 -pix_fmt gray",
		"-c:v libaom-av1 -usage realtime -cpu-used 8 -pix_fmt gbrp",
		"-c:v libsvtav1 -preset 12 -pix_fmt yuv420p10le",
	} {
		ivf, mp4 := filepath.Join(t.TempDir(), "a.ivf"), filepath.Join(t.TempDir(), "a.mp4")
		ffmpegTalks(t, strings.Fields("-f lavfi -i testsrc=size=160x120:rate=25:duration=0.04 -pix_fmt yuv420p "+encode+" "+ivf)...)
		ffmpegTalks(t, "-i", ivf, "-c", "copy", mp4)
		b, err := os.ReadFile(mp4)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(b, []byte("av1C"))
		if at < 4 {
			t.Fatalf("%s: there is no configuration in ffmpeg's file", encode)
		}
		want := b[at+4 : at+int(network.BigEndian.Uint32(b[at-4:]))-4]

		file, err := os.Open(ivf)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		r, err := mediafile.NewReader(file)
		if err != nil {
			t.Fatal(err)
		}
		frame, err := r.NextFrame()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		w, err := mediafile.NewWebMWriter(&out, r.Codec())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteFrame(0, frame); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(out.Bytes(), want) {
			t.Errorf("%s: ffmpeg's configuration %x is not in ours, %x", encode, want, out.Bytes()[:min(out.Len(), 300)])
		}
	}
}
