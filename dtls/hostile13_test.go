package dtls

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// TestRefused13 is every handshake of DTLS 1.3 that must not succeed because of
// what an attacker can change, which is the hellos: who refuses it, with which
// alert, and why.
func TestRefused13(t *testing.T) {
	type wire = func(toServer bool, datagram []byte) [][]byte
	hello := func(change func(m *serverHello)) wire { return serverHelloWith(change) }
	for _, test := range []struct {
		name    string
		config  func(client, server *Config)
		wire    wire
		by      string
		alert   Alert
		because string
	}{
		{
			name: "the ClientHello loses its offer of DTLS 1.3",
			wire: clientHelloWith(func(m *clientHello) { m.extensions.supportedVersions = list16{0xfe, 0xfd} }),
			by:   "client", alert: AlertIllegalParameter, because: "somebody changed the ClientHello",
		}, {
			name: "the ClientHello loses supported_versions",
			wire: clientHelloWith(func(m *clientHello) { m.extensions.supportedVersions = nil }),
			by:   "client", alert: AlertIllegalParameter, because: "somebody changed the ClientHello",
		}, {
			name: "the sentinel is taken out too",
			wire: func(toServer bool, d []byte) [][]byte {
				d = clientHelloWith(func(m *clientHello) { m.extensions.supportedVersions = nil })(toServer, d)[0]
				return hello(func(m *serverHello) { m.random[31]++ })(toServer, d)
			},
			by: "client", alert: AlertDecryptError, because: "the signature in ServerKeyExchange",
		}, {
			name: "a better group is taken out",
			wire: clientHelloWith(func(m *clientHello) { m.extensions.supportedGroups = list16{0, 23} }),
			by:   "client", alert: AlertUnexpectedMessage, because: "",
		}, {
			name: "another suite",
			wire: hello(func(m *serverHello) { m.suite = TLS_AES_256_GCM_SHA384 }),
		}, {
			name: "a suite of DTLS 1.2",
			wire: hello(func(m *serverHello) { m.suite = suites[0].suite }),
			by:   "client", alert: AlertIllegalParameter, because: "which was not offered",
		}, {
			name: "a version that was not offered",
			wire: hello(func(m *serverHello) { m.extensions.supportedVersions = list16{0xfe, 0xfb} }),
			by:   "client", alert: AlertIllegalParameter, because: "which was not offered",
		}, {
			name: "a session",
			wire: hello(func(m *serverHello) { m.sessionID = []byte{1} }),
			by:   "client", alert: AlertIllegalParameter, because: "a session",
		}, {
			name: "no key share",
			wire: hello(func(m *serverHello) { m.extensions.keyShares = nil }),
			by:   "client", alert: AlertMissingExtension, because: "no key share",
		}, {
			name: "a key share for another group",
			wire: hello(func(m *serverHello) { m.extensions.keyShares[1]++ }),
			by:   "client", alert: AlertIllegalParameter, because: "for which it had none",
		}, {
			name: "an extension that does not belong there",
			wire: hello(func(m *serverHello) { m.extensions.extendedMasterSecret = true }),
			by:   "client", alert: AlertUnsupportedExtension, because: "does not belong there",
		}, {
			name: "a HelloRetryRequest for nothing",
			wire: hello(func(m *serverHello) {
				m.random, m.extensions.keyShares = helloRetryRandom[:], nil
			}),
			by: "client", alert: AlertIllegalParameter, because: "asks for nothing",
		}, {
			name: "a HelloRetryRequest for a share that was sent",
			wire: hello(func(m *serverHello) {
				m.random, m.extensions.keyShares, m.extensions.selectedGroup = helloRetryRandom[:], nil, X25519
			}),
			by: "client", alert: AlertIllegalParameter, because: "which it cannot need",
		}, {
			name: "a second HelloRetryRequest",
			wire: hello(func(m *serverHello) {
				if !m.isRetry() {
					m.random, m.extensions.keyShares, m.extensions.selectedGroup = helloRetryRandom[:], nil, Secp384r1
				}
			}),
			config: func(client, server *Config) { server.Groups = []Group{Secp256r1} },
			by:     "client", alert: AlertUnexpectedMessage, because: "second HelloRetryRequest",
		}, {
			name:   "a changed cookie",
			config: func(client, server *Config) { server.Cookie, server.PathValidated = true, false },
			wire: clientHelloWith(func(m *clientHello) {
				if m.extensions.cookie != nil {
					m.extensions.cookie[5]++
				}
			}),
			by: "server", alert: AlertIllegalParameter, because: "a cookie that is not ours",
		}, {
			name: "compression",
			wire: clientHelloWith(func(m *clientHello) { m.compression = []byte{0, 1} }),
			by:   "server", alert: AlertIllegalParameter, because: "compression",
		}, {
			name: "a cookie of DTLS 1.2",
			wire: clientHelloWith(func(m *clientHello) { m.cookie = []byte{1} }),
			by:   "server", alert: AlertIllegalParameter, because: "a cookie of DTLS 1.2",
		}, {
			name: "no groups",
			wire: clientHelloWith(func(m *clientHello) { m.extensions.supportedGroups = nil }),
			by:   "server", alert: AlertMissingExtension, because: "does not say",
		}, {
			name: "a key share that is half a key",
			wire: clientHelloWith(func(m *clientHello) {
				m.extensions.keyShares = appendKeyShare(nil, X25519, make([]byte, 16))
			}),
			by: "server", alert: AlertIllegalParameter, because: "is not a point",
		}, {
			name:   "a key share of ML-KEM that is none",
			config: func(client, server *Config) { server.Groups = []Group{X25519MLKEM768} },
			wire: clientHelloWith(func(m *clientHello) {
				m.extensions.keyShares = appendKeyShare(nil, X25519MLKEM768, bytes.Repeat([]byte{0xff}, 1216))
			}),
			by: "server", alert: AlertIllegalParameter, because: "no key of ML-KEM",
		}, {
			name:   "a key share of ML-KEM that is too short",
			config: func(client, server *Config) { server.Groups = []Group{X25519MLKEM768} },
			wire: clientHelloWith(func(m *clientHello) {
				m.extensions.keyShares = appendKeyShare(nil, X25519MLKEM768, make([]byte, 1200))
			}),
			by: "server", alert: AlertIllegalParameter, because: "has 1200 bytes",
		}, {
			name: "the client has the certificate but not its key",
			config: func(client, server *Config) {
				client.Certificate = &Certificate{certs[0].DER, certs[1].Key}
			},
			by: "server", alert: AlertDecryptError, because: "the signature in CertificateVerify is not of the peer's",
		}, {
			name: "the server has the certificate but not its key",
			config: func(client, server *Config) {
				server.Certificate = &Certificate{certs[1].DER, certs[0].Key}
			},
			by: "client", alert: AlertDecryptError, because: "the signature in CertificateVerify is not of the peer's",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, server := configs13()
			if test.config != nil {
				test.config(&client, &server)
			}
			// Whole hellos are what the attacker changes.
			client.MTU, server.MTU = 4000, 4000
			p := newPair(t, client, server)
			p.tap = test.wire
			p.connect()
			if p.client.Established() && p.server.Established() {
				t.Fatal("it was not refused")
			}
			if p.client.Err() == nil || p.server.Err() == nil {
				t.Fatalf("client %v (%v), server %v (%v)", p.client.State(), p.client.Err(), p.server.State(), p.server.Err())
			}
			if test.because == "" {
				return // in one way or another
			}
			by := p.client
			if test.by == "server" {
				by = p.server
			}
			var local *LocalError
			if !errors.As(by.Err(), &local) || local.Alert != test.alert || !strings.Contains(local.Reason, test.because) {
				t.Errorf("%s says %v, want …%s…", test.by, by.Err(), test.because)
			}
		})
	}
}

