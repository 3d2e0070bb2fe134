package main

import (
	"context"
	"time"
)

// A stack is a WebRTC implementation that makes connected pairs of peers in
// this process.
type stack struct {
	name   string
	module string // its Go module, for the version
	// connect makes two peers on the loopback address, with a reliable, ordered
	// data channel that both ends have open. Descriptions are exchanged at once,
	// with all candidates in them. Packets travel through link unless it is nil.
	connect func(ctx context.Context, link *link) (*pair, error)
	// connectFast is connect for throughput, where a stack wants it otherwise.
	connectFast func(ctx context.Context, link *link) (*pair, error)
	// connect12 is connect with DTLS 1.2, where connect has a newer one.
	connect12 func(ctx context.Context, link *link) (*pair, error)
	// dtls returns what connects two ends of DTLS alone; errNotSpoken if it can't.
	dtls func(kind dtlsKind) (connect func() (*dtlsPair, error), err error)
}

var stacks = []stack{plainStack, pionStack}

// A pair is two connected peers. Messages go from one to the other.
type pair struct {
	send    func(message []byte) error // blocks while too much is buffered
	receive func(b []byte) (int, error)
	close   func() // returns when all of it is gone
}

// connectTimeout is generous: a set-up takes milliseconds, and 0.7 s over a slow path.
const connectTimeout = 30 * time.Second

// connectPair is connect with a timeout.
func connectPair(s stack, l *link) (*pair, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	return s.connect(ctx, l)
}

// held12 is the stack held to DTLS 1.2.
func (s stack) held12() stack {
	if s.connect12 != nil {
		s.connect = s.connect12
	}
	return s
}
