package jitter

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// The ends and the middle of both laws, as ITU-T G.711, Tables 1 and 2 have them
// (in 16 bits), and every code there and back.
func TestG711(t *testing.T) {
	alaw, ulaw := Codec{Format: payload.G711, ClockRate: 8000, ALaw: true}, pcmu
	for _, test := range []struct {
		codec Codec
		code  byte
		want  int16
	}{
		{ulaw, 0x00, -32124}, {ulaw, 0x80, 32124}, {ulaw, 0xff, 0}, {ulaw, 0x7f, 0}, {ulaw, 0xfe, 8}, {ulaw, 0x70, -120},
		{alaw, 0xaa, 32256}, {alaw, 0x2a, -32256}, {alaw, 0xd5, 8}, {alaw, 0x55, -8}, {alaw, 0xc5, 264}, {alaw, 0x80, 5504},
	} {
		if got := test.codec.decode(nil, []byte{test.code})[0]; got != test.want {
			t.Errorf("%02x with A-law %t is %d, want %d", test.code, test.codec.ALaw, got, test.want)
		}
	}
	for _, codec := range []Codec{alaw, ulaw} {
		for i := range 256 {
			code := []byte{byte(i)}
			back := codec.encode(nil, codec.decode(nil, code))
			if back[0] != code[0] && !(i == 0x7f && back[0] == 0xff) { // µ-law has two zeroes
				t.Errorf("%02x comes back as %02x, A-law: %t", i, back[0], codec.ALaw)
			}
		}
		// Every sample is coded as the nearest there is, but for what is beyond the
		// ends.
		for s := math.MinInt16; s <= math.MaxInt16; s += 3 {
			got := int(codec.decode(nil, codec.encode(nil, []int16{int16(s)}))[0])
			most := max(8, (max(s, -s)+132)/32+1)
			if d := max(got-s, s-got); d > most && max(s, -s) < 32200 {
				t.Fatalf("%d is coded as %d, A-law: %t", s, got, codec.ALaw)
			}
		}
	}
}

// tone is 20 ms of a voice-like waveform: a pitch of 125 Hz with harmonics.
func tone(n, rate, channels int, amplitude float64) []int16 {
	samples := make([]int16, 0, rate/50*channels)
	for i := range rate / 50 {
		x := float64(n*rate/50+i) / float64(rate) * 2 * math.Pi * 125
		v := amplitude * (math.Sin(x) + 0.5*math.Sin(2*x+1) + 0.3*math.Sin(5*x+2)) / 1.8
		for range channels {
			samples = append(samples, int16(v))
		}
	}
	return samples
}

// A line is a world of samples.
type line struct {
	*world
	codec Codec
	rate  int
}

func newLine(t testing.TB, codec Codec) *line {
	return &line{newWorld(t, Config{}), codec, int(codec.ClockRate)}
}

func (l *line) sendSamples(n int, samples []int16) {
	data := l.codec.encode(nil, samples)
	l.send(packet(l.t, rtp.Header{PayloadType: 0, SequenceNumber: uint16(n), Timestamp: uint32(n * l.rate / 50), SSRC: 1}, data...), l.codec)
}

// heard is everything that came out, in samples.
func (l *line) heard() (samples []int16) {
	for _, f := range l.frames {
		samples = l.codec.decode(samples, []byte(f.data))
	}
	return samples
}

var lines = map[string]Codec{
	"PCMU":       pcmu,
	"PCMA":       {Format: payload.G711, ClockRate: 8000, ALaw: true},
	"L16 48 kHz": {Format: payload.L16, ClockRate: 48000, Channels: 2},
}