// TestAmplification: to an address that has shown nothing a server sends three
// times what came from there at most, whatever comes.
func TestAmplification(t *testing.T) {
	for _, newer := range []bool{false, true} {
		client, server := configs()
		if newer {
			client, server = configs13()
			client.Groups = []Group{X25519}
		}
		server.PathValidated = false
		p := newPair(t, client, server)
		in, out := 0, 0
		for range 10 {
			hello := p.client.AppendPacket(p.now, nil)
			in += len(hello)
			p.server.Receive(p.now, hello)
			for {
				b := p.server.AppendPacket(p.now, nil)
				if len(b) == 0 {
					break
				}
				out += len(b)
			}
			if out > 3*in {
				t.Fatalf("%d bytes were answered with %d", in, out)
			}
			p.now = p.now.Add(2e9)
			p.client.Advance(p.now)
			p.server.Advance(p.now)
		}
		if out == 0 {
			t.Error("the server does not answer")
		}
	}
}

// TestHalfOpenHandshakesAreSmall measures what a server holds for a client that
// sends a ClientHello and nothing more, and for one that sends what it can to be
// held. The figures stand in the package's documentation.
func TestHalfOpenHandshakesAreSmall(t *testing.T) {
	const n = 1000
	for _, test := range []struct {
		name            string
		cookie, hostile bool
		limit           int
	}{
		{"that waits for a cookie", true, false, 7 << 10},
		{"that was answered", false, false, 16 << 10},
		{"with a hostile client", false, true, 64 << 10},
		{"with a hostile client that has shown no cookie", true, true, 64 << 10},
	} {
		client, config := configs13()
		config.Groups = nil // X25519MLKEM768 is the largest
		config.Cookie = test.cookie
		sender, _ := NewClient(client)
		sender.Connect(start)
		var datagrams [][]byte
		for b := sender.AppendPacket(start, nil); len(b) > 0; b = sender.AppendPacket(start, nil) {
			datagrams = append(datagrams, b)
		}
		if test.hostile {
			// A byte of each message to come, as long as messages get, and records
			// that look as if their keys were to come.
			for seq := uint16(1); seq < 20; seq++ {
				for _, typ := range []handshakeType{typeCertificate, typeClientHello, typeCertificateVerify} {
					size := handshakeTypes[typ].max
					b := inClear(typeHandshake, 9, append(appendHandshakeHeader(nil, typ, size, seq, 0, 1), 0))
					datagrams = append(datagrams, b)
				}
				junk := append([]byte{unifiedFixed | unifiedLength | 3, 0, 4, 0}, make([]byte, 1<<10)...)
				datagrams = append(datagrams, junk, append(appendRecordHeader(nil, typeHandshake, 1, 9)[:11], append([]byte{4, 0}, junk[4:]...)...))
			}
		}
		servers := make([]*Conn, n)
		before, after := new(runtime.MemStats), new(runtime.MemStats)
		runtime.GC()
		runtime.ReadMemStats(before)
		buf := make([]byte, 0, 2048)
		for i := range servers {
			servers[i], _ = NewServer(config)
			for _, b := range datagrams {
				servers[i].Receive(start, append(buf, b...))
				for b := servers[i].AppendPacket(start, buf); len(b) > 0; b = servers[i].AppendPacket(start, buf) {
				}
			}
			if servers[i].Err() != nil {
				t.Fatal(servers[i].Err())
			}
		}
		runtime.GC()
		runtime.ReadMemStats(after)
		each := (int(after.HeapAlloc) - int(before.HeapAlloc)) / n
		t.Logf("a half-open handshake %s holds %d bytes", test.name, each)
		if each > test.limit {
			t.Errorf("a half-open handshake %s holds %d bytes, more than %d", test.name, each, test.limit)
		}
		runtime.KeepAlive(servers)
	}
}

