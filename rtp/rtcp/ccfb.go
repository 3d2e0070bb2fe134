package rtcp

import (
	"encoding/binary"
	"iter"
	"time"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// Congestion control feedback tells, per stream, which packets arrived, when, and
// with what congestion mark.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P| FMT=11  |   PT = 205    |          length               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                 SSRC of RTCP packet sender                    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   SSRC of 1st RTP Stream                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          begin_seq            |          num_reports          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|R|ECN|  Arrival time offset    | ...                           .
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	.                                                               .
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                 Report Timestamp (32 bits)                    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 8888, Section 3.1.

// A PacketReport is what congestion control feedback tells of one packet.
type PacketReport struct {
	SSRC     uint32
	Sequence uint16
	Received bool
	ECN      uint8  // the two bits of the IP header, as received
	Offset   uint16 // how long before the report's timestamp, in 1/1,024 s; 13 bits
}

// Offsets that are no times.
const (
	OffsetTooLong = 0x1ffe // arrived more than 8,189/1,024 s before
	OffsetUnknown = 0x1fff // after the report's timestamp, or not known
)

// Before returns how long before the report's timestamp the packet arrived.
func (r PacketReport) Before() (d time.Duration, ok bool) {
	if !r.Received || r.Offset >= OffsetTooLong {
		return 0, false
	}
	return time.Duration(r.Offset) * time.Second / 1024, true
}

// ReportTimestamp returns when the feedback was made, as the middle of an NTP
// timestamp: the unit is 1/65,536 s. ok is false when the packet is malformed.
func (p Packet) ReportTimestamp() (t uint32, ok bool) {
	r, stamp, ok := p.ccfb()
	for ok && r.Len() > 0 {
		r.Skip(6)
		r.Skip(blockSize(int(r.Uint16())))
		ok = r.OK()
	}
	return stamp, ok
}

// ccfb returns a cursor over the blocks, and the timestamp behind them.
func (p Packet) ccfb() (blocks wire.Reader, stamp uint32, ok bool) {
	r := p.body(CCFB)
	r.Uint32()
	if r.Len() < 4 {
		return wire.Reader{}, 0, false
	}
	blocks = r.Sub(r.Len() - 4)
	return blocks, r.Uint32(), true
}

// blockSize is the size of n reports, padded to a word.
func blockSize(n int) int { return (2*n + 3) &^ 3 }

// PacketReports yields what congestion control feedback tells of each packet, stream
// by stream.
func (p Packet) PacketReports() iter.Seq[PacketReport] {
	return func(yield func(PacketReport) bool) {
		r, _, _ := p.ccfb()
		for r.Len() > 0 {
			ssrc, sequence, n := r.Uint32(), r.Uint16(), int(r.Uint16())
			block := r.Sub(blockSize(n))
			if !block.OK() {
				return
			}
			for i := range n {
				v := block.Uint16()
				report := PacketReport{SSRC: ssrc, Sequence: sequence + uint16(i)}
				if v&0x8000 != 0 { // else the rest of the word means nothing
					report.Received, report.ECN, report.Offset = true, uint8(v>>13&3), v&0x1fff
				}
				if !yield(report) {
					return
				}
			}
		}
	}
}

// AppendCCFB appends congestion control feedback made at timestamp. Reports of one
// stream that follow each other in SSRC and sequence number share a block.
func AppendCCFB(b []byte, sender, timestamp uint32, reports []PacketReport) []byte {
	b, start := begin(b, CCFB, 0)
	b = binary.BigEndian.AppendUint32(b, sender)
	count := 0 // where the block's num_reports is
	for i, r := range reports {
		if i == 0 || r.SSRC != reports[i-1].SSRC || r.Sequence != reports[i-1].Sequence+1 {
			b = pad(b, start)
			b = binary.BigEndian.AppendUint32(b, r.SSRC)
			b = binary.BigEndian.AppendUint16(b, r.Sequence)
			count = len(b)
			b = append(b, 0, 0)
		}
		var v uint16
		if r.Received {
			v = 0x8000 | uint16(r.ECN&3)<<13 | min(r.Offset, OffsetUnknown)
		}
		b = binary.BigEndian.AppendUint16(b, v)
		binary.BigEndian.PutUint16(b[count:], binary.BigEndian.Uint16(b[count:])+1)
	}
	b = binary.BigEndian.AppendUint32(pad(b, start), timestamp)
	return end(b, start)
}
