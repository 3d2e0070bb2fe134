package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A Certificate is what this side shows and the key that proves it is ours.
type Certificate struct {
	DER []byte
	// Key is an ECDSA key on P-256, the curve that RFC 8827, Section 6.5 makes
	// every WebRTC implementation support.
	Key *ecdsa.PrivateKey
}

// certificateLifetime is what browsers give theirs.
const certificateLifetime = 30 * 24 * time.Hour

// GenerateCertificate makes a key and signs a certificate with it. It is valid
// from a day before now, for clocks that run late, to 30 days after. What it is
// called does not matter: peers know it by its fingerprint. All of it, the
// signature included, follows from rand and now.
func GenerateCertificate(rand io.Reader, now time.Time) (*Certificate, error) {
	key, err := generateKey(rand)
	if err != nil {
		return nil, err
	}
	serial := make([]byte, 16)
	if _, err := io.ReadFull(rand, serial); err != nil {
		return nil, randError(err)
	}
	serial[0] = serial[0]&0x3f | 0x40 // positive, and as long as it looks
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: "plainrtc"},
		NotBefore:    now.Add(-24 * time.Hour),
		NotAfter:     now.Add(certificateLifetime),
	}
	der, err := x509.CreateCertificate(rand, template, template, &key.PublicKey, deterministicSigner{key})
	if err != nil {
		return nil, fmt.Errorf("dtls: cannot make a certificate: %w", err)
	}
	return &Certificate{der, key}, nil
}

func randError(err error) error {
	return fmt.Errorf("dtls: the source of randomness failed: %w", err)
}

// generateKey makes a key of P-256 from rand's bytes alone; ecdsa.GenerateKey
// does not let itself be reproduced.
func generateKey(rand io.Reader) (*ecdsa.PrivateKey, error) {
	var scalar [32]byte
	// One scalar in 2^32 lies outside the group, where another is drawn; twice
	// in a row means that the source is broken.
	for range 2 {
		if _, err := io.ReadFull(rand, scalar[:]); err != nil {
			return nil, randError(err)
		}
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:]); err == nil {
			return key, nil
		}
	}
	return nil, errors.New("dtls: the source of randomness yields no private key: is it random?")
}

// A deterministicSigner signs as RFC 6979 says, whatever randomness x509 offers.
type deterministicSigner struct{ key *ecdsa.PrivateKey }

func (s deterministicSigner) Public() crypto.PublicKey { return s.key.Public() }

func (s deterministicSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(nil, digest, opts)
}

// Fingerprint returns the certificate's sha-256 fingerprint.
func (c *Certificate) Fingerprint() Fingerprint {
	h := crypto.SHA256.New()
	h.Write(c.DER)
	return Fingerprint{"sha-256", h.Sum(nil)}
}

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
// hash function among fs: "the endpoint MUST select the hash function it
// considers most secure" from those offered, and one match is enough (RFC
// 8122, Section 5.1).
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

// publicKeyOf takes the public key out of a certificate. Nothing else in it is
// looked at: its names, dates and issuer say nothing that the fingerprint does
// not say better (RFC 8827, Section 6.5), and the walk below costs a tenth of
// what a full parse does.
//
//	TBSCertificate  ::=  SEQUENCE  {
//	     version         [0]  EXPLICIT Version DEFAULT v1,
//	     serialNumber         CertificateSerialNumber,
//	     signature            AlgorithmIdentifier,
//	     issuer               Name,
//	     validity             Validity,
//	     subject              Name,
//	     subjectPublicKeyInfo SubjectPublicKeyInfo, ...
func publicKeyOf(der []byte) (crypto.PublicKey, error) {
	var cert, tbs, spki cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&cert, asn1.SEQUENCE) || !in.Empty() ||
		!cert.ReadASN1(&tbs, asn1.SEQUENCE) ||
		!tbs.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) || // version
		!tbs.SkipASN1(asn1.INTEGER) || // serialNumber
		!tbs.SkipASN1(asn1.SEQUENCE) || // signature
		!tbs.SkipASN1(asn1.SEQUENCE) || // issuer
		!tbs.SkipASN1(asn1.SEQUENCE) || // validity
		!tbs.SkipASN1(asn1.SEQUENCE) || // subject
		!tbs.ReadASN1Element(&spki, asn1.SEQUENCE) {
		return nil, errors.New("it is not an X.509 certificate")
	}
	if point, ok := bytes.CutPrefix(spki, p256SPKI); ok {
		if key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err == nil {
			return key, nil
		}
	}
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, fmt.Errorf("its public key cannot be read (%w)", err)
	}
	return key, nil
}

// p256SPKI is how the SubjectPublicKeyInfo of every key on P-256 with an
// uncompressed point begins: id-ecPublicKey, prime256v1, a bit string.
var p256SPKI = []byte{
	0x30, 0x59, 0x30, 0x13,
	0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
	0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
	0x03, 0x42, 0x00,
}

// A signatureScheme is a number of IANA's TLS SignatureScheme registry; in
// DTLS 1.2 the two bytes of a SignatureAndHashAlgorithm.
type signatureScheme uint16

const ecdsaSecp256r1SHA256 signatureScheme = 0x0403

// signatureSchemes are what a peer may sign with, best first. We sign with
// the first alone. In DTLS 1.2 an ECDSA scheme does not fix the curve.
var signatureSchemes = []struct {
	scheme signatureScheme
	hash   crypto.Hash
	kind   signatureKind
}{
	{ecdsaSecp256r1SHA256, crypto.SHA256, ecdsaSignature},
	{0x0503, crypto.SHA384, ecdsaSignature},
	{0x0603, crypto.SHA512, ecdsaSignature},
	{0x0804, crypto.SHA256, rsaPSSSignature},
	{0x0805, crypto.SHA384, rsaPSSSignature},
	{0x0806, crypto.SHA512, rsaPSSSignature},
	{0x0401, crypto.SHA256, rsaPKCS1Signature},
	{0x0501, crypto.SHA384, rsaPKCS1Signature},
	{0x0601, crypto.SHA512, rsaPKCS1Signature},
}

type signatureKind uint8

const (
	ecdsaSignature signatureKind = iota
	rsaPSSSignature
	rsaPKCS1Signature
)

// signatureSchemeList is signatureSchemes as it stands on the wire.
var signatureSchemeList = func() (l list16) {
	for _, s := range signatureSchemes {
		l = append(l, byte(s.scheme>>8), byte(s.scheme))
	}
	return l
}()

// sign signs the message that parts make together with our key.
func sign(key *ecdsa.PrivateKey, parts ...[]byte) ([]byte, error) {
	h := crypto.SHA256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return key.Sign(nil, h.Sum(make([]byte, 0, 32)), crypto.SHA256)
}

// verify checks the peer's signature over the message that parts make.
func verify(pub crypto.PublicKey, scheme signatureScheme, signature []byte, parts ...[]byte) bool {
	for _, s := range signatureSchemes {
		if s.scheme != scheme {
			continue
		}
		h := s.hash.New()
		for _, p := range parts {
			h.Write(p)
		}
		digest := h.Sum(make([]byte, 0, 64))
		switch pub := pub.(type) {
		case *ecdsa.PublicKey:
			return s.kind == ecdsaSignature && ecdsa.VerifyASN1(pub, digest, signature)
		case *rsa.PublicKey:
			switch s.kind {
			case rsaPKCS1Signature:
				return rsa.VerifyPKCS1v15(pub, s.hash, digest, signature) == nil
			case rsaPSSSignature:
				return rsa.VerifyPSS(pub, s.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
			}
		}
	}
	return false
}
