package dtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// changing makes the wire change messages in clear of one type, as an attacker
// on the path could; with change nil they are taken out.
func changing(typ handshakeType, change func(body []byte) []byte) func(bool, []byte) [][]byte {
	return func(_ bool, datagram []byte) [][]byte {
		var out []byte
		for len(datagram) > 0 {
			rec, rest, _ := parseRecord(datagram)
			raw := datagram[:len(datagram)-len(rest)]
			datagram = rest
			f, _, ok := parseFragment(rec.payload)
			if rec.typ != typeHandshake || rec.epoch != 0 || !ok || f.typ != typ {
				out = append(out, raw...)
				continue
			}
			layer := recordLayer{seq: [2]uint64{rec.seq}}
			body := change(append([]byte(nil), f.body...))
			at := len(out)
			out = layer.begin(out, typeHandshake, 0)
			out = appendHandshakeHeader(out, f.typ, len(body), f.seq, 0, len(body))
			out = layer.end(append(out, body...), at)
		}
		return [][]byte{out}
	}
}

// clientHelloWith and serverHelloWith change a hello's fields.
func clientHelloWith(change func(m *clientHello)) func(bool, []byte) [][]byte {
	return changing(typeClientHello, func(body []byte) []byte {
		m, _ := parseClientHello(body)
		change(&m)
		return m.append(nil)
	})
}

func serverHelloWith(change func(m *serverHello)) func(bool, []byte) [][]byte {
	return changing(typeServerHello, func(body []byte) []byte {
		m, _ := parseServerHello(body)
		change(&m)
		return m.append(nil)
	})
}

