package payload

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var formats = []Format{Opus, G711, G722, L16, VP8, VP9, H264, H265, AV1}

func TestFormatNames(t *testing.T) {
	for name, want := range map[string]Format{"opus": Opus, "OPUS": Opus, "PCMU": G711, "pcma": G711, "G722": G722, "L16": L16, "VP8": VP8, "VP9": VP9, "H264": H264, "H265": H265, "AV1": AV1} {
		if got, ok := FormatByName(name); !ok || got != want {
			t.Errorf("%s is %v, %v", name, got, ok)
		}
	}
	if _, ok := FormatByName("rtx"); ok || Format(0).String() != "unknown format" || VP8.String() != "VP8" || G711.String() != "G711" {
		t.Error("names of formats")
	}
}

func TestStartRefuses(t *testing.T) {
	for _, f := range formats {
		p := f.NewPacketizer()
		if err := p.Start([]byte{1}, 63); err != ErrLimit {
			t.Errorf("%v with payloads of 63 bytes: %v", f, err)
		}
		if err := p.Start(nil, 1200); err != ErrEmpty {
			t.Errorf("%v of nothing: %v", f, err)
		}
		if _, err := f.Inspect(nil); err != ErrEmpty {
			t.Errorf("%v inspects nothing: %v", f, err)
		}
		if _, err := f.NewDepacketizer().Append(nil, nil); err == nil {
			t.Errorf("%v puts nothing together", f)
		}
	}
	for _, test := range []struct {
		name  string
		p     Packetizer
		frame []byte
		want  error
	}{
		{"audio too large", new(AudioPacketizer), make([]byte, 1201), ErrTooLarge},
		{"H.264 without a start code", new(H264Packetizer), []byte{0x65, 1, 2, 3}, ErrFrame},
		{"H.264 of start codes alone", new(H264Packetizer), []byte{0, 0, 0, 1, 0, 0, 1, 0, 0}, ErrFrame},
		{"H.265 of half a header", new(H265Packetizer), []byte{0, 0, 1, 0x40}, ErrFrame},
		{"a slice too large for mode 0", &H264Packetizer{SingleNAL: true}, append([]byte{0, 0, 1, 0x65}, bytes.Repeat([]byte{1}, 1200)...), ErrTooLarge},
		{"an OBU beyond the end", new(AV1Packetizer), []byte{0x32, 5, 1, 2}, ErrFrame},
		{"an OBU with the forbidden bit", new(AV1Packetizer), []byte{0xb2, 1, 1}, ErrFrame},
		{"a temporal delimiter alone", new(AV1Packetizer), []byte{0x12, 0}, ErrFrame},
	} {
		if err := test.p.Start(test.frame, 1200); err != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

// A prefix of a payload never makes a descriptor or an aggregate out of what is
// not there, and never panics.
func TestPrefixes(t *testing.T) {
	for _, v := range videos {
		all := frames(t, v.format, v.name)
		for _, payload := range all[0].payloads {
			for n := range len(payload) {
				d := v.format.NewDepacketizer()
				frame, err := d.Append(nil, payload[:n])
				info, inspectErr := v.format.Inspect(payload[:n])
				if inspectErr != nil && (err == nil || info != (Info{})) {
					t.Fatalf("%s: the first %d bytes are put together (%d bytes), and not inspected: %v", v.name, n, len(frame), inspectErr)
				}
			}
		}
	}
	for n := range 3 {
		if _, ok := ParseEvent([]byte{1, 2, 3}[:n]); ok {
			t.Errorf("%d bytes are an event", n)
		}
	}
	red := AppendRED(nil, 111, []byte("now"), Redundancy{111, 960, []byte("before")})
	for n := range len(red) - len("now") {
		if _, ok := ParseRED(red[:n]); ok {
			t.Errorf("the first %d bytes of %x are RED", n, red)
		}
	}
}

func nals(units ...string) (frame []byte) {
	for _, u := range units {
		frame = append(appendStartCode(frame), u...)
	}
	return frame
}

func TestH264Structures(t *testing.T) {
	long := "\x65" + strings.Repeat("x", 100)
	frame := nals("\x67sps", "\x68pps", long, "\x06s")
	got := cut(t, H264, new(H264Packetizer), frame, 64)
	want := []string{
		"\x78\x00\x04\x67sps\x00\x04\x68pps", // STAP-A with the highest NRI
		"\x7c\x85" + strings.Repeat("x", 50), // FU-A with S, in two like halves
		"\x7c\x45" + strings.Repeat("x", 50), // and with E
		"\x06s",
	}
	if len(got) != len(want) {
		t.Fatalf("%d payloads: %q", len(got), got)
	}
	for i := range want {
		if string(got[i]) != want[i] {
			t.Errorf("payload %d is %q, want %q", i, got[i], want[i])
		}
	}
	single := cut(t, H264, &H264Packetizer{SingleNAL: true}, nals("\x67sps", "\x68pps"), 64)
	if len(single) != 2 || string(single[0]) != "\x67sps" {
		t.Errorf("mode 0 sends %q", single)
	}
	if info, _ := H264.Inspect(got[1]); !info.Key || !info.Start {
		t.Errorf("the start of an IDR fragment: %+v", info)
	}
	if info, _ := H264.Inspect(got[2]); info.Key || info.Start {
		t.Errorf("the end of an IDR fragment: %+v", info)
	}
}

func TestH265Structures(t *testing.T) {
	long := "\x26\x01" + strings.Repeat("x", 100)                    // IDR_W_RADL
	frame := nals("\x40\x01vps", "\x42\x03sps", "\x44\x0apps", long) // TIDs 1, 3, 2; the last of layer 1
	got := cut(t, H265, new(H265Packetizer), frame, 64)
	want := []string{
		"\x60\x01\x00\x05\x40\x01vps\x00\x05\x42\x03sps\x00\x05\x44\x0apps", // AP with the lowest layer and TID
		"\x62\x01\x93" + strings.Repeat("x", 50),                            // FU with S, of type 19
		"\x62\x01\x53" + strings.Repeat("x", 50),                            // and with E
	}
	if len(got) != len(want) {
		t.Fatalf("%d payloads: %q", len(got), got)
	}
	for i := range want {
		if string(got[i]) != want[i] {
			t.Errorf("payload %d is %q, want %q", i, got[i], want[i])
		}
		if info, err := H265.Inspect(got[i]); err != nil || info.Key != (i < 2) || info.Start != (i < 2) {
			t.Errorf("payload %d: %+v, %v", i, info, err)
		}
	}
	if back, err := join(H265, got); err != nil || !bytes.Equal(back, frame) {
		t.Errorf("it comes back as %q, %v", back, err)
	}
}

// The aggregation header's W, as the AV1 payload format has it: the number of
// elements up to three, of which the last has no length; 0 for more.
func TestAV1Structures(t *testing.T) {
	frame := []byte{0x12, 0} // a temporal delimiter, which is not sent
	frame = append(frame, 0x0a, 3, 's', 'e', 'q')
	frame = append(frame, 0x36, 0x20, 4, 'f', 'r', 'a', 'm') // a frame OBU with an extension
	got := cut(t, AV1, new(AV1Packetizer), frame, 64)
	if want := "\x28\x04\x08seq\x34\x20fram"; len(got) != 1 || string(got[0]) != want {
		t.Errorf("two OBUs are sent as %q, want %q", got, want)
	}
	if back, err := join(AV1, got); err != nil || !bytes.Equal(back, frame[2:]) {
		t.Errorf("it comes back as %x, %v", back, err)
	}
	if info, _ := AV1.Inspect(got[0]); !info.Key || !info.Start {
		t.Errorf("a new coded video sequence: %+v", info)
	}

	five := bytes.Repeat([]byte{0x22, 1, 't'}, 5) // tile groups
	if got, want := cut(t, AV1, new(AV1Packetizer), five, 64), "\x00"+strings.Repeat("\x02\x20t", 5); len(got) != 1 || string(got[0]) != want {
		t.Errorf("five OBUs are sent as %q, want %q", got, want)
	}

	big := append([]byte{0x32}, appendLEB128(nil, 150)...)
	big = append(big, bytes.Repeat([]byte{'x'}, 150)...)
	got = cut(t, AV1, new(AV1Packetizer), big, 64)
	for i, want := range []byte{0x50, 0xd0, 0x90} { // Y; Z and Y; Z
		if got[i][0] != want {
			t.Errorf("fragment %d has header %x, want %x", i, got[i][0], want)
		}
	}
	// The sender may leave sizes in, and write them longer than need be.
	if back, err := join(AV1, [][]byte{{0x10, 0x32, 0x81, 0x00, 'x'}}); err != nil || !bytes.Equal(back, []byte{0x32, 0x81, 0x00, 'x'}) {
		t.Errorf("an OBU with its size comes back as %x, %v", back, err)
	}
}

// What cannot follow what came before is an error; and Finish makes ready again.
func TestFragmentsThatDoNotFit(t *testing.T) {
	fuStart, fuMiddle, fuEnd, single := []byte{0x7c, 0x85, 'x'}, []byte{0x7c, 0x05, 'x'}, []byte{0x7c, 0x45, 'x'}, []byte{0x65, 'x'}
	av1Start, av1End, av1Whole := []byte{0x50, 0x30, 'x'}, []byte{0x90, 'x'}, []byte{0x10, 0x30, 'x'}
	for _, test := range []struct {
		name     string
		f        Format
		payloads [][]byte
		want     error
	}{
		{"a whole fragment", H264, [][]byte{fuStart, fuMiddle, fuEnd}, nil},
		{"no start", H264, [][]byte{fuMiddle}, ErrFragment},
		{"no end", H264, [][]byte{fuStart, fuMiddle}, ErrFragment},
		{"two starts", H264, [][]byte{fuStart, fuStart}, ErrFragment},
		{"another unit within", H264, [][]byte{fuStart, single}, ErrFragment},
		{"start and end", H264, [][]byte{{0x7c, 0xc5, 'x'}}, ErrMalformed},
		{"an empty fragment", H264, [][]byte{{0x7c, 0x85}}, ErrMalformed},
		{"an empty aggregate", H264, [][]byte{{0x78}}, ErrMalformed},
		{"an aggregate of nothing", H264, [][]byte{{0x78, 0, 0}}, ErrMalformed},
		{"an aggregate cut off", H264, [][]byte{{0x78, 0, 2, 0x65}}, ErrMalformed},
		{"STAP-B", H264, [][]byte{{0x79, 0, 0, 0, 1, 0x65}}, ErrUnsupported},
		{"H.265 no end", H265, [][]byte{{0x62, 1, 0x93, 'x'}}, ErrFragment},
		{"H.265 no start", H265, [][]byte{{0x62, 1, 0x53, 'x'}}, ErrFragment},
		{"H.265 PACI", H265, [][]byte{{0x64, 1, 0, 0}}, ErrUnsupported},
		{"AV1 whole", AV1, [][]byte{av1Start, av1End, av1Whole}, nil},
		{"AV1 no start", AV1, [][]byte{av1End}, ErrFragment},
		{"AV1 no end", AV1, [][]byte{av1Start}, ErrFragment},
		{"AV1 another unit within", AV1, [][]byte{av1Start, av1Whole}, ErrFragment},
		{"AV1 fewer elements than W", AV1, [][]byte{{0x20, 2, 0x30, 'x'}}, ErrMalformed},
		{"AV1 an element beyond the end", AV1, [][]byte{{0x00, 3, 0x30, 'x'}}, ErrMalformed},
		{"AV1 a size that is wrong", AV1, [][]byte{{0x10, 0x32, 5, 'x'}}, ErrMalformed},
		{"VP8 no start", VP8, [][]byte{{0x00, 'x'}}, ErrFragment},
		{"VP8 nothing", VP8, [][]byte{{0x10}}, ErrEmpty},
		{"VP8 no picture id", VP8, [][]byte{{0x90, 0x80}}, ErrDescriptor},
		{"VP9 no start", VP9, [][]byte{{0x00, 'x'}}, ErrFragment},
		{"VP9 four references", VP9, [][]byte{{0x58, 3, 3, 3, 2, 'x'}}, ErrDescriptor},
		{"VP9 a structure cut off", VP9, [][]byte{{0x0a, 0x10, 1, 2, 3}}, ErrDescriptor},
	} {
		d := test.f.NewDepacketizer()
		var frame []byte
		var err error
		for _, p := range test.payloads {
			if frame, err = d.Append(frame, p); err != nil {
				break
			}
		}
		if finish := d.Finish(); err == nil {
			err = finish
		}
		if err != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
		if err := d.Finish(); err != nil {
			t.Errorf("%s: after Finish: %v", test.name, err)
		}
	}
}

func TestVP8PictureIDs(t *testing.T) {
	p := &VP8Packetizer{Descriptor: VP8Descriptor{HasPictureID: true, PictureID: 0x7fff, HasTID: true, TID: 2, LayerSync: true, HasTL0PICIDX: true, TL0PICIDX: 9}}
	first := cut(t, VP8, p, make([]byte, 100), 64)
	second := cut(t, VP8, p, []byte{1}, 64)
	if want := []byte{0x90, 0xe0, 0xff, 0xff, 9, 0xa0}; !bytes.Equal(first[0][:6], want) || first[1][0] != 0x80 || len(first) != 2 {
		t.Errorf("%x, %x", first[0][:6], first[1][:6])
	}
	if want := []byte{0x90, 0xe0, 0x80, 0x00, 9, 0xa0, 1}; !bytes.Equal(second[0], want) {
		t.Errorf("%x, want %x", second[0], want)
	}
	var d VP8Descriptor
	if piece, ok := d.Parse([]byte{0xb3, 0xb0, 0x7f, 0xff, 'x'}); !ok || string(piece) != "x" || !d.Short || d.PictureID != 127 || !d.HasKeyIndex || d.KeyIndex != 31 || d.TID != 3 || !d.NonReference || d.Partition != 3 {
		t.Errorf("%+v, %q, %v", d, piece, ok)
	}
}

func TestVP9Flexible(t *testing.T) {
	want := VP9Descriptor{InterPredicted: true, Flexible: true, Start: true, HasPictureID: true, PictureID: 300, HasLayers: true, TID: 3, SID: 2,
		SwitchingUp: true, InterLayer: true, Diffs: [3]uint8{1, 2, 127}, DiffCount: 3, HasStructure: true,
		Structure: VP9Structure{SpatialLayers: 2, HasSizes: true, Width: [8]uint16{320, 640}, Height: [8]uint16{180, 360}, HasGroup: true, GroupLen: 2, Group: []byte{0x04, 1, 0x28, 1, 2}}}
	b := want.Append(nil)
	var got VP9Descriptor
	if piece, ok := got.Parse(append(b, 'x')); !ok || string(piece) != "x" {
		t.Fatalf("%x is not read: %+v", b, got)
	}
	if again := got.Append(nil); !bytes.Equal(again, b) || got.DiffCount != 3 || got.Structure.Height[1] != 360 || !bytes.Equal(got.Structure.Group, want.Structure.Group) {
		t.Errorf("%+v comes back as %+v", want, got)
	}
}

func TestVP9Keys(t *testing.T) {
	for _, test := range []struct {
		first byte
		key   bool
		why   string
	}{
		{0x82, true, "profile 0, frame_type 0"},
		{0x86, false, "frame_type 1"},
		{0x8a, false, "show_existing_frame"},
		{0xb1, true, "profile 3 has a reserved bit before them"},
		{0xb2, false, "profile 3, frame_type 1"},
		{0x42, false, "not VP9"},
	} {
		if got := vp9Key([]byte{test.first}); got != test.key {
			t.Errorf("%x: %v; %s", test.first, got, test.why)
		}
	}
}

func TestOpusDurations(t *testing.T) {
	for _, test := range []struct {
		packet []byte
		want   uint32
	}{
		{[]byte{0x78, 1}, 960},     // CELT fullband 20 ms, as Chromium sends
		{[]byte{0x00}, 480},        // SILK 10 ms
		{[]byte{0x18}, 2880},       // SILK 60 ms
		{[]byte{0x60}, 480},        // hybrid 10 ms
		{[]byte{0x80}, 120},        // CELT 2.5 ms
		{[]byte{0x79}, 1920},       // two frames
		{[]byte{0x7b, 0x83}, 2880}, // three frames, of their own sizes
		{[]byte{0x1b, 3}, 0},       // 180 ms is too long
		{[]byte{0x7b}, 0},          // no count
		{nil, 0},
	} {
		if got := Opus.Duration(test.packet, 2); got != test.want {
			t.Errorf("%x lasts %d, want %d", test.packet, got, test.want)
		}
	}
	if got := L16.Duration(make([]byte, 960), 2); got != 240 {
		t.Errorf("L16 of two channels lasts %d", got)
	}
	if VP8.Duration([]byte{1}, 1) != 0 {
		t.Error("video has a duration")
	}
}

func TestL16(t *testing.T) {
	samples := []int16{0, 1, -1, 32767, -32768}
	b := AppendL16(nil, samples...)
	if got := AppendSamples(nil, append(b, 9)); !slices.Equal(got, samples) || b[3] != 1 {
		t.Errorf("%v", got)
	}
}

func TestTones(t *testing.T) {
	for i := range len(tones) {
		code, ok := ToneCode(tones[i])
		if !ok || (Event{Code: code}).Tone() != tones[i] {
			t.Errorf("%c", tones[i])
		}
	}
	if code, ok := ToneCode('d'); !ok || code != 15 {
		t.Error("a small d")
	}
	if _, ok := ToneCode('x'); ok || (Event{Code: 16}).Tone() != 0 {
		t.Error("a tone that is none")
	}
	if got := (Event{Code: 11, End: true, Volume: 99, Duration: 800}).Append(nil); !bytes.Equal(got, []byte{11, 0xbf, 3, 0x20}) {
		t.Errorf("%x", got)
	}
}

func TestREDLeavesOutWhatDoesNotFit(t *testing.T) {
	b := AppendRED(nil, 111, []byte("now"), Redundancy{111, 1 << 14, []byte("old")}, Redundancy{111, 960, make([]byte, 1024)}, Redundancy{110, 1<<14 - 1, nil})
	var got []Redundancy
	for r := range REDBlocks(b) {
		got = append(got, r)
	}
	if len(got) != 2 || got[0].Offset != 1<<14-1 || got[0].PayloadType != 110 || string(got[1].Data) != "now" {
		t.Errorf("%v", got)
	}
}

// Frames of any content and size are cut and joined, at any limit.
func TestRandomFrames(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		limit := 64 + random.IntN(200)
		for _, f := range formats {
			frame := randomFrame(random, f)
			p := f.NewPacketizer()
			if err := p.Start(frame, limit); err == ErrTooLarge {
				continue
			}
			got, err := join(f, cut(t, f, p, frame, limit))
			if err != nil || !bytes.Equal(got, frame) {
				t.Fatalf("%v: %x cut at %d comes back as %x, %v", f, frame, limit, got, err)
			}
		}
	}
}

// All payloads of a frame have one size but for the last, so that one system call sends them.
func TestPiecesOfOneSize(t *testing.T) {
	const size, limit = 23000, 1171
	for _, f := range []Format{VP8, VP9, H264, H265, AV1} {
		frame := bytes.Repeat([]byte{1}, size)
		switch f {
		case H264, H265:
			frame = append([]byte{0, 0, 1, 0x41, 1}, frame...)
		case AV1:
			frame = append(appendLEB128([]byte{0x32}, size), frame...)
		}
		payloads := cut(t, f, f.NewPacketizer(), frame, limit)
		if len(payloads) != (size+limit-1)/limit {
			t.Errorf("%v: %d payloads, want %d: no more than there must be", f, len(payloads), (size+limit-1)/limit)
		}
		for i, p := range payloads {
			if last := i == len(payloads)-1; len(p) != len(payloads[0]) && !last || len(p) > len(payloads[0]) {
				t.Errorf("%v: payload %d of %d has %d bytes, the first has %d", f, i, len(payloads), len(p), len(payloads[0]))
			}
		}
	}
}

func randomFrame(random *rand.Rand, f Format) (frame []byte) {
	fill := func(n int) []byte { return bytes.Repeat([]byte{byte(1 + random.IntN(255))}, n) }
	switch f {
	case H264, H265:
		for range 1 + random.IntN(6) {
			frame = append(appendStartCode(frame), 0x41, 0x01)
			frame = append(frame, fill(1+random.IntN(300))...)
		}
	case AV1:
		for range 1 + random.IntN(8) {
			header := []byte{0x32}
			if random.IntN(2) == 0 {
				header = []byte{0x36, 0x08}
			}
			n := random.IntN(300)
			frame = append(append(frame, header...), appendLEB128(nil, n)...)
			frame = append(frame, fill(n)...)
		}
	default:
		frame = fill(1 + random.IntN(1000))
	}
	return frame
}
