package stun

import (
	"fmt"
	"time"
)

// A Reason says why a message was not acceptable. It is an error, and the
// reason given to the trace for a message that was dropped.
type Reason string

func (r Reason) Error() string { return "stun: " + string(r) }

// Why Parse refuses.
const (
	ErrShort            Reason = "message is shorter than its header"
	ErrNotSTUN          Reason = "message does not start with two zero bits and the magic cookie"
	ErrLength           Reason = "message length is not the size of the datagram, or not a multiple of four"
	ErrAttribute        Reason = "attribute runs past the end of the message"
	ErrFingerprintOrder Reason = "FINGERPRINT is not the last attribute"
)

// Why a check of integrity or of the fingerprint fails.
const (
	ErrNoIntegrity   Reason = "message has no integrity attribute"
	ErrIntegrity     Reason = "message integrity does not match the key"
	ErrNoFingerprint Reason = "message has no FINGERPRINT"
	ErrFingerprint   Reason = "FINGERPRINT does not match the message"
)

// Why an answer ends the transaction without being of use.
const (
	ErrUnknownRequired Reason = "the answer holds comprehension-required attributes that are not understood"
	ErrNoErrorCode     Reason = "the answer is an error response without a valid ERROR-CODE"
)

// Why datagrams are dropped; beside the reasons of Parse, CheckIntegrity and CheckFingerprint.
const (
	DropNotResponse      Reason = "not a response"
	DropOtherTransaction Reason = "response to another transaction"
	DropDone             Reason = "response to a transaction that is done"
	DropNotBinding       Reason = "not a Binding request"
	DropNoSource         Reason = "request came from no address that could be answered"
	DropNotTaken         Reason = "response to the request before was not taken yet"
)

// A PeerError is the server's refusal.
type PeerError struct {
	Code    ErrorCode
	Reason  string          // in the server's words
	Unknown []AttributeType // what it did not understand, with code 420
}

func (e *PeerError) Error() string {
	s := fmt.Sprintf("stun: the server refused the request with error %v", e.Code)
	if e.Reason != "" && e.Reason != e.Code.Reason() {
		s += fmt.Sprintf(": %q", e.Reason)
	}
	if len(e.Unknown) > 0 {
		s += fmt.Sprintf("; it does not understand %v", e.Unknown)
	}
	return s
}

// A LocalError is our refusal of an answer.
type LocalError struct {
	Reason  Reason
	Unknown []AttributeType // what we did not understand
}

func (e *LocalError) Error() string {
	if len(e.Unknown) > 0 {
		return fmt.Sprintf("%v: %v", e.Reason, e.Unknown)
	}
	return e.Reason.Error()
}

func (e *LocalError) Unwrap() error { return e.Reason }

// A TimeoutError is the end of a transaction that nobody answered.
type TimeoutError struct {
	Sent int           // how many times the request was sent
	Time time.Duration // from the first sending to giving up

	// Forged tells that answers came which the key did not authenticate:
	// probably the password is wrong. The error then wraps ErrIntegrity.
	Forged bool
}

func (e *TimeoutError) Error() string {
	s := fmt.Sprintf("stun: no answer in %v to a request that was sent %d times", e.Time, e.Sent)
	if e.Forged {
		s += "; answers came that the password does not authenticate"
	}
	return s
}

// Timeout makes a TimeoutError one in the sense of package net.
func (e *TimeoutError) Timeout() bool { return true }

func (e *TimeoutError) Unwrap() error {
	if e.Forged {
		return ErrIntegrity
	}
	return nil
}
