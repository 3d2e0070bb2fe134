package serial

import (
	"math/rand/v2"
	"testing"
)

// A comparison as the tests see it, for either width.
type compared struct {
	before, atMost, after, atLeast bool
	distance                       int64
}

func compare16(n, m uint16) compared {
	a, b := Number16(n), Number16(m)
	return compared{a.Before(b), a.AtMost(b), a.After(b), a.AtLeast(b), int64(a.Distance(b))}
}

func compare32(n, m uint32) compared {
	a, b := Number32(n), Number32(m)
	return compared{a.Before(b), a.AtMost(b), a.After(b), a.AtLeast(b), int64(a.Distance(b))}
}

// model walks the circle instead of computing: steps is how far m lies ahead
// of n, in [0, size).
func model(steps, size uint64) compared {
	switch half := size / 2; {
	case steps == 0:
		return compared{atMost: true, atLeast: true}
	case steps < half:
		return compared{before: true, atMost: true, distance: -int64(steps)}
	case steps == half:
		// RFC 1982, Section 3.2: "the result is undefined"; ours is neither.
		return compared{distance: -int64(half)}
	default:
		return compared{after: true, atLeast: true, distance: int64(size - steps)}
	}
}

func TestEveryDistanceOfNumber16(t *testing.T) {
	for _, n := range []uint16{0, 1, 100, 0x7fff, 0x8000, 0xffff} {
		for steps := range uint64(1 << 16) {
			m := n + uint16(steps)
			if got, want := compare16(n, m), model(steps, 1<<16); got != want {
				t.Fatalf("%d compared with %d: %+v, want %+v", n, m, got, want)
			}
		}
	}
}

func TestNumber32(t *testing.T) {
	for _, n := range []uint32{0, 1, 100, 0x7fffffff, 0x80000000, 0xffffffff} {
		for _, steps := range []uint32{0, 1, 2, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff} {
			m := n + steps
			if got, want := compare32(n, m), model(uint64(steps), 1<<32); got != want {
				t.Errorf("%d compared with %d: %+v, want %+v", n, m, got, want)
			}
		}
	}
}

func FuzzNumbers(f *testing.F) {
	f.Add(uint32(0), uint32(1<<31))
	f.Add(uint32(0xffffffff), uint32(0))
	f.Fuzz(func(t *testing.T, n, m uint32) {
		if got, want := compare32(n, m), model(uint64(m-n), 1<<32); got != want {
			t.Errorf("%d compared with %d: %+v, want %+v", n, m, got, want)
		}
		n16, m16 := uint16(n), uint16(m)
		if got, want := compare16(n16, m16), model(uint64(m16-n16), 1<<16); got != want {
			t.Errorf("%d compared with %d: %+v, want %+v", n16, m16, got, want)
		}
		if n != m && m-n != 1<<31 && Number32(n).Before(Number32(m)) == Number32(m).Before(Number32(n)) {
			t.Errorf("of %d and %d not exactly one is before the other", n, m)
		}
	})
}

func TestUnwrap(t *testing.T) {
	var u Unwrapper16
	for _, step := range []struct {
		n    Number16
		want int64
		why  string
	}{
		{65534, 65534, "the first number is its own place"},
		{65535, 65535, "the next one"},
		{0, 65536, "a wrap is a new lap"},
		{65533, 65533, "a late one belongs to the lap before"},
		{1, 65537, "the late one did not move the highest place back"},
		{32769, 65537 - 32768, "half a lap away has no order: taken as behind"},
	} {
		if got := u.Unwrap(step.n); got != step.want {
			t.Errorf("Unwrap(%d) = %d, want %d: %s", step.n, got, step.want, step.why)
		}
	}
	var start Unwrapper16
	if start.Unwrap(0); start.Unwrap(65535) != -1 {
		t.Error("a number just before a first number of zero is not at -1")
	}
}

// A line of numbers that jumps and goes back by less than half a lap is
// unwrapped to itself.
func FuzzUnwrap(f *testing.F) {
	f.Add(uint64(1), uint16(65000))
	f.Fuzz(func(t *testing.T, seed uint64, first uint16) {
		random := rand.New(rand.NewPCG(seed, 0))
		var u Unwrapper16
		highest := int64(first)
		u.Unwrap(Number16(first))
		for range 200 {
			place := highest + random.Int64N(1<<16) - 1<<15
			if got := u.Unwrap(Number16(uint16(place))); got != place {
				t.Fatalf("with the highest place %d, number %d is unwrapped to %d, want %d", highest, uint16(place), got, place)
			}
			highest = max(highest, place)
		}
	})
}
