package turn

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// A Reason says why something cannot be: of the caller's doing, or of an answer.
type Reason string

func (r Reason) Error() string { return "turn: " + string(r) }

// Misuse, and ends of a stream.
const (
	ErrNotAllocated Reason = "there is no allocation of the kind: wait for the event Allocated"
	ErrNoPermission Reason = "the server has no permission for this peer: call CreatePermission and wait for PermissionCreated"
	ErrTooMany      Reason = "the allocation has as many permissions or channels as it can"
	ErrNoAddress    Reason = "a peer's address must be valid, its port not zero, and its family one of the allocation's"
	ErrTooLarge     Reason = "the payload does not fit into a message"
	ErrNoTicket     Reason = "the server gave no mobility ticket"
	ErrFraming      Reason = "what arrives on the stream is neither STUN nor ChannelData"
	ErrFrameSize    Reason = "a message on the stream is larger than is taken"
)

// Why an answer of the server's is of no use.
const (
	ErrNoChallenge  Reason = "the server asks for credentials without saying NONCE and REALM"
	ErrThirdParty   Reason = "the server wants an access token of an authorization server (RFC 7635), and takes no password"
	ErrBidDown      Reason = "the nonce says that there are password algorithms, and they were removed on the way"
	ErrNoAlgorithm  Reason = "the server accepts no password algorithm that is known here"
	ErrIncomplete   Reason = "the answer to Allocate lacks the relayed address, the mapped address or the lifetime"
	ErrNoConnection Reason = "the answer to Connect names no connection"
	ErrStaleNonces  Reason = "the server calls each nonce of its own stale"
	ErrRedirects    Reason = "the server sends us in circles"
	ErrFamily       Reason = "the relayed address is of another family than was asked for"
)

// A PeerError is the server's refusal.
type PeerError struct {
	Method stun.Method
	Code   stun.ErrorCode
	Reason string // in the server's words

	// Alternate and Domain are where code 300 sends us: ALTERNATE-SERVER, and the
	// name that its certificate must have.
	Alternate netip.AddrPort
	Domain    string

	// ThirdParty is the server's name in THIRD-PARTY-AUTHORIZATION, of code 401: it would take
	// an access token (RFC 7635).
	ThirdParty string
}

func (e *PeerError) Error() string {
	s := fmt.Sprintf("turn: the server refused %v with error %v", e.Method, e.Code)
	if e.Reason != "" && e.Reason != e.Code.Reason() {
		s += fmt.Sprintf(": %q", e.Reason)
	}
	switch e.Code {
	case stun.CodeUnauthenticated, stun.CodeWrongCredentials:
		s += "; check the username and the password"
		if e.ThirdParty != "" {
			s += fmt.Sprintf(", or get an access token for %q, which it says it takes (RFC 7635) and which is not sent here", e.ThirdParty)
		}
	case stun.CodeForbidden:
		s += "; its policy does not allow it"
	case stun.CodeTryAlternate:
		s += fmt.Sprintf("; it points to %v %s", e.Alternate, e.Domain)
	}
	return s
}

// Wait is how long to leave the server alone after this refusal: after a quota
// or a capacity is reached "the client SHOULD wait at least 1 minute before
// trying to create any more allocations on the server", and 2 minutes when it
// has given up after 437. RFC 8656, Section 7.4. It is 0 where waiting does not
// help.
func (e *PeerError) Wait() time.Duration {
	switch e.Code {
	case stun.CodeAllocationQuotaReached, stun.CodeInsufficientCapacity, stun.CodeServerError:
		return time.Minute
	case stun.CodeAllocationMismatch:
		return 2 * time.Minute
	}
	return 0
}

// A LocalError is our refusal of an answer.
type LocalError struct {
	Method stun.Method
	Err    error // a Reason, or a *stun.LocalError
}

func (e *LocalError) Error() string {
	return fmt.Sprintf("turn: the server's answer to %v is of no use: %v", e.Method, e.Err)
}

func (e *LocalError) Unwrap() error { return e.Err }

// A TimeoutError is the end of a request that nobody answered.
type TimeoutError struct {
	Method stun.Method
	Err    *stun.TimeoutError
}

func (e *TimeoutError) Error() string {
	s := fmt.Sprintf("turn: the server did not answer %v in %v", e.Method, e.Err.Time)
	if e.Err.Forged {
		s += "; answers came that the password does not authenticate"
	}
	return s
}

// Timeout makes a TimeoutError one in the sense of package net.
func (e *TimeoutError) Timeout() bool { return true }

func (e *TimeoutError) Unwrap() error { return e.Err }
