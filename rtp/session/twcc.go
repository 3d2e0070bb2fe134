package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A feedback is what we tell the peer of when its packets arrived: by their transport-wide sequence
// numbers (draft-holmer-rmcat-transport-wide-cc-extensions-01), or stream by stream (RFC 8888); or by an estimate of our
// own, for who takes nothing better (draft-alvestrand-rmcat-remb-03).
type feedback struct {
	twcc, ccfb, remb bool // which was negotiated; not two of them

	sent time.Time // when it left last
	due  bool

	log      arrivalLog // of transport-wide numbers
	media    uint32     // the SSRC that a packet came from last
	count    uint8      // of feedback packets
	arrivals []rtcp.Arrival
	reports  []rtcp.PacketReport
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
	f := &s.feedback
	f.media = ssrc
	f.log.add(number, s.since(now), twccWindow)
	s.scheduleFeedback(now)
	if f.log.pending() > twccUrgent {
		f.due, s.reports.feedback = true, true
	}
}

// scheduleFeedback sees to it that feedback leaves when the interval is over.
func (s *Session) scheduleFeedback(now time.Time) {
	f := &s.feedback
	if f.due || s.timers.Running(timerFeedback) {
		return
	}
	next := f.sent.Add(feedbackInterval)
	switch {
	case f.sent.IsZero():
		next = now.Add(feedbackInterval / 4) // the first tells of some packets already
	case next.Before(now):
		next = now
	}
	s.timers.Set(timerFeedback, next)
}

// feedbackDue has AppendPacket make feedback.
func (s *Session) feedbackDue(now time.Time) {
	s.feedback.due, s.reports.feedback = true, true
}

// appendArrivals appends feedback on what arrived since the last one. more says that not all
// of it did fit.
func (s *Session) appendArrivals(now time.Time, b []byte, limit int) (_ []byte, more bool) {
	f := &s.feedback
	if !f.due {
		return b, false
	}
	if limit-len(b) < 64 {
		return b, true
	}
	f.sent = now
	if f.ccfb {
		b, more = s.appendCCFB(now, b, limit)
	} else {
		b, more = s.appendTWCC(now, b, limit)
	}
	f.due = more
	return b, more
}

// appendTWCC appends transport-wide feedback.
func (s *Session) appendTWCC(now time.Time, b []byte, limit int) (_ []byte, more bool) {
	f, l := &s.feedback, &s.feedback.log
	f.arrivals = f.arrivals[:0]
	for i := l.next; i <= l.highest && l.started; i++ {
		if at, ok := l.at(i); ok {
			f.arrivals = append(f.arrivals, rtcp.Arrival{Sequence: uint16(i), Received: true, Time: at})
		}
	}
	head := rtcp.TransportFeedback{Sender: s.primary(), Media: f.media, Base: uint16(l.next), Feedback: f.count}
	b, n := head.Append(b, f.arrivals, limit-len(b))
	f.count++
	if n < len(f.arrivals) {
		l.next += int64(f.arrivals[n].Sequence - uint16(l.next))
		return b, true
	}
	l.next = l.highest + 1
	return b, false
}
