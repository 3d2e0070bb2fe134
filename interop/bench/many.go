package main

import (
	"fmt"
	"runtime"
	"time"
)

// measureMany measures connections whose one end shares a UDP port with all the others', as a
// server's do: their set-up, one after the other while those before are kept alive; what they hold; and
// a short message there and back on each, which all send at once. What one costs is told, for they
// are not as many with every stack: 5,000 of Pion's take a minute, of 7.8 ms of CPU each.
func measureMany(s stack) (figures, error) {
	port, closePort, err := s.port()
	if err != nil {
		return nil, err
	}
	defer closePort()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	startCPU, start := cpuTime(), time.Now()
	pairs := make([]*pair, s.many)
	for i := range pairs {
		if pairs[i], err = connectPair(s, options{port: port}, nil); err != nil {
			return nil, fmt.Errorf("pair %d: %w", i+1, err)
		}
	}
	n := float64(s.many)
	f := figures{
		"wall ms": time.Since(start).Seconds() * 1e3 / n,
		"CPU ms":  (cpuTime() - startCPU).Seconds() * 1e3 / n,
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	f["heap kB"] = (float64(after.HeapAlloc) - float64(before.HeapAlloc)) / 1e3 / n / 2

	startCPU = cpuTime()
	message, b := []byte("there and back"), make([]byte, 1500)
	for i, p := range pairs {
		if err := p.a.send(message); err != nil {
			return nil, fmt.Errorf("pair %d is no longer connected: %w", i+1, err)
		}
	}
	for i, p := range pairs {
		if _, err := p.z.receive(b); err != nil {
			return nil, fmt.Errorf("pair %d: %w", i+1, err)
		}
		if err := p.z.send(message); err != nil {
			return nil, fmt.Errorf("pair %d is no longer connected: %w", i+1, err)
		}
	}
	for i, p := range pairs {
		if _, err := p.a.receive(b); err != nil {
			return nil, fmt.Errorf("pair %d: %w", i+1, err)
		}
	}
	f["echo CPU µs"] = (cpuTime() - startCPU).Seconds() * 1e6 / n
	return f, nil
}
