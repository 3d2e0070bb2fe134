package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A keyframeRequest is what a stream keeps of the key frame that it waits for.
type keyframeRequest struct {
	wanted   bool      // none has started since the request
	due      bool      // AppendPacket is to ask
	asked    time.Time // the latest time
	next     time.Time // when to ask again, or for the first time
	tries    int
	sequence uint8 // of FIR
}

const (
	// minKeyframeInterval is the least time between two requests, ours or the peer's: a key
	// frame is as large as ten others, and takes that time to make.
	minKeyframeInterval = 200 * time.Millisecond
	maxKeyframeInterval = 2 * time.Second
	maxKeyframeTries    = 20
)

// RequestKeyframe asks the peer for a key frame, by a PLI (RFC 4585, Section 6.3.1) or,
// where only that was negotiated, a FIR (RFC 5104, Section 4.3.1). It may be called as
// often as one likes: requests are sent with some time between them, and again until a
// key frame starts to arrive.
func (st *Stream) RequestKeyframe(now time.Time) {
	k := &st.keyframe
	if st.ended || st.Kind != Video || k.wanted {
		return
	}
	k.wanted, k.tries = true, 0
	k.next = now
	if next := k.asked.Add(minKeyframeInterval); !k.asked.IsZero() && next.After(now) {
		k.next = next
	}
	st.session.keyframesDue(now)
}

// keyframesDue asks for the key frames that it is time to ask for, and schedules the others.
func (s *Session) keyframesDue(now time.Time) {
	s.timers.Stop(timerKeyframe)
	for _, c := range s.sections {
		for _, st := range c.streams {
			k := &st.keyframe
			if !k.wanted || k.due {
				continue
			}
			if k.next.After(now) {
				s.timers.SetEarlier(timerKeyframe, k.next)
				continue
			}
			k.due, s.reports.feedback = true, true
		}
	}
	for _, x := range s.senders {
		for _, e := range x.encodings {
			if !e.requested.pending {
				continue
			}
			if next := e.requested.told.Add(minKeyframeInterval); next.After(now) {
				s.timers.SetEarlier(timerKeyframe, next)
				continue
			}
			s.tellKeyframe(now, e)
		}
	}
}

// askedKeyframe schedules what follows when a request leaves.
func (s *Session) askedKeyframe(now time.Time, st *Stream) {
	k := &st.keyframe
	k.due, k.asked = false, now
	k.tries++
	known := st.codec != nil && st.codec.Format != 0
	if !known || k.tries >= maxKeyframeTries {
		k.wanted = false // one would not be recognized, or does not come
		return
	}
	wait := max(minKeyframeInterval, 2*s.rtt.orDefault()) << min(k.tries-1, 4)
	k.next = now.Add(min(wait, maxKeyframeInterval))
	s.timers.SetEarlier(timerKeyframe, k.next)
}

// inspect finds out where a packet stands in its frame. The start of a key frame ends the
// waiting for one.
func (st *Stream) inspect(codec *Codec, body []byte) payload.Info {
	info := codec.inspect(body)
	if st.Kind == Video && codec.Format != 0 && info.Start && info.Key {
		st.stats.keyFrames++
		st.keyframe.wanted, st.keyframe.due = false, false
		s := st.session
		s.headers = st.stats.size.seePacket(codec, body, s.headers)
	}
	return info
}

// appendKeyframeRequest appends a PLI or FIR for a stream.
func (s *Session) appendKeyframeRequest(now time.Time, b []byte, st *Stream) []byte {
	defer s.askedKeyframe(now, st)
	if st.codec != nil && !st.codec.PLI && st.codec.FIR {
		st.stats.firs++
		st.keyframe.sequence++ // a new request each time: the answer to the one before did not arrive
		return rtcp.AppendFIR(b, s.primary(), rtcp.FullIntraRequest{SSRC: st.SSRC, Sequence: st.keyframe.sequence})
	}
	st.stats.plis++
	return rtcp.AppendPLI(b, s.primary(), st.SSRC)
}

// keyframeAsked is what an encoding keeps of the peer's requests.
type keyframeAsked struct {
	plis, firs uint64
	sequence   int       // of the latest FIR, and one more; 0: none came
	told       time.Time // when the event was given
	pending    bool      // another is to be given
	written    time.Time // when a key frame was written
}

// answered notes that a key frame was written.
func (k *keyframeAsked) answered(now time.Time) { k.written, k.pending = now, false }

// receiveFIR takes the peer's FIR. One with the sequence number of the one before repeats it, and is
// not another request. RFC 5104, Section 4.3.1.1.
func (s *Session) receiveFIR(now time.Time, e *encoding, sequence uint8) {
	e.requested.firs++
	if e.requested.sequence == int(sequence)+1 {
		return
	}
	e.requested.sequence = int(sequence) + 1
	s.keyframeNeeded(now, e)
}

// keyframeNeeded takes a request of the peer's. One that comes less than a round trip after a
// key frame left was sent before it arrived.
func (s *Session) keyframeNeeded(now time.Time, e *encoding) {
	if !e.requested.written.IsZero() && now.Sub(e.requested.written) < s.rtt.value() {
		return
	}
	s.wantKeyframe(now, e)
}

// wantKeyframe has whoever writes frames told that a key frame is needed, now or a little later.
func (s *Session) wantKeyframe(now time.Time, e *encoding) {
	next := e.requested.told.Add(minKeyframeInterval)
	if !e.requested.told.IsZero() && next.After(now) {
		e.requested.pending = true
		s.timers.SetEarlier(timerKeyframe, next)
		return
	}
	s.tellKeyframe(now, e)
}

func (s *Session) tellKeyframe(now time.Time, e *encoding) {
	e.requested.told, e.requested.pending = now, false
	s.events.push(KeyframeRequested{e.sender, e.index})
}
