package peerconnection

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// Reading: when frames come out, whose they are when streams take turns, and what times they
// bear.

// A bubble is a call in a synctest bubble: a is driven by hand, z by its shell, whose timer
// runs on the bubble's clock.
type bubble struct {
	a, z *PeerConnection
	mic  *Track
}

func newBubble(t *testing.T) *bubble {
	b := &bubble{a: quietPeer(t, 1), z: quietPeer(t, 2), mic: NewTrack(KindAudio, "mic")}
	if _, err := b.a.AddTrack(b.mic); err != nil {
		t.Fatal(err)
	}
	a, z := &simPeer{pc: b.a}, &simPeer{pc: b.z}
	a.exchange(t, time.Now(), z, nil, []netip.AddrPort{addrA}, []netip.AddrPort{netip.MustParseAddrPort("192.0.2.2:2000")})
	for range 1000 {
		now := time.Now()
		b.a.core.Advance(now)
		b.z.core.Advance(now)
		settle(now, &b.a.core, &b.z.core)
		if b.a.core.srtpOut != nil && b.z.core.srtpOut != nil {
			return b
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("not connected")
	return nil
}

// deliver gives z's shell what a has to send.
func (b *bubble) deliver() {
	for now := time.Now(); ; {
		datagram, path := b.a.core.AppendPacket(now, nil)
		if len(datagram) == 0 {
			return
		}
		b.z.receive(path.Remote, []packet{{From: path.Local, Data: datagram}})
	}
}

// A frame comes out when it is due, though nothing else arrives: the reader that was too early
// has set the timer.
func TestFramesComeOutInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		ctx, cancel := context.WithCancel(t.Context())
		track := b.z.Transceivers()[0].Receiver().Track()
		const frames = 50
		var late [frames]time.Duration // of each frame, since it came
		done := make(chan error, 1)
		go func() {
			for {
				f, err := track.ReadFrame(ctx)
				if err != nil {
					done <- err
					return
				}
				if !f.Concealed {
					late[binary.BigEndian.Uint32(f.Data[1:])] = time.Since(f.ReceivedAt)
				}
			}
		}()
		began := time.Now()
		for i := range frames {
			s := b.mic.attached()[0]
			if err := s.rtp.WriteFrame(time.Now(), 0, session.Frame{Data: callMessage(KindAudio, i, true), PTS: time.Since(began)}); err != nil {
				t.Fatal(err)
			}
			b.deliver()
			if i%10 != 9 {
				time.Sleep(20 * time.Millisecond)
				continue
			}
			time.Sleep(time.Second) // silence
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a read that was given up: %v", err)
		}
		for i, l := range late {
			if l == 0 || l > 250*time.Millisecond {
				t.Errorf("frame %d comes out %v after it came", i, l)
			}
		}
		b.a.Close()
		b.z.Close()
	})
}

// A reader that gives up after a long wait does not turn the connection's clock back.
func TestCancelledReadKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
		defer cancel()
		track := b.z.Transceivers()[0].Receiver().Track()
		if _, err := track.ReadFrame(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a read without anything to read: %v", err)
		}
		b.z.mu.Lock()
		if at, next := b.z.timerAt, b.z.core.NextTimeout(); at.IsZero() || at.Sub(next) > time.Second {
			t.Errorf("the timer is set to %v, and %v is due", at, next)
		}
		b.z.mu.Unlock()
		b.a.Close()
		b.z.Close()
		if _, err := track.ReadFrame(t.Context()); !errors.Is(err, ErrTrackEnded) {
			t.Errorf("a read after Close: %v", err)
		}
	})
}

// forge has a's keys seal an RTP packet of any source, and gives it to z.
func (c *simCall) forge(t testing.TB, now time.Time, ssrc uint32, sequence uint16, timestamp uint32, payload []byte) {
	t.Helper()
	b := rtp.NewBuilder(nil, rtp.Header{
		PayloadType: c.a.pc.core.transceivers[1].sender.rtp.Codec().PayloadType, Marker: true,
		SSRC: ssrc, SequenceNumber: sequence, Timestamp: timestamp,
	})
	packet, err := c.a.pc.core.srtpOut.SealRTP(append(b.Bytes(), payload...), 0)
	if err != nil {
		t.Fatal(err)
	}
	c.hand(now, packet)
}

// hand gives a sealed packet to z.
func (c *simCall) hand(now time.Time, packet []byte) {
	path := c.z.pc.core.selected
	c.z.pc.core.Receive(now, ice.Path{Local: path.Local, Remote: path.Remote}, packet)
}

// talking is a call that has begun and then is driven by hand.
func talking(t testing.TB) (c *simCall, now time.Time) {
	t.Helper()
	c, _ = newSimCall(t, 5, netsim.Profile{Delay: time.Millisecond})
	c.z.app = func(time.Time) {}
	if !c.n.Run(func() bool { return c.sent[1] > 3 }, 5*time.Second) {
		t.Fatal("the call does not connect")
	}
	return c, c.n.Now()
}

// vp8Key is a packet that holds a whole key frame.
func vp8Key(n int) []byte { return append([]byte{0x10}, vp8Frame(n, 40, true)...) }

