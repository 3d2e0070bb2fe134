package sdp

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// A Transport is what a media section says about the way to its sender: the ICE
// agent (RFC 8839) and the DTLS end (RFC 8842) behind it.
//
// Bundled sections share the transport of the group's first, its tagged section
// ([Session.BundleTag]); the others may say nothing, or say the same.
type Transport struct {
	Ufrag, Pwd string
	Options    []string // such as "trickle"; nil when nothing is said
	Lite       bool

	Fingerprints []Fingerprint
	Setup        Setup
	TLSID        string // "" when nothing is said

	Candidates      []string // each "candidate:…", as ice.ParseCandidate reads it
	EndOfCandidates bool
}

// Transport collects the transport of a section from what it says and what it
// inherits from the session. A nil section asks for what the session says.
//
// It fails, in words for the user, if a connection cannot be made of it: RFC
// 9429, Section 5.8.3, asks for an ICE username fragment and password, a
// fingerprint and a DTLS role.
func (s *Session) Transport(m *Media) (Transport, error) {
	t := Transport{
		Options:      s.ICEOptions(m),
		Lite:         s.Has(string(ICELite)),
		Fingerprints: s.Fingerprints(m),
	}
	var okUfrag, okPwd, okSetup bool
	t.Ufrag, okUfrag = s.ICEUfrag(m)
	t.Pwd, okPwd = s.ICEPwd(m)
	t.Setup, okSetup = s.Setup(m)
	t.TLSID, _ = first(s.inherited(m, "tls-id"), "tls-id", parseTLSID)
	if m != nil {
		for _, a := range m.Attributes {
			if a.is("candidate") {
				t.Candidates = append(t.Candidates, string(a))
			}
		}
		t.EndOfCandidates = m.Has(string(EndOfCandidates))
	}
	t.EndOfCandidates = t.EndOfCandidates || s.Has(string(EndOfCandidates))
	switch {
	case !okUfrag:
		return t, missing(m, "ice-ufrag")
	case !okPwd:
		return t, missing(m, "ice-pwd")
	case len(t.Fingerprints) == 0:
		return t, missing(m, "fingerprint")
	case !okSetup:
		return t, missing(m, "setup")
	}
	return t, nil
}

func missing(m *Media, name string) error {
	if m == nil {
		return fmt.Errorf("sdp: the description has no a=%s at session level", name)
	}
	mid, _ := m.MID()
	return fmt.Errorf("sdp: the %s section with mid %q has no a=%s, and neither has the session", m.Kind, mid, name)
}

// Append appends the transport's attributes in the order of Chromium. ICELite
// stands at session level and is not among them.
func (t *Transport) Append(as Attributes) Attributes {
	as = slices.Grow(as, len(t.Candidates)+len(t.Fingerprints)+6)
	for _, c := range t.Candidates {
		as = append(as, Candidate(c))
	}
	if t.EndOfCandidates {
		as = append(as, EndOfCandidates)
	}
	as = append(as, ICEUfrag(t.Ufrag), ICEPwd(t.Pwd))
	if len(t.Options) > 0 {
		as = append(as, ICEOptions(t.Options...))
	}
	for _, f := range t.Fingerprints {
		as = append(as, f.Attribute())
	}
	if t.Setup != "" {
		as = append(as, t.Setup.Attribute())
	}
	if t.TLSID != "" {
		as = append(as, TLSID(t.TLSID))
	}
	return as
}

// ICEUfrag is the attribute of an ICE username fragment.
func ICEUfrag(ufrag string) Attribute { return NewAttribute("ice-ufrag", ufrag) }

// ICEPwd is the attribute of an ICE password.
func ICEPwd(pwd string) Attribute { return NewAttribute("ice-pwd", pwd) }

// ICEOptions is the attribute that lists ICE extensions.
func ICEOptions(options ...string) Attribute {
	return NewAttribute("ice-options", strings.Join(options, " "))
}

// Candidate is the attribute of an ICE candidate, whose text may begin with
// "candidate:" as it does between W3C's APIs, or not.
func Candidate(text string) Attribute {
	if Attribute(text).is("candidate") {
		return Attribute(text)
	}
	return NewAttribute("candidate", text)
}

// TLSID is the attribute whose change asks for a new DTLS association.
func TLSID(id string) Attribute { return NewAttribute("tls-id", id) }

// ICEUfrag is the username fragment a section has or inherits.
func (s *Session) ICEUfrag(m *Media) (string, bool) {
	return first(s.inherited(m, "ice-ufrag"), "ice-ufrag", parseUfrag)
}

// ICEPwd is the password a section has or inherits.
func (s *Session) ICEPwd(m *Media) (string, bool) {
	return first(s.inherited(m, "ice-pwd"), "ice-pwd", parsePwd)
}

// ICEOptions are the options a section has or inherits.
func (s *Session) ICEOptions(m *Media) []string {
	options, _ := first(s.inherited(m, "ice-options"), "ice-options", parseOptions)
	return options
}

