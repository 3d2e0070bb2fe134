package session

import (
	"math/rand/v2"
	"testing"
	"time"
)

// What a reception says of packets that are lost, late and doubled is what a list of all of them
// says. RFC 3550, Appendix A.3.
func TestReceptionAgainstAList(t *testing.T) {
	dice := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		first := uint16(dice.Uint32())
		var order []int // of packets by how far behind the first they are
		for i := range 3000 {
			switch dice.IntN(20) {
			case 0: // lost
			case 1:
				order = append(order, i, i)
			default:
				order = append(order, i)
			}
		}
		for i := range order[:len(order)-1] {
			if j := i + dice.IntN(min(20, len(order)-i)); i > 0 && dice.IntN(10) == 0 {
				order[i], order[j] = order[j], order[i]
			}
		}
		var r reception
		seen := map[int]bool{}
		highest, ahead, duplicates := order[0], 0, 0
		base := order[0]
		for _, i := range order {
			_, skipped, reason := r.take(first+uint16(i), false)
			switch {
			case seen[i]:
				duplicates++
				if reason != dropDuplicate {
					t.Fatalf("packet %d is there twice, and the second is %q", i, reason)
				}
			case reason != "":
				t.Fatalf("packet %d: %s", i, reason)
			}
			seen[i] = true
			if i > highest {
				if skipped != i-highest-1 {
					t.Fatalf("packet %d behind %d: %d were passed over", i, highest, skipped)
				}
				highest = i
			}
			ahead += skipped
		}
		received := 0
		for _, i := range order {
			if i >= base {
				received++
			}
		}
		// Those before the first count as received, and are not expected.
		early := len(order) - received
		if want := int64(highest - base + 1 - received - early); r.lost() != want {
			t.Fatalf("%d are lost, want %d", r.lost(), want)
		}
		if got := r.fractionLost(); int64(got) != max(0, r.lost())<<8/r.expected() {
			t.Fatalf("the fraction is %d of 256, and %d of %d are lost", got, r.lost(), r.expected())
		}
		if got := r.fractionLost(); got != 0 {
			t.Fatalf("the fraction since the last report is %d, and nothing has come", got)
		}
	}
}

// RFC 3550, Appendix A.1: a jump is believed when the next packet confirms it; what was lost before
// stays lost.
func TestReceptionStartsOver(t *testing.T) {
	var r reception
	take := func(seq uint16, want string) {
		t.Helper()
		if _, _, reason := r.take(seq, false); reason != want {
			t.Fatalf("%d: %q, want %q", seq, reason, want)
		}
	}
	take(100, "")
	take(102, "")
	take(30000, dropJump)
	take(103, "")
	take(30001, dropJump) // another came in between
	take(50000, dropJump)
	take(50001, "")
	take(50002, "")
	if r.lost() != 0 || r.lostBefore != 1 || uint16(r.highest) != 50002 {
		t.Errorf("%d lost since, %d before, highest %d", r.lost(), r.lostBefore, uint16(r.highest))
	}
	if _, _, reason := r.take(10, true); reason != dropJump {
		t.Errorf("a retransmission from far away: %q", reason)
	}
}

// RFC 3550, Section 6.4.1: packets each 20 ms that arrive each 20 ms have no jitter; a constant
// difference of 5 ms between neighbours approaches 5 ms.
func TestJitter(t *testing.T) {
	var r reception
	at := time.Duration(0)
	for i := range uint32(500) {
		r.measure(at+time.Duration(i%2)*5*time.Millisecond, i*960, 48000)
		at += 20 * time.Millisecond
		if i == 0 && r.jitter != 0 {
			t.Error("one packet has no jitter")
		}
	}
	if ms := float64(r.jitter>>4) / 48; ms < 4.9 || ms > 5.1 {
		t.Errorf("the jitter is %.2f ms, want 5", ms)
	}
	before := r.jitter
	r.measure(at+time.Hour, 500*960, 48000)
	if r.jitter != before {
		t.Error("an hour of silence counts as jitter")
	}
	r.measure(at+time.Hour+time.Second, 500*960, 48000)
	if r.jitter != before {
		t.Error("the second packet of a frame counts")
	}
}
