package srtp

import "fmt"

// A Profile is a DTLS-SRTP protection profile, with the value that it has in
// the use_srtp extension (RFC 5764, Section 4.1.2; RFC 7714, Section 14.2).
type Profile uint16

// The names are IANA's, without the SRTP_ in front.
const (
	AES128_CM_HMAC_SHA1_80 Profile = 0x0001
	AES128_CM_HMAC_SHA1_32 Profile = 0x0002
	AEAD_AES_128_GCM       Profile = 0x0007
	AEAD_AES_256_GCM       Profile = 0x0008
)

// profileParams are the parameters that RFC 5764, Section 4.1.2 and RFC 7714,
// Section 14.2 list for each profile, in bytes.
type profileParams struct {
	name    string
	key     int // cipher_key_length
	salt    int // cipher_salt_length
	auth    int // auth_key_length; zero for an AEAD, which needs none
	rtpTag  int // auth_tag_length, or aead_auth_tag_length
	rtcpTag int
}

// params returns nil for a profile that this package does not know.
func (p Profile) params() *profileParams {
	switch p {
	case AES128_CM_HMAC_SHA1_80:
		return &profileParams{"SRTP_AES128_CM_HMAC_SHA1_80", 16, 14, 20, 10, 10}
	case AES128_CM_HMAC_SHA1_32:
		// RFC 5764, Section 4.1.2: "auth_tag_length: 32", and "RTCP auth_tag_length: 80".
		return &profileParams{"SRTP_AES128_CM_HMAC_SHA1_32", 16, 14, 20, 4, 10}
	case AEAD_AES_128_GCM:
		return &profileParams{"SRTP_AEAD_AES_128_GCM", 16, 12, 0, 16, 16}
	case AEAD_AES_256_GCM:
		return &profileParams{"SRTP_AEAD_AES_256_GCM", 32, 12, 0, 16, 16}
	}
	return nil
}

// String is the profile's name as IANA has it.
func (p Profile) String() string {
	if params := p.params(); params != nil {
		return params.name
	}
	return fmt.Sprintf("SRTP protection profile %#04x", uint16(p))
}

// Preferred returns the profiles to offer, and to choose among, best first. The
// profile with tags of 32 bits is not among them: it saves six bytes a packet
// and lets one forgery in four thousand million through. It works if chosen.
func Preferred() []Profile {
	return []Profile{AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_HMAC_SHA1_80}
}

// KeyingMaterialLen is how many bytes a DTLS connection has to export for the
// profile (RFC 5764, Section 4.2), or zero for an unknown one.
func (p Profile) KeyingMaterialLen() int {
	if params := p.params(); params != nil {
		return 2 * (params.key + params.salt)
	}
	return 0
}
