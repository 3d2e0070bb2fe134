package session

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// packetsOf drains a session of RTP packets.
func packetsOf(t testing.TB, s *Session, now time.Time) (all []rtp.Packet) {
	t.Helper()
	leave(t, s, now, 400*time.Millisecond, func(_ time.Time, p rtp.Packet) { all = append(all, p) })
	return all
}

// annexB is a frame of NAL units, and obus one of OBUs.
func annexB(types []byte, size int) (b []byte) {
	for _, t := range types {
		b = append(b, 0, 0, 0, 1, t, 0x80)
		for len(b)%size != 0 {
			b = append(b, 0x55)
		}
	}
	return b
}

func obus(size int) []byte {
	b := []byte{0x32} // a frame, with its size
	for n := size; ; n >>= 7 {
		if n < 0x80 {
			b = append(b, byte(n))
			break
		}
		b = append(b, byte(n)|0x80)
	}
	return append(b, make([]byte, size)...)
}

// No packet is larger than the MTU, of whatever format, nor is its retransmission; and the
// last of a frame is marked.
func TestPacketsFitTheMTU(t *testing.T) {
	vp9 := append([]byte{0x82, 0x49, 0x83, 0x42}, make([]byte, 7000)...)
	for _, test := range []struct {
		codec Codec
		frame []byte
	}{
		{vp8Codec(), vp8Frame(7000, true)},
		{Codec{Name: "VP9", Format: payload.VP9}, vp9},
		{Codec{Name: "H264", Format: payload.H264, FMTP: "packetization-mode=1"}, annexB([]byte{0x67, 0x68, 0x65}, 3000)},
		{Codec{Name: "H265", Format: payload.H265}, annexB([]byte{0x40, 0x42, 0x26}, 3000)},
		{Codec{Name: "AV1", Format: payload.AV1}, obus(7000)},
	} {
		for _, mtu := range []int{256, 1200, 1400} {
			sections := fullSections()
			c := test.codec
			c.PayloadType, c.RTX, c.ClockRate, c.NACK = 96, 97, 90000, true
			sections[1].Send, sections[1].MID, sections[1].MixedExtensions = []Codec{c}, "a-long-mid", true
			s := New(Config{Rand: &countingRand{1}, MTU: mtu})
			if err := s.Configure(testStart, sections[1]); err != nil {
				t.Fatal(err)
			}
			x, err := s.AddSender(testStart, "a-long-mid", []Encoding{{Active: true, RID: "a-long-rid"}})
			if err != nil {
				t.Fatal(err)
			}
			level := rtp.AudioLevel{Level: 10}
			f := Frame{Data: test.frame, KeyFrame: true, CaptureTime: testStart, AudioLevel: &level, Orientation: &rtp.VideoOrientation{Rotation: 90}}
			if err := x.WriteFrame(testStart, 0, f); err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			packets := packetsOf(t, s, testStart)
			largest := 0
			var lost []uint16
			for i, p := range packets {
				largest = max(largest, len(p.Bytes()))
				lost = append(lost, p.SequenceNumber())
				if p.Marker() != (i == len(packets)-1) {
					t.Errorf("%s: packet %d of %d has the marker %t", c.Name, i, len(packets), p.Marker())
				}
			}
			now := testStart.Add(time.Second / 2)
			s.ReceiveRTCP(now, rtcp.AppendNACK(nil, 1, x.Encodings()[0].SSRC, lost))
			repairs := packetsOf(t, s, now)
			for _, p := range repairs {
				largest = max(largest, len(p.Bytes()))
			}
			if len(packets) < 5 || len(repairs) != len(packets) || largest > mtu || largest < mtu/2 {
				t.Errorf("%s: %d packets and %d retransmissions of up to %d bytes, want at most %d", c.Name, len(packets), len(repairs), largest, mtu)
			}
		}
	}
}

