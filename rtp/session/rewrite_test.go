package session

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A studio is a source of VP8 with picture ids, in frames of two packets.
type studio struct {
	t         *testing.T
	codec     Codec
	ids       rtp.ExtensionMap
	ssrc      uint32
	sequence  uint16
	timestamp uint32
	picture   uint16
	tl0       uint8
	frame     uint16 // of the dependency descriptor
	short     bool   // picture ids of 7 bits
}

// shoot makes the packets of the next frame.
func (o *studio) shoot(key bool) (packets []Packet) {
	o.t.Helper()
	for i := range 2 {
		b := rtp.NewBuilder(nil, rtp.Header{PayloadType: o.codec.PayloadType, SequenceNumber: o.sequence, Timestamp: o.timestamp, SSRC: o.ssrc, Marker: i == 1, CSRCs: []uint32{7, 8}})
		b.Add(o.ids.ID(rtp.ExtMID), []byte("other"))
		b.Add(o.ids.ID(rtp.ExtVideoOrientation), []byte{3})
		b.Add(o.ids.ID(rtp.ExtDependencyDescriptor), []byte{0x80, byte(o.frame >> 8), byte(o.frame)})
		d := payload.VP8Descriptor{Start: i == 0, HasPictureID: true, PictureID: o.picture, Short: o.short, HasTL0PICIDX: true, TL0PICIDX: o.tl0, HasTID: true}
		body := append(d.Append(b.Bytes()), vp8Frame(50, key)...)
		p, err := NewPacket(body, &o.codec, &o.ids)
		if err != nil {
			o.t.Fatal(err)
		}
		packets = append(packets, p)
		o.sequence++
	}
	o.timestamp += 3000
	o.picture, o.tl0, o.frame = (o.picture+1)&0x7fff, o.tl0+1, o.frame+1
	if o.short {
		o.picture &= 0x7f
	}
	return packets
}

// A stage is a sender that packets are passed on to, and what leaves.
type stage struct {
	*Session
	t     *testing.T
	video *Sender
	now   time.Time
	out   []rtp.Packet
}

func newStage(t *testing.T) *stage {
	g := &stage{t: t, now: testStart}
	g.Session, _, g.video = newSession(t, 1, fullSections())
	return g
}

// pass passes packets on and returns how many were taken.
func (g *stage) pass(packets ...Packet) (taken int) {
	g.t.Helper()
	for _, p := range packets {
		ok, err := g.video.WritePacket(g.now, 0, p)
		if err != nil {
			g.t.Fatal(err)
		}
		if ok {
			taken++
		}
	}
	g.drain()
	return taken
}

func (g *stage) drain() {
	for {
		b := g.AppendPacket(g.now, nil)
		if len(b) == 0 {
			return
		}
		if rtcp.Is(b) {
			continue
		}
		p, err := rtp.Parse(b)
		if err != nil {
			g.t.Fatal(err)
		}
		g.out = append(g.out, p)
	}
}

func descriptor(t *testing.T, p rtp.Packet) (d payload.VP8Descriptor) {
	t.Helper()
	if _, ok := d.Parse(p.Payload()); !ok {
		t.Fatalf("no descriptor in %x", p.Payload())
	}
	return d
}