// TestRefused is every handshake that must not succeed: who refuses it, with
// which alert, and what the user is told.
func TestRefused(t *testing.T) {
	type wire = func(toServer bool, datagram []byte) [][]byte
	for _, test := range []struct {
		name    string
		config  func(client, server *Config)
		wire    wire
		by      string
		alert   Alert
		because string
	}{
		{
			name: "the server is not the one announced",
			config: func(client, server *Config) {
				client.Fingerprints = []Fingerprint{certs[0].Fingerprint()}
			},
			by: "client", alert: AlertBadCertificate, because: "its fingerprint is " + certs[1].Fingerprint().String() + ", but signalling announced " + certs[0].Fingerprint().String(),
		}, {
			name: "the client is not the one announced",
			config: func(client, server *Config) {
				server.Fingerprints = []Fingerprint{certs[1].Fingerprint()}
			},
			by: "server", alert: AlertBadCertificate, because: "but signalling announced",
		}, {
			name: "VerifyPeer says no",
			config: func(client, server *Config) {
				server.Fingerprints = nil
				server.VerifyPeer = func([]byte) error { return errors.New("not on Sundays") }
			},
			by: "server", alert: AlertBadCertificate, because: "the peer's certificate is refused: not on Sundays",
		}, {
			name: "what the certificate holds is no certificate",
			config: func(client, server *Config) {
				server.Fingerprints = nil
				server.VerifyPeer = func([]byte) error { return nil }
				client.Certificate = &Certificate{[]byte("hello"), certs[0].Key}
			},
			by: "server", alert: AlertBadCertificate, because: "it is not an X.509 certificate",
		}, {
			name: "the client has the certificate but not its key",
			config: func(client, server *Config) {
				client.Certificate = &Certificate{certs[0].DER, certs[1].Key}
			},
			by: "server", alert: AlertDecryptError, because: "the signature in CertificateVerify is not of the peer's certificate",
		}, {
			name: "the server has the certificate but not its key",
			config: func(client, server *Config) {
				server.Certificate = &Certificate{certs[1].DER, certs[0].Key}
			},
			by: "client", alert: AlertDecryptError, because: "the signature in ServerKeyExchange is not of the peer's certificate",
		}, {
			name: "the client has no certificate",
			wire: changing(typeCertificate, func(b []byte) []byte {
				if strings.Contains(string(b), string(certs[0].DER)) {
					return []byte{0, 0, 0}
				}
				return b
			}),
			by: "server", alert: AlertHandshakeFailure, because: "the peer has no certificate",
		}, {
			name: "no cipher suite in common",
			config: func(client, server *Config) {
				client.CipherSuites, server.CipherSuites = defaultCipherSuites[3:4], defaultCipherSuites[4:]
			},
			by: "server", alert: AlertHandshakeFailure, because: "none of our cipher suites",
		}, {
			name:   "no group in common",
			config: func(client, server *Config) { client.Groups, server.Groups = defaultGroups[1:2], defaultGroups[2:] },
			by:     "server", alert: AlertHandshakeFailure, because: "none of our groups",
		}, {
			name: "a client without extended master secret",
			wire: clientHelloWith(func(m *clientHello) { m.extensions.extendedMasterSecret = false }),
			by:   "server", alert: AlertHandshakeFailure, because: "the client does not support the extended master secret",
		}, {
			name: "a server without extended master secret",
			wire: serverHelloWith(func(m *serverHello) { m.extensions.extendedMasterSecret = false }),
			by:   "client", alert: AlertHandshakeFailure, because: "the server does not support the extended master secret",
		}, {
			name: "a client of DTLS 1.0",
			wire: clientHelloWith(func(m *clientHello) { m.version = DTLS10 }),
			by:   "server", alert: AlertProtocolVersion, because: "does not speak DTLS 1.2 (it offers DTLS 1.0 at most)",
		}, {
			name: "a client of DTLS 1.3 alone",
			wire: clientHelloWith(func(m *clientHello) { m.extensions.supportedVersions = list16{0xfe, 0xfc} }),
			by:   "server", alert: AlertProtocolVersion, because: "does not speak DTLS 1.2",
		}, {
			name: "a server that downgrades to DTLS 1.0",
			wire: serverHelloWith(func(m *serverHello) { m.version = DTLS10 }),
			by:   "client", alert: AlertProtocolVersion, because: "the server chose DTLS 1.0",
		}, {
			name: "a server that selects DTLS 1.3, which was not offered",
			wire: serverHelloWith(func(m *serverHello) { m.extensions.supportedVersions = list16{0xfe, 0xfc} }),
			by:   "client", alert: AlertUnsupportedExtension, because: "an extension that was not offered",
		}, {
			name: "a suite that was not offered",
			wire: serverHelloWith(func(m *serverHello) { m.suite = 0x1399 }),
			by:   "client", alert: AlertIllegalParameter, because: "the server chose cipher suite 0x1399, which was not offered",
		}, {
			name: "compression",
			wire: serverHelloWith(func(m *serverHello) { m.compression = 1 }),
			by:   "client", alert: AlertIllegalParameter, because: "compression",
		}, {
			name: "compression alone offered",
			wire: clientHelloWith(func(m *clientHello) { m.compression = []byte{1} }),
			by:   "server", alert: AlertDecodeError, because: "null compression",
		}, {
			name: "an SRTP profile nobody asked for",
			wire: serverHelloWith(func(m *serverHello) { m.extensions.srtpProfiles = list16{0, 1} }),
			by:   "client", alert: AlertUnsupportedExtension, because: "an extension that was not offered",
		}, {
			name:   "an SRTP profile that was not offered",
			config: func(client, server *Config) { client.SRTPProfiles = []SRTPProfile{SRTP_AEAD_AES_128_GCM} },
			wire:   serverHelloWith(func(m *serverHello) { m.extensions.srtpProfiles = list16{0, 1} }),
			by:     "client", alert: AlertIllegalParameter, because: "SRTP profile",
		}, {
			name:   "two SRTP profiles chosen",
			config: func(client, server *Config) { client.SRTPProfiles = []SRTPProfile{1, 7} },
			wire:   serverHelloWith(func(m *serverHello) { m.extensions.srtpProfiles = list16{0, 1, 0, 7} }),
			by:     "client", alert: AlertIllegalParameter, because: "SRTP profile",
		}, {
			name: "a client that renegotiates",
			wire: clientHelloWith(func(m *clientHello) { m.extensions.renegotiationInfo = make([]byte, 12) }),
			by:   "server", alert: AlertHandshakeFailure, because: "renegotiation",
		}, {
			name: "a server that renegotiates",
			wire: serverHelloWith(func(m *serverHello) { m.extensions.renegotiationInfo = make([]byte, 24) }),
			by:   "client", alert: AlertHandshakeFailure, because: "renegotiation",
		}, {
			name: "only compressed points, from the client",
			wire: clientHelloWith(func(m *clientHello) { m.extensions.ecPointFormats = []byte{1} }),
			by:   "server", alert: AlertIllegalParameter, because: "uncompressed points",
		}, {
			name: "only compressed points, from the server",
			wire: serverHelloWith(func(m *serverHello) { m.extensions.ecPointFormats = []byte{1} }),
			by:   "client", alert: AlertIllegalParameter, because: "uncompressed points",
		}, {
			name: "a client that wants other signatures",
			wire: clientHelloWith(func(m *clientHello) { m.extensions.signatureAlgorithms = list16{8, 4} }),
			by:   "server", alert: AlertHandshakeFailure, because: "does not accept certificates like ours, with an ECDSA key on P-256",
		}, {
			name: "a server that wants other certificates",
			wire: changing(typeCertificateRequest, func([]byte) []byte {
				return (&certificateRequest{[]byte{rsaSign}, list16{4, 1}}).append(nil)
			}),
			by: "client", alert: AlertHandshakeFailure, because: "does not accept certificates like ours, with an ECDSA key on P-256",
		}, {
			name: "a group that was not offered",
			wire: changing(typeServerKeyExchange, func(b []byte) []byte { b[2] = 25; return b }),
			by:   "client", alert: AlertIllegalParameter, because: "the server chose group 0x0019, which was not offered",
		}, {
			name: "a changed key share of the server",
			wire: changing(typeServerKeyExchange, func(b []byte) []byte { b[10]++; return b }),
			by:   "client", alert: AlertDecryptError, because: "the signature in ServerKeyExchange",
		}, {
			name: "a key share of the client that yields no secret",
			wire: changing(typeClientKeyExchange, func(b []byte) []byte { clear(b[1:]); return b }),
			by:   "server", alert: AlertIllegalParameter, because: "yields no secret",
		}, {
			name: "a key share of the client that is no point",
			wire: changing(typeClientKeyExchange, func(b []byte) []byte { return []byte{1, 4} }),
			by:   "server", alert: AlertIllegalParameter, because: "is not a point of x25519",
		}, {
			name: "a changed random, seen through the signature",
			wire: serverHelloWith(func(m *serverHello) { m.random[0]++ }),
			by:   "client", alert: AlertDecryptError, because: "the signature in ServerKeyExchange",
		}, {
			name: "a weakened offer, seen through CertificateVerify",
			wire: clientHelloWith(func(m *clientHello) { m.suites = m.suites[2:] }),
			by:   "server", alert: AlertDecryptError, because: "CertificateVerify",
		}, {
			name: "a message in another's place",
			wire: func(_ bool, d []byte) [][]byte {
				if d[0] == byte(typeHandshake) && d[recordHeaderSize] == byte(typeServerHello) {
					d[recordHeaderSize] = byte(typeCertificate)
				}
				return [][]byte{d}
			},
			by: "client", alert: AlertUnexpectedMessage, because: "the peer sent Certificate where ServerHello is due",
		}, {
			name: "most of a ClientHello",
			wire: changing(typeClientHello, func(b []byte) []byte { return b[:len(b)-1] }),
			by:   "server", alert: AlertDecodeError, because: "the peer's ClientHello is malformed",
		}, {
			name: "a ServerHelloDone with content, which is longer than any",
			wire: changing(typeServerHelloDone, func(b []byte) []byte { return []byte{1} }),
			by:   "", // dropped: it would be a fragment of something else
		}, {
			name:   "cookies without end",
			config: func(client, server *Config) { server.Cookie, server.PathValidated = true, false },
			wire:   changing(typeHelloVerifyRequest, func(b []byte) []byte { b[3]++; return b }),
			by:     "client", alert: AlertUnexpectedMessage, because: "the server asked for a cookie 4 times",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, server := configs()
			if test.config != nil {
				test.config(&client, &server)
			}
			p := newPair(t, client, server)
			p.tap = test.wire
			p.exchange()
			if p.client.Established() || p.server.Established() {
				t.Fatal("the handshake succeeded")
			}
			refused, told := p.client, p.server
			switch test.by {
			case "server":
				refused, told = told, refused
			case "":
				if p.client.Err() != nil || p.server.Err() != nil {
					t.Fatal("the handshake failed:", p.client.Err(), p.server.Err())
				}
				return
			}
			var local *LocalError
			if !errors.As(refused.Err(), &local) {
				t.Fatalf("the %s ended with %v, the other side with %v", test.by, refused.Err(), told.Err())
			}
			if local.Alert != test.alert || !strings.Contains(local.Error(), test.because) {
				t.Errorf("refused with %v: %v\nwant %v: …%s…", local.Alert, local, test.alert, test.because)
			}
			// The other side learns it, though nobody vouches for the alert.
			p.now = p.now.Add(alertGrace)
			told.Advance(p.now)
			var peer *PeerError
			if !errors.As(told.Err(), &peer) || peer.Alert != test.alert || !peer.Unauthenticated {
				t.Errorf("the other side ended with %v, want alert %v", told.Err(), test.alert)
			}
			if e, ok := told.NextEvent(); !ok || e != (Closed{told.Err()}) {
				t.Errorf("the other side's event is %v", e)
			}
		})
	}
}

