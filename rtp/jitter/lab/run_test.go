package lab

import (
	"fmt"
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
	for _, kind := range Kinds {
		for _, j := range []int{5, 20, 50, 100, 200} {
			for seed := range uint64(3) {
				p := Path{Kind: kind, Jitter: time.Duration(j) * time.Millisecond, Delay: 40 * time.Millisecond}
				r := Run(p.Trace(seeded(seed), 3000), jitter.Config{})
				t.Log(fmt.Sprintf("%-9s %3dms  late %.2f%% (%d+%d) mean %v p99 %v ratio %.2f concealed %v restarts %d", kind, j, 100*r.LateLoss(), r.Late, r.Delayed, r.MeanDelay.Round(time.Millisecond), r.JitterP99.Round(time.Millisecond), r.Ratio(), r.Concealed, r.Stats.Restarts))
			}
		}
	}
}
