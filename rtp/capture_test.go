package rtp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/internal/ladder"
)

// A capture is what one browser sent, with the ids it gave to header extensions.
type capture struct {
	name    string
	ids     ExtensionMap
	packets [][]byte
}

// captures reads every file of captured RTP packets. A line of hex is a packet;
// the comments before them have the lines of SDP that matter.
func captures(t testing.TB) (all []capture) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) < 14 {
		t.Fatalf("found %d captures (%v), expected all of them", len(files), err)
	}
	for _, file := range files {
		if strings.Contains(file, "rtcp") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := capture{name: strings.TrimSuffix(filepath.Base(file), ".hex")}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if _, sdp, ok := strings.Cut(line, "a=extmap:"); ok {
				var id uint8
				var uri string
				fmt.Sscan(sdp, &id, &uri)
				e, ok := ExtensionByURI(uri)
				if !ok {
					t.Fatalf("%s: nobody knows %q", file, uri)
				}
				c.ids.Set(e, id)
			}
			if strings.HasPrefix(line, "#") {
				continue
			}
			b, err := hex.DecodeString(line)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			c.packets = append(c.packets, b)
		}
		all = append(all, c)
	}
	return all
}

func mustParse(t testing.TB, b []byte) Packet {
	t.Helper()
	p, err := Parse(b)
	if err != nil {
		t.Fatalf("%v: %x", err, b)
	}
	return p
}

// headerOf is what NewBuilder needs to make p again.
func headerOf(p Packet) Header {
	h := Header{Marker: p.Marker(), PayloadType: p.PayloadType(), SequenceNumber: p.SequenceNumber(), Timestamp: p.Timestamp(), SSRC: p.SSRC()}
	for csrc := range p.CSRCs() {
		h.CSRCs = append(h.CSRCs, csrc)
	}
	return h
}

// rebuild makes p again from what was read of it.
func rebuild(p Packet) []byte {
	b := NewBuilder(nil, headerOf(p))
	for id, value := range p.Extensions() {
		b.Add(id, value)
	}
	out := append(b.Bytes(), p.Payload()...)
	if n := p.PaddingSize(); n > 0 {
		out = AppendPadding(out, 0, n)
	}
	return out
}

// What browsers write, we write byte for byte: order, form and padding.
func TestCapturedPacketsComeBackByteForByte(t *testing.T) {
	for _, c := range captures(t) {
		for i, b := range c.packets {
			if got := rebuild(mustParse(t, b)); !bytes.Equal(got, b) {
				t.Errorf("%s, packet %d comes back as\n%x\nwant\n%x", c.name, i, got, b)
			}
		}
	}
}

