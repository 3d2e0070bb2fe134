package jitter

import (
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// steady sends voice from one number to another, 20 ms apart, all on time, but those
// left out.
func (w *world) steady(from, to int, without ...int) *world {
	for n := from; n < to; n++ {
		if !slices.Contains(without, n) {
			w.send(voice(w.t, n), opus)
		}
		w.sleep(20 * ms)
	}
	return w
}

func wantNumbers(t *testing.T, w *world, want ...int) {
	t.Helper()
	if got := w.numbers(); !slices.Equal(got, want) {
		t.Errorf("frames %v, want %v", got, want)
	}
}

func TestReorderedPacketsComeOutInOrder(t *testing.T) {
	w := newWorld(t, Config{})
	for _, n := range []int{10, 12, 11, 9, 13} { // 9 was overtaken by the first packet that came
		w.send(voice(t, n), opus)
	}
	w.sleep(100 * ms)
	wantNumbers(t, w, 9, 10, 11, 12, 13)
	for i := range w.frames[1:] {
		// All came at once, which looks like much delay of the first.
		if d := w.frames[i+1].Due.Sub(w.frames[i].Due); d < 15*ms || d > 23*ms {
			t.Errorf("frames of 20 ms are due %v apart", d)
		}
	}
}

func TestDuplicatesAndLatePackets(t *testing.T) {
	w := newWorld(t, Config{})
	w.steady(0, 20, 15)
	w.send(voice(t, 19), opus) // still waiting
	w.sleep(200 * ms)
	w.send(voice(t, 19), opus) // was handed out
	w.send(voice(t, 15), opus) // its time is over
	if got, want := w.drops.Drops(), []string{dropDuplicate, dropDuplicate, dropLate}; !slices.Equal(got, want) {
		t.Errorf("drops %q, want %q", got, want)
	}
	s := w.b.Stats()
	if s.PacketsDuplicate != 2 || s.PacketsLate != 1 || s.PacketsDiscarded != 1 || s.PacketsMissing != 1 {
		t.Errorf("stats: %+v", s)
	}
}

// A lost packet is concealed for as long as it would have lasted, and says so.
func TestLostPacketIsConcealed(t *testing.T) {
	w := newWorld(t, Config{})
	w.steady(0, 20, 10)
	at := slices.Index(w.numbers(), -1)
	if at != 10 {
		t.Fatalf("frames %v: number 10 is not concealed", w.numbers())
	}
	f := w.frames[at]
	if f.Duration != 20*ms || len(f.Data) != 0 || f.Timestamp != 9600 || !f.Packet.IsZero() {
		t.Errorf("concealed frame %+v", f.Frame)
	}
	if next := w.frames[at+1]; next.number() != 11 || next.Missing != 0 || f.Missing != 1 {
		t.Errorf("missing packets are told with frame %d: %d, and with the next: %d", f.number(), f.Missing, next.Missing)
	}
	if s := w.b.Stats(); s.ConcealmentEvents != 1 || s.ConcealedSamples != 960 {
		t.Errorf("stats: %+v", s)
	}
}

// When nothing at all comes any more, play-out waits: what comes late is played, and
// the delay goes up by how late it was, and down again.
func TestPlayoutWaitsForWhatIsLate(t *testing.T) {
	w := newWorld(t, Config{})
	w.steady(0, 3000)
	before := w.b.Stats().Offset
	w.sleep(300 * ms)
	for n := 3000; n < 3015; n++ { // all at once
		w.send(voice(t, n), opus)
	}
	if got := w.b.Stats().Offset - before; got < 250*ms || got > 300*ms {
		t.Errorf("the delay went up by %v", got)
	}
	w.steady(3015, 3315)
	for n := 2990; n < 3300; n++ {
		if !slices.Contains(w.numbers(), n) {
			t.Errorf("frame %d was lost", n)
		}
	}
	if s := w.b.Stats(); s.FramesDelayed != 1 || s.ConcealmentEvents != 1 || s.PacketsLate != 0 {
		t.Errorf("stats: %+v", s)
	}
	if got := w.b.Stats().Offset; got > before+20*ms {
		t.Errorf("6 s after the stall the delay is %v, it was %v", got, before)
	}
}

// When the wait was for a packet that never came, its time has passed already.
func TestWaitForALostPacketIsNotRepeated(t *testing.T) {
	w := newWorld(t, Config{})
	w.steady(0, 100)
	w.sleep(60 * ms) // 100, 101 and 102 are lost
	w.steady(103, 120)
	due := func(n int) time.Time { return w.frames[slices.Index(w.numbers(), n)].Due }
	if got := due(110).Sub(due(99)) - 11*20*ms; got > 2*ms {
		t.Errorf("the delay went up by %v although nothing was late", got)
	}
	if s := w.b.Stats(); s.PacketsMissing != 3 || s.ConcealedSamples < 3*960 || s.ConcealedSamples > 4*960 {
		t.Errorf("stats: %+v", s)
	}
}

// A sender that stops is not concealed for ever, and when it goes on there is no
// trace of the pause.
func TestPause(t *testing.T) {
	w := newWorld(t, Config{})
	w.steady(0, 50)
	w.sleep(10 * time.Second)
	if at := w.b.NextTimeout(); !at.IsZero() {
		t.Errorf("nothing is there, and something will be due in %v", at.Sub(w.now))
	}
	frames := len(w.frames)
	for n := 50; n < 60; n++ { // the timestamps went on, the sequence numbers did not
		p := voice(t, n)
		p.SetTimestamp(p.Timestamp() + 10*48000)
		w.send(p, opus).sleep(20 * ms)
	}
	w.sleep(100 * ms)
	after := w.numbers()[frames:]
	if len(after) < 10 || after[0] != 50 || after[9] != 59 {
		t.Errorf("after the pause: %v", after)
	}
	if s := w.b.Stats(); s.Restarts != 0 || s.ConcealedSamples > 2*52800 || s.SilentConcealedSamples == 0 {
		t.Errorf("stats: %+v", s)
	}
}

// Opus says when it goes on sending nothing: that is not concealed.
func TestDiscontinuousTransmission(t *testing.T) {
	w := newWorld(t, Config{})
	w.steady(0, 50)
	w.send(packet(t, rtp.Header{PayloadType: 111, SequenceNumber: 50, Timestamp: 50 * 960, SSRC: 1}, 0xf8), opus)
	w.sleep(400 * ms)
	for n := 70; n < 80; n++ {
		p := voice(t, n)
		p.SetSequenceNumber(uint16(n - 19))
		w.send(p, opus).sleep(20 * ms)
	}
	w.sleep(60 * ms)
	if s := w.b.Stats(); s.ConcealmentEvents > 1 || s.ConcealedSamples > 30*960 || s.PacketsMissing != 0 {
		t.Errorf("stats: %+v", s)
	}
	var events int
	for _, f := range w.frames[:slices.Index(w.numbers(), 79)] {
		if f.Concealed {
			events++
		}
	}
	if events > 0 {
		t.Errorf("%d frames of silence were concealed: %v", events, w.numbers())
	}
}

// Padding and telephone events take their place in the order, and are no loss.
func TestPacketsWithoutMedia(t *testing.T) {
	w := newWorld(t, Config{})
	w.send(voice(t, 1), opus)
	w.send(packet(t, rtp.Header{PayloadType: 111, SequenceNumber: 2, Timestamp: 960, SSRC: 1}), opus)
	w.send(packet(t, rtp.Header{PayloadType: 101, SequenceNumber: 3, Timestamp: 960, SSRC: 1}, 1, 2, 3, 4), Codec{})
	p := voice(t, 2)
	p.SetSequenceNumber(4)
	w.send(p, opus)
	w.sleep(80 * ms)
	wantNumbers(t, w, 1, 2)
}

// Sequence numbers and timestamps wrap.
func TestWrap(t *testing.T) {
	w := newWorld(t, Config{})
	for n := range 200 {
		i := uint16(65436 + n)
		w.send(packet(t, rtp.Header{PayloadType: 111, SequenceNumber: i, Timestamp: uint32((n - 50) * 960), SSRC: 1}, 0xf8, byte(n>>8), byte(n)), opus)
		w.sleep(20 * ms)
	}
	w.sleep(40 * ms)
	for i, n := range w.numbers()[:195] {
		if n != i {
			t.Fatalf("frame %d has number %d", i, n)
		}
	}
	if s := w.b.Stats(); s.Restarts != 0 || s.ConcealmentEvents > 1 {
		t.Errorf("stats: %+v", s)
	}
}

// A source that starts anew is followed at its second packet; one stray packet is
// not.
func TestRestart(t *testing.T) {
	w := newWorld(t, Config{})
	w.steady(0, 50)
	w.send(packet(t, rtp.Header{SequenceNumber: 30000, Timestamp: 5, SSRC: 1}, 0xf8, 0, 0), opus)
	w.steady(50, 60)
	if s := w.b.Stats(); s.Restarts != 0 {
		t.Fatal("one stray packet was taken for a new source")
	}
	frames := len(w.frames)
	w.steady(40000, 40020)
	w.sleep(100 * ms)
	if s := w.b.Stats(); s.Restarts != 1 {
		t.Errorf("%d restarts", s.Restarts)
	}
	after := w.numbers()[frames:]
	if i := slices.Index(after, 40001); i < 0 || !slices.Equal(after[i:i+10], []int{40001, 40002, 40003, 40004, 40005, 40006, 40007, 40008, 40009, 40010}) {
		t.Errorf("after the restart: %v", after)
	}
	if !slices.Contains(w.drops.Drops(), dropStray) {
		t.Errorf("drops: %v", w.drops.Drops())
	}
}

// A source that starts anew with numbers just behind the old ones is not late for
// ever.
func TestRestartJustBehind(t *testing.T) {
	w := newWorld(t, Config{})
	w.steady(1000, 1300)
	for n := 700; n < 900; n++ {
		p := voice(t, n)
		p.SetTimestamp(p.Timestamp() + 1<<30)
		w.send(p, opus).sleep(20 * ms)
	}
	if s := w.b.Stats(); s.Restarts < 1 || !slices.Contains(w.numbers(), 850) {
		t.Errorf("the source was not followed: %+v", s)
	}
}

// Timestamps jump when another source takes the place of a track's; sequence
// numbers go on.
func TestTimestampsJump(t *testing.T) {
	for name, jump := range map[string]uint32{"ahead": 1 << 30, "back": 3 << 30, "to nowhere": 12345678} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.steady(0, 100)
			for n := 100; n < 400; n++ {
				p := voice(t, n)
				p.SetTimestamp(p.Timestamp() + jump)
				w.send(p, opus).sleep(20 * ms)
			}
			w.sleep(40 * ms)
			lost := 0
			for n := range 400 {
				if !slices.Contains(w.numbers(), n) {
					lost++
				}
			}
			if s := w.b.Stats(); lost > 5 || s.Restarts == 0 || s.Offset > 100*ms {
				t.Errorf("%d frames were lost: %+v", lost, s)
			}
		})
	}
}

