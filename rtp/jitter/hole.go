package jitter

import "time"

// A hole is the first packet that is not there, though others after it are.
type hole struct {
	index int64
	since time.Time // when that was first seen; zero when there is no hole
}

const (
	// reorderGrace is how long a packet may be behind one that was sent after it.
	reorderGrace = 10 * time.Millisecond

	// A retransmission may be lost as well, and the one after that. How often to
	// try is arbitrary: a key frame costs a round trip, too, and then a burst of
	// packets.
	retries     = 4
	retriesMin  = 100 * time.Millisecond
	retriesMost = time.Second
)

// waitForHole decides about the packet at index, which is not there while later
// ones are. It returns true when play-out goes on behind it.
func (b *Buffer) waitForHole(now time.Time, index int64) bool {
	v, r := &b.video, &b.ring
	next := r.following(index)
	if b.harmless(index, next) {
		_, missing := r.advance(next.index)
		b.stats.PacketsMissing += uint64(missing)
		v.hole = hole{}
		return true
	}
	if v.hole.since.IsZero() || v.hole.index != index {
		v.hole = hole{index, next.arrival}
		for i := next.index; i < r.top; i++ {
			if s := r.held(i); s != nil && s.arrival.Before(v.hole.since) {
				v.hole.since = s.arrival
			}
		}
	}
	if due, ok := b.skipToKey(now, index); ok {
		return true
	} else if !due.IsZero() {
		b.wake = due
	}

	deadline := v.hole.since.Add(reorderGrace)
	if b.rtt > 0 {
		deadline = v.hole.since.Add(min(max(retries*b.rtt, retriesMin), retriesMost))
	}
	sent := next.sent
	if s := r.held(r.next); s != nil {
		sent = s.sent
	}
	if due := b.due(sent); b.playout.started && due.After(deadline) {
		deadline = due
	}
	if b.waits(now, deadline) {
		if b.wake.IsZero() || deadline.Before(b.wake) {
			b.wake = deadline
		}
		return false
	}
	v.hole = hole{}
	if first := r.held(r.next); first != nil {
		b.stats.FramesDropped++
	}
	b.giveUpVideo(now, next.index, dropHole)
	return true
}

// harmless reports whether a hole between two frames has no media in it: the frame behind
// it starts there, and is by its number the one behind the last. Repair packets and padding
// take sequence numbers, too.
func (b *Buffer) harmless(index int64, next *slot) bool {
	v, r := &b.video, &b.ring
	if index != r.next || !v.aligned || next.filler() || !next.start || !v.chain.counted {
		return false
	}
	rel := v.chain.relate(r, next.index, next.index+1, b.config.Extensions)
	return rel.kind == naming && rel.ownCount > 0 && (rel.own[0]-v.chain.latest)&rel.mask == 1
}

// giveUpVideo goes on at index.
func (b *Buffer) giveUpVideo(now time.Time, index int64, reason string) {
	b.giveUp(now, index, reason)
	b.video.needsKey = !b.video.chain.keyed
}

// skipToKey goes on with the latest key frame behind a hole, if it is whole and
// due. Otherwise it returns when that will be; zero when there is none.
func (b *Buffer) skipToKey(now time.Time, index int64) (due time.Time, ok bool) {
	v, r := &b.video, &b.ring
	if !v.hasKey || v.lastKey < index {
		return time.Time{}, false
	}
	s := r.held(v.lastKey)
	if s == nil {
		return time.Time{}, false
	}
	first := s
	for {
		before := r.held(first.index - 1)
		if before == nil || before.filler() || before.timestamp != s.timestamp {
			break
		}
		first = before
	}
	if first.index < index || !first.key || !b.startsFrame(first.index) {
		return time.Time{}, false
	}
	for i := first.index; ; i++ {
		s := r.held(i)
		if s == nil {
			return time.Time{}, false
		}
		if s.marker || !s.filler() && s.timestamp != first.timestamp {
			break
		}
	}
	if due := b.due(first.sent); b.playout.started && b.waits(now, due) {
		return due, false
	}
	v.hole = hole{}
	b.giveUpVideo(now, first.index, dropHole)
	v.aligned = true
	return time.Time{}, true
}
