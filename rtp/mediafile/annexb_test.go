package mediafile

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// stream makes a byte stream of NAL units, with start codes of both lengths and the
// zeros that may stand before them.
func stream(nals ...string) []byte {
	var b []byte
	for i, nal := range nals {
		b = append(b, make([]byte, (i*3)%4)...)
		b = append(b, 0, 0, 1)
		b = append(b, nal...)
	}
	return append(b, 0, 0)
}

// units reads access units, each as its NAL units with a bar between.
func units(t *testing.T, codec string, b []byte) (all []string) {
	t.Helper()
	// A reader that gives a byte at a time finds every start code in pieces.
	a, err := NewAnnexBReader(iotest.OneByteReader(bytes.NewReader(b)), codec)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range readAll(t, a) {
		var nals []string
		for nal, rest := nextNAL(f.Data); nal != nil; nal, rest = nextNAL(rest) {
			nals = append(nals, string(nal))
		}
		all = append(all, strings.Join(nals, "|"))
	}
	return all
}

// What is in H.264 streams: S are slices, each first or going on.
const (
	avcSPS, avcPPS, avcOther = "\x67s", "\x68p", "\x68other"
	avcAUD, avcSEI, avcEnd   = "\x09\xf0", "\x06e", "\x0b"
	avcIDR, avcIDRMore       = "\x65\x88i", "\x65\x44i"
	avcS, avcSMore           = "\x41\x9as", "\x41\x66s"
)

func TestH264AccessUnits(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"slices alone":   {"I S S", "I, S, S"},
		"several slices": {"I i S s s S", "I i, S s s, S"},
		"delimiters":     {"A p q I A S A S s", "A p q I, A S, A S s"},
		// What precedes a picture belongs to it, even if it follows a slice.
		"sets and SEI": {"p q e I e S q S e q e S", "p q e I, e S, q S, e q e S"},
		// What has no place in front of a picture belongs to the one before.
		"end of sequence": {"p q I i E p q I", "p q I i E, p q I"},
		// Sets that were given once are repeated, the latest of them; behind a
		// delimiter if there is one.
		"repeated sets": {"p q I S I A I o S I", "p q I, S, p q I, A p q I, o S, p q o I"},
		// A stream that begins in the middle has nothing to repeat.
		"no sets":              {"S s I S", "S s, I, S"},
		"nothing at its end":   {"I S A p", "I, S"},
		"a picture and a half": {"i s I", "i s, I"},
	} {
		names := map[string]string{"p": avcSPS, "q": avcPPS, "o": avcOther, "A": avcAUD, "e": avcSEI, "E": avcEnd, "I": avcIDR, "i": avcIDRMore, "S": avcS, "s": avcSMore}
		checkUnits(t, name, "H264", names, test.in, test.want)
	}
}

func checkUnits(t *testing.T, name, codec string, names map[string]string, in, want string) {
	t.Helper()
	var nals, wanted []string
	for _, n := range strings.Fields(in) {
		nals = append(nals, names[n])
	}
	for unit := range strings.SplitSeq(want, ", ") {
		var nals []string
		for _, n := range strings.Fields(unit) {
			nals = append(nals, names[n])
		}
		wanted = append(wanted, strings.Join(nals, "|"))
	}
	if got := units(t, codec, stream(nals...)); strings.Join(got, "\n") != strings.Join(wanted, "\n") {
		t.Errorf("%s, %s: units are %q, want %q", codec, name, got, wanted)
	}
}

func TestH265AccessUnits(t *testing.T) {
	names := map[string]string{
		"v": "\x40\x01v", "p": "\x42\x01p", "q": "\x44\x01q", "A": "\x46\x01\x50", "e": "\x4e\x01e", "x": "\x50\x01x", "E": "\x48\x01",
		"I": "\x26\x01\xafi", "i": "\x26\x01\x2fi", "C": "\x2a\x01\xafc", "S": "\x02\x01\xd0s", "s": "\x02\x01\x50s",
		"L": "\x02\x09\xd0l", // of another layer
	}
	for name, test := range map[string]struct{ in, want string }{
		"slices":     {"v p q I i S s S", "v p q I i, S s, S"},
		"delimiters": {"A v p q e I A S x A S", "A v p q e I, A S x, A S"},
		// SEI is no delimiter: sets stand in front of it.
		"sets":        {"v p q I S C q S e I", "v p q I, S, v p q C, q S, v p q e I"},
		"layers":      {"v p q I L S L", "v p q I L, S L"},
		"end":         {"v p q I E S", "v p q I E, S"},
		"without any": {"S I", "S, I"},
	} {
		checkUnits(t, name, "H265", names, test.in, test.want)
	}
}