// RFC 8839, Section 5.4:
//
//	ufrag     = 4*256ice-char
//	password  = 22*256ice-char
func parseUfrag(c *cursor) string {
	return iceWord(c, 4, "a username fragment of 4 to 256 ICE characters")
}
func parsePwd(c *cursor) string { return iceWord(c, 22, "a password of 22 to 256 ICE characters") }

func iceWord(c *cursor, least int, expected string) string {
	start := c.at
	word := c.word(expected)
	if c.check(start, word, isICEByte, expected); len(word) < least || len(word) > 256 {
		c.failAt(start, expected)
	}
	c.done()
	return word
}

// isICEByte tells an ice-char, of which RFC 8839 has letters, digits, "+" and
// "/". Older stacks send four more, and browsers accept those. No colon: it
// separates the two fragments in STUN's USERNAME.
func isICEByte(b byte) bool {
	lower := b | 0x20
	return 'a' <= lower && lower <= 'z' || '0' <= b && b <= '9' ||
		b == '+' || b == '/' || b == '-' || b == '_' || b == '=' || b == '#'
}

// parseOptions reads RFC 8839, Section 5.6:
//
//	"ice-options:" ice-option-tag *(SP ice-option-tag)
func parseOptions(c *cursor) []string {
	var options []string
	for c.more() {
		options = append(options, c.word("an ICE option"))
	}
	return options
}

// A Fingerprint is the hash of a certificate (RFC 8122, Section 5).
type Fingerprint struct {
	Algorithm string // such as "sha-256"
	Value     []byte // the hash
}

// String is the fingerprint in SDP's words: "sha-256 25:8D:…".
func (f Fingerprint) String() string { return f.Algorithm + " " + string(f.appendValue(nil)) }

// Attribute is the attribute of a fingerprint.
func (f Fingerprint) Attribute() Attribute {
	b := make([]byte, 0, 128)
	b = append(b, "fingerprint:"...)
	b = append(b, f.Algorithm...)
	b = append(b, ' ')
	return Attribute(f.appendValue(b))
}

func (f Fingerprint) appendValue(b []byte) []byte {
	const digits = "0123456789ABCDEF"
	for i, v := range f.Value {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[v>>4], digits[v&15])
	}
	return b
}

// Fingerprints are those a section has, or else inherits. The peer's
// certificate must match one (RFC 8122, Section 5.1, says which).
func (s *Session) Fingerprints(m *Media) []Fingerprint {
	return slices.Collect(each(s.inherited(m, "fingerprint"), "fingerprint", parseFingerprint))
}

// parseFingerprint reads RFC 8122, Section 5:
//
//	"fingerprint" ":" hash-func SP fingerprint
//	fingerprint = 2UHEX *(":" 2UHEX)
//
// Lower case is accepted, as every stack does.
func parseFingerprint(c *cursor) Fingerprint {
	const value = "pairs of hexadecimal digits with colons between them"
	f := Fingerprint{Algorithm: c.token("a hash function, such as sha-256")}
	c.space(value)
	f.Value = make([]byte, 0, (len(c.text)-c.at+1)/3)
	for c.err == nil {
		pair := c.text[c.at:min(c.at+2, len(c.text))]
		var b [1]byte
		if n, err := hex.Decode(b[:], []byte(pair)); n != 1 || err != nil {
			c.fail(value)
			break
		}
		f.Value = append(f.Value, b[0])
		if c.at += 2; !c.take(':') {
			break
		}
	}
	c.done()
	return f
}

// A Setup is who sends the DTLS ClientHello (RFC 4145, Section 4, with the
// meaning of RFC 8842, Section 5).
type Setup string

const (
	ActPass  Setup = "actpass"  // the answer decides: what an offer says
	Active   Setup = "active"   // we are the DTLS client
	Passive  Setup = "passive"  // we are the DTLS server
	HoldConn Setup = "holdconn" // no connection for now: not used by WebRTC
)

// Attribute is the attribute of a role.
func (s Setup) Attribute() Attribute { return NewAttribute("setup", string(s)) }

// Answer is the role that answers s. To "actpass" it is "active", which saves
// the offerer's flight from waiting for the answer (RFC 8842, Section 5.3).
func (s Setup) Answer() Setup {
	if s == Active {
		return Passive
	}
	return Active
}

// Setup is the role a section has or inherits.
func (s *Session) Setup(m *Media) (Setup, bool) {
	return first(s.inherited(m, "setup"), "setup", parseSetup)
}

func parseSetup(c *cursor) Setup {
	const roles = "actpass, active or passive"
	start := c.at
	setup := Setup(c.word(roles))
	switch setup {
	case ActPass, Active, Passive, HoldConn:
	default:
		c.failAt(start, roles)
	}
	c.done()
	return setup
}

// parseTLSID reads RFC 8842, Section 4:
//
//	tls-id-value = 20*255(tls-id-char)
//
// Its length and characters are the peer's affair: the value is only compared.
func parseTLSID(c *cursor) string {
	id := c.word("a TLS id")
	c.done()
	return id
}
