package rtp

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// Values that no capture has, each with its reason.
func TestExtensionValues(t *testing.T) {
	var none map[uint32]*DependencyStructure
	for _, test := range []struct {
		e     Extension
		value []byte
		want  string
	}{
		{ExtAudioLevel, []byte{0x80 | 42}, "{Voice:true Level:42}"},
		{ExtAudioLevel, []byte{127}, "{Voice:false Level:127}"},
		{ExtAbsSendTime, []byte{0x04, 0, 0}, "1s"},                   // 18 bits of fraction
		{ExtAbsSendTime, []byte{0xff, 0xff, 0xff}, "-3.815µs"},       // one unit before the wrap
		{ExtTransmissionOffset, []byte{0xff, 0xff, 0xff}, "-1"},      // signed
		{ExtTransmissionOffset, []byte{0x7f, 0xff, 0xff}, "8388607"}, // the largest
		{ExtVideoOrientation, []byte{0x0d}, "{BackCamera:true Flip:true Rotation:90}"},
		{ExtVideoOrientation, []byte{0x03}, "{BackCamera:false Flip:false Rotation:270}"},
		{ExtPlayoutDelay, []byte{0, 0x10, 0x02}, "{Min:10ms Max:20ms}"},
		{ExtPlayoutDelay, []byte{0, 0x0f, 0xff}, "{Min:0s Max:40.95s}"},
		{ExtVideoContentType, []byte{1}, "1"},
		{ExtTransportSequence2, []byte{0x12, 0x34, 0x80, 0x05}, "{Number:4660 HasRequest:true Timing:true Count:5}"},
		{ExtAbsCaptureTime, []byte{0, 0, 0, 1, 0, 0, 0, 0}, "{Timestamp:4294967296 Offset:0 HasOffset:false}"},
		{ExtAbsCaptureTime, []byte{0, 0, 0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0}, "{Timestamp:4294967296 Offset:-2147483648 HasOffset:true}"},
		{ExtColorSpace, []byte{9, 16, 9, 0x26, 3, 0xe8, 0, 1, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 3, 0xe8, 0, 100},
			"{Primaries:9 Transfer:16 Matrix:9 Range:2 ChromaSitingH:1 ChromaSitingV:2 HasHDR:true HDR:{LuminanceMax:1000 LuminanceMin:1 Red:{X:1 Y:2} Green:{X:3 Y:4} Blue:{X:5 Y:6} White:{X:7 Y:8} MaxContentLightLevel:1000 MaxFrameAverageLightLevel:100}}"},
		{ExtVideoLayersAllocation, []byte{0}, "stream 0 of 0: []"},
		// Two streams; only the second has anything; one spatial layer (id 1) of two temporal ones.
		{ExtVideoLayersAllocation, []byte{0x10, 0x02, 0x40, 0x64, 0xc8, 0x01}, "stream 0 of 2: [{Stream:1 Spatial:1 Kbps:[100 200 0 0] TemporalCount:2 Width:0 Height:0 FrameRate:0}]"},
	} {
		text, again := readAndWrite(t, test.e, test.value, none, 0)
		if text != test.want {
			t.Errorf("%v %x reads as %s, want %s", test.e, test.value, text, test.want)
		}
		if !bytes.Equal(again, test.value) {
			t.Errorf("%v %x is written as %x", test.e, test.value, again)
		}
	}
}

func TestExtensionValuesOfTheWrongSize(t *testing.T) {
	for name, parse := range map[string]func([]byte) bool{
		"audio level":         func(b []byte) bool { _, ok := ParseAudioLevel(b); return ok },
		"abs-send-time":       func(b []byte) bool { _, ok := ParseAbsSendTime(b); return ok },
		"abs-capture-time":    func(b []byte) bool { _, ok := ParseAbsCaptureTime(b); return ok },
		"transport sequence":  func(b []byte) bool { _, ok := ParseTransportSequence(b); return ok },
		"transmission offset": func(b []byte) bool { _, ok := ParseTransmissionOffset(b); return ok },
		"video orientation":   func(b []byte) bool { _, ok := ParseVideoOrientation(b); return ok },
		"playout delay":       func(b []byte) bool { _, ok := ParsePlayoutDelay(b); return ok },
		"content type":        func(b []byte) bool { _, ok := ParseVideoContentType(b); return ok },
		"video timing":        func(b []byte) bool { _, ok := ParseVideoTiming(b); return ok },
		"colour space":        func(b []byte) bool { _, ok := ParseColorSpace(b); return ok },
		"layers":              func(b []byte) bool { return new(VideoLayersAllocation).Parse(b) },
		"dependencies":        func(b []byte) bool { return new(DependencyDescriptor).Parse(b, nil) == nil },
	} {
		sizes := map[string][]int{
			"audio level": {1}, "abs-send-time": {3}, "abs-capture-time": {8, 16}, "transport sequence": {2, 4},
			"transmission offset": {3}, "video orientation": {1}, "playout delay": {3}, "content type": {1}, "video timing": {13},
			"colour space": {4, 28}, "layers": {1}, // of zeros: the empty allocation
		}[name]
		for _, n := range []int{0, 1, 2, 3, 4, 8, 13, 16, 28, 30} {
			if got, want := parse(make([]byte, n)), slices.Contains(sizes, n); got != want {
				t.Errorf("%s of %d bytes: %v, want %v", name, n, got, want)
			}
		}
	}
	if _, ok := ParsePlayoutDelay([]byte{0, 0x20, 0x01}); ok {
		t.Error("a minimum above the maximum is taken for a playout delay")
	}
}

