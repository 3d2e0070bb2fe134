package session

import (
	"cmp"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/rtp/fec"
)

// A nackList has the packets of a stream that are missing: passed over, and not
// arrived since. RFC 4585, Section 6.2.1.
type nackList struct {
	missing []missing // in their order
	// tolerance is how long a packet may be behind others before it is asked for:
	// what reordering there was lately.
	tolerance time.Duration
}

type missing struct {
	ext         int64
	since, next time.Duration // when it was missed; when to ask, again
	tries       uint8
}

const (
	// maxMissing is more than a browser sends in a second; beyond it only a key frame helps.
	maxMissing = 1000
	maxTries   = 10
	// maxMissingAge is how long a retransmission can be of use to anybody.
	maxMissingAge = 2 * time.Second

	minTolerance = 5 * time.Millisecond
	maxTolerance = 100 * time.Millisecond
	minRepeat    = 20 * time.Millisecond // on top of the round trip
)

// missing notes which packets were passed over when ext arrived, or that it is not
// missing any more.
func (s *Session) missing(now time.Time, st *Stream, codec *Codec, ext int64, ahead int) {
	n := &st.nack
	at := s.since(now)
	if ahead == 0 {
		if m, ok := n.remove(ext); ok && m.tries == 0 {
			// It came by itself: reordered, not lost. The tolerance follows at once
			// upwards, and slowly down.
			n.tolerance = min(max(n.tolerance, (at-m.since)*5/4), maxTolerance)
		}
		return
	}
	if !codec.NACK {
		return
	}
	if len(n.missing)+ahead > maxMissing {
		n.missing = n.missing[:0]
		st.stats.givenUp += uint64(ahead)
		s.lostForGood(now, st)
		return
	}
	n.tolerance = max(minTolerance, n.tolerance-n.tolerance/16)
	for i := range ahead {
		n.missing = append(n.missing, missing{ext: ext - int64(ahead-i), since: at, next: at + n.tolerance})
	}
	s.timers.SetEarlier(timerNACK, now.Add(n.tolerance))
}

// forget takes out what is before ext.
func (n *nackList) forget(ext int64) {
	i := 0
	for i < len(n.missing) && n.missing[i].ext < ext {
		i++
	}
	n.missing = slices.Delete(n.missing, 0, i)
}

// remove takes out a packet that arrived.
func (n *nackList) remove(ext int64) (m missing, ok bool) {
	if len(n.missing) == 0 {
		return missing{}, false
	}
	i, ok := slices.BinarySearchFunc(n.missing, ext, func(m missing, ext int64) int { return cmp.Compare(m.ext, ext) })
	if !ok {
		return missing{}, false
	}
	m = n.missing[i]
	n.missing = slices.Delete(n.missing, i, i+1)
	return m, true
}

// nacksDue gives up what is too old, and has AppendPacket ask for the rest.
func (s *Session) nacksDue(now time.Time) {
	at := s.since(now)
	for _, c := range s.sections {
		for _, st := range c.streams {
			n := &st.nack
			before := len(n.missing)
			n.missing = slices.DeleteFunc(n.missing, func(m missing) bool {
				return m.next <= at && (m.tries >= maxTries || at-m.since > maxMissingAge)
			})
			if gone := before - len(n.missing); gone > 0 {
				st.stats.givenUp += uint64(gone)
				// Repair packets of ULPFEC are not sent again, and nobody misses them: whoever
				// puts frames together sees whether it was one.
				if st.parity == nil || st.parity.Format != fec.ULP {
					s.lostForGood(now, st)
				}
			}
			for _, m := range n.missing {
				if m.next <= at {
					s.reports.feedback = true
				}
			}
		}
	}
	s.scheduleNACKs(now)
}

// lostForGood asks for a key frame: the stream has a hole.
func (s *Session) lostForGood(now time.Time, st *Stream) {
	if st.Kind == Video {
		st.RequestKeyframe(now)
	}
}

func (s *Session) scheduleNACKs(now time.Time) {
	at := s.since(now)
	s.timers.Stop(timerNACK)
	for _, c := range s.sections {
		for _, st := range c.streams {
			for _, m := range st.nack.missing {
				if m.next > at {
					s.timers.SetEarlier(timerNACK, now.Add(m.next-at))
				}
			}
		}
	}
}

// repeat is how long it takes to get a packet again that was asked for.
func (st *Stream) repeat() time.Duration {
	return st.session.rtt.orDefault() + minRepeat + st.nack.tolerance
}

// takeNACK returns what a stream is to ask for now, up to most of them.
func (s *Session) takeNACK(now time.Time, st *Stream, most int) []uint16 {
	lost := s.lost[:0]
	at := s.since(now)
	for i := range st.nack.missing {
		m := &st.nack.missing[i]
		if m.next > at || len(lost) == most {
			continue
		}
		m.tries++
		m.next = at + st.repeat()
		lost = append(lost, uint16(m.ext))
	}
	s.lost = lost
	if len(lost) > 0 {
		st.stats.nacks++
		s.scheduleNACKs(now)
	}
	return lost
}
