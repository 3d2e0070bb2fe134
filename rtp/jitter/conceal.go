package jitter

import "math"

// Concealment of lost samples after ITU-T G.711, Appendix I: the last period of the
// waveform, found by its likeness with the one before it, goes on; from 10 ms on
// the last two, from 20 ms on the last three; and fades, until after 60 ms there is
// silence. Where one waveform passes into another they overlap for a quarter of a
// period.
//
// Appendix I delays all output by 3.75 ms, to have something to overlap with
// where a loss begins. Here nothing is delayed: there the beginning overlaps with the
// last samples, played backwards.

// A waveform is samples of a number of channels, interleaved. All lengths and
// places in it count samples of one channel.
type waveform struct {
	samples  []int16
	channels int
}

func (w waveform) len() int { return len(w.samples) / w.channels }

func (w waveform) part(from, to int) waveform {
	return waveform{w.samples[from*w.channels : to*w.channels], w.channels}
}

// fade passes over from w to v, in w.
func (w waveform) fade(v waveform) {
	n := min(w.len(), v.len())
	for i := range n {
		for c := range w.channels {
			at := i*w.channels + c
			w.samples[at] = int16((int(w.samples[at])*(n-i) + int(v.samples[at])*(i+1)) / (n + 1))
		}
	}
}

// likeness is the normalized correlation of two waveforms: 1 when one is the
// other but for its loudness. It looks at one sample of every step.
func likeness(v, w waveform, step int) float64 {
	var vv, ww, vw float64
	step *= v.channels
	for i := 0; i < min(len(v.samples), len(w.samples)); i += step {
		x, y := float64(v.samples[i]), float64(w.samples[i])
		vv, ww, vw = vv+x*x, ww+y*y, vw+x*y
	}
	if vv == 0 || ww == 0 {
		return 0
	}
	return vw / math.Sqrt(vv*ww)
}

// The numbers of Appendix I, in samples of a clock rate.
func pitchLeast(rate int) int    { return rate * 5 / 1000 }
func pitchMost(rate int) int     { return rate * 15 / 1000 }
func pitchLooked(rate int) int   { return rate * 20 / 1000 }
func historyLength(rate int) int { return 3*pitchMost(rate) + pitchMost(rate)/4 } // 48.75 ms
func every10ms(rate int) int     { return rate / 100 }

// pitch finds the period of the waveform at its end.
func (w waveform) pitch(rate int) int {
	looked := pitchLooked(rate)
	end := w.part(w.len()-looked, w.len())
	coarse := max(rate/4000, 1)
	try := func(from, to, step int) (best int) {
		most := math.Inf(-1)
		for lag := from; lag <= to; lag += step {
			if like := likeness(end, w.part(w.len()-looked-lag, w.len()-lag), step); like > most {
				best, most = lag, like
			}
		}
		return best
	}
	lag := try(pitchLeast(rate), pitchMost(rate), coarse)
	return try(max(lag-coarse+1, pitchLeast(rate)), min(lag+coarse-1, pitchMost(rate)), 1)
}

// A concealer makes up the waveform of one loss.
type concealer struct {
	rate    int
	past    waveform // what was played before the loss
	period  int
	periods int // how many of them are repeated
	at      int // in what is repeated
	made    int // samples so far
}

func (c *concealer) start(past waveform, rate int) {
	*c = concealer{rate: rate, past: past, period: past.pitch(rate), periods: 1}
}

// repeat writes the waveform that goes on, without regard to how long it has.
func (c *concealer) repeat(out waveform) {
	length := c.period * c.periods
	start := c.past.len() - length
	overlap := c.period / 4
	for i := range out.len() {
		if c.at == length {
			c.at = 0
		}
		for ch := range out.channels {
			v := int(c.past.samples[(start+c.at)*out.channels+ch])
			// Before it starts again its end passes over into what was before its
			// start.
			if left := length - c.at; left <= overlap {
				before := int(c.past.samples[(start-left)*out.channels+ch])
				v = (v*left + before*(overlap+1-left)) / (overlap + 1)
			}
			out.samples[i*out.channels+ch] = int16(v)
		}
		c.at++
	}
}

// next makes up what follows. scratch has room for a quarter of a period.
func (c *concealer) next(out waveform, scratch []int16) {
	step := every10ms(c.rate)
	for out.len() > 0 {
		n := min(step-c.made%step, out.len())
		part := out.part(0, n)
		switch {
		case c.made == 0:
			c.repeat(part)
			c.overlapStart(part)
		case c.made%step == 0 && c.periods < 3:
			// The old waveform goes on for a moment, and passes into the new one.
			overlap := min(c.period/4, n)
			old := waveform{scratch[:overlap*out.channels], out.channels}
			at := c.at
			c.repeat(old)
			c.at = at % c.period
			c.periods++
			c.repeat(part)
			for i, v := range old.samples {
				w := i / out.channels
				part.samples[i] = int16((int(v)*(overlap-w) + int(part.samples[i])*(w+1)) / (overlap + 1))
			}
		default:
			c.repeat(part)
		}
		c.attenuate(part)
		c.made += n
		out = out.part(n, out.len())
	}
}

// overlapStart makes the beginning go on from the last sample played.
func (c *concealer) overlapStart(out waveform) {
	overlap := min(c.period/4, out.len())
	for i := range overlap {
		for ch := range out.channels {
			back := int(c.past.samples[(c.past.len()-1-i)*out.channels+ch])
			at := i*out.channels + ch
			out.samples[at] = int16((back*(overlap-i) + int(out.samples[at])*(i+1)) / (overlap + 1))
		}
	}
}

// attenuate makes 20 % less of it in each 10 ms, from the second on.
func (c *concealer) attenuate(out waveform) {
	step := every10ms(c.rate)
	for i := range out.len() {
		over := c.made + i - step
		if over <= 0 {
			continue
		}
		gain := max(5*step-over, 0)
		for ch := range out.channels {
			at := i*out.channels + ch
			out.samples[at] = int16(int(out.samples[at]) * gain / (5 * step))
		}
	}
}

// end makes a loss pass over into what came after it: for a quarter of a period, and
// 4 ms more for each 10 ms of the loss after the first, up to 10 ms.
func (c *concealer) end(frame waveform, scratch []int16) {
	step := every10ms(c.rate)
	overlap := c.period/4 + max(c.made-step, 0)*4/10
	overlap = min(overlap, step, frame.len())
	old := waveform{scratch[:overlap*frame.channels], frame.channels}
	c.next(old, scratch[len(old.samples):])
	old.fade(frame.part(0, overlap))
	copy(frame.samples, old.samples)
}
