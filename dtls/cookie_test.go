package dtls

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
)

// forgetful makes a server that is dropped whenever it may be, and runs a
// handshake with it. Others take its place.
func forgetful(t *testing.T, client, server Config, spoil func(asked int, c *Config)) (p *pair, asked int) {
	p = newPair(t, client, server)
	server.Rand = seeded(77) // those that follow make up other secrets
	for range 10 {
		for b := p.client.AppendPacket(p.now, nil); len(b) > 0; b = p.client.AppendPacket(p.now, nil) {
			p.server.Receive(p.now, b)
			for b := p.server.AppendPacket(p.now, nil); len(b) > 0; b = p.server.AppendPacket(p.now, nil) {
				p.client.Receive(p.now, b)
			}
			if p.server.Forgettable() {
				asked++
				if spoil != nil {
					spoil(asked, &server)
				}
				p.server, _ = NewServer(server)
			}
		}
	}
	return p, asked
}

// TestForgetfulServers: a server that asked for a cookie is forgotten, and
// another goes on, in both versions and with a ClientHello of two datagrams.
func TestForgetfulServers(t *testing.T) {
	here := netip.MustParseAddrPort("192.0.2.1:5000")
	configure := func() (client, server Config) {
		client, server = configs13()
		server.Cookie, server.PathValidated = true, false
		server.CookieSecret, server.PeerAddress = [32]byte{1}, here
		return client, server
	}
	for _, v := range []Version{DTLS12, DTLS13} {
		for _, groups := range [][]Group{{X25519}, {X25519MLKEM768, X25519}, {Secp384r1, X25519}} {
			client, server := configure()
			server.MaxVersion, client.Groups = v, groups
			server.Groups = []Group{X25519MLKEM768, X25519}
			p, asked := forgetful(t, client, server, nil)
			p.established()
			if asked != 1 {
				t.Errorf("%v, %v: the client was asked for a cookie %d times", v, groups, asked)
			}
			if got := p.server.ConnectionState(); got.Version != v {
				t.Errorf("%v, %v: negotiated %v", v, groups, got.Version)
			}
		}
	}

	// A cookie is worth nothing at another address, nor with another secret: in
	// version 1.2 the client is asked again, in 1.3 that is the end (RFC 9147,
	// Section 5.1).
	for why, spoil := range map[string]func(asked int, c *Config){
		"another port":    func(_ int, c *Config) { c.PeerAddress = netip.AddrPortFrom(here.Addr(), 5001) },
		"another address": func(_ int, c *Config) { c.PeerAddress = netip.MustParseAddrPort("192.0.2.2:5000") },
		"another secret":  func(_ int, c *Config) { c.CookieSecret[31]++ },
	} {
		client, server := configure()
		p, asked := forgetful(t, client, server, spoil)
		var local *LocalError
		if !errors.As(p.server.Err(), &local) || local.Alert != AlertIllegalParameter || asked != 1 {
			t.Errorf("%s: DTLS 1.3 ends with %v, asked %d times", why, p.server.Err(), asked)
		}
		client, server = configure()
		server.MaxVersion = DTLS12
		if p, asked = forgetful(t, client, server, spoil); p.server.Err() != nil || asked < 2 {
			t.Errorf("%s: DTLS 1.2 asks %d times (%v)", why, asked, p.server.Err())
		}
	}

	// Who shares no secret keeps what it knows, and so does who has half a message.
	client, server := configs13()
	server.Cookie = true
	p := newPair(t, client, server)
	p.server.Receive(start, p.client.AppendPacket(start, nil))
	p.server.Receive(start, p.client.AppendPacket(start, nil))
	if p.server.Forgettable() || p.server.State() != StateAwaitClientHello {
		t.Error("a server with a secret of its own says that it may be forgotten")
	}
	client, server = configure()
	p = newPair(t, client, server)
	if p.server.Forgettable() {
		t.Error("a server that has heard nothing says that it may be forgotten")
	}
	half := p.client.AppendPacket(start, nil)
	p.server.Receive(start, bytes.Clone(half))
	if p.server.Forgettable() {
		t.Error("a server that has half a ClientHello says that it may be forgotten")
	}
}
