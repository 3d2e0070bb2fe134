package dtls

import (
	"math/rand/v2"
	"testing"
	"time"
)

// start is when the tests begin.
var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// seeded is a source of randomness that replays.
func seeded(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

var certs = func() (c [2]*Certificate) {
	for i := range c {
		var err error
		if c[i], err = GenerateCertificate(seeded(byte(100+i)), start); err != nil {
			panic(err)
		}
	}
	return c
}()

// configs returns what a client and a server of DTLS 1.2 need to know each
// other.
func configs() (client, server Config) {
	client = Config{Certificate: certs[0], Rand: seeded(1), Fingerprints: []Fingerprint{certs[1].Fingerprint()}}
	server = Config{Certificate: certs[1], Rand: seeded(2), Fingerprints: []Fingerprint{certs[0].Fingerprint()}}
	for _, c := range []*Config{&client, &server} {
		c.MaxVersion, c.PathValidated = DTLS12, true
	}
	return client, server
}

// configs13 returns the same for both versions. The server has no X25519MLKEM768:
// its part of that does not follow from a seed.
func configs13() (client, server Config) {
	client, server = configs()
	client.MaxVersion, server.MaxVersion = DTLS13, DTLS13
	server.Groups = []Group{X25519, Secp256r1, Secp384r1}
	return client, server
}

// A pair is a client and a server with a wire between them.
type pair struct {
	t              testing.TB
	now            time.Time
	client, server *Conn
	// data is what each received.
	clientData, serverData []string
	// tap, if set, sees each datagram and says what arrives in its place.
	tap func(toServer bool, datagram []byte) [][]byte
}

func newPair(t testing.TB, client, server Config) *pair {
	t.Helper()
	p := &pair{t: t, now: start}
	var err error
	if p.client, err = NewClient(client); err != nil {
		t.Fatal(err)
	}
	if p.server, err = NewServer(server); err != nil {
		t.Fatal(err)
	}
	p.server.Connect(p.now)
	p.client.Connect(p.now)
	return p
}

// exchange carries datagrams until both ends have nothing to say.
func (p *pair) exchange() {
	for quiet := 0; quiet < 2; {
		for _, toServer := range []bool{true, false} {
			from, to := p.server, p.client
			if toServer {
				from, to = to, from
			}
			b := from.AppendPacket(p.now, nil)
			if len(b) == 0 {
				quiet++
				continue
			}
			quiet = 0
			arrives := [][]byte{b}
			if p.tap != nil {
				arrives = p.tap(toServer, b)
			}
			for _, b := range arrives {
				p.deliver(to, b)
			}
		}
	}
}

func (p *pair) deliver(to *Conn, b []byte) {
	to.Receive(p.now, b)
	for data, ok := to.NextData(); ok; data, ok = to.NextData() {
		if to == p.client {
			p.clientData = append(p.clientData, string(data))
		} else {
			p.serverData = append(p.serverData, string(data))
		}
	}
}

// connect runs the handshake, timers included, until both ends are established
// or one has ended.
func (p *pair) connect() {
	p.t.Helper()
	for {
		p.exchange()
		if p.client.Established() && p.server.Established() {
			return
		}
		next := earliest(p.client.NextTimeout(), p.server.NextTimeout())
		if next.IsZero() {
			return
		}
		p.now = next
		p.client.Advance(p.now)
		p.server.Advance(p.now)
	}
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// established fails the test unless both ends are, and data flows both ways.
func (p *pair) established() {
	p.t.Helper()
	if err := p.client.Err(); err != nil {
		p.t.Fatalf("client: %v", err)
	}
	if err := p.server.Err(); err != nil {
		p.t.Fatalf("server: %v", err)
	}
	if !p.client.Established() || !p.server.Established() {
		p.t.Fatalf("client is %v, server is %v", p.client.State(), p.server.State())
	}
	p.deliver(p.server, p.client.Seal(nil, []byte("ping")))
	p.deliver(p.client, p.server.Seal(nil, []byte("pong")))
	if n := len(p.serverData); n == 0 || p.serverData[n-1] != "ping" {
		p.t.Errorf("server got %q", p.serverData)
	}
	if n := len(p.clientData); n == 0 || p.clientData[n-1] != "pong" {
		p.t.Errorf("client got %q", p.clientData)
	}
}
