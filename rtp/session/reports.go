package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// reports is when RTCP is due, and what of it.
type reports struct {
	feedback bool      // something is to leave at once
	regular  bool      // AppendPacket is to make reports
	average  float64   // avg_rtcp_size, bytes (RFC 3550, Section 6.3.3)
	last     time.Time // when reports were made
	heard    referenceTime
	rtt      RoundTrips // by XR

	blocks []rtcp.ReceptionReport // scratch
	items  []rtcp.Item            // scratch
	cname  []byte
}

// A referenceTime is the latest Receiver Reference Time of the peer's (RFC 3611, Section 4.4).
type referenceTime struct {
	ssrc   uint32
	middle uint32
	at     time.Time
	due    bool
}

// A localReport is what an encoding tells of itself in an SR.
type localReport struct {
	packets, octets uint32
	latest          time.Time // when a packet left last
	due             bool
}

// A remoteReport is the latest SR of a stream, and whether a report on it is due.
type remoteReport struct {
	rtcp.SenderReport
	base  time.Time // its NTP timestamp
	at    time.Time // when it arrived; zero: none did
	count uint64
	due   bool
	taken time.Time // when the first packet arrived of those that are reported on; zero: none is
}

const (
	// reportInterval is how far apart regular reports are on average.
	reportInterval = time.Second
	// silence is for how long a stream is reported on after its last packet. Nothing
	// else may leave then, and when it is our NAT that has given us another address, it is
	// these reports that tell the peer where we are.
	silence = 5 * time.Second
	// rtcpShare is the part of the session bandwidth that RTCP may take. RFC 3550, Section 6.2.
	rtcpShare = 0.05
	// sessionBandwidth, in bytes a second, is taken for it when little is sent: 300 kbit/s.
	sessionBandwidth = 300e3 / 8
	rtcpOverhead     = 28 // of IP and UDP, which count too
)

// scheduleReport sets the time of the next regular reports. RFC 3550, Section 6.3.1, with the
// minimum of RFC 4585, Section 3.4, T_rr_interval:
//
// "The interval between RTCP packets is varied randomly over the range [0.5,1.5] times the
// calculated interval to avoid unintended synchronization of all participants" (Section 6.2). The compensation by e-3/2 belongs to timer reconsideration, which
// groups of two need not: nobody joins.
func (s *Session) scheduleReport(now time.Time) {
	if s.timers.Running(timerReport) || len(s.sections) == 0 {
		return
	}
	interval := reportInterval
	bandwidth := rtcpShare * max(sessionBandwidth, s.queue.pacer.rate.value)
	// Two members, each with half of the bandwidth.
	if least := time.Duration(2 * s.reports.average / bandwidth * float64(time.Second)); least > interval {
		interval = least
	}
	if s.reports.last.IsZero() {
		interval /= 2 // so that the first packet tells of us sooner: RFC 3550, Section 6.2
	}
	interval = interval/2 + interval*time.Duration(s.random16())>>16
	s.timers.Set(timerReport, now.Add(interval))
}

// reportsDue has AppendPacket report on what sent or arrived since the last time.
func (s *Session) reportsDue(now time.Time) {
	r := &s.reports
	for _, x := range s.senders {
		for _, e := range x.encodings {
			// we_sent: in the last two intervals. Section 6.3.
			if !e.report.latest.IsZero() && now.Sub(e.report.latest) < 2*reportInterval {
				e.report.due, r.regular = true, true
			}
		}
	}
	for _, c := range s.sections {
		for _, st := range c.streams {
			if !st.report.taken.IsZero() {
				st.report.due, r.regular = true, true
				if now.Sub(st.stats.last) > silence {
					st.report.taken = time.Time{}
				}
			}
		}
	}
	if r.regular { // else the next packet starts the timer again
		r.last = now
		s.scheduleReport(now)
	}
}

