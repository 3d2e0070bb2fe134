package lab

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp/jitter"
)

func seeded(seed uint64) *rand.ChaCha8 {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	return rand.NewChaCha8(key)
}

func TestFigures(t *testing.T) {
	for _, drift := range []float64{0, 200e-6, -200e-6} {
		for _, kind := range Kinds {
			if drift != 0 && kind != Uniform && kind != Queue {
				continue
			}
			for _, j := range []int{5, 20, 50, 100, 200} {
				for seed := range uint64(3) {
					p := Path{Kind: kind, Jitter: time.Duration(j) * time.Millisecond, Delay: 40 * time.Millisecond, Drift: drift}
					r := Run(p.Trace(seeded(seed), 15000), jitter.Config{})
					t.Logf("%-9s %4.0f %3dms  late %.2f%% (%d+%d) mean %v p99 %v ratio %.2f concealed %v restarts %d", kind, drift*1e6, j, 100*r.LateLoss(), r.Late, r.Delayed, r.MeanDelay.Round(time.Millisecond), r.JitterP99.Round(time.Millisecond), r.Ratio(), r.Concealed, r.Stats.Restarts)
				}
			}
		}
	}
}
