package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A twccReceiver keeps when packets arrived, of all streams, by their transport-wide sequence
// number, until it was told to the peer. draft-holmer-rmcat-transport-wide-cc-extensions-01.
type twccReceiver struct {
	enabled bool

	started  bool
	next     int64 // the first that no feedback told of
	highest  int64
	times    []time.Duration // by sequence number, in a ring; -1: not arrived
	media    uint32          // the SSRC that a packet came from last
	count    uint8           // of feedback packets
	sent     time.Time       // when feedback left last
	due      bool
	arrivals []rtcp.Arrival // scratch
}

const (
	// feedbackInterval is how often feedback leaves. Senders adapt their rate by it: more
	// often than a few times in a round trip it tells nothing new.
	feedbackInterval = 100 * time.Millisecond
	// twccWindow is how many packets one interval may have: 80,000 a second.
	twccWindow = 8192
	// twccUrgent is how many untold packets make feedback leave at once.
	twccUrgent = 2048
)

// receiveSequence notes when a packet arrived.
func (s *Session) receiveSequence(now time.Time, number uint16, ssrc uint32) {
	t := &s.twcc
	t.media = ssrc
	if t.times == nil {
		t.times = make([]time.Duration, twccWindow)
		for i := range t.times {
			t.times[i] = -1
		}
	}
	if !t.started {
		t.started = true
		t.highest = 1<<16 + int64(number)
		t.next = t.highest
	}
	at := t.highest + int64(int16(number-uint16(t.highest)))
	switch {
	case at > t.highest:
		if at-t.highest >= twccWindow { // a jump: what is in between is of no use
			t.next = at
		}
		for i := max(t.highest+1, at-twccWindow+1); i <= at; i++ {
			t.times[i&(twccWindow-1)] = -1
		}
		t.highest = at
		t.next = max(t.next, at-twccWindow+1)
	case at <= t.highest-twccWindow:
		return
	case at < t.next:
		t.next = at // late: it is told once more from there on
	}
	if v := &t.times[at&(twccWindow-1)]; *v < 0 {
		*v = s.since(now)
	}
	if !t.due && !s.timers.Running(timerFeedback) {
		next := now
		if !t.sent.IsZero() && t.sent.Add(feedbackInterval).After(now) {
			next = t.sent.Add(feedbackInterval)
		} else if t.sent.IsZero() {
			next = now.Add(feedbackInterval / 4) // the first tells of some packets already
		}
		s.timers.Set(timerFeedback, next)
	}
	if t.highest-t.next > twccUrgent {
		t.due, s.reports.feedback = true, true
	}
}

// feedbackDue has AppendPacket make feedback.
func (s *Session) feedbackDue(now time.Time) {
	if s.twcc.started && s.twcc.next <= s.twcc.highest {
		s.twcc.due, s.reports.feedback = true, true
	}
}

// appendTransportFeedback appends feedback on what arrived since the last one. more says that not all
// of it did fit.
func (s *Session) appendTransportFeedback(now time.Time, b []byte, limit int) (_ []byte, more bool) {
	t := &s.twcc
	if !t.due {
		return b, false
	}
	if limit-len(b) < 64 {
		return b, true
	}
	t.arrivals = t.arrivals[:0]
	for i := t.next; i <= t.highest; i++ {
		if at := t.times[i&(twccWindow-1)]; at >= 0 {
			t.arrivals = append(t.arrivals, rtcp.Arrival{Sequence: uint16(i), Received: true, Time: at})
		}
	}
	f := rtcp.TransportFeedback{Sender: s.primary(), Media: t.media, Base: uint16(t.next), Feedback: t.count}
	b, n := f.Append(b, t.arrivals, limit-len(b))
	t.count++
	t.sent = now
	if n < len(t.arrivals) {
		t.next += int64(t.arrivals[n].Sequence - uint16(t.next))
		return b, true
	}
	t.next = t.highest + 1
	t.due = false
	return b, false
}