// A stream whose first timestamps make no sense is not held back by them.
func TestNonsenseAtFirst(t *testing.T) {
	for _, jump := range []uint32{1 << 30, 3 << 30, 1 << 31} {
		w := newWorld(t, Config{})
		for n := range 300 {
			p := voice(t, n)
			if n == 1 || n == 2 {
				p.SetTimestamp(p.Timestamp() + jump)
			}
			w.send(p, opus).sleep(20 * ms)
		}
		if s := w.b.Stats(); len(w.frames) < 280 || s.Offset > 200*ms {
			t.Errorf("%d frames: %+v", len(w.frames), s)
		}
	}
	w := newWorld(t, Config{Video: true})
	for n := range 100 {
		ts := uint32(n) * 3000
		if n == 0 {
			ts -= 1 << 30
		}
		w.send(vp8Packet(t, n, ts, true, true, n < 2, payload.VP8Descriptor{}), vp8).sleep(33 * ms)
	}
	if len(w.frames) < 95 {
		t.Errorf("%d frames: %+v", len(w.frames), w.b.Stats())
	}
}

// Audio of an eighth of a millisecond a packet is concealed in steps that end.
func TestTinyFrames(t *testing.T) {
	w := newWorld(t, Config{})
	for _, n := range []int{0, 1, 2, 10} {
		w.send(packet(t, rtp.Header{SequenceNumber: uint16(n), Timestamp: uint32(n), SSRC: 1}, 0xff), pcmu)
	}
	w.sleep(time.Minute)
	if len(w.frames) > 1100 || w.frames[len(w.frames)-1].at > 2*time.Second {
		t.Errorf("%d frames, the last after %v", len(w.frames), w.frames[len(w.frames)-1].at)
	}
}