// TestInjectedMessagesDoNotWedge: messages in clear that somebody sends ahead of
// the real ones do not keep these from being taken.
func TestInjectedMessagesDoNotWedge(t *testing.T) {
	client, server := configs13()
	p := newPair(t, client, server)
	for seq := uint16(1); seq < 6; seq++ {
		p.client.Receive(p.now, forged(typeCertificate, 100, seq, 0, make([]byte, 50)))
		p.server.Receive(p.now, forged(typeCertificate, 100, seq, 0, make([]byte, 50)))
	}
	acks := inClear(typeACK, 3, ackMessage{{0, 0}, {0, 1}}.append(nil))
	p.client.Receive(p.now, bytes.Clone(acks))
	p.exchange()
	p.established()
	if p.now != start {
		t.Error("the handshake took a timer")
	}
}

// TestBrowsersGetDTLS13: the same ClientHellos as TestBrowsersClientHello has,
// with DTLS 1.3 to be had.
func TestBrowsersGetDTLS13(t *testing.T) {
	for _, file := range []string{"chromium-clienthello.hex", "firefox-clienthello.hex"} {
		for _, reversed := range []bool{false, true} {
			_, config := configs13()
			config.Groups = nil
			config.SRTPProfiles = []SRTPProfile{SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_HMAC_SHA1_80}
			server, err := NewServer(config)
			if err != nil {
				t.Fatal(err)
			}
			datagrams := captured(t, file)
			if reversed {
				slices.Reverse(datagrams)
			}
			for _, d := range datagrams {
				server.Receive(start, d)
			}
			if got := server.State(); got != StateAwaitClientCertificate13 {
				t.Fatalf("%s: server is %v (%v)", file, got, server.Err())
			}
			if h := server.hs; h.params.suite != TLS_AES_128_GCM_SHA256 || h.group != X25519MLKEM768 || h.srtp != SRTP_AEAD_AES_128_GCM {
				t.Errorf("%s: chosen were %v, %v, %v", file, h.params.suite, h.group, h.srtp)
			}
		}
	}
}

