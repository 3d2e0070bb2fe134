package payload

import (
	"bytes"
	"testing"
)

// Whatever payloads come, in whatever order: no panic, no frame longer than what
// came in; what can be put together can be cut and put together again.
func FuzzDepacketize(f *testing.F) {
	for _, v := range videos {
		for _, frame := range frames(f, v.format, v.name)[:2] {
			f.Add(uint8(v.format), frame.payloads[0], frame.payloads[len(frame.payloads)-1])
		}
	}
	f.Add(uint8(H265), []byte("\x60\x01\x00\x05\x40\x01vps\x00\x05\x42\x03sps"), []byte("\x62\x01\x93x"))
	f.Fuzz(func(t *testing.T, format uint8, first, second []byte) {
		x := Format(1 + format%uint8(AV1))
		d := x.NewDepacketizer()
		var frame []byte
		whole := true
		for _, p := range [][]byte{first, second, first} {
			x.Inspect(p)
			x.Duration(p, 1)
			before := len(frame)
			var err error
			if frame, err = d.Append(frame, p); err != nil {
				whole = false
				d.Finish()
			}
			if len(frame)-before > 2*len(p)+8 && x != AV1 || len(frame) > 3*(len(first)*2+len(second)+8) {
				t.Fatalf("%v: %d bytes out of %d", x, len(frame)-before, len(p))
			}
		}
		if d.Finish() != nil || !whole {
			return
		}
		again(t, x, frame)
	})
}

// again cuts and joins a frame twice: the second time nothing changes any more.
func again(t *testing.T, x Format, frame []byte) {
	for _, limit := range []int{64, 1200} {
		p := x.NewPacketizer()
		if p.Start(frame, limit) != nil {
			continue
		}
		first, err := join(x, cut(t, x, p, frame, limit))
		if err != nil {
			t.Fatalf("%v: %x cannot be joined: %v", x, frame, err)
		}
		if x != H264 && x != H265 && x != AV1 && !bytes.Equal(first, frame) {
			t.Fatalf("%v: %x comes back as %x", x, frame, first)
		}
		second, err := join(x, cut(t, x, p, first, limit))
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v: %x comes back as %x, %v", x, first, second, err)
		}
	}
}

func FuzzPacketize(f *testing.F) {
	for _, v := range videos {
		f.Add(uint8(v.format), frames(f, v.format, v.name)[0].bytes)
	}
	f.Fuzz(func(t *testing.T, format uint8, frame []byte) {
		x := Format(1 + format%uint8(AV1))
		p := x.NewPacketizer()
		if p.Start(frame, 64) != nil {
			return
		}
		again(t, x, frame)
	})
}

func FuzzDescriptors(f *testing.F) {
	for _, name := range []string{"vp8", "vp9svc"} {
		for i, p := range packets(f, name) {
			if i%4 == 0 {
				f.Add(p.Payload()[:min(40, len(p.Payload()))])
			}
		}
	}
	f.Add(AppendRED(nil, 111, []byte("now"), Redundancy{111, 960, []byte("before")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v8 VP8Descriptor
		if rest, ok := v8.Parse(b); ok {
			var back VP8Descriptor
			if again, ok := back.Parse(append(v8.Append(nil), rest...)); !ok || back != v8 || !bytes.Equal(again, rest) {
				t.Fatalf("%+v comes back as %+v", v8, back)
			}
		}
		var v9 VP9Descriptor
		if rest, ok := v9.Parse(b); ok {
			written := v9.Append(nil)
			var back VP9Descriptor
			if again, ok := back.Parse(append(written, rest...)); !ok || !bytes.Equal(back.Append(nil), written) || !bytes.Equal(again, rest) {
				t.Fatalf("%+v comes back as %+v", v9, back)
			}
		}
		if primary, ok := ParseRED(b); ok {
			var blocks []Redundancy
			for r := range REDBlocks(b) {
				blocks = append(blocks, r)
			}
			if again := AppendRED(nil, primary.PayloadType, primary.Data, blocks[:len(blocks)-1]...); !bytes.Equal(again, b) {
				t.Fatalf("%x comes back as %x", b, again)
			}
		}
		ParseEvent(b)
	})
}
