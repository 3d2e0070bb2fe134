package session

import (
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// RFC 4733, Section 2.5.1.3: a tone longer than its duration can say goes on in another segment, and
// is heard as one. What is said meanwhile is not sent; afterwards audio goes on without a gap.
func TestLongTone(t *testing.T) {
	a, audio, _ := newSession(t, 1, testSections())
	z, _, _ := newSession(t, 2, testSections())
	const length = 3 * time.Second
	var told []ToneReceived
	var packets []rtp.Packet
	now := testStart
	for i := range 200 {
		if err := audio.WriteFrame(now, 0, Frame{Data: make([]byte, 50), PTS: now.Sub(testStart)}); err != nil {
			t.Fatal(err)
		}
		if i == 10 {
			if err := audio.InsertDTMF(now, "#", length, 0); err != nil {
				t.Fatal(err)
			}
		}
		if at := a.NextTimeout(); !at.IsZero() && !at.After(now) {
			a.Advance(now)
		}
		for {
			b := a.AppendPacket(now, nil)
			if len(b) == 0 {
				break
			}
			if p, err := rtp.Parse(b); err == nil && !rtcp.Is(b) {
				packets = append(packets, p)
				z.ReceiveRTP(now, b)
			}
		}
		for e, ok := z.NextEvent(); ok; e, ok = z.NextEvent() {
			if tone, ok := e.(ToneReceived); ok {
				told = append(told, tone)
			}
		}
		now = now.Add(20 * time.Millisecond)
	}
	if len(told) != 2 || told[0].End || !told[1].End || told[0].Tone != '#' || told[1].Duration != length {
		t.Errorf("Z is told of %+v, want one tone of %v", told, length)
	}
	segments := map[uint32]bool{}
	for i, p := range packets {
		if i > 0 && p.SequenceNumber() != packets[i-1].SequenceNumber()+1 {
			t.Errorf("%v follows %v", p, packets[i-1])
		}
		if i > 0 && i < len(packets)-1 && p.PayloadType() == 111 && packets[i-1].PayloadType() == 126 && packets[i+1].PayloadType() == 126 {
			t.Errorf("%v is in the midst of a tone", p)
		}
		if p.PayloadType() == 126 {
			segments[p.Timestamp()] = true
		}
	}
	if len(segments) != 3 {
		t.Errorf("the tone has %d segments, want 3", len(segments))
	}
	last := packets[len(packets)-1]
	if first := packets[0]; last.PayloadType() != 111 || last.Timestamp()-first.Timestamp() != 199*960 {
		t.Errorf("audio begins with %v and ends with %v", first, last)
	}
}

// A comma is a pause, an empty string ends what was to come, and what is no key is refused.
func TestToneBuffer(t *testing.T) {
	s, audio, _ := newSession(t, 1, testSections())
	if err := audio.InsertDTMF(testStart, "12x", 0, 0); err != ErrTone {
		t.Errorf("x is no key: %v", err)
	}
	if err := audio.InsertDTMF(testStart, "1,d", 0, 0); err != nil {
		t.Fatal(err)
	}
	var played []byte
	var at []time.Duration
	for range 1000 {
		for e, ok := s.NextEvent(); ok; e, ok = s.NextEvent() {
			if tone, ok := e.(ToneSent); ok {
				played = append(played, tone.Tone)
			}
		}
		now := s.timers.At(timerTone)
		if now.IsZero() {
			break
		}
		at = append(at, now.Sub(testStart))
		s.Advance(now)
	}
	if string(played) != "1,d\x00" || audio.ToneBuffer() != "" {
		t.Errorf("played %q, and %q is left", played, audio.ToneBuffer())
	}
	if end := at[len(at)-1]; end < 2*time.Second || end > 2400*time.Millisecond {
		t.Errorf("it took %v, want two seconds of pause and two tones", end)
	}
	if err := audio.InsertDTMF(testStart, "12", 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := audio.InsertDTMF(testStart, "", 0, 0); err != nil || audio.ToneBuffer() != "" {
		t.Errorf("%v, and %q is left", err, audio.ToneBuffer())
	}
}

// A tone all of whose ends were lost ends when the next begins; and forwarded audio gives way to tones, too.
func TestTonesAmongPackets(t *testing.T) {
	z, _, _ := newSession(t, 2, testSections())
	for i, event := range []payload.Event{{Code: 1, Duration: 960}, {Code: 2, Duration: 480}} {
		b := rtp.NewBuilder(nil, rtp.Header{PayloadType: 126, SequenceNumber: uint16(i), Timestamp: uint32(i) * 9600, SSRC: 1})
		z.ReceiveRTP(testStart, event.Append(b.Bytes()))
	}
	var got []ToneReceived
	for _, e := range events(z) {
		if tone, ok := e.(ToneReceived); ok {
			tone.Stream = nil
			got = append(got, tone)
		}
	}
	want := []ToneReceived{{Tone: '1', Duration: 20 * time.Millisecond}, {Tone: '1', Duration: 20 * time.Millisecond, End: true}, {Tone: '2', Duration: 10 * time.Millisecond}}
	if !slices.Equal(got, want) {
		t.Errorf("told of %+v, want %+v", got, want)
	}

	a, audio, _ := newSession(t, 1, testSections())
	opus := opusCodec()
	write := func(sequence uint16) bool {
		t.Helper()
		b := rtp.NewBuilder(nil, rtp.Header{PayloadType: 99, SequenceNumber: sequence, Timestamp: uint32(sequence) * 960, SSRC: 1})
		p, err := NewPacket(append(b.Bytes(), 1, 2, 3), &opus, nil)
		if err != nil {
			t.Fatal(err)
		}
		taken, err := audio.WritePacket(testStart, 0, p)
		if err != nil {
			t.Fatal(err)
		}
		return taken
	}
	if !write(1) {
		t.Error("a packet was not taken")
	}
	if err := audio.InsertDTMF(testStart, "1", 0, 0); err != nil {
		t.Fatal(err)
	}
	if write(2) {
		t.Error("a packet was taken in the midst of a tone")
	}
	leave(t, a, testStart, time.Second, func(time.Time, rtp.Packet) {})
	if !write(3) {
		t.Error("a packet behind the tone was not taken")
	}
}
