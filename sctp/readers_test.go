package sctp

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// TestSimulationOfSlowReaders sends messages of all sizes to a user that takes them
// late, releases them later, in any order, and one of them only when all others
// have come. Whatever the windows, and with losses too, nothing gets stuck.
func TestSimulationOfSlowReaders(t *testing.T) {
	if *simSeed != 0 {
		slowReader(t, *simSeed)
		return
	}
	seeds := *simSeeds / 10
	if testing.Short() {
		seeds = min(seeds, 20)
	}
	for seed := range uint64(seeds) {
		if slowReader(t, seed+1); t.Failed() {
			t.Fatalf("repeat with -sim.seed=%d", seed+1)
		}
	}
}

func slowReader(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	pick := func(n ...int) int { return n[rng.IntN(len(n))] }
	most := pick(20<<10, 64<<10, 256<<10, 300<<10, 1<<20, 4<<20)
	window := pick(1, 100<<10, 300<<10, 1<<20)
	ca := Config{Rand: seeded(seed, 'a'), Without: lacking(rng)}
	cz := Config{
		Rand: seeded(seed, 'z'), Without: lacking(rng),
		MaxMessageSize: most, ReceiveWindow: window, MaxReceiveWindow: max(window, pick(1, 1<<20, 4<<20)),
	}
	p := newPipe(t, ca, cz)
	p.hold = true
	p.delay = time.Duration(rng.IntN(50)) * time.Millisecond
	p.connect()
	loss := float64(pick(0, 0, 1, 10)) / 100
	p.fate = func(*Association, []byte) (int, time.Duration) {
		if rng.Float64() < loss {
			return 0, 0
		}
		return 1, 0
	}

	streams := 1 + rng.IntN(6)
	var sent [][]byte
	for total := 0; len(sent) < 40 && total < 3<<20; {
		size := min(most, 1<<rng.IntN(23)+rng.IntN(5000))
		data := pattern(size, byte(len(sent)))
		p.send(p.a, Message{Stream: uint16(rng.IntN(streams)), PPID: uint32(len(sent)), Unordered: rng.IntN(3) == 0, Data: data})
		sent, total = append(sent, data), total+size
	}

	kept := uint32(rng.IntN(len(sent))) // released last, if it leaves room for another
	if n := bufferSize(len(sent[kept])); n > longFrom || 2*n > p.z.recv.window.limit {
		kept = uint32(len(sent))
	}
	var lent []Received
	got := 0
	began := p.now
	for got < len(sent) || len(lent) > 0 {
		p.run(time.Duration(rng.IntN(300)) * time.Millisecond)
		if p.now.Sub(began) > 2*time.Minute || p.a.Err() != nil || p.z.Err() != nil {
			t.Errorf("seed %d: stuck with %d of %d messages, errors %v and %v\n%+v\n%+v, window %d",
				seed, got, len(sent), p.a.Err(), p.z.Err(), p.a.Stats(), p.z.Stats(), p.z.recv.window.limit)
			return
		}
		for range rng.IntN(4) {
			m, ok := p.z.NextMessage()
			if !ok {
				break
			}
			got++
			if !bytes.Equal(m.Data, sent[m.PPID]) {
				t.Errorf("seed %d: message %d arrives changed", seed, m.PPID)
			}
			lent = append(lent, m)
		}
		for i := 0; i < len(lent); i++ {
			if m := lent[i]; m.PPID != kept && rng.IntN(2) == 0 || got == len(sent) {
				lent = append(lent[:i], lent[i+1:]...)
				p.z.Release(p.now, m)
				i--
			}
		}
	}
	if w := &p.z.recv.window; w.used != 0 || w.excused != 0 || w.long != nil {
		t.Errorf("seed %d: %d bytes are still counted, %d not", seed, w.used, w.excused)
	}
}
