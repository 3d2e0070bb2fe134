// Package timers is a core's timers: a fixed table of deadlines, one for each
// constant of the core's timer enum.
//
// A core keeps one [Table], sets and stops timers in it, returns [Table.Next]
// from NextTimeout, and in Advance loops over [Table.Due] with one switch.
// Nothing here reads a clock, and nothing runs by itself.
package timers

import "time"

// Max is how many timers a Table holds: a core with more wants splitting.
const Max = 12

// A Table holds the deadlines of the timers K: small constants counted from
// zero, fewer than [Max]. The zero Table has no timer running.
type Table[K ~uint8] struct {
	at [Max]time.Time
}

// Set starts timer k, or moves it: it is due at t. A zero t stops it.
func (t *Table[K]) Set(k K, at time.Time) { t.at[k] = at }

// SetEarlier starts timer k at t unless it is due sooner already.
func (t *Table[K]) SetEarlier(k K, at time.Time) {
	if t.at[k].IsZero() || at.Before(t.at[k]) {
		t.at[k] = at
	}
}

// Stop stops timer k.
func (t *Table[K]) Stop(k K) { t.at[k] = time.Time{} }

// StopAll stops every timer.
func (t *Table[K]) StopAll() { t.at = [Max]time.Time{} }

// Running reports whether timer k is running.
func (t *Table[K]) Running(k K) bool { return !t.at[k].IsZero() }

// At is when timer k is due; zero when it is not running.
func (t *Table[K]) At(k K) time.Time { return t.at[k] }

// Next is the earliest deadline; zero when no timer is running.
func (t *Table[K]) Next() time.Time {
	var next time.Time
	for _, at := range t.at {
		next = Earlier(next, at)
	}
	return next
}

// Due takes out one timer that is due at now: the one with the earliest
// deadline, and of those with the same deadline the lowest constant, so that
// the order of firing never depends on how late the caller came.
func (t *Table[K]) Due(now time.Time) (k K, ok bool) {
	for i, at := range t.at {
		if at.IsZero() || at.After(now) {
			continue
		}
		if !ok || at.Before(t.at[k]) {
			k, ok = K(i), true
		}
	}
	if ok {
		t.Stop(k)
	}
	return k, ok
}

// Earlier returns the earlier of two deadlines, where zero means none.
func Earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
