package stun

import (
	"encoding/binary"
	"fmt"
)

// An ErrorCode says why a request was refused: 300 to 699.
type ErrorCode int

// The codes of STUN (RFC 8489, Section 14.8), ICE (RFC 8445, Section 20.2) and
// TURN (RFC 8656, Section 19; RFC 6062, Section 6.3; RFC 8016, Section 3.4).
const (
	CodeTryAlternate              ErrorCode = 300
	CodeBadRequest                ErrorCode = 400
	CodeUnauthenticated           ErrorCode = 401
	CodeForbidden                 ErrorCode = 403
	CodeMobilityForbidden         ErrorCode = 405
	CodeUnknownAttribute          ErrorCode = 420
	CodeAllocationMismatch        ErrorCode = 437
	CodeStaleNonce                ErrorCode = 438
	CodeAddressFamilyNotSupported ErrorCode = 440
	CodeWrongCredentials          ErrorCode = 441
	CodeUnsupportedTransport      ErrorCode = 442
	CodePeerAddressFamilyMismatch ErrorCode = 443
	CodeConnectionAlreadyExists   ErrorCode = 446
	CodeConnectionTimeout         ErrorCode = 447
	CodeAllocationQuotaReached    ErrorCode = 486
	CodeRoleConflict              ErrorCode = 487
	CodeServerError               ErrorCode = 500
	CodeInsufficientCapacity      ErrorCode = 508
)

// Reason returns the reason phrase that the RFC recommends for the code, or "".
func (c ErrorCode) Reason() string {
	switch c {
	case CodeTryAlternate:
		return "Try Alternate"
	case CodeBadRequest:
		return "Bad Request"
	case CodeUnauthenticated:
		return "Unauthenticated"
	case CodeForbidden:
		return "Forbidden"
	case CodeMobilityForbidden:
		return "Mobility Forbidden"
	case CodeUnknownAttribute:
		return "Unknown Attribute"
	case CodeAllocationMismatch:
		return "Allocation Mismatch"
	case CodeStaleNonce:
		return "Stale Nonce"
	case CodeAddressFamilyNotSupported:
		return "Address Family not Supported"
	case CodeWrongCredentials:
		return "Wrong Credentials"
	case CodeUnsupportedTransport:
		return "Unsupported Transport Protocol"
	case CodePeerAddressFamilyMismatch:
		return "Peer Address Family Mismatch"
	case CodeConnectionAlreadyExists:
		return "Connection Already Exists"
	case CodeConnectionTimeout:
		return "Connection Timeout or Failure"
	case CodeAllocationQuotaReached:
		return "Allocation Quota Reached"
	case CodeRoleConflict:
		return "Role Conflict"
	case CodeServerError:
		return "Server Error"
	case CodeInsufficientCapacity:
		return "Insufficient Capacity"
	}
	return ""
}

func (c ErrorCode) String() string {
	if r := c.Reason(); r != "" {
		return fmt.Sprintf("%d %s", int(c), r)
	}
	return fmt.Sprint(int(c))
}

// ErrorCode returns ERROR-CODE: the code, and the reason phrase in the sender's
// words, which may hold anything.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Reserved, should be 0         |Class|     Number    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      Reason Phrase (variable)                                ..
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 8489, Section 14.8, Figure 7: "The Class represents the hundreds digit of
// the error code. The value MUST be between 3 and 6. The Number represents the
// binary encoding of the error code modulo 100, and its value MUST be between
// 0 and 99."
func (m Message) ErrorCode() (code ErrorCode, reason []byte, ok bool) {
	value, _ := m.Get(AttrErrorCode)
	if len(value) < 4 {
		return 0, nil, false
	}
	class, number := value[2]&7, value[3]
	if class < 3 || class > 6 || number > 99 {
		return 0, nil, false
	}
	return ErrorCode(class)*100 + ErrorCode(number), value[4:], true
}

// AddErrorCode adds ERROR-CODE. An empty reason means the code's own.
func (b *Builder) AddErrorCode(code ErrorCode, reason string) {
	if code < 300 || code > 699 {
		panic("BUG: stun: an error code is between 300 and 699")
	}
	if reason == "" {
		reason = code.Reason()
	}
	at := b.open(AttrErrorCode)
	b.b = append(b.b, 0, 0, byte(code/100), byte(code%100))
	b.b = append(b.b, reason...)
	b.close(at)
}

// UnknownAttributes returns UNKNOWN-ATTRIBUTES of an error response with code
// 420, or nil. RFC 8489, Section 14.9.
func (m Message) UnknownAttributes() []AttributeType {
	value, _ := m.Get(AttrUnknownAttributes)
	var types []AttributeType
	for ; len(value) >= 2 && len(types) < maxUnknown; value = value[2:] {
		types = append(types, AttributeType(binary.BigEndian.Uint16(value)))
	}
	return types
}

// AddUnknownAttributes adds UNKNOWN-ATTRIBUTES.
func (b *Builder) AddUnknownAttributes(types []AttributeType) {
	at := b.open(AttrUnknownAttributes)
	for _, t := range types {
		b.b = binary.BigEndian.AppendUint16(b.b, uint16(t))
	}
	b.close(at)
}
