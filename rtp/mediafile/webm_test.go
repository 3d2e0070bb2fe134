package mediafile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// masters are the elements that have elements in them.
var masters = map[uint32]string{
	ebmlHeader: "EBML", idSegment: "Segment", idSeekHead: "SeekHead", idSeek: "Seek", idInfo: "Info", idTracks: "Tracks",
	idTrackEntry: "TrackEntry", idVideo: "Video", idAudio: "Audio", idCluster: "Cluster", idCues: "Cues", idCuePoint: "CuePoint",
	idCueTrackPositions: "CueTrackPositions",
}

// An element is one of a file, and where its ID stands.
type element struct {
	id   uint32
	at   int
	data []byte
}

// elements reads all elements of a file, one after the other: those of unknown size
// are taken to be empty, and what is in them to follow.
func elements(t *testing.T, b []byte) (all []element) {
	t.Helper()
	var walk func(from, to int)
	number := func(at int, keep bool) (v uint64, n int) {
		for n = 1; n <= 8 && b[at]&(0x80>>(n-1)) == 0; n++ {
		}
		for _, c := range b[at : at+n] {
			v = v<<8 | uint64(c)
		}
		if !keep {
			v &^= 1 << (7 * n)
		}
		return v, n
	}
	walk = func(from, to int) {
		for at := from; at < to; {
			id, n := number(at, true)
			size, m := number(at+n, false)
			data := at + n + m
			if size == webmUnknown {
				size = 0
			}
			if data+int(size) > to {
				t.Fatalf("element %x at %d is of %d bytes, there are %d", id, at, size, to-data)
			}
			all = append(all, element{uint32(id), at, b[data : data+int(size)]})
			if masters[uint32(id)] != "" {
				walk(data, data+int(size))
			}
			at = data + int(size)
		}
	}
	walk(0, len(b))
	return all
}

func (e element) number() (v uint64) {
	for _, c := range e.data {
		v = v<<8 | uint64(c)
	}
	return v
}

// blocks lists clusters and blocks with their times: a dot behind key frames.
func blocks(all []element) string {
	var s strings.Builder
	cluster := 0
	for _, e := range all {
		switch e.id {
		case idTimestamp:
			cluster = int(e.number())
			fmt.Fprintf(&s, "| %d: ", cluster)
		case idSimpleBlock:
			fmt.Fprintf(&s, "%d@%d", e.data[0]&0x7f, cluster+int(int16(binary.BigEndian.Uint16(e.data[1:]))))
			if e.data[3]&0x80 != 0 {
				s.WriteString(".")
			}
			s.WriteString(" ")
		}
	}
	return strings.TrimSpace(s.String())
}

func find(all []element, id uint32) (found []element) {
	for _, e := range all {
		if e.id == id {
			found = append(found, e)
		}
	}
	return found
}

var webmTracks = []Codec{{Name: "opus", Channels: 2}, {Name: "vp8"}}

// A file begins with video's first key frame, and with each key frame a cluster; the
// index says where these are, and the head where the index is.
func TestWebM(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "call.webm"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w, err := NewWebMWriter(file, webmTracks...)
	if err != nil {
		t.Fatal(err)
	}
	video := readAll(t, open(t, clips[0].bytes(t)))
	frame := func(track, ms int, data []byte) {
		t.Helper()
		if err := w.WriteFrame(track, Frame{Data: data, PTS: time.Duration(ms) * time.Millisecond, Duration: ms20}); err != nil {
			t.Fatal(err)
		}
	}
	frame(0, 960, packet(10)) // there is no picture yet
	frame(1, 980, video[1].Data)
	frame(1, 1000, video[0].Data)
	frame(0, 990, packet(11)) // before the file's begin
	frame(0, 1000, packet(11))
	frame(0, 1020, packet(12))
	frame(1, 1033, video[1].Data)
	frame(1, 1066, video[0].Data)
	frame(0, 1060, packet(12)) // late, and in the cluster all the same
	for ms := 1099; ms < 8000; ms += 1500 {
		frame(1, ms, video[1].Data)
	}
	frame(0, 2000, packet(13)) // much too late
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	all := elements(t, b)
	want := "| 0: 2@0. 1@0. 1@20. 2@33 | 66: 2@66. 1@60. 2@99 2@1599 2@3099 2@4599 | 6099: 2@6099 | 1000: 1@1000."
	if got := blocks(all); got != want {
		t.Errorf("blocks are\n%s, want\n%s", got, want)
	}
	segment := find(all, idSegment)[0].at + 4 + 8
	clusters := find(all, idCluster)
	times, positions := find(all, idCueTime), find(all, idCueClusterPosition)
	if len(times) != 2 || times[1].number() != 66 || int(positions[1].number())+segment != clusters[1].at || int(positions[0].number())+segment != clusters[0].at {
		t.Errorf("the index is %v, %v", times, positions)
	}
	if at := int(find(all, idSeekPosition)[0].number()) + segment; at != find(all, idCues)[0].at {
		t.Errorf("the index is looked for at %d", at)
	}
	if d := math.Float64frombits(find(all, idDuration)[0].number()); d != 6119 {
		t.Errorf("the file is of %v ms, want 6119", d)
	}
	if width, height := find(all, idPixelWidth)[0].number(), find(all, idPixelHeight)[0].number(); width != 80 || height != 48 {
		t.Errorf("pictures are of %d × %d", width, height)
	}
	if head := find(all, idCodecPrivate); len(head) != 1 || !bytes.HasPrefix(head[0].data, []byte("OpusHead\x01\x02")) {
		t.Errorf("in front of the codecs stands %v", head)
	}
	if delay := find(all, idCodecDelay)[0].number(); delay != 6_500_000 {
		t.Errorf("the decoder's delay is %d ns", delay)
	}
}

