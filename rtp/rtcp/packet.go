package rtcp

import (
	"encoding/binary"
	"iter"
	"strconv"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// A Reason says why a datagram was not acceptable. It is an error, and the reason
// given to the trace for a datagram that was dropped.
type Reason string

func (r Reason) Error() string { return "rtcp: " + string(r) }

// Why Parse and CheckFull refuse.
const (
	ErrShort     Reason = "datagram is shorter than an RTCP header"
	ErrVersion   Reason = "packet is not of RTP version 2"
	ErrType      Reason = "packet type is not one of RTCP"
	ErrLength    Reason = "packet is longer than what is left of the datagram"
	ErrPadding   Reason = "padding is empty, or longer than the packet"
	ErrNotReport Reason = "compound packet does not start with a report"
	ErrNoCNAME   Reason = "compound packet has no CNAME"
)

const headerSize = 4

// Is reports whether a datagram that arrived where several protocols share a port
// is RTCP and not RTP: by its packet type, 192 to 223. RFC 5761, Section 4.
func Is(b []byte) bool { return len(b) >= 2 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223 }

// A Compound is a datagram that Parse accepted: one or more RTCP packets.
type Compound struct{ b []byte }

// Parse checks that b is a row of whole RTCP packets. It keeps b and does not
// allocate. What the packets hold is checked when it is read.
func Parse(b []byte) (Compound, error) {
	if len(b) < headerSize {
		return Compound{}, ErrShort
	}
	for rest := b; len(rest) > 0; {
		if len(rest) < headerSize {
			return Compound{}, ErrLength
		}
		if rest[0]>>6 != 2 {
			return Compound{}, ErrVersion
		}
		if !Is(rest) {
			return Compound{}, ErrType
		}
		n := packetSize(rest)
		if n > len(rest) {
			return Compound{}, ErrLength
		}
		// RFC 3550, Section 6.4.1 wants padding in the last packet only, and in words.
		// Chromium fills up each transport-wide feedback by 1 to 3 bytes of it.
		if rest[0]&0x20 != 0 {
			if padding := int(rest[n-1]); padding == 0 || padding > n-headerSize {
				return Compound{}, ErrPadding
			}
		}
		rest = rest[n:]
	}
	return Compound{b}, nil
}

// packetSize is "the length of this RTCP packet in 32-bit words minus one", in bytes.
func packetSize(header []byte) int { return 4 * (int(binary.BigEndian.Uint16(header[2:])) + 1) }

// Packets yields the packets of the datagram, in their order.
func (c Compound) Packets() iter.Seq[Packet] {
	return func(yield func(Packet) bool) {
		for rest := c.b; len(rest) > 0; {
			n := packetSize(rest)
			if !yield(Packet{rest[:n:n]}) {
				return
			}
			rest = rest[n:]
		}
	}
}

// CheckFull tells whether the datagram is a compound packet as RFC 3550 wants it.
// A peer that negotiated reduced-size RTCP need not send such.
//
// "The first RTCP packet in the compound packet MUST always be a report packet",
// and "an SDES packet containing a CNAME item MUST be included in each compound
// RTCP packet". Section 6.1.
func (c Compound) CheckFull() error {
	if t := c.b[1]; t != typeSR && t != typeRR {
		return ErrNotReport
	}
	for p := range c.Packets() {
		if p.Kind() != SDES {
			continue
		}
		for item := range p.Items() {
			if item.Type == CNAME {
				return nil
			}
		}
	}
	return ErrNoCNAME
}

// A Packet is one RTCP packet of a Compound: a view of borrowed bytes.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P|  count  |   PT          |             length            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Packet struct{ b []byte }

// Bytes returns the packet as it is on the wire.
func (p Packet) Bytes() []byte { return p.b }

// Count returns the five bits behind the padding bit: a number of blocks in
// reports, the format (FMT) in feedback, the subtype in APP.
func (p Packet) Count() uint8 { return p.b[0] & 0x1f }

// Body returns what is between header and padding.
func (p Packet) Body() []byte {
	end := len(p.b)
	if p.b[0]&0x20 != 0 {
		end -= int(p.b[end-1])
	}
	return p.b[headerSize:end:end]
}

// body is a cursor over the body; failed when the packet is not of the kind.
func (p Packet) body(k Kind) wire.Reader {
	r := wire.NewReader(p.Body())
	if p.Kind() != k {
		r.Fail()
	}
	return r
}

// SSRC returns the body's first word: whose packet it is, in all kinds but SDES
// and BYE, which may speak of several sources. It is 0 when it is not there.
func (p Packet) SSRC() uint32 {
	r := wire.NewReader(p.Body())
	return r.Uint32()
}

// MediaSSRC returns the body's second word, which in feedback is the source that
// it is about. It is 0 when it is not there.
func (p Packet) MediaSSRC() uint32 {
	r := wire.NewReader(p.Body())
	r.Uint32()
	return r.Uint32()
}

// A Kind is a packet type, and for feedback its format above it.
type Kind uint16

// Packet types.
const (
	typeSR    = 200
	typeRR    = 201
	typeSDES  = 202
	typeBYE   = 203
	typeAPP   = 204
	typeRTPFB = 205
	typePSFB  = 206
	typeXR    = 207
)

// The kinds of packets.
const (
	SR   Kind = typeSR
	RR   Kind = typeRR
	SDES Kind = typeSDES
	BYE  Kind = typeBYE
	APP  Kind = typeAPP
	XR   Kind = typeXR // RFC 3611

	NACK  Kind = 1<<8 | typeRTPFB  // RFC 4585, Section 6.2.1
	TMMBR Kind = 3<<8 | typeRTPFB  // RFC 5104, Section 4.2.1
	TMMBN Kind = 4<<8 | typeRTPFB  // RFC 5104, Section 4.2.2
	CCFB  Kind = 11<<8 | typeRTPFB // RFC 8888
	TWCC  Kind = 15<<8 | typeRTPFB // draft-holmer-rmcat-transport-wide-cc-extensions-01

	PLI Kind = 1<<8 | typePSFB  // RFC 4585, Section 6.3.1
	FIR Kind = 4<<8 | typePSFB  // RFC 5104, Section 4.3.1
	AFB Kind = 15<<8 | typePSFB // RFC 4585, Section 6.4: application layer feedback

	REMB Kind = 0x80<<8 | AFB // AFB that is draft-alvestrand-rmcat-remb
)

// Kind returns what the packet is.
func (p Packet) Kind() Kind {
	switch t := Kind(p.b[1]); t {
	case typeRTPFB, typePSFB:
		k := Kind(p.Count())<<8 | t
		if body := p.Body(); k == AFB && len(body) >= 12 && string(body[8:12]) == "REMB" {
			return REMB
		}
		return k
	default:
		return t
	}
}

var kindNames = map[Kind]string{
	SR: "SR", RR: "RR", SDES: "SDES", BYE: "BYE", APP: "APP", XR: "XR", NACK: "NACK", TMMBR: "TMMBR", TMMBN: "TMMBN",
	CCFB: "CCFB", TWCC: "TWCC", PLI: "PLI", FIR: "FIR", AFB: "AFB", REMB: "REMB",
}

func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	switch t := k & 0xff; t {
	case typeRTPFB:
		return "RTPFB/" + strconv.Itoa(int(k>>8))
	case typePSFB:
		return "PSFB/" + strconv.Itoa(int(k>>8))
	default:
		return "PT" + strconv.Itoa(int(k))
	}
}

