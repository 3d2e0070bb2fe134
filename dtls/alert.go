package dtls

import "fmt"

// An Alert is the description in an alert message (RFC 5246, Section 7.2).
type Alert uint8

// The alerts that are sent or told apart here.
const (
	AlertCloseNotify          Alert = 0
	AlertUnexpectedMessage    Alert = 10
	AlertBadRecordMAC         Alert = 20
	AlertRecordOverflow       Alert = 22
	AlertHandshakeFailure     Alert = 40
	AlertBadCertificate       Alert = 42
	AlertUnsupportedCert      Alert = 43
	AlertCertificateUnknown   Alert = 46
	AlertIllegalParameter     Alert = 47
	AlertUnknownCA            Alert = 48
	AlertDecodeError          Alert = 50
	AlertDecryptError         Alert = 51
	AlertProtocolVersion      Alert = 70
	AlertInsufficientSecurity Alert = 71
	AlertInternalError        Alert = 80
	AlertUserCanceled         Alert = 90
	AlertNoRenegotiation      Alert = 100
	AlertUnsupportedExtension Alert = 110
)

var alertNames = map[Alert]string{
	AlertCloseNotify:          "close_notify",
	AlertUnexpectedMessage:    "unexpected_message",
	AlertBadRecordMAC:         "bad_record_mac",
	AlertRecordOverflow:       "record_overflow",
	AlertHandshakeFailure:     "handshake_failure",
	AlertBadCertificate:       "bad_certificate",
	AlertUnsupportedCert:      "unsupported_certificate",
	AlertCertificateUnknown:   "certificate_unknown",
	AlertIllegalParameter:     "illegal_parameter",
	AlertUnknownCA:            "unknown_ca",
	AlertDecodeError:          "decode_error",
	AlertDecryptError:         "decrypt_error",
	AlertProtocolVersion:      "protocol_version",
	AlertInsufficientSecurity: "insufficient_security",
	AlertInternalError:        "internal_error",
	AlertUserCanceled:         "user_canceled",
	AlertNoRenegotiation:      "no_renegotiation",
	AlertUnsupportedExtension: "unsupported_extension",
}

func (a Alert) String() string {
	if s, ok := alertNames[a]; ok {
		return s
	}
	return fmt.Sprintf("alert %d", uint8(a))
}

// An alertLevel says whether an alert ends the connection.
type alertLevel uint8

const (
	levelWarning alertLevel = 1
	levelFatal   alertLevel = 2
)

// An alertMessage is the content of an alert record.
//
//	struct {
//	    AlertLevel level;
//	    AlertDescription description;
//	} Alert;
type alertMessage struct {
	level       alertLevel
	description Alert
}

func parseAlert(b []byte) (m alertMessage, ok bool) {
	if len(b) != 2 {
		return m, false
	}
	m = alertMessage{alertLevel(b[0]), Alert(b[1])}
	return m, m.level == levelWarning || m.level == levelFatal
}

func (m alertMessage) append(b []byte) []byte {
	return append(b, byte(m.level), byte(m.description))
}

func (m alertMessage) String() string { return "Alert " + m.description.String() }

// ends reports whether the alert ends the connection. close_notify does
// whatever its level says (RFC 5246, Section 7.2.1).
func (m alertMessage) ends() bool {
	return m.level == levelFatal || m.description == AlertCloseNotify
}

// A LocalError is the end of a connection that this side decided on. The peer
// was sent Alert.
type LocalError struct {
	Alert Alert
	// Reason says what was wrong, as a sentence for the user.
	Reason string
}

func (e *LocalError) Error() string { return "dtls: " + e.Reason }

// refuse is how a handshake step ends the connection.
func refuse(a Alert, format string, args ...any) error {
	return &LocalError{a, fmt.Sprintf(format, args...)}
}

// A PeerError is the end of a connection that the peer decided on, by sending
// Alert. AlertCloseNotify is the orderly end.
type PeerError struct {
	Alert Alert
	// Unauthenticated is set when the alert came in clear, as all alerts do
	// before the handshake has keys, and so may have been forged by anyone who
	// knows the peer's address. The handshake made no progress after it.
	Unauthenticated bool
}

func (e *PeerError) Error() string {
	switch {
	case e.Alert == AlertCloseNotify:
		return "dtls: the peer closed the connection"
	case e.Alert == AlertBadCertificate:
		return "dtls: the peer refused our certificate (alert bad_certificate): does it know our fingerprint?"
	}
	return "dtls: the peer ended the connection with alert " + e.Alert.String()
}

// A TimeoutError is the end of a handshake that took too long.
type TimeoutError struct {
	// Waiting is the state that the handshake was stuck in.
	Waiting State
}

func (e *TimeoutError) Error() string {
	return "dtls: the handshake timed out while waiting for " + e.Waiting.awaits()
}

// Timeout makes a TimeoutError a timeout in the sense of net.Error.
func (e *TimeoutError) Timeout() bool { return true }
