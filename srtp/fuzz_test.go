package srtp

import (
	"bytes"
	"testing"
)

// FuzzParse checks that a header that is accepted lies within the packet.
func FuzzParse(f *testing.F) {
	f.Add(rtpPacket(1, 2, 3))
	f.Add(cryptexPacket(1, 2, 15, oneByteExtensions, 3, 4))
	f.Add(rtcpPacket(1, 28))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok := parseRTP(b); ok {
			if h.body < rtpHeaderSize+h.csrcs || h.body > len(b) || h.extension && h.body < rtpHeaderSize+h.csrcs+extensionHeaderSize {
				t.Errorf("the header of a packet of %d bytes: %+v", len(b), h)
			}
			for n := range h.body {
				if _, ok := parseRTP(b[:n]); ok {
					t.Errorf("%d bytes of a header of %d are a packet", n, h.body)
				}
			}
		}
		if _, ok := parseRTCP(b); ok && len(b) < rtcpHeaderSize {
			t.Error("RTCP without an SSRC")
		}
	})
}

// FuzzRoundTrip seals whatever is a packet, and opens it again.
func FuzzRoundTrip(f *testing.F) {
	f.Add(rtpPacket(1, 2, 30), uint8(0))
	f.Add(cryptexPacket(1, 2, 3, oneByteExtensions, 3, 4), uint8(7))
	f.Add(cryptexPacket(1, 2, 3, 0, 0, 4), uint8(13))
	f.Add(rtcpPacket(1, 28), uint8(20))
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		all := everyConfig()
		c := all[int(which)%len(all)]
		out, in := pair(t, c)
		pristine := bytes.Clone(b)
		h, isRTP := parseRTP(b)
		// A packet that says itself that it is encrypted is not the sender's to
		// protect with Cryptex.
		isRTP = isRTP && !unwrapCryptex(b, &h)
		if isRTP {
			want := pristine
			if h.csrcs > 0 && !h.extension && c.Cryptex {
				at := rtpHeaderSize + h.csrcs
				want = append(append(append([]byte{b[0] | extensionBit}, b[1:at]...), 0xbe, 0xde, 0, 0), b[at:]...)
			}
			sealed, err := out.SealRTP(bytes.Clone(b), 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) <= maxPacket {
				opened, err := in.OpenRTP(sealed)
				if err != nil || !bytes.Equal(opened, want) {
					t.Fatalf("%s: %x became %x, %v", c.name(), want, opened, err)
				}
			}
		}
		if _, ok := parseRTCP(b); ok {
			sealed, err := out.SealRTCP(bytes.Clone(b), 0)
			if err != nil {
				t.Fatal(err)
			}
			opened, err := in.OpenRTCP(sealed)
			if err != nil || !bytes.Equal(opened, pristine) {
				t.Fatalf("%s: RTCP %x became %x, %v", c.name(), pristine, opened, err)
			}
		}
	})
}

// FuzzOpen feeds a session that is under way with hostile datagrams: noise, and
// packets that were changed.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, uint8(0), false)
	f.Add(rtpPacket(2, 1, 40), uint8(3), false)
	f.Add(cryptexPacket(2, 1, 3, oneByteExtensionsCryptex, 2, 300), uint8(13), false)
	f.Add(rtcpPacket(1, 300), uint8(20), false)
	f.Add([]byte{0, 0, 0, 1}, uint8(7), true)
	f.Fuzz(func(t *testing.T, b []byte, which uint8, change bool) {
		all := everyConfig()
		c := all[int(which)%len(all)]
		out, in := pair(t, c)
		rtp, err := out.SealRTP(cryptexPacket(1, 1, 1, oneByteExtensions, 1, 20), 0)
		if err != nil {
			t.Fatal(err)
		}
		rtcp, err := out.SealRTCP(rtcpPacket(1, 28), 0)
		if err != nil {
			t.Fatal(err)
		}
		mix := func(sealed []byte) []byte {
			if !change {
				return bytes.Clone(b)
			}
			mixed := bytes.Clone(sealed)
			for i := range min(len(b), len(mixed)) {
				mixed[i] ^= b[i]
			}
			return mixed
		}
		if b := mix(rtp); !bytes.Equal(b, rtp) {
			if _, err := in.OpenRTP(b); err == nil {
				t.Errorf("%s: forged RTP is opened", c.name())
			}
		}
		if b := mix(rtcp); !bytes.Equal(b, rtcp) {
			if _, err := in.OpenRTCP(b); err == nil {
				t.Errorf("%s: forged RTCP is opened", c.name())
			}
		}
		if known(in) != [4]uint64{} {
			t.Errorf("%s: something hostile is remembered", c.name())
		}
		if _, err := in.OpenRTP(rtp); err != nil {
			t.Errorf("%s: RTP after that: %v", c.name(), err)
		}
		if _, err := in.OpenRTCP(rtcp); err != nil {
			t.Errorf("%s: RTCP after that: %v", c.name(), err)
		}
	})
}
