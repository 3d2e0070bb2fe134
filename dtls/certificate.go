package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
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
