package session

import (
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// leave runs a session by itself for a time, and tells when each packet left.
func leave(t testing.TB, s *Session, from time.Time, d time.Duration, each func(at time.Time, p rtp.Packet)) {
	for now := from; !now.After(from.Add(d)); {
		for {
			b := s.AppendPacket(now, nil)
			if len(b) == 0 {
				break
			}
			if rtcp.Is(b) {
				continue
			}
			p, err := rtp.Parse(b)
			if err != nil {
				t.Fatal(err)
			}
			each(now, p)
		}
		next := s.NextTimeout()
		if next.IsZero() {
			return
		}
		if !next.After(now) {
			t.Fatalf("a timer is due at %v, and it is %v", next.Sub(from), now.Sub(from))
		}
		now = next
		s.Advance(now)
	}
}

// A frame of ordinary size leaves at once; one that is larger is spread, but takes no longer than
// the pacer's delay; audio passes it.
func TestPacerSpreadsKeyFrames(t *testing.T) {
	for _, test := range []struct {
		size int
		most time.Duration // the last packet leaves then
	}{
		{15000, 0},
		{100e3, 80 * time.Millisecond},
		{2e6, 4 * pacerDelay},
	} {
		s, audio, video := newSession(t, 1, fullSections())
		if err := video.WriteFrame(testStart, 0, Frame{Data: vp8Frame(test.size, true), KeyFrame: true}); err != nil {
			t.Fatal(err)
		}
		if err := audio.WriteFrame(testStart, 0, Frame{Data: make([]byte, 100)}); err != nil {
			t.Fatal(err)
		}
		first, bursts, atOnce, largest := true, 0, 0, 0
		var last time.Time
		bytes := 0
		leave(t, s, testStart, time.Second, func(at time.Time, p rtp.Packet) {
			if first && p.PayloadType() != 111 {
				t.Errorf("%d bytes: audio waits for video", test.size)
			}
			first = false
			if !at.Equal(last) {
				bursts++
				atOnce = 0
			}
			atOnce += len(p.Bytes())
			largest = max(largest, atOnce)
			last = at
			bytes += len(p.Payload())
		})
		if bytes < test.size {
			t.Errorf("%d of %d bytes left", bytes, test.size)
		}
		if d := last.Sub(testStart); d > test.most {
			t.Errorf("%d bytes took %v, want at most %v", test.size, d, test.most)
		}
		if test.most > 0 && (bursts < 5 || largest > test.size/3+pacerBurst) {
			t.Errorf("%d bytes left in %d bursts of up to %d", test.size, bursts, largest)
		}
	}
}

// What its sender has paced is passed on as it arrives: a large key frame takes no longer over
// two hops than over one: here it arrives all at once.
func TestPassedOnAtOnce(t *testing.T) {
	source, _, video := newSession(t, 1, fullSections())
	in, _, _ := newSession(t, 2, fullSections())
	out, _, forwarded := newSession(t, 3, fullSections())
	if err := video.WriteFrame(testStart, 0, Frame{Data: vp8Frame(100e3, true), KeyFrame: true}); err != nil {
		t.Fatal(err)
	}
	arrival := testStart.Add(time.Second)
	arrived := 0
	leave(t, source, testStart, time.Second/2, func(_ time.Time, p rtp.Packet) {
		in.ReceiveRTP(arrival, p.Bytes())
		arrived++
	})
	for st, ok := in.NextStream(); ok; st, ok = in.NextStream() {
		st.Deliver(arrival, Packets)
		for p, ok := st.NextPacket(); ok; p, ok = st.NextPacket() {
			if taken, err := forwarded.WritePacket(arrival, 0, p); !taken || err != nil {
				t.Fatalf("a packet is not passed on: %v", err)
			}
		}
	}
	left := 0
	leave(t, out, arrival, time.Second/2, func(at time.Time, _ rtp.Packet) {
		if left++; at != arrival {
			t.Errorf("packet %d leaves %v after it arrived", left, at.Sub(arrival))
		}
	})
	if left != arrived || left < 80 {
		t.Errorf("%d packets left of %d that arrived", left, arrived)
	}
	// Where there is no path, packets make no room for a burst later.
	for range 10 * pacerPassOn / 1000 {
		out.queue.pacer.passOn(1000)
	}
	if level := out.queue.pacer.free; level > pacerPassOn {
		t.Errorf("%d bytes may leave at once, want at most %d", level, pacerPassOn)
	}
}

// What nobody takes does not pile up without end.
func TestQueueIsBounded(t *testing.T) {
	s, audio, video := newSession(t, 1, fullSections())
	for i := range 3 * maxQueued {
		now := testStart.Add(time.Duration(i) * time.Millisecond)
		for _, x := range []*Sender{audio, video} {
			if err := x.WriteFrame(now, 0, Frame{Data: vp8Frame(20, true), PTS: now.Sub(testStart)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if a, v := s.queue.urgent.len(), s.queue.media.len(); a > maxQueued || v > maxQueued || s.queue.bytes > maxQueued*100 {
		t.Errorf("%d and %d packets wait, of %d bytes", a, v, s.queue.bytes)
	}
	for _, x := range []*Sender{audio, video} {
		if n := len(x.encodings[0].history.slots); n > maxHistory {
			t.Errorf("%d packets are kept", n)
		}
	}
}