// TestKeyLog13: the labels of the NSS key log for DTLS 1.3.
func TestKeyLog13(t *testing.T) {
	var lines []string
	client, server := configs13()
	server.Trace = trace.New(sinkFunc(func(e *trace.Event) {
		if e.Kind == trace.KindSecret {
			lines = append(lines, e.Name)
		}
	}), "")
	p := newPair(t, client, server)
	p.exchange()
	p.client.UpdateKeys(p.now, true)
	p.exchange()
	p.established()
	want := "CLIENT_HANDSHAKE_TRAFFIC_SECRET SERVER_HANDSHAKE_TRAFFIC_SECRET CLIENT_TRAFFIC_SECRET_0 SERVER_TRAFFIC_SECRET_0 EXPORTER_SECRET CLIENT_TRAFFIC_SECRET_1 SERVER_TRAFFIC_SECRET_1"
	if got := strings.Join(lines, " "); got != want {
		t.Errorf("the key log has %s, want %s", got, want)
	}
}

type sinkFunc func(e *trace.Event)

func (f sinkFunc) Trace(e *trace.Event) { f(e) }

// TestCookieBelongsToItsHello: the cookie of one ClientHello does not let
// another pass.
func TestCookieBelongsToItsHello(t *testing.T) {
	var r helloRetry
	secret := []byte("secret")
	cookie := (&helloRetry{TLS_AES_128_GCM_SHA256, X25519, make([]byte, 32)}).seal(secret)
	if !r.open(secret, cookie) || r.group != X25519 || r.suite != TLS_AES_128_GCM_SHA256 {
		t.Fatalf("our own cookie reads %v", r)
	}
	for i := range cookie {
		c := bytes.Clone(cookie)
		c[i]++
		if r.open(secret, c) {
			t.Errorf("byte %d of the cookie may change", i)
		}
		if r.open(secret, cookie[:i]) {
			t.Errorf("%d bytes of a cookie pass", i)
		}
	}
	if r.open([]byte("other"), cookie) {
		t.Error("another server's cookie passes")
	}
}
