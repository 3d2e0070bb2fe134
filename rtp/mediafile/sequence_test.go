package mediafile

import (
	"math/rand/v2"
	"testing"
)

// A bitWriter writes what a bitReader reads. Most of what stands in front of the
// fields of interest is there only if something else says so: these tests write
// every such part, and look whether the reader still finds its way.
type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) bits(n int, v uint32) *bitWriter {
	for i := n - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		w.b[w.n/8] |= byte(v>>i&1) << (7 - w.n%8)
		w.n++
	}
	return w
}

func (w *bitWriter) ue(values ...uint32) *bitWriter {
	for _, v := range values {
		zeros := 0
		for (v+1)>>(zeros+1) > 0 {
			zeros++
		}
		w.bits(zeros, 0).bits(zeros+1, v+1)
	}
	return w
}

func (w *bitWriter) se(v int) *bitWriter {
	if v > 0 {
		return w.ue(uint32(2*v - 1))
	}
	return w.ue(uint32(-2 * v))
}

// escape ends the RBSP, and puts a byte of 3 where two zeros must not be alone.
func (w *bitWriter) escape() (out []byte) {
	w.bits(1, 1)
	zeros := 0
	for _, c := range w.b {
		if zeros >= 2 && c <= 3 {
			out, zeros = append(out, 3), 0
		}
		out = append(out, c)
		if zeros++; c != 0 {
			zeros = 0
		}
	}
	return out
}

func TestBits(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var w bitWriter
		var u []uint32
		var s []int
		for range 30 {
			u, s = append(u, random.Uint32()>>(1+random.IntN(31))), append(s, int(random.Int32()>>(1+random.IntN(30))))
			w.ue(u[len(u)-1]).se(s[len(s)-1]).bits(16, 0)
		}
		r := bitReader{b: w.escape(), escaped: true}
		for i := range u {
			if got := r.ue(); got != u[i] {
				t.Fatalf("ue(v) is %d, want %d", got, u[i])
			}
			if got := r.se(); int(got) != s[i] {
				t.Fatalf("se(v) is %d, want %d", got, s[i])
			}
			if r.bits(16) != 0 || r.failed {
				t.Fatal("a field of zeros is not zero")
			}
		}
		if r.skip(9); !r.failed {
			t.Fatal("there is no end")
		}
	}
	r := bitReader{b: make([]byte, 8)}
	if r.ue(); !r.failed {
		t.Error("a number of more than 32 bits is read")
	}
}

const (
	testUnit  = 1001
	testScale = 60_000
)

func vui(w *bitWriter, timing func()) {
	w.bits(1, 1).bits(8, 255).bits(32, 0x00010001)          // aspect ratio
	w.bits(1, 1).bits(1, 0)                                 // overscan
	w.bits(1, 1).bits(4, 0xb).bits(1, 1).bits(24, 0x010101) // video signal, colour
	w.bits(1, 1).ue(0, 0)                                   // place of chroma samples
	timing()
}

func TestH264Sequences(t *testing.T) {
	for _, test := range []struct {
		name                 string
		profile, chroma      uint32
		poc                  uint32
		fields, crop, matrix bool
		width, height        int
	}{
		{"baseline", 66, 1, 2, false, false, false, 320, 240},
		{"main, cropped", 77, 1, 0, false, true, false, 320 - 2*3, 240 - 2*7},
		{"high, fields", 100, 1, 1, true, true, true, 320 - 2*3, 480 - 4*7},
		{"4:2:2", 122, 2, 0, false, true, true, 320 - 2*3, 240 - 7},
		{"4:4:4", 244, 3, 1, false, true, true, 320 - 3, 240 - 7},
		{"grey", 100, 0, 0, false, true, false, 320 - 3, 240 - 7},
	} {
		w := new(bitWriter).bits(8, test.profile).bits(16, 0).ue(0)
		if test.profile >= 100 {
			if w.ue(test.chroma); test.chroma == 3 {
				w.bits(1, 0)
			}
			w.ue(0, 0).bits(1, 0)
			if !test.matrix {
				w.bits(1, 0)
			} else {
				w.bits(1, 1)
				lists := 8
				if test.chroma == 3 {
					lists = 12
				}
				for i := range lists {
					switch i % 3 {
					case 0:
						w.bits(1, 0)
					case 1: // the default, from the first on
						w.bits(1, 1).se(-8)
					case 2:
						w.bits(1, 1)
						for range map[bool]int{true: 16, false: 64}[i < 6] {
							w.se(1)
						}
					}
				}
			}
		}
		w.ue(4, test.poc)
		switch test.poc {
		case 0:
			w.ue(4)
		case 1:
			w.bits(1, 0).se(-3).se(4).ue(2).se(5).se(-6)
		}
		w.ue(1).bits(1, 0).ue(19, 14)
		if test.fields {
			w.bits(2, 0b01)
		} else {
			w.bits(1, 1)
		}
		w.bits(1, 1)
		if test.crop {
			w.bits(1, 1).ue(1, 2, 3, 4)
		} else {
			w.bits(1, 0)
		}
		w.bits(1, 1)
		vui(w, func() { w.bits(1, 1).bits(32, testUnit).bits(32, testScale).bits(1, 1) })
		p := h264.inspect(append([]byte{0x67}, w.escape()...))
		if p.Width != test.width || p.Height != test.height || p.rate != float64(testScale)/testUnit/2 {
			t.Errorf("%s: %d × %d at %v, want %d × %d", test.name, p.Width, p.Height, p.rate, test.width, test.height)
		}
	}
}

