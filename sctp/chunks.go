package sctp

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/plainrtc/plainrtc/internal/serial"
)

// A tsn is a Transmission Sequence Number, an ssn a Stream Sequence Number:
// both wrap (RFC 9260, Section 1.6).
type (
	tsn = serial.Number32
	ssn = serial.Number16
)

// dataChunk is Payload Data (RFC 9260, Section 3.3.1).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 0    |  Res  |I|U|B|E|            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                              TSN                              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      Stream Identifier S      |   Stream Sequence Number n    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  Payload Protocol Identifier                  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	\                 User Data (seq n of Stream S)                 \
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// A dataChunk may also be an I-DATA chunk (RFC 8260), for which see
// parseInterleaved.
type dataChunk struct {
	flags       uint8
	interleaved bool // an I-DATA chunk
	tsn         tsn
	stream      uint16
	ssn         ssn    // DATA only
	mid         mid    // I-DATA only: Message Identifier
	fsn         uint32 // I-DATA only: Fragment Sequence Number, zero in the first
	ppid        uint32 // in I-DATA, of the first fragment only
	payload     []byte // borrowed
}

const (
	flagEnd       = 0x01 // E: last fragment of a message
	flagBegin     = 0x02 // B: first fragment
	flagUnordered = 0x04 // U
	flagImmediate = 0x08 // I: the sender wants its SACK at once

	dataHeaderSize = 16
)

func parseData(c chunk) (d dataChunk, ok bool) {
	v := c.value
	if len(v) < dataHeaderSize-chunkHeaderSize {
		return dataChunk{}, false
	}
	return dataChunk{
		flags:   c.flags,
		tsn:     tsn(binary.BigEndian.Uint32(v)),
		stream:  binary.BigEndian.Uint16(v[4:]),
		ssn:     ssn(binary.BigEndian.Uint16(v[6:])),
		ppid:    binary.BigEndian.Uint32(v[8:]),
		payload: v[12:],
	}, true
}

func (d *dataChunk) append(b []byte) []byte {
	if d.interleaved {
		return d.appendInterleaved(b)
	}
	length := dataHeaderSize + len(d.payload)
	b = append(b, byte(typeData), d.flags, byte(length>>8), byte(length),
		byte(d.tsn>>24), byte(d.tsn>>16), byte(d.tsn>>8), byte(d.tsn),
		byte(d.stream>>8), byte(d.stream), byte(d.ssn>>8), byte(d.ssn),
		byte(d.ppid>>24), byte(d.ppid>>16), byte(d.ppid>>8), byte(d.ppid))
	return pad(append(b, d.payload...), length)
}

func (d *dataChunk) String() string {
	var flags strings.Builder
	for _, f := range []struct {
		bit  uint8
		name byte
	}{{flagImmediate, 'I'}, {flagUnordered, 'U'}, {flagBegin, 'B'}, {flagEnd, 'E'}} {
		if d.flags&f.bit != 0 {
			flags.WriteByte(f.name)
		}
	}
	if d.interleaved {
		word := fmt.Sprintf("fsn=%d", d.fsn)
		if d.flags&flagBegin != 0 {
			word = fmt.Sprintf("ppid=%d", d.ppid)
		}
		return fmt.Sprintf("I-DATA tsn=%d stream=%d mid=%d %s flags=%s data[%d]", d.tsn, d.stream, d.mid, word, flags.String(), len(d.payload))
	}
	return fmt.Sprintf("DATA tsn=%d stream=%d ssn=%d ppid=%d flags=%s data[%d]", d.tsn, d.stream, d.ssn, d.ppid, flags.String(), len(d.payload))
}

// initChunk is an Initiation or its acknowledgement (RFC 9260, Sections 3.3.2
// and 3.3.3).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Type = 1, 2  |  Chunk Flags  |         Chunk Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Initiate Tag                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Advertised Receiver Window Credit (a_rwnd)           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Number of Outbound Streams   |   Number of Inbound Streams   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          Initial TSN                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	\              Optional/Variable-Length Parameters              \
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type initChunk struct {
	tag        uint32
	rwnd       uint32
	outStreams uint16
	inStreams  uint16
	tsn        tsn
	params     []byte // encoded; borrowed
}

func parseInit(c chunk) (i initChunk, ok bool) {
	v := c.value
	if len(v) < 16 {
		return initChunk{}, false
	}
	return initChunk{
		tag:        binary.BigEndian.Uint32(v),
		rwnd:       binary.BigEndian.Uint32(v[4:]),
		outStreams: binary.BigEndian.Uint16(v[8:]),
		inStreams:  binary.BigEndian.Uint16(v[10:]),
		tsn:        tsn(binary.BigEndian.Uint32(v[12:])),
		params:     v[16:],
	}, true
}