// TestMalformed cuts each message short: its reader says so, and in words.
func TestMalformed(t *testing.T) {
	for typ, byServer := range map[handshakeType]bool{
		typeClientHello: true, typeHelloVerifyRequest: false, typeServerHello: false, typeServerKeyExchange: false,
		typeCertificateRequest: false, typeClientKeyExchange: true, typeCertificateVerify: true,
	} {
		client, server := configs()
		server.Cookie, server.PathValidated = true, false
		p := newPair(t, client, server)
		p.tap = changing(typ, func(b []byte) []byte { return b[:len(b)-1] })
		p.exchange()
		refused := p.client
		if byServer {
			refused = p.server
		}
		var local *LocalError
		if !errors.As(refused.Err(), &local) || local.Alert != AlertDecodeError || local.Reason != "the peer's "+typ.String()+" is malformed" {
			t.Errorf("%v cut short: %v", typ, refused.Err())
		}
	}
	for _, byServer := range []bool{true, false} {
		client, server := configs()
		p := newPair(t, client, server)
		p.tap = func(toServer bool, d []byte) [][]byte {
			if toServer != byServer {
				return [][]byte{d}
			}
			return changing(typeCertificate, func(b []byte) []byte { return append(b, 0) })(toServer, d)
		}
		p.exchange()
		refused := p.client
		if byServer {
			refused = p.server
		}
		var local *LocalError
		if !errors.As(refused.Err(), &local) || local.Alert != AlertDecodeError {
			t.Errorf("a Certificate with a byte too many: %v", refused.Err())
		}
	}
}

