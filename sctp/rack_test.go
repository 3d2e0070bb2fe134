package sctp

import (
	"testing"
	"time"
)

// A rackTest drives loss detection over outstanding data whose TSNs begin at 1.
type rackTest struct {
	*outstandingTest
	k rack
}

func newRack(t *testing.T) *rackTest {
	k := &rackTest{outstandingTest: newOutstanding(t)}
	k.k.start()
	return k
}

func (k *rackTest) pass(d time.Duration) { k.now = k.now.Add(d) }

// acked takes a SACK and looks for losses with this reordering window.
func (k *rackTest) acked(window time.Duration, cum tsn, gaps ...tsn) (again time.Duration) {
	k.t.Helper()
	r := k.sack(cum, gaps...)
	if r.acked > 0 {
		k.k.acked(k.o.rate.since(k.now), &r)
	}
	_, again = k.k.detect(k.now, k.o.rate.since(k.now), &k.o, window)
	checkOutstanding(k.t, &k.o)
	return again
}

const tick = 10 * time.Millisecond

// RFC 8985, Section 6.2, step 5: what was sent before what was acknowledged is
// lost, once that took a round trip and the reordering window.
func TestLossIsWhatWasSentBefore(t *testing.T) {
	k := newRack(t)
	k.send(1, -1)
	k.pass(tick)
	k.send(2, -1)
	k.pass(3 * tick)
	k.acked(0, 0, 3, 3)
	k.want("mma", "1 left before 3, and so did 2, of the same instant")

	k.pass(tick)
	n, c := k.o.retransmit()
	k.o.resend(k.now, n, c)
	k.send(1, -1)
	k.pass(tick)
	k.acked(0, 0, 3, 4)
	k.want("mmaa", "the retransmission of 1 is lost: 4 left after it")
}

func TestReorderingWindow(t *testing.T) {
	k := newRack(t)
	k.send(2, -1)
	k.pass(4 * tick)
	again := k.acked(tick, 0, 2, 2)
	k.want("fa", "1 may be late")
	if again != 5*tick {
		t.Errorf("look again at %v, want when 1 has had a round trip and the window", again)
	}
	k.pass(tick)
	k.k.detect(k.now, k.o.rate.since(k.now), &k.o, tick)
	k.want("ma", "it is not late, it is lost")

	for _, w := range []struct {
		reordered  bool
		gapAcks    int
		recovering bool
		want       time.Duration
		why        string
	}{
		{false, 2, false, tick, "a quarter of the least round trip"},
		{false, 3, false, 0, "DupThresh, and no reordering was ever seen"},
		{false, 0, true, 0, "in recovery, and no reordering was ever seen"},
		{true, 3, true, tick, "reordering was seen"},
	} {
		k.k.reordered = w.reordered
		if got := k.k.window(w.gapAcks, w.recovering, time.Second); got != w.want {
			t.Errorf("the window is %v, want %v: %s", got, w.want, w.why)
		}
	}
	k.k.round = 0
	k.k.duplicates(&k.o)
	k.k.duplicates(&k.o)
	if got := k.k.window(0, false, time.Second); got != 2*tick {
		t.Errorf("after a duplicate the window is %v, want two quarters", got)
	}
	if got := k.k.window(0, false, 15*time.Millisecond); got != 15*time.Millisecond {
		t.Errorf("the window is %v, want SRTT at most", got)
	}
	for range persistRecoveries {
		k.k.recovered()
	}
	if got := k.k.window(0, false, time.Second); got != tick {
		t.Errorf("after 16 recoveries the window is %v", got)
	}
}

// A retransmission cannot be acknowledged in less than the least round trip: the
// first transmission was.
func TestAmbiguousRoundTrip(t *testing.T) {
	k := newRack(t)
	k.send(1, -1)
	k.pass(4 * tick)
	k.acked(0, 1)
	k.send(3, -1)
	k.pass(4 * tick)
	k.o.timeout(k.now)
	n, c := k.o.retransmit()
	k.o.resend(k.now, n, c)
	k.pass(tick)
	before := k.k.order
	k.acked(0, 2)
	if k.k.order != before {
		t.Error("a chunk that was only late counts as sent again and acknowledged")
	}
}

// RFC 8985, Section 7.4: what a probe tells.
func TestTailLossProbe(t *testing.T) {
	for _, test := range []struct {
		name   string
		unsent bool
		sacks  []sackChunk
		want   bool // the probe repaired a loss
	}{
		{"new data", true, []sackChunk{{cumTSN: 3}}, false},
		{"both arrived", false, []sackChunk{{cumTSN: 2}, {cumTSN: 2, duplicates: []byte{0, 0, 0, 2}}, {cumTSN: 3}}, false},
		{"only the probe arrived", false, []sackChunk{{cumTSN: 2}, {cumTSN: 3}}, true},
	} {
		k := newRack(t)
		k.send(2, -1)
		fresh, ok := k.k.probe(k.now, &k.o, test.unsent)
		if fresh != test.unsent || !ok {
			t.Fatalf("%s: no probe leaves", test.name)
		}
		if fresh {
			k.want("ff", "the probe is new data")
		} else {
			k.want("fm", "the probe is the last chunk, again")
		}
		repaired := false
		for _, s := range test.sacks {
			repaired = repaired || k.k.probed(s.cumTSN, s.duplicates)
		}
		if repaired != test.want || k.k.probing {
			t.Errorf("%s: repaired %v, still probing %v", test.name, repaired, k.k.probing)
		}
	}
	k := newRack(t)
	k.send(1, 0)
	if _, ok := k.k.probe(k.now, &k.o, false); ok {
		t.Error("a message that may not be sent again is")
	}
}
