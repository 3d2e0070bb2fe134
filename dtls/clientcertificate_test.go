package dtls

import (
	"strings"
	"testing"
)

// TestNoClientCertificate: a server that asks for no certificate gets none, in both
// versions; a client that is not told so does not go on, for in WebRTC it would not be
// known by its peer.
func TestNoClientCertificate(t *testing.T) {
	for _, v := range []Version{DTLS12, DTLS13} {
		client, server := configs13()
		server.MaxVersion = v
		server.Fingerprints, server.NoClientCertificate = nil, true
		strict := newPair(t, client, server)
		strict.exchange()
		if strict.client.Established() || strict.client.Err() == nil {
			t.Errorf("%v: a client that was not told goes on without a CertificateRequest: %v", v, strict.client.Err())
		}

		client.NoClientCertificate = true
		p := newPair(t, client, server)
		p.connect()
		p.established()
		if got := p.server.ConnectionState(); got.Version != v || got.PeerCertificate != nil {
			t.Errorf("%v: the server has version %v and a certificate of %d bytes", v, got.Version, len(got.PeerCertificate))
		}
		if p.client.ConnectionState().PeerCertificate == nil {
			t.Errorf("%v: the client does not know the server's certificate", v)
		}
		p.server.Receive(p.now, p.client.Seal(nil, []byte("hello")))
		if data, ok := p.server.NextData(); !ok || string(data) != "hello" {
			t.Errorf("%v: the server got %q", v, data)
		}

		// A server that asks is answered by such a client too.
		client, server = configs13()
		server.MaxVersion, client.NoClientCertificate = v, true
		p = newPair(t, client, server)
		p.connect()
		p.established()
		if p.server.ConnectionState().PeerCertificate == nil {
			t.Errorf("%v: the server that asked has no certificate", v)
		}
	}
	client, _ := configs13()
	client.Fingerprints, client.NoClientCertificate = nil, true
	if _, err := NewClient(client); err == nil || !strings.Contains(err.Error(), "needs the peer's Fingerprints") {
		t.Errorf("a client need not know its server: %v", err)
	}
}