func TestMixerAudioLevels(t *testing.T) {
	levels := MixerAudioLevels{10, 0x80 | 20}
	for i, want := range []uint8{10, 20} {
		if got, ok := levels.Level(i); !ok || got != want {
			t.Errorf("source %d: %d, %v; want %d", i, got, ok, want)
		}
	}
	if _, ok := levels.Level(2); ok {
		t.Error("a source without a level has one")
	}
	if _, ok := levels.Level(-1); ok {
		t.Error("a source before the first has a level")
	}
}

func TestIdentity(t *testing.T) {
	for _, test := range []struct {
		value    string
		rid, mid bool
	}{
		{"f", true, true}, {"0", true, true}, {"high_1-a", true, true}, {"", false, false}, {"a b", false, false},
		{"a.b", false, true}, {"a:b", false, false}, {"é", false, false}, {"a\x00", false, false}, {"{x}", false, true}, {"a[", false, false},
	} {
		if got := ValidStreamID([]byte(test.value)); got != test.rid {
			t.Errorf("%q as a rid: %v, want %v", test.value, got, test.rid)
		}
		if got := ValidMID([]byte(test.value)); got != test.mid {
			t.Errorf("%q as a mid: %v, want %v", test.value, got, test.mid)
		}
	}
}

func TestAbsSendTimeWraps(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, d := range []time.Duration{0, time.Millisecond, 31 * time.Second, -31 * time.Second} {
		for i := range 64 {
			at := start.Add(time.Duration(i) * time.Second)
			got := NewAbsSendTime(at.Add(d)).Sub(NewAbsSendTime(at))
			if (got - d).Abs() > 8*time.Microsecond {
				t.Fatalf("%v later seems %v later", d, got)
			}
		}
	}
}

// captured returns the structures and descriptors that Chromium sent for L2T2.
func capturedDescriptors(t testing.TB) (values [][]byte) {
	for _, c := range captures(t) {
		if c.name != "chromium-av1svc" {
			continue
		}
		for _, b := range c.packets {
			if value, ok := mustParse(t, b).Extension(c.ids.ID(ExtDependencyDescriptor)); ok {
				values = append(values, value)
			}
		}
	}
	if len(values) < 20 {
		t.Fatalf("found %d dependency descriptors", len(values))
	}
	return values
}

func TestDependencyDescriptorPrefixesFail(t *testing.T) {
	first := capturedDescriptors(t)[0]
	var d DependencyDescriptor
	for n := range first {
		if err := d.Parse(first[:n], nil); err == nil {
			t.Errorf("the first %d of %d bytes are taken for a descriptor with its structure", n, len(first))
		}
	}
}

// A frame that differs from its template in everything.
func TestDependencyDescriptorCustom(t *testing.T) {
	var first DependencyDescriptor
	if err := first.Parse(capturedDescriptors(t)[0], nil); err != nil {
		t.Fatal(err)
	}
	s := first.Structure
	want := DependencyDescriptor{
		StartOfFrame: true, TemplateID: 4, FrameNumber: 65535, Active: 0b0011, HasActive: true,
		Frame: DependencyTemplate{
			SpatialID: 1, Indications: []DecodeTargetIndication{Required, Switch, NotPresent, Discardable},
			FrameDiffs: []uint16{1, 16, 17, 256, 257, 4096}, ChainDiffs: []uint16{255, 0},
		},
	}
	value := want.Append([]byte("front"), s)[len("front"):]
	var got DependencyDescriptor
	if err := got.Parse(value, s); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Frame.FrameDiffs, want.Frame.FrameDiffs) || !slices.Equal(got.Frame.Indications, want.Frame.Indications) ||
		!slices.Equal(got.Frame.ChainDiffs, want.Frame.ChainDiffs) || got.Active != 0b0011 || got.FrameNumber != 65535 || got.Resolution != (Resolution{1280, 720}) {
		t.Errorf("%+v comes back as %+v", want, got)
	}
	if err := got.Parse(value, nil); err != ErrNoStructure || got.FrameNumber != 65535 {
		t.Errorf("without a structure: %v, frame %d", err, got.FrameNumber)
	}
	value[0] |= 0x3f // template 63
	if err := got.Parse(value, s); err != ErrTemplateUnknown {
		t.Errorf("a template the structure does not have: %v", err)
	}
}

func TestBits(t *testing.T) {
	for n := uint32(1); n <= 40; n++ {
		var w bitWriter
		for v := range n {
			w.ns(n, v)
		}
		r := bitReader{b: w.b}
		for v := range n {
			if got := r.ns(n); got != v || r.failed {
				t.Fatalf("ns(%d) of %d comes back as %d", n, v, got)
			}
		}
	}
	r := bitReader{b: []byte{0xff}}
	if r.f(9) != 0 || !r.failed || r.f(1) != 0 {
		t.Error("reading on behind the end")
	}
}
