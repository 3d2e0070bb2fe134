package sctp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A CauseCode says why an ABORT or ERROR was sent (RFC 9260, Section 3.3.10).
type CauseCode uint16

// The cause codes.
const (
	InvalidStreamIdentifier           CauseCode = 1
	MissingMandatoryParameter         CauseCode = 2
	StaleCookie                       CauseCode = 3
	OutOfResource                     CauseCode = 4
	UnresolvableAddress               CauseCode = 5
	UnrecognizedChunkType             CauseCode = 6
	InvalidMandatoryParameter         CauseCode = 7
	UnrecognizedParameters            CauseCode = 8
	NoUserData                        CauseCode = 9
	CookieReceivedWhileShuttingDown   CauseCode = 10
	RestartOfAssociationWithAddresses CauseCode = 11
	UserInitiatedAbort                CauseCode = 12
	ProtocolViolation                 CauseCode = 13
)

var causeNames = map[CauseCode]string{
	InvalidStreamIdentifier: "Invalid Stream Identifier", MissingMandatoryParameter: "Missing Mandatory Parameter",
	StaleCookie: "Stale Cookie", OutOfResource: "Out of Resource", UnresolvableAddress: "Unresolvable Address",
	UnrecognizedChunkType: "Unrecognized Chunk Type", InvalidMandatoryParameter: "Invalid Mandatory Parameter",
	UnrecognizedParameters: "Unrecognized Parameters", NoUserData: "No User Data",
	CookieReceivedWhileShuttingDown:   "Cookie Received While Shutting Down",
	RestartOfAssociationWithAddresses: "Restart of an Association with New Addresses",
	UserInitiatedAbort:                "User-Initiated Abort", ProtocolViolation: "Protocol Violation",
}

func (c CauseCode) String() string {
	if s, ok := causeNames[c]; ok {
		return s
	}
	return fmt.Sprintf("cause %d", uint16(c))
}

// A LocalError ended the association from this side; the peer was told by an
// ABORT with Cause.
type LocalError struct {
	Cause  CauseCode
	Reason string
}

func (e *LocalError) Error() string {
	return fmt.Sprintf("sctp: we aborted the association: %s (%s)", e.Reason, e.Cause)
}

// A PeerError ended the association from the other side, by an ABORT. Cause is
// zero when the peer gave none.
type PeerError struct {
	Cause  CauseCode
	Reason string // the text that came with the cause, if any
}

func (e *PeerError) Error() string {
	switch {
	case e.Cause == 0:
		return "sctp: the peer aborted the association without giving a cause"
	case e.Reason == "":
		return fmt.Sprintf("sctp: the peer aborted the association (%s)", e.Cause)
	}
	return fmt.Sprintf("sctp: the peer aborted the association: %q (%s)", e.Reason, e.Cause)
}

// A TimeoutError ended the association because the peer did not answer.
type TimeoutError struct {
	// Waiting is what we were waiting for, in the RFC's words.
	Waiting string
	// Tries is how often we asked.
	Tries int
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("sctp: the peer did not answer: no %s after %d tries", e.Waiting, e.Tries)
}

// Timeout reports true: a TimeoutError is a timeout in the sense of net.Error.
func (e *TimeoutError) Timeout() bool { return true }

// What the caller did wrong.
var (
	ErrEmpty       = errors.New("sctp: a message must not be empty: a DATA chunk has no room for one; send a byte and a PPID that says so")
	ErrTooLarge    = errors.New("sctp: the message is larger than the peer accepts")
	ErrClosed      = errors.New("sctp: the association is shutting down or closed and takes no more messages")
	ErrStream      = errors.New("sctp: the stream identifier is beyond the number of streams the association has")
	ErrResetting   = errors.New("sctp: the stream, or the association, is being reset; it can be used again when an event tells that this is over")
	ErrUnsupported = errors.New("sctp: the peer does not support resetting streams (RFC 6525)")
)

// A cause is an error cause of an ABORT or ERROR chunk (RFC 9260, Section
// 3.3.10).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Cause Code           |         Cause Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	\                  Cause-Specific Information                   \
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type cause struct {
	code CauseCode
	info []byte
}

// nextCause takes the first cause off the front: it has a parameter's form.
func nextCause(b []byte) (c cause, rest []byte, ok bool) {
	p, rest, ok := nextParam(b)
	return cause{code: CauseCode(p.typ), info: p.value}, rest, ok
}

func appendCause(b []byte, code CauseCode, info []byte) []byte {
	return appendParam(b, paramType(code), info)
}

// reason is the part of a cause that was written for people.
func (c cause) reason() string {
	switch c.code {
	case UserInitiatedAbort, ProtocolViolation:
		return string(c.info)
	}
	return ""
}

func (c cause) String() string {
	if r := c.reason(); r != "" {
		return fmt.Sprintf("%s: %q", c.code, r)
	}
	return c.code.String()
}

// peerError is what an ABORT's causes say.
func peerError(causes []byte) *PeerError {
	c, _, ok := nextCause(causes)
	if !ok {
		return &PeerError{}
	}
	return &PeerError{Cause: c.code, Reason: c.reason()}
}

// Why a packet or chunk from the network was dropped: reasons for the trace.
const (
	dropShort         = "shorter than a common header"
	dropPort          = "not our port numbers"
	dropChecksum      = "checksum"
	dropTag           = "verification tag"
	dropMalformed     = "malformed chunk"
	dropBundled       = "INIT, INIT ACK or SHUTDOWN COMPLETE bundled"
	dropUnknown       = "unknown chunk type"
	dropState         = "not expected in this state"
	dropOOTB          = "out of the blue"
	dropCookie        = "cookie not ours"
	dropStaleCookie   = "stale cookie"
	dropCollision     = "cookie of no association of ours"
	dropStaleSack     = "SACK overtaken by a newer one"
	dropBadSack       = "SACK for what was not sent"
	dropWindow        = "receive window full"
	dropSpan          = "TSN too far ahead"
	dropDuplicate     = "duplicate TSN"
	dropStream        = "invalid stream identifier"
	dropFragment      = "fragment does not continue its message"
	dropSSN           = "stream sequence number already delivered"
	dropHeartbeat     = "HEARTBEAT ACK not for our HEARTBEAT"
	dropFull          = "too many answers waiting"
	dropRenumbering   = "TSNs are being reset"
	dropNotNegotiated = "extension not negotiated"
)

// appendStreamCause writes an Invalid Stream Identifier cause's information.
func appendStreamCause(b []byte, stream uint16) []byte {
	return appendCause(b, InvalidStreamIdentifier, []byte{byte(stream >> 8), byte(stream), 0, 0})
}

// appendMissingCause says that one mandatory parameter is missing.
func appendMissingCause(b []byte, missing paramType) []byte {
	var v [6]byte
	v[3] = 1
	binary.BigEndian.PutUint16(v[4:], uint16(missing))
	return appendCause(b, MissingMandatoryParameter, v[:])
}
