package srtp

import (
	"bytes"
	"fmt"
	"testing"
)

// everyConfig are all ways in which two sides can talk.
func everyConfig() []Config {
	var all []Config
	for _, p := range profiles {
		for _, mki := range [][]byte{nil, []byte("key1"), bytes.Repeat([]byte{9}, 255)} {
			for _, cryptex := range []bool{false, true} {
				all = append(all, Config{Profile: p, MKI: mki, Cryptex: cryptex})
			}
		}
	}
	return all
}

func (c Config) name() string {
	return fmt.Sprintf("%v/MKI=%d/Cryptex=%v", c.Profile, len(c.MKI), c.Cryptex)
}

// Payloads of all lengths around the cipher's block and the keystream's batch.
func TestRoundTrip(t *testing.T) {
	for _, c := range everyConfig() {
		t.Run(c.name(), func(t *testing.T) {
			out, in := pair(t, c)
			rtpMore, rtcpMore := out.Overhead()
			if c.Cryptex {
				rtpMore -= extensionHeaderSize // these packets have no contributing sources
			}
			for n := range 2*batch*16 + 20 {
				plain := rtpPacket(uint16(n), 1, n)
				sealed, err := out.SealRTP(bytes.Clone(plain), 0)
				if err != nil {
					t.Fatal(err)
				}
				if len(sealed) != len(plain)+rtpMore {
					t.Fatalf("%d bytes became %d, not %d more", len(plain), len(sealed), rtpMore)
				}
				if n >= 16 && bytes.Contains(sealed, plain[rtpHeaderSize:]) {
					t.Fatalf("the payload of packet %d is in clear", n)
				}
				opened, err := in.OpenRTP(sealed)
				if err != nil {
					t.Fatalf("a payload of %d bytes: %v", n, err)
				}
				wantBytes(t, "the RTP packet", opened, plain)

				plain = rtcpPacket(1, rtcpHeaderSize+n)
				if sealed, err = out.SealRTCP(bytes.Clone(plain), 0); err != nil {
					t.Fatal(err)
				}
				if len(sealed) != len(plain)+rtcpMore {
					t.Fatalf("%d bytes of RTCP became %d, not %d more", len(plain), len(sealed), rtcpMore)
				}
				if opened, err = in.OpenRTCP(sealed); err != nil {
					t.Fatalf("RTCP with %d bytes: %v", n, err)
				}
				wantBytes(t, "the RTCP packet", opened, plain)
			}
		})
	}
}

// What stands in b before start is not the packet's, and is not touched, whether
// b has room for the tag or not.
func TestSealBehindOtherBytes(t *testing.T) {
	for _, c := range everyConfig() {
		for _, room := range []int{0, 400} {
			out, in := pair(t, c)
			seal := func(plain []byte, f func([]byte, int) ([]byte, error), open func([]byte) ([]byte, error)) {
				t.Helper()
				b := append(make([]byte, 0, 7+len(plain)+room), "before "...)
				b, err := f(append(b, plain...), 7)
				if err != nil {
					t.Fatal(err)
				}
				if string(b[:7]) != "before " {
					t.Errorf("%s: what was before the packet is now %q", c.name(), b[:7])
				}
				opened, err := open(b[7:])
				if err != nil {
					t.Fatalf("%s: %v", c.name(), err)
				}
				wantBytes(t, "the packet", opened, plain)
				if len(opened) != cap(opened) {
					t.Error("appending to an opened packet would write behind it")
				}
			}
			seal(rtpPacket(1, 1, 100), out.SealRTP, in.OpenRTP)
			seal(rtcpPacket(1, 60), out.SealRTCP, in.OpenRTCP)
		}
	}
}

