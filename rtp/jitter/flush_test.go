package jitter

import (
	"testing"

	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A stream ends while frames wait for their time: they come out at once, and nothing is waited
// for or made up behind them.
func TestFlushedAudio(t *testing.T) {
	w := newWorld(t, Config{MinDelay: 500 * ms})
	for _, n := range []int{0, 1, 2, 3, 5, 6} {
		w.send(voice(t, n), opus)
	}
	wantNumbers(t, w)
	w.b.Flush()
	w.take()
	wantNumbers(t, w, 0, 1, 2, 3, -1, 5, 6)
	if !w.b.NextTimeout().IsZero() {
		t.Errorf("something is waited for, until %v", w.b.NextTimeout())
	}
	w.sleep(5000 * ms)
	wantNumbers(t, w, 0, 1, 2, 3, -1, 5, 6)
}

// Flushed in the middle of play-out, it does the same.
func TestFlushedInMidCall(t *testing.T) {
	w := newWorld(t, Config{MinDelay: 100 * ms})
	w.steady(0, 20, 17)
	before := len(w.frames)
	w.b.Flush()
	w.take()
	numbers := w.numbers()
	if before >= 17 || len(numbers) != 20 || numbers[17] != -1 || numbers[19] != 19 {
		t.Errorf("%d frames before, and then %v", before, numbers[before:])
	}
}

// Of video, what can be decoded comes out: what stands behind a packet that would have been sent
// again does not, unless it is a key frame, and neither does a frame that is not whole.
func TestFlushedVideo(t *testing.T) {
	packets, _ := captured(t, "vp8")
	all := pictures(t, packets, payload.VP8)
	for lost, want := range map[int]int{-1: 4, 2: 2} {
		w := newWorld(t, Config{Video: true, MinDelay: 500 * ms})
		w.b.SetRTT(100 * ms)
		for i, p := range all[:5] {
			for j, packet := range p.packets {
				if i == lost && j == 0 || i == 4 && j == len(p.packets)-1 {
					continue // lost; and the last frame is not whole
				}
				w.send(packet, vp8)
			}
		}
		if len(w.frames) > 0 {
			t.Fatalf("%d frames came out before their time", len(w.frames))
		}
		w.b.Flush()
		w.take()
		if len(w.frames) != want {
			t.Errorf("without frame %d, %d come out, want %d", lost, len(w.frames), want)
		}
		for i, f := range w.frames {
			if f.data != all[i].data {
				t.Errorf("frame %d is another one", i)
			}
		}
	}
}
