package session

import (
	"bytes"
	"testing"

	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A key frame of each codec as an encoder has it begun: headers are enough.
var keyFrames = []struct {
	codec         Codec
	frame         []byte
	width, height int
}{
	{Codec{Name: "VP8", Format: payload.VP8}, []byte{0x10, 2, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00, 0, 0, 0}, 320, 240},
	// VP9 Bitstream Specification, Section 6.2: marker, profile 0, key frame, sync code, BT.601, 352 × 288.
	{Codec{Name: "VP9", Format: payload.VP9}, []byte{0x82, 0x49, 0x83, 0x42, 0x20, 0x15, 0xf0, 0x11, 0xf0, 0, 0}, 352, 288},
	// x264 of 320 × 240, Constrained Baseline: SPS, PPS, IDR.
	{Codec{Name: "H264", Format: payload.H264, FMTP: "packetization-mode=1"}, bytes.Join([][]byte{
		{0, 0, 0, 1}, {0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xe8, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00, 0x00, 0x0c, 0xa3, 0xc5, 0x0a, 0xa8},
		{0, 0, 0, 1}, {0x68, 0xce, 0x0f, 0xc8}, {0, 0, 0, 1}, append([]byte{0x65}, make([]byte, 50)...),
	}, nil), 320, 240},
}

// Both ends know the size of pictures, and who passes them on, whole or packet by packet.
func TestPictureSizes(t *testing.T) {
	for _, test := range keyFrames {
		sections := fullSections()
		codec := vp8Codec()
		codec.Name, codec.Format, codec.FMTP = test.codec.Name, test.codec.Format, test.codec.FMTP
		sections[1].Send = []Codec{codec}
		sections[1].Receive = sections[1].Send
		from, _, video := newSession(t, 1, sections)
		to, _, _ := newSession(t, 2, sections)
		next, _, forwarded := newSession(t, 3, sections)
		if err := video.WriteFrame(testStart, 0, Frame{Data: test.frame, KeyFrame: true}); err != nil {
			t.Fatalf("%s: %v", codec.Name, err)
		}
		for b := from.AppendPacket(testStart, nil); len(b) > 0; b = from.AppendPacket(testStart, nil) {
			to.ReceiveRTP(testStart, b)
		}
		if out := video.Stats(testStart, 0); out.Width != test.width || out.Height != test.height {
			t.Errorf("%s: %d × %d are sent, want %d × %d", codec.Name, out.Width, out.Height, test.width, test.height)
		}
		st := to.Streams()[0]
		if in := st.Stats(); in.Width != test.width || in.Height != test.height {
			t.Errorf("%s: %d × %d are received, want %d × %d", codec.Name, in.Width, in.Height, test.width, test.height)
		}
		for p, ok := st.NextPacket(); ok; p, ok = st.NextPacket() {
			if _, err := forwarded.WritePacket(testStart, 0, p); err != nil {
				t.Fatal(err)
			}
		}
		for len(next.AppendPacket(testStart, nil)) > 0 {
		}
		if out := forwarded.Stats(testStart, 0); out.Width != test.width || out.Height != test.height {
			t.Errorf("%s: %d × %d are passed on, want %d × %d", codec.Name, out.Width, out.Height, test.width, test.height)
		}
	}
}

// Whatever a packet says that it is, its size is none, or one.
func FuzzPictureSize(f *testing.F) {
	for _, k := range keyFrames {
		f.Add(uint8(k.codec.Format), k.frame)
		p := k.codec.Format.NewPacketizer()
		if p.Start(k.frame, 40) == nil {
			for last := false; !last; {
				var b []byte
				b, last = p.Append(nil)
				f.Add(uint8(k.codec.Format), b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, format uint8, packet []byte) {
		c := Codec{Format: payload.Format(format)}
		if c.Format < payload.VP8 || c.Format > payload.AV1 || len(packet) == 0 {
			return
		}
		c.Name = c.Format.String()
		var s pictureSize
		scratch := s.seePacket(&c, packet, nil)
		if s.width < 0 || s.height < 0 || (s.width == 0) != (s.height == 0) || len(scratch) > 8*len(packet)+64 {
			t.Fatalf("%d × %d, and %d bytes for a packet of %d", s.width, s.height, len(scratch), len(packet))
		}
	})
}