// A viewer sees one stream, whichever source it is made of.
func TestSwitchOfSource(t *testing.T) {
	for _, test := range []struct {
		name          string
		first, second studio
	}{
		{"both long", studio{picture: 0x7ffe, tl0: 255, sequence: 65534, timestamp: 1<<32 - 1000, frame: 65535}, studio{picture: 100, tl0: 7, sequence: 3000, timestamp: 99, frame: 12}},
		{"to short ids", studio{picture: 40, tl0: 2, sequence: 10}, studio{picture: 0x7f, short: true, tl0: 200, sequence: 40000}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newStage(t)
			a, b := test.first, test.second
			for i, o := range []*studio{&a, &b} {
				o.t, o.codec, o.ssrc = t, vp8Codec(), uint32(i+1)
				o.codec.PayloadType = uint8(120 + i) // theirs, not ours
				o.ids.Set(rtp.ExtMID, 9)
				o.ids.Set(rtp.ExtVideoOrientation, uint8(10+i))
				o.ids.Set(rtp.ExtDependencyDescriptor, uint8(12+i))
			}
			g.pass(a.shoot(true)...)
			g.now = g.now.Add(40 * time.Millisecond)
			old := a.shoot(false)
			g.pass(old[0])
			g.now = g.now.Add(40 * time.Millisecond)

			if n := g.pass(b.shoot(false)...); n != 0 {
				t.Error("video went on with a frame that cannot be decoded")
			}
			if e, _ := g.NextEvent(); e != (KeyframeRequested{g.video, 0}) {
				t.Errorf("the event is %v, want a request for a key frame", e)
			}
			before := b.shoot(true)
			b.sequence += 5
			key := b.shoot(true)
			if n := g.pass(key...); n != 2 {
				t.Error("a key frame of the new source was not taken")
			}
			if n := g.pass(old[1]); n != 0 {
				t.Error("a late packet of the source before was taken")
			}
			if n := g.pass(before...); n != 0 {
				t.Error("packets of the new source from before the switch were taken")
			}
			g.now = g.now.Add(40 * time.Millisecond)
			// The next frames arrive out of order: each is passed on in its place.
			late, next := b.shoot(false), b.shoot(false)
			g.pass(next...)
			g.pass(late...)

			slices.SortStableFunc(g.out, func(p, q rtp.Packet) int { return int(int16(p.SequenceNumber() - q.SequenceNumber())) })
			if len(g.out) != 9 {
				t.Fatalf("%d packets left, want 9: %v", len(g.out), g.out)
			}
			e := g.video.encodings[0]
			for i, p := range g.out {
				if p.SSRC() != e.SSRC || p.PayloadType() != 96 {
					t.Errorf("packet %d has SSRC %x and payload type %d", i, p.SSRC(), p.PayloadType())
				}
				if csrcs := slices.Collect(p.CSRCs()); !slices.Equal(csrcs, []uint32{7, 8}) {
					t.Errorf("packet %d has the contributing sources %v", i, csrcs)
				}
				if v, _ := p.Extension(idMID); string(v) != "v" {
					t.Errorf("packet %d has the MID %q", i, v)
				}
				if v, _ := p.Extension(idOrientation); len(v) != 1 || v[0] != 3 {
					t.Errorf("packet %d has the orientation %x: it was lost on the way", i, v)
				}
				if i == 0 {
					continue
				}
				q := g.out[i-1]
				if p.SequenceNumber() != q.SequenceNumber()+1 {
					t.Errorf("packet %d has sequence number %d behind %d", i, p.SequenceNumber(), q.SequenceNumber())
				}
				d, c := descriptor(t, p), descriptor(t, q)
				newFrame := p.Timestamp() != q.Timestamp()
				step := uint16(0)
				if newFrame {
					step = 1
				}
				mask := uint16(0x7fff)
				if d.Short {
					mask = 0x7f
				}
				if d.PictureID&mask != (c.PictureID+step)&mask || d.TL0PICIDX != c.TL0PICIDX+uint8(step) {
					t.Errorf("packet %d has picture %d, %d behind %d, %d", i, d.PictureID, d.TL0PICIDX, c.PictureID, c.TL0PICIDX)
				}
				v, _ := p.Extension(idDependency)
				w, _ := q.Extension(idDependency)
				if n, m := binary.BigEndian.Uint16(v[1:]), binary.BigEndian.Uint16(w[1:]); n != m+step {
					t.Errorf("packet %d has frame number %d behind %d", i, n, m)
				}
				if passed := int32(p.Timestamp() - q.Timestamp()); passed < 0 || passed > 2*40*90 {
					t.Errorf("packet %d is %d ticks behind the one before", i, passed)
				}
			}

			// A viewer that lost a packet from behind the switch gets it as it was.
			lost := g.out[4]
			g.out = nil
			g.ReceiveRTCP(g.now, rtcp.AppendNACK(nil, 1, e.SSRC, []uint16{lost.SequenceNumber()}))
			g.drain()
			if len(g.out) != 1 {
				t.Fatalf("%d packets answer a NACK", len(g.out))
			}
			seq, body, ok := payload.ParseRTX(g.out[0].Payload())
			if !ok || seq != lost.SequenceNumber() || string(body) != string(lost.Payload()) || g.out[0].Timestamp() != lost.Timestamp() {
				t.Errorf("the retransmission is %v\nof %v", g.out[0], lost)
			}
		})
	}
}

