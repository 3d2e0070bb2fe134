package dtls

import (
	"bytes"
	"fmt"
	"testing"
)

// TestVersions goes through versions, groups and suites of both roles, and says
// what must come of it.
func TestVersions(t *testing.T) {
	both := func(c *Config) { c.MinVersion, c.MaxVersion = DTLS12, DTLS13 }
	only12 := func(c *Config) { c.MinVersion, c.MaxVersion = DTLS12, DTLS12 }
	only13 := func(c *Config) { c.MinVersion, c.MaxVersion = DTLS13, DTLS13 }
	groups := func(gs ...Group) func(*Config) { return func(c *Config) { c.Groups = gs } }
	suite := func(s ...CipherSuite) func(*Config) { return func(c *Config) { c.CipherSuites = s } }
	type change = func(*Config)
	for _, test := range []struct {
		name           string
		client, server []change
		version        Version // 0: refused
		group          Group
		suite          CipherSuite
		flights        int // of the client
	}{
		{"both speak both", []change{both}, []change{both}, DTLS13, X25519MLKEM768, TLS_AES_128_GCM_SHA256, 2},
		{"client is old", []change{only12}, []change{both}, DTLS12, X25519, suites[0].suite, 2},
		{"server is old", []change{both}, []change{only12}, DTLS12, X25519, suites[0].suite, 2},
		{"client is new", []change{only13}, []change{both}, DTLS13, X25519MLKEM768, TLS_AES_128_GCM_SHA256, 2},
		{"server is new", []change{both}, []change{only13}, DTLS13, X25519MLKEM768, TLS_AES_128_GCM_SHA256, 2},
		{"both are old", []change{only12}, []change{only12}, DTLS12, X25519, suites[0].suite, 2},
		{"client new, server old", []change{only13}, []change{only12}, 0, 0, 0, 0},
		{"client old, server new", []change{only12}, []change{only13}, 0, 0, 0, 0},
		{"suites of one version", []change{both, suite(suites[2].suite)}, []change{both}, DTLS12, X25519, suites[2].suite, 2},
		{"groups of one version", []change{both, groups(X25519MLKEM768)}, []change{both}, DTLS13, X25519MLKEM768, TLS_AES_128_GCM_SHA256, 2},
		{"groups of one version, server", []change{both}, []change{both, groups(X25519MLKEM768)}, DTLS13, X25519MLKEM768, TLS_AES_128_GCM_SHA256, 2},
		{"no group in common", []change{both, groups(X25519MLKEM768)}, []change{both, groups(X25519)}, 0, 0, 0, 0},
		{"X25519", []change{both}, []change{both, groups(X25519)}, DTLS13, X25519, TLS_AES_128_GCM_SHA256, 2},
		{"P-256 by HelloRetryRequest", []change{both}, []change{both, groups(Secp256r1)}, DTLS13, Secp256r1, TLS_AES_128_GCM_SHA256, 3},
		{"P-384 by HelloRetryRequest", []change{both}, []change{both, groups(Secp384r1, Secp256r1)}, DTLS13, Secp384r1, TLS_AES_128_GCM_SHA256, 3},
		{"the hybrid by HelloRetryRequest", []change{both, groups(X25519, X25519MLKEM768)}, []change{both, groups(X25519MLKEM768)}, DTLS13, X25519MLKEM768, TLS_AES_128_GCM_SHA256, 3},
		{"a share spares HelloRetryRequest", []change{both, groups(X25519, Secp256r1)}, []change{both, groups(Secp256r1, X25519)}, DTLS13, X25519, TLS_AES_128_GCM_SHA256, 2},
		{"P-384 in DTLS 1.2", []change{only12}, []change{both, groups(Secp384r1)}, DTLS12, Secp384r1, suites[0].suite, 2},
		{"AES-256", []change{both}, []change{both, suite(TLS_AES_256_GCM_SHA384)}, DTLS13, X25519MLKEM768, TLS_AES_256_GCM_SHA384, 2},
		{"AES-256 and HelloRetryRequest", []change{both}, []change{both, suite(TLS_AES_256_GCM_SHA384), groups(Secp384r1)}, DTLS13, Secp384r1, TLS_AES_256_GCM_SHA384, 3},
		{"ChaCha20", []change{both, suite(TLS_CHACHA20_POLY1305_SHA256, suites[1].suite)}, []change{both}, DTLS13, X25519MLKEM768, TLS_CHACHA20_POLY1305_SHA256, 2},
	} {
		for _, cookie := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/cookie=%v", test.name, cookie), func(t *testing.T) {
				client, server := configs()
				client.SRTPProfiles = []SRTPProfile{SRTP_AES128_CM_HMAC_SHA1_80, SRTP_AEAD_AES_128_GCM}
				server.SRTPProfiles = []SRTPProfile{SRTP_AEAD_AES_128_GCM}
				for _, change := range test.client {
					change(&client)
				}
				for _, change := range test.server {
					change(&server)
				}
				server.Cookie, server.PathValidated = cookie, !cookie
				p := newPair(t, client, server)
				flights, sending := 0, false
				p.tap = func(toServer bool, d []byte) [][]byte {
					if toServer && !sending {
						flights++
					}
					sending = toServer
					return [][]byte{d}
				}
				p.exchange()
				if test.version == 0 {
					p.connect()
					if p.client.Err() == nil || p.server.Err() == nil {
						t.Errorf("client is %v, server is %v", p.client.State(), p.server.State())
					}
					return
				}
				p.established()
				if p.now != start {
					t.Error("the handshake took a timer")
				}
				for i, c := range []*Conn{p.client, p.server} {
					want := ConnectionState{test.version, test.suite, test.group, SRTP_AEAD_AES_128_GCM, recordLimit12, certs[1-i].DER}
					if got := c.ConnectionState(); fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("agreed on %v, want %v", got, want)
					}
					if n := len(c.Seal(nil, make([]byte, 100))); n != 100+c.Overhead() {
						t.Errorf("a record of 100 bytes takes %d, which is not %d more", n, c.Overhead())
					}
				}
				want := test.flights
				if cookie && want == 2 {
					want++
				}
				if flights != want {
					t.Errorf("the client took %d flights, want %d", flights, want)
				}
				a, errA := p.client.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 60)
				b, errB := p.server.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 60)
				if errA != nil || errB != nil || !bytes.Equal(a, b) {
					t.Errorf("the ends export different keys: %x (%v), %x (%v)", a, errA, b, errB)
				}
				if len(p.client.flight.items) > 0 || !p.client.NextTimeout().IsZero() || !p.server.NextTimeout().IsZero() {
					t.Error("the client's Finished was not acknowledged")
				}
			})
		}
	}
}