// primary is the SSRC that speaks for us in receiver reports and feedback.
func (s *Session) primary() uint32 {
	for _, x := range s.senders {
		if e := x.encodings[0]; e.report.packets > 0 {
			return e.SSRC
		}
	}
	return s.local
}

// appendRTCP appends the next RTCP packet, if something is due.
func (s *Session) appendRTCP(now time.Time, b []byte) []byte {
	r := &s.reports
	if !r.regular && !r.feedback && len(s.byes) == 0 {
		return b
	}
	start, limit := len(b), len(b)+s.cfg.MTU
	// "All RTCP packets MUST be sent in a compound packet" that starts with a report and has a
	// CNAME (RFC 3550, Section 6.1), unless RFC 5506 was agreed on.
	if r.regular || !s.reducedSize || len(s.byes) > 0 {
		b = s.appendReports(now, b, limit)
	}
	if r.feedback {
		b = s.appendFeedback(now, b, limit)
	}
	if n := min(len(s.byes), 31, (limit-len(b)-4)/4); n > 0 && len(s.byes) > 0 {
		b = rtcp.AppendBye(b, "", s.byes[:n]...)
		s.byes = append(s.byes[:0], s.byes[n:]...)
	}
	if len(b) > start {
		r.average += (float64(len(b)-start+rtcpOverhead) - r.average) / 16
	}
	return b
}

const (
	srSize, rrSize, blockSize = 28, 8, 24
	rrtSize, dlrrSize         = 20, 24
)

// descriptionSize is the size of a chunk of SDES with CNAME and, for what the peer has not
// heard of, MID.
func (s *Session) descriptionSize(e *encoding) int {
	n := 4 + 2 + len(s.cfg.CNAME)
	if e != nil && !e.heard {
		n += 2 + len(e.sender.mid)
	}
	return n&^3 + 4 // at least one null octet
}

// appendReports appends SR or RR and SDES: as much as fits and is due. The rest stays due.
func (s *Session) appendReports(now time.Time, b []byte, limit int) []byte {
	r := &s.reports
	r.items, r.blocks = r.items[:0], r.blocks[:0]
	room := limit - len(b) - 4 // SDES's header
	// Whoever speaks first has the reports on all of the peer's sources.
	var first *encoding
	for e := range s.reporting() {
		first = e
		break
	}
	head := rrSize
	if first != nil {
		head = srSize
	}
	room -= head + s.descriptionSize(first)
	left := false
	for _, c := range s.sections {
		for _, st := range c.streams {
			switch {
			case !st.report.due:
			case len(r.blocks) == 31 || room < blockSize:
				left = true
			default:
				room -= blockSize
				st.report.due = false
				r.blocks = append(r.blocks, st.receptionReport(now))
			}
		}
	}
	if first != nil {
		b = first.senderReport(now).Append(b, r.blocks...)
		s.describe(first, first.SSRC)
	} else {
		b = rtcp.AppendReceiverReport(b, s.primary(), r.blocks...)
		s.describe(nil, s.primary())
	}
	chunks := 1
	for e := range s.reporting() {
		if room < srSize+s.descriptionSize(e) || chunks == 31 {
			left = true
			break
		}
		room -= srSize + s.descriptionSize(e)
		b = e.senderReport(now).Append(b)
		s.describe(e, e.SSRC)
		chunks++
	}
	b = rtcp.AppendDescription(b, r.items...)
	b = s.appendExtended(now, b, limit, first == nil && r.regular)
	if !left {
		r.regular = false
	}
	return b
}

// describe adds the SDES items of a source of ours.
func (s *Session) describe(e *encoding, ssrc uint32) {
	r := &s.reports
	if len(r.cname) != len(s.cfg.CNAME) {
		r.cname = []byte(s.cfg.CNAME)
	}
	r.items = append(r.items, rtcp.Item{SSRC: ssrc, Type: rtcp.CNAME, Text: r.cname})
	if e != nil && !e.heard {
		// RFC 9143, Section 15.2: MID as an SDES item, until it is known.
		r.items = append(r.items, rtcp.Item{SSRC: ssrc, Type: rtcp.MID, Text: e.sender.midText})
	}
}

