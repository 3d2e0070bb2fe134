package rtcp

import (
	"encoding/binary"
	"iter"

	"github.com/plainrtc/plainrtc/internal/wire"
	"github.com/plainrtc/plainrtc/rtp"
)

// A BlockType is what an extended report's block tells of. RFC 3611, Section 4.
type BlockType uint8

// The types of blocks.
const (
	LossRLE               BlockType = 1 // Section 4.1
	DuplicateRLE          BlockType = 2 // Section 4.2
	PacketReceiptTimes    BlockType = 3 // Section 4.3
	ReceiverReferenceTime BlockType = 4 // Section 4.4
	DLRR                  BlockType = 5 // Section 4.5
	StatisticsSummary     BlockType = 6 // Section 4.6
	VoIPMetrics           BlockType = 7 // Section 4.7
)

// A Block is one block of an extended report: a view of borrowed bytes.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      BT       | type-specific |         block length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	:             type-specific block contents                      :
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 3611, Section 3.
type Block struct {
	Type     BlockType
	Specific uint8
	Contents []byte
}

// Blocks yields the blocks of an extended report.
func (p Packet) Blocks() iter.Seq[Block] {
	return func(yield func(Block) bool) {
		r := p.body(XR)
		r.Uint32()
		for r.Len() > 0 {
			x := Block{Type: BlockType(r.Uint8()), Specific: r.Uint8()}
			x.Contents = r.Bytes(4 * int(r.Uint16()))
			if !r.OK() || !yield(x) {
				return
			}
		}
	}
}

func (x Block) contents(types ...BlockType) wire.Reader {
	r := wire.NewReader(x.Contents)
	for _, t := range types {
		if x.Type == t {
			return r
		}
	}
	r.Fail()
	return r
}

// ReferenceTime reads a Receiver Reference Time block: when a receiver that sends
// no media sent this report. RFC 3611, Section 4.4.
func (x Block) ReferenceTime() (t rtp.NTPTime, ok bool) {
	r := x.contents(ReceiverReferenceTime)
	t = rtp.NTPTime(r.Uint64())
	return t, r.Done()
}

// A DelaySinceRR answers a Receiver Reference Time, for a round-trip time.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                 SSRC_1 (SSRC of first receiver)               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         last RR (LRR)                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   delay since last RR (DLRR)                  |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//
// RFC 3611, Section 4.5.
type DelaySinceRR struct {
	SSRC   uint32
	LastRR uint32 // the middle of the last Receiver Reference Time; 0 when there was none
	Delay  uint32 // in units of 1/65,536 s
}

// DelaysSinceRR yields the entries of a DLRR block.
func (x Block) DelaysSinceRR() iter.Seq[DelaySinceRR] {
	return func(yield func(DelaySinceRR) bool) {
		r := x.contents(DLRR)
		for r.Len() > 0 {
			if d := (DelaySinceRR{r.Uint32(), r.Uint32(), r.Uint32()}); !r.OK() || !yield(d) {
				return
			}
		}
	}
}

// A Range is what a block about single packets covers: sequence numbers from
// Begin up to, and without, End.
type Range struct {
	SSRC       uint32
	Begin, End uint16
	Thinning   uint8 // only every 2^Thinning-th packet is told of
}

// Range reads what a run-length or receipt time block covers.
func (x Block) Range() (g Range, ok bool) {
	r := x.contents(LossRLE, DuplicateRLE, PacketReceiptTimes)
	g = Range{SSRC: r.Uint32(), Begin: r.Uint16(), End: r.Uint16(), Thinning: x.Specific & 0x0f}
	return g, r.OK()
}

// Runs yields what a run-length block tells of each sequence number that it
// covers: of a Loss RLE, whether the packet arrived; of a Duplicate RLE, whether
// it arrived once only. RFC 3611, Sections 4.1 and 4.2.
func (x Block) Runs() iter.Seq2[uint16, bool] {
	return func(yield func(uint16, bool) bool) {
		g, ok := x.Range()
		r := x.contents(LossRLE, DuplicateRLE)
		r.Skip(8)
		if !ok {
			return
		}
		step := 1 << g.Thinning
		at := (int(g.Begin) + step - 1) &^ (step - 1)
		last := int(g.Begin) + int(g.End-g.Begin)
		for at < last {
			chunk := r.Uint16()
			if !r.OK() || chunk == 0 { // "terminating null"
				return
			}
			n, bits := 15, uint32(chunk)<<17 // bit vector chunk: |C| 15 bits |
			if chunk&0x8000 == 0 {           // run length chunk: |C|R| run length |
				n, bits = int(chunk&0x3fff), 0
				if chunk&0x4000 != 0 {
					bits = 1 << 31
				}
			}
			for range n {
				if at >= last {
					return
				}
				if !yield(uint16(at), bits>>31 != 0) {
					return
				}
				if chunk&0x8000 != 0 {
					bits <<= 1
				}
				at += step
			}
		}
	}
}

