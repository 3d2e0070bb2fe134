package dtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
)

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
	// Without a source of randomness Sign signs as RFC 6979 says.
	return key.Sign(nil, digest(crypto.SHA256, parts), crypto.SHA256)
}

// verify checks the peer's signature over the message that parts make.
func verify(pub crypto.PublicKey, scheme signatureScheme, signature []byte, parts ...[]byte) bool {
	for _, s := range signatureSchemes {
		if s.scheme != scheme {
			continue
		}
		digest := digest(s.hash, parts)
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

func digest(hash crypto.Hash, parts [][]byte) []byte {
	h := hash.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(make([]byte, 0, hash.Size()))
}
