package jitter

import (
	"math"
	"time"

	"github.com/plainrtc/plainrtc/rtp/payload"
)

// pcmFormat reports whether a format is samples, which can be made up, left out
// and put in without a decoder.
func pcmFormat(f payload.Format) bool { return f == payload.G711 || f == payload.L16 }

// silentAfter is after how long a concealment has faded to silence.
const silentAfter = 60 * time.Millisecond

// pcm is what was played of a stream of samples, and how.
type pcm struct {
	codec   Codec
	past    []int16 // the last samples, historyLength of them
	before  []int16 // what past was when something began to be missing
	frame   []int16 // the one that is being made
	scratch []int16
	data    []byte // the frame, encoded

	concealer concealer
	allowance time.Duration // by how much time may be stretched now
}

// Limits of what can be made up: sampling rates and channels that a waveform's
// lengths make sense for.
const (
	rateLeast, rateMost = 8000, 192000
	channelsMost        = 8
)

// prepare makes ready for a codec. It returns false when nothing can be done with
// its samples.
func (p *pcm) prepare(c Codec) bool {
	channels := max(c.Channels, 1)
	if c.ClockRate < rateLeast || c.ClockRate > rateMost || channels > channelsMost || c.Format == payload.G711 && channels > 1 {
		return false
	}
	if p.codec != c {
		n := historyLength(int(c.ClockRate)) * channels
		*p = pcm{codec: c, past: make([]int16, n), before: make([]int16, n), scratch: make([]int16, n), data: p.data, frame: p.frame}
	}
	return true
}

func (p *pcm) wave(samples []int16) waveform { return waveform{samples, max(p.codec.Channels, 1)} }

// played remembers samples that are handed out.
func (p *pcm) played(samples []int16) {
	if n := len(p.past); len(samples) >= n {
		copy(p.past, samples[len(samples)-n:])
	} else {
		copy(p.past, p.past[len(samples):])
		copy(p.past[n-len(samples):], samples)
	}
}

// concealFrame makes up the samples of a frame.
func (p *pcm) concealFrame(f *Frame) {
	if !p.prepare(f.Codec) {
		return
	}
	rate := int(p.codec.ClockRate)
	n := max(int(f.Duration*time.Duration(rate)/time.Second), 1)
	channels := max(p.codec.Channels, 1)
	p.frame = grow(p.frame, n*channels)
	out := p.wave(p.frame)
	if p.concealer.rate == 0 {
		copy(p.before, p.past)
		p.concealer.start(p.wave(p.before), rate)
	}
	p.concealer.next(out, p.scratch)
	p.played(p.frame)
	p.data = p.codec.encode(p.data[:0], p.frame)
	f.Data, f.Duration = p.data, ticks(int64(n), p.codec.ClockRate)
}

func grow(samples []int16, n int) []int16 {
	if cap(samples) < n {
		samples = make([]int16, n)
	}
	return samples[:n]
}

// playPCM ends a concealment before a frame, and leaves out or puts in periods
// of its waveform for the delay to become what it should be.
func (b *Buffer) playPCM(f *Frame, silent bool) {
	p := &b.audio.pcm
	if !p.prepare(f.Codec) {
		b.playout.step(b.wanted(), f.Duration, silent)
		return
	}
	rate := int(f.Codec.ClockRate)
	p.frame = f.Codec.decode(p.frame[:0], f.Data)
	p.frame = p.frame[:len(p.frame)-len(p.frame)%max(p.codec.Channels, 1)]
	changed := false
	if p.concealer.rate != 0 {
		p.concealer.end(p.wave(p.frame), p.scratch)
		p.concealer = concealer{}
		changed = true
	}
	miss := b.wanted() - b.playout.offset
	share := time.Duration(upShare)
	switch {
	case silent:
		share = silentShare
	case miss < 0:
		share = downShare(-miss)
	}
	p.allowance = min(p.allowance+f.Duration/share, f.Duration)
	if period := p.stretch(rate, miss); period != 0 {
		d := ticks(int64(period), f.Codec.ClockRate)
		p.allowance -= max(d, -d)
		f.Duration += d
		b.playout.offset += d
		if period > 0 {
			b.stats.InsertedSamplesForDeceleration += uint64(period)
		} else {
			b.stats.RemovedSamplesForAcceleration += uint64(-period)
		}
		changed = true
	}
	p.played(p.frame)
	if changed {
		p.data = f.Codec.encode(p.data[:0], p.frame)
		f.Data = p.data
	}
}

const (
	// alike is from what likeness on a period may be left out or put in.
	alike = 0.9

	// quiet is the level, of the root of the mean square, below which anything may:
	// -60 dBov.
	quiet = 32
)

// stretch puts a period into the frame, when miss is positive, or leaves one out.
// It returns how long the period is, negative when it was left out; 0 when it did
// nothing, as no period of that length is like the one after it.
func (p *pcm) stretch(rate int, miss time.Duration) int {
	w := p.wave(p.frame)
	least := rate * 25 / 10000 // 2.5 ms
	most := int(min(max(miss, -miss), p.allowance) * time.Duration(rate) / time.Second)
	most = min(most, w.len()/2, pitchMost(rate))
	if most < least {
		return 0
	}
	best, likest := 0, alike
	if w.loudness() < quiet {
		best = most
	} else {
		for lag := least; lag <= most; lag++ {
			if like := likeness(w.part(0, lag), w.part(lag, 2*lag), max(rate/8000, 1)); like >= likest {
				best, likest = lag, like
			}
		}
	}
	if best == 0 {
		return 0
	}
	c := w.channels
	if miss < 0 {
		// The first period passes over into the second one, and the second is left
		// out.
		w.part(0, best).fade(w.part(best, 2*best))
		p.frame = append(p.frame[:best*c], p.frame[2*best*c:]...)
		return -best
	}
	// Between the first and the second period comes one that passes over from the
	// second into the first.
	between := waveform{p.scratch[:best*c], c}
	copy(between.samples, w.part(best, 2*best).samples)
	between.fade(w.part(0, best))
	n := len(p.frame)
	p.frame = append(p.frame, between.samples...)
	copy(p.frame[2*best*c:], p.frame[best*c:n])
	copy(p.frame[best*c:], between.samples)
	return best
}

// loudness is the root of the mean square.
func (w waveform) loudness() float64 {
	var sum float64
	for _, s := range w.samples {
		sum += float64(s) * float64(s)
	}
	return math.Sqrt(sum / float64(max(len(w.samples), 1)))
}
