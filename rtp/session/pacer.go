package session

import "time"

// A pacer spreads what would leave at once, such as a key frame, over some time: a
// bucket that fills at a rate above that of the media, so that queues are short, and
// holds what may leave at once.
type pacer struct {
	level  int // bytes that may leave; negative: what left too many
	free   int // bytes that may leave besides, for others have paced them
	filled time.Time
	rate   meter // of what left
}

const (
	// pacerBurst is what may leave at once while nothing is known of the path: about twenty
	// packets, an ordinary frame, which the shell sends in one system call.
	pacerBurst = 24 << 10
	// pacerPassOn is how much that others have paced may leave at once. Arbitrary: more than
	// arrives at once.
	pacerPassOn = 512 << 10
	// pacerLump is how long the bucket fills before it is used again: fewer, larger
	// bursts cost less than many small ones.
	pacerLump = 5 * time.Millisecond
	// probeLump is the same for a cluster, which takes 15 ms.
	probeLump = 2 * time.Millisecond
	// pacerFloor is the least rate while nothing is known of the path, in bytes a second: 10 Mbit/s.
	// Arbitrary: most paths have more.
	pacerFloor = 10e6 / 8
	// pacerDelay is the most that a packet waits: a longer queue raises the rate.
	pacerDelay = 150 * time.Millisecond
	// pacerFactor is then how much faster than on average packets may leave, as in
	// other implementations.
	pacerFactor = 2.5
)

// A pace is how fast packets may leave, as congestion control has it.
type pace struct {
	rate    float64 // bytes a second; 0: nothing is known of the path
	probing bool    // packets leave as a cluster, at that rate
}

// pace is the rate that congestion control has for now.
func (s *Session) pace(now time.Time) pace {
	switch {
	case s.congestion.Probing(now):
		return pace{s.congestion.PacingRate(now) / 8, true}
	case s.congestion.Known(now):
		return pace{s.congestion.PacingRate(now) / 8, false}
	}
	return pace{}
}

// ready returns when something may leave. queued is how much waits.
func (p *pacer) ready(now time.Time, queued int, by pace) time.Time {
	if p.free > 0 {
		return now
	}
	rate, lump, burst := by.rate, 0, 0
	switch {
	case by.probing:
		lump = int(rate * probeLump.Seconds())
	case by.rate > 0:
		rate = max(rate, float64(queued)/pacerDelay.Seconds())
		lump = int(rate * pacerLump.Seconds())
	default:
		rate = max(pacerFloor, pacerFactor*p.rate.value, float64(queued)/pacerDelay.Seconds())
		lump, burst = int(rate*pacerLump.Seconds()), pacerBurst
	}
	lump = max(lump, 1)
	p.level = min(p.level, max(burst, lump)) // what there was for another rate is of no use
	if p.level > 0 {
		return now // it is filled up once it is empty
	}
	if passed := now.Sub(p.filled); passed > 0 {
		// More than a second fills every bucket; and it must not overflow.
		p.level = min(max(burst, lump), p.level+int(min(passed, time.Second).Seconds()*rate))
		p.filled = now
	}
	if p.level > 0 {
		return now
	}
	return now.Add(time.Duration(float64(lump-p.level)/rate*float64(time.Second)) + 1)
}

// passOn makes room for a packet that arrived in another session, where its sender has paced
// it: a second pacer would only keep it longer. What cannot leave, because there is no path,
// does not make room for ever.
func (p *pacer) passOn(size int) {
	p.free = min(p.free+size, pacerPassOn)
}

func (p *pacer) sent(size int) {
	free := min(p.free, size)
	p.free -= free
	p.level -= size - free
	p.rate.bytes += size
}

// A meter measures a rate, in bytes a second.
type meter struct {
	value float64
	bytes int       // since
	since time.Time // the window began
}

const meterWindow = 200 * time.Millisecond

func (m *meter) advance(now time.Time) {
	passed := now.Sub(m.since)
	if passed < meterWindow {
		return
	}
	measured := float64(m.bytes) / passed.Seconds()
	if m.since.IsZero() {
		measured = 0
	}
	m.value = (m.value + measured) / 2
	m.bytes, m.since = 0, now
}
