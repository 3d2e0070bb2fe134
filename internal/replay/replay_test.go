package replay

import (
	"math"
	"math/rand/v2"
	"testing"
)

// accept enters seq and says what should have happened.
func accept(t *testing.T, w *Window, seq uint64, want bool, why string) {
	t.Helper()
	if got := w.Fresh(seq); got != want {
		t.Errorf("Fresh(%d) = %v: %s", seq, got, why)
	}
	if got := w.Accept(seq); got != want {
		t.Errorf("Accept(%d) = %v: %s", seq, got, why)
	}
}

func TestWindow(t *testing.T) {
	var w Window
	if _, ok := w.Highest(); ok {
		t.Error("the zero Window has seen something")
	}
	accept(t, &w, 0, true, "the first number may be zero")
	accept(t, &w, 0, false, "it was seen")
	accept(t, &w, 5, true, "numbers may be left out")
	accept(t, &w, 3, true, "and come late")
	accept(t, &w, 3, false, "but once")
	accept(t, &w, 5, false, "the highest was seen too")
	accept(t, &w, Size+5, true, "a jump of the window's size")
	accept(t, &w, 5, false, "what fell out of the window counts as seen")
	accept(t, &w, 6, true, "the oldest number in the window")
	accept(t, &w, 6, false, "which was seen now")
	accept(t, &w, 1<<40, true, "a long jump")
	accept(t, &w, 1<<40-Size, false, "just too old")
	accept(t, &w, 1<<40-Size+1, true, "just young enough: the jump emptied the window")
	if seq, ok := w.Highest(); !ok || seq != 1<<40 {
		t.Errorf("Highest = %d, %v", seq, ok)
	}
}

// RFC 6347, Section 4.1.2.6: "The receive window is updated only if the MAC
// verification succeeds."
func TestAskingDoesNotMoveTheWindow(t *testing.T) {
	var w Window
	w.Accept(1)
	before := w
	if !w.Fresh(1<<47) || !w.Fresh(2) || !w.Fresh(0) || w.Fresh(1) {
		t.Error("Fresh is wrong")
	}
	if w != before {
		t.Error("a forged packet moved the window")
	}
}

// The largest sequence numbers that exist: 48 bits in DTLS and in SRTP (32 of
// roll-over counter and 16 of sequence number), and what a uint64 leaves room for.
func TestLargeNumbers(t *testing.T) {
	for _, top := range []uint64{1<<48 - 1, math.MaxUint64 - 1} {
		var w Window
		accept(t, &w, top, true, "fresh")
		accept(t, &w, top, false, "seen")
		accept(t, &w, top-1, true, "late")
	}
}

func TestNoAllocation(t *testing.T) {
	var w Window
	seq := uint64(0)
	if n := testing.AllocsPerRun(1000, func() { seq += 3; w.Fresh(seq); w.Accept(seq) }); n != 0 {
		t.Errorf("allocates %v times a packet", n)
	}
}

// FuzzWindow compares a Window with a set that forgets nothing.
func FuzzWindow(f *testing.F) {
	f.Add(uint64(1), uint64(0))
	f.Add(uint64(2), uint64(1<<48-500))
	f.Fuzz(func(t *testing.T, seed, first uint64) {
		first %= 1 << 60
		random := rand.New(rand.NewPCG(seed, 0))
		var w Window
		seen := map[uint64]bool{}
		highest, started := uint64(0), false
		for range 1000 {
			// Mostly near the highest, at times far ahead or far behind.
			var seq uint64
			switch base := max(highest, first); random.IntN(16) {
			case 0:
				seq = base + random.Uint64N(3*Size)
			case 1:
				seq = base - min(base, random.Uint64N(3*Size))
			default:
				seq = base + 4 - min(base, random.Uint64N(Size+8))
			}
			fresh := !seen[seq] && (!started || seq+Size > highest)
			if got := w.Fresh(seq); got != fresh {
				t.Fatalf("Fresh(%d) = %v with the highest at %d", seq, got, highest)
			}
			if random.IntN(3) == 0 {
				continue // a forgery: looked up, not accepted
			}
			if got := w.Accept(seq); got != fresh {
				t.Fatalf("Accept(%d) = %v with the highest at %d", seq, got, highest)
			}
			if fresh {
				seen[seq], started, highest = true, true, max(highest, seq)
			}
			if got, ok := w.Highest(); ok != started || started && got != highest {
				t.Fatalf("Highest = %d (%v), want %d (%v)", got, ok, highest, started)
			}
		}
	})
}

func BenchmarkAccept(b *testing.B) {
	b.ReportAllocs()
	var w Window
	seq := uint64(0)
	for b.Loop() {
		seq++
		w.Accept(seq)
	}
}
