package session

import "time"

// An arrivalLog keeps when numbered packets arrived, until the peer was told.
type arrivalLog struct {
	started bool
	next    int64 // the first that the peer was not told of
	highest int64
	times   []time.Duration // by number, in a ring; -1: not arrived
}

// add notes that a packet arrived. window is how many are remembered, a power of two.
func (l *arrivalLog) add(number uint16, at time.Duration, window int64) {
	if l.times == nil {
		l.times = make([]time.Duration, window)
		for i := range l.times {
			l.times[i] = -1
		}
	}
	if !l.started {
		l.started = true
		l.highest = firstCycle + int64(number)
		l.next = l.highest
	}
	n := l.highest + int64(int16(number-uint16(l.highest)))
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
