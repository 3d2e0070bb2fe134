package congestion

import "time"

// A trendline is the arrival-time filter, Section 5.3: m(i), by which the queue grows, is the slope of a line
// through the delays of the last groups, which were smoothed before.
type trendline struct {
	n           int // of variations, up to deltasCounted
	accumulated float64
	smoothed    float64
	first       time.Duration // when the first group arrived: times are counted from there
	points      [trendWindow]point
	next        int // where the next point goes
	count       int // of points
}

// A point is a group's smoothed delay, in ms, by its arrival.
type point struct{ x, y float64 }

const (
	trendWindow    = 20
	trendSmoothing = 0.9
	deltasCounted  = 1000
)

// add enters a variation and returns the slope: ms of delay for each ms that passes.
func (t *trendline) add(v variation) float64 {
	if t.n == 0 {
		t.first = v.at
	}
	t.n = min(t.n+1, deltasCounted)
	t.accumulated += milliseconds(v.arrived - v.sent)
	t.smoothed = trendSmoothing*t.smoothed + (1-trendSmoothing)*t.accumulated
	t.points[t.next] = point{milliseconds(v.at - t.first), t.smoothed}
	t.next = (t.next + 1) % trendWindow
	t.count = min(t.count+1, trendWindow)
	if t.count < trendWindow {
		return 0
	}
	return t.slope()
}

// slope is that of the line with the least squares.
func (t *trendline) slope() float64 {
	var sumX, sumY float64
	for _, p := range t.points {
		sumX, sumY = sumX+p.x, sumY+p.y
	}
	meanX, meanY := sumX/trendWindow, sumY/trendWindow
	var numerator, denominator float64
	for _, p := range t.points {
		numerator += (p.x - meanX) * (p.y - meanY)
		denominator += (p.x - meanX) * (p.x - meanX)
	}
	if denominator == 0 {
		return 0
	}
	return numerator / denominator
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