// Where frames are lost the tone goes on: what is heard is close to what was
// sent in the first 10 ms of a loss, nowhere does it jump, and it fades.
func TestConcealedWaveform(t *testing.T) {
	for name, codec := range lines {
		t.Run(name, func(t *testing.T) {
			l := newLine(t, codec)
			l.b.SetDelay(60*ms, 60*ms) // which keeps places where they are
			channels := max(codec.Channels, 1)
			var sent []int16
			for n := range 100 {
				samples := tone(n, l.rate, channels, 8000)
				sent = append(sent, samples...)
				if n != 50 && (n < 60 || n >= 66) { // 20 ms, and 120 ms
					l.sendSamples(n, samples)
				}
				l.sleep(20 * ms)
			}
			heard := l.heard()
			if len(heard) < len(sent)*9/10 {
				t.Fatalf("%d samples were heard of %d", len(heard), len(sent))
			}
			// The steepest step of the tone itself, and a little for coding.
			steepest := 0.0
			for i := channels; i < len(sent); i++ {
				steepest = max(steepest, math.Abs(float64(sent[i])-float64(sent[i-channels])))
			}
			for i := channels; i < len(heard)*95/100; i++ {
				if step := math.Abs(float64(heard[i]) - float64(heard[i-channels])); step > 1.6*steepest+300 {
					t.Fatalf("%v after the start it jumps by %v, and the tone by at most %v", time.Duration(i/channels)*time.Second/time.Duration(l.rate), step, steepest)
				}
			}
			// The frames are as long as what they stand for, so that places
			// correspond.
			at := func(n int) int { return n * l.rate / 50 * channels }
			lost, real := heard[at(50)+at(1)/8:at(50)+at(1)/2], sent[at(50)+at(1)/8:at(50)+at(1)/2]
			if like := likeness(waveform{lost, channels}, waveform{real, channels}, 1); like < 0.9 {
				t.Errorf("what was made up is like what was lost by %v", like)
			}
			loud := func(from, to int) float64 { return waveform{heard[at(from):at(to)], channels}.loudness() }
			if loud(60, 61) < 1000 || loud(62, 63) > loud(60, 61)*0.8 || loud(64, 65) > quiet {
				t.Errorf("it does not fade: %v, %v, %v", loud(60, 61), loud(62, 63), loud(64, 65))
			}
		})
	}
}

// Samples are left out and put in by whole periods: what is played has no gap and no
// jump, and follows the delay that is wanted.
func TestStretchedWaveform(t *testing.T) {
	for name, codec := range lines {
		t.Run(name, func(t *testing.T) {
			l := newLine(t, codec)
			channels := max(codec.Channels, 1)
			var sent []int16
			for n := range 400 {
				switch n {
				case 100:
					l.b.SetDelay(200*ms, 0)
				case 250:
					l.b.SetDelay(0, 0)
				}
				samples := tone(n, l.rate, channels, 8000)
				sent = append(sent, samples...)
				l.sendSamples(n, samples)
				l.sleep(20 * ms)
				if n == 249 {
					if d := l.b.Stats().Offset; d < 190*ms || d > 210*ms {
						t.Errorf("the delay is %v, want 200ms", d)
					}
				}
			}
			s := l.b.Stats()
			if d := s.Offset; d > 20*ms {
				t.Errorf("the delay is %v, want nearly none", d)
			}
			if ms := int(s.InsertedSamplesForDeceleration) * 1000 / l.rate; ms < 100 || ms > 220 {
				t.Errorf("%d ms were put in", ms)
			}
			if ms := int(s.RemovedSamplesForAcceleration) * 1000 / l.rate; ms < 180 || ms > 260 {
				t.Errorf("%d ms were left out", ms)
			}
			for i, f := range l.frames[1:] {
				before := l.frames[i]
				if gap := f.Due.Sub(before.Due) - before.Duration; gap > time.Microsecond*130 || gap < -time.Microsecond*130 {
					t.Fatalf("frame %d lasts %v and the next is due %v after it", i, before.Duration, f.Due.Sub(before.Due))
				}
			}
			heard := l.heard()
			steepest := 0.0
			for i := channels; i < len(sent); i++ {
				steepest = max(steepest, math.Abs(float64(sent[i])-float64(sent[i-channels])))
			}
			for i := channels; i < len(heard)*98/100; i++ {
				if step := math.Abs(float64(heard[i]) - float64(heard[i-channels])); step > 1.3*steepest+300 {
					t.Fatalf("sample %d jumps by %v, and the tone by at most %v", i, step, steepest)
				}
			}
		})
	}
}

// Without a loss, and with no change of the delay, samples come out as they went in.
func TestUntouchedWaveform(t *testing.T) {
	l := newLine(t, pcmu)
	l.b.SetDelay(100*ms, 100*ms)
	var sent []byte
	for n := range 50 {
		samples := tone(n, l.rate, 1, 8000)
		sent = pcmu.encode(sent, samples)
		l.sendSamples(n, samples)
		l.sleep(20 * ms)
	}
	var heard []byte
	for _, f := range l.frames {
		heard = append(heard, f.data...)
	}
	if len(heard) < 40*160 || !slices.Equal(heard, sent[:len(heard)]) {
		t.Error("the samples differ")
	}
}