// A frame's packets carry what is known of it, and of the transport.
func TestExtensionsOfFrames(t *testing.T) {
	s, audio, video := newSession(t, 1, fullSections())
	write := func(x *Sender, now time.Time, f Frame) []rtp.Packet {
		t.Helper()
		f.PTS = now.Sub(testStart)
		if err := x.WriteFrame(now, 0, f); err != nil {
			t.Fatal(err)
		}
		return packetsOf(t, s, now)
	}
	captured := testStart.Add(-30 * time.Millisecond)
	frame := Frame{Data: vp8Frame(3000, true), CaptureTime: captured, Orientation: &rtp.VideoOrientation{Rotation: 270}}
	packets := write(video, testStart, frame)
	for i, p := range packets {
		if v, ok := p.Extension(idSendTime); !ok || string(v) != string(rtp.NewAbsSendTime(testStart).Append(nil)) {
			t.Errorf("packet %d has the send time %x", i, v)
		}
		if v, ok := p.Extension(idSequence); !ok || binary.BigEndian.Uint16(v) != uint16(i) {
			t.Errorf("packet %d has the transport-wide number %x", i, v)
		}
		v, _ := p.Extension(idCaptureTime)
		w, _ := p.Extension(idOrientation)
		if i > 0 {
			if v != nil || w != nil {
				t.Errorf("packet %d tells of the frame too", i)
			}
			continue
		}
		if c, ok := rtp.ParseAbsCaptureTime(v); !ok || c.Timestamp.Time().Sub(captured).Abs() > time.Microsecond {
			t.Errorf("the capture time is %x", v)
		}
		if o, ok := rtp.ParseVideoOrientation(w); !ok || o.Rotation != 270 {
			t.Errorf("the orientation is %x", w)
		}
	}
	// The capture time is repeated once a second; the orientation each time it is given.
	for _, test := range []struct {
		after time.Duration
		want  bool
	}{{500 * time.Millisecond, false}, {1100 * time.Millisecond, true}} {
		now := testStart.Add(test.after)
		frame.CaptureTime = now
		p := write(video, now, frame)[0]
		if _, ok := p.Extension(idCaptureTime); ok != test.want {
			t.Errorf("after %v the capture time is there: %t", test.after, ok)
		}
	}
	p := write(audio, testStart.Add(2*time.Second), Frame{Data: make([]byte, 50), AudioLevel: &rtp.AudioLevel{Voice: true, Level: 30}})[0]
	if v, _ := p.Extension(idAudioLevel); len(v) != 1 || v[0] != 0x80|30 {
		t.Errorf("the audio level is %x", v)
	}
}

// A NACK is answered once in a round trip, ten times at most, for a second, and not for packets
// that did not leave.
func TestNACKsAreAnsweredWithinBounds(t *testing.T) {
	s, _, video := newSession(t, 1, fullSections())
	e := video.encodings[0]
	if err := video.WriteFrame(testStart, 0, Frame{Data: vp8Frame(100, true)}); err != nil {
		t.Fatal(err)
	}
	sequence := e.rewrite.next - 1
	ask := func(after time.Duration, numbers ...uint16) (repairs int) {
		now := testStart.Add(after)
		s.ReceiveRTCP(now, rtcp.AppendNACK(nil, 1, e.SSRC, numbers))
		for {
			b := s.AppendPacket(now, nil)
			if len(b) == 0 {
				return repairs
			}
			if p, err := rtp.Parse(b); err == nil && p.PayloadType() == 97 {
				repairs++
			}
		}
	}
	s.ReceiveRTCP(testStart, rtcp.AppendNACK(nil, 1, e.SSRC, []uint16{sequence}))
	if n := ask(0, sequence); n != 0 {
		t.Errorf("what did not leave yet is sent %d times more", n)
	}
	s.rtt.sample(50 * time.Millisecond)
	if n := ask(10*time.Millisecond, sequence, sequence, sequence-1, sequence+1); n != 1 {
		t.Errorf("a NACK is answered %d times", n)
	}
	if n := ask(40*time.Millisecond, sequence); n != 0 {
		t.Error("one that comes before the answer can have arrived is answered too")
	}
	if n := ask(61*time.Millisecond, sequence); n != 1 {
		t.Error("one that comes after a round trip is not answered")
	}
	total := 2
	for i := range 30 {
		total += ask(150*time.Millisecond+time.Duration(i)*60*time.Millisecond, sequence)
	}
	if total != maxTries {
		t.Errorf("the packet was sent again %d times, want at most %d", total, maxTries)
	}
	if err := video.WriteFrame(testStart.Add(3*time.Second), 0, Frame{Data: vp8Frame(100, true), PTS: 3 * time.Second}); err != nil {
		t.Fatal(err)
	}
	for len(s.AppendPacket(testStart.Add(3*time.Second), nil)) > 0 {
	}
	if n := ask(3*time.Second+historyTime+time.Millisecond, sequence+1); n != 0 {
		t.Error("a packet of more than a second ago is sent again")
	}
	if v := video.Stats(testStart, 0); v.RetransmittedPackets != maxTries || v.PacketsSent != maxTries+2 {
		t.Errorf("%+v", v)
	}
}
