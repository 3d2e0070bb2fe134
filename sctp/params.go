package sctp

import (
	"encoding/binary"
	"fmt"
)

// A paramType says what a parameter of an INIT, INIT ACK or RE-CONFIG chunk is
// (the IANA registry "SCTP Chunk Parameter Types").
type paramType uint16

const (
	paramHeartbeatInfo         paramType = 1
	paramIPv4Address           paramType = 5
	paramIPv6Address           paramType = 6
	paramStateCookie           paramType = 7
	paramUnrecognized          paramType = 8
	paramCookiePreservative    paramType = 9
	paramHostName              paramType = 11
	paramSupportedAddressTypes paramType = 12
	paramOutgoingReset         paramType = 13 // RFC 6525, Section 4.1
	paramIncomingReset         paramType = 14 // RFC 6525, Section 4.2
	paramSSNTSNReset           paramType = 15 // RFC 6525, Section 4.3
	paramReconfigResponse      paramType = 16 // RFC 6525, Section 4.4
	paramAddOutgoing           paramType = 17 // RFC 6525, Section 4.5
	paramAddIncoming           paramType = 18 // RFC 6525, Section 4.6
	paramECN                   paramType = 0x8000
	paramZeroChecksum          paramType = 0x8001 // RFC 9653, Section 4
	paramSupportedExtensions   paramType = 0x8008 // RFC 5061, Section 4.2.7
	paramForwardTSN            paramType = 0xC000 // RFC 3758, Section 3.1
)

// skipUnknown: pass over a parameter of unknown type and go on.
func (t paramType) skipUnknown() bool { return t&0x8000 != 0 }

// reportUnknown: tell the peer.
func (t paramType) reportUnknown() bool { return t&0x4000 != 0 }

// A param is a type, a length and a value (RFC 9260, Section 3.2.1).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        Parameter Type         |       Parameter Length        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	\                        Parameter Value                        \
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type param struct {
	typ   paramType
	value []byte // without padding; borrowed
	raw   []byte // with its header, without padding
}

const paramHeaderSize = 4

// nextParam takes the first parameter off the front of params.
func nextParam(params []byte) (p param, rest []byte, ok bool) {
	if len(params) < paramHeaderSize {
		return param{}, nil, false
	}
	length := int(binary.BigEndian.Uint16(params[2:]))
	if length < paramHeaderSize || length > len(params) {
		return param{}, nil, false
	}
	p = param{
		typ:   paramType(binary.BigEndian.Uint16(params)),
		value: params[paramHeaderSize:length:length],
		raw:   params[:length:length],
	}
	return p, params[min(padded(length), len(params)):], true
}

// appendParam writes one parameter to b, which begins where the first one
// does. It pads the one before, not its own: a chunk's length counts the
// padding of every parameter but the last (RFC 9260, Section 3.2).
func appendParam(b []byte, typ paramType, value []byte) []byte {
	b = pad(b, len(b))
	b = binary.BigEndian.AppendUint16(b, uint16(typ))
	b = binary.BigEndian.AppendUint16(b, uint16(paramHeaderSize+len(value)))
	return append(b, value...)
}

// initParams is what the optional parameters of an INIT or INIT ACK say.
type initParams struct {
	cookie             []byte // INIT ACK only; borrowed
	preservative       uint32 // milliseconds the peer wants its cookie to live longer
	extensions         Extensions
	hostName           bool
	unrecognized       []byte // encoded Unrecognized Parameter parameters, to report
	unrecognizedCauses []byte // the same as the value of an Unrecognized Parameters cause
}

// maxReported bounds what is quoted back to a peer that sends parameters we do
// not know.
const maxReported = 96

// parseInitParams reads the parameters of an INIT or INIT ACK. It fails on
// what does not parse, and stops quietly where the type says so.
func parseInitParams(params []byte) (p initParams, ok bool) {
	for len(params) > 0 {
		q, rest, ok := nextParam(params)
		if !ok {
			return initParams{}, false
		}
		params = rest
		switch q.typ {
		case paramStateCookie:
			p.cookie = q.value
		case paramCookiePreservative:
			if len(q.value) != 4 {
				return initParams{}, false
			}
			p.preservative = binary.BigEndian.Uint32(q.value)
		case paramHostName:
			p.hostName = true
		case paramForwardTSN:
			p.extensions |= PartialReliability
		case paramZeroChecksum:
			// Another method than ours is as good as none.
			if len(q.value) == 4 && binary.BigEndian.Uint32(q.value) == edmDTLS {
				p.extensions |= ZeroChecksum
			}
		case paramSupportedExtensions:
			for _, t := range q.value {
				p.extensions |= announcedBy(chunkType(t))
			}
		case paramIPv4Address, paramIPv6Address, paramSupportedAddressTypes, paramUnrecognized, paramECN:
			// Addresses mean nothing below DTLS (RFC 8261, Section 6.1), and
			// ECN cannot be seen there.
		default:
			if q.typ.reportUnknown() && len(p.unrecognized)+len(q.raw) <= maxReported {
				p.unrecognized = appendParam(p.unrecognized, paramUnrecognized, q.raw)
				p.unrecognizedCauses = append(pad(p.unrecognizedCauses, len(p.unrecognizedCauses)), q.raw...)
			}
			if !q.typ.skipUnknown() {
				return p, true
			}
		}
	}
	return p, true
}

// The parameters of RE-CONFIG (RFC 6525, Section 4).

