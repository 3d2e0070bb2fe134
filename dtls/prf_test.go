package dtls

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/internal/trace"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPRF takes the vectors that were posted to the TLS working group's list
// (https://www.ietf.org/mail-archive/web/tls/current/msg03416.html); OpenSSL's
// TLS1-PRF yields the same.
func TestPRF(t *testing.T) {
	for _, test := range []struct {
		hash               crypto.Hash
		secret, seed, want string
	}{
		{
			crypto.SHA256, "9bbe436ba940f017b17652849a71db35", "a0ba9f936cda311827a6f796ffd5198c", `
			e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a
			6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab
			4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701
			87347b66`,
		}, {
			crypto.SHA384, "b80b733d6ceefcdc71566ea48e5567df", "cd665cf6a8447dd6ff8b27555edb7465", `
			7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cd
			e9ca0faa60be9fe34f82b1233c9146a0e534cb400fed2700884f9dc236f80edd
			8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425
			9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee6
			91c8f3a26854308d5eaa3be85e0990703d73e56f`,
		},
	} {
		want := unhex(t, test.want)
		got := make([]byte, len(want))
		seed := unhex(t, test.seed)
		newPRF(test.hash, unhex(t, test.secret)).fill(got, "test label", seed[:5], seed[5:])
		if !bytes.Equal(got, want) {
			t.Errorf("%v: got %x, want %x", test.hash, got, want)
		}
	}
}

func TestExporter(t *testing.T) {
	client, server := configs()
	p := newPair(t, client, server)
	if _, err := p.client.ExportKeyingMaterial("EXPORTER", nil, 16); err == nil {
		t.Error("keying material was exported before there is any")
	}
	p.exchange()
	p.established()
	export := func(label string, context []byte) string {
		k, err := p.client.ExportKeyingMaterial(label, context, 16)
		if err != nil {
			t.Fatal(err)
		}
		return string(k)
	}
	plain := export("EXPORTER", nil)
	if plain == export("EXPORTER", []byte{}) {
		t.Error("RFC 5705, Section 4: no context and an empty one are told apart")
	}
	if plain == export("EXPORTER2", nil) {
		t.Error("two labels export the same")
	}
	for _, label := range []string{"client finished", "server finished", "master secret", "key expansion"} {
		if _, err := p.client.ExportKeyingMaterial(label, nil, 16); err == nil {
			t.Errorf("RFC 5705, Section 4: %q must not be an exporter's label", label)
		}
	}
	for _, n := range []int{-1, maxExport + 1} {
		if _, err := p.client.ExportKeyingMaterial("EXPORTER", nil, n); err == nil {
			t.Errorf("%d bytes were exported", n)
		}
	}
}

// A keyLog is a sink that keeps the secrets.
type keyLog []string

func (k *keyLog) Trace(e *trace.Event) {
	if e.Kind == trace.KindSecret {
		*k = append(*k, e.Name+" "+hex.EncodeToString(e.Bytes)+" "+hex.EncodeToString(e.Secret))
	}
}

func TestKeyLog(t *testing.T) {
	var a, z keyLog
	client, server := configs()
	client.Trace, server.Trace = trace.New(&a, "client"), trace.New(&z, "server")
	p := newPair(t, client, server)
	p.exchange()
	p.established()
	s := p.client.secrets
	want := "CLIENT_RANDOM " + hex.EncodeToString(s.clientRandom[:]) + " " + hex.EncodeToString(s.master[:])
	for _, got := range []keyLog{a, z} {
		if len(got) != 1 || got[0] != want {
			t.Errorf("key log is %q, want %q", got, want)
		}
	}
}
