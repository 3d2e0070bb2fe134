package session

import "time"

// An estimate is how much the path to the peer carries, by what feedback tells: simple on purpose.
// It rises slowly while packets arrive without delay, to at most one and a half of what arrives; it falls
// to a little below what arrives when packets queue up, and with heavy loss. For a stream that
// adapts to the path by it, Google congestion control (draft-ietf-rmcat-gcc) does the same with more
// sensitive senses.
type estimate struct {
	bitrate float64 // bits a second; 0: nothing was told yet
	acked   meter   // bytes that arrived
	rose    time.Duration
	fell    time.Duration
	base    baseDelay
}

const (
	initialBitrate = 300e3
	minBitrate     = 30e3
	riseFactor     = 1.08 // a second, as in draft-ietf-rmcat-gcc, Section 5.5
	fallFactor     = 0.85
	headroom       = 1.5 // times what arrives, and 10 kbit/s, is the most: more was not tried
	queueing       = 40 * time.Millisecond
	heavyLoss      = 0.10 // draft-ietf-rmcat-gcc, Section 6
	lightLoss      = 0.02
)

func (e *estimate) update(now time.Time, at, rtt time.Duration, w *ackWindow) {
	e.acked.bytes += w.bytes
	e.acked.advance(now)
	if w.packets+w.lost == 0 {
		return
	}
	passed := min(at-e.rose, time.Second)
	e.rose = at
	if e.bitrate == 0 {
		e.bitrate = initialBitrate
	}
	loss := float64(w.lost) / float64(w.packets+w.lost)
	queued := time.Duration(0)
	if w.timed > 0 {
		queued = e.base.over(at, w.delay/time.Duration(w.timed))
	}
	arriving := 8 * e.acked.value
	settled := at-e.fell > rtt+feedbackInterval // what the last fall did can be seen
	switch {
	case queued > queueing:
		if settled && arriving > 0 {
			e.bitrate, e.fell = min(e.bitrate, fallFactor*arriving), at
		}
	case loss > heavyLoss:
		if settled {
			e.bitrate, e.fell = e.bitrate*(1-0.5*loss), at
		}
	case loss < lightLoss:
		if most := headroom*arriving + 10e3; e.bitrate < most {
			e.bitrate = min(e.bitrate*(1+(riseFactor-1)*passed.Seconds())+1e3, most)
		}
	}
	e.bitrate = max(e.bitrate, minBitrate)
}

// A baseDelay is the shortest way of late: that of the last ten to twenty seconds.
type baseDelay struct {
	known          bool
	since          time.Duration
	before, latest time.Duration
}

// over returns by how much a delay is above the base.
func (b *baseDelay) over(at, delay time.Duration) time.Duration {
	switch {
	case !b.known:
		*b = baseDelay{known: true, since: at, before: delay, latest: delay}
	case at-b.since > 10*time.Second:
		b.since, b.before, b.latest = at, b.latest, delay
	}
	b.latest = min(b.latest, delay)
	return delay - min(b.before, b.latest)
}

// target is the rate that media may have, in bytes a second; 0: nothing is known of it.
func (s *Session) target() float64 { return s.acks.bitrate / 8 }

// AvailableOutgoingBitrate is the estimate of what the path carries, in bits a second, and no more than
// the peer's own (REMB); zero: nothing is known.
func (s *Session) AvailableOutgoingBitrate(now time.Time) uint64 {
	estimate := uint64(s.acks.bitrate)
	if s.remb.at.IsZero() || now.Sub(s.remb.at) > rembLifetime {
		return estimate
	}
	if estimate == 0 {
		return s.remb.bitrate
	}
	return min(estimate, s.remb.bitrate)
}
