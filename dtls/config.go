package dtls

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
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
	// certificate: one with an RSA key too, which a program that wants ECDSA
	// alone has to refuse. Its error is shown to the user behind "the peer's
	// certificate is refused: ".
	VerifyPeer func(der []byte) error
	// VerifyChain is VerifyPeer for programs that ask an authority: the peer's
	// certificate is the first, and what follows may help to show who signed it.
	VerifyChain func(chain [][]byte) error
	// NoClientCertificate makes a server ask for no certificate, so that any client
	// is served, as TURN over DTLS has it (RFC 8656, Section 3.1); a server then
	// needs neither Fingerprints nor VerifyPeer. A client goes on if its server does
	// not ask. In WebRTC both must know each other.
	NoClientCertificate bool
	// MinVersion and MaxVersion are the oldest and the newest version to speak.
	// DTLS12 and DTLS13 if zero. A version without a cipher suite and a group is
	// not spoken.
	MinVersion, MaxVersion Version
	// CipherSuites, Groups and SRTPProfiles are what is acceptable, best first.
	// The server's order decides. Without SRTPProfiles use_srtp is not offered.
	CipherSuites []CipherSuite
	Groups       []Group
	SRTPProfiles []SRTPProfile
	// PathValidated says that the peer is known to receive at its address, as
	// ICE makes sure. Without it a server sends a client that has not shown it
	// at most three times the bytes that came from it.
	PathValidated bool
	// Cookie makes a server send nothing but a HelloVerifyRequest or a
	// HelloRetryRequest to such a client (RFC 6347, Section 4.2.1; RFC 9147,
	// Section 5.1). With PathValidated it is a round trip for nothing.
	Cookie bool
	// CookieSecret and PeerAddress, with Cookie, make all servers with the same
	// secret believe each other's cookies, if they come from the same address: one
	// that asked for a cookie can be forgotten; see [Conn.Forgettable]. Without a
	// CookieSecret each server has its own.
	CookieSecret [32]byte
	PeerAddress  netip.AddrPort
	// MTU is the size of the largest datagram of the handshake: 1200 if zero.
	MTU int
	// InitialRTO is when a flight is sent again first: after 50 ms if zero, as
	// browsers do, not the second of RFC 6347, Section 4.2.4.1.
	InitialRTO time.Duration
	// HandshakeTimeout bounds the handshake, and the wait for the acknowledgement
	// of a KeyUpdate: 30 s if zero.
	HandshakeTimeout time.Duration
	// Trace is told what happens; it may be nil.
	Trace *trace.Tracer
}

// minMTU leaves room for a fragment of some use in any record.
const minMTU = 200

// withDefaults checks the config and fills it up.
func (c Config) withDefaults(isClient bool) (Config, error) {
	switch {
	case c.Certificate == nil || c.Certificate.Key == nil || len(c.Certificate.DER) == 0:
		return c, errors.New("dtls: Config.Certificate is required: see GenerateCertificate")
	case len(c.Certificate.DER) > handshakeTypes[typeCertificate].max-6:
		return c, errors.New("dtls: Config.Certificate is too large")
	case c.Rand == nil:
		return c, errors.New("dtls: Config.Rand is required")
	case len(c.Fingerprints) == 0 && c.VerifyPeer == nil && c.VerifyChain == nil && (isClient || !c.NoClientCertificate):
		return c, errors.New("dtls: Config needs the peer's Fingerprints, or VerifyPeer")
	}
	if err := c.Certificate.check(); err != nil {
		return c, err
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
	if !isClient {
		// Of the suites of DTLS 1.2 a server can only choose those that its own
		// certificate fits.
		ours := isRSA(c.Certificate.Key.Public())
		c.CipherSuites = slices.DeleteFunc(slices.Clone(c.CipherSuites), func(s CipherSuite) bool {
			return s.params().version == DTLS12 && s.params().rsa != ours
		})
	}
	if c.Groups == nil {
		c.Groups = defaultGroups
	}
	if len(c.Groups) == 0 {
		return c, errors.New("dtls: Config.Groups is empty")
	}
	for _, g := range c.Groups {
		if !g.known() {
			return c, fmt.Errorf("dtls: %v is not supported", g)
		}
	}
	if err := c.chooseVersions(); err != nil {
		return c, err
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
	defaultCipherSuites = []CipherSuite{
		suites13[0].suite, suites13[1].suite, suites13[2].suite,
		suites[0].suite, suites[1].suite, suites[2].suite,
		suitesRSA[0].suite, suitesRSA[1].suite, suitesRSA[2].suite,
	}
	defaultGroups = []Group{X25519MLKEM768, X25519, Secp256r1, Secp384r1}
)

// The versions between MinVersion and MaxVersion, if these are zero.
const (
	defaultMinVersion = DTLS12
	defaultMaxVersion = DTLS13
)

// chooseVersions narrows the versions to those that have a cipher suite and a
// group, and cipher suites and groups to those that the versions have.
func (c *Config) chooseVersions() error {
	if c.MinVersion == 0 {
		c.MinVersion = max(defaultMinVersion, c.MaxVersion) // a greater number is older
	}
	if c.MaxVersion == 0 {
		c.MaxVersion = min(defaultMaxVersion, c.MinVersion)
	}
	for _, v := range []Version{c.MinVersion, c.MaxVersion} {
		if v != DTLS12 && v != DTLS13 {
			return fmt.Errorf("dtls: %v is not supported", v)
		}
	}
	if c.MaxVersion.before(c.MinVersion) {
		return fmt.Errorf("dtls: Config.MinVersion is %v and MaxVersion %v", c.MinVersion, c.MaxVersion)
	}
	has := func(v Version) bool {
		return slices.ContainsFunc(c.CipherSuites, func(s CipherSuite) bool { return s.params().version == v })
	}
	if !has(DTLS13) {
		c.MaxVersion = DTLS12
	}
	if !has(DTLS12) || len(curves(c.Groups)) == 0 {
		c.MinVersion = DTLS13
	}
	if c.MaxVersion.before(c.MinVersion) {
		return errors.New("dtls: Config leaves no version of DTLS that has both a cipher suite and a group")
	}
	c.CipherSuites = slices.DeleteFunc(slices.Clone(c.CipherSuites), func(s CipherSuite) bool { return !c.speaks(s.params().version) })
	if !c.speaks(DTLS13) {
		c.Groups = curves(c.Groups)
	}
	return nil
}

// speaks reports whether v is one of the versions to speak.
func (c *Config) speaks(v Version) bool { return !v.before(c.MinVersion) && !c.MaxVersion.before(v) }

// versions are those to speak, newest first.
func (c *Config) versions() (vs []Version) {
	for _, v := range []Version{DTLS13, DTLS12} {
		if c.speaks(v) {
			vs = append(vs, v)
		}
	}
	return vs
}

// offeredShares are the groups that a client sends key shares for, in the hope
// that the server need not ask for another: the best, and X25519 with the
// hybrid, which everybody has and which costs 36 bytes more.
func (c *Config) offeredShares() []Group {
	if c.Groups[0] == X25519MLKEM768 && slices.Contains(c.Groups, X25519) {
		return []Group{X25519MLKEM768, X25519}
	}
	return c.Groups[:1]
}

func (c *Config) verifyPeer(m *certificateMessage) error {
	switch {
	case len(c.Fingerprints) > 0:
		return verifyFingerprints(c.Fingerprints, m.leaf)
	case c.VerifyChain != nil:
		return c.VerifyChain(append([][]byte{m.leaf}, m.issuers...))
	}
	return c.VerifyPeer(m.leaf)
}