// What goes to a pipe, or was never closed, has no length, and what is in it is whole.
func TestWebMPipe(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWebMWriter(&b, Codec{Name: "opus", Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		if err := w.WriteFrame(0, Frame{Data: packet(20), PTS: time.Hour + time.Duration(i)*ms20}); err != nil {
			t.Fatal(err)
		}
	}
	all := elements(t, b.Bytes())
	if got := find(all, idSimpleBlock); len(got) != 400 || len(find(all, idDuration)) != 0 {
		t.Errorf("%d blocks, want 400", len(got))
	}
	if got := find(all, idTimestamp); len(got) != 2 || got[1].number() != 5000 {
		t.Errorf("sound alone has clusters %v", got)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if all := elements(t, b.Bytes()); len(find(all, idCuePoint)) != 2 {
		t.Error("the index does not have both clusters")
	}
	if err := w.WriteFrame(0, Frame{Data: packet(20)}); err != ErrClosed {
		t.Errorf("a frame behind the end: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// AV1 is without its temporal delimiters, and has its configuration in front.
func TestWebMAV1(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWebMWriter(&b, Codec{Name: "AV1"})
	if err != nil {
		t.Fatal(err)
	}
	frames := readAll(t, open(t, clips[2].bytes(t)))
	for _, f := range frames {
		if err := w.WriteFrame(0, f); err != nil {
			t.Fatal(err)
		}
	}
	all := elements(t, b.Bytes())
	for i, e := range find(all, idSimpleBlock) {
		if want := bytes.TrimPrefix(frames[i].Data, temporalDelimiter); !slices.Equal(e.data[4:], want) {
			t.Errorf("block %d is not the frame without its delimiter", i)
		}
	}
	// Profile 0, level 2.0, 8 bits, 4:2:0; and the sequence header.
	kind, _, rest, _ := nextOBU(frames[0].Data[2:])
	header := frames[0].Data[2 : len(frames[0].Data)-len(rest)]
	if got := find(all, idCodecPrivate)[0].data; kind != obuSequenceHeader || !bytes.Equal(got, append([]byte{0x81, 0, 0x0c, 0}, header...)) {
		t.Errorf("the configuration is %x", got)
	}
}

func TestWebMErrors(t *testing.T) {
	for _, tracks := range [][]Codec{nil, {{Name: "H264"}}, {{Name: "VP8"}, {Name: "PCMU"}}, make([]Codec, 101)} {
		if _, err := NewWebMWriter(io.Discard, tracks...); err != ErrCodec {
			t.Errorf("%d tracks: %v", len(tracks), err)
		}
	}
	w, err := NewWebMWriter(&full{room: 300}, webmTracks...)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct {
		data []byte
		want error
	}{{nil, ErrEmpty}, {make([]byte, MaxFrame+1), ErrTooLarge}} {
		if err := w.WriteFrame(1, Frame{Data: bad.data}); err != bad.want {
			t.Errorf("%d bytes: %v, want %v", len(bad.data), err, bad.want)
		}
	}
	key := readAll(t, open(t, clips[0].bytes(t)))[0]
	for range 2 {
		if err := w.WriteFrame(1, key); err != errFull {
			t.Errorf("a full disk: %v", err)
		}
	}
	if err := w.Close(); err != errFull {
		t.Errorf("a full disk: Close says %v", err)
	}
	w, _ = NewWebMWriter(io.Discard, webmTracks...)
	if err := w.Close(); err != ErrNoFrame {
		t.Errorf("without a frame: %v", err)
	}
}

// Sizes are as short as they can be, and never all ones, which would be unknown.
func TestEBMLSizes(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "80", 126: "fe", 127: "407f", 16_382: "7ffe", 16_383: "203fff", 1<<56 - 2: "01fffffffffffffe", webmUnknown: "01ffffffffffffff",
	} {
		if got := fmt.Sprintf("%x", appendSize(nil, n)); got != want {
			t.Errorf("size %d is %s, want %s", n, got, want)
		}
	}
}

func TestWebMDoesNotAllocate(t *testing.T) {
	w, err := NewWebMWriter(io.Discard, webmTracks...)
	if err != nil {
		t.Fatal(err)
	}
	frames := readAll(t, open(t, clips[0].bytes(t)))
	w.WriteFrame(1, frames[0])
	if n := testing.AllocsPerRun(100, func() { w.WriteFrame(1, frames[1]) }); n != 0 {
		t.Errorf("a frame allocates %v times", n)
	}
}
