package rtcp

import (
	"fmt"
	"strings"
)

// String describes the datagram in one line, for traces.
func (c Compound) String() string {
	var s []string
	for p := range c.Packets() {
		s = append(s, p.String())
	}
	return strings.Join(s, "; ")
}

// String describes the packet in one line, in the words of its RFC.
func (p Packet) String() string {
	var s strings.Builder
	k := p.Kind()
	s.WriteString(k.String())
	add := func(format string, args ...any) { fmt.Fprintf(&s, " "+format, args...) }
	if k != SDES && k != BYE {
		add("ssrc=%08x", p.SSRC())
	}
	switch k {
	case SR, RR:
		if sr, ok := p.SenderReport(); ok {
			add("ntp=%08x.%08x rtp=%d packets=%d octets=%d", uint32(sr.NTPTimestamp>>32), uint32(sr.NTPTimestamp), sr.RTPTimestamp, sr.PacketCount, sr.OctetCount)
		}
		for r := range p.Reports() {
			add("[ssrc=%08x fraction=%d lost=%d highest=%d jitter=%d lsr=%08x dlsr=%d]", r.SSRC, r.FractionLost, r.CumulativeLost, r.HighestSequence, r.Jitter, r.LastSR, r.DelaySinceSR)
		}
	case SDES:
		for item := range p.Items() {
			add("%08x %d=%q", item.SSRC, item.Type, item.Text)
		}
	case BYE:
		for ssrc := range p.Leaving() {
			add("%08x", ssrc)
		}
		if reason := p.LeavingReason(); reason != nil {
			add("%q", reason)
		}
	case APP:
		if a, ok := p.Application(); ok {
			add("%q subtype=%d data[%d]", a.Name[:], a.Subtype, len(a.Data))
		}
	case NACK:
		add("media=%08x lost=", p.MediaSSRC())
		between := ""
		for seq := range p.Lost() {
			fmt.Fprintf(&s, "%s%d", between, seq)
			between = ","
		}
	case PLI:
		add("media=%08x", p.MediaSSRC())
	case FIR:
		for f := range p.FullIntraRequests() {
			add("[media=%08x seq=%d]", f.SSRC, f.Sequence)
		}
	case REMB:
		if bitrate, ok := p.Estimate(); ok {
			add("bitrate=%d", bitrate)
		}
		for ssrc := range p.EstimateSources() {
			add("media=%08x", ssrc)
		}
	case TMMBR, TMMBN:
		for l := range p.BitrateLimits() {
			add("[media=%08x bitrate=%d overhead=%d]", l.SSRC, l.Bitrate, l.Overhead)
		}
	case TWCC:
		f, ok := p.TransportFeedback()
		if !ok {
			add("malformed")
			break
		}
		add("media=%08x base=%d count=%d reference=%d feedback=%d", f.Media, f.Base, f.Count, f.Reference, f.Feedback)
		for a := range p.Arrivals() {
			if a.HasTime {
				add("%d=%v", a.Sequence, a.Time)
			} else if a.Received {
				add("%d", a.Sequence)
			}
		}
	case CCFB:
		stamp, ok := p.ReportTimestamp()
		if !ok {
			add("malformed")
			break
		}
		add("timestamp=%08x", stamp)
		for r := range p.PacketReports() {
			if r.Received {
				add("%08x/%d=-%d/1024s", r.SSRC, r.Sequence, r.Offset)
				if r.ECN != 0 {
					add("ecn=%d", r.ECN)
				}
			} else {
				add("%08x/%d lost", r.SSRC, r.Sequence)
			}
		}
	case XR:
		for x := range p.Blocks() {
			if t, ok := x.ReferenceTime(); ok {
				add("RRT=%08x.%08x", uint32(t>>32), uint32(t))
				continue
			}
			add("block %d[%d]", x.Type, len(x.Contents))
			for d := range x.DelaysSinceRR() {
				add("[ssrc=%08x lrr=%08x dlrr=%d]", d.SSRC, d.LastRR, d.Delay)
			}
		}
	}
	return s.String()
}
