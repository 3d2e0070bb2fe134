package dtls

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestPeersThatBreakTheRules: what a peer with the right keys may not send. Its
// messages are changed before they would be protected.
func TestPeersThatBreakTheRules(t *testing.T) {
	extension := func(e extensions) []byte { return e.append(nil, fromServer) }
	for _, test := range []struct {
		name     string
		byClient bool
		typ      handshakeType
		change   func(body []byte) []byte
		alert    Alert
		because  string
	}{
		{"EncryptedExtensions with a key share", false, typeEncryptedExtensions, func([]byte) []byte {
			return extension(extensions{keyShares: appendKeyShare(nil, X25519, []byte{1})})
		}, AlertIllegalParameter, "does not belong there"},
		{"EncryptedExtensions with what was not offered", false, typeEncryptedExtensions, func([]byte) []byte {
			return []byte{0, 4, 0x12, 0x34, 0, 0}
		}, AlertUnsupportedExtension, "was not offered"},
		{"use_srtp that was not offered", false, typeEncryptedExtensions, func([]byte) []byte {
			return extension(extensions{srtpProfiles: list16{0, 7}})
		}, AlertUnsupportedExtension, "was not offered"},
		{"half of EncryptedExtensions", false, typeEncryptedExtensions, func([]byte) []byte { return []byte{0} }, AlertDecodeError, "malformed"},
		{"CertificateRequest without signatures", false, typeCertificateRequest, func([]byte) []byte { return []byte{0, 0, 0} }, AlertMissingExtension, "which signatures"},
		{"CertificateRequest for others' signatures", false, typeCertificateRequest, func([]byte) []byte {
			return (&certificateRequest13{schemes: list16{8, 4}}).append(nil)
		}, AlertHandshakeFailure, "does not accept certificates"},
		{"the server's Certificate answers something", false, typeCertificate, func(b []byte) []byte {
			return (&certificate13{context: []byte{1}, leaf: certs[1].DER}).append(nil)
		}, AlertIllegalParameter, "another CertificateRequest"},
		{"the client's Certificate answers something", true, typeCertificate, func(b []byte) []byte {
			return (&certificate13{context: []byte{1}, leaf: certs[0].DER}).append(nil)
		}, AlertIllegalParameter, "another CertificateRequest"},
		{"a certificate with an extension", true, typeCertificate, func(b []byte) []byte {
			b = bytes.Clone(b)
			b[3] += 4
			return append(b[:len(b)-2], 0, 4, 0x12, 0x34, 0, 0)
		}, AlertUnsupportedExtension, "was not asked for"},
		{"no certificate", true, typeCertificate, func([]byte) []byte { return []byte{0, 0, 0, 0} }, AlertHandshakeFailure, "no certificate"},
		{"PKCS #1", true, typeCertificateVerify, func(b []byte) []byte { return append([]byte{4, 1}, b[2:]...) }, AlertIllegalParameter, "does not allow"},
		{"the scheme of another curve", true, typeCertificateVerify, func(b []byte) []byte { return append([]byte{5, 3}, b[2:]...) }, AlertIllegalParameter, "does not allow"},
		{"another signature", false, typeCertificateVerify, func(b []byte) []byte { b = bytes.Clone(b); b[20]++; return b }, AlertDecryptError, "the signature"},
		{"another Finished", true, typeFinished, func(b []byte) []byte { b = bytes.Clone(b); b[3]++; return b }, AlertDecryptError, "Finished does not fit"},
		{"another Finished of the server", false, typeFinished, func(b []byte) []byte { b = bytes.Clone(b); b[3]++; return b }, AlertDecryptError, "Finished does not fit"},
		{"half a Finished", true, typeFinished, func(b []byte) []byte { return b[:12] }, AlertDecryptError, "Finished does not fit"},
	} {
		client, server := configs13()
		client.Groups, client.MTU, server.MTU = []Group{X25519}, 4000, 4000
		p := newPair(t, client, server)
		p.server.Receive(p.now, p.client.AppendPacket(p.now, nil))
		p.server.AppendPacket(p.now, nil)
		// feed gives to what from would send, unprotected.
		feed := func(from, to *Conn, change bool) {
			for i, it := range from.flight.items {
				m := bytes.Clone(from.flight.buf[it.from:it.to])
				if typ := handshakeType(m[0]); change && typ == test.typ {
					body := test.change(m[handshakeHeaderSize:])
					m = append(appendHandshakeHeader(nil, typ, len(body), uint16(m[4])<<8|uint16(m[5]), 0, len(body)), body...)
				}
				if it.epoch == 0 {
					to.Receive(p.now, inClear(typeHandshake, uint64(i), m))
				} else {
					to.receiveHandshake13(p.now, record{typ: typeHandshake, epoch: it.epoch, seq: uint64(i), payload: m})
				}
			}
		}
		feed(p.server, p.client, !test.byClient)
		victim := p.client
		if test.byClient {
			feed(p.client, p.server, true)
			victim = p.server
		}
		var local *LocalError
		if !errors.As(victim.Err(), &local) || local.Alert != test.alert || !strings.Contains(local.Reason, test.because) {
			t.Errorf("%s: ended with %v in state %v, want …%s…", test.name, victim.Err(), victim.State(), test.because)
		}
	}
}

