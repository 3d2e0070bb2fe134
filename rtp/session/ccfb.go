package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// Congestion control feedback (RFC 8888) tells of each stream, by its own sequence numbers, which packets
// arrived and when: of retransmission streams too, which are streams of their own.

// ccfbWindow is how many packets of a stream one interval may have: 10,000 a second.
const ccfbWindow = 1024

// receiveForCCFB notes when a packet of a stream, or one that repairs it, arrived.
func (s *Session) receiveForCCFB(now time.Time, r *route, sequence uint16) {
	l := &r.stream.arrivals
	switch r.kind {
	case retransmissions:
		l = &r.stream.rtxArrivals
	case repairPackets:
		l = &r.stream.fecArrivals
	}
	l.add(sequence, s.since(now), ccfbWindow)
	s.scheduleFeedback(now)
}

// appendCCFB appends feedback on all streams, or as many as fit.
func (s *Session) appendCCFB(now time.Time, b []byte, limit int) (_ []byte, more bool) {
	const header, blockHeader = 12, 8
	f := &s.feedback
	f.reports = f.reports[:0]
	room := limit - len(b) - header
	for _, c := range s.sections {
		for _, st := range c.streams {
			for _, o := range [...]struct {
				ssrc uint32
				log  *arrivalLog
			}{{st.SSRC, &st.arrivals}, {st.rtx, &st.rtxArrivals}, {st.fec, &st.fecArrivals}} {
				n := o.log.pending()
				if n == 0 {
					continue
				}
				// Two reports take a word, and blocks are words.
				n = min(n, (room-blockHeader)/4*2)
				if n <= 0 {
					more = true
					continue
				}
				room -= blockHeader + (2*n+3)&^3
				for i := range int64(n) {
					report := rtcp.PacketReport{SSRC: o.ssrc, Sequence: uint16(o.log.next + i)}
					if at, ok := o.log.at(o.log.next + i); ok {
						report.Received = true
						// "The arrival time of the RTP packet at the receiver, as an offset before the
						// time represented by the Report Timestamp". Section 3.1.
						report.Offset = uint16(min((s.since(now)-at)*1024/time.Second, rtcp.OffsetTooLong))
					}
					f.reports = append(f.reports, report)
				}
				o.log.next += int64(n)
				more = more || o.log.pending() > 0
			}
		}
	}
	if len(f.reports) == 0 {
		return b, more
	}
	return rtcp.AppendCCFB(b, s.primary(), rtp.NewNTPTime(now).Middle(), f.reports), more
}

// receiveCCFB takes the peer's feedback on our streams.
func (s *Session) receiveCCFB(now time.Time, p rtcp.Packet) bool {
	stamp, ok := p.ReportTimestamp()
	if !ok {
		return false
	}
	s.congestion.BeginFeedback()
	var e *encoding
	for r := range p.PacketReports() {
		if e == nil || e.SSRC != r.SSRC && e.RTX != r.SSRC {
			if e = s.encoding(r.SSRC); e == nil {
				continue
			}
		}
		number, ok := e.numbered(r.SSRC, r.Sequence)
		if !ok {
			continue
		}
		before, timed := r.Before()
		// The receiver's clock wraps after 18 hours, of which only differences count.
		at := time.Duration(uint64(stamp)*uint64(time.Second)>>16) - before
		s.congestion.Take(number, r.Received, at, timed)
	}
	s.congestion.EndFeedback(now, s.rtt.value())
	return true
}

// numbered returns the number under which a packet that left is kept.
func (e *encoding) numbered(ssrc uint32, sequence uint16) (number uint16, ok bool) {
	if ssrc == e.RTX {
		v := &e.repairNumbers[sequence&(repairNumbers-1)]
		return v.number, v.known && v.sequence == sequence
	}
	v := e.history.get(sequence)
	if v == nil || !v.sent {
		return 0, false
	}
	return v.number, true
}

// A repairNumber is the number of a retransmission that left.
type repairNumber struct {
	known            bool
	sequence, number uint16
}

// repairNumbers is how many are kept of each encoding.
const repairNumbers = 64
