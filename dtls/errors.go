package dtls

import "fmt"

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

// A TimeoutError is the end of a handshake that took too long, or of a
// connection whose KeyUpdate was never acknowledged.
type TimeoutError struct {
	// Waiting is the state that the handshake was stuck in.
	Waiting State
	// KeyUpdate is set when that came later.
	KeyUpdate bool
}

func (e *TimeoutError) Error() string {
	switch {
	case e.KeyUpdate:
		return "dtls: the peer did not acknowledge our KeyUpdate: has it gone?"
	case e.Waiting == StateEstablished:
		return "dtls: the handshake timed out while waiting for the server to acknowledge Finished"
	}
	return "dtls: the handshake timed out while waiting for " + e.Waiting.awaits()
}

// Timeout makes a TimeoutError a timeout in the sense of net.Error.
func (e *TimeoutError) Timeout() bool { return true }
