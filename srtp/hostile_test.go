package srtp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/plainrtc/plainrtc/internal/replay"
)

// known says what an Inbound knows, to see whether it has changed.
func known(in *Inbound) [4]uint64 {
	return [4]uint64{uint64(len(in.rtp.list)), in.rtp.count, uint64(len(in.rtcp.list)), in.rtcp.count}
}

// Any byte changed, any byte missing, any byte more: the packet is dropped and
// nothing is remembered of it. The packet itself then still opens.
func TestTampering(t *testing.T) {
	for _, c := range everyConfig() {
		out, in := pair(t, c)
		rtp, err := out.SealRTP(cryptexPacket(7, 1, 2, twoByteExtensions, 1, 20), 0)
		if err != nil {
			t.Fatal(err)
		}
		rtcp, err := out.SealRTCP(rtcpPacket(1, 32), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []struct {
			name   string
			sealed []byte
			open   func([]byte) ([]byte, error)
		}{{"RTP", rtp, in.OpenRTP}, {"RTCP", rtcp, in.OpenRTCP}} {
			before := known(in)
			refuse := func(b []byte, what string, at int) {
				t.Helper()
				if _, err := kind.open(b); err == nil {
					t.Fatalf("%s: %s with %s %d is opened", c.name(), kind.name, what, at)
				} else if _, ok := err.(Drop); !ok {
					t.Fatalf("%s: %s with %s %d: the error %v is no Drop", c.name(), kind.name, what, at, err)
				}
				if known(in) != before {
					t.Fatalf("%s: %s with %s %d is remembered", c.name(), kind.name, what, at)
				}
			}
			for at := range kind.sealed {
				for bit := range 8 {
					b := bytes.Clone(kind.sealed)
					b[at] ^= 1 << bit
					refuse(b, "a changed byte", at)
				}
				refuse(bytes.Clone(kind.sealed[:at]), "its end missing from", at)
				refuse(bytes.Clone(kind.sealed[at+1:]), "its beginning missing to", at)
			}
			refuse(append(bytes.Clone(kind.sealed), 0), "a byte more than", len(kind.sealed))
			if _, err := kind.open(bytes.Clone(kind.sealed)); err != nil {
				t.Fatalf("%s: %s as it was: %v", c.name(), kind.name, err)
			}
			if _, err := kind.open(bytes.Clone(kind.sealed)); err != DropReplayed {
				t.Fatalf("%s: %s again: %v", c.name(), kind.name, err)
			}
		}
	}
}

// RTP does not open as RTCP nor the other way: they have keys of their own.
func TestKindsDoNotMix(t *testing.T) {
	for _, p := range profiles {
		out, in := pair(t, Config{Profile: p})
		rtp, err := out.SealRTP(rtpPacket(1, 1, 30), 0)
		if err != nil {
			t.Fatal(err)
		}
		rtcp, err := out.SealRTCP(rtcpPacket(1, 32), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.OpenRTCP(bytes.Clone(rtp)); err != DropNotAuthentic {
			t.Errorf("%v: RTP opened as RTCP: %v", p, err)
		}
		if _, err := in.OpenRTP(bytes.Clone(rtcp)); err == nil {
			t.Errorf("%v: RTCP opened as RTP", p)
		}
	}
}

// What is no packet at all.
func TestMalformed(t *testing.T) {
	out, in := pair(t, Config{Profile: AEAD_AES_128_GCM})
	sealable := cryptexPacket(1, 1, 15, oneByteExtensions, 3, 0)
	for n := range sealable {
		if _, err := out.SealRTP(bytes.Clone(sealable[:n]), 0); err != ErrMalformed {
			t.Errorf("sealing the first %d bytes of a header of %d: %v", n, len(sealable), err)
		}
	}
	for _, c := range []struct {
		name   string
		packet []byte
		is     [4]bool // sealed as RTP, as RTCP; opened as RTP, as RTCP: malformed
	}{
		{"nothing", nil, [4]bool{true, true, true, true}},
		{"version 1", append([]byte{0x40}, make([]byte, 60)...), [4]bool{true, true, true, true}},
		{"version 3", append([]byte{0xc0}, make([]byte, 60)...), [4]bool{true, true, true, true}},
		{"11 bytes", append([]byte{0x80}, make([]byte, 10)...), [4]bool{true, false, true, true}},
		{"7 bytes", append([]byte{0x80}, make([]byte, 6)...), [4]bool{true, true, true, true}},
		{"a header and no tag", append([]byte{0x80}, make([]byte, 26)...), [4]bool{false, false, true, true}},
		{"contributing sources that are the tag", append([]byte{0x84}, make([]byte, 31)...), [4]bool{false, false, true, false}},
		{"longer than a datagram", append([]byte{0x80}, make([]byte, 1<<16+40)...), [4]bool{true, true, true, true}},
	} {
		_, sealRTP := out.SealRTP(bytes.Clone(c.packet), 0)
		_, sealRTCP := out.SealRTCP(bytes.Clone(c.packet), 0)
		_, openRTP := in.OpenRTP(bytes.Clone(c.packet))
		_, openRTCP := in.OpenRTCP(bytes.Clone(c.packet))
		got := [4]bool{sealRTP == ErrMalformed, sealRTCP == ErrMalformed, openRTP == DropMalformed, openRTCP == DropMalformed}
		if got != c.is {
			t.Errorf("%s: malformed %v, want %v", c.name, got, c.is)
		}
	}
}

// Strangers invent sources by the thousand; none is remembered.
func TestStrangersLeaveNoTrace(t *testing.T) {
	for _, p := range profiles {
		out, in := pair(t, Config{Profile: p})
		friend, err := out.SealRTP(rtpPacket(1, 1, 20), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.OpenRTP(friend); err != nil {
			t.Fatal(err)
		}
		before := known(in)
		random := rand.NewChaCha8([32]byte{1})
		b := make([]byte, 100)
		for i := range 5000 {
			random.Read(b)
			b[0] = 0x80 | b[0]&3
			if i%10 == 0 {
				binary.BigEndian.PutUint32(b[8:], 1) // the friend's name
			}
			if _, err := in.OpenRTP(bytes.Clone(b)); err != DropNotAuthentic {
				t.Fatalf("a stranger's packet: %v", err)
			}
			if _, err := in.OpenRTCP(bytes.Clone(b)); err != DropNotAuthentic {
				t.Fatalf("a stranger's RTCP: %v", err)
			}
		}
		if known(in) != before {
			t.Error("strangers left a trace")
		}
	}
}

// A peer with the keys uses more sources than are remembered: memory stays
// bounded, the one heard least recently is forgotten, the others are not.
func TestSourcesAreBounded(t *testing.T) {
	out, in := pair(t, Config{Profile: AEAD_AES_128_GCM})
	hear := func(seq uint16, ssrc uint32, want error) {
		t.Helper()
		b, err := out.SealRTP(rtpPacket(seq, ssrc, 0), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := open(in, b); err != want {
			t.Fatalf("source %d: %v, want %v", ssrc, err, want)
		}
	}
	first, err := out.SealRTP(rtpPacket(0, 0, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	second, err := out.SealRTP(rtpPacket(0, 1, 0), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{first, second} {
		if err := open(in, b); err != nil {
			t.Fatal(err)
		}
	}
	for ssrc := uint32(2); ssrc < MaxSources; ssrc++ {
		hear(0, ssrc, nil)
	}
	hear(1, 0, nil) // source 0 was heard again, so source 1 is now the oldest
	hear(0, MaxSources, nil)
	if n, m := len(in.rtp.list), len(in.rtp.at); n != MaxSources || m != MaxSources {
		t.Errorf("%d sources are remembered, %d found, want %d", n, m, MaxSources)
	}
	if in.rtp.find(1) != nil {
		t.Error("the source heard least recently is remembered")
	}
	if err := open(in, first); err != DropReplayed {
		t.Errorf("a replay for a source that is remembered: %v", err)
	}
	if err := open(in, second); err != nil {
		t.Errorf("a source that was forgotten begins anew: %v", err)
	}
	for ssrc := uint32(1e6); ssrc < 1e6+2*MaxSources; ssrc++ {
		hear(9, ssrc, nil)
	}
	if n, m := len(in.rtp.list), len(in.rtp.at); n != MaxSources || m != MaxSources {
		t.Errorf("%d sources are remembered, %d found, want %d", n, m, MaxSources)
	}
	for ssrc := range uint32(3 * MaxSources) {
		b, err := out.SealRTCP(rtcpPacket(ssrc, 8), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.OpenRTCP(b); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(in.rtcp.list); n != MaxSources {
		t.Errorf("%d sources of RTCP are remembered, want %d", n, MaxSources)
	}
}

// An Outbound forgets no source: it would use the same indices again.
func TestOutboundSourcesAreBounded(t *testing.T) {
	out, _ := pair(t, Config{Profile: AEAD_AES_128_GCM})
	for ssrc := range uint32(MaxOutboundSources) {
		if _, err := out.SealRTP(rtpPacket(0, ssrc, 0), 0); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := out.SealRTP(rtpPacket(0, MaxOutboundSources, 0), 0); err != ErrTooManySources || len(b) != 0 {
		t.Errorf("one source more: %d bytes, %v", len(b), err)
	}
	if _, err := out.SealRTP(rtpPacket(1, 0, 0), 0); err != nil {
		t.Errorf("the first source: %v", err)
	}
	if _, err := out.SealRTP(rtpPacket(0, 0, 0), 0); err != ErrReused {
		t.Errorf("the first source's first packet, again: %v", err)
	}
}

// Two packets with one index would be encrypted with the same keystream.
func TestIndexIsUsedOnce(t *testing.T) {
	for _, p := range profiles {
		out, _ := pair(t, Config{Profile: p})
		sealAll(t, out, 1, replay.Size+1)
		for _, c := range []struct {
			seq  uint16
			want error
		}{
			{1, ErrReused}, // too old to tell
			{2, ErrReused},
			{replay.Size + 1, ErrReused},
			{replay.Size + 2, nil},
		} {
			b, err := out.SealRTP(append([]byte("before"), rtpPacket(c.seq, 1, 10)...), 6)
			if err != c.want {
				t.Errorf("%v: packet %d again: %v, want %v", p, c.seq, err, c.want)
			}
			if err != nil && string(b) != "before" {
				t.Errorf("%v: what was refused is left in clear: %q", p, b)
			}
		}
	}
}

// RFC 3711, Section 9.2: 2^48 packets of RTP and 2^31 of RTCP for one key.
func TestKeyLimits(t *testing.T) {
	out, in := pair(t, Config{Profile: AEAD_AES_128_GCM})
	out.sources.count = maxIndex
	b, err := out.SealRTP(rtpPacket(1, 1, 10), 0)
	if err != nil {
		t.Fatal("packet 2^48:", err)
	}
	if err := open(in, b); err != nil {
		t.Fatal("packet 2^48:", err)
	}
	if b, err = out.SealRTP(rtpPacket(2, 1, 10), 0); err != ErrKeySpent || len(b) != 0 {
		t.Errorf("packet 2^48+1: %d bytes, %v", len(b), err)
	}

	out.rtcpIndex = maxRTCPIndex
	if b, err = out.SealRTCP(rtcpPacket(1, 8), 0); err != nil {
		t.Fatal("RTCP packet 2^31:", err)
	}
	if _, err := in.OpenRTCP(b); err != nil {
		t.Fatal("RTCP packet 2^31:", err)
	}
	if b, err = out.SealRTCP(rtcpPacket(1, 8), 0); err != ErrKeySpent || len(b) != 0 {
		t.Errorf("RTCP packet 2^31+1: %d bytes, %v", len(b), err)
	}
}

// The roll-over counter does not itself roll over.
func TestLastIndex(t *testing.T) {
	for _, p := range profiles {
		out, in := pair(t, Config{Profile: p})
		out.sources.add(1, MaxOutboundSources).window.Accept(maxIndex - 2)
		in.rtp.add(1, MaxSources).window.Accept(maxIndex - 2)
		for _, seq := range []uint16{0xffff, 0xfffe} {
			b, err := out.SealRTP(rtpPacket(seq, 1, 10), 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := open(in, b); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := out.SealRTP(rtpPacket(0, 1, 10), 0); err != ErrKeySpent {
			t.Errorf("%v: sealing beyond the last index: %v", p, err)
		}
		if err := open(in, rtpPacket(0, 1, 40)); err != DropKeySpent {
			t.Errorf("%v: opening beyond the last index: %v", p, err)
		}
	}
}

// The index of SRTCP begins at zero and goes up by one for each packet, whosever
// it is; a receiver takes them in any order, once.
func TestRTCPIndex(t *testing.T) {
	for _, p := range profiles {
		out, in := pair(t, Config{Profile: p})
		var sealed [][]byte
		for i := range 20 {
			b, err := out.SealRTCP(rtcpPacket(uint32(i%3), 24), 0)
			if err != nil {
				t.Fatal(err)
			}
			trailer := binary.BigEndian.Uint32(b[len(b)-out.rtcpTail.trailer:])
			if trailer != encryptedFlag|uint32(i) {
				t.Errorf("%v: the trailer of packet %d is %#x", p, i, trailer)
			}
			sealed = append(sealed, b)
		}
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(sealed), func(i, j int) { sealed[i], sealed[j] = sealed[j], sealed[i] })
		for _, b := range sealed {
			if _, err := in.OpenRTCP(bytes.Clone(b)); err != nil {
				t.Errorf("%v: %v", p, err)
			}
			if _, err := in.OpenRTCP(bytes.Clone(b)); err != DropReplayed {
				t.Errorf("%v: again: %v", p, err)
			}
		}
	}
}

// RTCP that the peer authenticated and did not encrypt: RFC 7714 has vectors of
// it, and for AES-CM it is made here.
func TestUnencryptedRTCP(t *testing.T) {
	out, in := pair(t, Config{Profile: AES128_CM_HMAC_SHA1_80, MKI: []byte("mk")})
	plain := rtcpPacket(1, 32)
	cm := out.transform.(*aesCM)
	b := append(bytes.Clone(plain), 0, 0, 0, 9)
	cm.rtcpTag(b)
	b = append(append(b, "mk"...), cm.sum[:10]...)
	opened, err := in.OpenRTCP(bytes.Clone(b))
	if err != nil {
		t.Fatal(err)
	}
	wantBytes(t, "the packet", opened, plain)
	if _, err := in.OpenRTCP(b); err != DropReplayed {
		t.Errorf("again: %v", err)
	}
}

// A packet of another master key is told by its MKI: it can be given to the
// session that has the key.
func TestMKI(t *testing.T) {
	for _, p := range profiles {
		oldOut, oldIn := pair(t, Config{Profile: p, MKI: []byte("old")})
		exported := bytes.Repeat([]byte("new"), 40)[:p.KeyingMaterialLen()]
		_, newIn, err := New(Config{Profile: p, MKI: []byte("new")}, exported, Server)
		if err != nil {
			t.Fatal(err)
		}
		rtp, err := oldOut.SealRTP(rtpPacket(1, 1, 10), 0)
		if err != nil {
			t.Fatal(err)
		}
		rtcp, err := oldOut.SealRTCP(rtcpPacket(1, 20), 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newIn.OpenRTP(rtp); err != DropMKI {
			t.Errorf("%v: RTP of the old key: %v", p, err)
		}
		if _, err := newIn.OpenRTCP(rtcp); err != DropMKI {
			t.Errorf("%v: RTCP of the old key: %v", p, err)
		}
		if _, err := oldIn.OpenRTP(rtp); err != nil {
			t.Errorf("%v: after the new session refused it: %v", p, err)
		}
		if _, err := oldIn.OpenRTCP(rtcp); err != nil {
			t.Errorf("%v: RTCP, after the new session refused it: %v", p, err)
		}
	}
}

func TestDropReasons(t *testing.T) {
	seen := map[string]bool{}
	for d := DropMalformed; d <= DropKeySpent; d++ {
		if d.String() == "" || seen[d.String()] {
			t.Errorf("reason %d is %q", d, d)
		}
		seen[d.String()] = true
		if d.Error() != "srtp: "+d.String() {
			t.Errorf("the error of %q is %q", d, d.Error())
		}
	}
	if Drop(0).String() != "unknown reason" || Drop(200).String() != "unknown reason" {
		t.Error("what is no reason has a name")
	}
}
