package rtp

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// The shape of the example in RFC 8285, Section 4.2: three elements in one-byte
// form and some padding. Its data are letters here.
var rfc8285OneByte = []byte{0xBE, 0xDE, 0, 3, 0x10, 'a', 0x21, 'b', 'c', 0, 0, 0x33, 'd', 'e', 'f', 'g'}

func withBlock(block []byte, payload string) []byte {
	b := NewBuilder(nil, Header{PayloadType: 96, SequenceNumber: 7, Timestamp: 8, SSRC: 9})
	out := append(b.Bytes(), block...)
	out[0] |= 0x10
	return append(out, payload...)
}

func TestParseRefuses(t *testing.T) {
	good := withBlock(rfc8285OneByte, "payload")
	for _, test := range []struct {
		name   string
		change func(b []byte) []byte
		want   Reason
	}{
		{"nothing", func([]byte) []byte { return nil }, ErrShort},
		{"half a header", func(b []byte) []byte { return b[:11] }, ErrShort},
		{"STUN", func(b []byte) []byte { b[0] = 0; return b }, ErrVersion},
		{"version 1", func(b []byte) []byte { b[0] = b[0]&0x3f | 0x40; return b }, ErrVersion},
		{"an RTCP sender report", func(b []byte) []byte { b[1] = 200; return b }, ErrRTCP},
		{"a payload type that is RTCP's with the marker", func(b []byte) []byte { b[1] = 72; return b }, ErrRTCP},
		{"contributing sources beyond the end", func(b []byte) []byte { b[0] = 0x8f; return b }, ErrShort},
		{"half an extension header", func(b []byte) []byte { return b[:14] }, ErrExtension},
		{"an extension beyond the end", func(b []byte) []byte { b[14] = 0xff; return b }, ErrExtension},
		{"no padding where there should be", func(b []byte) []byte { b[0] |= 0x20; b[len(b)-1] = 0; return b }, ErrPadding},
		{"more padding than payload", func(b []byte) []byte { b[0] |= 0x20; b[len(b)-1] = 8; return b }, ErrPadding},
	} {
		if _, err := Parse(test.change(slices.Clone(good))); err != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	for n := range len(good) - len("payload") {
		if _, err := Parse(good[:n]); err == nil {
			t.Errorf("the first %d bytes of a header are taken for a packet", n)
		}
	}
}

func TestIs(t *testing.T) {
	for _, test := range []struct {
		first, second byte
		is            bool
	}{
		{0x80, 96, true}, {0x80, 0xe0, true}, {0xbf, 0, true}, {0x90, 191, true}, {0x90, 224, true}, {0x80, 72, true},
		{0x80, 192, false}, {0x80, 200, false}, {0x80, 223, false}, {0x40, 96, false}, {0, 1, false}, {0xc0, 96, false},
	} {
		if got := Is([]byte{test.first, test.second}); got != test.is {
			t.Errorf("%#x %#x: %v, want %v", test.first, test.second, got, test.is)
		}
	}
	if Is([]byte{0x80}) {
		t.Error("one byte is taken for RTP")
	}
}

type element struct {
	id    uint8
	value string
}

func elementsOf(p Packet) (all []element) {
	for id, value := range p.Extensions() {
		all = append(all, element{id, string(value)})
	}
	return all
}

func TestExtensionBlocks(t *testing.T) {
	for _, test := range []struct {
		name  string
		block []byte
		want  []element
	}{
		{"the shape of RFC 8285's example of one-byte headers", rfc8285OneByte, []element{{1, "a"}, {2, "bc"}, {3, "defg"}}},
		{"the shape of RFC 8285's example of two-byte headers: an empty one, a padded one, a long one",
			[]byte{0x10, 0, 0, 3, 1, 0, 2, 1, 'b', 0, 3, 4, 'c', 'd', 'e', 'f'}, []element{{1, ""}, {2, "b"}, {3, "cdef"}}},
		{"appbits are ignored", []byte{0x10, 0x0f, 0, 1, 1, 2, 'a', 'b'}, []element{{1, "ab"}}},
		{"id 15 ends one-byte headers", []byte{0xBE, 0xDE, 0, 1, 0x10, 'a', 0xf0, 'b'}, []element{{1, "a"}}},
		{"id 15 is an id of two-byte headers", []byte{0x10, 0, 0, 1, 15, 1, 'a', 0}, []element{{15, "a"}}},
		{"id 0 with a length ends the list", []byte{0xBE, 0xDE, 0, 2, 0x10, 'a', 0x01, 0, 0, 0x20, 'b', 0}, []element{{1, "a"}}},
		{"a value that is cut off ends the list", []byte{0xBE, 0xDE, 0, 1, 0x10, 'a', 0x22, 'b'}, []element{{1, "a"}}},
		{"a two-byte value that is cut off ends the list", []byte{0x10, 0, 0, 1, 1, 0, 2, 9}, []element{{1, ""}}},
		{"half a two-byte header", []byte{0x10, 0, 0, 1, 1, 1, 'a', 9}, []element{{1, "a"}}},
		{"another profile's extension", []byte{0xAB, 0xCD, 0, 1, 0x10, 'a', 0, 0}, nil},
		{"an empty block", []byte{0xBE, 0xDE, 0, 0}, nil},
	} {
		p := mustParse(t, withBlock(test.block, "payload"))
		if got := elementsOf(p); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
		if string(p.Payload()) != "payload" {
			t.Errorf("%s: payload %q", test.name, p.Payload())
		}
		for _, e := range test.want {
			if value, ok := p.Extension(e.id); !ok || string(value) != e.value {
				t.Errorf("%s: element %d is %q, %v", test.name, e.id, value, ok)
			}
		}
		if _, ok := p.Extension(99); ok {
			t.Errorf("%s: has an element that nobody put there", test.name)
		}
	}
	if _, ok := mustParse(t, withBlock(rfc8285OneByte, "")).Extension(0); ok {
		t.Error("what was not negotiated is found")
	}
}

// Every order of adding elements that fit the one-byte form and elements that do
// not, behind something else in the buffer.
func TestBuilderWidensInPlace(t *testing.T) {
	all := []element{{1, "a"}, {14, "sixteen bytes..."}, {15, "x"}, {3, ""}, {4, "seventeen bytes.."}, {200, "abc"}, {2, "bc"}}
	for first := range all {
		for count := range len(all) + 1 {
			b := NewBuilder([]byte("in front of it"), Header{SSRC: 1, CSRCs: []uint32{2, 3}})
			var want []element
			twoByte := false
			for i := range count {
				e := all[(first+i)%len(all)]
				b.Add(e.id, []byte(e.value))
				want = append(want, e)
				twoByte = twoByte || e.id > 14 || len(e.value) == 0 || len(e.value) > 16

				p := mustParse(t, b.Bytes()[len("in front of it"):])
				if got := elementsOf(p); !slices.Equal(got, want) {
					t.Fatalf("after %d elements: %v, want %v", i+1, got, want)
				}
				if profile, _, _ := p.ExtensionProfile(); (profile == 0x1000) != twoByte {
					t.Fatalf("after %v the form is %#x", want, profile)
				}
				if p.HeaderSize()%4 != 0 {
					t.Fatalf("the header of %d bytes is not padded", p.HeaderSize())
				}
			}
		}
	}
	b := NewBuilder(nil, Header{})
	b.Add(0, []byte("not negotiated"))
	if p := mustParse(t, b.Bytes()); p.HeaderSize() != 12 {
		t.Errorf("an extension that was not negotiated makes a header of %d bytes", p.HeaderSize())
	}
}

// A forwarder changes a packet where it stands, extensions included.
func TestRewriteInPlace(t *testing.T) {
	h := Header{Marker: true, PayloadType: 96, SequenceNumber: 65535, Timestamp: 1 << 31, SSRC: 0xdeadbeef, CSRCs: []uint32{1, 2}}
	b := NewBuilder(nil, h)
	b.Reserve(2, 3)
	p := mustParse(t, append(b.Bytes(), "payload"...))
	p.SetMarker(false)
	p.SetPayloadType(127)
	p.SetSequenceNumber(1)
	p.SetTimestamp(2)
	p.SetSSRC(3)
	value, _ := p.Extension(2)
	AbsSendTime(0x123456).Put(value)

	want := NewBuilder(nil, Header{PayloadType: 127, SequenceNumber: 1, Timestamp: 2, SSRC: 3, CSRCs: []uint32{1, 2}})
	want.Add(2, []byte{0x12, 0x34, 0x56})
	if got := p.Bytes(); !bytes.Equal(got, append(want.Bytes(), "payload"...)) {
		t.Errorf("%x", got)
	}
	if got, want := p.String(), "RTP PT=127 seq=1 ts=2 ssrc=00000003 csrc=00000001 csrc=00000002 ext2=123456 payload[7]"; got != want {
		t.Errorf("it reads as %s, want %s", got, want)
	}
	p.SetMarker(true)
	if p.PayloadType() != 127 || !p.Marker() {
		t.Error("the marker bit disturbs the payload type")
	}
	if (Packet{}).String() != "no packet" || !(Packet{}).IsZero() {
		t.Error("the zero Packet")
	}
}

func TestPadding(t *testing.T) {
	for _, n := range []int{1, 4, 255} {
		b := NewBuilder([]byte("front"), Header{PayloadType: 96})
		out := AppendPadding(append(b.Bytes(), "payload"...), len("front"), n)
		p := mustParse(t, out[len("front"):])
		if string(p.Payload()) != "payload" || p.PaddingSize() != n {
			t.Errorf("padded by %d: payload %q, padding %d", n, p.Payload(), p.PaddingSize())
		}
	}
}

func TestExtensionMap(t *testing.T) {
	var m ExtensionMap
	m.Set(ExtMID, 4)
	m.Set(ExtRID, 10)
	m.Set(ExtMID, 10) // SDP gave the id to another extension, and moved this one
	if m.ID(ExtMID) != 10 || m.Extension(10) != ExtMID || m.ID(ExtRID) != 0 || m.Extension(4) != 0 {
		t.Errorf("mid has id %d, id 10 is %v, rid has id %d, id 4 is %v", m.ID(ExtMID), m.Extension(10), m.ID(ExtRID), m.Extension(4))
	}
	m.Set(ExtMID, 0)
	if m.ID(ExtMID) != 0 || m.Extension(10) != 0 || m.Extension(0) != 0 {
		t.Error("an extension cannot be taken away")
	}
	for e := ExtMID; e < extensionCount; e++ {
		if back, ok := ExtensionByURI(e.URI()); !ok || back != e || e.String() == "" {
			t.Errorf("%v is not found by its URI %q", e, e.URI())
		}
	}
	if _, ok := ExtensionByURI("urn:unknown"); ok || Extension(0).URI() != "" || Extension(0).String() != "extension 0" || Extension(99).String() != "extension 99" {
		t.Error("an unknown extension is known")
	}
}

func TestBugsPanic(t *testing.T) {
	p := mustParse(t, withBlock(rfc8285OneByte, ""))
	for name, f := range map[string]func(){
		"a payload type of 8 bits":     func() { p.SetPayloadType(128) },
		"a payload type like RTCP":     func() { NewBuilder(nil, Header{PayloadType: 72}) },
		"sixteen contributing sources": func() { NewBuilder(nil, Header{CSRCs: make([]uint32, 16)}) },
		"a value too long":             func() { b := NewBuilder(nil, Header{}); b.Reserve(1, 256) },
		"padding by nothing":           func() { AppendPadding(slices.Clone(p.Bytes()), 0, 0) },
		"padding twice":                func() { AppendPadding(AppendPadding(slices.Clone(p.Bytes()), 0, 1), 0, 1) },
		"a frame upside sideways":      func() { VideoOrientation{Rotation: 45}.Append(nil) },
		"an extension nobody knows":    func() { new(ExtensionMap).Set(0, 1) },
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || text[:5] != "BUG: " {
					t.Errorf("%s: %v", name, text)
				}
			}()
			f()
		}()
	}
}

func TestNTPTime(t *testing.T) {
	for _, test := range []struct {
		t    time.Time
		want NTPTime
	}{
		{time.Unix(0, 0), 2208988800 << 32},                                                   // RFC 868's number
		{time.Date(1995, time.November, 10, 11, 33, 25, 125e6, time.UTC), 0xb44db70520000000}, // RFC 3550, Figure 2
		{time.Date(2036, time.February, 7, 6, 28, 16, 0, time.UTC), 0},                        // the wrap
	} {
		if got := NewNTPTime(test.t); got != test.want {
			t.Errorf("%v is %#x, want %#x", test.t, got, test.want)
		}
		if got := test.want.Time(); !got.Equal(test.t) {
			t.Errorf("%#x is %v, want %v", test.want, got, test.t)
		}
	}
	if got := NTPTime(0xb44db70520000000).Middle(); got != 0xb7052000 { // RFC 3550, Figure 2
		t.Errorf("the middle is %#x", got)
	}
	when := time.Date(2026, 1, 2, 3, 4, 5, 999999999, time.UTC)
	if got := NewNTPTime(when).Time(); !got.Equal(when) {
		t.Errorf("%v comes back as %v", when, got)
	}
}