func TestH265Sequences(t *testing.T) {
	for layers := range 7 {
		for _, chroma := range []uint32{0, 1, 2, 3} {
			w := new(bitWriter).bits(4, 0).bits(3, uint32(layers)).bits(1, 1)
			profile := func() { w.bits(32, 0x01600000).bits(32, 0).bits(24, 0) }
			profile()
			w.bits(8, 93)
			if layers > 0 {
				for i := range 8 {
					if i >= layers {
						w.bits(2, 0)
						continue
					}
					w.bits(2, uint32(i%4))
				}
				for i := range layers {
					if i%4&2 != 0 {
						profile()
					}
					if i%4&1 != 0 {
						w.bits(8, 90)
					}
				}
			}
			if w.ue(0, chroma); chroma == 3 {
				w.bits(1, 0)
			}
			w.ue(328, 248).bits(1, 1).ue(1, 1, 1, 1)
			w.ue(0, 0, 4)
			w.bits(1, chroma&1)
			for range map[bool]int{true: layers + 1, false: 1}[chroma&1 == 1] {
				w.ue(3, 2, 1)
			}
			w.ue(0, 1, 2, 3, 1, 1)
			w.bits(2, 0b11) // scaling lists
			for size := range 4 {
				for matrix := range map[bool]int{true: 2, false: 6}[size == 3] {
					if matrix == 1 {
						w.bits(1, 0).ue(1)
						continue
					}
					if w.bits(1, 1); size > 1 {
						w.se(-4)
					}
					for i := range min(64, 1<<(4+2*size)) {
						w.se(i - 8)
					}
				}
			}
			w.bits(2, 0).bits(1, 1).bits(8, 0).ue(0, 1).bits(1, 1) // PCM
			// Four sets of reference pictures: one of 2 + 1; one of those and of the
			// picture itself but for the second, which are three; one of none of
			// these four; and one of the picture that the empty set is told from.
			w.ue(4)
			w.ue(2, 1).ue(0).bits(1, 1).ue(1).bits(1, 0).ue(0).bits(1, 1)
			w.bits(1, 1).bits(1, 0).ue(0).bits(1, 1).bits(2, 0b00).bits(2, 0b01).bits(1, 1)
			w.bits(1, 1).bits(1, 1).ue(3).bits(8, 0) // four times neither
			w.bits(1, 1).bits(1, 1).ue(3).bits(1, 1)

			w.bits(1, 1).ue(2).bits(9, 5).bits(9, 6) // long-term pictures, of 8 bits and one
			w.bits(2, 0b11).bits(1, 1)
			vui(w, func() {
				w.bits(3, 0).bits(1, 1).ue(0, 0, 0, 0)
				w.bits(1, 1).bits(32, testUnit).bits(32, testScale).bits(1, 0)
			})
			crop := map[uint32][2]int{0: {1, 1}, 1: {2, 2}, 2: {2, 1}, 3: {1, 1}}[chroma]
			p := h265.inspect(append([]byte{0x42, 0x01}, w.escape()...))
			if p.Width != 328-2*crop[0] || p.Height != 248-2*crop[1] || p.rate != float64(testScale)/testUnit {
				t.Errorf("%d sub-layers, chroma %d: %d × %d at %v", layers, chroma, p.Width, p.Height, p.rate)
			}
		}
	}
}

