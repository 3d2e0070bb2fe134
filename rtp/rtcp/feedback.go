package rtcp

import (
	"encoding/binary"
	"iter"
	"math/bits"
)

// Lost yields the sequence numbers that a NACK says are lost.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            PID                |             BLP               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 4585, Section 6.2.1.
func (p Packet) Lost() iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		r := p.fci(NACK)
		for r.Len() > 0 {
			pid, blp := r.Uint16(), r.Uint16()
			if !r.OK() || !yield(pid) {
				return
			}
			for ; blp != 0; blp &= blp - 1 {
				if !yield(pid + 1 + uint16(bits.TrailingZeros16(blp))) {
					return
				}
			}
		}
	}
}

// AppendNACK appends a request for lost packets, whose sequence numbers are in
// their order, wrapping.
func AppendNACK(b []byte, sender, media uint32, lost []uint16) []byte {
	b, start := beginFeedback(b, NACK, sender, media)
	for i := 0; i < len(lost); {
		pid, blp := lost[i], uint16(0)
		for i++; i < len(lost) && lost[i]-pid-1 < 16; i++ {
			blp |= 1 << (lost[i] - pid - 1)
		}
		b = binary.BigEndian.AppendUint16(b, pid)
		b = binary.BigEndian.AppendUint16(b, blp)
	}
	return end(b, start)
}

// AppendPLI appends a picture loss indication: the sender of media is to make a
// key frame. RFC 4585, Section 6.3.1.
func AppendPLI(b []byte, sender, media uint32) []byte {
	b, start := beginFeedback(b, PLI, sender, media)
	return end(b, start)
}

// A FullIntraRequest asks one source for a key frame.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                              SSRC                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Seq nr.       |    Reserved                                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 5104, Section 4.3.1.1.
type FullIntraRequest struct {
	SSRC     uint32
	Sequence uint8 // the same in repetitions of a request
}

// FullIntraRequests yields the requests of a FIR.
func (p Packet) FullIntraRequests() iter.Seq[FullIntraRequest] {
	return func(yield func(FullIntraRequest) bool) {
		r := p.fci(FIR)
		for r.Len() > 0 {
			f := FullIntraRequest{r.Uint32(), r.Uint8()}
			if r.Skip(3); !r.OK() || !yield(f) {
				return
			}
		}
	}
}

// AppendFIR appends requests for key frames. In their header "the 'SSRC of media
// source' is not used and SHALL be set to 0". RFC 5104, Section 4.3.1.2.
func AppendFIR(b []byte, sender uint32, requests ...FullIntraRequest) []byte {
	b, start := beginFeedback(b, FIR, sender, 0)
	for _, f := range requests {
		b = binary.BigEndian.AppendUint32(b, f.SSRC)
		b = append(b, f.Sequence, 0, 0, 0)
	}
	return end(b, start)
}

// Estimate reads a REMB: a receiver's estimated maximum bit rate, in bits a
// second, over all of the sources it names.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Unique identifier 'R' 'E' 'M' 'B'                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Num SSRC     | BR Exp    |  BR Mantissa                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   SSRC feedback                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  ...                                                          |
//
// draft-alvestrand-rmcat-remb-03, Section 2.2.
func (p Packet) Estimate() (bitrate uint64, ok bool) {
	r := p.fci(REMB)
	r.Skip(4)
	n := int(r.Uint8())
	v := r.Uint24()
	r.Skip(4 * n)
	if !r.OK() {
		return 0, false
	}
	return expand(uint64(v&0x3ffff), v>>18)
}

// expand returns mantissa * 2^exp, and false when that takes more than 64 bits.
func expand(mantissa uint64, exp uint32) (uint64, bool) {
	v := mantissa << exp
	return v, v>>exp == mantissa
}

// shorten finds the smallest exponent with which v fits the bits of a mantissa.
func shorten(v uint64, mantissaBits int) (mantissa uint64, exp uint32) {
	exp = uint32(max(bits.Len64(v)-mantissaBits, 0))
	return v >> exp, exp
}

// EstimateSources yields the sources that a REMB is about.
func (p Packet) EstimateSources() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		r := p.fci(REMB)
		r.Skip(4)
		n := int(r.Uint8())
		r.Skip(3)
		for range n {
			if ssrc := r.Uint32(); !r.OK() || !yield(ssrc) {
				return
			}
		}
	}
}

// AppendREMB appends an estimate in bits a second, rounded down to 18 significant
// bits, about at most 255 sources.
func AppendREMB(b []byte, sender uint32, bitrate uint64, sources ...uint32) []byte {
	if len(sources) > 255 {
		panic("BUG: a REMB names at most 255 sources")
	}
	b, start := beginFeedback(b, AFB, sender, 0)
	mantissa, exp := shorten(bitrate, 18)
	b = append(b, "REMB"...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(sources))<<24|exp<<18|uint32(mantissa))
	for _, ssrc := range sources {
		b = binary.BigEndian.AppendUint32(b, ssrc)
	}
	return end(b, start)
}

// A BitrateLimit is an entry of a TMMBR (a request to keep below a bit rate) or
// of a TMMBN (what is being kept to).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                              SSRC                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| MxTBR Exp |  MxTBR Mantissa                 |Measured Overhead|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 5104, Section 4.2.1.1.
type BitrateLimit struct {
	SSRC     uint32
	Bitrate  uint64 // bits a second; written rounded down to 17 significant bits
	Overhead uint16 // bytes a packet that the bit rate covers beyond the payload; 9 bits
}

// BitrateLimits yields the entries of a TMMBR or TMMBN. An entry whose bit rate
// takes more than 64 bits limits nothing, and is passed over.
func (p Packet) BitrateLimits() iter.Seq[BitrateLimit] {
	return func(yield func(BitrateLimit) bool) {
		k := p.Kind()
		if k != TMMBR && k != TMMBN {
			return
		}
		r := p.fci(k)
		for r.Len() > 0 {
			ssrc, v := r.Uint32(), r.Uint32()
			bitrate, ok := expand(uint64(v>>9&0x1ffff), v>>26)
			if !r.OK() || ok && !yield(BitrateLimit{ssrc, bitrate, uint16(v & 0x1ff)}) {
				return
			}
		}
	}
}

// AppendTMMBR appends requests to keep below bit rates.
func AppendTMMBR(b []byte, sender uint32, limits ...BitrateLimit) []byte {
	return appendLimits(b, TMMBR, sender, limits)
}

// AppendTMMBN appends a notification of what bit rates are kept to, and for whom.
func AppendTMMBN(b []byte, sender uint32, limits ...BitrateLimit) []byte {
	return appendLimits(b, TMMBN, sender, limits)
}

func appendLimits(b []byte, k Kind, sender uint32, limits []BitrateLimit) []byte {
	b, start := beginFeedback(b, k, sender, 0)
	for _, l := range limits {
		mantissa, exp := shorten(l.Bitrate, 17)
		b = binary.BigEndian.AppendUint32(b, l.SSRC)
		b = binary.BigEndian.AppendUint32(b, exp<<26|uint32(mantissa)<<9|uint32(min(l.Overhead, 0x1ff)))
	}
	return end(b, start)
}