func (i initChunk) append(b []byte, typ chunkType) []byte {
	start := len(b)
	b = beginChunk(b, typ, 0)
	b = binary.BigEndian.AppendUint32(b, i.tag)
	b = binary.BigEndian.AppendUint32(b, i.rwnd)
	b = binary.BigEndian.AppendUint16(b, i.outStreams)
	b = binary.BigEndian.AppendUint16(b, i.inStreams)
	b = binary.BigEndian.AppendUint32(b, uint32(i.tsn))
	b = append(b, i.params...)
	return endChunk(b, start)
}

func (i initChunk) String(typ chunkType) string {
	s := fmt.Sprintf("%s tag=%08x tsn=%d rwnd=%d streams=%d/%d", typ, i.tag, i.tsn, i.rwnd, i.outStreams, i.inStreams)
	if p, ok := parseInitParams(i.params); ok && p.cookie != nil {
		s += fmt.Sprintf(" cookie[%d]", len(p.cookie))
	}
	return s
}

// sackChunk is a Selective Acknowledgement (RFC 9260, Section 3.3.4).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 3    |  Chunk Flags  |         Chunk Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Cumulative TSN Ack                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Advertised Receiver Window Credit (a_rwnd)           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Number of Gap Ack Blocks = N  |  Number of Duplicate TSNs = M |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Gap Ack Block #1 Start     |     Gap Ack Block #1 End      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	\                                                               \
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Duplicate TSN M                         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type sackChunk struct {
	cumTSN     tsn
	rwnd       uint32
	gaps       gapBlocks
	duplicates []byte // four bytes each
}

// gapBlocks are encoded Gap Ack Blocks: first and last TSN of a run that was
// received, as offsets from the Cumulative TSN Ack.
type gapBlocks []byte

func (g gapBlocks) len() int { return len(g) / 4 }

func (g gapBlocks) at(i int) (start, end uint16) {
	return binary.BigEndian.Uint16(g[4*i:]), binary.BigEndian.Uint16(g[4*i+2:])
}

const sackHeaderSize = 16

func parseSack(c chunk) (s sackChunk, ok bool) {
	v := c.value
	if len(v) < sackHeaderSize-chunkHeaderSize {
		return sackChunk{}, false
	}
	gaps := 4 * int(binary.BigEndian.Uint16(v[8:]))
	dups := 4 * int(binary.BigEndian.Uint16(v[10:]))
	if len(v) != 12+gaps+dups {
		return sackChunk{}, false
	}
	return sackChunk{
		cumTSN:     tsn(binary.BigEndian.Uint32(v)),
		rwnd:       binary.BigEndian.Uint32(v[4:]),
		gaps:       gapBlocks(v[12 : 12+gaps]),
		duplicates: v[12+gaps:],
	}, true
}

func (s sackChunk) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "SACK cum=%d rwnd=%d", s.cumTSN, s.rwnd)
	for i := range s.gaps.len() {
		start, end := s.gaps.at(i)
		fmt.Fprintf(&b, " gap=%d-%d", s.cumTSN+tsn(start), s.cumTSN+tsn(end))
	}
	for d := s.duplicates; len(d) >= 4; d = d[4:] {
		fmt.Fprintf(&b, " dup=%d", binary.BigEndian.Uint32(d))
	}
	return b.String()
}

// forwardChunk is a Forward Cumulative TSN (RFC 3758, Section 3.2): the sender
// gave up on everything up to newCumTSN.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Type = 192  |  Flags = 0x00 |        Length = Variable      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      New Cumulative TSN                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Stream-1              |       Stream Sequence-1       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type forwardChunk struct {
	newCumTSN tsn
	skipped   skippedStreams
}

// skippedStreams are encoded pairs of a stream and the last SSN skipped on it.
type skippedStreams []byte

func (s skippedStreams) len() int { return len(s) / 4 }

func (s skippedStreams) at(i int) (stream uint16, last ssn) {
	return binary.BigEndian.Uint16(s[4*i:]), ssn(binary.BigEndian.Uint16(s[4*i+2:]))
}

func parseForward(c chunk) (f forwardChunk, ok bool) {
	v := c.value
	if len(v) < 4 || len(v)%4 != 0 {
		return forwardChunk{}, false
	}
	return forwardChunk{newCumTSN: tsn(binary.BigEndian.Uint32(v)), skipped: skippedStreams(v[4:])}, true
}

func (f forwardChunk) append(b []byte) []byte {
	start := len(b)
	b = beginChunk(b, typeForwardTSN, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(f.newCumTSN))
	return endChunk(append(b, f.skipped...), start)
}

func (f forwardChunk) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "FORWARD TSN cum=%d", f.newCumTSN)
	for i := range f.skipped.len() {
		stream, last := f.skipped.at(i)
		fmt.Fprintf(&b, " stream=%d/ssn=%d", stream, last)
	}
	return b.String()
}

