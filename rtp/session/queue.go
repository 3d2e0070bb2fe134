package session

import "time"

// A queue is what waits to leave: audio, which does not wait; retransmissions;
// and video, which is paced. It holds sequence numbers; the packets are in the histories
// of their encodings.
type queue struct {
	urgent, repairs, media fifo[waiting]
	bytes                  int // of repairs and media
	pacer                  pacer
	repaired               repairs
	padded                 *encoding // whose packets fill up a cluster that probes
}

// waiting is one packet in a queue.
type waiting struct {
	e        *encoding
	sequence uint16
	size     int32

	// Of a repair packet: which of how many, for what.
	group     uint16
	index, of uint8
}

func (q *queue) push(e *encoding, v *slot) {
	w := waiting{e: e, sequence: v.sequence, size: int32(len(v.packet.Bytes()))}
	if e.audio() {
		if q.urgent.len() == maxQueued {
			q.urgent.pop()
		}
		q.urgent.push(w)
		return
	}
	q.pushPaced(w)
}

func (q *queue) pushPaced(w waiting) {
	if q.media.len() == maxQueued {
		old, _ := q.media.pop()
		q.bytes -= int(old.size)
	}
	q.media.push(w)
	q.bytes += int(w.size)
}

// maxQueued is how many packets may wait, when nobody asks for them: the oldest are lost.
const maxQueued = 2 * maxHistory

func (q *queue) pushRepair(e *encoding, v *slot) {
	w := waiting{e: e, sequence: v.sequence, size: int32(len(v.packet.Bytes()))}
	q.repairs.push(w)
	q.bytes += int(w.size)
}

// appendMedia appends the next RTP packet that may leave now.
func (s *Session) appendMedia(now time.Time, b []byte) []byte {
	q := &s.queue
	for q.urgent.len() > 0 {
		w, _ := q.urgent.pop()
		if v := w.slot(); v != nil && !v.sent {
			return s.appendSlot(now, b, w.e, v, false)
		}
	}
	if w, ok := q.media.first(); ok {
		s.probe(now, w.e)
	}
	q.pacer.rate.advance(now)
	q.repaired.sent.advance(now)
	for q.repairs.len()+q.media.len() > 0 {
		if at := q.pacer.ready(now, q.bytes, s.pace(now)); at.After(now) {
			s.timers.Set(timerPacer, at)
			return b
		}
		// Retransmissions first: somebody waits for them already.
		w, repair := q.repairs.pop()
		if !repair {
			w, _ = q.media.pop()
		}
		q.bytes -= int(w.size)
		out := b
		if w.of > 0 {
			if !w.e.closed() {
				out = s.appendRepair(now, b, w)
			}
		} else if v := w.slot(); v != nil && v.sent == repair {
			out = s.appendSlot(now, b, w.e, v, repair)
		}
		if len(out) == len(b) {
			continue // it became too old while it waited
		}
		q.pacer.sent(len(out) - len(b))
		if repair || w.of > 0 {
			q.repaired.sent.bytes += len(out) - len(b)
		}
		return out
	}
	if s.congestion.Probing(now) {
		if at := q.pacer.ready(now, 0, s.pace(now)); at.After(now) {
			s.timers.Set(timerPacer, at)
			return b
		}
		if out := s.appendPadding(now, b); len(out) > len(b) {
			q.pacer.sent(len(out) - len(b))
			return out
		}
	}
	s.timers.Stop(timerPacer)
	return b
}

// slot returns the packet that waits; nil when its place was taken since, or its
// sender is gone.
func (w waiting) slot() *slot {
	if w.e.closed() {
		return nil
	}
	return w.e.history.get(w.sequence)
}
