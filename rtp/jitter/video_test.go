package jitter

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A picture is a frame of video in packets.
type picture struct {
	packets []rtp.Packet
	data    string
}

// pictures puts a capture's packets together, without a jitter buffer.
func pictures(t testing.TB, packets []rtp.Packet, f payload.Format) (all []picture) {
	t.Helper()
	d := f.NewDepacketizer()
	var p picture
	var data []byte
	for _, packet := range packets {
		p.packets = append(p.packets, packet)
		if len(packet.Payload()) == 0 {
			continue
		}
		var err error
		if data, err = d.Append(data, packet.Payload()); err != nil {
			t.Fatal(err)
		}
		if packet.Marker() {
			if err := d.Finish(); err != nil {
				t.Fatal(err)
			}
			p.data = string(data)
			all = append(all, p)
			p, data = picture{}, nil
		}
	}
	if len(all) < 5 {
		t.Fatalf("%d pictures", len(all))
	}
	return all
}

var videos = []struct {
	name   string
	format payload.Format
}{
	{"vp8", payload.VP8}, {"vp9", payload.VP9}, {"vp9svc", payload.VP9}, {"h264", payload.H264}, {"h264m0", payload.H264}, {"av1", payload.AV1}, {"av1svc", payload.AV1},
}

// What Chromium sent comes out as it went in, in whatever order it comes, with
// duplicates, and with packets that come only when asked for.
func TestCapturedVideo(t *testing.T) {
	for _, v := range videos {
		t.Run(v.name, func(t *testing.T) {
			packets, ids := captured(t, v.name)
			want := pictures(t, packets, v.format)
			for seed := range uint64(20) {
				r := seeded(seed)
				w := newWorld(t, Config{Video: true, Extensions: ids})
				w.b.SetRTT(50 * ms)
				codec := Codec{Format: v.format, ClockRate: 90000}
				type arrival struct {
					at     time.Duration
					p      rtp.Packet
					resent bool
				}
				var arrivals []arrival
				for i, p := range want {
					at := time.Duration(i)*33*ms + 100*ms
					for j, packet := range p.packets {
						a := arrival{at: at + time.Duration(r.IntN(8))*ms, p: packet}
						if first := i == 0 && j == 0; first {
							a.at = at
						} else if r.IntN(10) == 0 {
							a.at += 60 * ms
							a.resent = true
						}
						arrivals = append(arrivals, a)
						if r.IntN(10) == 0 {
							arrivals = append(arrivals, a)
						}
					}
				}
				slices.SortStableFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
				for _, a := range arrivals {
					w.sleepUntil(a.at)
					if a.resent {
						w.resend(a.p, codec)
					} else {
						w.send(a.p, codec)
					}
				}
				w.sleep(time.Second)
				if len(w.frames) != len(want) {
					t.Fatalf("seed %d: %d frames of %d, drops %q", seed, len(w.frames), len(want), w.drops.Drops())
				}
				for i, f := range w.frames {
					if f.data != want[i].data {
						t.Fatalf("seed %d: frame %d differs", seed, i)
					}
					if f.KeyFrame != (i == 0) || f.Missing != 0 {
						t.Errorf("seed %d: frame %d: key %t, missing %d", seed, i, f.KeyFrame, f.Missing)
					}
				}
				if s := w.b.Stats(); s.FramesReceived != uint64(len(want)) || s.KeyFramesReceived != 1 || s.FramesDropped != 0 || s.PacketsMissing != 0 || w.b.NeedsKeyFrame() {
					t.Errorf("seed %d: stats %+v", seed, s)
				}
			}
		})
	}
}

// play sends pictures, as far apart as their timestamps are, without the packet of
// the given picture and place.
func (w *world) play(all []picture, c Codec, picture, place int) *world {
	for i, p := range all {
		if i > 0 {
			w.sleep(ticks(int64(p.packets[0].Timestamp()-all[i-1].packets[0].Timestamp()), c.ClockRate))
		}
		for j, packet := range p.packets {
			if i != picture || j != place {
				w.send(packet, c)
			}
		}
	}
	return w.sleep(33 * ms)
}

