package dtls

import (
	"bytes"
	"container/heap"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// tampered runs a handshake over a wire on which an attacker, from a seed, flips
// bits of datagrams, drops, truncates, repeats, delays and reorders them, sends
// old ones again, and joins parts of different ones. It fails the test if the
// ends come to different views, or one comes to none.
func tampered(t *testing.T, seed uint64, strength int) (happy bool) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	client, server := configs13()
	client.HandshakeTimeout, server.HandshakeTimeout = 10*time.Second, 10*time.Second
	client.SRTPProfiles = []SRTPProfile{SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_HMAC_SHA1_80}
	server.SRTPProfiles = client.SRTPProfiles
	switch seed % 6 {
	case 1:
		server.Groups = []Group{Secp256r1}
	case 2:
		server.Cookie, server.PathValidated = true, false
	case 3:
		server.MaxVersion = DTLS12
	case 4:
		client.MTU, server.MTU = 300, 300
	case 5:
		client.Groups = []Group{X25519}
	}
	p := newPair(t, client, server)
	var wire parcels
	var seen [][]byte
	n := 0
	push := func(toServer bool, b []byte, late time.Duration) {
		n++
		heap.Push(&wire, parcel{p.now.Add(10*time.Millisecond + late), n, toServer, bytes.Clone(b)})
	}
	budget := strength
	send := func() {
		for _, toServer := range []bool{true, false} {
			from := p.server
			if toServer {
				from = p.client
			}
			for b := from.AppendPacket(p.now, nil); len(b) > 0; b = from.AppendPacket(p.now, nil) {
				seen = append(seen, bytes.Clone(b))
				if budget == 0 || random.IntN(3) > 0 {
					push(toServer, b, 0)
					continue
				}
				budget--
				switch random.IntN(8) {
				case 0: // dropped
				case 1: // a bit flips
					b[random.IntN(len(b))] ^= 1 << random.IntN(8)
					push(toServer, b, 0)
				case 2: // truncated
					push(toServer, b[:random.IntN(len(b))], 0)
				case 3: // repeated
					push(toServer, b, 0)
					push(toServer, b, time.Duration(random.IntN(300))*time.Millisecond)
				case 4: // late, and so behind others
					push(toServer, b, time.Duration(random.IntN(300))*time.Millisecond)
				case 5: // an old one in its place, or back to its sender
					push(random.IntN(2) == 0, seen[random.IntN(len(seen))], 0)
				case 6: // a flipped copy overtakes it
					c := bytes.Clone(b)
					c[random.IntN(len(c))] ^= 1 << random.IntN(8)
					push(toServer, c, 0)
					push(toServer, b, 0)
				case 7: // its head, and the tail of an old one
					old := seen[random.IntN(len(seen))]
					push(toServer, slices.Concat(b[:random.IntN(len(b))], old[random.IntN(len(old)):]), 0)
					push(toServer, b, 0)
				}
			}
		}
	}
	send()
	deadline := start.Add(30 * time.Second)
	for {
		next := earliest(p.client.NextTimeout(), p.server.NextTimeout())
		if len(wire) > 0 {
			next = earliest(next, wire[0].at)
		}
		if next.IsZero() {
			break
		}
		if next.After(deadline) {
			t.Fatalf("seed %d: still at it after 30 s: client %v, server %v", seed, p.client.State(), p.server.State())
		}
		p.now = next
		for len(wire) > 0 && !wire[0].at.After(p.now) {
			d := heap.Pop(&wire).(parcel)
			if d.toServer {
				p.server.Receive(p.now, d.datagram)
			} else {
				p.client.Receive(p.now, d.datagram)
			}
		}
		p.client.Advance(p.now)
		p.server.Advance(p.now)
		send()
	}
	c, s := p.client, p.server
	switch {
	case c.Established() && s.Established():
		kc, _ := c.ExportKeyingMaterial("EXPORTER", nil, 32)
		ks, _ := s.ExportKeyingMaterial("EXPORTER", nil, 32)
		a, b := c.ConnectionState(), s.ConnectionState()
		if !bytes.Equal(kc, ks) || a.Version != b.Version || a.CipherSuite != b.CipherSuite || a.Group != b.Group || a.SRTPProfile != b.SRTPProfile {
			t.Fatalf("seed %d: a split view: %v and %v", seed, a, b)
		}
		if want := server.MaxVersion; a.Version != want {
			t.Fatalf("seed %d: talked down to %v", seed, a.Version)
		}
		p.established()
		return true
	case c.Err() == nil && s.Err() == nil:
		t.Fatalf("seed %d: neither end knows that it failed: client %v, server %v", seed, c.State(), s.State())
	case c.Established() || s.Established():
		// The other end's error is known to somebody; its peer will see no data.
	}
	return false
}

// TestTamperedHandshakes: whatever happens on the wire, both ends agree, or one
// says what is wrong.
func TestTamperedHandshakes(t *testing.T) {
	seeds := uint64(3000)
	if testing.Short() {
		seeds = 300
	}
	happy := 0
	for seed := range seeds {
		if tampered(t, seed, 1+int(seed%7)) {
			happy++
		}
	}
	t.Logf("%d of %d handshakes came about", happy, seeds)
	if happy < int(seeds)/2 {
		t.Errorf("only %d of %d handshakes came about", happy, seeds)
	}
}

// FuzzTamper looks for a seed and a strength that split the ends' views.
func FuzzTamper(f *testing.F) {
	f.Add(uint64(1), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, strength uint8) { tampered(t, seed, int(strength)) })
}
