package session

import (
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// Audio and video of a peer, which come by ways of different length and are passed on, are as far
// apart in the sender reports that go on as they were in those that came.
func TestReportsOfWhatIsPassedOn(t *testing.T) {
	source, audio, video := newSession(t, 1, fullSections())
	hop, hopAudio, hopVideo := newSession(t, 2, fullSections())
	const behind = 90 * time.Millisecond // the peer's clock is an hour off; and video is captured this much after audio
	const off = -time.Hour

	type passing struct {
		at     time.Time
		packet []byte
	}
	var way []passing
	for i := range 100 {
		now := testStart.Add(time.Duration(i) * 33 * time.Millisecond)
		there := now.Add(off)
		if err := audio.WriteFrame(there, 0, Frame{Data: make([]byte, 50), PTS: now.Sub(testStart), CaptureTime: there}); err != nil {
			t.Fatal(err)
		}
		if err := video.WriteFrame(there, 0, Frame{Data: vp8Frame(50, true), PTS: now.Sub(testStart), CaptureTime: there.Add(-behind)}); err != nil {
			t.Fatal(err)
		}
		source.Advance(there)
		for n := 0; ; n++ {
			b := source.AppendPacket(there, nil)
			if len(b) == 0 {
				break
			}
			delay := 10 * time.Millisecond
			if n%2 == 1 {
				delay = 25 * time.Millisecond
			}
			way = append(way, passing{now.Add(delay), b})
		}
	}
	var reports []rtcp.SenderReport
	for _, p := range way {
		if rtcp.Is(p.packet) {
			hop.ReceiveRTCP(p.at, p.packet)
		} else {
			hop.ReceiveRTP(p.at, p.packet)
		}
		for st, ok := hop.NextStream(); ok; st, ok = hop.NextStream() {
			for q, ok := st.NextPacket(); ok; q, ok = st.NextPacket() {
				x := hopVideo
				if st.Kind == Audio {
					x = hopAudio
				}
				if _, err := x.WritePacket(p.at, 0, q); err != nil {
					t.Fatal(err)
				}
			}
		}
		hop.Advance(p.at)
		for {
			b := hop.AppendPacket(p.at, nil)
			if len(b) == 0 {
				break
			}
			if !rtcp.Is(b) {
				continue
			}
			c, _ := rtcp.Parse(b)
			for q := range c.Packets() {
				if sr, ok := q.SenderReport(); ok {
					reports = append(reports, sr)
				}
			}
		}
	}
	// Both streams have PTS 0 at the same instant of the source's clock, but for behind.
	var zero [2]time.Time
	for _, sr := range reports {
		for i, x := range []*Sender{hopAudio, hopVideo} {
			if e := x.encodings[0]; e.SSRC == sr.SSRC {
				first := e.rewrite.timestamp - ticks(99*33*time.Millisecond, e.codec.ClockRate)
				zero[i] = sr.NTPTimestamp.Time().Add(-duration(sr.RTPTimestamp-first, e.codec.ClockRate))
			}
		}
	}
	if d := zero[0].Sub(zero[1]) - behind; d < -time.Millisecond || d > time.Millisecond {
		t.Errorf("audio is %v after video, want %v", zero[0].Sub(zero[1]), behind)
	}
	if d := zero[0].Sub(testStart); d < 0 || d > 30*time.Millisecond {
		t.Errorf("by our clock it began %v after it did", d)
	}
}

// The fastest report tells where the peer's clock is; drift is followed slowly, a step at once; and times
// that cannot be are none.
func TestPeerClock(t *testing.T) {
	var c peerClock
	report := func(at, ntp time.Duration) time.Duration {
		c.report(testStart.Add(at), rtcp.SenderReport{NTPTimestamp: rtp.NewNTPTime(testStart.Add(ntp))})
		return c.offset.Round(time.Millisecond)
	}
	if got := report(0, -time.Hour); got != time.Hour {
		t.Errorf("the first report: %v", got)
	}
	if got := report(time.Second, time.Second-time.Hour-10*time.Millisecond); got != time.Hour {
		t.Errorf("a report that is 10 ms slower: %v", got)
	}
	if got := report(2*time.Second, 2*time.Second-time.Hour+10*time.Millisecond); got != time.Hour-10*time.Millisecond {
		t.Errorf("one that is 10 ms faster: %v", got)
	}
	for i := range 200 {
		at := time.Duration(3+i) * time.Second
		report(at, at-time.Hour)
	}
	if got := c.offset; got < time.Hour-time.Millisecond || got > time.Hour {
		t.Errorf("reports that are 10 ms slower for long: %v", got)
	}
	if got := report(300*time.Second, 300*time.Second-2*time.Hour); got != 2*time.Hour {
		t.Errorf("when the clock was set: %v", got)
	}

	s, _, _ := newSession(t, 1, testSections())
	s.ReceiveRTP(testStart, arrival{ssrc: 1, pt: 96, mid: "v", seq: 1}.packet())
	st := s.Streams()[0]
	codec := vp8Codec()
	if !st.sampled(testStart, &codec, 0).IsZero() {
		t.Error("before a report there is a time")
	}
	s.ReceiveRTCP(testStart, rtcp.SenderReport{SSRC: 1, NTPTimestamp: rtp.NewNTPTime(testStart.Add(-time.Hour)), RTPTimestamp: 1000}.Append(nil))
	for _, test := range []struct {
		timestamp uint32
		want      time.Duration // -1: none
	}{{1000 + 90000, time.Second}, {1<<32 - 8000, -100 * time.Millisecond}, {1000 + 10*90000, -1}} {
		got := st.sampled(testStart.Add(500*time.Millisecond), &codec, test.timestamp)
		if test.want == -1 {
			if !got.IsZero() {
				t.Errorf("timestamp %d is at %v", test.timestamp, got.Sub(testStart))
			}
		} else if d := got.Sub(testStart) - test.want; d.Abs() > time.Millisecond {
			t.Errorf("timestamp %d is at %v, want %v", test.timestamp, got.Sub(testStart), test.want)
		}
	}
}