// parseShutdown reads a SHUTDOWN's Cumulative TSN Ack (RFC 9260, Section 3.3.8).
func parseShutdown(c chunk) (cum tsn, ok bool) {
	if len(c.value) != 4 {
		return 0, false
	}
	return tsn(binary.BigEndian.Uint32(c.value)), true
}

func appendShutdown(b []byte, cum tsn) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(beginChunk(b, typeShutdown, 0), uint32(cum))
	return endChunk(b, start)
}

// appendChunk writes a chunk whose value is plain bytes: COOKIE ECHO, COOKIE
// ACK, HEARTBEAT, ABORT, ERROR, SHUTDOWN ACK, SHUTDOWN COMPLETE, RE-CONFIG.
func appendChunk(b []byte, typ chunkType, flags uint8, value []byte) []byte {
	start := len(b)
	return endChunk(append(beginChunk(b, typ, flags), value...), start)
}

// flagT, in ABORT and SHUTDOWN COMPLETE: the packet carries the tag of the
// packet it answers, for its sender knows no association (RFC 9260, Sections
// 3.3.7 and 3.3.13).
const flagT = 0x01

// String describes a chunk in the RFC's words.
func (c chunk) String() string {
	bad := fmt.Sprintf("malformed %s[%d]", c.typ, len(c.value))
	switch c.typ {
	case typeData:
		if d, ok := parseData(c); ok {
			return d.String()
		}
		return bad
	case typeIData:
		if d, ok := parseInterleaved(c); ok {
			return d.String()
		}
		return bad
	case typeIForwardTSN:
		if f, ok := parseInterleavedForward(c); ok {
			return f.String()
		}
		return bad
	case typeInit, typeInitAck:
		if i, ok := parseInit(c); ok {
			return i.String(c.typ)
		}
		return bad
	case typeSack:
		if s, ok := parseSack(c); ok {
			return s.String()
		}
		return bad
	case typeForwardTSN:
		if f, ok := parseForward(c); ok {
			return f.String()
		}
		return bad
	case typeShutdown:
		if cum, ok := parseShutdown(c); ok {
			return fmt.Sprintf("SHUTDOWN cum=%d", cum)
		}
		return bad
	case typeCookieEcho:
		return fmt.Sprintf("COOKIE ECHO cookie[%d]", len(c.value))
	case typeAbort, typeError:
		s := c.typ.String()
		if c.typ == typeAbort && c.flags&flagT != 0 {
			s += " T"
		}
		for v := c.value; len(v) > 0; {
			cause, rest, ok := nextCause(v)
			if !ok {
				return s + " malformed cause"
			}
			s, v = s+" ("+cause.String()+")", rest
		}
		return s
	case typeReconfig:
		return describeReconfig(c.value)
	case typeShutdownComplete:
		if c.flags&flagT != 0 {
			return "SHUTDOWN COMPLETE T"
		}
	case typeCookieAck, typeShutdownAck, typeHeartbeat, typeHeartbeatAck:
	default:
		return fmt.Sprintf("%s[%d]", c.typ, len(c.value))
	}
	return c.typ.String()
}

func describeReconfig(params []byte) string {
	s := "RE-CONFIG"
	for len(params) > 0 {
		p, rest, ok := nextParam(params)
		if !ok {
			return s + " malformed"
		}
		params = rest
		switch p.typ {
		case paramOutgoingReset, paramIncomingReset:
			name := " outgoing"
			if p.typ == paramIncomingReset {
				name = " incoming"
			}
			if q, ok := parseResetRequest(p); ok {
				s += fmt.Sprintf("%s reset seq=%d", name, q.requestSeq)
				if p.typ == paramOutgoingReset {
					s += fmt.Sprintf(" last=%d", q.lastTSN)
				}
				s += fmt.Sprintf(" streams=%v", decodeStreams(q.streams))
				continue
			}
		case paramSSNTSNReset, paramAddOutgoing, paramAddIncoming:
			if q, ok := parseResetRequest(p); ok {
				s += map[paramType]string{paramSSNTSNReset: " SSN/TSN reset", paramAddOutgoing: " add outgoing", paramAddIncoming: " add incoming"}[p.typ]
				s += fmt.Sprintf(" seq=%d", q.requestSeq)
				if p.typ != paramSSNTSNReset {
					s += fmt.Sprintf(" streams=%d", q.count)
				}
				continue
			}
		case paramReconfigResponse:
			if r, ok := parseReconfigResponse(p); ok {
				s += fmt.Sprintf(" response seq=%d %q", r.responseSeq, r.result)
				if r.next != nil {
					s += fmt.Sprintf(" sender's next=%d receiver's next=%d", r.next.sender, r.next.receiver)
				}
				continue
			}
		}
		s += fmt.Sprintf(" param %d[%d]", p.typ, len(p.value))
	}
	return s
}