// A path that stands still for seconds is no jump: what is much too late is dropped,
// and then all is as it was.
func TestLongStall(t *testing.T) {
	w := newWorld(t, Config{})
	w.steady(0, 200)
	w.sleep(5 * time.Second)
	for n := 200; n < 450; n++ {
		w.send(voice(t, n), opus)
	}
	w.steady(450, 2200)
	s := w.b.Stats()
	if s.Offset > 200*ms || s.Restarts != 0 {
		t.Errorf("35 s after the stall: %+v", s)
	}
	if n := w.numbers(); n[len(n)-1] < 2185 {
		t.Errorf("the last frame is %d", n[len(n)-1])
	}
}

// The older blocks of a RED packet fill in for packets that are lost.
func TestRedundancy(t *testing.T) {
	w := newWorld(t, Config{})
	red := opus
	red.RED = true
	for n := 1; n < 40; n++ {
		old := voice(t, n-1).Payload()
		data := payload.AppendRED(nil, 111, voice(t, n).Payload(), payload.Redundancy{PayloadType: 111, Offset: 960, Data: old})
		if n%5 != 0 {
			w.send(packet(t, rtp.Header{PayloadType: 63, SequenceNumber: uint16(n), Timestamp: uint32(n * 960), SSRC: 1}, data...), red)
		}
		w.sleep(20 * ms)
	}
	if got := w.numbers(); slices.Contains(got[:30], -1) || !slices.IsSorted(got[:30]) {
		t.Errorf("frames: %v", got)
	}
	if s := w.b.Stats(); s.PacketsRecovered < 7 {
		t.Errorf("%d packets recovered", s.PacketsRecovered)
	}
}

