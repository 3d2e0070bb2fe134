package lab

import (
	"slices"
	"sort"
	"time"
)

// What is measured here is measured alike for stacks that do not run on this
// package's simulation, by who wants to compare.

// An Arrival is a message that the receiver got.
type Arrival struct {
	At    time.Duration
	Total int64 // bytes of messages, with this one
}

// total is how much had arrived at a time.
func total(arrivals []Arrival, at time.Duration) int64 {
	i := sort.Search(len(arrivals), func(i int) bool { return arrivals[i].At > at })
	if i == 0 {
		return 0
	}
	return arrivals[i-1].Total
}

// Goodput is how fast messages arrived between two times, in bit/s.
func Goodput(arrivals []Arrival, from, to time.Duration) float64 {
	if to <= from {
		return 0
	}
	return 8 * float64(total(arrivals, to)-total(arrivals, from)) / (to - from).Seconds()
}

// Recovery is how long it took after losses, the last of them at a time, until the
// receiver had all but a tenth of what would have come since then at the rate of
// the second before; and zero if it never had. It takes a round trip at least.
func Recovery(arrivals []Arrival, lost, rtt time.Duration) time.Duration {
	rate := Goodput(arrivals, max(0, lost-time.Second), lost) / 8
	before := total(arrivals, lost)
	for _, a := range arrivals {
		if took := a.At - lost; took >= rtt && float64(a.Total-before) >= 0.9*rate*took.Seconds() {
			return took
		}
	}
	return 0
}

// Fairness is Jain's index of rates: 1 if all are the same, 1/n if one has all.
func Fairness(rates []float64) float64 {
	var sum, squares float64
	for _, x := range rates {
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (float64(len(rates)) * squares)
}

// A thinned list keeps all that is added to it while that is little, and every
// second, fourth, eighth, … when it is much: quantiles stay what they are, and
// memory is bounded however long an experiment.
type thinned[T any] struct {
	kept []T
	n    int // added
	skip int // of as many that are added one is kept, less one
}

// mostKept is how many a thinned list keeps.
const mostKept = 1 << 20

func (l *thinned[T]) add(v T) {
	if l.n&l.skip == 0 {
		if len(l.kept) == mostKept {
			for i := range mostKept / 2 {
				l.kept[i] = l.kept[2*i]
			}
			l.kept = l.kept[:mostKept/2]
			l.skip = 2*l.skip + 1
		}
		l.kept = append(l.kept, v)
	}
	l.n++
}

// A Distribution is the quantiles of a time.
type Distribution struct {
	N                     int // of those that it is from
	Median, P95, P99, Max time.Duration
}

// Quantiles returns those of times in any order.
func Quantiles(times []time.Duration) Distribution {
	n := len(times)
	if n == 0 {
		return Distribution{}
	}
	times = slices.Clone(times)
	slices.Sort(times)
	at := func(q float64) time.Duration { return times[min(n-1, int(q*float64(n)))] }
	return Distribution{n, at(0.5), at(0.95), at(0.99), times[n-1]}
}
