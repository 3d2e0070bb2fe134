package mediafile

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"testing"
	"time"
)

// ivf makes a file, of frames that stand behind their timestamps.
func ivf(fourCC string, rate, scale uint32, frames map[uint64][]byte, order ...uint64) []byte {
	b := append([]byte("DKIF\x00\x00\x22\x00"), fourCC...)
	b = append(b, 64, 0, 48, 0)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, scale)
	b = append(b, make([]byte, 8+2)...) // a header that is two bytes longer than it need be
	for _, at := range order {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(frames[at])))
		b = binary.LittleEndian.AppendUint64(b, at)
		b = append(b, frames[at]...)
	}
	return b
}

// Times count from the first frame, at the rate of the header; one that an encoder
// left out takes its place in time and is none.
func TestIVFTimes(t *testing.T) {
	frame := []byte{1}
	frames := map[uint64][]byte{100: frame, 101: frame, 102: nil, 103: frame, 1 << 62: frame}
	all := readAll(t, open(t, ivf("VP80", 30_000, 1001, frames, 100, 101, 102, 103, 1<<62)))
	// Of the last timestamp nothing is left in 48 bits, and time goes back.
	want := []time.Duration{0, 33366667, 100100000, -3336666667}
	for i, f := range all {
		if i >= len(want) || f.PTS != want[i] || f.Duration < 0 {
			t.Errorf("frame %d is for %v, for %v", i, f.PTS, f.Duration)
		}
	}
	if len(all) != len(want) {
		t.Errorf("%d frames, want %d", len(all), len(want))
	}
	// The largest numbers there are overflow nothing.
	huge := map[uint64][]byte{0: frame, 1<<48 - 1: frame}
	all = readAll(t, open(t, ivf("VP80", 1, 1<<32-1, huge, 0, 1<<48-1)))
	if all[1].PTS != 1<<62 {
		t.Errorf("the end of time is %v", all[1].PTS)
	}
}

func TestIVFErrors(t *testing.T) {
	frame := map[uint64][]byte{0: {1}}
	good := ivf("VP80", 30, 1, frame, 0)
	for name, change := range map[string]func(b []byte){
		"another codec":     func(b []byte) { copy(b[8:], "H264") },
		"no rate":           func(b []byte) { clear(b[16:20]) },
		"no time base":      func(b []byte) { clear(b[20:24]) },
		"a short header":    func(b []byte) { b[6] = 31 },
		"a longer header":   func(b []byte) { b[7] = 1 },
		"another beginning": func(b []byte) { b[0] = 'd' },
	} {
		b := bytes.Clone(good)
		change(b)
		if _, err := NewIVFReader(bytes.NewReader(b)); err != ErrCodec && err != ErrMalformed && err != ErrTruncated {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A frame that claims to be large costs nothing, and one that is too large is none.
	for size, want := range map[uint32]error{MaxFrame: ErrTruncated, MaxFrame + 1: ErrTooLarge, 1<<32 - 1: ErrTooLarge} {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint32(b[34:], size)
		r := open(t, b).(*IVFReader)
		for range 2 { // and stays so
			if _, err := r.NextFrame(); err != want {
				t.Errorf("a frame of %d bytes: %v, want %v", size, err, want)
			}
		}
		if cap(r.buf) > 1<<18 {
			t.Errorf("a frame of %d bytes, which are not there, took %d", size, cap(r.buf))
		}
	}
}

func TestIVFWriterTimes(t *testing.T) {
	key := readAll(t, open(t, clips[0].bytes(t)))[0].Data
	var frames []Frame
	for _, ms := range []time.Duration{5000, 5033, 5033, 5020, 5100} {
		frames = append(frames, Frame{Data: key, PTS: ms * time.Millisecond})
	}
	all := readAll(t, open(t, write(t, Codec{Name: "vp8"}, frames)))
	for i, ticks := range []int64{0, 2970, 2971, 2972, 9000} { // each above the one before
		if want := duration(ticks, videoClock); all[i].PTS != want {
			t.Errorf("frame %d is for %v, want %v", i, all[i].PTS, want)
		}
	}
	w, _ := NewIVFWriter(io.Discard, "VP8")
	for _, bad := range []struct {
		data []byte
		want error
	}{{nil, ErrEmpty}, {make([]byte, MaxFrame+1), ErrTooLarge}} {
		if err := w.WriteFrame(Frame{Data: bad.data}); err != bad.want {
			t.Errorf("%d bytes: %v, want %v", len(bad.data), err, bad.want)
		}
	}
	if _, err := NewIVFWriter(io.Discard, "H264"); err != ErrCodec {
		t.Errorf("H.264 in IVF: %v", err)
	}
}

// RTP carries no temporal delimiter, and a file has one in front of each unit.
func TestAV1Delimiters(t *testing.T) {
	frames := readAll(t, open(t, clips[2].bytes(t)))
	want := write(t, Codec{Name: "AV1"}, frames)
	for i := range frames {
		if !bytes.HasPrefix(frames[i].Data, temporalDelimiter) {
			t.Fatalf("frame %d has none", i)
		}
		frames[i].Data = frames[i].Data[len(temporalDelimiter):]
	}
	if got := write(t, Codec{Name: "AV1"}, frames); !bytes.Equal(got, want) {
		t.Error("without delimiters the file is another")
	}
}

// A pipe is a file that says only when it is asked that it cannot seek.
func TestPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	frames := readAll(t, open(t, clips[0].bytes(t)))
	f, err := NewIVFWriter(w, "VP8")
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range frames { // less than a pipe holds
		if err := f.WriteFrame(frame); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	w.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, readAll(t, open(t, b)), frames)
}

// Frames that are read and written cost nothing but their bytes.
func TestFramesDoNotAllocate(t *testing.T) {
	for _, c := range clips {
		frames := readAll(t, open(t, c.bytes(t)))
		codec := c.codec
		w, err := NewWriter(io.Discard, codec)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			for _, f := range frames {
				w.WriteFrame(f)
			}
		}
		if n := testing.AllocsPerRun(200, func() {
			if err := w.WriteFrame(frames[0]); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("writing %s allocates %v times a frame", codec.Name, n)
		}
	}
	long := bytes.Repeat(clips[0].bytes(t)[ivfHeaderSize:], 40)
	r := open(t, append(clips[0].bytes(t), long...))
	r.NextFrame()
	if n := testing.AllocsPerRun(300, func() {
		if _, err := r.NextFrame(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("reading allocates %v times a frame", n)
	}
}
