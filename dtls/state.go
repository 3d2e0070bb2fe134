package dtls

import "time"

// A State says what a connection waits for. The states of the two sides follow
// the flights of RFC 6347, Section 4.2.4, Figure 1.
type State uint8

// The states.
const (
	StateNew State = iota // Connect was not called

	// A client waits, after its ClientHello:
	StateAwaitServerHello        // for ServerHello, or HelloVerifyRequest
	StateAwaitServerCertificate  // for Certificate
	StateAwaitServerKeyExchange  // for ServerKeyExchange
	StateAwaitCertificateRequest // for CertificateRequest
	StateAwaitServerHelloDone    // for ServerHelloDone
	StateAwaitServerFinished     // for Finished, having sent its own

	// A server waits:
	StateAwaitClientHello       // for ClientHello, the one with a cookie if it asks for one
	StateAwaitClientCertificate // for Certificate, having sent ServerHello … ServerHelloDone
	StateAwaitClientKeyExchange // for ClientKeyExchange
	StateAwaitCertificateVerify // for CertificateVerify
	StateAwaitClientFinished    // for Finished

	StateEstablished // application data flows
	StateClosed      // Err says why
)

var stateNames = [...]string{
	"new",
	"await ServerHello", "await Certificate", "await ServerKeyExchange", "await CertificateRequest", "await ServerHelloDone", "await Finished",
	"await ClientHello", "await Certificate", "await ClientKeyExchange", "await CertificateVerify", "await Finished",
	"established", "closed",
}

func (s State) String() string { return stateNames[s] }

// awaits names the message that the state waits for.
func (s State) awaits() string { return steps[s].want.String() }

// A step reads the message that a state waits for, and only that one; what it
// returns is a [LocalError].
type step struct {
	want handshakeType
	read func(h *handshake, now time.Time, body []byte) error
}

// steps is the handshake: the two sides' states, in the order of the wire.
var steps = [...]step{
	StateAwaitServerHello:        {typeServerHello, (*handshake).readServerHello},
	StateAwaitServerCertificate:  {typeCertificate, (*handshake).readServerCertificate12},
	StateAwaitServerKeyExchange:  {typeServerKeyExchange, (*handshake).readServerKeyExchange12},
	StateAwaitCertificateRequest: {typeCertificateRequest, (*handshake).readCertificateRequest12},
	StateAwaitServerHelloDone:    {typeServerHelloDone, (*handshake).readServerHelloDone12},
	StateAwaitServerFinished:     {typeFinished, (*handshake).readServerFinished12},

	StateAwaitClientHello:       {typeClientHello, (*handshake).readClientHello},
	StateAwaitClientCertificate: {typeCertificate, (*handshake).readClientCertificate12},
	StateAwaitClientKeyExchange: {typeClientKeyExchange, (*handshake).readClientKeyExchange12},
	StateAwaitCertificateVerify: {typeCertificateVerify, (*handshake).readCertificateVerify12},
	StateAwaitClientFinished:    {typeFinished, (*handshake).readClientFinished12},

	StateClosed: {},
}

// An Event is a rare fact that a connection tells its owner.
type Event interface{ event() }

// Established tells that the handshake is done: the peer has the key of the
// certificate that was asked for, and application data flows.
type Established struct{}

// Closed tells that the connection ended. Err is a [*LocalError], a
// [*PeerError] or a [*TimeoutError].
type Closed struct{ Err error }

func (Established) event() {}
func (Closed) event()      {}

// A timer is one of a connection's timers.
type timer uint8

const (
	// timerRetransmit runs while a flight waits for its answer.
	timerRetransmit timer = iota
	// timerHandshake bounds the whole handshake.
	timerHandshake
	// timerAlert runs after an alert that nobody authenticated; see alertGrace.
	timerAlert
)

func (t timer) String() string {
	return [...]string{"retransmit", "handshake", "alert"}[t]
}

// The reasons for which bytes from the network are dropped, as they are traced.
const (
	DropMalformedRecord   = "malformed record"
	DropMalformedFragment = "malformed handshake fragment"
	DropMalformedAlert    = "malformed alert"
	DropContentType       = "record type that has no place here"
	DropEpoch             = "record of an epoch that does not exist"
	DropReplayed          = "record seen before, or too old to tell"
	DropNotAuthentic      = "record that its keys do not open"
	DropTooEarly          = "record ahead of its keys, with no room left to hold it"
	DropPlaintext         = "record in clear after the handshake"
	DropNotStarted        = "record before Connect"
	DropClosed            = "record after the end of the connection"
	DropMessageAhead      = "handshake message too far ahead"
	DropMessageTooLong    = "handshake message longer than any of its type"
	DropUnknownMessage    = "handshake message of unknown type"
	DropReassemblyFull    = "handshake fragment with no room left to hold it"
	DropFragmentMismatch  = "handshake fragment that contradicts an earlier one"
	DropWrongProtection   = "handshake message with the wrong protection"
	DropDuplicateMessage  = "handshake message seen before"
	DropRenegotiation     = "attempt to renegotiate"
	DropWarning           = "warning alert"
	DropAlertNotAuthentic = "fatal alert in clear: believed if the handshake stands still"
)
