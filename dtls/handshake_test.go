package dtls

import (
	"bytes"
	"fmt"
	"testing"
)

// TestHandshake goes through what can be negotiated.
func TestHandshake(t *testing.T) {
	for _, suite := range suites {
		for _, group := range []Group{X25519, Secp256r1} {
			for _, srtp := range []SRTPProfile{0, SRTP_AES128_CM_HMAC_SHA1_80, SRTP_AES128_CM_HMAC_SHA1_32, SRTP_AEAD_AES_128_GCM, SRTP_AEAD_AES_256_GCM} {
				for _, cookie := range []bool{false, true} {
					t.Run(fmt.Sprintf("%v/%v/%v/cookie=%v", suite.name, group, srtp, cookie), func(t *testing.T) {
						client, server := configs()
						server.CipherSuites = []CipherSuite{suite.suite}
						client.Groups = []Group{group}
						server.Cookie = cookie
						client.SRTPProfiles = []SRTPProfile{SRTP_AEAD_AES_256_GCM, SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_HMAC_SHA1_80, SRTP_AES128_CM_HMAC_SHA1_32}
						if srtp != 0 {
							server.SRTPProfiles = []SRTPProfile{srtp}
						}
						p := newPair(t, client, server)
						p.exchange()
						p.established()
						for i, c := range []*Conn{p.client, p.server} {
							want := ConnectionState{DTLS12, suite.suite, group, srtp, recordLimit12, certs[1-i].DER}
							if got := c.ConnectionState(); fmt.Sprint(got) != fmt.Sprint(want) {
								t.Errorf("agreed on %v, want %v", got, want)
							}
						}
						a, errA := p.client.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 60)
						b, errB := p.server.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 60)
						if errA != nil || errB != nil || !bytes.Equal(a, b) {
							t.Errorf("the ends export different keys: %x (%v), %x (%v)", a, errA, b, errB)
						}
					})
				}
			}
		}
	}
}
