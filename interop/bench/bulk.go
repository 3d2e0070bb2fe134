package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// What arrives in bulkTime, after bulkWarm, is counted.
const (
	bulkWarm = 1 * time.Second
	bulkTime = 3 * time.Second
)

// measureThroughput measures a reliable, ordered channel from one peer to
// another in the same process.
func measureThroughput(s stack, size int) (figures, error) {
	return measureBulk(s, size, func() {})
}

// heldRate is what a sender is held to: a message of heldSize every heldEvery.
const (
	heldRate  = 11_000_000 // bytes a second
	heldSize  = 16 << 10
	heldEvery = heldSize * time.Second / heldRate
)

// measureHeld measures what it costs to send at a pace, where each message finds
// both ends at rest.
func measureHeld(s stack) (figures, error) {
	due := time.Now()
	return measureBulk(s, heldSize, func() {
		// A sender that was held up does not catch up by a burst.
		due = due.Add(heldEvery)
		if now := time.Now(); due.Before(now.Add(-50 * time.Millisecond)) {
			due = now
		}
		time.Sleep(time.Until(due))
	})
}

// measureBulk sends one message after another, and waits by pace between them.
func measureBulk(s stack, size int, pace func()) (figures, error) {
	p, err := connectPair(s, options{bulk: true}, nil)
	if err != nil {
		return nil, err
	}
	var received, messages atomic.Int64
	failed := make(chan error, 2)
	go func() { failed <- sendAll(p.a, size, pace) }()
	go func() { failed <- receiveAll(p.z, size, &received, &messages) }()
	wait := func(d time.Duration) error {
		select {
		case err := <-failed:
			return err
		case <-time.After(d):
			return nil
		}
	}
	if err := wait(bulkWarm); err != nil {
		return nil, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	startDrops, startCPU, start := drops(), cpuTime(), time.Now()
	startBytes, startMessages := received.Load(), messages.Load()
	if err := wait(bulkTime); err != nil {
		return nil, err
	}
	bytes, n := float64(received.Load()-startBytes), float64(messages.Load()-startMessages)
	cpu, wall := (cpuTime() - startCPU).Seconds(), time.Since(start).Seconds()
	runtime.ReadMemStats(&after)
	if bytes == 0 {
		return nil, errors.New("nothing arrived")
	}
	allocs := float64(after.Mallocs - before.Mallocs)
	return figures{
		"MB/s":        bytes / 1e6 / wall,
		"CPU s/GB":    cpu / (bytes / 1e9),
		"allocs":      allocs / n,
		"allocs a MB": allocs / (bytes / 1e6),
		"drops":       float64(drops() - startDrops),
	}, nil
}

// sendAll sends messages of a size until that fails.
func sendAll(c channel, size int, pace func()) error {
	message := make([]byte, size)
	for {
		pace()
		if err := c.send(message); err != nil {
			return fmt.Errorf("sending: %w", err)
		}
	}
}

// receiveAll receives messages of a size until that fails, and counts.
func receiveAll(c channel, size int, bytes, messages *atomic.Int64) error {
	b := make([]byte, 1<<18)
	for {
		n, err := c.receive(b)
		if err == nil && n != size {
			err = fmt.Errorf("a message of %d bytes arrived as one of %d", size, n)
		}
		if err != nil {
			return fmt.Errorf("receiving: %w", err)
		}
		bytes.Add(int64(n))
		messages.Add(1)
	}
}