// Without times in the parameter sets a picture takes 1/30 s, or what the caller says.
func TestAnnexBInterval(t *testing.T) {
	a, err := NewAnnexBReader(bytes.NewReader(stream(avcIDR, avcS, avcS, avcS)), "h264")
	if err != nil {
		t.Fatal(err)
	}
	if a.Interval != time.Second/30 {
		t.Errorf("a picture takes %v", a.Interval)
	}
	a.Interval = 100 * time.Millisecond
	for i, f := range readAll(t, a) {
		if f.PTS != time.Duration(i)*a.Interval || f.Duration != a.Interval {
			t.Errorf("picture %d is for %v, for %v", i, f.PTS, f.Duration)
		}
	}
}

// A NAL unit without an end does not fill the memory, and neither do parameter sets
// or a picture of many slices.
func TestAnnexBLimits(t *testing.T) {
	endless := func(nal string) io.Reader {
		return io.MultiReader(bytes.NewReader(stream(avcIDR, avcS)), &forever{bytes: []byte(nal)})
	}
	for name, r := range map[string]io.Reader{
		"a slice":        endless("\x00\x00\x01\x41\x9a" + strings.Repeat("x", MaxFrame+2*nalChunk)),
		"slices":         endless("\x00\x00\x01" + avcSMore + strings.Repeat("x", 1<<12)),
		"parameter sets": endless("\x00\x00\x01" + avcPPS + strings.Repeat("x", 1<<12)),
		"no start code":  &forever{bytes: bytes.Repeat([]byte{0}, 1<<12)},
	} {
		a, err := NewAnnexBReader(r, "H264")
		for err == nil {
			_, err = a.NextFrame()
		}
		if err != ErrTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Sets that follow each other without a picture between them add up, and are not
	// repeated beyond a bound.
	b := stream(avcSPS, avcIDR)
	for i := range 100 {
		b = append(b, stream(avcPPS+strings.Repeat("x", 1<<10+i), avcS)...)
	}
	b = append(b, stream(avcIDR)...)
	all := readAll(t, open(t, b))
	if n := len(all[len(all)-1].Data); n > maxSets+100 || n < maxSets/2 {
		t.Errorf("the last key frame has %d bytes", n)
	}
}

type forever struct {
	bytes []byte
	at    int
}

func (f *forever) Read(b []byte) (int, error) {
	n := copy(b, f.bytes[f.at:])
	f.at = (f.at + n) % len(f.bytes)
	return n, nil
}

// A stream that is read by pieces is the same; one that fails, fails.
func TestAnnexBReadError(t *testing.T) {
	whole := clips[3].bytes(t)
	a, err := NewAnnexBReader(io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(errFull)), "H264")
	for err == nil {
		_, err = a.NextFrame()
	}
	if err != errFull {
		t.Errorf("%v, want the reader's error", err)
	}
	if _, err := NewAnnexBReader(bytes.NewReader(whole), "VP8"); err != ErrCodec {
		t.Errorf("VP8 in Annex B: %v", err)
	}
}

// Parameter sets that are signalled in SDP stand in front of the file.
func TestAnnexBWriterSets(t *testing.T) {
	frame := stream(avcIDR)
	var b bytes.Buffer
	w, err := NewAnnexBWriter(&b, "H264")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFrame(Frame{Data: frame}); err != nil || b.Len() > 0 {
		t.Errorf("a key frame without sets: %v, %d bytes", err, b.Len())
	}
	w.ParameterSets = stream(avcSPS, avcPPS)
	if err := w.WriteFrame(Frame{Data: frame}); err != nil {
		t.Fatal(err)
	}
	if want := append(stream(avcSPS, avcPPS), frame...); !bytes.Equal(b.Bytes(), want) {
		t.Errorf("the file is %x, want %x", b.Bytes(), want)
	}
	for _, bad := range []struct {
		data []byte
		want error
	}{{nil, ErrEmpty}, {[]byte(avcIDR), ErrMalformed}, {make([]byte, MaxFrame+1), ErrTooLarge}} {
		if err := w.WriteFrame(Frame{Data: bad.data}); err != bad.want {
			t.Errorf("%d bytes: %v, want %v", len(bad.data), err, bad.want)
		}
	}
	if _, err := NewAnnexBWriter(&b, "VP8"); err != ErrCodec {
		t.Errorf("VP8 in Annex B: %v", err)
	}
}