// ReceiptTimes yields the RTP time at which each packet of a Packet Receipt Times
// block arrived. RFC 3611, Section 4.3.
func (x Block) ReceiptTimes() iter.Seq2[uint16, uint32] {
	return func(yield func(uint16, uint32) bool) {
		g, ok := x.Range()
		r := x.contents(PacketReceiptTimes)
		r.Skip(8)
		if !ok {
			return
		}
		step := 1 << g.Thinning
		at := (int(g.Begin) + step - 1) &^ (step - 1)
		for last := int(g.Begin) + int(g.End-g.Begin); at < last && r.Len() > 0; at += step {
			if t := r.Uint32(); !r.OK() || !yield(uint16(at), t) {
				return
			}
		}
	}
}

// Statistics is a Statistics Summary block. RFC 3611, Section 4.6.
type Statistics struct {
	SSRC       uint32
	Begin, End uint16

	HasLost                                     bool // L
	Lost                                        uint32
	HasDuplicates                               bool // D
	Duplicates                                  uint32
	HasJitter                                   bool // J
	MinJitter, MaxJitter, MeanJitter, DevJitter uint32

	TTL                             uint8 // ToH: 1 when the numbers below are of IPv4's TTL, 2 of IPv6's hop limit
	MinTTL, MaxTTL, MeanTTL, DevTTL uint8
}

// Statistics reads a Statistics Summary block.
func (x Block) Statistics() (s Statistics, ok bool) {
	r := x.contents(StatisticsSummary)
	s.HasLost, s.HasDuplicates, s.HasJitter = x.Specific&0x80 != 0, x.Specific&0x40 != 0, x.Specific&0x20 != 0
	s.TTL = x.Specific >> 3 & 3
	s.SSRC, s.Begin, s.End = r.Uint32(), r.Uint16(), r.Uint16()
	s.Lost, s.Duplicates = r.Uint32(), r.Uint32()
	s.MinJitter, s.MaxJitter, s.MeanJitter, s.DevJitter = r.Uint32(), r.Uint32(), r.Uint32(), r.Uint32()
	s.MinTTL, s.MaxTTL, s.MeanTTL, s.DevTTL = r.Uint8(), r.Uint8(), r.Uint8(), r.Uint8()
	if !r.Done() {
		return Statistics{}, false
	}
	return s, true
}

// A VoIPReport is a VoIP Metrics block. RFC 3611, Section 4.7.
type VoIPReport struct {
	SSRC                            uint32
	LossRate, DiscardRate           uint8  // of 256
	BurstDensity, GapDensity        uint8  // of 256
	BurstDuration, GapDuration      uint16 // ms
	RoundTripDelay, EndSystemDelay  uint16 // ms
	SignalLevel, NoiseLevel         int8   // dBm; 127 is unavailable
	RERL, Gmin, RFactor, ExtRFactor uint8
	MOSLQ, MOSCQ                    uint8 // ten times a score of 1 to 5; 127 is unavailable
	RXConfig                        uint8
	JBNominal, JBMaximum, JBAbsMax  uint16 // ms
}

// VoIPReport reads a VoIP Metrics block.
func (x Block) VoIPReport() (v VoIPReport, ok bool) {
	r := x.contents(VoIPMetrics)
	v.SSRC = r.Uint32()
	v.LossRate, v.DiscardRate, v.BurstDensity, v.GapDensity = r.Uint8(), r.Uint8(), r.Uint8(), r.Uint8()
	v.BurstDuration, v.GapDuration, v.RoundTripDelay, v.EndSystemDelay = r.Uint16(), r.Uint16(), r.Uint16(), r.Uint16()
	v.SignalLevel, v.NoiseLevel = int8(r.Uint8()), int8(r.Uint8())
	v.RERL, v.Gmin, v.RFactor, v.ExtRFactor, v.MOSLQ, v.MOSCQ, v.RXConfig = r.Uint8(), r.Uint8(), r.Uint8(), r.Uint8(), r.Uint8(), r.Uint8(), r.Uint8()
	r.Uint8() // reserved
	v.JBNominal, v.JBMaximum, v.JBAbsMax = r.Uint16(), r.Uint16(), r.Uint16()
	if !r.Done() {
		return VoIPReport{}, false
	}
	return v, true
}

// An XRBuilder appends an extended report, block by block. After each call the
// packet is whole.
type XRBuilder struct {
	b     []byte
	start int
}

// NewXRBuilder appends the header of an extended report.
func NewXRBuilder(b []byte, sender uint32) XRBuilder {
	b, start := begin(b, XR, 0)
	return XRBuilder{end(binary.BigEndian.AppendUint32(b, sender), start), start}
}

// Bytes returns the buffer with the packet.
func (x *XRBuilder) Bytes() []byte { return x.b }

