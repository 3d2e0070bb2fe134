package dtls

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
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

// before reports whether v is an older version than w.
func (v Version) before(w Version) bool { return v > w }

// A CipherSuite is a number of IANA's TLS Cipher Suites registry.
type CipherSuite uint16

// The cipher suites of DTLS 1.2 that are spoken here (RFC 5289, Section 3.2;
// RFC 7905, Section 2): forward secret and authenticated, as RFC 8827, Section
// 6.5 asks for.
const (
	TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256       CipherSuite = 0xc02b
	TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384       CipherSuite = 0xc02c
	TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 CipherSuite = 0xcca9

	// The same for a server whose certificate has an RSA key.
	TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256       CipherSuite = 0xc02f
	TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384       CipherSuite = 0xc030
	TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 CipherSuite = 0xcca8
)

// The cipher suites of DTLS 1.3 (RFC 8446, Appendix B.4).
const (
	TLS_AES_128_GCM_SHA256       CipherSuite = 0x1301
	TLS_AES_256_GCM_SHA384       CipherSuite = 0x1302
	TLS_CHACHA20_POLY1305_SHA256 CipherSuite = 0x1303
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
	version                Version // the only one that has the suite
	rsa                    bool    // whether the server's key is one of RSA, in DTLS 1.2
}

// suites are the cipher suites we speak, best first: AES in hardware is the
// fastest, and its 128 bits are as safe as the P-256 key that signs for them.
var suites = [...]suiteParams{
	{TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", crypto.SHA256, 16, 4, 8, newGCM, DTLS12, false},
	{TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", crypto.SHA256, 32, 12, 0, chacha20poly1305.New, DTLS12, false},
	{TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", crypto.SHA384, 32, 4, 8, newGCM, DTLS12, false},
}

// suitesRSA are the same for an RSA certificate. A program that does not care
// for those leaves them out of Config.CipherSuites.
var suitesRSA = [...]suiteParams{
	{TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", crypto.SHA256, 16, 4, 8, newGCM, DTLS12, true},
	{TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", crypto.SHA256, 32, 12, 0, chacha20poly1305.New, DTLS12, true},
	{TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", crypto.SHA384, 32, 4, 8, newGCM, DTLS12, true},
}

// suites13 are those of DTLS 1.3, which name no key exchange and no kind of
// certificate: what is agreed on elsewhere (RFC 8446, Appendix B.4).
var suites13 = [...]suiteParams{
	{TLS_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256", crypto.SHA256, 16, 12, 0, newGCM, DTLS13, false},
	{TLS_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256", crypto.SHA256, 32, 12, 0, chacha20poly1305.New, DTLS13, false},
	{TLS_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384", crypto.SHA384, 32, 12, 0, newGCM, DTLS13, false},
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
	for _, table := range [][]suiteParams{suites[:], suitesRSA[:], suites13[:]} {
		for i := range table {
			if table[i].suite == s {
				return &table[i]
			}
		}
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
