package ice

import (
	"encoding/base64"
	"fmt"
	"io"

	"github.com/plainrtc/plainrtc/stun"
)

// Credentials are a username fragment and a password, which an agent tells its
// peer. RFC 8445, Section 5.3.
type Credentials struct {
	Ufrag string
	Pwd   string
}

// NewCredentials draws credentials from random: 48 bits of fragment, 144 bits of password.
//
// "The values MUST be unguessable, with at least 128 bits of random number
// generator output used to generate the password, and at least 24 bits of output
// to generate the username fragment." RFC 8445, Section 5.3.
func NewCredentials(random io.Reader) Credentials {
	var b [24]byte
	read(random, b[:])
	text := base64.StdEncoding.EncodeToString(b[:])
	return Credentials{Ufrag: text[:8], Pwd: text[8:]}
}

// check reports in words what is wrong with the peer's credentials.
//
//	ufrag = 4*256ice-char
//	password = 22*256ice-char
//
// RFC 8839, Section 5.4.
func (c Credentials) check() error {
	if !isIceChars(c.Ufrag, 4, 256) {
		return fmt.Errorf("ice: the peer's username fragment %.40q is not 4 to 256 of A-Z a-z 0-9 + /", c.Ufrag)
	}
	if !isIceChars(c.Pwd, 22, 256) {
		return fmt.Errorf("ice: the peer's password is not 22 to 256 of A-Z a-z 0-9 + /; it has %d characters", len(c.Pwd))
	}
	return nil
}

// A session is what RFC 8445 calls an ICE session: from one exchange of
// credentials to the next restart. Pairs, and the messages on them, belong to
// one.
type session struct {
	local, remote Credentials // remote is zero until told
	localKey      *stun.Key   // checks what arrives, protects our responses
	remoteKey     *stun.Key   // protects our checks, checks their responses; nil until told
	username      string      // of our checks
}

func newSession(local Credentials) *session {
	return &session{local: local, localKey: stun.NewKey([]byte(local.Pwd))}
}

// setRemote completes the session.
//
// "The username for the credential is formed by concatenating the username
// fragment provided by the peer with the username fragment of the ICE agent
// sending the request, separated by a colon (":"). The password is equal to the
// password provided by the peer." RFC 8445, Section 7.2.2.
func (s *session) setRemote(c Credentials) {
	s.remote = c
	s.remoteKey = stun.NewKey([]byte(c.Pwd))
	s.username = s.checkUsername(c)
}

// checkUsername is the username of checks to a peer with those credentials.
func (s *session) checkUsername(peer Credentials) string { return peer.Ufrag + ":" + s.local.Ufrag }

// complete reports whether checks can be sent.
func (s *session) complete() bool { return s.remoteKey != nil }

// read fills b from a source of randomness that must not fail.
func read(random io.Reader, b []byte) {
	if _, err := io.ReadFull(random, b); err != nil {
		panic("BUG: the source of randomness failed: " + err.Error())
	}
}
