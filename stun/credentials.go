package stun

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// OpaqueString prepares a username, realm or password by the profile of that
// name (RFC 8265, Section 4.2), so that two ends which typed the same words get
// the same key: spaces other than ASCII's become ASCII's, and characters that
// are no text, such as controls and invisible ones, are refused. Normalization
// to NFC, the profile's last step, is left to whoever typed the words.
func OpaqueString(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("stun: a credential must not be empty")
	}
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("stun: a credential must be UTF-8")
	}
	var prepared strings.Builder
	for _, r := range s {
		switch {
		case r >= 0x20 && r < 0x7f, freeform(r):
			prepared.WriteRune(r)
		case unicode.Is(unicode.Zs, r):
			prepared.WriteByte(' ')
		default:
			return "", fmt.Errorf("stun: a credential must not contain the character %U", r)
		}
	}
	return prepared.String(), nil
}

// freeform reports whether a character beyond printable ASCII is in the
// FreeformClass of RFC 8264, Section 4.3: letters, digits, marks, symbols,
// punctuation; not controls, formats and other invisible characters, surrogates,
// private use, nor what the Unicode version of this Go does not assign.
func freeform(r rune) bool {
	switch {
	case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r), unicode.Is(unicode.Variation_Selector, r):
		return false
	case r >= 0x1100 && r <= 0x11ff, r >= 0xa960 && r <= 0xa97f, r >= 0xd7b0 && r <= 0xd7ff:
		return false // "OldHangulJamo", RFC 8264, Section 9.9
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S)
}

// ShortTermKey returns the key of the short-term credential mechanism:
//
//	key = OpaqueString(password)
//
// RFC 8489, Section 9.1.1.
func ShortTermKey(password string) (*Key, error) {
	p, err := OpaqueString(password)
	if err != nil {
		return nil, err
	}
	return NewKey([]byte(p)), nil
}

// A PasswordAlgorithm turns a long-term password into a key.
type PasswordAlgorithm uint16

// The algorithms, RFC 8489, Section 18.5.
const (
	AlgorithmMD5    PasswordAlgorithm = 0x0001
	AlgorithmSHA256 PasswordAlgorithm = 0x0002
)

func (a PasswordAlgorithm) String() string {
	switch a {
	case AlgorithmMD5:
		return "MD5"
	case AlgorithmSHA256:
		return "SHA-256"
	}
	return fmt.Sprintf("%#04x", uint16(a))
}

// LongTermKey returns the key of the long-term credential mechanism:
//
//	key = MD5(OpaqueString(username) ":" OpaqueString(realm) ":" OpaqueString(password))
//
// or SHA-256 of the same. RFC 8489, Sections 18.5.1.1 and 18.5.1.2.
func LongTermKey(a PasswordAlgorithm, username, realm, password string) (*Key, error) {
	text, err := joined(username, realm, password)
	if err != nil {
		return nil, err
	}
	switch a {
	case AlgorithmMD5:
		sum := md5.Sum(text)
		return NewKey(sum[:]), nil
	case AlgorithmSHA256:
		sum := sha256.Sum256(text)
		return NewKey(sum[:]), nil
	}
	return nil, fmt.Errorf("stun: unknown password algorithm %v", a)
}

// Userhash returns the value of USERHASH, which stands for the username where
// that shall not be read on the way:
//
//	userhash = SHA-256(OpaqueString(username) ":" OpaqueString(realm))
//
// RFC 8489, Section 14.4.
func Userhash(username, realm string) ([sha256.Size]byte, error) {
	text, err := joined(username, realm)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(text), nil
}

func joined(parts ...string) ([]byte, error) {
	var text []byte
	for i, part := range parts {
		p, err := OpaqueString(part)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			text = append(text, ':')
		}
		text = append(text, p...)
	}
	return text, nil
}

// PasswordAlgorithm returns PASSWORD-ALGORITHM: the one the client chose.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Algorithm            |  Algorithm Parameters Length  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Algorithm Parameters (variable)
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 8489, Section 14.12, Figure 9. No algorithm has parameters so far; one
// that has them is not known here.
func (m Message) PasswordAlgorithm() (PasswordAlgorithm, bool) {
	value, _ := m.Get(AttrPasswordAlgorithm)
	r := wire.NewReader(value)
	a := PasswordAlgorithm(r.Uint16())
	parameters := r.Uint16()
	return a, r.Done() && parameters == 0
}

// PasswordAlgorithms returns PASSWORD-ALGORITHMS: those the server accepts, the
// one it likes best first, without any that has parameters. RFC 8489, Section 14.11.
func (m Message) PasswordAlgorithms() []PasswordAlgorithm {
	value, _ := m.Get(AttrPasswordAlgorithms)
	var algorithms []PasswordAlgorithm
	for r := wire.NewReader(value); r.Len() > 0 && len(algorithms) < maxUnknown; {
		a := PasswordAlgorithm(r.Uint16())
		parameters := int(r.Uint16())
		r.Skip(padded(parameters))
		if !r.OK() {
			return nil
		}
		if parameters == 0 {
			algorithms = append(algorithms, a)
		}
	}
	return algorithms
}

// AddPasswordAlgorithm adds PASSWORD-ALGORITHM.
func (b *Builder) AddPasswordAlgorithm(a PasswordAlgorithm) {
	b.AddUint32(AttrPasswordAlgorithm, uint32(a)<<16)
}

// AddPasswordAlgorithms adds PASSWORD-ALGORITHMS.
func (b *Builder) AddPasswordAlgorithms(algorithms ...PasswordAlgorithm) {
	at := b.open(AttrPasswordAlgorithms)
	for _, a := range algorithms {
		b.b = binary.BigEndian.AppendUint32(b.b, uint32(a)<<16)
	}
	b.close(at)
}

// nonceCookie starts a NONCE whose next four characters tell, in base 64, which
// security features its server has. RFC 8489, Section 9.2.
const nonceCookie = "obMatJos2"

// SecurityFeatures are the 24 bits that a server puts into its nonces, so that
// an attacker on the way cannot remove the offer of something better.
type SecurityFeatures uint32

// The features, RFC 8489, Section 18.1. Bit 0 is the most significant of 24.
const (
	FeaturePasswordAlgorithms SecurityFeatures = 1 << 23
	FeatureUsernameAnonymity  SecurityFeatures = 1 << 22
)

// NonceFeatures reads the security features out of a nonce; ok is false if it
// does not begin with the nonce cookie.
func NonceFeatures(nonce []byte) (features SecurityFeatures, ok bool) {
	rest, ok := strings.CutPrefix(string(nonce), nonceCookie)
	if !ok || len(rest) < 4 {
		return 0, false
	}
	bits, err := base64.StdEncoding.DecodeString(rest[:4])
	if err != nil || len(bits) != 3 {
		return 0, false
	}
	return SecurityFeatures(bits[0])<<16 | SecurityFeatures(bits[1])<<8 | SecurityFeatures(bits[2]), true
}

// AppendNonceFeatures appends the nonce cookie and the features: the beginning
// of a nonce.
func AppendNonceFeatures(b []byte, features SecurityFeatures) []byte {
	b = append(b, nonceCookie...)
	return base64.StdEncoding.AppendEncode(b, wire.AppendUint24(nil, uint32(features)))
}
