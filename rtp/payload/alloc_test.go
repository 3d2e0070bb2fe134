package payload

import "testing"

// cutAndJoin cuts a frame into buffers that are there already, and puts it together.
func cutAndJoin(t testing.TB, p Packetizer, d Depacketizer, frame, packet, out []byte) {
	if err := p.Start(frame, 1200); err != nil {
		t.Fatal(err)
	}
	for last := false; !last; {
		var b []byte
		var err error
		b, last = p.Append(packet[:0])
		if out, err = d.Append(out, b); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Finish(); err != nil {
		t.Fatal(err)
	}
}

func TestNothingAllocates(t *testing.T) {
	packet, out := make([]byte, 0, 1500), make([]byte, 0, 1<<16)
	for _, v := range videos {
		p, d := v.format.NewPacketizer(), v.format.NewDepacketizer()
		key := frames(t, v.format, v.name)[0].bytes
		if n := testing.AllocsPerRun(100, func() { cutAndJoin(t, p, d, key, packet, out) }); n != 0 {
			t.Errorf("cutting and joining %s allocates %v times", v.name, n)
		}
	}
	payload := AppendRED(nil, 111, []byte("now"), Redundancy{111, 960, []byte("before")})
	if n := testing.AllocsPerRun(100, func() {
		for r := range REDBlocks(payload) {
			AppendRED(packet, r.PayloadType, r.Data)
		}
	}); n != 0 {
		t.Errorf("RED allocates %v times", n)
	}
}

func BenchmarkCutAndJoin(b *testing.B) {
	packet, out := make([]byte, 0, 1500), make([]byte, 0, 1<<16)
	for _, v := range videos {
		b.Run(v.name, func(b *testing.B) {
			p, d := v.format.NewPacketizer(), v.format.NewDepacketizer()
			key := frames(b, v.format, v.name)[0].bytes
			b.SetBytes(int64(len(key)))
			b.ReportAllocs()
			for b.Loop() {
				cutAndJoin(b, p, d, key, packet, out)
			}
		})
	}
}