// TestTimeout: nobody answers.
func TestTimeout(t *testing.T) {
	client, server := configs()
	client.HandshakeTimeout = time.Second
	p := newPair(t, client, server)
	p.tap = func(bool, []byte) [][]byte { return nil }
	p.connect()
	var timeout interface{ Timeout() bool }
	if !errors.As(p.client.Err(), &timeout) || !timeout.Timeout() {
		t.Errorf("client ended with %v", p.client.Err())
	}
	if took := p.now.Sub(start); took != 30*time.Second {
		t.Errorf("the server, left at its default, waited %v", took)
	}
	if err := p.server.Err(); err == nil || err.Error() != "dtls: the handshake timed out while waiting for ClientHello" {
		t.Errorf("server ended with %v", err)
	}
}

// TestFinishedProtectsTheHandshake: what no signature covers, Finished does.
// The client's CertificateVerify is changed to another valid signature, which
// the server accepts.
func TestFinishedProtectsTheHandshake(t *testing.T) {
	client, server := configs()
	p := newPair(t, client, server)
	p.tap = changing(typeCertificateVerify, func([]byte) []byte {
		h := p.client.hs
		// The transcript without CertificateVerify and Finished, as it was signed.
		end := len(h.transcript) - (handshakeHeaderSize + verifyDataSize)
		for end -= handshakeHeaderSize; h.transcript[end] != byte(typeCertificateVerify) || h.transcript[end+1] != 0; end-- {
		}
		digest := sha256Of(h.transcript[:end])
		signature, err := certs[0].Key.Sign(rand.Reader, digest, crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		return (&certificateVerify{0x0403, signature}).append(nil)
	})
	p.exchange()
	var local *LocalError
	if !errors.As(p.server.Err(), &local) || local.Alert != AlertDecryptError || !strings.Contains(local.Reason, "Finished") {
		t.Fatalf("server ended with %v", p.server.Err())
	}
}

func sha256Of(b []byte) []byte { return (&Certificate{DER: b}).Fingerprint().Value }

func TestConfigMistakes(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(c *Config){
		"Config.Certificate is required":               func(c *Config) { c.Certificate = nil },
		"neither an ECDSA key on P-256 nor an RSA key": func(c *Config) { c.Certificate = &Certificate{[]byte{1}, p384} },
		"is too large":                                 func(c *Config) { c.Certificate = &Certificate{make([]byte, 16<<10), c.Certificate.Key} },
		"Config.Rand is required":                      func(c *Config) { c.Rand = nil },
		"Fingerprints, or VerifyPeer":                  func(c *Config) { c.Fingerprints = nil },
		`hash function "sha-1" are not accepted`:       func(c *Config) { c.Fingerprints = []Fingerprint{{"sha-1", nil}} },
		"CipherSuites is empty":                        func(c *Config) { c.CipherSuites = []CipherSuite{} },
		"cipher suite 0x1399 is not supported":         func(c *Config) { c.CipherSuites = []CipherSuite{0x1399} },
		"Groups is empty":                              func(c *Config) { c.Groups = []Group{} },
		"group 0x11ed is not supported":                func(c *Config) { c.Groups = []Group{0x11ed} },
		"Config.MTU is 100: at least 200 is needed":    func(c *Config) { c.MTU = 100 },
		"negative duration":                            func(c *Config) { c.InitialRTO = -1 },
		"the source of randomness failed: EOF":         func(c *Config) { c.Rand = strings.NewReader("") },
		"the source of randomness failed: unexpected ": func(c *Config) { c.Rand = strings.NewReader("short") },
	} {
		config, _ := configs()
		spoil(&config)
		if _, err := NewClient(config); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "dtls: ") {
			t.Errorf("got %v, want …%s…", err, want)
		}
	}
}

// TestRandRunsDry: the handshake ends, in words, when Rand fails in its midst.
func TestRandRunsDry(t *testing.T) {
	client, server := configs()
	server.Rand = io.LimitReader(seeded(1), randomSize+5)
	p := newPair(t, client, server)
	p.exchange()
	var local *LocalError
	if !errors.As(p.server.Err(), &local) || local.Alert != AlertInternalError {
		t.Errorf("server ended with %v", p.server.Err())
	}
}