// A RED packet of very many blocks is held to the bounds, too, and blocks of
// another codec are left alone.
func TestHostileRedundancy(t *testing.T) {
	w := newWorld(t, Config{MaxPackets: 32, MaxBytes: 1 << 20})
	red := opus
	red.RED = true
	var blocks []payload.Redundancy
	for i := range 200 {
		blocks = append(blocks, payload.Redundancy{PayloadType: 111 + uint8(i%2), Offset: 960, Data: []byte{0xf8, 1, 2}})
	}
	w.send(voice(t, 1000), opus)
	w.send(packet(t, rtp.Header{PayloadType: 63, SequenceNumber: 1250, Timestamp: 1250 * 960, SSRC: 1}, payload.AppendRED(nil, 111, []byte{0xf8, 3, 4}, blocks...)...), red)
	if s := w.b.Stats(); s.HeldPackets > 32 || s.PacketsRecovered == 0 {
		t.Errorf("stats: %+v", s)
	}
	for i := w.b.ring.next; i < w.b.ring.top; i++ {
		if s := w.b.ring.held(i); s != nil && s.packet.IsZero() && i%2 != 0 {
			t.Fatalf("a block of another codec was taken for packet %d", i)
		}
	}
}

// What the sender's clock says of a frame is that of its sender reports.
func TestCaptureTime(t *testing.T) {
	w := newWorld(t, Config{})
	captured := time.Date(2026, 5, 5, 5, 5, 5, 0, time.UTC)
	w.b.SenderReport(w.now, rtp.NewNTPTime(captured), 480)
	w.send(voice(t, 1), opus).sleep(100 * ms)
	if got := w.frames[0].CaptureTime.Sub(captured); got < 9999*time.Microsecond || got > 10001*time.Microsecond {
		t.Errorf("captured %v after the report's time, want 10ms", got)
	}
}

// A delay that is asked for is kept, and one that is too long is not.
func TestDelayBounds(t *testing.T) {
	w := newWorld(t, Config{MinDelay: 300 * ms})
	w.steady(0, 100)
	if d := w.b.Stats().Offset; d < 299*ms || d > 301*ms {
		t.Errorf("delay %v, want 300ms", d)
	}
	w.b.SetDelay(0, 30*ms)
	w.steady(100, 400)
	if d := w.b.Stats().Offset; d > 31*ms {
		t.Errorf("delay %v, want at most 30ms", d)
	}
}

// What Chromium sent comes out as it went in: of RED the packet's own block.
func TestCapturedAudio(t *testing.T) {
	red := opus
	red.RED = true
	for name, codec := range map[string]Codec{"opus": opus, "pcmu": pcmu, "g722": {Format: payload.G722, ClockRate: 8000}, "red": red} {
		packets, ids := captured(t, name)
		w := newWorld(t, Config{Extensions: ids, MinDelay: 100 * ms, MaxDelay: 100 * ms})
		var want []string
		first := packets[0].Timestamp()
		for _, p := range packets {
			if p.PayloadType() == 126 { // a telephone event: it is the session's
				w.send(p, Codec{})
				continue
			}
			w.sleepUntil(ticks(int64(p.Timestamp()-first), codec.ClockRate))
			w.send(p, codec)
			data := p.Payload()
			if len(data) == 0 {
				continue // a probe for bandwidth
			}
			if codec.RED {
				block, ok := payload.ParseRED(data)
				if !ok {
					t.Fatal("not RED")
				}
				data = block.Data
			}
			want = append(want, string(data))
		}
		w.sleep(110 * ms)
		var got []string
		for _, f := range w.frames {
			if !f.Concealed {
				got = append(got, f.data)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d frames of %d, or others; drops %q", name, len(got), len(want), w.drops.Drops())
		}
	}
}
