package srtp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/plainrtc/plainrtc/internal/replay"
)

// appendixA is RFC 3711, Appendix A as it stands there: the roll-over counter to
// use for seq, given s_l and ROC.
func appendixA(sl uint16, roc uint32, seq uint16) (v uint32) {
	if sl < 32768 {
		if int(seq)-int(sl) > 32768 {
			return roc - 1
		}
		return roc
	}
	if int(sl)-32768 > int(seq) {
		return roc + 1
	}
	return roc
}

// FuzzEstimateIndex compares estimateIndex with Appendix A.
func FuzzEstimateIndex(f *testing.F) {
	f.Add(uint64(0), uint16(0xffff))
	f.Add(uint64(0x7fff), uint16(0xffff))
	f.Add(uint64(0x8000), uint16(0))
	f.Add(uint64(0x18000), uint16(0))
	f.Add(uint64(0x1_0000), uint16(0x8000))
	f.Add(uint64(0x1_0000), uint16(0x8001))
	f.Add(uint64(maxIndex), uint16(0))
	f.Fuzz(func(t *testing.T, highest uint64, seq uint16) {
		highest &= maxIndex
		var w replay.Window
		w.Accept(highest)
		got := estimateIndex(&w, seq)
		roc := uint32(highest >> 16)
		v := appendixA(uint16(highest), roc, seq)
		want := uint64(v)<<16 | uint64(seq)
		switch {
		case roc == 0 && v == 0xffffffff:
			want = uint64(seq) // there is nothing below zero
		case roc == 0xffffffff && v == 0:
			want = maxIndex + 1 + uint64(seq) // nor above the last
		}
		if got != want {
			t.Errorf("after %#x the packet %#x has index %#x, want %#x", highest, seq, got, want)
		}
	})
}

func TestFirstIndexIsTheSequenceNumber(t *testing.T) {
	for _, seq := range []uint16{0, 1, 0x7fff, 0x8000, 0xffff} {
		if got := estimateIndex(new(replay.Window), seq); got != uint64(seq) {
			t.Errorf("the index of a first packet %d is %d", seq, got)
		}
	}
}

// sealAll seals packets with the sequence numbers first, first+1, …
func sealAll(t *testing.T, out *Outbound, first uint16, n int) [][]byte {
	t.Helper()
	sealed := make([][]byte, n)
	for i := range sealed {
		b, err := out.SealRTP(rtpPacket(first+uint16(i), 1, 20), 0)
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		sealed[i] = b
	}
	return sealed
}

// open opens a copy of b, which can so be replayed.
func open(in *Inbound, b []byte) error {
	_, err := in.OpenRTP(slices.Clone(b))
	return err
}

// Three times around: the roll-over counter is 3 in the end, at both sides.
func TestRollover(t *testing.T) {
	for _, profile := range profiles {
		out, in := pair(t, Config{Profile: profile})
		const n = 3<<16 + 10
		for i := range n {
			b, err := out.SealRTP(rtpPacket(uint16(i), 1, 0), 0)
			if err != nil {
				t.Fatalf("%v: packet %d: %v", profile, i, err)
			}
			if _, err := in.OpenRTP(b); err != nil {
				t.Fatalf("%v: packet %d: %v", profile, i, err)
			}
		}
		if highest, _ := in.rtp.list[0].window.Highest(); highest != n-1 {
			t.Errorf("%v: the highest index is %#x, want %#x", profile, highest, n-1)
		}
	}
}

// The receiver sees the packets around the wrap in another order.
func TestReorderingAcrossTheWrap(t *testing.T) {
	for seed := range uint64(50) {
		out, in := pair(t, Config{Profile: profiles[seed%4]})
		sealed := sealAll(t, out, 0xffff-100, 200)
		if err := open(in, sealed[0]); err != nil {
			t.Fatal("the first packet, whose roll-over counter both take as 0:", err)
		}
		random := rand.New(rand.NewPCG(seed, 0))
		rest := sealed[1:]
		random.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		for _, b := range rest {
			if err := open(in, b); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		for _, b := range sealed {
			if err := open(in, b); err != DropReplayed {
				t.Fatalf("seed %d: a second time: %v", seed, err)
			}
		}
	}
}

// A forwarder seals packets in the order in which it got them.
func TestSealingOutOfOrder(t *testing.T) {
	out, in := pair(t, Config{Profile: AEAD_AES_128_GCM})
	for _, seq := range []uint16{0xfffd, 0xffff, 0, 0xfffe, 2, 1} {
		b, err := out.SealRTP(rtpPacket(seq, 1, 20), 0)
		if err != nil {
			t.Fatalf("%d: %v", seq, err)
		}
		if _, err := in.OpenRTP(b); err != nil {
			t.Fatalf("%d: %v", seq, err)
		}
	}
}

// What can be lost around a wrap: a packet less than 2^15 ahead is known to be
// ahead, and one that is 2^15 ahead is taken for a late one.
func TestGapAcrossTheWrap(t *testing.T) {
	for _, c := range []struct {
		lost int
		want error
	}{
		{0, nil},
		{1<<15 - 2, nil},
		{1<<15 - 1, DropReplayed},
	} {
		out, in := pair(t, Config{Profile: AES128_CM_HMAC_SHA1_80})
		sealed := sealAll(t, out, 0xfff0, c.lost+2)
		if err := open(in, sealed[0]); err != nil {
			t.Fatal(err)
		}
		if err := open(in, sealed[len(sealed)-1]); err != c.want {
			t.Errorf("after a loss of %d packets: %v, want %v", c.lost, err, c.want)
		}
	}
}

// A packet from before the wrap that comes late is of the roll-over counter
// before; older than the window reaches it is not looked at.
func TestLateAcrossTheWrap(t *testing.T) {
	out, in := pair(t, Config{Profile: AEAD_AES_256_GCM})
	const late = 5
	sealed := sealAll(t, out, 0xffff-late, replay.Size+late)
	for i, b := range sealed {
		if i == 0 || i == late {
			continue
		}
		if err := open(in, b); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(in, sealed[late]); err != nil {
		t.Errorf("a late packet, in the window: %v", err)
	}
	if err := open(in, sealed[0]); err != DropReplayed {
		t.Errorf("a packet %d behind: %v", replay.Size+late-1, err)
	}
}

// A forged packet with a sequence number far ahead does not move the roll-over
// counter.
func TestForgeryDoesNotRollOver(t *testing.T) {
	for _, profile := range profiles {
		out, in := pair(t, Config{Profile: profile})
		sealed := sealAll(t, out, 0xfff0, 40)
		if err := open(in, sealed[0]); err != nil {
			t.Fatal(err)
		}
		before := in.rtp.list[0]
		forged := slices.Clone(sealed[39])
		forged[len(forged)-1] ^= 1
		if err := open(in, forged); err != DropNotAuthentic {
			t.Fatalf("%v: a forged packet: %v", profile, err)
		}
		if in.rtp.list[0] != before {
			t.Errorf("%v: a forged packet changed what is known of its source", profile)
		}
		for _, b := range sealed[1:] {
			if err := open(in, b); err != nil {
				t.Fatal(err)
			}
		}
	}
}
