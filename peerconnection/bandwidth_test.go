package peerconnection

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/sdp"
)

// What the peer's b= lines allow is what we send at most, in a section and in all together.
func TestBandwidthOfThePeer(t *testing.T) {
	offer, err := os.ReadFile("testdata/jsep/chromium-ccfb-offer-offer.sdp")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		session, section string
		all, one         int // bit/s
	}{
		{"", "", 0, 0},
		{"", "b=AS:500\r\n", 0, 500_000},
		{"", "b=TIAS:250000\r\n", 0, 250_000},
		{"", "b=AS:500\r\nb=TIAS:450000\r\n", 0, 450_000},
		{"b=CT:1000\r\n", "b=AS:500\r\n", 1_000_000, 500_000},
		{"b=AS:1000\r\n", "", 1_000_000, 0},
		{"", "b=AS:0\r\n", 0, 1},
		{"", "b=AS:18446744073709551615\r\n", 0, min(1000<<40, math.MaxInt)},
		{"", "b=AS:3000000\r\n", 0, min(3_000_000_000, math.MaxInt)},
		{"", "b=X-OTHER:5\r\n", 0, 0},
	} {
		text := strings.Replace(string(offer), "t=0 0\r\n", test.session+"t=0 0\r\n", 1)
		// Behind the m= and c= lines: RFC 8866, Section 5.
		head, rest, ok := strings.Cut(text, "\r\nm=video")
		line, tail, more := strings.Cut(rest, "\r\na=")
		if !ok || !more {
			t.Fatal("the offer has no video")
		}
		s, err := sdp.Parse(head + "\r\nm=video" + line + "\r\n" + test.section + "a=" + tail)
		if err != nil {
			t.Errorf("%q and %q: %v", test.session, test.section, err)
			continue
		}
		for i := range s.Media {
			d := readRTP(s, &s.Media[i])
			want := 0
			if s.Media[i].Kind == "video" {
				want = test.one
			}
			if d.bandwidth != want || d.sessionBandwidth != test.all {
				t.Errorf("%q and %q: %s may have %d, all together %d; want %d and %d",
					test.session, test.section, s.Media[i].Kind, d.bandwidth, d.sessionBandwidth, want, test.all)
			}
		}
	}
}

// A sender's target is there once it was negotiated, bounded by its encoding, and is none for what rests.
func TestTargetBitrate(t *testing.T) {
	c, _ := talking(t)
	s := c.a.pc.core.transceivers[1].sender
	if got := s.TargetBitrate(""); got < 200_000 {
		t.Errorf("the target is %d", got)
	}
	if got := s.TargetBitrate("h"); got != 0 {
		t.Errorf("the target of a layer that is not there is %d", got)
	}
	set := func(change func(*EncodingParameters)) { // past the shell, which would set its timer
		t.Helper()
		p := c.a.pc.core.sendParameters(s)
		change(&p.Encodings[0])
		if err := c.a.pc.core.setSendParameters(c.n.Now(), s, p); err != nil {
			t.Fatal(err)
		}
	}
	set(func(e *EncodingParameters) { e.MaxBitrate = 100_000 })
	if got := s.TargetBitrate(""); got != 100_000 {
		t.Errorf("with 100,000 at most the target is %d", got)
	}
	if got := c.a.pc.core.stats(c.n.Now()).OutboundRTP[1]; got.TargetBitrate <= 0 || got.TargetBitrate > 100_000 || got.Kind != KindVideo {
		t.Errorf("the statistics of %s have a target of %v", got.Kind, got.TargetBitrate)
	}
	set(func(e *EncodingParameters) { e.Inactive = true })
	if got := s.TargetBitrate(""); got != 0 {
		t.Errorf("the target of what rests is %d", got)
	}
}