// When the peer changes the SSRC, the track goes on with the new stream, later than what came
// before; and what nobody reads any more keeps nothing. When the new one says goodbye and the old
// goes on, so does the track.
func TestTrackFollowsTheStream(t *testing.T) {
	c, now := talking(t)
	track := c.z.pc.core.transceivers[1].receiver.track
	track.use(now, readsFrames)
	track.use(now, readsPackets)
	var last time.Duration = -1
	read := func(what string) {
		t.Helper()
		got := 0
		for range 200 {
			now = now.Add(5 * time.Millisecond)
			c.z.pc.core.Advance(now)
			if f, ok := track.nextFrame(now); ok {
				got++
				if f.PTS <= last || f.PTS > last+10*time.Second {
					t.Errorf("%s: a frame is at %v after one at %v", what, f.PTS, last)
				}
				last = f.PTS
			}
		}
		if got == 0 {
			t.Errorf("%s: no frame comes", what)
		}
		for {
			if _, ok := track.take(); !ok {
				return
			}
		}
	}
	play := func(ssrc uint32, sequence uint16, timestamp uint32) {
		for i := range uint16(5) {
			now = now.Add(40 * time.Millisecond)
			c.forge(t, now, ssrc, sequence+i, timestamp+uint32(i)*3600, vp8Key(int(i)))
		}
	}
	read("before")
	play(7001, 100, 4_000_000_000)
	first := track.stream
	if first.SSRC != 7001 {
		t.Fatalf("the track is fed by %d", first.SSRC)
	}
	read("the first")
	play(7002, 9000, 5)
	if track.stream.SSRC != 7002 {
		t.Fatalf("the track is fed by %d", track.stream.SSRC)
	}
	read("the second")
	play(7001, 105, 4_000_036_000)
	if _, ok := first.NextPacket(); ok || first.Buffer() != nil {
		t.Error("a stream that nobody reads keeps its packets")
	}
	bye, err := c.a.pc.core.srtpOut.SealRTCP(rtcp.AppendBye(nil, "", 7002), 0)
	if err != nil {
		t.Fatal(err)
	}
	c.hand(now, bye)
	if track.stream != first {
		t.Fatalf("the track is fed by %d, which has ended: %v", track.stream.SSRC, track.stream.Ended())
	}
	play(7001, 110, 4_000_054_000)
	read("the first again")
}

// Times go on where timestamps wrap, and where they begin anew.
func TestMediaClock(t *testing.T) {
	var c mediaClock
	now := time.Unix(1e9, 0)
	const frame = 20 * time.Millisecond
	want := time.Duration(0)
	for i := range uint32(400) {
		if got := c.pts(now, 0xffffff00+i*960, 48000); got != want {
			t.Fatalf("frame %d is at %v, not %v", i, got, want)
		}
		now, want = now.Add(frame), want+frame
	}
	// PCMU, by an older timestamp.
	if got := c.pts(now, 12, 8000); got != want {
		t.Errorf("the first of another rate is at %v, not %v", got, want)
	}
	if got := c.pts(now.Add(frame), 172, 8000); got != want+frame {
		t.Errorf("the second is at %v, not %v", got, want+frame)
	}
	// Another stream; its first frame is read at once.
	c.another = true
	if got := c.pts(now.Add(frame), 0x80000000, 8000); got != want+frame+time.Millisecond {
		t.Errorf("the first of another stream is at %v, not %v", got, want+frame+time.Millisecond)
	}
	// Frames may come out of the order of their times.
	if got := c.pts(now, 0x80000000-80, 8000); got != want+frame+time.Millisecond-10*time.Millisecond {
		t.Errorf("an earlier frame is at %v", got)
	}
	// A codec whose rate nobody knows.
	var none mediaClock
	if none.pts(now, 1, 0) != 0 || none.pts(now, 5000, 0) != 0 {
		t.Error("without a clock rate time goes on")
	}
}

// A key frame that is asked for of what is not sent any more is not asked for.
func TestKeyframeOfWhatIsGone(t *testing.T) {
	c, now := talking(t)
	core := &c.a.pc.core
	s := core.transceivers[1].sender
	core.wanted = nil
	core.rtpEvent(now, session.KeyframeRequested{Sender: s.rtp, Encoding: 2})
	old := s.rtp
	s.rtp = nil
	core.rtpEvent(now, session.KeyframeRequested{Sender: old})
	if len(core.wanted) > 0 {
		t.Errorf("wanted: %v", core.wanted)
	}
	s.rtp = old
	core.rtpEvent(now, session.KeyframeRequested{Sender: old})
	if len(core.wanted) != 1 {
		t.Errorf("wanted: %v", core.wanted)
	}
}

// A track that is given to a sender late does not begin with audio that has waited for
// somebody to read it.
func TestOldAudioIsNotRelayed(t *testing.T) {
	c, _ := talking(t)
	c.n.Run(nil, 3*time.Second)
	now := c.n.Now()
	core := &c.z.pc.core
	for i, x := range core.transceivers {
		core.relayed = nil
		track := x.receiver.track
		x.sender.setTrack(track)
		track.use(now, relays)
		core.pump(now)
		for _, p := range core.relayed {
			if age := now.Sub(p.packet.Arrival); i == 0 && age > maxRelayAge {
				t.Fatalf("audio is passed on that came %v ago", age)
			}
		}
		if len(core.relayed) == 0 {
			t.Errorf("no %s is passed on", x.kind)
		}
	}
}
