package srtp

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// cryptexPacket has csrcs contributing sources, and unless profile is zero a
// header extension of so many words, which say "extn", and a payload of n bytes.
func cryptexPacket(seq uint16, ssrc uint32, csrcs int, profile uint16, words, n int) []byte {
	plain := rtpPacket(seq, ssrc, n)
	b := bytes.Clone(plain[:rtpHeaderSize])
	b[0] |= byte(csrcs)
	for range csrcs {
		b = append(b, "csrc"...)
	}
	if profile != 0 {
		b[0] |= extensionBit
		b = binary.BigEndian.AppendUint16(b, profile)
		b = binary.BigEndian.AppendUint16(b, uint16(words))
		for range words {
			b = append(b, "extn"...)
		}
	}
	return append(b, plain[rtpHeaderSize:]...)
}

// Every number of contributing sources with and without extensions, of both kinds
// and of another: what is hidden, and what comes out.
func TestCryptex(t *testing.T) {
	for _, profile := range profiles {
		out, in := pair(t, Config{Profile: profile, Cryptex: true})
		seq := uint16(0)
		for csrcs := range 16 {
			for _, kind := range []uint16{0, oneByteExtensions, twoByteExtensions, 0x1001, 0x1234} {
				for _, words := range []int{0, 1, 7, 300} {
					seq++
					plain := cryptexPacket(seq, 1, csrcs, kind, words, 33)
					sealed, err := out.SealRTP(bytes.Clone(plain), 0)
					if err != nil {
						t.Fatal(err)
					}
					hidden := kind == oneByteExtensions || kind == twoByteExtensions || kind == 0 && csrcs > 0
					seen := bytes.Contains(sealed, []byte("csrc")) || bytes.Contains(sealed, []byte("extn"))
					secret := csrcs > 0 || kind != 0 && words > 0
					if seen == hidden && secret {
						t.Errorf("%v: %d contributing sources, extension %#x of %d: in clear %v", profile, csrcs, kind, words, seen)
					}
					if !bytes.Equal(sealed[1:rtpHeaderSize], plain[1:rtpHeaderSize]) {
						t.Errorf("%v: the fixed header changed", profile)
					}
					want := plain
					if kind == 0 && csrcs > 0 {
						// RFC 9335, Section 5.2: "In the event that a zero-length
						// extension block was added [...], it can be left as-is".
						want = cryptexPacket(seq, 1, csrcs, oneByteExtensions, 0, 33)
					}
					opened, err := in.OpenRTP(sealed)
					if err != nil {
						t.Fatalf("%v: %d contributing sources, extension %#x of %d: %v", profile, csrcs, kind, words, err)
					}
					wantBytes(t, "the opened packet", opened, want)
				}
			}
		}
	}
}

// Cryptex is one side's choice for each packet, once the other understands it.
func TestCryptexNegotiated(t *testing.T) {
	for _, profile := range profiles {
		out, in := pair(t, Config{Profile: profile})
		transfer := func(seq uint16, want error) {
			t.Helper()
			plain := cryptexPacket(seq, 1, 2, oneByteExtensions, 1, 10)
			sealed, err := out.SealRTP(bytes.Clone(plain), 0)
			if err != nil {
				t.Fatal(err)
			}
			if tag := binary.BigEndian.Uint16(sealed[20:]); (tag == oneByteExtensionsCryptex) != out.Cryptex {
				t.Errorf("%v: with Cryptex %v the tag is %#x", profile, out.Cryptex, tag)
			}
			opened, err := in.OpenRTP(sealed)
			if err != want {
				t.Fatalf("%v: %v, want %v", profile, err, want)
			}
			if err == nil {
				wantBytes(t, "the opened packet", opened, plain)
			}
		}
		transfer(1, nil)
		in.Cryptex = true
		transfer(2, nil) // the peer does not have to use it
		out.Cryptex = true
		transfer(3, nil)
		out.Cryptex = false
		transfer(4, nil)
	}
}

// A receiver that has not agreed on Cryptex takes its tags for extensions of a
// kind it does not know: it leaves them alone.
func TestCryptexNotAgreedOn(t *testing.T) {
	out, in := pair(t, Config{Profile: AES128_CM_HMAC_SHA1_80})
	plain := cryptexPacket(1, 1, 0, oneByteExtensionsCryptex, 1, 10)
	sealed, err := out.SealRTP(bytes.Clone(plain), 0)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := in.OpenRTP(sealed)
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "the opened packet", opened, plain)
}

// The extension's tag says how a packet is opened, so it must be authentic too.
func TestCryptexTagIsAuthenticated(t *testing.T) {
	for _, profile := range profiles {
		for _, csrcs := range []int{0, 2} {
			out, in := pair(t, Config{Profile: profile, Cryptex: true})
			sealed, err := out.SealRTP(cryptexPacket(1, 1, csrcs, oneByteExtensions, 1, 10), 0)
			if err != nil {
				t.Fatal(err)
			}
			at := rtpHeaderSize + 4*csrcs
			for _, tag := range []uint16{oneByteExtensions, twoByteExtensions, twoByteExtensionsCryptex, 0} {
				binary.BigEndian.PutUint16(sealed[at:], tag)
				if err := open(in, sealed); err != DropNotAuthentic {
					t.Errorf("%v: tag %#x instead: %v", profile, tag, err)
				}
			}
			binary.BigEndian.PutUint16(sealed[at:], oneByteExtensionsCryptex)
			if err := open(in, sealed); err != nil {
				t.Errorf("%v: as it was: %v", profile, err)
			}
		}
	}
}