// begin appends a packet's header and returns where it starts.
func begin(b []byte, k Kind, count int) ([]byte, int) {
	if count > 31 {
		panic("BUG: an RTCP packet counts to 31")
	}
	if t := k & 0xff; t == typeRTPFB || t == typePSFB {
		count = int(k >> 8 & 0x1f)
	}
	return append(b, 2<<6|byte(count), byte(k), 0, 0), len(b)
}

// end fills in the length of the packet that starts at start.
func end(b []byte, start int) []byte {
	if (len(b)-start)%4 != 0 {
		panic("BUG: an RTCP packet is a number of words")
	}
	wire.PutUint16At(b, start+2, (len(b)-start)/4-1)
	return b
}

// pad appends zeros up to a word, counted from start.
func pad(b []byte, start int) []byte {
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// beginFeedback appends a feedback packet's header.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P|   FMT   |       PT      |          length               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  SSRC of packet sender                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  SSRC of media source                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	:            Feedback Control Information (FCI)                 :
//
// RFC 4585, Section 6.1.
func beginFeedback(b []byte, k Kind, sender, media uint32) ([]byte, int) {
	b, start := begin(b, k, 0)
	b = binary.BigEndian.AppendUint32(b, sender)
	return binary.BigEndian.AppendUint32(b, media), start
}

// fci is a cursor over the feedback control information.
func (p Packet) fci(k Kind) wire.Reader {
	r := p.body(k)
	r.Skip(8)
	return r
}