// What is not sent while an encoding is paused leaves no gap.
func TestPauseLeavesNoGap(t *testing.T) {
	g := newStage(t)
	o := &studio{t: t, codec: vp8Codec(), ssrc: 1}
	g.pass(o.shoot(true)...)
	g.video.SetEncoding(0, Encoding{Active: false})
	if _, err := g.video.WritePacket(g.now, 0, o.shoot(false)[0]); err != ErrNotSending {
		t.Errorf("a paused encoding says %v", err)
	}
	g.video.SetEncoding(0, Encoding{Active: true})
	if n := g.pass(o.shoot(false)...); n != 0 {
		t.Error("after a pause video goes on with a frame that cannot be decoded")
	}
	g.pass(o.shoot(true)...)
	if len(g.out) != 4 || g.out[2].SequenceNumber() != g.out[1].SequenceNumber()+1 {
		t.Errorf("what left is %v", g.out)
	}
}

// A source that jumps far starts over, and goes on without a gap.
func TestSourceStartsOver(t *testing.T) {
	g := newStage(t)
	o := &studio{t: t, codec: vp8Codec(), ssrc: 1}
	g.pass(o.shoot(true)...)
	o.sequence += 20000
	o.timestamp += 1 << 30
	g.pass(o.shoot(false)...)
	g.pass(o.shoot(true)...)
	if len(g.out) != 4 || g.out[2].SequenceNumber() != g.out[1].SequenceNumber()+1 || g.out[2].Timestamp()-g.out[1].Timestamp() > 90000 {
		t.Errorf("what left is %v", g.out)
	}
}

// Audio and frames of the user's follow each other too.
func TestFramesFollowPackets(t *testing.T) {
	g := newStage(t)
	o := &studio{t: t, codec: vp8Codec(), ssrc: 1, sequence: 500, timestamp: 77}
	g.pass(o.shoot(true)...)
	g.now = g.now.Add(time.Second)
	if err := g.video.WriteFrame(g.now, 0, Frame{Data: vp8Frame(100, true), PTS: time.Hour, KeyFrame: true}); err != nil {
		t.Fatal(err)
	}
	g.drain()
	g.now = g.now.Add(time.Second)
	g.pass(o.shoot(true)...)
	if len(g.out) != 5 {
		t.Fatalf("what left is %v", g.out)
	}
	for i := range 4 {
		p, q := g.out[i], g.out[i+1]
		if q.SequenceNumber() != p.SequenceNumber()+1 {
			t.Errorf("%v follows %v", q, p)
		}
		if d := q.Timestamp() - p.Timestamp(); d != 0 && d != 90000 {
			t.Errorf("%d ticks are between %v and %v", d, p, q)
		}
	}
}

