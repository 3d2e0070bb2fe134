package dtls

import (
	"crypto/elliptic"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A Config says how to connect. Certificate, Rand, and one of Fingerprints and
// VerifyPeer are required; what else is left zero has a default.
type Config struct {
	// Certificate is ours. It may be shared by connections.
	Certificate *Certificate
	// Rand is where every random byte comes from.
	Rand io.Reader
	// Fingerprints are those of the peer's certificate, as signalling announced
	// them. One that matches is enough.
	Fingerprints []Fingerprint
	// VerifyPeer, if Fingerprints is empty, says whether the peer may have this
	// certificate. Its error is shown to the user behind "the peer's certificate
	// is refused: ".
	VerifyPeer func(der []byte) error
	// CipherSuites, Groups and SRTPProfiles are what is acceptable, best first.
	// The server's order decides. Without SRTPProfiles use_srtp is not offered.
	CipherSuites []CipherSuite
	Groups       []Group
	SRTPProfiles []SRTPProfile
	// Cookie makes a server send nothing but a HelloVerifyRequest to a client
	// that has not shown that it receives at its address (RFC 6347, Section
	// 4.2.1). ICE has shown that already, so it would be a round trip for nothing.
	Cookie bool
	// MTU is the size of the largest datagram of the handshake: 1200 if zero.
	MTU int
	// InitialRTO is when a flight is sent again first: after 50 ms if zero, as
	// browsers do, not the second of RFC 6347, Section 4.2.4.1.
	InitialRTO time.Duration
	// HandshakeTimeout bounds the handshake: 30 s if zero.
	HandshakeTimeout time.Duration
	// Trace is told what happens; it may be nil.
	Trace *trace.Tracer
}

// minMTU leaves room for a fragment of some use in any record.
const minMTU = 200

// withDefaults checks the config and fills it up.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Certificate == nil || c.Certificate.Key == nil || len(c.Certificate.DER) == 0:
		return c, errors.New("dtls: Config.Certificate is required: see GenerateCertificate")
	case c.Certificate.Key.Curve != elliptic.P256():
		return c, errors.New("dtls: Config.Certificate has a key that is not on P-256")
	case len(c.Certificate.DER) > handshakeTypes[typeCertificate].max-6:
		return c, errors.New("dtls: Config.Certificate is too large")
	case c.Rand == nil:
		return c, errors.New("dtls: Config.Rand is required")
	case len(c.Fingerprints) == 0 && c.VerifyPeer == nil:
		return c, errors.New("dtls: Config needs the peer's Fingerprints, or VerifyPeer")
	}
	for _, f := range c.Fingerprints {
		if f.strength() < 0 {
			return c, fmt.Errorf("dtls: fingerprints of hash function %q are not accepted: sha-256, sha-384 and sha-512 are", f.Algorithm)
		}
	}
	if c.CipherSuites == nil {
		c.CipherSuites = defaultCipherSuites
	}
	if len(c.CipherSuites) == 0 {
		return c, errors.New("dtls: Config.CipherSuites is empty")
	}
	for _, s := range c.CipherSuites {
		if s.params() == nil {
			return c, fmt.Errorf("dtls: %v is not supported", s)
		}
	}
	if c.Groups == nil {
		c.Groups = defaultGroups
	}
	if len(c.Groups) == 0 {
		return c, errors.New("dtls: Config.Groups is empty")
	}
	for _, g := range c.Groups {
		if g.curve() == nil {
			return c, fmt.Errorf("dtls: %v is not supported", g)
		}
	}
	if c.MTU == 0 {
		c.MTU = 1200
	}
	if c.MTU < minMTU {
		return c, fmt.Errorf("dtls: Config.MTU is %d: at least %d is needed", c.MTU, minMTU)
	}
	if c.InitialRTO == 0 {
		c.InitialRTO = 50 * time.Millisecond
	}
	if c.HandshakeTimeout == 0 {
		c.HandshakeTimeout = 30 * time.Second
	}
	if c.InitialRTO < 0 || c.HandshakeTimeout < 0 {
		return c, errors.New("dtls: Config has a negative duration")
	}
	return c, nil
}

var (
	defaultCipherSuites = []CipherSuite{suites[0].suite, suites[1].suite, suites[2].suite}
	defaultGroups       = []Group{X25519, Secp256r1}
)

func (c *Config) verifyPeer(der []byte) error {
	if len(c.Fingerprints) > 0 {
		return verifyFingerprints(c.Fingerprints, der)
	}
	return c.VerifyPeer(der)
}
