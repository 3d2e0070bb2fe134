package dtls

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"strings"
)

// A Fingerprint is a certificate's hash as SDP carries it (RFC 8122, Section 5).
type Fingerprint struct {
	Algorithm string // "sha-256", "sha-384" or "sha-512"
	Value     []byte
}

// fingerprintHashes are the hash functions we take, weakest first. RFC 8122
// also has sha-1, md5 and md2, which can be forged, and sha-224, which nobody sends.
var fingerprintHashes = []struct {
	name string
	hash crypto.Hash
}{
	{"sha-256", crypto.SHA256},
	{"sha-384", crypto.SHA384},
	{"sha-512", crypto.SHA512},
}

// ParseFingerprint reads the value of SDP's fingerprint attribute, such as
// "sha-256 4A:AD:B9:…".
func ParseFingerprint(s string) (Fingerprint, error) {
	name, digits, ok := strings.Cut(s, " ")
	if !ok {
		return Fingerprint{}, fmt.Errorf("dtls: %q is not a fingerprint: a hash function, a space and hexadecimal bytes are expected", s)
	}
	name = strings.ToLower(name)
	for _, f := range fingerprintHashes {
		if f.name != name {
			continue
		}
		pairs := strings.Split(strings.TrimSpace(digits), ":")
		value, err := hex.DecodeString(strings.Join(pairs, ""))
		if err != nil || len(value) != f.hash.Size() || len(pairs) != len(value) {
			return Fingerprint{}, fmt.Errorf("dtls: %q is not a %s fingerprint: %d hexadecimal bytes with colons between them are expected", s, name, f.hash.Size())
		}
		return Fingerprint{name, value}, nil
	}
	return Fingerprint{}, fmt.Errorf("dtls: fingerprints of hash function %q are not accepted: sha-256, sha-384 and sha-512 are", name)
}

// String returns the fingerprint as it stands in SDP.
func (f Fingerprint) String() string {
	var b strings.Builder
	b.WriteString(f.Algorithm)
	for i, v := range f.Value {
		sep := ':'
		if i == 0 {
			sep = ' '
		}
		fmt.Fprintf(&b, "%c%02X", sep, v)
	}
	return b.String()
}

// Fingerprint returns the certificate's sha-256 fingerprint.
func (c *Certificate) Fingerprint() Fingerprint {
	h := crypto.SHA256.New()
	h.Write(c.DER)
	return Fingerprint{"sha-256", h.Sum(nil)}
}

// strength is the place of the fingerprint's hash function in
// fingerprintHashes, -1 for none.
func (f Fingerprint) strength() int {
	for i := range fingerprintHashes {
		if fingerprintHashes[i].name == f.Algorithm {
			return i
		}
	}
	return -1
}

// Supported reports whether f's hash function is one that we take, and its value
// of the right length.
func (f Fingerprint) Supported() bool {
	i := f.strength()
	return i >= 0 && len(f.Value) == fingerprintHashes[i].hash.Size()
}

// Matches reports whether der is the certificate that f is the fingerprint of.
func (f Fingerprint) Matches(der []byte) bool {
	i := f.strength()
	if i < 0 {
		return false
	}
	h := fingerprintHashes[i].hash.New()
	h.Write(der)
	return bytes.Equal(h.Sum(make([]byte, 0, 64)), f.Value)
}

// verifyFingerprints accepts der if it matches a fingerprint of the strongest
// hash function among fs: of several it is for us to say which is the most
// secure, and one match is enough (RFC 8122, Section 5.1).
func verifyFingerprints(fs []Fingerprint, der []byte) error {
	best := -1
	for _, f := range fs {
		best = max(best, f.strength())
	}
	for _, f := range fs {
		if f.strength() == best && f.Matches(der) {
			return nil
		}
	}
	got := (&Certificate{DER: der}).Fingerprint()
	var want []string
	for _, f := range fs {
		want = append(want, f.String())
	}
	return fmt.Errorf("its fingerprint is %v, but signalling announced %s", got, strings.Join(want, " or "))
}
