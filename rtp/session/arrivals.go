package session

import "time"

// An arrivalLog keeps when numbered packets arrived, until the peer was told.
type arrivalLog struct {
	started bool
	next    int64 // the first that the peer was not told of
	highest int64
	times   []time.Duration // by number, in a ring that grows; -1: not arrived
}

// minArrivals is how many a log begins with, a power of two.
const minArrivals = 64

// add notes that a packet arrived. most is how many are remembered, a power of two.
func (l *arrivalLog) add(number uint16, at time.Duration, most int64) {
	if l.times == nil {
		l.times = blank(minArrivals)
	}
	if !l.started {
		l.started = true
		l.highest = firstCycle + int64(number)
		l.next = l.highest
	}
	n := l.highest + int64(int16(number-uint16(l.highest)))
	// Room for all that the peer was not told of, and as many before them, which may be late.
	for window := int64(len(l.times)); window < most && n > l.highest && n-l.next >= window/2; window *= 2 {
		grown := blank(2 * window)
		for i := l.highest - window + 1; i <= l.highest; i++ {
			grown[i&(2*window-1)] = l.times[i&(window-1)]
		}
		l.times = grown
	}
	window := int64(len(l.times))
	switch {
	case n > l.highest:
		if n-l.highest >= window { // a jump: nobody wants to know of what is in between
			l.next = n
		}
		for i := max(l.highest+1, n-window+1); i <= n; i++ {
			l.times[i&(window-1)] = -1
		}
		l.highest = n
		l.next = max(l.next, n-window+1)
	case n <= l.highest-window:
		return
	case n < l.next:
		l.next = n // late: the peer is told once more from there on
	}
	if v := &l.times[n&(window-1)]; *v < 0 {
		*v = at
	}
}

// blank returns times of packets that did not arrive.
func blank(n int64) []time.Duration {
	b := make([]time.Duration, n)
	for i := range b {
		b[i] = -1
	}
	return b
}

// pending is how many numbers the peer is to be told of.
func (l *arrivalLog) pending() int {
	if !l.started {
		return 0
	}
	return int(l.highest - l.next + 1)
}

// at returns when a packet arrived.
func (l *arrivalLog) at(n int64) (time.Duration, bool) {
	v := l.times[n&int64(len(l.times)-1)]
	return v, v >= 0
}
