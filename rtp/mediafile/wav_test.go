package mediafile

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"time"
)

// riff makes a file of chunks.
func riff(chunks ...string) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVE")
	for i := 0; i+1 < len(chunks); i += 2 {
		b = append(b, chunks[i]...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(chunks[i+1])))
		b = append(b, chunks[i+1]...)
		if len(chunks[i+1])&1 == 1 {
			b = append(b, 0)
		}
	}
	return b
}

// format makes a format chunk.
func format(tag, channels, rate, bits int) string {
	b := binary.LittleEndian.AppendUint16(nil, uint16(tag))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate))
	b = binary.LittleEndian.AppendUint32(b, uint32(rate*channels*bits/8))
	b = binary.LittleEndian.AppendUint16(b, uint16(channels*bits/8))
	return string(binary.LittleEndian.AppendUint16(b, uint16(bits)))
}

// Other chunks are passed over, and samples stand in the order of the network.
func TestWAVChunks(t *testing.T) {
	samples := "\x01\x00\x02\x00\x03\x00\x04\x00"
	extensible := format(wavExtensible, 2, 48_000, 16) + "\x16\x00\x10\x00\x03\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
	for name, b := range map[string][]byte{
		"plain":      riff("fmt ", format(wavPCM, 2, 48_000, 16), "data", samples),
		"others":     riff("LIST", "odd", "fmt ", format(wavPCM, 2, 48_000, 16), "fact", "1234", "data", samples, "LIST", "more"),
		"extensible": riff("fmt ", extensible, "data", samples),
	} {
		r := open(t, b)
		if r.Codec() != (Codec{"L16", 48_000, 2}) {
			t.Errorf("%s: %+v", name, r.Codec())
		}
		all := readAll(t, r)
		if len(all) != 1 || string(all[0].Data) != "\x00\x01\x00\x02\x00\x03\x00\x04" {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

func TestWAVErrors(t *testing.T) {
	for name, b := range map[string][]byte{
		"no format":            riff("data", "1234"),
		"a short format":       riff("fmt ", "short", "data", "1234"),
		"a long one":           riff("fmt ", string(make([]byte, 300)), "data", "1234"),
		"no data":              riff("fmt ", format(wavPCM, 1, 8000, 16)),
		"24 bits":              riff("fmt ", format(wavPCM, 1, 8000, 24), "data", "123"),
		"floating point":       riff("fmt ", format(3, 1, 8000, 32), "data", "1234"),
		"no channel":           riff("fmt ", format(wavPCM, 0, 8000, 16), "data", "12"),
		"9 channels":           riff("fmt ", format(wavPCM, 9, 8000, 16), "data", "12"),
		"one sample a second":  riff("fmt ", format(wavMuLaw, 1, 1, 8), "data", "12"),
		"a million":            riff("fmt ", format(wavMuLaw, 1, 1_000_000, 8), "data", "12"),
		"a chunk without end":  append(riff(), "LIST\xff\xff\xff\xff"...),
		"nothing but its name": []byte("RIFF\x00\x00\x00\x00WAVE"),
	} {
		if _, err := NewReader(bytes.NewReader(b)); err != ErrMalformed && err != ErrCodec && err != ErrTruncated {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What did not arrive is silence of its length, which for each codec is another byte.
func TestWAVGaps(t *testing.T) {
	for _, test := range []struct {
		codec   Codec
		silence byte
		ms20    int // bytes
	}{
		{Codec{"PCMU", 8000, 1}, 0xff, 160},
		{Codec{"PCMA", 8000, 1}, 0xd5, 160},
		{Codec{"L16", 48_000, 2}, 0, 3840},
		{Codec{"G722", 8000, 1}, 0xfa, 160},
	} {
		sound := bytes.Repeat([]byte{1}, test.ms20)
		b := write(t, test.codec, []Frame{
			{Data: sound, PTS: time.Hour},
			{Data: sound, PTS: time.Hour + ms20},
			{Data: sound, PTS: time.Hour + 5*ms20},
			{Data: sound, PTS: time.Hour + 6*ms20 + 100*time.Microsecond}, // of rounding
			{Data: sound, PTS: time.Hour + 6*ms20},                        // again: it does not matter
			{Data: sound, PTS: 3 * time.Hour},                             // a clock that jumps
			{Data: sound, PTS: 3*time.Hour + 2*ms20},
		})
		var got []byte
		for _, f := range readAll(t, open(t, b)) {
			if len(f.Data) != test.ms20 {
				t.Fatalf("%s: a piece of %d bytes", test.codec.Name, len(f.Data))
			}
			got = append(got, f.Data[test.ms20/2])
		}
		s := test.silence
		if want := []byte{1, 1, s, s, s, 1, 1, 1, 1, s, 1}; !bytes.Equal(got, want) {
			t.Errorf("%s: sound and silence are %x, want %x", test.codec.Name, got, want)
		}
	}
}

func TestWAVWriterErrors(t *testing.T) {
	w, err := NewWAVWriter(io.Discard, Codec{"l16", 48_000, 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct {
		data []byte
		want error
	}{{nil, ErrEmpty}, {make([]byte, 6), ErrMalformed}} {
		if err := w.WriteFrame(Frame{Data: bad.data}); err != bad.want {
			t.Errorf("%d bytes: %v, want %v", len(bad.data), err, bad.want)
		}
	}
	w.size = 1<<32 - 100
	if err := w.WriteFrame(Frame{Data: make([]byte, 64)}); err != ErrTooLarge {
		t.Errorf("beyond 4 GiB: %v", err)
	}
}