// Nothing is sent again: a frame with a hole is given up when it is due, and with
// it all that follows, when the codec does not say that something else can be
// decoded.
func TestHoleBreaksTheChain(t *testing.T) {
	for _, v := range videos {
		if v.name == "vp9svc" || v.name == "av1svc" {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			packets, ids := captured(t, v.name)
			all := pictures(t, packets, v.format)
			w := newWorld(t, Config{Video: true, Extensions: ids})
			w.play(all, Codec{Format: v.format, ClockRate: 90000}, 3, 0).sleep(time.Second)
			if len(w.frames) != 3 || !w.b.NeedsKeyFrame() {
				t.Errorf("%d frames, key frame needed: %t; want the 3 before the loss, and that one is", len(w.frames), w.b.NeedsKeyFrame())
			}
			if s := w.b.Stats(); s.FramesDropped == 0 || s.PacketsMissing != 1 {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

// A key frame repairs the chain: the capture once more, as if it went on.
func TestKeyFrameRepairsTheChain(t *testing.T) {
	for _, v := range videos {
		t.Run(v.name, func(t *testing.T) {
			packets, ids := captured(t, v.name)
			all := pictures(t, packets, v.format)
			codec := Codec{Format: v.format, ClockRate: 90000}
			w := newWorld(t, Config{Video: true, Extensions: ids})
			w.play(all, codec, 0, 0)
			if !w.b.NeedsKeyFrame() || len(w.frames) != 0 {
				t.Errorf("without the first packet %d frames came out", len(w.frames))
			}
			last := packets[len(packets)-1]
			from := last.SequenceNumber() + 1 - packets[0].SequenceNumber()
			after := last.Timestamp() + 2970 - packets[0].Timestamp()
			for _, p := range packets {
				p.SetSequenceNumber(p.SequenceNumber() + from)
				p.SetTimestamp(p.Timestamp() + after)
			}
			w.play(all, codec, -1, 0).sleep(time.Second)
			if len(w.frames) != len(all) || !w.frames[0].KeyFrame || w.frames[0].Missing == 0 || w.b.NeedsKeyFrame() {
				t.Errorf("%d frames after the key frame, want %d; drops %q", len(w.frames), len(all), w.drops.Drops())
			}
		})
	}
}

// A hole is waited for as long as a retransmission may take, several of them, and
// not longer.
func TestWaitForRetransmission(t *testing.T) {
	packets, _ := captured(t, "vp8")
	all := pictures(t, packets, payload.VP8)
	at := slices.IndexFunc(all[1:], func(p picture) bool { return len(p.packets) > 1 }) + 1

	w := newWorld(t, Config{Video: true})
	w.b.SetRTT(80 * ms)
	w.play(all[:at+1], vp8, at, 0)
	before := len(w.frames)
	if first, ok := w.b.FirstWanted(); !ok || first != all[at].packets[0].SequenceNumber() {
		t.Errorf("first wanted is %d, want the lost one, %d", first, all[at].packets[0].SequenceNumber())
	}
	w.sleep(250 * ms)
	w.resend(all[at].packets[0], vp8)
	if len(w.frames) != before+1 || w.frames[before].data != all[at].data {
		t.Fatal("the retransmission was not waited for")
	}

	w = newWorld(t, Config{Video: true})
	w.b.SetRTT(80 * ms)
	w.play(all[:at+1], vp8, at, 0)
	start := w.now.Add(-33 * ms)
	for !w.b.NeedsKeyFrame() {
		if w.b.NextTimeout().IsZero() {
			t.Fatal("the hole is waited for forever")
		}
		w.sleep(w.b.NextTimeout().Sub(w.now))
	}
	if took := w.now.Sub(start); took < 310*ms || took > 330*ms {
		t.Errorf("given up after %v, want four round trips of 80ms", took)
	}
	w.resend(all[at].packets[0], vp8)
	if d := w.drops.Drops(); d[len(d)-1] != dropLate {
		t.Errorf("drops %q", d)
	}
}

// A key frame that is there ends the waiting for what is before it.
func TestKeyFrameEndsTheWaiting(t *testing.T) {
	w := newWorld(t, Config{Video: true})
	w.b.SetRTT(200 * ms)
	send := func(n int, key bool) {
		w.send(vp8Packet(t, n, uint32(n)*3000, true, true, key, payload.VP8Descriptor{}), vp8).sleep(33 * ms)
	}
	for n := range 10 {
		send(n, n == 0)
	}
	send(11, false)
	send(12, true)
	w.sleep(40 * ms)
	if len(w.frames) != 11 || !w.frames[10].KeyFrame || w.frames[10].Missing != 2 {
		t.Errorf("%d frames: %+v", len(w.frames), w.frames[len(w.frames)-1].Frame)
	}
}

// vp8Packet is one packet of a VP8 frame.
func vp8Packet(t testing.TB, n int, timestamp uint32, start, end, key bool, d payload.VP8Descriptor) rtp.Packet {
	d.Start = start
	bit := byte(1)
	if key {
		bit = 0
	}
	data := append(d.Append(nil), bit, byte(n>>8), byte(n))
	return packet(t, rtp.Header{Marker: end, PayloadType: 96, SequenceNumber: uint16(n), Timestamp: timestamp, SSRC: 1}, data...)
}

// temporal are three temporal layers, as libvpx has them: 0 2 1 2. The first frame
// of layer 1 and both of layer 2 need no more than layer 0.
func temporal(t testing.TB, n int) rtp.Packet {
	d := payload.VP8Descriptor{HasPictureID: true, PictureID: uint16(n), HasTL0PICIDX: true, TL0PICIDX: uint8(250 + n/4), HasTID: true}
	switch n % 4 {
	case 1:
		d.TID, d.LayerSync = 2, n%8 == 1
	case 2:
		d.TID, d.LayerSync = 1, n%8 == 2
	case 3:
		d.TID = 2
	}
	return vp8Packet(t, n, uint32(n)*3000, true, true, n == 0, d)
}

// A frame lost from an upper layer costs that layer's frames until it can be
// entered again, and no key frame.
func TestTemporalLayers(t *testing.T) {
	for _, test := range []struct {
		lost, needsKey bool
		n              int
		want           []int // lost as a consequence
	}{
		{n: 9, want: []int{11, 13, 15}},      // of the highest layer: nothing else, but that cannot be known of the one after it
		{n: 11, want: []int{13, 14, 15}},     // nothing can be entered before frame 17
		{n: 10, want: []int{11, 13, 14, 15}}, // of the middle layer
		{n: 12, needsKey: true, want: nil},   // of the lowest
	} {
		w := newWorld(t, Config{Video: true})
		for n := range 40 {
			if n != test.n {
				w.send(temporal(t, n), vp8)
			}
			w.sleep(33 * ms)
		}
		w.sleep(100 * ms)
		if w.b.NeedsKeyFrame() != test.needsKey {
			t.Errorf("without frame %d: key frame needed: %t", test.n, !test.needsKey)
		}
		if test.needsKey {
			continue
		}
		var missing []int
		for n := range 40 {
			if !slices.ContainsFunc(w.frames, func(f taken) bool { return f.Timestamp == uint32(n)*3000 }) && n != test.n {
				missing = append(missing, n)
			}
		}
		if !slices.Equal(missing, test.want) {
			t.Errorf("without frame %d these are not handed out: %v, want %v", test.n, missing, test.want)
		}
	}
}

// With a dependency descriptor it is known which frames nothing refers to.
func TestDependencyDescriptor(t *testing.T) {
	w := newWorld(t, Config{Video: true})
	ids := new(rtp.ExtensionMap)
	ids.Set(rtp.ExtDependencyDescriptor, 12)
	w.b.config.Extensions = ids
	// Two temporal layers: template 0 is a key frame, 1 the lower, 2 the upper one.
	structure := &rtp.DependencyStructure{
		Templates: []rtp.DependencyTemplate{
			{Indications: []rtp.DecodeTargetIndication{rtp.Switch}, FrameDiffs: nil},
			{Indications: []rtp.DecodeTargetIndication{rtp.Switch}, FrameDiffs: []uint16{2}},
			{TemporalID: 1, Indications: []rtp.DecodeTargetIndication{rtp.Discardable}, FrameDiffs: []uint16{1}},
		},
		DecodeTargets: []rtp.DecodeTarget{{TemporalID: 1}},
	}
	send := func(n int) {
		d := rtp.DependencyDescriptor{StartOfFrame: true, EndOfFrame: true, FrameNumber: uint16(65530 + n), TemplateID: uint8(1 + n%2)}
		if n == 0 {
			d.TemplateID, d.Structure = 0, structure
		}
		d.Frame = structure.Templates[d.TemplateID]
		b := rtp.NewBuilder(nil, rtp.Header{Marker: true, PayloadType: 96, SequenceNumber: uint16(n), Timestamp: uint32(n) * 3000, SSRC: 1})
		b.Add(12, d.Append(nil, structure))
		key := byte(1)
		if n == 0 {
			key = 0
		}
		p, err := rtp.Parse(append(b.Bytes(), 0x10, key, byte(n)))
		if err != nil {
			t.Fatal(err)
		}
		w.send(p, vp8).sleep(33 * ms)
	}
	for n := range 40 {
		if n != 11 && n != 13 {
			send(n)
		}
	}
	w.sleep(100 * ms)
	if len(w.frames) != 38 || w.b.NeedsKeyFrame() {
		t.Errorf("%d frames of 38, key frame needed: %t", len(w.frames), w.b.NeedsKeyFrame())
	}
	send(41) // without 40, which it needs
	w.sleep(100 * ms)
	send(42) // as 40 is lost, this cannot be decoded either, nor anything after it
	w.sleep(100 * ms)
	if len(w.frames) != 38 || !w.b.NeedsKeyFrame() {
		t.Errorf("%d frames of 38, key frame needed: %t", len(w.frames), w.b.NeedsKeyFrame())
	}
}

// H.264 does not tell where a frame starts: after a loss at a border it may be
// either frame that is not whole.
func TestH264LossAtTheBorder(t *testing.T) {
	nal := func(n int, ts uint32, marker bool, data ...byte) rtp.Packet {
		return packet(t, rtp.Header{Marker: marker, PayloadType: 96, SequenceNumber: uint16(n), Timestamp: ts, SSRC: 1}, data...)
	}
	w := newWorld(t, Config{Video: true})
	w.send(nal(1, 0, false, 0x67, 1), h264).send(nal(2, 0, true, 0x65, 2), h264).sleep(33 * ms)
	w.send(nal(3, 3000, false, 0x41, 3), h264).sleep(33 * ms)
	// 4 is lost: the end of this frame, or the beginning of the next one, an IDR.
	w.send(nal(5, 6000, true, 0x65, 5), h264).sleep(33 * ms)
	w.sleep(time.Second)
	if len(w.frames) != 1 || !w.b.NeedsKeyFrame() {
		t.Errorf("%d frames, key frame needed: %t", len(w.frames), w.b.NeedsKeyFrame())
	}
	w.send(nal(6, 9000, false, 0x67, 6), h264).send(nal(7, 9000, true, 0x65, 7), h264).sleep(33 * ms)
	w.sleep(time.Second)
	if len(w.frames) != 2 || w.b.NeedsKeyFrame() {
		t.Errorf("%d frames, key frame needed: %t", len(w.frames), w.b.NeedsKeyFrame())
	}
}

// A picture that stands still for long is a freeze, in W3C's sense.
func TestFreeze(t *testing.T) {
	w := newWorld(t, Config{Video: true})
	for n := range 60 {
		if n == 40 {
			w.sleep(400 * ms)
		}
		w.send(vp8Packet(t, n, uint32(n)*3000, true, true, n == 0, payload.VP8Descriptor{}), vp8).sleep(33 * ms)
	}
	if s := w.b.Stats(); s.FreezeCount != 1 || s.TotalFreezesDuration < 0.4 || s.TotalFreezesDuration > 0.45 {
		t.Errorf("%d freezes, %v s", s.FreezeCount, s.TotalFreezesDuration)
	}
}

// The buffer is bounded by packets and by bytes; the oldest make room.
func TestBounds(t *testing.T) {
	for _, config := range []Config{{Video: true, MaxPackets: 64}, {Video: true, MaxBytes: 4000}} {
		w := newWorld(t, config)
		w.b.SetRTT(time.Second)
		for n := range 2000 {
			if n != 5 && n != 800 {
				w.send(vp8Packet(t, n, uint32(n/10)*900, n%10 == 0, n%10 == 9, n%500 == 0, payload.VP8Descriptor{}), vp8).sleep(ms)
			}
			if s := w.b.Stats(); config.MaxPackets > 0 && s.HeldPackets > config.MaxPackets || config.MaxBytes > 0 && s.HeldBytes > config.MaxBytes {
				t.Fatalf("holds %d packets, %d bytes", s.HeldPackets, s.HeldBytes)
			}
		}
		if !slices.Contains(w.drops.Drops(), dropOverflow) || len(w.frames) == 0 {
			t.Errorf("%+v: %d frames, drops %q", config, len(w.frames), w.drops.Drops()[:1])
		}
	}
}

// The sender may ask for frames to be shown at once, however much they jitter, or
// late.
func TestPlayoutDelay(t *testing.T) {
	ids := new(rtp.ExtensionMap)
	ids.Set(rtp.ExtPlayoutDelay, 5)
	for _, test := range []struct {
		ask         rtp.PlayoutDelay
		least, most time.Duration
	}{
		{rtp.PlayoutDelay{}, 0, ms},
		{rtp.PlayoutDelay{Min: 200 * ms, Max: 300 * ms}, 199 * ms, 201 * ms},
	} {
		w := newWorld(t, Config{Video: true, Extensions: ids})
		r := seeded(1)
		for n := range 200 {
			w.sleepUntil(time.Duration(n)*33*ms + time.Duration(r.IntN(30))*ms)
			b := rtp.NewBuilder(nil, rtp.Header{Marker: true, PayloadType: 96, SequenceNumber: uint16(n), Timestamp: uint32(n) * 2970, SSRC: 1})
			if n == 0 {
				b.Add(5, test.ask.Append(nil))
			}
			p, err := rtp.Parse(append(b.Bytes(), 0x10, byte(min(n, 1)), 0))
			if err != nil {
				t.Fatal(err)
			}
			w.send(p, vp8)
		}
		if d := w.b.Stats().Offset; d < test.least || d > test.most {
			t.Errorf("with %+v the delay is %v", test.ask, d)
		}
	}
}

// What is lost between two pictures that follow on each other by their numbers is no media: repair packets,
// or padding. Nothing waits for it, and no key frame is needed.
func TestHarmlessHoles(t *testing.T) {
	for _, test := range []struct {
		why   string
		next  uint16 // the picture id behind the hole
		waits bool
	}{{"a repair packet is lost", 8, false}, {"a picture is lost", 9, true}} {
		w := newWorld(t, Config{Video: true})
		w.b.SetRTT(50 * ms)
		picture := func(n int, id uint16, key bool) {
			d := payload.VP8Descriptor{Start: true, HasPictureID: true, PictureID: id}
			w.send(vp8Packet(t, n, uint32(id)*3000, true, true, key, d), vp8)
		}
		for i := range 8 {
			picture(100+i, uint16(i), i == 0)
			w.sleep(33 * ms)
		}
		before := len(w.frames)
		picture(109, test.next, false) // 108 is lost
		w.sleep(33 * ms)
		if waits := len(w.frames) == before; waits != test.waits || before != 8 {
			t.Errorf("%s: %d pictures were shown before, %d after", test.why, before, len(w.frames))
		}
		w.sleep(time.Second)
		if w.b.NeedsKeyFrame() != test.waits {
			t.Errorf("%s: a key frame is needed: %t", test.why, !test.waits)
		}
	}
}