func TestAV1Sequences(t *testing.T) {
	for round := range 32 {
		reduced, timing, model, delay := round&1 != 0, round&2 != 0, round&4 != 0, round&8 != 0
		w := new(bitWriter).bits(4, 0)
		rate := 0.0
		if reduced {
			w.bits(1, 1).bits(5, 4)
		} else {
			w.bits(1, 0)
			if !timing {
				w.bits(1, 0)
			} else {
				w.bits(1, 1).bits(32, testUnit).bits(32, testScale).bits(1, 1).ue(1)
				rate = float64(testScale) / (2 * testUnit)
				if model {
					w.bits(1, 1).bits(5, 9).bits(32, 1).bits(10, 0)
				} else {
					w.bits(1, 0)
				}
			}
			w.bits(1, map[bool]uint32{true: 1}[delay])
			w.bits(5, 1) // two operating points
			for _, level := range []uint32{5, 12} {
				if w.bits(12, 0).bits(5, level); level > 7 {
					w.bits(1, 0)
				}
				if timing && model {
					w.bits(1, 1).bits(10, 3).bits(10, 4).bits(1, 1)
				}
				if delay {
					w.bits(1, 1).bits(4, 7)
				}
			}
		}
		w.bits(4, 9).bits(4, 8).bits(10, 639).bits(9, 359).bits(8, 0)
		unit := append([]byte{obuSequenceHeader<<3 | 2, byte(len(w.b))}, w.b...)
		frame := byte(0x10) // show_existing_frame is 0, and frame_type KEY_FRAME
		if reduced {
			frame = 0xff // which is not there
		}
		p := Inspect("AV1", append(append([]byte{obuTemporalDelimiter<<3 | 6, 0, 0}, unit...), obuFrame<<3|2, 1, frame))
		if p != (Picture{true, 640, 360, rate}) {
			t.Errorf("round %d: %+v", round, p)
		}
		if p = Inspect("AV1", append(unit, obuFrameHeader<<3, 0x20)); p.KeyFrame && !reduced {
			t.Error("a frame of another type is a key frame")
		}
	}
	for _, bad := range [][]byte{{0x80}, {0x0a, 0xff}, {0x0a, 5, 0}, {0x0e}, {0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}, {0x0a, 2, 0, 0}, {0x32, 1, 0}} {
		if p := Inspect("AV1", bad); p.KeyFrame || p.Width != 0 {
			t.Errorf("%x is %+v", bad, p)
		}
	}
}

func TestVP9Profiles(t *testing.T) {
	const rgb, bt709 = 7, 2
	for profile := range uint32(4) {
		for _, space := range []uint32{bt709, rgb} {
			if space == rgb && profile&1 == 0 {
				continue // has no place for it
			}
			w := new(bitWriter).bits(2, 2).bits(1, profile&1).bits(1, profile>>1)
			if profile == 3 {
				w.bits(1, 0)
			}
			w.bits(4, 0b0010).bits(24, 0x498342)
			if profile >= 2 {
				w.bits(1, 0)
			}
			if w.bits(3, space); space != rgb {
				w.bits(1, 0)
			}
			if profile&1 == 1 {
				if space != rgb {
					w.bits(2, 0)
				}
				w.bits(1, 0)
			}
			w.bits(16, 639).bits(16, 359)
			if p := Inspect("VP9", w.b); p != (Picture{true, 640, 360, 0}) {
				t.Errorf("profile %d, colours %d: %+v", profile, space, p)
			}
			if p := Inspect("VP9", w.b[:len(w.b)-2]); p.KeyFrame {
				t.Errorf("profile %d, cut off: %+v", profile, p)
			}
		}
	}
	for _, bad := range [][]byte{{0x42}, {0x88}, {0x82, 1, 2, 3, 4, 5, 6, 7, 8}} {
		if p := Inspect("VP9", bad); p != (Picture{}) {
			t.Errorf("%x is %+v", bad, p)
		}
	}
}
