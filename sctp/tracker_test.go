package sctp

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// gaps returns what the tracker would report, in words.
func (t *tracker) gaps() string {
	return strings.TrimPrefix(sackChunk{cumTSN: t.cum, gaps: t.appendGaps(nil, 1000)}.String(), "SACK ")
}

func TestTrackerReportsGaps(t *testing.T) {
	var k tracker
	k.start(100)
	for _, step := range []struct {
		tsn  tsn
		want freshness
		gaps string
		why  string
	}{
		{100, fresh, "cum=100 rwnd=0", "the initial TSN comes first"},
		{100, duplicate, "cum=100 rwnd=0", "it comes again"},
		{102, fresh, "cum=100 rwnd=0 gap=102-102", "101 is missing"},
		{103, fresh, "cum=100 rwnd=0 gap=102-103", "the block grows"},
		{105, fresh, "cum=100 rwnd=0 gap=102-103 gap=105-105", "104 is missing too"},
		{102, duplicate, "cum=100 rwnd=0 gap=102-103 gap=105-105", "one in a block comes again"},
		{101, fresh, "cum=103 rwnd=0 gap=105-105", "the first hole is closed"},
		{104, fresh, "cum=105 rwnd=0", "and the second"},
		{105 + maxSpan + 1, beyond, "cum=105 rwnd=0", "nobody sends so far ahead"},
		{105 + maxSpan, fresh, "cum=105 rwnd=0 gap=32873-32873", "this is just near enough"},
		{99, duplicate, "cum=105 rwnd=0 gap=32873-32873", "older than everything"},
	} {
		got := k.look(step.tsn)
		if got != step.want {
			t.Fatalf("%d is %v, not %v: %s", step.tsn, got, step.want, step.why)
		}
		if got == fresh {
			k.add(step.tsn)
		}
		if g := k.gaps(); g != step.gaps {
			t.Fatalf("after %d: %s, want %s: %s", step.tsn, g, step.gaps, step.why)
		}
	}
}

// The tracker agrees with a set of numbers, over the wrap of the TSN.
func TestTrackerAgainstModel(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var k tracker
		initial := tsn(0) - tsn(rng.IntN(3000))
		k.start(initial)
		model := map[tsn]bool{}
		cum := initial - 1
		for range 3000 {
			n := cum + 1 + tsn(rng.IntN(1+rng.IntN(600)))
			if rng.IntN(4) == 0 {
				n = cum + 1
			}
			if rng.IntN(200) == 0 { // FORWARD TSN
				to := cum + 1 + tsn(rng.IntN(100))
				k.forward(to)
				for cum != to {
					cum++
					delete(model, cum)
				}
			} else {
				want := fresh
				if model[n] || n.AtMost(cum) {
					want = duplicate
				}
				if got := k.look(n); got != want {
					t.Fatalf("seed %d: %d is %v, want %v", seed, n, got, want)
				}
				if want == fresh {
					k.add(n)
					model[n] = true
				}
			}
			for model[cum+1] {
				cum++
				delete(model, cum)
			}
			if k.cum != cum || k.gap() != (len(model) > 0) {
				t.Fatalf("seed %d: cum %d, gap %v; want %d, %v", seed, k.cum, k.gap(), cum, len(model) > 0)
			}
			covered := 0
			blocks := gapBlocks(k.appendGaps(nil, 1<<16))
			for i := range blocks.len() {
				start, end := blocks.at(i)
				for o := start; o <= end; o++ {
					if !model[cum+tsn(o)] {
						t.Fatalf("seed %d: %d is reported and did not arrive", seed, cum+tsn(o))
					}
					covered++
				}
				if model[cum+tsn(end)+1] || model[cum+tsn(start)-1] {
					t.Fatalf("seed %d: block %d-%d is not as long as it could be", seed, start, end)
				}
			}
			if covered != len(model) {
				t.Fatalf("seed %d: %d reported, %d arrived", seed, covered, len(model))
			}
		}
	}
}

func TestTrackerCostsNothingInOrder(t *testing.T) {
	var k tracker
	k.start(1)
	n := tsn(1)
	if a := testing.AllocsPerRun(1000, func() { k.add(n); n++ }); a != 0 || k.ring != nil {
		t.Errorf("%v allocations a TSN", a)
	}
}
