package jitter

import "time"

// An estimator tells what the offset between a packet's sending and its play-out
// should be, from how long packets take. Times on the way are known but for a
// constant, as the clocks of sender and receiver differ: a transit is such a
// time plus that constant, which cancels out.
type estimator struct {
	transits histogram
	wanted   time.Duration // the offset; valid when count is not 0

	quarter, tenth time.Duration // the transits that these upper shares lie above

	// How many packets in a row took less than half of what is waited for, were
	// below the quarter, were above the tenth.
	short, below, above int

	risen  time.Duration // the least to wait for, while rising
	rising int           // for so many packets

	last, secondLast time.Duration // transits

	count  int // of transits
	lowest minimum
	drift  regression
	moved  time.Duration // the time, on the timeline, up to which the histogram moved along with the drift
}

const (
	// The aim is that fewer than goal of the packets come too late. acceptedLoss is
	// the share that may, as it takes time to follow a change; but for rare packets
	// that are much later than nearly all others the delay is not made longer than
	// most times that of the goal.
	goal         = 0.01
	acceptedLoss = 0.004
	most         = 1.10

	// slack is for the error of a quantile that few packets lie beyond: it costs
	// next to nothing, and where delays have a hard end it is worth much.
	slack = 1.01

	// The path has changed when so many packets in a row
	shortAfter = 600 // took less than half of what is waited for, unless that is littleWait
	belowAfter = 250 // were not in the upper quarter
	aboveAfter = 25  // were all in the upper tenth
	littleWait = 20 * time.Millisecond

	// lookEvery is after how many packets the quarter and the tenth are found anew.
	lookEvery = 10

	// A queue grows when packets are late by no more than riseMost. How far ahead of
	// it to go, and for how many packets, is arbitrary.
	riseMost  = 30 * time.Millisecond
	riseAhead = 15 * time.Millisecond
	riseFor   = 25

	// Audio starts with a delay for the jitter that it has not seen yet, of which
	// nothing is left after so many packets.
	firstDelay   = 60 * time.Millisecond
	firstPackets = 50
)

func (e *estimator) reset() { *e = estimator{} }

// add counts a packet, or a frame of video: when it was sent and how long it took.
func (e *estimator) add(sent, transit time.Duration) {
	e.count++
	e.transits.add(transit)
	if e.lowest.add(sent, transit) {
		e.drift.add(e.lowest.previousAt, e.lowest.previous)
	}
	e.follow(sent + transit)
	e.notice(transit)
	e.rise(transit)
	fastest := e.fastest()
	atGoal := time.Duration(most * float64(e.transits.above(goal)-fastest))
	accepted := time.Duration(slack * float64(e.transits.above(acceptedLoss)-fastest))
	e.wanted = max(fastest+min(accepted, atGoal), e.risen)
}

// rise goes ahead of a queue that grows: when two packets took nearly as long as is
// waited for, and one after them takes longer, there are others that take longer
// still.
func (e *estimator) rise(transit time.Duration) {
	fastest := e.fastest()
	near := fastest + (e.wanted-fastest)*3/4
	if over := transit - e.wanted; e.count > 2 && over > 0 && over <= riseMost && transit >= e.last && min(e.last, e.secondLast) >= near {
		e.risen, e.rising = transit+riseAhead, riseFor
	}
	if e.rising--; e.rising <= 0 {
		e.risen, e.rising = apart, 0
	}
	e.last, e.secondLast = transit, e.last
}

// notice looks for a change of the path, upon which what was learned before is
// forgotten fast.
func (e *estimator) notice(transit time.Duration) {
	if e.count%lookEvery == 1 {
		e.quarter, e.tenth = e.transits.above(0.25), e.transits.above(0.1)
	}
	fastest := e.fastest()
	noticed := persists(&e.short, e.wanted-fastest > littleWait && transit-fastest < (e.wanted-fastest)/2, shortAfter)
	noticed = persists(&e.below, transit < e.quarter-e.transits.width, belowAfter) || noticed
	noticed = persists(&e.above, transit >= e.tenth, aboveAfter) || noticed
	if noticed {
		e.transits.fade()
	}
}

// persists counts how many times in a row something was so. It returns true when
// that has been so often, and after that each time it has been so for a tenth of
// that more.
func persists(count *int, so bool, often int) bool {
	if !so {
		*count = 0
		return false
	}
	*count++
	if *count < often {
		return false
	}
	*count -= often / 10
	return true
}

// follow moves the histogram along with the sender's clock.
func (e *estimator) follow(now time.Duration) {
	if e.moved == 0 || now < e.moved {
		e.moved = now
	}
	if d := time.Duration(float64(now-e.moved) * e.drift.slope); d >= 50*time.Microsecond || d <= -50*time.Microsecond {
		e.transits.drift(d)
		e.moved = now
	} else if e.drift.slope == 0 {
		e.moved = now
	}
}

// fastest is the transit of the fastest packet of late.
func (e *estimator) fastest() time.Duration { return e.lowest.value() }

// A minimum is the lowest transit of the last two and a half to five seconds.
type minimum struct {
	started           bool
	since             time.Duration // when the window began
	current, previous time.Duration
	currentAt         time.Duration // when the lowest was sent
	previousAt        time.Duration
	full              bool // there is a previous one
}

const window = 2500 * time.Millisecond

// add counts a transit, and reports whether a window has ended, whose lowest is
// previous now.
func (m *minimum) add(sent, transit time.Duration) (ended bool) {
	at := sent + transit
	if !m.started || at < m.since {
		*m = minimum{started: true, since: at, current: transit, currentAt: sent}
		return false
	}
	if at >= m.since+window {
		m.previous, m.previousAt, m.full = m.current, m.currentAt, true
		m.since, m.current, m.currentAt = at, transit, sent
		return true
	}
	if transit < m.current {
		m.current, m.currentAt = transit, sent
	}
	return false
}

func (m *minimum) value() time.Duration {
	if m.full {
		return min(m.current, m.previous)
	}
	return m.current
}

// A regression finds the drift between two clocks: the slope of the line through
// the fastest packets of each window, which have met no queue.
type regression struct {
	at, transit [fits]time.Duration
	count       int
	slope       float64 // seconds a second; positive when the sender's clock is the slower one
}

const (
	fits     = 32 // windows: 80 s
	fitsMin  = 12
	maxSlope = 2e-3

	// The path has changed, and the line means nothing, when its points are farther
	// from it.
	maxResidual = 5 * time.Millisecond
)

func (r *regression) add(at, transit time.Duration) {
	r.at[r.count%fits], r.transit[r.count%fits] = at, transit
	r.count++
	n := min(r.count, fits)
	if n < fitsMin {
		return
	}
	var x, y float64
	for i := range n {
		x += float64(r.at[i]-r.at[0]) / float64(n)
		y += float64(r.transit[i]-r.transit[0]) / float64(n)
	}
	var xx, xy, yy float64
	for i := range n {
		dx, dy := float64(r.at[i]-r.at[0])-x, float64(r.transit[i]-r.transit[0])-y
		xx, xy, yy = xx+dx*dx, xy+dx*dy, yy+dy*dy
	}
	r.slope = 0
	if xx == 0 {
		return
	}
	slope := xy / xx
	residual := max(yy-slope*xy, 0) / float64(n)
	if slope < maxSlope && slope > -maxSlope && residual <= float64(maxResidual)*float64(maxResidual) {
		r.slope = slope
	}
}