// TestMessagesInTheWrongEpoch: a handshake message counts in its epoch alone, and
// what is not kept is not acknowledged.
func TestMessagesInTheWrongEpoch(t *testing.T) {
	p, dropped := connected13(t, TLS_AES_128_GCM_SHA256)
	update := append(appendHandshakeHeader(nil, typeKeyUpdate, 1, p.server.session.in.next, 0, 1), 0)
	p.server.receiveHandshake13(p.now, record{typ: typeHandshake, epoch: epochHandshake, seq: 99, payload: update})
	p.server.traceDrop(p.now)
	dropped.expect(t, "a KeyUpdate in epoch 2", DropWrongProtection)
	if b := p.server.AppendPacket(p.now, nil); len(b) > 0 || len(p.server.acks.numbers) > 0 || p.server.layer.v13.in[0] != nil {
		t.Error("it is acknowledged, or followed")
	}

	// A KeyUpdate with keys that an earlier one ended.
	p.client.UpdateKeys(p.now, false)
	p.exchange()
	again := append(appendHandshakeHeader(nil, typeKeyUpdate, 1, p.server.session.in.next, 0, 1), 0)
	p.server.receiveHandshake13(p.now, record{typ: typeHandshake, epoch: epochApplication, seq: 99, payload: again})
	if err := p.server.Err(); err == nil || !strings.Contains(err.Error(), "updated before") {
		t.Errorf("the server goes on: %v", err)
	}

	// In the handshake nothing in clear is taken once there are keys.
	client, server := configs13()
	q := newPair(t, client, server)
	for b := q.client.AppendPacket(q.now, nil); len(b) > 0; b = q.client.AppendPacket(q.now, nil) {
		q.server.Receive(q.now, b)
	}
	q.server.Receive(q.now, forged(typeCertificate, 4, 1, 0, make([]byte, 4)))
	if q.server.State() != StateAwaitClientCertificate13 {
		t.Errorf("a message in clear was taken: %v", q.server.Err())
	}
}

// TestServersThatChangeTheirMind: no DTLS 1.3 after HelloVerifyRequest, nor 1.2 after
// HelloRetryRequest: a server does not change its mind.
func TestServersThatChangeTheirMind(t *testing.T) {
	client, _ := configs13()
	client.MTU = 4000
	hello13 := serverHello{version: DTLS12, random: make([]byte, 32), suite: TLS_AES_128_GCM_SHA256, extensions: extensions{
		supportedVersions: list16{0xfe, 0xfc}, keyShares: appendKeyShare(nil, X25519, append([]byte{9}, make([]byte, 31)...)),
	}}
	retry := (&helloRetry{TLS_AES_128_GCM_SHA256, Secp256r1, make([]byte, 32)}).message([]byte("secret"))
	verify := helloVerifyRequest{DTLS10, []byte("cookie")}
	hello12 := serverHello{version: DTLS12, random: make([]byte, 32), suite: suites[0].suite, extensions: extensions{extendedMasterSecret: true}}
	other := hello13
	other.suite = TLS_AES_256_GCM_SHA384
	for _, test := range []struct {
		first, second message
		type1         handshakeType
		because       string
	}{
		{&verify, &hello13, typeHelloVerifyRequest, "after a HelloVerifyRequest"},
		{retry, &hello12, typeServerHello, "after a HelloRetryRequest"},
		{retry, &other, typeServerHello, "after it had announced"},
	} {
		c, err := NewClient(client)
		if err != nil {
			t.Fatal(err)
		}
		c.Connect(start)
		c.AppendPacket(start, nil)
		b := test.first.append(nil)
		c.Receive(start, forged(test.type1, len(b), 0, 0, b))
		b = test.second.append(nil)
		c.Receive(start, forged(typeServerHello, len(b), 1, 0, b))
		if err := c.Err(); err == nil || !strings.Contains(err.Error(), test.because) {
			t.Errorf("the client says %v (%v), want …%s…", err, c.State(), test.because)
		}
	}
}
