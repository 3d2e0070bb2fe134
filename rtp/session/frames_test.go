package session

import (
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/jitter"
)

// A call of two sessions on virtual time, whose packets take a while.
type call struct {
	t       *testing.T
	a, z    *Session
	audio   *Sender
	video   *Sender
	now     time.Time
	delay   map[Kind]time.Duration
	onWay   []onWay
	frames  map[Kind][]shown
	packets []Packet // that z has read

	lose   func(packet []byte) bool // on the way from a to z; nil: none is lost
	wanted bool                     // z has asked for a key frame
}

type onWay struct {
	at     time.Time
	to     *Session
	packet []byte
}

type shown struct {
	at, captured time.Time
	concealed    bool
}

func newCall(t *testing.T) *call { return newCallOf(t, fullSections()) }

func newCallOf(t *testing.T, sections []Section) *call {
	c := &call{t: t, now: testStart, delay: map[Kind]time.Duration{}, frames: map[Kind][]shown{}}
	c.a, c.audio, c.video = newSession(t, 1, sections)
	c.z, _, _ = newSession(t, 2, sections)
	return c
}

// run lets time pass.
func (c *call) run(d time.Duration) {
	end := c.now.Add(d)
	for {
		for _, s := range []*Session{c.a, c.z} {
			other := c.z
			if s == c.z {
				other = c.a
			}
			for {
				b := s.AppendPacket(c.now, nil)
				if len(b) == 0 {
					break
				}
				if s == c.a && c.lose != nil && c.lose(b) {
					continue
				}
				delay := c.delay[0]
				if p, err := rtp.Parse(b); err == nil && p.PayloadType() == 111 {
					delay = c.delay[Audio]
				} else if err == nil {
					delay = c.delay[Video]
				}
				c.onWay = append(c.onWay, onWay{c.now.Add(delay), other, b})
			}
			for e, ok := s.NextEvent(); ok; e, ok = s.NextEvent() {
				switch e := e.(type) {
				case StreamStarted:
					e.Stream.Deliver(c.now, Frames|Packets)
				case KeyframeRequested:
					c.wanted = true
				}
			}
			for st, ok := s.NextStream(); ok; st, ok = s.NextStream() {
				for f, ok := st.NextFrame(c.now); ok; f, ok = st.NextFrame(c.now) {
					c.frames[st.Kind] = append(c.frames[st.Kind], shown{c.now, f.CaptureTime, f.Concealed})
				}
				for p, ok := st.NextPacket(); ok; p, ok = st.NextPacket() {
					c.packets = append(c.packets, p)
				}
			}
		}
		next := end
		for _, s := range []*Session{c.a, c.z} {
			if at := s.NextTimeout(); !at.IsZero() && at.Before(next) {
				next = at
			}
		}
		for _, p := range c.onWay {
			if p.at.Before(next) {
				next = p.at
			}
		}
		c.now = next
		var still []onWay
		for _, p := range c.onWay {
			if p.at.After(c.now) {
				still = append(still, p)
				continue
			}
			(&end2{p.to}).Receive(c.now, p.packet)
		}
		c.onWay = still
		for _, s := range []*Session{c.a, c.z} {
			if at := s.NextTimeout(); !at.IsZero() && !at.After(c.now) {
				s.Advance(c.now)
			}
		}
		if !c.now.Before(end) {
			return
		}
	}
}

// end2 is an end whose packets are of both kinds.
type end2 struct{ *Session }

func (e *end2) Receive(now time.Time, packet []byte) { (&end{Session: e.Session}).Receive(now, packet) }

// Frames are handed out at their time, the last one too, behind which nothing comes.
func TestFramesComeAtTheirTime(t *testing.T) {
	c := newCall(t)
	for i := range 100 {
		// The way of every third is 20 ms longer.
		c.delay[Video] = 10 * time.Millisecond
		if i%3 == 2 {
			c.delay[Video] = 30 * time.Millisecond
		}
		if err := c.video.WriteFrame(c.now, 0, Frame{Data: vp8Frame(500, i == 0), PTS: c.now.Sub(testStart), KeyFrame: i == 0}); err != nil {
			t.Fatal(err)
		}
		c.run(40 * time.Millisecond)
	}
	c.run(time.Second)
	frames := c.frames[Video]
	if len(frames) != 100 {
		t.Fatalf("%d of 100 frames were handed out", len(frames))
	}
	for i := 50; i < 100; i++ {
		if d := frames[i].at.Sub(frames[i-1].at); d < 38*time.Millisecond || d > 42*time.Millisecond {
			t.Errorf("frame %d comes %v after the one before", i, d)
		}
	}
}

