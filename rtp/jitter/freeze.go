package jitter

import "time"

// freezes finds the frames that came so late that the picture stood still.
type freezes struct {
	last      time.Time
	intervals [30]time.Duration
	count     int
	sum       time.Duration
}

// frame counts a frame that is shown, and returns for how long the picture was
// frozen before it: "the interval between two consecutively rendered frames is
// equal or exceeds Max(3 * avg_frame_duration_ms, avg_frame_duration_ms + 150)".
// W3C, Identifiers for WebRTC's Statistics API.
func (z *freezes) frame(now time.Time) (frozen time.Duration) {
	last := z.last
	z.last = now
	if last.IsZero() {
		return 0
	}
	interval := now.Sub(last)
	if n := min(z.count, len(z.intervals)); n > 0 {
		if avg := z.sum / time.Duration(n); interval >= max(3*avg, avg+150*time.Millisecond) {
			frozen = interval
		}
	}
	i := z.count % len(z.intervals)
	z.sum += interval - z.intervals[i]
	z.intervals[i] = interval
	z.count++
	return frozen
}
