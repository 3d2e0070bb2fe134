package timers

import (
	"math/rand/v2"
	"testing"
	"time"
)

type timer uint8

const (
	t1Init timer = iota
	t2Shutdown
	t3RTX
	last timer = Max - 1
)

var start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

func TestZeroTableHasNoTimer(t *testing.T) {
	var table Table[timer]
	if _, ok := table.Due(at(1e6)); ok || !table.Next().IsZero() || table.Running(t1Init) || !table.At(last).IsZero() {
		t.Error("a timer runs in the zero Table")
	}
}

func TestSetMoveStop(t *testing.T) {
	var table Table[timer]
	table.Set(t3RTX, at(3))
	table.Set(t1Init, at(5))
	if table.Next() != at(3) || !table.Running(t3RTX) || table.At(t1Init) != at(5) {
		t.Errorf("after setting two timers Next is %v", table.Next())
	}
	table.Set(t3RTX, at(9))
	if table.Next() != at(5) {
		t.Errorf("a timer moved to later still counts: Next is %v", table.Next())
	}
	table.SetEarlier(t3RTX, at(10))
	if table.At(t3RTX) != at(9) {
		t.Error("SetEarlier made a timer later")
	}
	table.SetEarlier(t3RTX, at(4))
	if table.At(t3RTX) != at(4) {
		t.Error("SetEarlier did not make a timer earlier")
	}
	table.SetEarlier(t2Shutdown, at(7))
	if table.At(t2Shutdown) != at(7) {
		t.Error("SetEarlier did not start a stopped timer")
	}
	table.Stop(t3RTX)
	if table.Running(t3RTX) || table.Next() != at(5) {
		t.Error("a stopped timer runs on")
	}
	table.Set(t1Init, time.Time{})
	if table.Running(t1Init) {
		t.Error("setting a zero time does not stop the timer")
	}
	table.StopAll()
	if !table.Next().IsZero() {
		t.Error("StopAll left a timer running")
	}
}

// However late the caller comes, timers fire in the order of their deadlines.
func TestDueFiresInOrderAndOnce(t *testing.T) {
	var table Table[timer]
	table.Set(last, at(2))
	table.Set(t3RTX, at(1))
	table.Set(t2Shutdown, at(2))
	table.Set(t1Init, at(4))
	if _, ok := table.Due(at(1).Add(-1)); ok {
		t.Error("a timer fired a nanosecond before its time")
	}
	for _, want := range []timer{t3RTX, t2Shutdown, last} {
		if got, ok := table.Due(at(3)); !ok || got != want {
			t.Errorf("timer %d is due (%v), want %d", got, ok, want)
		}
		if table.Running(want) {
			t.Errorf("timer %d fired and runs on", want)
		}
	}
	if _, ok := table.Due(at(3)); ok {
		t.Error("a timer fired before its time, or twice")
	}
	if got, ok := table.Due(at(4)); !ok || got != t1Init {
		t.Error("a timer did not fire exactly at its time")
	}
}

func TestEarlier(t *testing.T) {
	var none time.Time
	for _, test := range []struct{ a, b, want time.Time }{
		{none, none, none},
		{none, at(1), at(1)},
		{at(1), none, at(1)},
		{at(1), at(2), at(1)},
		{at(2), at(1), at(1)},
		{at(1), at(1), at(1)},
	} {
		if got := Earlier(test.a, test.b); got != test.want {
			t.Errorf("Earlier(%v, %v) = %v", test.a, test.b, got)
		}
	}
}

// FuzzTable compares a Table with a map, under a random program.
func FuzzTable(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		var table Table[timer]
		model := map[timer]time.Time{}
		now := start
		for range 100 {
			k := timer(random.IntN(Max))
			due := now.Add(time.Duration(random.IntN(5)))
			switch random.IntN(4) {
			case 0:
				table.Set(k, due)
				model[k] = due
			case 1:
				table.SetEarlier(k, due)
				if old, ok := model[k]; !ok || due.Before(old) {
					model[k] = due
				}
			case 2:
				table.Stop(k)
				delete(model, k)
			case 3:
				now = now.Add(time.Duration(random.IntN(4)))
				want, wantOK := timer(0), false
				for k := range timer(Max) {
					if at, ok := model[k]; ok && !at.After(now) && (!wantOK || at.Before(model[want])) {
						want, wantOK = k, true
					}
				}
				if wantOK {
					delete(model, want)
				}
				if got, ok := table.Due(now); ok != wantOK || got != want {
					t.Fatalf("due is %d (%v), want %d (%v)", got, ok, want, wantOK)
				}
			}
			var next time.Time
			for k := range timer(Max) {
				at, ok := model[k]
				if table.Running(k) != ok || !table.At(k).Equal(at) {
					t.Fatalf("timer %d is at %v, want %v", k, table.At(k), at)
				}
				if ok && (next.IsZero() || at.Before(next)) {
					next = at
				}
			}
			if !table.Next().Equal(next) {
				t.Fatalf("Next is %v, want %v", table.Next(), next)
			}
		}
	})
}
