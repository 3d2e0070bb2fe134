package payload

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/rtp"
)

// packets returns the RTP packets that Chromium sent of one codec.
func packets(t testing.TB, name string) (all []rtp.Packet) {
	t.Helper()
	text, err := os.ReadFile("../testdata/chromium-" + name + ".hex")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		p, err := rtp.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Payload()) > 0 { // others probe for bandwidth
			all = append(all, p)
		}
	}
	return all
}

// A frame is what one timestamp's packets hold.
type frame struct {
	payloads [][]byte
	bytes    []byte
}

// frames puts a capture's packets together.
func frames(t testing.TB, f Format, name string) (all []frame) {
	t.Helper()
	d := f.NewDepacketizer()
	ps := packets(t, name)
	var current frame
	for i, p := range ps {
		info, err := f.Inspect(p.Payload())
		if err != nil {
			t.Fatalf("%s, packet %d: %v", name, i, err)
		}
		if first := i == 0 || ps[i-1].Timestamp() != p.Timestamp(); first && !info.Start {
			t.Errorf("%s, packet %d: the first of a timestamp does not start a frame", name, i)
		}
		current.payloads = append(current.payloads, p.Payload())
		if current.bytes, err = d.Append(current.bytes, p.Payload()); err != nil {
			t.Fatalf("%s, packet %d: %v", name, i, err)
		}
		if p.Marker() != (i == len(ps)-1 || ps[i+1].Timestamp() != p.Timestamp()) {
			t.Errorf("%s, packet %d: the marker is not at the end of its frame", name, i)
		}
		if p.Marker() {
			if err := d.Finish(); err != nil {
				t.Errorf("%s, packet %d: %v", name, i, err)
			}
			all = append(all, current)
			current = frame{}
		}
	}
	if len(all) < 5 {
		t.Fatalf("%s has %d frames", name, len(all))
	}
	return all
}

var videos = []struct {
	name   string
	format Format
}{
	{"vp8", VP8}, {"vp9", VP9}, {"vp9svc", VP9}, {"h264", H264}, {"h264m0", H264}, {"av1", AV1}, {"av1svc", AV1},
}

// The first frame of each capture is a key frame, no other is, and what the codec
// puts at a key frame's start is there.
func TestCapturedFrames(t *testing.T) {
	for _, v := range videos {
		all := frames(t, v.format, v.name)
		for i, f := range all {
			info, _ := v.format.Inspect(f.payloads[0])
			if info.Key != (i == 0) {
				t.Errorf("%s, frame %d: key frame is %v", v.name, i, info.Key)
			}
		}
		key := all[0].bytes
		switch v.format {
		case VP8: // a start code, and the size. RFC 6386, Section 9.1.
			if want := []byte{0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00}; !bytes.Equal(key[3:10], want) {
				t.Errorf("%s starts with %x, and is not of 320x240", v.name, key[:10])
			}
		case VP9: // frame_sync_code. VP9, Section 6.2.
			if want := []byte{0x49, 0x83, 0x42}; !bytes.Equal(key[1:4], want) || !vp9Key(key) || vp9Key(all[1].bytes) {
				t.Errorf("%s starts with %x", v.name, key[:4])
			}
		case H264:
			var types []byte
			for nal, rest := nextNAL(key); nal != nil; nal, rest = nextNAL(rest) {
				types = append(types, nal[0]&0x1f)
			}
			if len(types) < 3 || types[0] != h264SPS || types[1] != 8 || types[2] != h264IDR {
				t.Errorf("%s has NAL units of types %v, want SPS, PPS, IDR", v.name, types)
			}
		case AV1:
			if obuType(key[0]) != obuSequenceHeader || key[0]&obuHasSize == 0 {
				t.Errorf("%s starts with an OBU of header %x", v.name, key[0])
			}
		}
	}
}

// cut cuts a frame and checks what holds for all payloads.
func cut(t testing.TB, f Format, p Packetizer, frame []byte, limit int) (payloads [][]byte) {
	t.Helper()
	if err := p.Start(frame, limit); err != nil {
		t.Fatalf("%v of %d bytes: %v", f, len(frame), err)
	}
	for last := false; !last; {
		var b []byte
		b, last = p.Append([]byte("header"))
		payload := b[len("header"):]
		if len(payload) > limit || len(payload) == 0 {
			t.Fatalf("%v: a payload of %d bytes, at most %d are allowed", f, len(payload), limit)
		}
		info, err := f.Inspect(payload)
		if err != nil {
			t.Fatalf("%v: %v in %x", f, err, payload)
		}
		if len(payloads) == 0 && !info.Start {
			t.Fatalf("%v: the first payload does not start a frame", f)
		}
		payloads = append(payloads, payload)
		if len(payloads) > 3*len(frame) {
			t.Fatalf("%v: %d payloads of %d bytes", f, len(payloads), len(frame))
		}
	}
	return payloads
}

