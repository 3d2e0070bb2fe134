package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// ReceiveRTCP takes an RTCP packet that arrived, which is borrowed for the call.
func (s *Session) ReceiveRTCP(now time.Time, packet []byte) {
	c, err := rtcp.Parse(packet)
	if err != nil {
		s.drop(now, err.Error(), len(packet))
		return
	}
	for p := range c.Packets() {
		ok := true
		switch p.Kind() {
		case rtcp.SR:
			ok = s.receiveSR(now, p)
		case rtcp.RR:
			if _, ok = p.ReceiverReport(); ok {
				s.receiveReports(now, p)
			}
		case rtcp.BYE:
			s.receiveBYE(now, p)
		case rtcp.SDES:
			for item := range p.Items() {
				if r := s.demux.routes[item.SSRC]; r != nil && item.Type == rtcp.CNAME && r.stream.CNAME != string(item.Text) {
					r.stream.CNAME = string(item.Text)
				}
			}
		case rtcp.XR:
			s.receiveXR(now, p)
		case rtcp.NACK:
			if e := s.encoding(p.MediaSSRC()); e != nil && e.SSRC == p.MediaSSRC() {
				s.receiveNACK(now, e, p)
			}
		case rtcp.PLI:
			if e := s.encoding(p.MediaSSRC()); e != nil {
				e.requested.plis++
				s.keyframeNeeded(now, e)
			}
		case rtcp.FIR:
			for f := range p.FullIntraRequests() {
				if e := s.encoding(f.SSRC); e != nil {
					s.receiveFIR(now, e, f.Sequence)
				}
			}
		case rtcp.TWCC:
			ok = s.receiveTWCC(now, p)
		case rtcp.CCFB:
			ok = s.receiveCCFB(now, p)
		case rtcp.REMB:
			s.receiveREMB(now, p)
		}
		if !ok {
			s.drop(now, dropMalformed, len(p.Bytes()))
		}
	}
}

// receiveSR takes a sender report: what the time is there, and how we are received.
func (s *Session) receiveSR(now time.Time, p rtcp.Packet) bool {
	sr, ok := p.SenderReport()
	if !ok {
		return false
	}
	if r := s.demux.routes[sr.SSRC]; r != nil && r.kind == ownPackets {
		st := r.stream
		st.report.SenderReport, st.report.at, st.report.base = sr, now, sr.NTPTimestamp.Time()
		s.clock.report(now, sr)
		st.report.count++
		if st.frames != nil {
			st.frames.SenderReport(now, sr.NTPTimestamp, sr.RTPTimestamp)
		}
	}
	s.receiveReports(now, p)
	return true
}

// receiveReports takes the peer's reports on our sources.
func (s *Session) receiveReports(now time.Time, p rtcp.Packet) {
	for r := range p.Reports() {
		e := s.encoding(r.SSRC)
		if e == nil {
			continue
		}
		if r.SSRC == e.RTX {
			e.rtxHeard = e.stats.repairs > 0
			continue
		}
		if r.SSRC == e.FEC {
			continue
		}
		// A report on what was never sent says nothing, whoever made it up.
		if e.report.packets == 0 {
			continue
		}
		e.heard = true
		v := &e.stats.remote
		v.Received, v.PacketsLost, v.FractionLost, v.HighestSequence = now, r.CumulativeLost, float64(r.FractionLost)/256, r.HighestSequence
		v.ReportsReceived++
		e.protection.reported(v.FractionLost)
		if e.codec != nil {
			v.Jitter = duration(r.Jitter, e.codec.ClockRate)
		}
		if d, ok := roundTrip(now, r.LastSR, r.DelaySinceSR); ok {
			s.sampleRTT(d)
			v.RoundTrips.add(d)
		}
		s.congestion.Report(now, v.FractionLost, s.rtt.value())
	}
}

// receiveBYE ends the streams that the peer takes leave for.
func (s *Session) receiveBYE(now time.Time, p rtcp.Packet) {
	for ssrc := range p.Leaving() {
		if r := s.demux.routes[ssrc]; r != nil && r.kind == ownPackets {
			s.endStream(now, r.stream, Bye)
		}
	}
}

// receiveXR takes an extended report: what the time is at a receiver, and its answer to ours.
func (s *Session) receiveXR(now time.Time, p rtcp.Packet) {
	for x := range p.Blocks() {
		if t, ok := x.ReferenceTime(); ok {
			s.reports.heard = referenceTime{ssrc: p.SSRC(), middle: t.Middle(), at: now, due: true}
		}
		for d := range x.DelaysSinceRR() {
			if d.SSRC != s.primary() && d.SSRC != s.local {
				continue
			}
			if rtt, ok := roundTrip(now, d.LastRR, d.Delay); ok {
				s.sampleRTT(rtt)
				s.reports.rtt.add(rtt)
			}
		}
	}
}
