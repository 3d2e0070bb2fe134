package dtls

import (
	"crypto/cipher"
	"slices"
	"testing"

	"github.com/plainrtc/plainrtc/internal/replay"
)

// BenchmarkHandshake is a whole handshake, both ends, without making the
// certificates.
func BenchmarkHandshake(b *testing.B) {
	for _, suite := range suites {
		b.Run(suite.name, func(b *testing.B) {
			client, server := configs()
			client.CipherSuites = []CipherSuite{suite.suite}
			b.ReportAllocs()
			for b.Loop() {
				p := newPair(b, client, server)
				p.exchange()
				if !p.client.Established() || !p.server.Established() {
					b.Fatal(p.client.Err(), p.server.Err())
				}
			}
		})
	}
}

// BenchmarkHandshake13 is the same in DTLS 1.3, with and without ML-KEM.
func BenchmarkHandshake13(b *testing.B) {
	for _, group := range []Group{X25519MLKEM768, X25519, Secp256r1} {
		b.Run(group.String(), func(b *testing.B) {
			client, server := configs13()
			client.Groups, server.Groups = []Group{group}, []Group{group}
			b.ReportAllocs()
			for b.Loop() {
				p := newPair(b, client, server)
				p.exchange()
				if !p.client.Established() || !p.server.Established() {
					b.Fatal(p.client.Err(), p.server.Err())
				}
			}
		})
	}
}

func BenchmarkGenerateCertificate(b *testing.B) {
	rand := seeded(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := GenerateCertificate(rand, start); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecord compares records of application data with the bare AEAD.
func BenchmarkRecord(b *testing.B) {
	const size = 1200
	for _, suite := range slices.Concat(suites[:], suites13[:]) {
		client, server := configs13()
		client.CipherSuites = []CipherSuite{suite.suite}
		p := newPair(b, client, server)
		p.exchange()
		bare, err := suite.aead(make([]byte, suite.key))
		if err != nil {
			b.Fatal(err)
		}
		buf := make([]byte, 0, 2048)
		run := func(name string, f func()) {
			b.Run(name+"/"+suite.name, func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
		run("seal", func() {
			r := p.client.AppendRecordHeader(buf)
			p.client.SealRecord(r[:len(r)+size], 0)
		})
		run("seal bare", func() { bareSeal(bare, buf[:size]) })

		// Opening needs a fresh record each time: the window forgets.
		var before replay.Window
		if l := p.client.layer.v13; l != nil {
			before.Accept(l.out[epochApplication].seq - 1)
		}
		sealed := p.client.Seal(nil, make([]byte, size))
		run("open", func() {
			p.server.layer.window = replay.Window{}
			if l := p.server.layer.v13; l != nil {
				l.in[epochApplication].window = before
			}
			d := append(buf, sealed...)
			p.server.Receive(start, d)
			if _, ok := p.server.NextData(); !ok {
				b.Fatal("no data")
			}
		})
		box := bare.Seal(nil, nonce[:], make([]byte, size), aad[:])
		run("open bare", func() {
			d := append(buf, box...)
			if _, err := bare.Open(d[:0], nonce[:], d, aad[:]); err != nil {
				b.Fatal(err)
			}
		})
	}
}

var (
	nonce [12]byte
	aad   [13]byte
)

func bareSeal(aead cipher.AEAD, plain []byte) { aead.Seal(plain[:0], nonce[:], plain, aad[:]) }