func join(f Format, payloads [][]byte) (frame []byte, err error) {
	d := f.NewDepacketizer()
	for _, p := range payloads {
		if frame, err = d.Append(frame, p); err != nil {
			return frame, err
		}
	}
	return frame, d.Finish()
}

// normal returns a frame as our depacketizers write it: in H.264 and H.265 with
// start codes of four bytes and no zeros at the ends of NAL units. Chromium's
// sequence parameter set has one.
func normal(f Format, frame []byte) (b []byte) {
	if f != H264 && f != H265 {
		return frame
	}
	for nal, rest := nextNAL(frame); nal != nil; nal, rest = nextNAL(rest) {
		b = append(appendStartCode(b), nal...)
	}
	return b
}

// Captured frames, cut by us into payloads of any size, come back.
func TestCapturedFramesAreCutAndJoined(t *testing.T) {
	for _, v := range videos {
		p := v.format.NewPacketizer()
		for i, f := range frames(t, v.format, v.name) {
			for _, limit := range []int{64, 65, 100, 333, 1200, 100000} {
				payloads := cut(t, v.format, p, f.bytes, limit)
				got, err := join(v.format, payloads)
				if err != nil || !bytes.Equal(got, normal(v.format, f.bytes)) {
					t.Fatalf("%s, frame %d, cut into %d payloads of at most %d: %v", v.name, i, len(payloads), limit, err)
				}
				if least := (len(f.bytes) + limit - 1) / limit; limit >= 333 && len(payloads) > least+2 {
					t.Errorf("%s, frame %d of %d bytes: %d payloads of at most %d", v.name, i, len(f.bytes), len(payloads), limit)
				}
			}
		}
	}
}

// A frame that Chromium sent in one payload, we send in the same bytes; and H.264
// parameter sets go with the picture as Chromium sends them.
func TestSinglePayloadsAreChromiums(t *testing.T) {
	for _, v := range videos {
		if v.name == "vp9svc" { // whose layers are the caller's to tell
			continue
		}
		same := 0
		for i, f := range frames(t, v.format, v.name) {
			if len(f.payloads) > 1 {
				continue
			}
			p := v.format.NewPacketizer()
			switch p := p.(type) {
			case *VP8Packetizer:
				p.Descriptor.Parse(f.payloads[0])
			case *VP9Packetizer:
				p.Descriptor.Parse(f.payloads[0])
			}
			if got := cut(t, v.format, p, f.bytes, 1200); len(got) != 1 || !bytes.Equal(got[0], f.payloads[0]) {
				t.Errorf("%s, frame %d is sent as\n%.40x, Chromium sends\n%.40x", v.name, i, got[0], f.payloads[0])
			}
			same++
		}
		if same == 0 && v.name != "av1svc" {
			t.Errorf("%s has no frame of one payload", v.name)
		}
	}
}

func TestCapturedDescriptorsComeBackByteForByte(t *testing.T) {
	for _, name := range []string{"vp8", "vp9", "vp9svc"} {
		for i, p := range packets(t, name) {
			var again, rest []byte
			var ok bool
			if name == "vp8" {
				var d VP8Descriptor
				rest, ok = d.Parse(p.Payload())
				again = d.Append(nil)
			} else {
				var d VP9Descriptor
				rest, ok = d.Parse(p.Payload())
				again = d.Append(nil)
			}
			if want := p.Payload()[:len(p.Payload())-len(rest)]; !ok || !bytes.Equal(again, want) {
				t.Errorf("%s, packet %d: descriptor %x comes back as %x", name, i, want, again)
			}
		}
	}
}

