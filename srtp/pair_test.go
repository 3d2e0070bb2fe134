package srtp

import (
	"encoding/binary"
	"testing"
)

// profiles are all there are.
var profiles = []Profile{AES128_CM_HMAC_SHA1_80, AES128_CM_HMAC_SHA1_32, AEAD_AES_128_GCM, AEAD_AES_256_GCM}

// pair makes a sender and its receiver, with keys that are always the same.
func pair(t testing.TB, c Config) (*Outbound, *Inbound) {
	t.Helper()
	exported := make([]byte, c.Profile.KeyingMaterialLen())
	for i := range exported {
		exported[i] = byte(i*7 + 1)
	}
	out, _, err := New(c, exported, Client)
	if err != nil {
		t.Fatal(err)
	}
	_, in, err := New(c, exported, Server)
	if err != nil {
		t.Fatal(err)
	}
	return out, in
}

// rtpPacket is one without contributing sources or extension, with a payload of
// n bytes.
func rtpPacket(seq uint16, ssrc uint32, n int) []byte {
	b := []byte{0x80, 96}
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, uint32(seq)*3000)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	for i := range n {
		b = append(b, byte(i)^byte(seq))
	}
	return b
}

// rtcpPacket is a receiver report of n bytes, or begins like one.
func rtcpPacket(ssrc uint32, n int) []byte {
	b := []byte{0x81, 201}
	b = binary.BigEndian.AppendUint16(b, uint16(n/4-1))
	b = binary.BigEndian.AppendUint32(b, ssrc)
	for i := range n - len(b) {
		b = append(b, byte(i))
	}
	return b
}
