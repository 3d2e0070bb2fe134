package session

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A capture is what a browser sent, with the lines of SDP that matter.
type capture struct {
	name    string
	section Section
	packets [][]byte
}

// captures reads the files of captured packets of package rtp.
func captures(t testing.TB, pattern string) (all []capture) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures at %s (%v)", pattern, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := capture{name: strings.TrimSuffix(filepath.Base(file), ".hex"), section: Section{MID: "0", Kind: Video, MixedExtensions: true, ReducedSize: true}}
		repairs := map[int]int{}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if _, sdp, ok := strings.Cut(line, "a=extmap:"); ok {
				var id uint8
				var uri string
				fmt.Sscan(sdp, &id, &uri)
				if e, ok := rtp.ExtensionByURI(uri); ok {
					c.section.Extensions.Set(e, id)
				}
			}
			if _, sdp, ok := strings.Cut(line, "a=rtpmap:"); ok {
				var t int
				var encoding string
				fmt.Sscan(sdp, &t, &encoding)
				name, rest, _ := strings.Cut(encoding, "/")
				var rate uint32
				fmt.Sscan(rest, &rate)
				format, known := payload.FormatByName(name)
				if name == "rtx" {
					continue
				}
				if name == "red" { // of what its parameters name
					c.section.Receive = append(c.section.Receive, Codec{PayloadType: 111, Name: "opus", Format: payload.Opus, ClockRate: rate, TWCC: true})
				}
				if known && format < payload.VP8 || name == "red" {
					c.section.Kind = Audio
				}
				c.section.Receive = append(c.section.Receive, Codec{PayloadType: uint8(t), Name: name, Format: format, ClockRate: rate, NACK: true, PLI: true, TWCC: true})
			}
			if _, sdp, ok := strings.Cut(line, "a=fmtp:"); ok {
				var t, apt int
				if n, _ := fmt.Sscanf(sdp, "%d apt=%d", &t, &apt); n == 2 {
					repairs[apt] = t
				}
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
		for i := range c.section.Receive {
			codec := &c.section.Receive[i]
			codec.RTX = uint8(repairs[int(codec.PayloadType)])
		}
		all = append(all, c)
	}
	return all
}

// What browsers send finds its stream: layers of a simulcast by their RID, which later packets do
// not carry, retransmissions by the RID they repair.
func TestCapturesAreRouted(t *testing.T) {
	for _, c := range captures(t, "../testdata/*.hex") {
		if strings.Contains(c.name, "rtcp") || strings.Contains(c.name, "headers") {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if len(c.section.Receive) == 0 {
				t.Fatal("the capture has no rtpmap")
			}
			s := New(Config{Rand: &countingRand{0xf0}, CNAME: "z"})
			if err := s.Configure(testStart, c.section); err != nil {
				t.Fatal(err)
			}
			why := drops(t, s, c.packets...)
			for _, reason := range why {
				switch reason {
				case dropProbe, dropUnknownRepair: // padding before anything else; at the start of a capture
				case dropDuplicate: // and retransmissions that were not needed
				default:
					t.Errorf("dropped: %s", reason)
				}
			}
			streams, taken := 0, 0
			for e, ok := s.NextEvent(); ok; e, ok = s.NextEvent() {
				if e, ok := e.(StreamStarted); ok {
					streams++
					if strings.Contains(c.name, "simulcast") && e.Stream.RID == "" {
						t.Error("a layer of the simulcast has no RID")
					}
				}
			}
			for st, ok := s.NextStream(); ok; st, ok = s.NextStream() {
				for _, ok := st.NextPacket(); ok; _, ok = st.NextPacket() {
					taken++
				}
			}
			want := 1
			if strings.Contains(c.name, "simulcast") {
				want = 3
			}
			if streams != want {
				t.Errorf("%d streams started, want %d", streams, want)
			}
			for _, st := range s.Streams() {
				size := [2]int{}
				switch {
				case st.Kind == Audio, strings.Contains(c.name, "red"):
				case st.RID == "q":
					size = [2]int{320, 180}
				case st.RID == "h":
					size = [2]int{640, 360}
				case st.RID == "f", strings.Contains(c.name, "svc"):
					size = [2]int{1280, 720}
				default:
					size = [2]int{320, 240}
				}
				if v := st.Stats(); v.Width != size[0] || v.Height != size[1] {
					t.Errorf("the pictures of layer %q are %d × %d, want %d × %d", st.RID, v.Width, v.Height, size[0], size[1])
				}
			}
			if taken+len(why) != len(c.packets) {
				t.Errorf("%d packets were taken and %d dropped, of %d", taken, len(why), len(c.packets))
			}
		})
	}
}

// The RTCP of Chromium is understood, but for what is about sources that are not here.
func TestCapturedRTCPIsTaken(t *testing.T) {
	for _, c := range captures(t, "../testdata/*rtcp.hex") {
		s, _, video := newSession(t, 1, fullSections())
		if err := video.WriteFrame(testStart, 0, Frame{Data: vp8Frame(3000, true), KeyFrame: true}); err != nil {
			t.Fatal(err)
		}
		for len(s.AppendPacket(testStart, nil)) > 0 {
		}
		if why := drops(t, s, c.packets...); len(why) > 0 {
			t.Errorf("%s: dropped: %q", c.name, why)
		}
		if s.Stats(testStart).Feedback.Feedback == 0 {
			t.Errorf("%s: no transport-wide feedback was taken", c.name)
		}
	}
}

// rewriteSSRC has RTCP of a capture speak of another source.
func rewriteSSRC(b []byte, from, to uint32) {
	old, now := fmt.Sprintf("%08x", from), fmt.Sprintf("%08x", to)
	o, _ := hex.DecodeString(old)
	n, _ := hex.DecodeString(now)
	for i := 0; i+4 <= len(b); i += 4 {
		if string(b[i:i+4]) == string(o) {
			copy(b[i:], n)
		}
	}
}

// Chromium's PLI, about a source of ours.
func TestCapturedPLIIsPassedOn(t *testing.T) {
	count := 0
	for _, c := range captures(t, "../testdata/*rtcp.hex") {
		for _, b := range c.packets {
			compound, err := rtcp.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			for p := range compound.Packets() {
				if p.Kind() != rtcp.PLI {
					continue
				}
				count++
				s, _, video := newSession(t, 1, fullSections())
				rewriteSSRC(b, p.MediaSSRC(), video.encodings[0].SSRC)
				s.ReceiveRTCP(testStart, b)
				if event, _ := s.NextEvent(); event != (KeyframeRequested{video, 0}) {
					t.Errorf("after a PLI the event is %v", event)
				}
			}
		}
	}
	if count == 0 {
		t.Error("the captures have no PLI")
	}
}
