package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// cpuTime returns the user and system time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("BUG: getrusage of oneself can not fail: " + err.Error())
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// setupPairs is how many pairs are connected, one after another; the first
// setupWarm are not counted.
const (
	setupPairs = 120
	setupWarm  = 20
)

// measureSetup measures the set-up of a connected pair, both ends, from making
// the peers to a channel that both have open. Ending it is not counted.
func measureSetup(s stack, o options) (figures, error) {
	var wall, cpu time.Duration
	var allocs, bytes uint64
	var before, after runtime.MemStats
	for i := range setupPairs {
		runtime.ReadMemStats(&before)
		startCPU, start := cpuTime(), time.Now()
		p, err := connectPair(s, o, nil)
		if err != nil {
			return nil, err
		}
		if i >= setupWarm {
			wall += time.Since(start)
			cpu += cpuTime() - startCPU
			runtime.ReadMemStats(&after)
			allocs += after.Mallocs - before.Mallocs
			bytes += after.TotalAlloc - before.TotalAlloc
		}
		p.close()
	}
	const n = setupPairs - setupWarm
	return figures{
		"wall ms": wall.Seconds() * 1e3 / n,
		"CPU ms":  cpu.Seconds() * 1e3 / n,
		"allocs":  float64(allocs) / n,
		"kB":      float64(bytes) / 1e3 / n,
	}, nil
}

// idlePairs is how many pairs are kept, for idleTime, after settleTime.
const (
	idlePairs  = 200
	settleTime = 2 * time.Second
	idleTime   = 6 * time.Second
)

// measureIdle measures what a connected peer connection with one open channel
// costs while nothing is sent but what keeps it alive.
func measureIdle(s stack) (figures, error) {
	// What the first connection brings about for all is not a connection's cost: it
	// stays, for what serves all goes with the last of them.
	p, err := connectPair(s, options{}, nil)
	if err != nil {
		return nil, err
	}
	defer p.close()
	time.Sleep(100 * time.Millisecond)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()

	pairs := make([]*pair, idlePairs)
	for i := range pairs {
		if pairs[i], err = connectPair(s, options{}, nil); err != nil {
			return nil, fmt.Errorf("pair %d: %w", i+1, err)
		}
	}
	time.Sleep(settleTime)
	startCPU, start := cpuTime(), time.Now()
	time.Sleep(idleTime)
	cpu, wall := cpuTime()-startCPU, time.Since(start)
	// Twice, for what pools let go of takes two cycles to be freed.
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	goroutines = runtime.NumGoroutine() - goroutines
	for i, p := range pairs {
		if err := p.a.send([]byte{1}); err != nil {
			return nil, fmt.Errorf("pair %d is no longer connected: %w", i+1, err)
		}
	}
	runtime.KeepAlive(pairs)
	const n = 2 * idlePairs
	return figures{
		"goroutines": float64(goroutines) / n,
		"heap kB":    (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / 1e3 / n,
		"stack kB":   (float64(after.StackInuse) - float64(before.StackInuse)) / 1e3 / n,
		"CPU µs/s":   cpu.Seconds() * 1e6 / wall.Seconds() / n,
	}, nil
}

// pathDelay is one way; a round trip takes 100 ms.
const pathDelay = 50 * time.Millisecond

// measureRoundTrips measures the time from the first packet on a path of
// 100 ms to a channel that both ends have open, in round trips. Descriptions
// take no time, so that the stack's own waits are all there is.
func measureRoundTrips(s stack, o options) (figures, error) {
	l, err := newLink(pathDelay)
	if err != nil {
		return nil, err
	}
	p, err := connectPair(s, o, l)
	end := time.Now()
	if err != nil {
		return nil, err
	}
	packets := l.packets.Load()
	p.close()
	l.close()
	return figures{
		"round trips": end.Sub(time.Unix(0, l.first.Load())).Seconds() / (2 * pathDelay).Seconds(),
		"packets":     float64(packets),
	}, nil
}