// Audio and video that took ways of different length are shown together.
func TestLipSync(t *testing.T) {
	for _, together := range []bool{false, true} {
		c := newCall(t)
		c.delay[Audio], c.delay[Video] = 20*time.Millisecond, 140*time.Millisecond
		var bound bool
		for i := range 1500 {
			if err := c.audio.WriteFrame(c.now, 0, Frame{Data: make([]byte, 50), PTS: c.now.Sub(testStart), CaptureTime: c.now}); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				if err := c.video.WriteFrame(c.now, 0, Frame{Data: vp8Frame(500, i == 0), PTS: c.now.Sub(testStart), CaptureTime: c.now, KeyFrame: i == 0}); err != nil {
					t.Fatal(err)
				}
			}
			c.run(20 * time.Millisecond)
			if all := c.z.Streams(); together && !bound && len(all) == 2 {
				bound = true
				Synchronize(all[0], all[1])
			}
		}
		behind := map[Kind]time.Duration{}
		for kind, frames := range c.frames {
			last := frames[len(frames)-1]
			behind[kind] = last.at.Sub(last.captured)
		}
		apart := behind[Video] - behind[Audio]
		if together && apart.Abs() > 30*time.Millisecond || !together && apart < 100*time.Millisecond {
			t.Errorf("together: %t; video is %v behind audio", together, apart)
		}
	}
}

// The jitter buffer is told which packets came as retransmissions, and waits for them.
func TestRepairsReachTheJitterBuffer(t *testing.T) {
	c := newCall(t)
	for i := range 200 {
		if err := c.video.WriteFrame(c.now, 0, Frame{Data: vp8Frame(500, i == 0), PTS: c.now.Sub(testStart), KeyFrame: i == 0}); err != nil {
			t.Fatal(err)
		}
		if i%4 == 1 {
			c.a.AppendPacket(c.now, nil) // and nobody hears of it
		}
		c.run(33 * time.Millisecond)
	}
	c.run(time.Second)
	var buffer *jitter.Buffer
	for _, st := range c.z.Streams() {
		buffer = st.Buffer()
	}
	v := buffer.Stats()
	if v.PacketsRecovered < 40 || len(c.frames[Video]) != 200 {
		t.Errorf("%d packets were recovered, and %d frames handed out", v.PacketsRecovered, len(c.frames[Video]))
	}
}

// The peer says goodbye while frames wait in the jitter buffer: they are handed out, and whoever
// drives the session is told to take them.
func TestFramesBeforeGoodbye(t *testing.T) {
	for _, kind := range []Kind{Audio, Video} {
		c := newCall(t)
		sender := map[Kind]*Sender{Audio: c.audio, Video: c.video}[kind]
		for n := range 5 {
			f := Frame{Data: vp8Frame(500, n == 0), KeyFrame: n == 0, PTS: time.Duration(n) * 20 * time.Millisecond}
			if kind == Audio {
				f.Data = []byte{0xf8, byte(n)}
			}
			if err := sender.WriteFrame(c.now, 0, f); err != nil {
				t.Fatal(err)
			}
		}
		var stream *Stream
		c.run(15 * time.Millisecond)
		for _, st := range c.z.Streams() {
			stream = st
		}
		if before := len(c.frames[kind]); before == 5 {
			t.Fatalf("%v: nothing waits", kind)
		}
		c.a.RemoveSender(c.now, sender)
		c.run(15 * time.Millisecond)
		if n := len(c.frames[kind]); n != 5 || !stream.Ended() {
			t.Errorf("%v: %d frames of 5 before the end of the stream (%v)", kind, n, stream.Ended())
		}
	}
}
