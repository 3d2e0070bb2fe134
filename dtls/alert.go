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
	AlertMissingExtension     Alert = 109
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
	AlertMissingExtension:     "missing_extension",
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
