package session

import (
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A watcher receives one stream of video, packet by packet.
type watcher struct {
	*Session
	t   *testing.T
	now time.Time
}

func newWatcher(t *testing.T) *watcher {
	w := &watcher{t: t, now: testStart}
	w.Session, _, _ = newSession(t, 1, testSections())
	return w
}

// get takes packets of the stream.
func (w *watcher) get(numbers ...uint16) {
	for _, n := range numbers {
		w.ReceiveRTP(w.now, arrival{ssrc: 1, pt: 96, mid: "v", seq: n}.packet())
		for _, ok := w.NextEvent(); ok; _, ok = w.NextEvent() {
		}
	}
}

// repair takes a retransmission.
func (w *watcher) repair(number uint16) {
	w.ReceiveRTP(w.now, arrival{ssrc: 2, pt: 97, mid: "v", osn: int(number)}.packet())
}

// wait lets time pass, and returns what was asked for meanwhile: numbers of packets, and how
// often a key frame.
func (w *watcher) wait(d time.Duration) (asked []uint16, plis int) {
	end := w.now.Add(d)
	for {
		for {
			b := w.AppendPacket(w.now, nil)
			if len(b) == 0 {
				break
			}
			c, err := rtcp.Parse(b)
			if err != nil {
				w.t.Fatal(err)
			}
			for p := range c.Packets() {
				asked = slices.AppendSeq(asked, p.Lost())
				if p.Kind() == rtcp.PLI {
					plis++
				}
			}
		}
		next := w.NextTimeout()
		if next.IsZero() || next.After(end) {
			w.now = end
			return asked, plis
		}
		w.now = next
		w.Advance(w.now)
	}
}

// How long a packet may be late before it is asked for follows what reordering there is: at once
// upwards, and slowly down again.
func TestReorderingIsTolerated(t *testing.T) {
	w := newWatcher(t)
	n := uint16(10)
	late := func(by time.Duration) (asked bool) {
		w.get(n, n+2)
		numbers, _ := w.wait(by)
		w.get(n + 1)
		n += 3
		return len(numbers) > 0
	}
	if late(4 * time.Millisecond) {
		t.Error("a packet is asked for at once")
	}
	if !late(12 * time.Millisecond) {
		t.Error("a packet that is 12 ms late is not asked for, though there was no such reordering before")
	}
	// It came before it could have been sent again; but only one that nobody asked for tells of
	// reordering.
	for by := 4 * time.Millisecond; by <= 20*time.Millisecond; by = by * 11 / 10 {
		if late(by) {
			t.Fatalf("a packet %v late is asked for, though reordering grew slowly", by)
		}
	}
	if late(20 * time.Millisecond) {
		t.Error("the tolerance is forgotten at once")
	}
	for range 60 {
		w.get(n, n+2)
		w.wait(time.Millisecond)
		w.get(n + 1)
		n += 3
	}
	if !late(12 * time.Millisecond) {
		t.Error("the tolerance is never forgotten")
	}
	for range 50 {
		w.get(n, n+2)
		w.wait(500 * time.Millisecond)
		w.get(n + 1)
		n += 3
	}
	if got := w.Streams()[0].nack.tolerance; got > maxTolerance {
		t.Errorf("the tolerance is %v, want at most %v", got, maxTolerance)
	}
}

// A hole that is too large is not asked for: a key frame is.
func TestLargeHole(t *testing.T) {
	w := newWatcher(t)
	w.get(10, 10+maxMissing+2)
	asked, plis := w.wait(50 * time.Millisecond)
	if len(asked) != 0 || plis != 1 {
		t.Errorf("%d packets and %d key frames are asked for", len(asked), plis)
	}
	w = newWatcher(t)
	w.get(10, 10+maxMissing+1)
	if asked, plis = w.wait(50 * time.Millisecond); len(asked) != maxMissing || plis != 0 {
		t.Errorf("%d packets and %d key frames are asked for", len(asked), plis)
	}
}

// A packet that was given up is not asked for again, and a key frame is; one that is repaired ends the
// asking.
func TestGivingUp(t *testing.T) {
	w := newWatcher(t)
	w.get(10, 13)
	w.wait(30 * time.Millisecond)
	w.repair(12)
	asked, plis := w.wait(1900 * time.Millisecond)
	if len(asked) != maxTries-1 || slices.Contains(asked, 12) || plis == 0 {
		t.Errorf("asked for %v, and for %d key frames", asked, plis)
	}
	w.get(14)
	if asked, _ = w.wait(time.Second); len(asked) != 0 {
		t.Errorf("asked for %v once more", asked)
	}
	if v := w.Streams()[0].Stats(); v.PacketsGivenUp != 1 || v.RetransmittedPackets != 1 {
		t.Errorf("%+v", v)
	}
}
