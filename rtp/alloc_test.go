package rtp

import (
	"testing"
	"time"
)

var forwarded = Header{PayloadType: 96, SequenceNumber: 1, Timestamp: 2, SSRC: 3, CSRCs: []uint32{4}}

// appendPacket writes a packet as a sender of video does.
func appendPacket(b []byte, now time.Time, payload []byte) []byte {
	p := NewBuilder(b, forwarded)
	NewAbsSendTime(now).Put(p.Reserve(2, 3))
	copy(p.Reserve(3, 2), []byte{1, 2})
	p.Add(4, mid)
	return append(p.Bytes(), payload...)
}

var mid = []byte("0")

func readPacket(t testing.TB, b []byte) {
	p, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	seq, _ := p.Extension(3)
	if _, ok := ParseTransportSequence(seq); !ok || len(p.Payload()) == 0 {
		t.Fatal("not what was written")
	}
}

func TestNothingAllocates(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	buffer := make([]byte, 0, 1500)
	payload := make([]byte, 1100)
	packet := appendPacket(nil, now, payload)
	values := capturedDescriptors(t)
	var d DependencyDescriptor
	if err := d.Parse(values[0], nil); err != nil {
		t.Fatal(err)
	}
	structure := d.Structure
	var layers VideoLayersAllocation
	for name, f := range map[string]func(){
		"writing a packet": func() { appendPacket(buffer, now, payload) },
		"reading a packet": func() { readPacket(t, packet) },
		"refusing garbage": func() { Parse(packet[:11]) },
		"widening": func() {
			p := NewBuilder(buffer, forwarded)
			p.Add(1, mid)
			p.Add(16, mid)
		},
		"walking over extensions and sources": func() {
			p, _ := Parse(packet)
			for _, value := range p.Extensions() {
				_ = value
			}
			for csrc := range p.CSRCs() {
				_ = csrc
			}
		},
		"forwarding in place": func() {
			p, _ := Parse(packet)
			p.SetSSRC(1)
			p.SetSequenceNumber(2)
			if value, ok := p.Extension(2); ok {
				NewAbsSendTime(now).Put(value)
			}
		},
		"a dependency descriptor without its structure": func() {
			for _, v := range values[1:] {
				if err := d.Parse(v, structure); err != nil {
					t.Fatal(err)
				}
			}
		},
		"layers": func() { layers.Parse([]byte{0x10, 0x02, 0x40, 0x64, 0xc8, 0x01}) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	packet := appendPacket(nil, time.Unix(0, 0), make([]byte, 1100))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(packet); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadPacket(b *testing.B) {
	packet := appendPacket(nil, time.Unix(0, 0), make([]byte, 1100))
	b.ReportAllocs()
	for b.Loop() {
		readPacket(b, packet)
	}
}

func BenchmarkAppendPacket(b *testing.B) {
	payload, buffer := make([]byte, 1100), make([]byte, 0, 1500)
	now := time.Unix(0, 0)
	b.ReportAllocs()
	for b.Loop() {
		appendPacket(buffer, now, payload)
	}
}

func BenchmarkDependencyDescriptor(b *testing.B) {
	values := capturedDescriptors(b)
	var d DependencyDescriptor
	if err := d.Parse(values[0], nil); err != nil {
		b.Fatal(err)
	}
	structure := d.Structure
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Parse(values[3], structure); err != nil {
			b.Fatal(err)
		}
	}
}
