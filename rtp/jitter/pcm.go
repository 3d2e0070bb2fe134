package jitter

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp/payload"
)

// pcmFormat reports whether a format is samples, which can be made up, left out
// and put in without a decoder.
func pcmFormat(f payload.Format) bool { return f == payload.G711 || f == payload.L16 }

// silentAfter is after how long a concealment has faded to silence. ITU-T G.711, Appendix I.
const silentAfter = 60 * time.Millisecond

type pcm struct{ memory []byte }

func (p *pcm) conceal(f *Frame) {}

func (b *Buffer) playPCM(f *Frame, silent bool) {
	b.playout.step(b.wanted(), f.Duration, silent)
}
