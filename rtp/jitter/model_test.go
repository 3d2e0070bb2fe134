package jitter

import (
	"cmp"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// What a jitter buffer does to audio is, in the end, sorting. The model sorts by
// the numbers that never wrap, and leaves out what was late or lost; what comes
// out must be that, whatever the order, the delays and the duplicates.
func TestModelOfAudio(t *testing.T) {
	for seed := range uint64(60) {
		r := seeded(seed)
		w := newWorld(t, Config{})
		first := r.IntN(1 << 16)
		clock := r.Uint32()
		spread, loss, twice := r.IntN(200)+1, r.Float64()*0.2, r.Float64()*0.1
		type arrival struct {
			at time.Duration
			n  int
		}
		var arrivals []arrival
		for n := range 600 {
			for again := true; again; again = r.Float64() < twice {
				if r.Float64() >= loss {
					arrivals = append(arrivals, arrival{time.Duration(n)*20*ms + time.Duration(r.IntN(spread))*ms, n})
				}
			}
		}
		slices.SortStableFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
		var want []int
		for _, a := range arrivals {
			w.sleepUntil(a.at)
			late := w.b.Stats().PacketsLate
			duplicate := w.b.Stats().PacketsDuplicate
			w.send(packet(t, rtp.Header{SequenceNumber: uint16(first + a.n), Timestamp: clock + uint32(a.n)*960, SSRC: 1}, 0xf8, byte(a.n>>8), byte(a.n)), opus)
			if s := w.b.Stats(); s.PacketsLate == late && s.PacketsDuplicate == duplicate {
				want = append(want, a.n)
			}
		}
		w.sleep(3 * time.Second)
		slices.Sort(want)
		got := slices.DeleteFunc(w.numbers(), func(n int) bool { return n < 0 })
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
		s := w.b.Stats()
		if int(s.PacketsReceived) != len(want) || s.Restarts != 0 || s.HeldPackets != 0 || s.HeldBytes != 0 {
			t.Errorf("seed %d: stats %+v", seed, s)
		}
		// Nothing is handed out before its time, and times do not go back.
		for i, f := range w.frames {
			if f.at < f.Due.Sub(epoch) || i > 0 && f.Due.Before(w.frames[i-1].Due.Add(-20*ms)) {
				t.Fatalf("seed %d: frame %d is due at %v and comes at %v", seed, i, f.Due.Sub(epoch), f.at)
			}
		}
	}
}

// Video, where a part is lost and some of that comes again: what is handed out
// is whole frames, in order, and each can be decoded: it is a key frame, or the one
// before it was handed out.
func TestModelOfVideo(t *testing.T) {
	for seed := range uint64(60) {
		r := seeded(seed)
		w := newWorld(t, Config{Video: true})
		if seed%2 == 0 {
			w.b.SetRTT(60 * ms)
		}
		loss := r.Float64() * 0.1
		type arrival struct {
			at     time.Duration
			p      rtp.Packet
			resent bool
		}
		var arrivals []arrival
		n := 65000
		sizes := make([]int, 400)
		for i := range sizes {
			sizes[i] = 1 + r.IntN(6)
			for j := range sizes[i] {
				d := payload.VP8Descriptor{Start: j == 0}
				data := d.Append(nil)
				if j == 0 {
					data = append(data, byte(min(i%50, 1)))
				}
				data = binary.BigEndian.AppendUint16(data, uint16(i))
				a := arrival{time.Duration(i)*33*ms + time.Duration(r.IntN(20))*ms, packet(t, rtp.Header{Marker: j == sizes[i]-1, PayloadType: 96, SequenceNumber: uint16(n), Timestamp: uint32(i) * 2970, SSRC: 1}, data...), false}
				n++
				if r.Float64() < loss {
					if a.resent = seed%2 == 0 && r.IntN(4) > 0; !a.resent {
						continue
					}
					a.at += time.Duration(60+r.IntN(20)) * ms
				}
				arrivals = append(arrivals, a)
			}
		}
		slices.SortStableFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
		for _, a := range arrivals {
			w.sleepUntil(a.at)
			if a.resent {
				w.resend(a.p, vp8)
			} else {
				w.send(a.p, vp8)
			}
		}
		w.sleep(3 * time.Second)
		last, keys := -1, 0
		for _, f := range w.frames {
			i := int(f.Timestamp / 2970)
			if i <= last || len(f.data) != 1+2*sizes[i] {
				t.Fatalf("seed %d: frame %d after %d, of %d bytes, want %d", seed, i, last, len(f.data), 1+2*sizes[i])
			}
			if f.KeyFrame != (i%50 == 0) || !f.KeyFrame && i != last+1 {
				t.Fatalf("seed %d: frame %d after %d cannot be decoded", seed, i, last)
			}
			if f.KeyFrame {
				keys++
			}
			last = i
		}
		if s := w.b.Stats(); keys == 0 || s.HeldBytes > 6*20 || s.Restarts != 0 {
			t.Errorf("seed %d: %d key frames, stats %+v", seed, keys, s)
		}
	}
}
