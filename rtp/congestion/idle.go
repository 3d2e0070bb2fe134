package congestion

import "time"

// An idle detector tells whether the application sends much less than it may: then what arrives says nothing
// of what the path carries (in libwebrtc: application-limited region).
type idle struct {
	is      bool
	left    float64       // bytes of the budget that were not used
	updated time.Duration // when it was filled up
	ended   time.Duration
}

const (
	idleShare    = 0.65 // of the target: what uses less leaves budget
	idleWindow   = 500 * time.Millisecond
	idleBegins   = 0.80 // of the budget left
	idleEnds     = 0.50
	sinceIdle    = 3 * time.Second // for how long it still counts, that it was
	dropLifetime = 5 * time.Second
)

// sent takes a packet that leaves, while target bits may leave in a second. It
// reports whether idleness ended with it.
func (i *idle) sent(now time.Duration, size int, target float64) (ended bool) {
	rate := idleShare * target / 8
	most := rate * idleWindow.Seconds()
	if most <= 0 {
		return false
	}
	i.left = min(i.left+rate*min(now-i.updated, time.Second).Seconds(), most)
	i.updated = now
	i.left = max(i.left-float64(size), -most)
	switch share := i.left / most; {
	case !i.is && share > idleBegins:
		i.is = true
	case i.is && share < idleEnds:
		i.is, i.ended = false, now
		return true
	}
	return false
}

// lately reports whether the application was idle until a moment ago.
func (i *idle) lately(now time.Duration) bool {
	return i.is || i.ended > 0 && now-i.ended < sinceIdle
}