// The client's packets are not the server's: their keys differ.
func TestDirections(t *testing.T) {
	for _, p := range profiles {
		exported := make([]byte, p.KeyingMaterialLen())
		for i := range exported {
			exported[i] = byte(i)
		}
		out, in, err := New(Config{Profile: p}, exported, Client)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := out.SealRTP(rtpPacket(1, 1, 10), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := open(in, sealed); err != DropNotAuthentic {
			t.Errorf("%v: what the client sealed, opened by the client: %v", p, err)
		}
		if sealed, err = out.SealRTCP(rtcpPacket(1, 20), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := in.OpenRTCP(sealed); err != DropNotAuthentic {
			t.Errorf("%v: RTCP that the client sealed, opened by the client: %v", p, err)
		}
	}
}

// The short profile has long tags for RTCP, and for RTP what its name says.
func TestOverhead(t *testing.T) {
	for _, c := range []struct {
		config    Config
		rtp, rtcp int
	}{
		{Config{Profile: AES128_CM_HMAC_SHA1_80}, 10, 14},
		{Config{Profile: AES128_CM_HMAC_SHA1_32}, 4, 14},
		{Config{Profile: AEAD_AES_128_GCM}, 16, 20},
		{Config{Profile: AEAD_AES_256_GCM, MKI: []byte{1, 2}}, 18, 22},
		{Config{Profile: AEAD_AES_256_GCM, Cryptex: true}, 20, 20},
	} {
		out, _ := pair(t, c.config)
		if rtp, rtcp := out.Overhead(); rtp != c.rtp || rtcp != c.rtcp {
			t.Errorf("%s: overhead %d and %d, want %d and %d", c.config.name(), rtp, rtcp, c.rtp, c.rtcp)
		}
	}
}

func TestWrongConfig(t *testing.T) {
	for _, c := range []struct {
		config Config
		size   int
		want   string
	}{
		{Config{Profile: 3}, 60, "srtp: SRTP protection profile 0x0003 is not supported: choose one of [SRTP_AEAD_AES_128_GCM SRTP_AEAD_AES_256_GCM SRTP_AES128_CM_HMAC_SHA1_80]"},
		{Config{Profile: AEAD_AES_128_GCM}, 60, "srtp: SRTP_AEAD_AES_128_GCM needs 56 bytes of keying material, not 60"},
		{Config{Profile: AEAD_AES_128_GCM, MKI: make([]byte, 256)}, 56, "srtp: a master key identifier has at most 255 bytes"},
	} {
		_, _, err := New(c.config, make([]byte, c.size), Client)
		if err == nil || err.Error() != c.want {
			t.Errorf("%v: error %v, want %s", c.config, err, c.want)
		}
	}
	for _, p := range profiles {
		for _, k := range []MasterKey{{}, {make([]byte, 16), nil}, {make([]byte, 24), make([]byte, 14)}, {make([]byte, 32), make([]byte, 14)}} {
			if _, err := NewOutbound(Config{Profile: p}, k); err == nil {
				t.Errorf("%v takes a key of %d bytes and a salt of %d to send", p, len(k.Key), len(k.Salt))
			}
			if _, err := NewInbound(Config{Profile: p}, k); err == nil {
				t.Errorf("%v takes a key of %d bytes and a salt of %d to receive", p, len(k.Key), len(k.Salt))
			}
		}
	}
}

// The values are those of the use_srtp extension, the names those of the registry.
func TestProfiles(t *testing.T) {
	for value, name := range map[uint16]string{
		0x0001: "SRTP_AES128_CM_HMAC_SHA1_80",
		0x0002: "SRTP_AES128_CM_HMAC_SHA1_32",
		0x0007: "SRTP_AEAD_AES_128_GCM",
		0x0008: "SRTP_AEAD_AES_256_GCM",
	} {
		if got := Profile(value).String(); got != name {
			t.Errorf("profile %#04x is called %s, not %s", value, got, name)
		}
	}
	if Profile(5).KeyingMaterialLen() != 0 {
		t.Error("an unknown profile needs keying material")
	}
	for i, p := range Preferred() {
		if p == AES128_CM_HMAC_SHA1_32 {
			t.Error("tags of 32 bits are preferred")
		}
		if gcm := p == AEAD_AES_128_GCM || p == AEAD_AES_256_GCM; gcm != (i < 2) {
			t.Errorf("%v is number %d: GCM goes first", p, i+1)
		}
	}
}

// No packet allocates, whatever is on.
func TestNoAllocation(t *testing.T) {
	for _, c := range everyConfig() {
		out, in := pair(t, c)
		plain, report := rtpPacket(0, 1, 1000), rtcpPacket(1, 60)
		if c.Cryptex {
			plain = cryptexPacket(0, 1, 3, oneByteExtensions, 2, 1000)
		}
		buf := make([]byte, 0, 2000)
		seq := uint16(0)
		transfer := func() {
			packet := append(buf, plain...)
			packet[2], packet[3] = byte(seq>>8), byte(seq)
			seq++
			sealed, err := out.SealRTP(packet, 0)
			if err == nil {
				_, err = in.OpenRTP(sealed)
			}
			if err != nil {
				t.Fatal(err)
			}
			if sealed, err = out.SealRTCP(append(buf, report...), 0); err == nil {
				_, err = in.OpenRTCP(sealed)
			}
			if err != nil {
				t.Fatal(err)
			}
			// And what is refused.
			if _, err := in.OpenRTCP(append(buf, sealed...)); err == nil {
				t.Fatal("replayed")
			}
			if _, err := in.OpenRTP(append(buf, plain...)); err == nil {
				t.Fatal("forged")
			}
		}
		transfer() // the sources are new
		if n := testing.AllocsPerRun(100, transfer); n != 0 {
			t.Errorf("%s: %v allocations a packet", c.name(), n)
		}
	}
}
