package dtls

import (
	"crypto/aes"
	"crypto/cipher"
	"slices"
	"testing"
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

// BenchmarkRecord seals a record of application data at one end and opens it at
// the other, against the bare AEAD; and in DTLS 1.3 against what that version
// cannot do without: a content type that is encrypted, a header of 5 bytes, and
// for the record's number a block of AES at each end, the second of which has to
// be known before the record is opened.
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
			b.Run(suite.name+"/"+name, func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
		run("ours", func() {
			r := p.client.AppendRecordHeader(buf)
			p.server.Receive(start, p.client.SealRecord(r[:len(r)+size], 0))
			if _, ok := p.server.NextData(); !ok {
				b.Fatal("no data")
			}
		})
		run("bare", func() { bareRecord(b, bare, buf[:size], aad[:13]) })
		if suite.version == DTLS13 && suite.suite != TLS_CHACHA20_POLY1305_SHA256 {
			sn, err := aes.NewCipher(make([]byte, suite.key))
			if err != nil {
				b.Fatal(err)
			}
			at := buf[unifiedHeaderSize : unifiedHeaderSize+size+1]
			run("floor", func() {
				sn.Encrypt(mask[:], at)
				bareRecord(b, bare, at, aad[:unifiedHeaderSize])
				sn.Encrypt(mask[:], at)
			})
		}
	}
}

var (
	nonce [12]byte
	aad   [13]byte
	mask  [aes.BlockSize]byte
)

func bareRecord(b *testing.B, aead cipher.AEAD, plain, aad []byte) {
	sealed := aead.Seal(plain[:0], nonce[:], plain, aad)
	if _, err := aead.Open(sealed[:0], nonce[:], sealed, aad); err != nil {
		b.Fatal(err)
	}
}