// Add appends a block of any type, whose contents are a number of words.
func (x *XRBuilder) Add(t BlockType, specific uint8, contents []byte) {
	x.b = append(x.b, byte(t), specific, 0, 0)
	at := len(x.b)
	x.b = append(x.b, contents...)
	x.finish(at)
}

// finish fills in the lengths of a block whose contents start at, and of the packet.
func (x *XRBuilder) finish(at int) {
	x.b = end(x.b, x.start)
	wire.PutUint16At(x.b, at-2, (len(x.b)-at)/4)
}

// AddReferenceTime appends a Receiver Reference Time block.
func (x *XRBuilder) AddReferenceTime(t rtp.NTPTime) {
	x.b = append(x.b, byte(ReceiverReferenceTime), 0, 0, 0)
	at := len(x.b)
	x.b = binary.BigEndian.AppendUint64(x.b, uint64(t))
	x.finish(at)
}

// AddDelays appends a DLRR block.
func (x *XRBuilder) AddDelays(delays ...DelaySinceRR) {
	x.b = append(x.b, byte(DLRR), 0, 0, 0)
	at := len(x.b)
	for _, d := range delays {
		x.b = binary.BigEndian.AppendUint32(x.b, d.SSRC)
		x.b = binary.BigEndian.AppendUint32(x.b, d.LastRR)
		x.b = binary.BigEndian.AppendUint32(x.b, d.Delay)
	}
	x.finish(at)
}

// AddRuns appends a Loss or Duplicate RLE block about the packets from begin on,
// without thinning, of which there are fewer than 65,536.
func (x *XRBuilder) AddRuns(t BlockType, ssrc uint32, begin uint16, packets []bool) {
	x.b = append(x.b, byte(t), 0, 0, 0)
	at := len(x.b)
	x.b = binary.BigEndian.AppendUint32(x.b, ssrc)
	x.b = binary.BigEndian.AppendUint16(x.b, begin)
	x.b = binary.BigEndian.AppendUint16(x.b, begin+uint16(len(packets)))
	for len(packets) > 0 {
		run := 1
		for run < len(packets) && run < 0x3fff && packets[run] == packets[0] {
			run++
		}
		var chunk uint16
		if run >= 15 || run == len(packets) {
			chunk = uint16(run)
			if packets[0] {
				chunk |= 0x4000
			}
		} else {
			run, chunk = min(15, len(packets)), 0x8000
			for i, p := range packets[:run] {
				if p {
					chunk |= 0x4000 >> i
				}
			}
		}
		x.b = binary.BigEndian.AppendUint16(x.b, chunk)
		packets = packets[run:]
	}
	x.b = pad(x.b, x.start)
	x.finish(at)
}

// AddStatistics appends a Statistics Summary block.
func (x *XRBuilder) AddStatistics(s Statistics) {
	specific := s.TTL & 3 << 3
	for i, flag := range [...]bool{s.HasLost, s.HasDuplicates, s.HasJitter} {
		if flag {
			specific |= 0x80 >> i
		}
	}
	x.b = append(x.b, byte(StatisticsSummary), specific, 0, 0)
	at := len(x.b)
	x.b = binary.BigEndian.AppendUint32(x.b, s.SSRC)
	x.b = binary.BigEndian.AppendUint16(x.b, s.Begin)
	x.b = binary.BigEndian.AppendUint16(x.b, s.End)
	for _, v := range [...]uint32{s.Lost, s.Duplicates, s.MinJitter, s.MaxJitter, s.MeanJitter, s.DevJitter} {
		x.b = binary.BigEndian.AppendUint32(x.b, v)
	}
	x.b = append(x.b, s.MinTTL, s.MaxTTL, s.MeanTTL, s.DevTTL)
	x.finish(at)
}

// AddVoIPReport appends a VoIP Metrics block.
func (x *XRBuilder) AddVoIPReport(v VoIPReport) {
	x.b = append(x.b, byte(VoIPMetrics), 0, 0, 0)
	at := len(x.b)
	x.b = binary.BigEndian.AppendUint32(x.b, v.SSRC)
	x.b = append(x.b, v.LossRate, v.DiscardRate, v.BurstDensity, v.GapDensity)
	for _, d := range [...]uint16{v.BurstDuration, v.GapDuration, v.RoundTripDelay, v.EndSystemDelay} {
		x.b = binary.BigEndian.AppendUint16(x.b, d)
	}
	x.b = append(x.b, byte(v.SignalLevel), byte(v.NoiseLevel), v.RERL, v.Gmin, v.RFactor, v.ExtRFactor, v.MOSLQ, v.MOSCQ, v.RXConfig, 0)
	for _, d := range [...]uint16{v.JBNominal, v.JBMaximum, v.JBAbsMax} {
		x.b = binary.BigEndian.AppendUint16(x.b, d)
	}
	x.finish(at)
}
