package peerconnection

import (
	"errors"
	"testing"
	"time"
)

// Media while sections change under it.

// frames counts what comes on a track within some time.
func (c *simCall) frames(track *Track, d time.Duration) (n int) {
	track.use(c.n.Now(), readsFrames)
	c.z.app = func(now time.Time) {
		for {
			f, ok := track.nextFrame(now)
			if !ok {
				return
			}
			if !f.Concealed {
				n++
			}
		}
	}
	c.n.Run(nil, d)
	c.z.app = func(time.Time) {}
	return n
}

// A direction becomes inactive, and comes back; a transceiver is stopped, its readers learn of it,
// and its place is taken by one of the other kind, whose media comes.
func TestMediaRenegotiated(t *testing.T) {
	c, _ := talking(t)
	half := c.a.pc.core.transceivers[1]
	track := c.z.pc.core.transceivers[1].receiver.track
	if n := c.frames(track, time.Second); n < 15 {
		t.Fatalf("%d frames come at first", n)
	}
	for _, d := range []Direction{DirectionInactive, DirectionSendOnly} {
		half.direction = d
		c.a.exchange(t, c.n.Now(), c.z, nil, nil, nil)
		c.n.Run(nil, 200*time.Millisecond) // what is on its way
		n := c.frames(track, time.Second)
		if off := d == DirectionInactive; off != (n == 0) {
			t.Errorf("%s: %d frames come", d, n)
		}
	}
	c.a.pc.core.stopTransceiver(c.n.Now(), half)
	if n := len(c.tracks[1].attached()); n > 0 {
		t.Errorf("the track of a stopped transceiver is given to %d senders", n)
	}
	c.a.exchange(t, c.n.Now(), c.z, nil, nil, nil)
	// The other kind, in the same place.
	c.tracks[1] = NewTrack(KindAudio, "second")
	encodings, _ := checkEncodings(KindAudio, nil)
	c.a.pc.core.newTransceiver(KindAudio, DirectionSendOnly, c.tracks[1], nil, encodings)
	c.a.exchange(t, c.n.Now(), c.z, nil, nil, nil)
	if len(c.z.pc.core.sections) != 2 {
		t.Fatalf("there are %d sections", len(c.z.pc.core.sections))
	}
	last := c.z.pc.core.sections[1].transceiver
	if last.kind != KindAudio {
		t.Fatalf("the second section is of %s", last.kind)
	}
	if n := c.frames(last.receiver.track, time.Second); n < 15 {
		t.Errorf("%d frames come in the place of another kind", n)
	}
	if last.receiver.track.stream == track.stream {
		t.Error("two tracks have one stream")
	}
	// By the shell, whose clock is not that of the call, and so at its end.
	if _, err := track.ReadFrame(t.Context()); !errors.Is(err, ErrTrackEnded) {
		t.Errorf("a track whose transceiver is stopped reads as %v", err)
	}
}

// A layer that rests takes frames, and sends nothing.
func TestRestingLayerIsNoError(t *testing.T) {
	c, _ := talking(t)
	s := c.a.pc.core.transceivers[1].sender
	p := s.Parameters()
	p.Encodings[0].Inactive = true
	if err := c.a.pc.core.setSendParameters(c.n.Now(), s, p); err != nil {
		t.Fatal(err)
	}
	rtp := s.rtp
	sent := rtp.Stats(c.n.Now(), 0).FramesSent
	// By the shell, whose clock is not that of the call, and whose timer runs from here on.
	if err := c.tracks[1].WriteFrame(Frame{Data: vp8Frame(1, 100, true), KeyFrame: true}); err != nil {
		t.Errorf("a frame of a layer that rests: %v", err)
	}
	c.a.pc.mu.Lock()
	defer c.a.pc.mu.Unlock()
	if rtp.Stats(c.n.Now(), 0).FramesSent != sent {
		t.Error("a layer that rests is sent")
	}
}