// reporting yields the encodings whose SR is due.
func (s *Session) reporting() func(yield func(*encoding) bool) {
	return func(yield func(*encoding) bool) {
		for _, x := range s.senders {
			for _, e := range x.encodings {
				if e.report.due && !yield(e) {
					return
				}
			}
		}
	}
}

// senderReport makes an encoding's SR. RFC 3550, Section 6.4.1.
func (e *encoding) senderReport(now time.Time) rtcp.SenderReport {
	e.report.due = false
	// "Note that in most cases this timestamp will not be equal to the RTP timestamp
	// in any adjacent data packet. Rather, it MUST be calculated from the corresponding NTP
	// timestamp".
	timestamp := e.rewrite.timestamp
	if e.codec != nil {
		timestamp += ticks(now.Sub(e.rewrite.sampled), e.codec.ClockRate)
	}
	return rtcp.SenderReport{SSRC: e.SSRC, NTPTimestamp: rtp.NewNTPTime(now), RTPTimestamp: timestamp,
		PacketCount: e.report.packets, OctetCount: e.report.octets}
}

// receptionReport reports on a stream.
func (st *Stream) receptionReport(now time.Time) rtcp.ReceptionReport {
	r := &st.reception
	report := rtcp.ReceptionReport{
		SSRC:            st.SSRC,
		FractionLost:    r.fractionLost(),
		CumulativeLost:  int32(min(max(r.lostBefore+r.lost(), -1<<23), 1<<23-1)),
		HighestSequence: uint32(r.highest - firstCycle),
		Jitter:          uint32(r.jitter >> 4),
	}
	if !st.report.at.IsZero() {
		report.LastSR = st.report.NTPTimestamp.Middle()
		report.DelaySinceSR = units(now.Sub(st.report.at))
	}
	return report
}

// units converts to 1/65,536 s.
func units(d time.Duration) uint32 {
	return uint32(min(uint64(max(d, 0))<<16/uint64(time.Second), 1<<32-1))
}

// appendExtended appends an XR: of a receiver the time, for a round trip that it cannot measure
// otherwise, and answers to those of the peer's (RFC 3611, Sections 4.4 and 4.5).
func (s *Session) appendExtended(now time.Time, b []byte, limit int, ask bool) []byte {
	heard := &s.reports.heard
	answer := heard.due
	if !ask && !answer || len(b)+rrtSize+dlrrSize > limit {
		return b
	}
	x := rtcp.NewXRBuilder(b, s.primary())
	if ask {
		x.AddReferenceTime(rtp.NewNTPTime(now))
	}
	if answer {
		heard.due = false
		x.AddDelays(rtcp.DelaySinceRR{SSRC: heard.ssrc, LastRR: heard.middle, Delay: units(now.Sub(heard.at))})
	}
	return x.Bytes()
}

// appendFeedback appends what is to leave at once: NACK, PLI, FIR, what congestion control wants.
func (s *Session) appendFeedback(now time.Time, b []byte, limit int) []byte {
	const header, entry = 12, 4
	left := false
	for _, c := range s.sections {
		for _, st := range c.streams {
			if st.keyframe.due {
				if limit-len(b) < header+8 {
					left = true
					continue
				}
				b = s.appendKeyframeRequest(now, b, st)
			}
			if len(st.nack.missing) == 0 {
				continue
			}
			most := (limit - len(b) - header) / entry // each in an entry of its own at worst
			if most < 1 {
				left = true
				continue
			}
			if lost := s.takeNACK(now, st, most); len(lost) > 0 {
				b = rtcp.AppendNACK(b, s.primary(), st.SSRC, lost)
				left = left || len(lost) == most
			}
		}
	}
	b, more := s.appendArrivals(now, b, limit)
	b, later := s.appendREMB(b, limit)
	s.reports.feedback = left || more || later
	return b
}
