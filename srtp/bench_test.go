package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"testing"
)

// packetSize is that of a full video packet: 1,200 bytes of RTP.
const packetSize = 1200

// BenchmarkSealRTP and BenchmarkOpenRTP are to be compared with BenchmarkBare.
func BenchmarkSealRTP(b *testing.B) {
	for _, profile := range profiles {
		b.Run(profile.String(), func(b *testing.B) {
			out, _ := pair(b, Config{Profile: profile})
			benchmarkSeal(b, out, 1)
		})
	}
}

// BenchmarkSealRTPManySources is one packet each of a hundred sources, in turn.
func BenchmarkSealRTPManySources(b *testing.B) {
	out, _ := pair(b, Config{Profile: AEAD_AES_128_GCM})
	benchmarkSeal(b, out, 100)
}

// BenchmarkSealRTPCryptex has contributing sources and an extension to encrypt.
func BenchmarkSealRTPCryptex(b *testing.B) {
	out, _ := pair(b, Config{Profile: AEAD_AES_128_GCM, Cryptex: true})
	buf := make([]byte, 0, 2*packetSize)
	b.SetBytes(packetSize)
	b.ReportAllocs()
	seq := uint16(0)
	for b.Loop() {
		packet := buf[:packetSize]
		packet[0] = 0x92
		binary.BigEndian.PutUint16(packet[2:], seq)
		binary.BigEndian.PutUint32(packet[20:], oneByteExtensions<<16|1)
		if _, err := out.SealRTP(packet, 0); err != nil {
			b.Fatal(err)
		}
		seq++
	}
}

func benchmarkSeal(b *testing.B, out *Outbound, sources uint32) {
	buf := rtpPacket(0, 1, packetSize-rtpHeaderSize)
	b.SetBytes(packetSize)
	b.ReportAllocs()
	seq, ssrc := uint16(0), uint32(0)
	for b.Loop() {
		packet := buf[:packetSize]
		binary.BigEndian.PutUint16(packet[2:], seq)
		binary.BigEndian.PutUint32(packet[8:], ssrc)
		sealed, err := out.SealRTP(packet, 0)
		if err != nil {
			b.Fatal(err)
		}
		buf = sealed
		if ssrc++; ssrc == sources {
			ssrc = 0
			seq++
		}
	}
}

// BenchmarkOpenRTP copies each packet first, because opening destroys it. The
// window is cleared to let the same packet in again.
func BenchmarkOpenRTP(b *testing.B) {
	for _, profile := range profiles {
		b.Run(profile.String(), func(b *testing.B) {
			out, in := pair(b, Config{Profile: profile})
			sealed, err := out.SealRTP(rtpPacket(1, 1, packetSize-rtpHeaderSize), 0)
			if err != nil {
				b.Fatal(err)
			}
			packet := make([]byte, len(sealed))
			b.SetBytes(packetSize)
			b.ReportAllocs()
			for b.Loop() {
				copy(packet, sealed)
				if _, err := in.OpenRTP(packet); err != nil {
					b.Fatal(err)
				}
				in.rtp.list[0].window = source{}.window
			}
		})
	}
}

func BenchmarkRTCP(b *testing.B) {
	for _, profile := range profiles {
		b.Run(profile.String(), func(b *testing.B) {
			out, in := pair(b, Config{Profile: profile})
			plain := rtcpPacket(1, 56)
			buf := make([]byte, 0, 200)
			b.ReportAllocs()
			for b.Loop() {
				sealed, err := out.SealRTCP(append(buf, plain...), 0)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := in.OpenRTCP(sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBare is what the standard library takes for the same bytes: the AEAD
// by itself, and counter mode (with cipher.NewCTR for each packet's IV, which is
// how it is meant to be used) with HMAC-SHA1.
func BenchmarkBare(b *testing.B) {
	for _, keySize := range []int{16, 32} {
		block, err := aes.NewCipher(make([]byte, keySize))
		if err != nil {
			b.Fatal(err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			b.Fatal(err)
		}
		name := map[int]string{16: "AES-128-GCM", 32: "AES-256-GCM"}[keySize]
		packet, nonce := make([]byte, packetSize, packetSize+gcmTagSize), make([]byte, 12)
		b.Run(name+"/Seal", func(b *testing.B) {
			b.SetBytes(packetSize)
			b.ReportAllocs()
			for b.Loop() {
				aead.Seal(packet[rtpHeaderSize:rtpHeaderSize], nonce, packet[rtpHeaderSize:], packet[:rtpHeaderSize])
			}
		})
		sealed := aead.Seal(nil, nonce, packet[rtpHeaderSize:], packet[:rtpHeaderSize])
		buf := make([]byte, len(sealed))
		b.Run(name+"/Open", func(b *testing.B) {
			b.SetBytes(packetSize)
			b.ReportAllocs()
			for b.Loop() {
				copy(buf, sealed)
				if _, err := aead.Open(buf[:0], nonce, buf, packet[:rtpHeaderSize]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("AES-CTR+HMAC-SHA1", func(b *testing.B) {
		block, err := aes.NewCipher(make([]byte, 16))
		if err != nil {
			b.Fatal(err)
		}
		packet, iv, sum := make([]byte, packetSize+4), make([]byte, 16), make([]byte, 0, 20)
		mac := hmac.New(sha1.New, make([]byte, 20))
		b.SetBytes(packetSize)
		b.ReportAllocs()
		for b.Loop() {
			cipher.NewCTR(block, iv).XORKeyStream(packet[rtpHeaderSize:packetSize], packet[rtpHeaderSize:packetSize])
			mac.Reset()
			mac.Write(packet)
			mac.Sum(sum)
		}
	})
}
