package mediafile

import (
	"bytes"
	"io"
	"testing"
	"time"
)

// fuzzClip reads whatever it is given, and checks what holds for every file: it has
// no more in it than its bytes, and what can be read can be written and read again.
func fuzzClip(f *testing.F, codec string, newReader func(io.Reader) (Reader, error)) {
	for _, c := range clips {
		if c.codec.Name == codec {
			b := c.bytes(f)
			f.Add(b)
			f.Add(b[:len(b)/2])
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := newReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		c := r.Codec()
		// An Annex B stream's parameter sets are repeated.
		limit := len(b) + 4
		if c.Name == "H264" || c.Name == "H265" {
			limit += maxSets + 1<<10
			limit += len(b) * 3 // start codes get longer
		}
		var frames []Frame
		for {
			frame, err := r.NextFrame()
			if err != nil {
				break
			}
			if len(frame.Data) > limit || frame.Duration < 0 {
				t.Fatalf("%d bytes for %v out of %d", len(frame.Data), frame.Duration, len(b))
			}
			if frame.Data = bytes.Clone(frame.Data); len(frames) < 100 {
				frames = append(frames, frame)
			}
		}
		w, err := NewWriter(io.Discard, c)
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", c, err)
		}
		for _, frame := range frames {
			frame.PTS %= time.Hour
			if err := w.WriteFrame(frame); err != nil && err != ErrMalformed {
				t.Fatalf("what was read cannot be written: %v", err)
			}
		}
		w.Close()
	})
}

func FuzzIVFReader(f *testing.F) {
	for _, name := range []string{"VP9", "AV1"} {
		for _, c := range clips {
			if c.codec.Name == name {
				f.Add(c.bytes(f))
			}
		}
	}
	fuzzClip(f, "VP8", func(r io.Reader) (Reader, error) { return NewIVFReader(r) })
}

func FuzzOggReader(f *testing.F) {
	fuzzClip(f, "opus", func(r io.Reader) (Reader, error) {
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		mendPages(b)
		return NewOggReader(bytes.NewReader(b))
	})
}

func FuzzWAVReader(f *testing.F) {
	fuzzClip(f, "PCMU", func(r io.Reader) (Reader, error) { return NewWAVReader(r) })
}

func FuzzAnnexBReader(f *testing.F) {
	for _, c := range clips {
		if c.codec.Name == "H265" {
			f.Add(c.bytes(f))
		}
	}
	fuzzClip(f, "H264", NewReader)
}

func FuzzInspect(f *testing.F) {
	for _, c := range clips {
		if c.video() {
			frame := readAll(f, open(f, c.bytes(f)))[0].Data
			f.Add(c.codec.Name, frame[:min(len(frame), 200)])
		}
	}
	f.Fuzz(func(t *testing.T, codec string, b []byte) {
		p := Inspect(codec, b)
		if p.Width < 0 || p.Width > 1<<16 || p.Height < 0 || p.Height > 1<<16 {
			t.Errorf("a picture of %d × %d", p.Width, p.Height)
		}
		p.interval()
	})
}

func FuzzDumpReader(f *testing.F) {
	f.Add([]byte(dumpText))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := NewDumpReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		w, err := NewDumpWriter(io.Discard, d.Start, d.Source)
		if err != nil {
			t.Fatal(err)
		}
		for {
			p, err := d.NextPacket()
			if err != nil {
				return
			}
			if len(p.Data) > len(b) {
				t.Fatalf("%d bytes out of %d", len(p.Data), len(b))
			}
			if err := w.WritePacket(p); err != nil && err != ErrEmpty && err != ErrTooLarge {
				t.Fatal(err)
			}
		}
	})
}
