package dtls

import (
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"
)

// captured reads datagrams as a browser sent them: a line of hexadecimal each.
func captured(t testing.TB, file string) (datagrams [][]byte) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			b, err := hex.DecodeString(line)
			if err != nil {
				t.Fatal(err)
			}
			datagrams = append(datagrams, b)
		}
	}
	return datagrams
}

// TestBrowsersClientHello: browsers offer DTLS 1.3 with a post-quantum key
// share, in two datagrams that may arrive in any order. They get DTLS 1.2 at
// once, in one datagram.
func TestBrowsersClientHello(t *testing.T) {
	for _, file := range []string{"chromium-clienthello.hex", "firefox-clienthello.hex"} {
		for _, reversed := range []bool{false, true} {
			_, config := configs()
			config.SRTPProfiles = []SRTPProfile{SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_HMAC_SHA1_80}
			server, err := NewServer(config)
			if err != nil {
				t.Fatal(err)
			}
			datagrams := captured(t, file)
			if len(datagrams) != 2 {
				t.Fatalf("%s holds %d datagrams", file, len(datagrams))
			}
			if reversed {
				slices.Reverse(datagrams)
			}
			server.Receive(start, datagrams[0])
			if b := server.AppendPacket(start, nil); len(b) > 0 {
				t.Errorf("%s: the server answers half a ClientHello", file)
			}
			server.Receive(start, datagrams[1])
			if got := server.State(); got != StateAwaitClientCertificate {
				t.Fatalf("%s: server is %v (%v)", file, got, server.Err())
			}
			if h := server.hs; h.params.suite != TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 || h.group != X25519 || h.srtp != SRTP_AEAD_AES_128_GCM {
				t.Errorf("%s: chosen were %v, %v, %v", file, h.params.suite, h.group, h.srtp)
			}
			b := server.AppendPacket(start, nil)
			want := "ServerHello\tTLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\nCertificate\nServerKeyExchange\tx25519\nCertificateRequest\nServerHelloDone"
			if got := describe(b); got != want {
				t.Errorf("%s: the server answers\n%s\nwant\n%s", file, got, want)
			}
			if b := server.AppendPacket(start, nil); len(b) > 0 {
				t.Errorf("%s: the server's flight takes two datagrams", file)
			}
		}
	}
}
