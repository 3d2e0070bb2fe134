package jitter

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// repairedVoice sends voice over a path that loses some of it, which comes again a
// round trip later.
func (w *world) repairedVoice(packets int, loss float64, rtt time.Duration) *world {
	r := seeded(5)
	type arrival struct {
		at     time.Duration
		n      int
		resent bool
	}
	var arrivals []arrival
	for n := range packets {
		a := arrival{at: time.Duration(n)*20*ms + time.Duration(r.IntN(5))*ms, n: n}
		if a.resent = r.Float64() < loss; a.resent {
			a.at += rtt + 20*ms
		}
		arrivals = append(arrivals, a)
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	for _, a := range arrivals {
		w.sleepUntil(a.at)
		if a.resent {
			w.resend(voice(w.t, a.n), opus)
		} else {
			w.send(voice(w.t, a.n), opus)
		}
	}
	return w
}

// Retransmissions of audio are waited for when there are many, and the round trip
// is not too long.
func TestAudioWaitsForRetransmissions(t *testing.T) {
	for _, test := range []struct {
		why   string
		loss  float64
		rtt   time.Duration
		waits bool
	}{
		{"one in twenty is lost, and comes again soon", 0.05, 60 * ms, true},
		{"hardly any is lost", 0.004, 60 * ms, false},
		{"what comes again comes much too late", 0.05, 400 * ms, false},
	} {
		w := newWorld(t, Config{})
		w.b.SetRTT(test.rtt)
		w.repairedVoice(1500, test.loss, test.rtt)
		missed := w.b.Stats().ConcealedSamples
		waits := w.b.Stats().Target > test.rtt
		if waits != test.waits {
			t.Errorf("%s: the delay aimed at is %v", test.why, w.b.Stats().Target)
		}
		if test.waits && missed > 1500*960/50 {
			t.Errorf("%s: %d samples were concealed", test.why, missed)
		}
	}
}

// Video that loses many packets is delayed by a round trip, and does not halt for
// each of them.
func TestVideoWaitsForRetransmissions(t *testing.T) {
	w := newWorld(t, Config{Video: true})
	w.b.SetRTT(60 * ms)
	r := seeded(6)
	type arrival struct {
		at     time.Duration
		p      rtp.Packet
		resent bool
	}
	var arrivals []arrival
	for n := range 6000 {
		frame := n / 6
		a := arrival{at: time.Duration(frame)*33*ms + time.Duration(n%6)*ms, p: vp8Packet(t, n, uint32(frame)*2970, n%6 == 0, n%6 == 5, n < 6, payload.VP8Descriptor{})}
		for a.resent = false; r.Float64() < 0.05; a.resent = true { // it may be lost again
			a.at += 70 * ms
		}
		arrivals = append(arrivals, a)
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	for _, a := range arrivals {
		w.sleepUntil(a.at)
		if a.resent {
			w.resend(a.p, vp8)
		} else {
			w.send(a.p, vp8)
		}
	}
	w.sleep(time.Second)
	if len(w.frames) != 1000 {
		t.Fatalf("%d frames of 1000, drops %q", len(w.frames), w.drops.Drops())
	}
	late := 0
	for i := 201; i < 1000; i++ {
		if w.frames[i].at-w.frames[i-1].at > 60*ms {
			late++
		}
	}
	if s := w.b.Stats(); late > 8 || s.FreezeCount != 0 {
		t.Errorf("%d frames came more than 60ms after the one before, and %d freezes; the delay is %v", late, s.FreezeCount, s.Offset)
	}
}