// What is read of each captured packet stands in a golden file beside it, for a
// person to review. Values of extensions are read, and written again.
func TestCapturedPacketsMeanWhatTheGoldenFilesSay(t *testing.T) {
	for _, c := range captures(t) {
		t.Run(c.name, func(t *testing.T) {
			var s strings.Builder
			structures := map[uint32]*DependencyStructure{}
			for _, b := range c.packets {
				p := mustParse(t, b)
				fmt.Fprintf(&s, "PT=%d seq=%d ts=%d ssrc=%08x marker=%t payload[%d]\n", p.PayloadType(), p.SequenceNumber(), p.Timestamp(), p.SSRC(), p.Marker(), len(p.Payload()))
				for id, value := range p.Extensions() {
					e := c.ids.Extension(id)
					if e == 0 {
						fmt.Fprintf(&s, "\t%d: %x\n", id, value)
						continue
					}
					text, again := readAndWrite(t, e, value, structures, p.SSRC())
					fmt.Fprintf(&s, "\t%v: %s\n", e, text)
					if !bytes.Equal(again, value) {
						t.Errorf("%v %x is written as %x", e, value, again)
					}
				}
			}
			golden := "testdata/" + c.name + ".golden"
			if ladder.Updating() { // make golden
				if err := os.WriteFile(golden, []byte(s.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if s.String() != string(want) {
				t.Errorf("reads as\n%s\nand the golden file says\n%s", s.String(), want)
			}
		})
	}
}

// readAndWrite reads the value of an extension, describes it, and writes it again.
func readAndWrite(t testing.TB, e Extension, value []byte, structures map[uint32]*DependencyStructure, ssrc uint32) (text string, again []byte) {
	var v any
	var ok bool
	switch e {
	case ExtMID:
		return string(value), []byte(string(value))
	case ExtRID, ExtRepairedRID:
		if !ValidStreamID(value) {
			t.Errorf("%q is no stream id", value)
		}
		return string(value), []byte(string(value))
	case ExtAudioLevel:
		var x AudioLevel
		x, ok = ParseAudioLevel(value)
		v, again = x, x.Append(nil)
	case ExtAbsSendTime:
		var x AbsSendTime
		x, ok = ParseAbsSendTime(value)
		v, again = x.Sub(0), x.Append(nil)
	case ExtAbsCaptureTime:
		var x AbsCaptureTime
		x, ok = ParseAbsCaptureTime(value)
		v, again = x, x.Append(nil)
	case ExtTransportSequence, ExtTransportSequence2:
		var x TransportSequence
		x, ok = ParseTransportSequence(value)
		v, again = x, x.Append(nil)
	case ExtTransmissionOffset:
		var x TransmissionOffset
		x, ok = ParseTransmissionOffset(value)
		v, again = x, x.Append(nil)
	case ExtVideoOrientation:
		var x VideoOrientation
		x, ok = ParseVideoOrientation(value)
		v, again = x, x.Append(nil)
	case ExtPlayoutDelay:
		var x PlayoutDelay
		x, ok = ParsePlayoutDelay(value)
		v, again = x, x.Append(nil)
	case ExtVideoContentType:
		var x VideoContentType
		x, ok = ParseVideoContentType(value)
		v, again = x, x.Append(nil)
	case ExtVideoTiming:
		var x VideoTiming
		x, ok = ParseVideoTiming(value)
		v, again = x, x.Append(nil)
	case ExtColorSpace:
		var x ColorSpace
		x, ok = ParseColorSpace(value)
		v, again = x, x.Append(nil)
	case ExtVideoLayersAllocation:
		var x VideoLayersAllocation
		ok = x.Parse(value)
		return fmt.Sprintf("stream %d of %d: %+v", x.Stream, x.StreamCount, x.Layers[:x.LayerCount]), x.Append(nil)
	case ExtDependencyDescriptor:
		var x DependencyDescriptor
		err := x.Parse(value, structures[ssrc])
		if err == ErrNoStructure { // a retransmission, which relies on what its stream sent
			return fmt.Sprintf("start=%t end=%t template=%d frame=%d", x.StartOfFrame, x.EndOfFrame, x.TemplateID, x.FrameNumber), value
		}
		if err != nil {
			t.Errorf("%v: %x", err, value)
			return "", value
		}
		again = x.Append(nil, structures[ssrc])
		text = fmt.Sprintf("start=%t end=%t template=%d frame=%d S%dT%d %v fdiffs=%v chains=%v", x.StartOfFrame, x.EndOfFrame, x.TemplateID,
			x.FrameNumber, x.Frame.SpatialID, x.Frame.TemporalID, x.Frame.Indications, x.Frame.FrameDiffs, x.Frame.ChainDiffs)
		if x.HasActive {
			text += fmt.Sprintf(" active=%b", x.Active)
		}
		if x.Structure != nil {
			structures[ssrc] = x.Structure
			text += fmt.Sprintf(" structure=%+v", *x.Structure)
		}
		return text, again
	default:
		t.Fatalf("no test reads %v", e)
	}
	if !ok {
		t.Errorf("%v cannot be read: %x", e, value)
	}
	return fmt.Sprintf("%+v", v), again
}
