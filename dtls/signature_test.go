package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/cryptobyte/asn1"
)

// certificateOf is a certificate with that key. It is not signed, for nobody
// looks.
func certificateOf(t testing.TB, pub crypto.PublicKey) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	empty := der(asn1.SEQUENCE)
	tbs := der(asn1.SEQUENCE, version3, der(asn1.INTEGER, []byte{1}), ecdsaWithSHA256, empty, empty, empty, spki)
	return der(asn1.SEQUENCE, tbs, ecdsaWithSHA256, der(asn1.BIT_STRING, []byte{0}))
}

// rsaKey is a key that takes long to make.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, minRSA)
	if err != nil {
		panic(err)
	}
	return key
})

// TestSignatures: which schemes a key may sign with in which version, and that a
// signature is of a key, of a message and of a scheme.
func TestSignatures(t *testing.T) {
	p256 := certs[0].Key
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("all handshake messages so far")
	for _, test := range []struct {
		name       string
		key        crypto.Signer
		in12, in13 []signatureScheme
	}{
		{name: "P-256", key: p256, in12: []signatureScheme{0x0403, 0x0503, 0x0603}, in13: []signatureScheme{0x0403}},
		{name: "P-384", key: p384, in12: []signatureScheme{0x0403, 0x0503, 0x0603}, in13: []signatureScheme{0x0503}},
		{name: "RSA", key: rsaKey(), in12: []signatureScheme{0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601}, in13: []signatureScheme{0x0804, 0x0805, 0x0806}},
		{name: "Ed25519", key: ed},
	} {
		for v, want := range map[Version][]signatureScheme{DTLS12: test.in12, DTLS13: test.in13} {
			var got []signatureScheme
			for _, scheme := range []signatureScheme{0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201, 0x0203, 0x0807} {
				a := signatureFor(test.key.Public(), v, newList16([]signatureScheme{scheme}))
				if a == nil {
					continue
				}
				got = append(got, scheme)
				signature, err := a.sign(rand.Reader, test.key, message[:3], message[3:])
				if err != nil {
					t.Fatalf("%s, %#x: %v", test.name, scheme, err)
				}
				if !a.verify(test.key.Public(), signature, message) {
					t.Errorf("%s, %#x: the signature does not verify", test.name, scheme)
				}
				if a.verify(test.key.Public(), signature, message[1:]) {
					t.Errorf("%s, %#x: the signature is of another message too", test.name, scheme)
				}
				for i := range signatureAlgorithms {
					if b := &signatureAlgorithms[i]; a != b && b.fits(test.key.Public(), v) && b.verify(test.key.Public(), signature, message) {
						t.Errorf("%s: what was signed as %#x verifies as %#x", test.name, scheme, b.scheme)
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s in %v signs with %#x, want %#x", test.name, v, got, want)
			}
		}
	}
}

// TestRSACertificates: either end may have an RSA key, as OpenSSL's users and a
// browser's page that asks for one do. All that the schemes, the versions and
// the roles make of it comes about, and again byte for byte.
func TestRSACertificates(t *testing.T) {
	ours := &Certificate{certificateOf(t, rsaKey().Public()), rsaKey()}
	for _, test := range []struct {
		version        Version
		client, server *Certificate
		suite          CipherSuite
	}{
		{DTLS12, certs[0], ours, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		{DTLS12, certs[0], ours, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384},
		{DTLS12, certs[0], ours, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
		{DTLS12, ours, certs[1], TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		{DTLS12, ours, ours, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		{DTLS13, certs[0], ours, TLS_AES_128_GCM_SHA256},
		{DTLS13, ours, certs[1], TLS_AES_256_GCM_SHA384},
		{DTLS13, ours, ours, TLS_CHACHA20_POLY1305_SHA256},
	} {
		t.Run(fmt.Sprintf("%v/client %v/server %v/%v", test.version, isRSA(test.client.Key.Public()), isRSA(test.server.Key.Public()), test.suite), func(t *testing.T) {
			var first [][]byte
			for round := range 2 {
				client, server := configs13()
				client.Certificate, server.Certificate = test.client, test.server
				client.Fingerprints, server.Fingerprints = []Fingerprint{test.server.Fingerprint()}, []Fingerprint{test.client.Fingerprint()}
				client.MaxVersion = test.version
				if test.suite != TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 { // which it should come to by itself
					server.CipherSuites = []CipherSuite{test.suite}
				}
				p := newPair(t, client, server)
				var sent [][]byte
				p.tap = func(_ bool, b []byte) [][]byte {
					sent = append(sent, bytes.Clone(b))
					return [][]byte{b}
				}
				p.exchange()
				p.established()
				if got := p.client.ConnectionState(); got.Version != test.version || got.CipherSuite != test.suite {
					t.Errorf("negotiated %v, %v", got.Version, got.CipherSuite)
				}
				if round == 0 {
					first = sent
				} else if !bytes.Equal(bytes.Join(first, nil), bytes.Join(sent, nil)) {
					t.Error("the same seed makes other bytes")
				}
			}
		})
	}
}

// TestKeysThatAreRefused: a key that cannot sign a handshake here, or costs too
// much, or proves too little.
func TestKeysThatAreRefused(t *testing.T) {
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaOf := func(bits uint) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}
	}
	for because, pub := range map[string]crypto.PublicKey{
		"it holds a ed25519.PublicKey":       ed,
		"it holds an RSA key of 1024 bits":   rsaOf(1024),
		"it holds an RSA key of 2047 bits":   rsaOf(2047),
		"it holds an RSA key of 8193 bits":   rsaOf(8193),
		"it holds an RSA key of 100000 bits": rsaOf(100_000),
	} {
		for _, v := range []Version{DTLS12, DTLS13} {
			for _, asClient := range []bool{true, false} {
				client, server := configs13()
				config := &client
				if !asClient {
					config = &server
				}
				config.Certificate = &Certificate{certificateOf(t, pub), certs[0].Key}
				for _, c := range []*Config{&client, &server} {
					c.MinVersion, c.MaxVersion = v, v
					c.Fingerprints = nil
					c.VerifyPeer = func([]byte) error { return nil }
				}
				p := newPair(t, client, server)
				p.exchange()
				refusing := p.client
				if asClient {
					refusing = p.server
				}
				var local *LocalError
				if !errors.As(refusing.Err(), &local) || local.Alert != AlertUnsupportedCert || !strings.Contains(local.Reason, because) {
					t.Errorf("%v, as client %v: %q is refused with %v", v, asClient, because, refusing.Err())
				}
			}
		}
	}
}

// TestNoSignatureInCommon: who could not believe our signature is told so, and
// a server's key must be of the kind that its suite names.
func TestNoSignatureInCommon(t *testing.T) {
	withRSA := &Certificate{certificateOf(t, rsaKey().Public()), rsaKey()}
	schemes := func(s ...signatureScheme) func(*clientHello) {
		return func(m *clientHello) { m.extensions.signatureAlgorithms = newList16(s) }
	}
	for _, test := range []struct {
		name    string
		version Version
		server  *Certificate
		wire    func(toServer bool, datagram []byte) [][]byte
		by      string
		alert   Alert
		because string
	}{
		{"ECDSA to who knows RSA", DTLS12, certs[1], clientHelloWith(schemes(0x0804, 0x0401)), "server", AlertHandshakeFailure, "an ECDSA key on P-256"},
		{"ECDSA to who knows RSA", DTLS13, certs[1], clientHelloWith(schemes(0x0804)), "server", AlertHandshakeFailure, "an ECDSA key on P-256"},
		{"RSA to who knows ECDSA", DTLS12, withRSA, clientHelloWith(schemes(0x0403)), "server", AlertHandshakeFailure, "an RSA key of 2048 bits"},
		{"RSA to who knows no PSS", DTLS13, withRSA, clientHelloWith(schemes(0x0403, 0x0401)), "server", AlertHandshakeFailure, "an RSA key of 2048 bits"},
		{"an ECDSA suite with an RSA key", DTLS12, withRSA, serverHelloWith(func(m *serverHello) { m.suite = suites[0].suite }), "client", AlertUnsupportedCert, "no key of the kind that TLS_ECDHE_ECDSA"},
		{"an RSA suite with an ECDSA key", DTLS12, certs[1], serverHelloWith(func(m *serverHello) { m.suite = suitesRSA[0].suite }), "client", AlertUnsupportedCert, "no key of the kind that TLS_ECDHE_RSA"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, server := configs13()
			client.MaxVersion = test.version
			client.Groups = []Group{X25519} // for a ClientHello in one piece
			server.Certificate, client.Fingerprints = test.server, []Fingerprint{test.server.Fingerprint()}
			p := newPair(t, client, server)
			p.tap = test.wire
			p.exchange()
			refusing := p.client
			if test.by == "server" {
				refusing = p.server
			}
			var local *LocalError
			if !errors.As(refusing.Err(), &local) || local.Alert != test.alert || !strings.Contains(local.Reason, test.because) {
				t.Errorf("the %s ended with %v", test.by, refusing.Err())
			}
		})
	}
	// A server that has only suites for the other kind of key has none.
	_, config := configs()
	config.CipherSuites = []CipherSuite{TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	if _, err := NewServer(config); err == nil || !strings.Contains(err.Error(), "no version of DTLS") {
		t.Errorf("a server without a suite for its key: %v", err)
	}
}
