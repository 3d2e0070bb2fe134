package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A Certificate is what this side shows and the key that proves it is ours.
type Certificate struct {
	DER []byte
	// Key is an *ecdsa.PrivateKey on P-256, the curve that RFC 8827, Section 6.5
	// makes every WebRTC implementation support; or, to be had where one has to
	// be used, an *rsa.PrivateKey of 2048 to 8192 bits.
	Key crypto.Signer
}

// check reports what is wrong with a key as ours.
func (c *Certificate) check() error {
	switch key := c.Key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return nil
		}
	case *rsa.PrivateKey:
		if usable(key.Public()) {
			return nil
		}
	}
	return fmt.Errorf("dtls: Config.Certificate has a key that is neither an ECDSA key on P-256 nor an RSA key of %d to %d bits", minRSA, maxRSA)
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
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("dtls: cannot make a certificate: %w", err)
	}
	// RFC 5280, Section 4.1, in the least that is a certificate. x509 would take
	// three times as long, for it checks what it has just signed.
	name := der(asn1.SEQUENCE, der(asn1.SET, der(asn1.SEQUENCE, commonName, der(asn1.UTF8String, []byte("plainrtc")))))
	tbs := der(asn1.SEQUENCE,
		version3,
		der(asn1.INTEGER, serial),
		ecdsaWithSHA256,
		name, // issuer
		der(asn1.SEQUENCE, derTime(now.Add(-24*time.Hour)), derTime(now.Add(certificateLifetime))),
		name, // subject
		p256SPKI, point,
	)
	// Without a source of randomness it signs as RFC 6979 says.
	signature, err := key.Sign(nil, digest(crypto.SHA256, [][]byte{tbs}), crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("dtls: cannot sign a certificate: %w", err)
	}
	return &Certificate{der(asn1.SEQUENCE, tbs, ecdsaWithSHA256, der(asn1.BIT_STRING, []byte{0}, signature)), key}, nil
}

// Parts of a certificate that are always the same.
var (
	version3        = []byte{0xa0, 3, 2, 1, 2}                                               // [0] EXPLICIT INTEGER v3(2)
	ecdsaWithSHA256 = []byte{0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02} // AlgorithmIdentifier
	commonName      = []byte{6, 3, 0x55, 0x04, 0x03}                                         // id-at-commonName
)

// der is an element of ASN.1 with its contents, up to 64 kB of them.
func der(tag asn1.Tag, contents ...[]byte) []byte {
	n := 0
	for _, c := range contents {
		n += len(c)
	}
	b := append(make([]byte, 0, 4+n), byte(tag))
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	default:
		b = append(b, 0x82, byte(n>>8), byte(n))
	}
	for _, c := range contents {
		b = append(b, c...)
	}
	return b
}

// derTime is a time, to the second. RFC 5280, Section 4.1.2.5: "CAs conforming
// to this profile MUST always encode certificate validity dates through the
// year 2049 as UTCTime; certificate validity dates in 2050 or later MUST be
// encoded as GeneralizedTime."
func derTime(t time.Time) []byte {
	if t = t.UTC(); t.Year() >= 2050 {
		return der(asn1.GeneralizedTime, []byte(t.Format("20060102150405Z")))
	}
	return der(asn1.UTCTime, []byte(t.Format("060102150405Z")))
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
