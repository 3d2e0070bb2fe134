package rtcp

import (
	"encoding/binary"
	"iter"

	"github.com/plainrtc/plainrtc/internal/wire"
	"github.com/plainrtc/plainrtc/rtp"
)

// A SenderReport is the sender's half of a sender report; the reception reports
// that follow it are read by [Packet.Reports].
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         SSRC of sender                        |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|              NTP timestamp, most significant word             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|             NTP timestamp, least significant word             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         RTP timestamp                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                     sender's packet count                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      sender's octet count                     |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//
// RFC 3550, Section 6.4.1.
type SenderReport struct {
	SSRC         uint32
	NTPTimestamp rtp.NTPTime
	RTPTimestamp uint32 // of the same instant
	PacketCount  uint32
	OctetCount   uint32 // of payload
}

// A ReceptionReport tells how one source is received.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                             SSRC_n                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| fraction lost |       cumulative number of packets lost       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           extended highest sequence number received           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      interarrival jitter                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         last SR (LSR)                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   delay since last SR (DLSR)                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type ReceptionReport struct {
	SSRC            uint32
	FractionLost    uint8  // of 256, since the last report
	CumulativeLost  int32  // 24 bits, signed: duplicates may make it negative
	HighestSequence uint32 // extended by the count of cycles
	Jitter          uint32 // in units of the RTP clock
	LastSR          uint32 // the middle of the last sender report's NTP timestamp; 0 when there was none
	DelaySinceSR    uint32 // in units of 1/65,536 s
}

const maxReports = 31

// SenderReport reads the packet's first half.
func (p Packet) SenderReport() (s SenderReport, ok bool) {
	r := p.body(SR)
	s = SenderReport{r.Uint32(), rtp.NTPTime(r.Uint64()), r.Uint32(), r.Uint32(), r.Uint32()}
	if r.Skip(24 * int(p.Count())); !r.OK() { // what follows them are extensions of a profile
		return SenderReport{}, false
	}
	return s, true
}

// ReceiverReport returns who reports.
func (p Packet) ReceiverReport() (ssrc uint32, ok bool) {
	r := p.body(RR)
	ssrc = r.Uint32()
	if r.Skip(24 * int(p.Count())); !r.OK() {
		return 0, false
	}
	return ssrc, true
}

// Reports yields the reception reports of a sender or receiver report.
func (p Packet) Reports() iter.Seq[ReceptionReport] {
	return func(yield func(ReceptionReport) bool) {
		r := wire.NewReader(p.Body())
		switch p.Kind() {
		case SR:
			r.Skip(24)
		case RR:
			r.Skip(4)
		default:
			return
		}
		for range p.Count() {
			report := ReceptionReport{SSRC: r.Uint32(), FractionLost: r.Uint8(), CumulativeLost: int32(r.Uint24()<<8) >> 8,
				HighestSequence: r.Uint32(), Jitter: r.Uint32(), LastSR: r.Uint32(), DelaySinceSR: r.Uint32()}
			if !r.OK() || !yield(report) {
				return
			}
		}
	}
}

// Append appends a sender report with at most 31 reception reports.
func (s SenderReport) Append(b []byte, reports ...ReceptionReport) []byte {
	b, start := begin(b, SR, len(reports))
	b = binary.BigEndian.AppendUint32(b, s.SSRC)
	b = binary.BigEndian.AppendUint64(b, uint64(s.NTPTimestamp))
	b = binary.BigEndian.AppendUint32(b, s.RTPTimestamp)
	b = binary.BigEndian.AppendUint32(b, s.PacketCount)
	b = binary.BigEndian.AppendUint32(b, s.OctetCount)
	return end(appendReports(b, reports), start)
}

// AppendReceiverReport appends a receiver report with at most 31 reception reports.
func AppendReceiverReport(b []byte, ssrc uint32, reports ...ReceptionReport) []byte {
	b, start := begin(b, RR, len(reports))
	b = binary.BigEndian.AppendUint32(b, ssrc)
	return end(appendReports(b, reports), start)
}

func appendReports(b []byte, reports []ReceptionReport) []byte {
	for _, r := range reports {
		b = binary.BigEndian.AppendUint32(b, r.SSRC)
		b = append(b, r.FractionLost)
		// Beyond 24 bits the number stays where it is: Appendix A.3.
		b = wire.AppendUint24(b, uint32(min(max(r.CumulativeLost, -1<<23), 1<<23-1)))
		b = binary.BigEndian.AppendUint32(b, r.HighestSequence)
		b = binary.BigEndian.AppendUint32(b, r.Jitter)
		b = binary.BigEndian.AppendUint32(b, r.LastSR)
		b = binary.BigEndian.AppendUint32(b, r.DelaySinceSR)
	}
	return b
}
