package sctp

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Bulk transfers over a simulated link of 100 Mbit/s with a queue of one
// bandwidth-delay product, from a cold start. The floors are what this
// congestion control must not fall below; MSS/RTT · 1.22/√p bounds what it can
// reach with random loss. The last row is an overrun in slow start, with more
// holes than a SACK has room for.
func TestGoodputOverLinks(t *testing.T) {
	const rate, seconds = 100e6 / 8, 8
	for _, link := range []struct {
		rtt   time.Duration
		loss  float64
		floor float64 // Mbit/s
	}{
		{40 * time.Millisecond, 0, 80},
		{40 * time.Millisecond, 0.001, 9},
		{40 * time.Millisecond, 0.01, 2},
		{100 * time.Millisecond, 0, 40},
	} {
		p := newPipe(t, Config{}, Config{ReceiveWindow: 8 << 20})
		rng := rand.New(rand.NewPCG(1, 1))
		p.delay = link.rtt / 2
		busy := map[*Association]time.Time{} // until when the link is, each way
		p.fate = func(from *Association, b []byte) (int, time.Duration) {
			if from == p.a && rng.Float64() < link.loss {
				return 0, 0
			}
			at := busy[from]
			if at.Before(p.now) {
				at = p.now
			}
			if at.Sub(p.now) > link.rtt {
				return 0, 0 // the queue is full
			}
			const below = 28 + 37 // UDP and DTLS
			at = at.Add(time.Duration(float64(len(b)+below) / rate * 1e9))
			busy[from] = at
			return 1, at.Sub(p.now)
		}
		p.connect()
		end, total, data := p.now.Add(seconds*time.Second), 0, make([]byte, 64<<10)
		for {
			for p.a.Buffered() < 4<<20 {
				p.send(p.a, Message{Data: data})
			}
			if !p.step(end) {
				break
			}
			for _, m := range p.got[p.z] {
				total += len(m.Data)
			}
			p.got[p.z] = nil
		}
		goodput := float64(total) * 8 / seconds / 1e6
		t.Logf("%v, %v %% loss: %.1f Mbit/s, %d timeouts", link.rtt, 100*link.loss, goodput, p.a.Stats().Timeouts)
		if goodput < link.floor {
			t.Errorf("%v, %v %% loss: %.1f Mbit/s, want %v at least", link.rtt, 100*link.loss, goodput, link.floor)
		}
	}
}
