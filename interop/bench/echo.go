package main

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// A message of echoSize goes there and back echoes times, after echoWarm that
// are not counted.
const (
	echoSize = 100
	echoes   = 30_000
	echoWarm = 3_000
)

// measureEcho measures a short message there and back, one at a time, both ends
// in this process.
func measureEcho(s stack) (figures, error) {
	p, err := connectPair(s, options{bulk: true}, nil)
	if err != nil {
		return nil, err
	}
	failed := make(chan error, 1)
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, err := p.z.receive(b)
			if err == nil {
				err = p.z.send(b[:n])
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	var cpu, wall time.Duration
	var before, after runtime.MemStats
	message, b := make([]byte, echoSize), make([]byte, 1<<16)
	for i := range echoWarm + echoes {
		if i == echoWarm {
			runtime.ReadMemStats(&before)
			cpu, wall = -cpuTime(), -time.Duration(time.Now().UnixNano())
		}
		message[0] = byte(i)
		if err := p.a.send(message); err != nil {
			return nil, err
		}
		n, err := p.a.receive(b)
		if err == nil && (n != echoSize || b[0] != byte(i)) {
			err = errors.New("something else came back")
		}
		select {
		case err = <-failed:
		default:
		}
		if err != nil {
			return nil, fmt.Errorf("after %d messages: %w", i, err)
		}
	}
	cpu, wall = cpu+cpuTime(), wall+time.Duration(time.Now().UnixNano())
	runtime.ReadMemStats(&after)
	return figures{
		"µs":     float64(wall.Microseconds()) / echoes,
		"CPU µs": float64(cpu.Microseconds()) / echoes,
		"allocs": float64(after.Mallocs-before.Mallocs) / echoes,
	}, nil
}