// A packet is sent by the codec that is its own, whatever its payload type was.
func TestCodecOfPackets(t *testing.T) {
	h264 := func(t uint8, fmtp string) Codec {
		return Codec{PayloadType: t, Name: "H264", Format: payload.H264, ClockRate: 90000, FMTP: fmtp}
	}
	c := &section{Section: Section{Send: []Codec{
		vp8Codec(),
		h264(102, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
		h264(104, "packetization-mode=0;profile-level-id=42e01f"),
		h264(106, "packetization-mode=1;profile-level-id=640c1f"),
		{PayloadType: 98, Name: "VP9", Format: payload.VP9, ClockRate: 90000},
		{PayloadType: 100, Name: "VP9", Format: payload.VP9, ClockRate: 90000, FMTP: "profile-id=2"},
	}}}
	for _, test := range []struct {
		from Codec
		want uint8 // 0: none
	}{
		{Codec{Name: "vp8", Format: payload.VP8, ClockRate: 90000}, 96},
		{h264(1, "profile-level-id=42001f;packetization-mode=1"), 102},
		{h264(1, "profile-level-id=42e01f"), 104},
		{h264(1, "profile-level-id=640034; packetization-mode=1"), 106},
		{h264(1, "profile-level-id=4d001f;packetization-mode=1"), 0},
		{Codec{Name: "VP9", Format: payload.VP9, ClockRate: 90000, FMTP: "profile-id=0"}, 98},
		{Codec{Name: "VP9", Format: payload.VP9, ClockRate: 90000, FMTP: "profile-id=2"}, 100},
		{Codec{Name: "AV1", Format: payload.AV1, ClockRate: 90000}, 0},
	} {
		got := c.codecFor(&test.from, &c.Send[0])
		switch {
		case got == nil && test.want == 0:
		case got == nil || got.PayloadType != test.want:
			t.Errorf("%s %q is sent as %+v, want payload type %d", test.from.Name, test.from.FMTP, got, test.want)
		}
	}
}

// Without a=extmap-allow-mixed an extension that needs the two-byte form is left out.
func TestMixedExtensions(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		sections := fullSections()
		sections[1].MixedExtensions = mixed
		sections[1].Extensions.Set(rtp.ExtDependencyDescriptor, 20)
		g := &stage{t: t, now: testStart}
		g.Session, _, g.video = newSession(t, 1, sections)
		o := &studio{t: t, codec: vp8Codec(), ssrc: 1}
		o.ids.Set(rtp.ExtDependencyDescriptor, 5)
		g.pass(o.shoot(true)...)
		if _, ok := g.out[0].Extension(20); ok != mixed {
			t.Errorf("with extmap-allow-mixed %t: the long extension is there: %t", mixed, ok)
		}
	}
}

// Numbers of pictures are found where package payload reads them.
func TestNumbersOfPictures(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	for range 10000 {
		d := payload.VP8Descriptor{Start: true, HasPictureID: dice.IntN(4) > 0, PictureID: uint16(dice.IntN(1 << 15)), Short: dice.IntN(2) == 0,
			HasTL0PICIDX: dice.IntN(2) == 0, TL0PICIDX: uint8(dice.Uint32()), HasTID: dice.IntN(2) == 0, HasKeyIndex: dice.IntN(2) == 0}
		if d.Short {
			d.PictureID &= 0x7f
		}
		b := append(d.Append(nil), vp8Frame(20, true)...)
		by := shift{id: uint16(dice.IntN(1 << 15)), tl0: uint8(dice.Uint32())}
		by.apply(payload.VP8, b)
		want := d
		if d.HasPictureID {
			want.PictureID = (d.PictureID + by.id) & 0x7fff
			if d.Short {
				want.PictureID &= 0x7f
			}
		} else {
			want.PictureID, want.Short = 0, false
		}
		if d.HasTL0PICIDX {
			want.TL0PICIDX = d.TL0PICIDX + by.tl0
		} else {
			want.TL0PICIDX = 0
		}
		var got payload.VP8Descriptor
		if _, ok := got.Parse(b); !ok || got != want {
			t.Fatalf("VP8: %+v shifted by %+v is %+v", d, by, got)
		}

		v := payload.VP9Descriptor{Start: true, HasPictureID: true, PictureID: d.PictureID, Short: d.Short, HasLayers: dice.IntN(2) == 0, Flexible: dice.IntN(2) == 0}
		if v.HasLayers && !v.Flexible {
			v.TL0PICIDX = uint8(dice.Uint32())
		}
		if d.Short {
			v.PictureID &= 0x7f
		}
		b = append(v.Append(nil), vp8Frame(20, true)...)
		by.apply(payload.VP9, b)
		mask := uint16(0x7fff)
		if v.Short {
			mask = 0x7f
		}
		x := v
		x.PictureID = (v.PictureID + by.id) & mask
		if v.HasLayers && !v.Flexible {
			x.TL0PICIDX += by.tl0
		}
		var y payload.VP9Descriptor
		if _, ok := y.Parse(b); !ok || y.PictureID != x.PictureID || y.TL0PICIDX != x.TL0PICIDX || y.TID != x.TID || y.SID != x.SID {
			t.Fatalf("VP9: %+v shifted by %+v is %+v, want %+v", v, by, y, x)
		}
	}
}
