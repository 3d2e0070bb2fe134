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

	// In DTLS 1.3 it waits instead, in the order of RFC 9147, Section 5.8.1, for:
	StateAwaitEncryptedExtensions       // EncryptedExtensions
	StateAwaitCertificateRequest13      // CertificateRequest
	StateAwaitServerCertificate13       // Certificate
	StateAwaitServerCertificateVerify13 // CertificateVerify
	StateAwaitServerFinished13          // Finished

	// A server waits:
	StateAwaitClientHello       // for ClientHello, the one with a cookie if it asks for one
	StateAwaitClientCertificate // for Certificate, having sent ServerHello … ServerHelloDone
	StateAwaitClientKeyExchange // for ClientKeyExchange
	StateAwaitCertificateVerify // for CertificateVerify
	StateAwaitClientFinished    // for Finished

	// In DTLS 1.3, having sent ServerHello … Finished:
	StateAwaitClientCertificate13 // for Certificate
	StateAwaitCertificateVerify13 // for CertificateVerify
	StateAwaitClientFinished13    // for Finished

	StateEstablished // application data flows
	StateClosed      // Err says why
)

var stateNames = [...]string{
	"new",
	"await ServerHello", "await Certificate", "await ServerKeyExchange", "await CertificateRequest", "await ServerHelloDone", "await Finished",
	"await EncryptedExtensions", "await CertificateRequest", "await Certificate", "await CertificateVerify", "await Finished",
	"await ClientHello", "await Certificate", "await ClientKeyExchange", "await CertificateVerify", "await Finished",
	"await Certificate", "await CertificateVerify", "await Finished",
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

	StateAwaitEncryptedExtensions:       {typeEncryptedExtensions, (*handshake).readEncryptedExtensions},
	StateAwaitCertificateRequest13:      {typeCertificateRequest, (*handshake).readCertificateRequest13},
	StateAwaitServerCertificate13:       {typeCertificate, (*handshake).readServerCertificate13},
	StateAwaitServerCertificateVerify13: {typeCertificateVerify, (*handshake).readServerCertificateVerify13},
	StateAwaitServerFinished13:          {typeFinished, (*handshake).readServerFinished13},

	StateAwaitClientHello:       {typeClientHello, (*handshake).readClientHello},
	StateAwaitClientCertificate: {typeCertificate, (*handshake).readClientCertificate12},
	StateAwaitClientKeyExchange: {typeClientKeyExchange, (*handshake).readClientKeyExchange12},
	StateAwaitCertificateVerify: {typeCertificateVerify, (*handshake).readCertificateVerify12},
	StateAwaitClientFinished:    {typeFinished, (*handshake).readClientFinished12},

	StateAwaitClientCertificate13: {typeCertificate, (*handshake).readClientCertificate13},
	StateAwaitCertificateVerify13: {typeCertificateVerify, (*handshake).readClientCertificateVerify13},
	StateAwaitClientFinished13:    {typeFinished, (*handshake).readClientFinished13},

	StateClosed: {},
}
