package mediafile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"time"
)

// mendPages gives every page its checksum, so that what a test or a fuzzer has
// changed is looked at.
func mendPages(b []byte) {
	for at := 0; ; at += 4 {
		i := bytes.Index(b[at:], oggPattern)
		if i < 0 {
			return
		}
		at += i
		page := b[at:]
		if len(page) < oggHeaderSize || len(page) < oggHeaderSize+int(page[26]) {
			return
		}
		size := oggHeaderSize + int(page[26])
		for _, n := range page[oggHeaderSize:size] {
			size += int(n)
		}
		if size <= len(page) {
			binary.LittleEndian.PutUint32(page[oggCRC:], oggChecksum(page[:size]))
		}
	}
}

// pages reads all pages of a file.
func pages(t testing.TB, b []byte) (all []oggPage) {
	t.Helper()
	r := bufio.NewReaderSize(bytes.NewReader(b), oggMaxPage)
	for {
		p, err := readOggPage(r)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		p.lacing, p.data = bytes.Clone(p.lacing), bytes.Clone(p.data)
		all = append(all, p)
	}
}

// packet is an Opus packet of 20 ms with n bytes: of CELT, wideband.
func packet(n int) []byte {
	return append([]byte{23 << 3}, bytes.Repeat([]byte{7}, n-1)...)
}

const ms20 = 20 * time.Millisecond

func writeOpus(t testing.TB, frames ...Frame) []byte {
	t.Helper()
	return write(t, Codec{Name: "opus", Channels: 2}, frames)
}

// RFC 7845, Section 3: the identification header on the first page, alone; the
// comment header on the next; then audio, on pages of a second at most, the last
// of which says so. Granule positions are those of the end of each page.
func TestOggPages(t *testing.T) {
	var frames []Frame
	for i := range 120 {
		frames = append(frames, Frame{Data: packet(100), PTS: time.Second + time.Duration(i)*ms20})
	}
	all := pages(t, writeOpus(t, frames...))
	var granules []int64
	var flags []byte
	for i, p := range all {
		if int(p.number) != i || p.serial != 1 {
			t.Errorf("page %d says that it is number %d of stream %d", i, p.number, p.serial)
		}
		granules, flags = append(granules, p.granule), append(flags, p.flags)
	}
	if want := []int64{0, 0, 48_000, 96_000, 115_200}; !slices.Equal(granules, want) {
		t.Errorf("granule positions are %d, want %d", granules, want)
	}
	if want := []byte{oggBOS, 0, 0, 0, oggEOS}; !bytes.Equal(flags, want) {
		t.Errorf("flags are %d, want %d", flags, want)
	}
	if want := "OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"; string(all[0].data) != want {
		t.Errorf("identification header is %q, want %q", all[0].data, want)
	}
	if want := "OpusTags\x08\x00\x00\x00plainrtc\x00\x00\x00\x00"; string(all[1].data) != want {
		t.Errorf("comment header is %q, want %q", all[1].data, want)
	}
}

// RFC 3533, Section 5: "a value of less than 255 marks the end of the packet",
// which is why one of a multiple of 255 bytes ends in an empty segment.
func TestOggLacing(t *testing.T) {
	sizes := []int{1, 254, 255, 256, 509, 510, 511, 1275, 30_000, 61_000, 61_440}
	var frames []Frame
	for i, n := range sizes {
		frames = append(frames, Frame{Data: packet(n), PTS: time.Duration(i) * ms20})
	}
	b := writeOpus(t, frames...)
	for i, f := range readAll(t, open(t, b)) {
		if len(f.Data) != sizes[i] || f.PTS != frames[i].PTS {
			t.Errorf("packet %d has %d bytes at %v, want %d", i, len(f.Data), f.PTS, sizes[i])
		}
	}
	if got, want := pages(t, b)[2].lacing[:7], []byte{1, 254, 255, 0, 255, 1, 255}; !bytes.Equal(got, want) {
		t.Errorf("the segment table begins with %d, want %d", got, want)
	}
	w, _ := NewOggWriter(io.Discard, 1)
	for _, bad := range []struct {
		data []byte
		want error
	}{{nil, ErrEmpty}, {packet(61_441), ErrTooLarge}, {[]byte{3}, ErrMalformed}, {[]byte{3, 0}, ErrMalformed}} {
		if err := w.WriteFrame(Frame{Data: bad.data}); err != bad.want {
			t.Errorf("a packet of %d bytes: %v, want %v", len(bad.data), err, bad.want)
		}
	}
}

