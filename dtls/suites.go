package dtls

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// A Version is a DTLS version as it stands on the wire: the ones' complement
// of the version in words, so that a newer one is a smaller number.
type Version uint16

// The versions.
const (
	DTLS10 Version = 0xfeff // spoken by nobody here, but seen on first ClientHellos
	DTLS12 Version = 0xfefd
	DTLS13 Version = 0xfefc
)

func (v Version) String() string {
	switch v {
	case DTLS10:
		return "DTLS 1.0"
	case DTLS12:
		return "DTLS 1.2"
	case DTLS13:
		return "DTLS 1.3"
	}
	return fmt.Sprintf("version %#04x", uint16(v))
}

// A CipherSuite is a number of IANA's TLS Cipher Suites registry.
type CipherSuite uint16

// The cipher suites of DTLS 1.2 that are spoken here (RFC 5289, Section 3.2;
// RFC 7905, Section 2): forward secret and authenticated, as RFC 8827, Section
// 6.5 asks for.
const (
	TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256       CipherSuite = 0xc02b
	TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384       CipherSuite = 0xc02c
	TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 CipherSuite = 0xcca9
)

// tlsEmptyRenegotiationInfoSCSV stands in the list of cipher suites for an
// empty renegotiation_info extension (RFC 5746, Section 3.3).
const tlsEmptyRenegotiationInfoSCSV CipherSuite = 0x00ff

func (s CipherSuite) String() string {
	if p := s.params(); p != nil {
		return p.name
	}
	return fmt.Sprintf("cipher suite %#04x", uint16(s))
}

// suiteParams says what a cipher suite is made of.
type suiteParams struct {
	suite CipherSuite
	name  string
	hash  crypto.Hash // of the PRF, and of the transcript
	key   int         // bytes of an encryption key
	// fixedIV is how many bytes of the nonce come from the key block, and
	// explicitNonce how many stand in each record before the ciphertext.
	fixedIV, explicitNonce int
	aead                   func(key []byte) (cipher.AEAD, error)
}

// suites are the cipher suites we speak, best first: AES in hardware is the
// fastest, and its 128 bits are as safe as the P-256 key that signs for them.
var suites = [...]suiteParams{
	{TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", crypto.SHA256, 16, 4, 8, newGCM},
	{TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", crypto.SHA256, 32, 12, 0, chacha20poly1305.New},
	{TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", crypto.SHA384, 32, 4, 8, newGCM},
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// params returns what s is made of, or nil for a suite we do not speak.
func (s CipherSuite) params() *suiteParams {
	for i := range suites {
		if suites[i].suite == s {
			return &suites[i]
		}
	}
	return nil
}

// A Group is a number of IANA's TLS Supported Groups registry (RFC 8422,
// Section 5.1.1).
type Group uint16

// The groups for the key exchange.
const (
	Secp256r1 Group = 23
	X25519    Group = 29
)

func (g Group) String() string {
	switch g {
	case Secp256r1:
		return "secp256r1"
	case X25519:
		return "x25519"
	}
	return fmt.Sprintf("group %#04x", uint16(g))
}

// curve returns the group's arithmetic, or nil for a group we do not speak.
func (g Group) curve() ecdh.Curve {
	switch g {
	case Secp256r1:
		return ecdh.P256()
	case X25519:
		return ecdh.X25519()
	}
	return nil
}

// An SRTPProfile is a number of IANA's DTLS-SRTP Protection Profiles registry
// (RFC 5764, Section 4.1.2; RFC 7714, Section 14.2). DTLS only negotiates it;
// the keys are for whoever calls [Conn.ExportKeyingMaterial].
type SRTPProfile uint16

// The SRTP protection profiles.
const (
	SRTP_AES128_CM_HMAC_SHA1_80 SRTPProfile = 0x0001
	SRTP_AES128_CM_HMAC_SHA1_32 SRTPProfile = 0x0002
	SRTP_AEAD_AES_128_GCM       SRTPProfile = 0x0007
	SRTP_AEAD_AES_256_GCM       SRTPProfile = 0x0008
)

func (p SRTPProfile) String() string {
	switch p {
	case 0:
		return "no SRTP profile"
	case SRTP_AES128_CM_HMAC_SHA1_80:
		return "SRTP_AES128_CM_HMAC_SHA1_80"
	case SRTP_AES128_CM_HMAC_SHA1_32:
		return "SRTP_AES128_CM_HMAC_SHA1_32"
	case SRTP_AEAD_AES_128_GCM:
		return "SRTP_AEAD_AES_128_GCM"
	case SRTP_AEAD_AES_256_GCM:
		return "SRTP_AEAD_AES_256_GCM"
	}
	return fmt.Sprintf("SRTP profile %#04x", uint16(p))
}
