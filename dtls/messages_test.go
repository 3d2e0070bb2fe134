package dtls

import (
	"bytes"
	"fmt"
	"testing"
)

// parsed is what a message's parser makes of a body.
func parsed(typ handshakeType, body []byte) (message, bool) {
	switch typ {
	case typeClientHello:
		m, ok := parseClientHello(body)
		return &m, ok
	case typeServerHello:
		m, ok := parseServerHello(body)
		return &m, ok
	case typeHelloVerifyRequest:
		m, ok := parseHelloVerifyRequest(body)
		return &m, ok
	case typeCertificate:
		m, ok := parseCertificate(body)
		return &m, ok
	case typeServerKeyExchange:
		m, ok := parseServerKeyExchange(body)
		return &m, ok
	case typeCertificateRequest:
		m, ok := parseCertificateRequest(body)
		return &m, ok
	case typeServerHelloDone:
		return &serverHelloDone{}, len(body) == 0
	case typeCertificateVerify:
		m, ok := parseCertificateVerify(body)
		return &m, ok
	case typeClientKeyExchange:
		m, ok := parseClientKeyExchange(body)
		return &m, ok
	case typeEncryptedExtensions:
		m, ok := parseEncryptedExtensions(body)
		return &m, ok
	case typeKeyUpdate:
		m, ok := parseKeyUpdate(body)
		return &m, ok
	case typeFinished:
		return &finished{body}, len(body) == verifyDataSize
	}
	return nil, false
}

// examples are messages with every field in use.
var examples = []struct {
	typ handshakeType
	m   message
	say string
}{
	{typeClientHello, &clientHello{
		version: DTLS12, random: bytes.Repeat([]byte{7}, 32), sessionID: []byte{1}, cookie: []byte{2, 3},
		suites: list16{0xc0, 0x2b}, compression: []byte{0},
		extensions: extensions{
			supportedVersions: list16{0xfe, 0xfd}, supportedGroups: list16{0, 29, 0, 23}, ecPointFormats: []byte{0},
			signatureAlgorithms: list16{4, 3}, srtpProfiles: list16{0, 7, 0, 1}, srtpMKI: []byte{9},
			renegotiationInfo: []byte{}, extendedMasterSecret: true,
			cookie: []byte{6, 7}, keyShares: appendKeyShare(nil, X25519, []byte{1, 2, 3}),
		},
	}, "ClientHello cookie[2]"},
	{typeServerHello, &serverHello{
		version: DTLS12, random: bytes.Repeat([]byte{8}, 32), sessionID: []byte{1}, suite: 0xc02b,
		extensions: extensions{
			supportedVersions: list16{0xfe, 0xfd}, ecPointFormats: []byte{0}, srtpProfiles: list16{0, 7},
			srtpMKI: []byte{}, renegotiationInfo: []byte{}, extendedMasterSecret: true,
		},
	}, "ServerHello TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
	{typeServerHello, &serverHello{
		version: DTLS12, random: bytes.Repeat([]byte{8}, 32), sessionID: []byte{}, suite: TLS_AES_128_GCM_SHA256,
		extensions: extensions{supportedVersions: list16{0xfe, 0xfc}, keyShares: appendKeyShare(nil, X25519, []byte{1, 2, 3})},
	}, "ServerHello TLS_AES_128_GCM_SHA256"},
	{typeServerHello, &serverHello{
		version: DTLS12, random: helloRetryRandom[:], sessionID: []byte{}, suite: TLS_AES_128_GCM_SHA256,
		extensions: extensions{supportedVersions: list16{0xfe, 0xfc}, selectedGroup: X25519, cookie: []byte{1}},
	}, "HelloRetryRequest TLS_AES_128_GCM_SHA256"},
	{typeEncryptedExtensions, &encryptedExtensions{extensions{srtpProfiles: list16{0, 7}, srtpMKI: []byte{}}}, "EncryptedExtensions"},
	{typeKeyUpdate, &keyUpdate{true}, "KeyUpdate update_requested"},
	{typeKeyUpdate, &keyUpdate{false}, "KeyUpdate update_not_requested"},
	{typeHelloVerifyRequest, &helloVerifyRequest{DTLS10, []byte{1, 2, 3}}, "HelloVerifyRequest cookie[3]"},
	{typeCertificate, &certificateMessage{leaf: []byte{1, 2, 3}}, "Certificate"},
	{typeCertificate, &certificateMessage{}, "Certificate (none)"},
	{typeServerKeyExchange, &serverKeyExchange{X25519, []byte{1, 2}, 0x0403, []byte{3}}, "ServerKeyExchange x25519"},
	{typeCertificateRequest, &certificateRequest{[]byte{1, 64}, list16{4, 3}}, "CertificateRequest"},
	{typeServerHelloDone, &serverHelloDone{}, "ServerHelloDone"},
	{typeCertificateVerify, &certificateVerify{0x0403, []byte{1}}, "CertificateVerify"},
	{typeClientKeyExchange, &clientKeyExchange{[]byte{1, 2}}, "ClientKeyExchange"},
	{typeFinished, &finished{bytes.Repeat([]byte{5}, 12)}, "Finished"},
}

func TestMessagesRoundTrip(t *testing.T) {
	for _, e := range examples {
		body := e.m.append(nil)
		got, ok := parsed(e.typ, body)
		if !ok {
			t.Errorf("%v does not parse: %x", e.m, body)
			continue
		}
		if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", e.m) {
			t.Errorf("got  %#v\nwant %#v", got, e.m)
		}
		if got.String() != e.say {
			t.Errorf("says %q, want %q", got, e.say)
		}
	}
}