// Packets of other writers go over page ends, on which nothing ends.
func TestOggPacketsOverPages(t *testing.T) {
	var b bytes.Buffer
	o := oggWriter{output: newOutput(&b), serial: 9, flags: oggBOS}
	o.add(append([]byte("OpusHead"), 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0)
	o.flush()
	// A comment header with pictures.
	o.lacing, o.data, o.granule = bytes.Repeat([]byte{255}, 255), append([]byte("OpusTags"), make([]byte, 255*255-8)...), oggNoGranule
	o.flush()
	o.flags = oggContinued
	o.add(make([]byte, 100), 0)
	o.flush()
	first, second := packet(255*255+10), packet(50)
	o.lacing, o.data, o.granule = bytes.Repeat([]byte{255}, 200), slices.Clone(first[:200*255]), oggNoGranule
	o.flush()
	o.flags = oggContinued
	o.add(first[200*255:], 960)
	o.add(second, 1920)
	o.flush()
	third := packet(300)
	o.lacing, o.data, o.granule = []byte{255}, slices.Clone(third[:255]), oggNoGranule
	o.flush()
	o.flags = oggContinued | oggEOS
	o.add(third[255:], 2880-60) // and the last 60 samples are cut off
	o.flush()

	all := readAll(t, open(t, b.Bytes()))
	if len(all) != 2 {
		t.Fatalf("%d packets, want 2: the first is longer than any packet is", len(all))
	}
	if !bytes.Equal(all[0].Data, second) || !bytes.Equal(all[1].Data, third) {
		t.Error("the packets are not what was written")
	}
	if got := all[1].Duration; got != duration(900, opusClock) {
		t.Errorf("the last packet takes %v", got)
	}
	// A page in the middle is lost, and with it the beginning of a packet.
	whole := b.Bytes()
	at := bytes.LastIndex(whole[:bytes.LastIndex(whole, oggPattern)], oggPattern)
	end := bytes.LastIndex(whole, oggPattern)
	if all := readAll(t, open(t, append(slices.Clone(whole[:at]), whole[end:]...))); len(all) != 1 || !bytes.Equal(all[0].Data, second) {
		t.Errorf("without the last page but one there are %d packets", len(all))
	}
}

// What is not Ogg between pages, and pages that were damaged, are passed over; the
// time goes on as the next page says.
func TestOggDamage(t *testing.T) {
	var frames []Frame
	for i := range 150 {
		frames = append(frames, Frame{Data: packet(40), PTS: time.Duration(i) * ms20})
	}
	b := writeOpus(t, frames...)
	var starts []int
	for at := 0; ; at++ {
		i := bytes.Index(b[at:], oggPattern)
		if i < 0 {
			break
		}
		at += i
		starts = append(starts, at)
	}
	if len(starts) != 5 {
		t.Fatalf("pages start at %d", starts)
	}
	b[starts[3]+1000] ^= 1 // in the second second
	b = slices.Insert(b, starts[3], []byte("OgOggOggS garbage")...)
	b = slices.Insert(b, starts[2], []byte("more")...)
	all := readAll(t, open(t, b))
	if len(all) != 100 {
		t.Fatalf("%d packets, want 100", len(all))
	}
	if all[49].PTS != 49*ms20 || all[50].PTS != 100*ms20 || all[99].PTS != 149*ms20 {
		t.Errorf("times are %v, %v, %v", all[49].PTS, all[50].PTS, all[99].PTS)
	}
}

// Of a file with several streams, the first of Opus is read.
func TestOggStreams(t *testing.T) {
	var b bytes.Buffer
	other := oggWriter{output: newOutput(&b), serial: 2, flags: oggBOS}
	other.add([]byte("fishead"), 0)
	other.flush()
	mine := writeOpus(t, Frame{Data: packet(10)}, Frame{Data: packet(11), PTS: ms20})
	second := bytes.Index(mine[1:], oggPattern) + 1
	b.Write(mine[:second])
	other.add([]byte("and so on"), 0)
	other.flush()
	b.Write(mine[second:])
	if all := readAll(t, open(t, b.Bytes())); len(all) != 2 || len(all[1].Data) != 11 {
		t.Errorf("%d packets, want 2", len(all))
	}
	for name, text := range map[string]string{
		"video alone":      string(b.Bytes()[:37]),
		"no channel":       "OpusHead\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"surround":         "OpusHead\x01\x06\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		"a later version":  "OpusHead\x10\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"a header too few": "OpusHead\x01\x01",
	} {
		var b bytes.Buffer
		o := oggWriter{output: newOutput(&b), serial: 2, flags: oggBOS}
		o.add([]byte(text), 0)
		o.flush()
		o.add([]byte("x"), 0)
		o.flush()
		if _, err := NewReader(&b); err != ErrMalformed && err != ErrCodec {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A recording stays as long as the call was: what did not arrive is concealed, and
// what arrived twice or a little off does not shift the rest.
func TestOggGaps(t *testing.T) {
	silk := func(n int) []byte { return append([]byte{9 << 3}, make([]byte, n)...) } // wideband, 20 ms
	b := writeOpus(t,
		Frame{Data: silk(30), PTS: 0},
		Frame{Data: silk(31), PTS: ms20},
		// Three packets are lost, and five quarters of a half-second pause.
		Frame{Data: silk(32), PTS: 5 * ms20},
		Frame{Data: packet(33), PTS: 6*ms20 + 625*time.Millisecond},
		// The clock jumps by an hour: that is no pause.
		Frame{Data: packet(34), PTS: time.Hour},
		Frame{Data: packet(35), PTS: time.Hour + ms20},
	)
	var got []time.Duration
	position := time.Duration(0)
	for i, f := range readAll(t, open(t, b)) {
		if f.PTS != position {
			t.Errorf("packet %d is for %v, want %v", i, f.PTS, position)
		}
		position += f.Duration
		if len(f.Data) > 2 {
			got = append(got, f.PTS)
		} else if f.Data[0]&3 != 3 {
			t.Errorf("packet %d is %x, want one of empty frames", i, f.Data)
		}
	}
	last := 6*ms20 + 625*time.Millisecond
	if want := []time.Duration{0, ms20, 5 * ms20, last, last + ms20, last + 2*ms20}; !slices.Equal(got, want) {
		t.Errorf("packets are for %v, want %v", got, want)
	}
}

// A writer that is never closed leaves a file that can be read.
func TestOggWithoutClose(t *testing.T) {
	var b bytes.Buffer
	w, err := NewOggWriter(&b, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		if err := w.WriteFrame(Frame{Data: packet(100), PTS: time.Duration(i) * ms20}); err != nil {
			t.Fatal(err)
		}
	}
	if all := readAll(t, open(t, b.Bytes())); len(all) != 100 {
		t.Errorf("%d packets, want those of two seconds", len(all))
	}
}
