package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/congestion"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A receiver's estimated maximum bitrate (draft-alvestrand-rmcat-remb-03) is for who has no better feedback: the
// receiver estimates, by the send times in headers, and the sender believes it.

// receiveREMB takes the peer's estimate.
func (s *Session) receiveREMB(now time.Time, p rtcp.Packet) {
	bitrate, ok := p.Estimate()
	if !ok {
		bitrate = 1<<63 - 1 // it does not fit 64 bits: no limit
	}
	s.congestion.SetRemote(now, float64(bitrate))
}

// A rembSender makes our estimates for the peer.
type rembSender struct {
	estimator *congestion.Receiver // nil: nothing came yet that tells when it left
	bitrate   float64
	due       bool
	sources   []uint32
}

// receiveForREMB notes when a packet left and arrived.
func (s *Session) receiveForREMB(now time.Time, left rtp.AbsSendTime, size int) {
	r := &s.remb
	if r.estimator == nil {
		r.estimator = new(congestion.Receiver)
	}
	r.estimator.Received(now, left, size)
	if bitrate, due := r.estimator.Estimate(now, s.rtt.value()); due {
		r.bitrate, r.due, s.reports.feedback = bitrate, true, true
	}
}

// mostSources is how many streams an estimate names; it is about the transport, and names are but a formality.
const mostSources = 64

// appendREMB appends the estimate, if it is due.
func (s *Session) appendREMB(b []byte, limit int) (_ []byte, more bool) {
	r := &s.remb
	if !r.due {
		return b, false
	}
	const header, entry = 20, 4
	room := min((limit-len(b)-header)/entry, mostSources)
	if room < 1 {
		return b, true
	}
	r.due, r.sources = false, r.sources[:0]
	for _, c := range s.sections {
		for _, st := range c.streams {
			if len(r.sources) < room {
				r.sources = append(r.sources, st.SSRC)
			}
		}
	}
	return rtcp.AppendREMB(b, s.primary(), uint64(r.bitrate), r.sources...), false
}