// TestMessagePrefixes: what is cut short must not parse, nor what is too long.
func TestMessagePrefixes(t *testing.T) {
	for _, e := range examples {
		body := e.m.append(nil)
		for n := range body {
			// The only optional part of any message: RFC 5246, Section 7.4.1.2
			// lets a hello end where its extensions would begin.
			if hello, ok := e.m.(*clientHello); ok && n == len(body)-len(hello.extensions.append(nil, fromClient)) {
				continue
			}
			if hello, ok := e.m.(*serverHello); ok && n == len(body)-len(hello.extensions.append(nil, fromServer)) {
				continue
			}
			if _, ok := parsed(e.typ, body[:n]); ok {
				t.Errorf("%v parses when cut to %d of %d bytes", e.m, n, len(body))
			}
		}
		if _, ok := parsed(e.typ, append(body, 0)); ok {
			t.Errorf("%v parses with a byte too many", e.m)
		}
	}
}

func TestExtensions(t *testing.T) {
	for _, test := range []struct {
		why  string
		raw  string
		want bool
	}{
		{"none", "", true},
		{"unknown ones are passed over", "1234 0003 010203", true},
		{"the same one twice", "0017 0000 0017 0000", false},
		{"an unknown one twice", "1234 0000 1234 0000", false},
		{"extended_master_secret with content", "0017 0001 00", false},
		{"groups of odd length", "000a 0003 0001 1d", false},
		{"no groups", "000a 0002 0000", false},
		{"groups longer than their extension", "000a 0004 0004 001d", false},
		{"groups shorter than their extension", "000a 0006 0002 001d 0000", false},
		{"no point formats", "000b 0001 00", false},
		{"use_srtp without MKI", "000e 0004 0002 0001", false},
		{"versions", "002b 0005 04 fefc fefd", true},
		{"half an extension", "0017 00", false},
	} {
		var e extensions
		if got := e.parse(unhex(t, test.raw), fromClient); got != test.want {
			t.Errorf("%s: parse says %v", test.why, got)
		}
	}
	var many []byte
	for i := range maxExtensions + 1 {
		many = append(many, 0x80, byte(i), 0, 0)
	}
	if e := (extensions{}); e.parse(many, fromClient) {
		t.Errorf("%d extensions were read", maxExtensions+1)
	}
}

func FuzzMessages(f *testing.F) {
	for _, e := range examples {
		f.Add(byte(e.typ), e.m.append(nil))
	}
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		m, ok := parsed(handshakeType(typ), body)
		if !ok {
			return
		}
		_ = m.String()
		// What was read and is written again reads the same. Not byte for byte:
		// unknown extensions, chains and names of authorities are passed over.
		again, ok := parsed(handshakeType(typ), m.append(nil))
		if !ok {
			t.Fatalf("%#v does not parse once it is written again", m)
		}
		switch handshakeType(typ) {
		case typeClientHello, typeServerHello, typeEncryptedExtensions:
			return // the flag for unknown extensions differs
		}
		if fmt.Sprintf("%#v", again) != fmt.Sprintf("%#v", m) {
			t.Fatalf("got %#v, want %#v", again, m)
		}
	})
}

func FuzzExtensions(f *testing.F) {
	f.Add(unhex(f, "000a00040002001d00170000ff01000100"), false)
	f.Fuzz(func(t *testing.T, b []byte, server bool) {
		var e, again extensions
		if !e.parse(b, sender(server)) {
			return
		}
		if !again.parse(e.append(nil, sender(server))[2:], sender(server)) {
			t.Fatalf("%#v does not parse once it is written again", e)
		}
		again.unknown = e.unknown
		if fmt.Sprintf("%#v", again) != fmt.Sprintf("%#v", e) {
			t.Fatalf("got %#v, want %#v", again, e)
		}
	})
}

func FuzzAlert(f *testing.F) {
	f.Add([]byte{2, 40})
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, ok := parseAlert(b); ok && !bytes.Equal(m.append(nil), b) {
			t.Fatalf("%v is written differently from %x", m, b)
		}
	})
}
