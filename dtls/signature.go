package dtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"io"
)

// A signatureScheme is a number of IANA's TLS SignatureScheme registry; in
// DTLS 1.2 the two bytes of a SignatureAndHashAlgorithm.
type signatureScheme uint16

// A signatureAlgorithm is what a scheme means.
type signatureAlgorithm struct {
	scheme signatureScheme
	hash   crypto.Hash
	kind   signatureKind
	curve  elliptic.Curve // that DTLS 1.3 wants an ECDSA key to be on
}

// signatureAlgorithms are what either end may sign with, best first.
var signatureAlgorithms = []signatureAlgorithm{
	{0x0403, crypto.SHA256, ecdsaSignature, elliptic.P256()},
	{0x0503, crypto.SHA384, ecdsaSignature, elliptic.P384()},
	{0x0603, crypto.SHA512, ecdsaSignature, elliptic.P521()},
	{0x0804, crypto.SHA256, rsaPSSSignature, nil},
	{0x0805, crypto.SHA384, rsaPSSSignature, nil},
	{0x0806, crypto.SHA512, rsaPSSSignature, nil},
	{0x0401, crypto.SHA256, rsaPKCS1Signature, nil},
	{0x0501, crypto.SHA384, rsaPKCS1Signature, nil},
	{0x0601, crypto.SHA512, rsaPKCS1Signature, nil},
}

type signatureKind uint8

const (
	ecdsaSignature signatureKind = iota
	rsaPSSSignature
	rsaPKCS1Signature
)

// signatureSchemeList is signatureAlgorithms as it stands on the wire.
var signatureSchemeList = func() (l list16) {
	for _, a := range signatureAlgorithms {
		l = append(l, byte(a.scheme>>8), byte(a.scheme))
	}
	return l
}()

// The sizes of RSA keys that are taken, in bits: less is weak (RFC 9325, Section
// 4.2), and the cost of a signature grows with the square and more.
const (
	minRSA = 2048
	maxRSA = 8192
)

// usable reports whether a handshake can be signed with such a key.
func usable(pub crypto.PublicKey) bool {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		return true
	case *rsa.PublicKey:
		return pub.N.BitLen() >= minRSA && pub.N.BitLen() <= maxRSA
	}
	return false
}

// keyName says in words what kind of key that is.
func keyName(pub crypto.PublicKey) string {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		return "an ECDSA key on " + pub.Params().Name
	case *rsa.PublicKey:
		return fmt.Sprintf("an RSA key of %d bits", pub.N.BitLen())
	}
	return fmt.Sprintf("a %T", pub)
}

// isRSA reports whether the key is one of RSA.
func isRSA(pub crypto.PublicKey) bool {
	_, ok := pub.(*rsa.PublicKey)
	return ok
}

// fits reports whether a key can sign so in a version. In DTLS 1.2 an ECDSA
// scheme does not fix the curve; in 1.3 it does, and PKCS #1 is out (RFC 8446,
// Section 4.2.3).
func (a *signatureAlgorithm) fits(pub crypto.PublicKey, v Version) bool {
	if ec, ok := pub.(*ecdsa.PublicKey); ok {
		return a.kind == ecdsaSignature && (v == DTLS12 || ec.Curve == a.curve)
	}
	return isRSA(pub) && (a.kind == rsaPSSSignature || a.kind == rsaPKCS1Signature && v == DTLS12)
}

// signatureFor is what a key signs with for a peer that accepts those schemes, or
// nil.
func signatureFor(pub crypto.PublicKey, v Version, accepted list16) *signatureAlgorithm {
	for i := range signatureAlgorithms {
		if a := &signatureAlgorithms[i]; a.fits(pub, v) && accepted.contains(uint16(a.scheme)) {
			return a
		}
	}
	return nil
}

var pssOptions = rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

// sign signs the message that parts make together with our key. ECDSA, as RFC
// 6979 says, and PKCS #1 need no randomness; the salt of PSS is read from rand.
func (a *signatureAlgorithm) sign(rand io.Reader, key crypto.Signer, parts ...[]byte) ([]byte, error) {
	digest := digest(a.hash, parts)
	if a.kind == rsaPSSSignature {
		return rsa.SignPSS(rand, key.(*rsa.PrivateKey), a.hash, digest, &pssOptions)
	}
	return key.Sign(nil, digest, a.hash)
}

// verify checks a signature over the message that parts make.
func (a *signatureAlgorithm) verify(pub crypto.PublicKey, signature []byte, parts ...[]byte) bool {
	digest := digest(a.hash, parts)
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(pub, digest, signature)
	case *rsa.PublicKey:
		if a.kind == rsaPKCS1Signature {
			return rsa.VerifyPKCS1v15(pub, a.hash, digest, signature) == nil
		}
		return rsa.VerifyPSS(pub, a.hash, digest, signature, &pssOptions) == nil
	}
	return false
}

// sign signs the message that parts make together with our key.
func (h *handshake) sign(parts ...[]byte) ([]byte, error) {
	config := &h.c.config
	signature, err := h.signature.sign(config.Rand, config.Certificate.Key, parts...)
	if err != nil {
		return nil, refuse(AlertInternalError, "cannot sign: %v", err)
	}
	return signature, nil
}

// ourKey is what our certificate says that we have.
func (h *handshake) ourKey() crypto.Signer { return h.c.config.Certificate.Key }

// checkSignature checks that the peer signed the message that parts make, in a
// message of type in.
func (h *handshake) checkSignature(in handshakeType, scheme signatureScheme, signature []byte, parts ...[]byte) error {
	// "The hash and signature algorithms used in the signature MUST be one of
	// those present in the supported_signature_algorithms field" (RFC 5246,
	// Section 7.4.8): of all that we know, since we name them all.
	a := signatureFor(h.peer, h.version, newList16([]signatureScheme{scheme}))
	switch {
	case a == nil:
		return refuse(AlertIllegalParameter, "the peer signs %v with scheme %#04x, which %v does not allow with its key", in, uint16(scheme), h.version)
	case !a.verify(h.peer, signature, parts...):
		return refuse(AlertDecryptError, "the signature in %v is not of the peer's certificate", in)
	}
	return nil
}

func digest(hash crypto.Hash, parts [][]byte) []byte {
	h := hash.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(make([]byte, 0, hash.Size()))
}