// What the descriptors of the first picture of L3T3_KEY say.
func TestCapturedLayers(t *testing.T) {
	var got []string
	ps := packets(t, "vp9svc")
	for _, p := range ps {
		if p.Timestamp() != ps[0].Timestamp() {
			break
		}
		var d VP9Descriptor
		d.Parse(p.Payload())
		text := fmt.Sprintf("S%dT%d", d.SID, d.TID)
		if d.Start {
			text += " start"
		}
		if d.End {
			text += " end"
		}
		if d.InterLayer {
			text += " on the layer below"
		}
		if d.HasStructure {
			s := d.Structure
			text += fmt.Sprintf(" of %d layers %v %v, %d pictures", s.SpatialLayers, s.Width[:s.SpatialLayers], s.Height[:s.SpatialLayers], s.GroupLen)
		}
		got = append(got, text)
	}
	want := []string{
		"S0T0 start end of 3 layers [320 640 1280] [180 360 720], 0 pictures",
		"S1T0 start on the layer below",
		"S1T0 end on the layer below",
		"S2T0 start on the layer below",
		"S2T0 on the layer below",
		"S2T0 end on the layer below",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestCapturedAudio(t *testing.T) {
	for _, test := range []struct {
		name     string
		format   Format
		pt       uint8
		duration uint32
	}{
		{"opus", Opus, 111, 960}, {"pcmu", G711, 0, 160}, {"g722", G722, 9, 160},
	} {
		for i, p := range packets(t, test.name) {
			if p.PayloadType() != test.pt {
				continue
			}
			if got := test.format.Duration(p.Payload(), 1); got != test.duration {
				t.Errorf("%s, packet %d lasts %d ticks, want %d: Chromium sends 20 ms", test.name, i, got, test.duration)
			}
			if got, err := join(test.format, cut(t, test.format, test.format.NewPacketizer(), p.Payload(), 1200)); err != nil || !bytes.Equal(got, p.Payload()) {
				t.Errorf("%s, packet %d comes back as %x, %v", test.name, i, got, err)
			}
		}
	}
}

// Each packet of RED carries the audio of the one before once more.
func TestCapturedRED(t *testing.T) {
	ps := packets(t, "red")
	var before Redundancy
	redundant := 0
	for i, p := range ps {
		var blocks []Redundancy
		for r := range REDBlocks(p.Payload()) {
			blocks = append(blocks, r)
		}
		if len(blocks) == 0 {
			t.Fatalf("packet %d has no blocks: %x", i, p.Payload())
		}
		primary := blocks[len(blocks)-1]
		if primary.PayloadType != 111 {
			t.Errorf("packet %d is of payload type %d", i, primary.PayloadType)
		}
		for _, r := range blocks[:len(blocks)-1] {
			redundant++
			if r.Offset != 960 || !bytes.Equal(r.Data, before.Data) {
				t.Errorf("packet %d repeats what was %d ticks ago: %x, want %x", i, r.Offset, r.Data, before.Data)
			}
		}
		again := AppendRED(nil, primary.PayloadType, primary.Data, blocks[:len(blocks)-1]...)
		if !bytes.Equal(again, p.Payload()) {
			t.Errorf("packet %d comes back as\n%x\nwant\n%x", i, again, p.Payload())
		}
		before = primary
	}
	if redundant == 0 {
		t.Error("nothing is redundant")
	}
}

// The tones 1 and #, of 100 ms each.
func TestCapturedTones(t *testing.T) {
	keys := ""
	ends := 0
	var timestamp uint32
	for _, p := range packets(t, "pcmu") {
		if p.PayloadType() != 126 {
			continue
		}
		e, ok := ParseEvent(p.Payload())
		if !ok || !bytes.Equal(e.Append(nil), p.Payload()) {
			t.Fatalf("%x is read as %+v, %v", p.Payload(), e, ok)
		}
		if p.Marker() {
			keys += string(e.Tone())
		} else if p.Timestamp() != timestamp {
			t.Errorf("an event's timestamp changes to %d", p.Timestamp())
		}
		timestamp = p.Timestamp()
		if e.End {
			ends++
			if e.Duration != 800 {
				t.Errorf("a tone of %d ticks", e.Duration)
			}
		}
	}
	if keys != "1#" || ends != 6 {
		t.Errorf("keys %q with %d end packets, want 1# with three each", keys, ends)
	}
}

// Chromium probes for bandwidth with retransmissions of what it has just sent.
func TestCapturedRetransmissions(t *testing.T) {
	const video, rtx = 96, 97
	sent := map[uint16]rtp.Packet{}
	found := 0
	for _, p := range packets(t, "simulcast") {
		if p.PayloadType() == video {
			sent[p.SequenceNumber()] = p
			continue
		}
		seq, original, ok := ParseRTX(p.Payload())
		if !ok || p.PayloadType() != rtx {
			t.Fatalf("%v", p)
		}
		first, known := sent[seq]
		if !known {
			continue // not among the few packets that were kept
		}
		found++
		if !bytes.Equal(original, first.Payload()) || p.Timestamp() != first.Timestamp() || p.Marker() != first.Marker() {
			t.Errorf("%v is not sent again by %v", first, p)
		}
		if !bytes.Equal(AppendRTX(nil, seq, first.Payload()), p.Payload()) {
			t.Errorf("%d is written otherwise", seq)
		}
	}
	if found == 0 {
		t.Error("no retransmission of a captured packet")
	}
	if _, _, ok := ParseRTX([]byte{1}); ok {
		t.Error("one byte is a retransmission")
	}
}