// resetRequest is an Outgoing or Incoming SSN Reset Request Parameter.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Parameter Type = 13       | Parameter Length = 16 + 2 * N |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Re-configuration Request Sequence Number            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Re-configuration Response Sequence Number           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                Sender's Last Assigned TSN                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Stream Number 1 (optional)   |    Stream Number 2 (optional) |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// An incoming request has neither of the two middle fields; an SSN/TSN Reset
// Request Parameter has the sequence number alone, and an Add Outgoing or
// Incoming Streams Request Parameter has, after that, a number of streams and
// two reserved bytes.
type resetRequest struct {
	typ         paramType
	requestSeq  uint32
	responseSeq uint32 // outgoing only
	lastTSN     tsn    // outgoing only
	streams     []byte // outgoing and incoming: two bytes each; none means all; borrowed
	count       uint16 // streams to add
}

func parseResetRequest(p param) (q resetRequest, ok bool) {
	q.typ = p.typ
	fixed := 4
	switch p.typ {
	case paramOutgoingReset:
		fixed = 12
	case paramAddOutgoing, paramAddIncoming:
		fixed = 8
	}
	lists := p.typ == paramOutgoingReset || p.typ == paramIncomingReset
	if len(p.value) < fixed || (len(p.value)-fixed)%2 != 0 || !lists && len(p.value) != fixed {
		return resetRequest{}, false
	}
	q.requestSeq = binary.BigEndian.Uint32(p.value)
	if fixed == 8 {
		q.count = binary.BigEndian.Uint16(p.value[4:])
	}
	if p.typ == paramOutgoingReset {
		q.responseSeq = binary.BigEndian.Uint32(p.value[4:])
		q.lastTSN = tsn(binary.BigEndian.Uint32(p.value[8:]))
	}
	q.streams = p.value[fixed:]
	return q, true
}

func (q resetRequest) append(b []byte) []byte {
	b = pad(b, len(b))
	start := len(b)
	b = binary.BigEndian.AppendUint16(b, uint16(q.typ))
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, q.requestSeq)
	if q.typ == paramOutgoingReset {
		b = binary.BigEndian.AppendUint32(b, q.responseSeq)
		b = binary.BigEndian.AppendUint32(b, uint32(q.lastTSN))
	}
	if q.typ == paramAddOutgoing || q.typ == paramAddIncoming {
		b = binary.BigEndian.AppendUint16(b, q.count)
		b = append(b, 0, 0)
	}
	b = append(b, q.streams...)
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

// decodeStreams returns the stream numbers of a reset request.
func decodeStreams(b []byte) []uint16 {
	streams := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		streams = append(streams, binary.BigEndian.Uint16(b))
	}
	return streams
}

// A reconfigResult is the Result of a Re-configuration Response Parameter
// (RFC 6525, Section 4.4).
type reconfigResult uint32

const (
	resultNothingToDo       reconfigResult = 0
	resultPerformed         reconfigResult = 1
	resultDenied            reconfigResult = 2
	resultWrongSSN          reconfigResult = 3
	resultAlreadyInProgress reconfigResult = 4
	resultBadSequence       reconfigResult = 5
	resultInProgress        reconfigResult = 6
)

func (r reconfigResult) String() string {
	switch r {
	case resultNothingToDo:
		return "Success - Nothing to do"
	case resultPerformed:
		return "Success - Performed"
	case resultDenied:
		return "Denied"
	case resultWrongSSN:
		return "Error - Wrong SSN"
	case resultAlreadyInProgress:
		return "Error - Request already in progress"
	case resultBadSequence:
		return "Error - Bad Sequence Number"
	case resultInProgress:
		return "In progress"
	}
	return fmt.Sprintf("result %d", uint32(r))
}

// reconfigResponse is a Re-configuration Response Parameter.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|     Parameter Type = 16       |      Parameter Length         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Re-configuration Response Sequence Number             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                            Result                             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   Sender's Next TSN (optional)                |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  Receiver's Next TSN (optional)               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type reconfigResponse struct {
	responseSeq uint32
	result      reconfigResult
	// next holds the two TSNs of an answer to an SSN/TSN reset that was performed.
	next *nextTSNs
}

type nextTSNs struct{ sender, receiver tsn }

func parseReconfigResponse(p param) (r reconfigResponse, ok bool) {
	if len(p.value) != 8 && len(p.value) != 16 { // the longer one answers an SSN/TSN reset
		return reconfigResponse{}, false
	}
	r = reconfigResponse{
		responseSeq: binary.BigEndian.Uint32(p.value),
		result:      reconfigResult(binary.BigEndian.Uint32(p.value[4:])),
	}
	if len(p.value) == 16 {
		r.next = &nextTSNs{tsn(binary.BigEndian.Uint32(p.value[8:])), tsn(binary.BigEndian.Uint32(p.value[12:]))}
	}
	return r, true
}

func (r reconfigResponse) append(b []byte) []byte {
	var v [8]byte
	binary.BigEndian.PutUint32(v[:], r.responseSeq)
	binary.BigEndian.PutUint32(v[4:], uint32(r.result))
	if r.next == nil {
		return appendParam(b, paramReconfigResponse, v[:])
	}
	w := binary.BigEndian.AppendUint32(v[:], uint32(r.next.sender))
	return appendParam(b, paramReconfigResponse, binary.BigEndian.AppendUint32(w, uint32(r.next.receiver)))
}
