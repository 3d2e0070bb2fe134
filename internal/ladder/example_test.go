package ladder_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/ladder"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// This file is how a package uses the ladder: a toy core, what it takes to
// describe it, and the two tests.

// toy is stop and wait: one word in flight, sent again until acknowledged.
type toy struct {
	trace *trace.Tracer
	id    byte // where its numbering starts: from Rand, as everything arbitrary

	queue    []string
	sending  bool // the head of queue was sent and is not acknowledged
	transmit bool // the head of queue is to be sent now
	ack      int  // the number to acknowledge now, or -1
	retry    time.Time
	next     int // the number expected next, or -1 before the first word
	received []string
	events   []string
}

const retryAfter = time.Second

func newToy(rand io.Reader, tr *trace.Tracer) *toy {
	id := make([]byte, 1)
	io.ReadFull(rand, id)
	return &toy{trace: tr, id: id[0], ack: -1, next: -1}
}

func (c *toy) Send(word string) error {
	if word == "" {
		return errors.New("toy: a word is not empty")
	}
	c.queue = append(c.queue, word)
	return nil
}

func (c *toy) Receive(now time.Time, p []byte) {
	switch {
	case len(p) >= 2 && p[0] == 'W':
		if c.next < 0 || byte(c.next) == p[1] {
			c.next = int(p[1] + 1)
			c.received = append(c.received, string(p[2:]))
			c.events = append(c.events, "word "+string(p[2:]))
		} else {
			c.trace.Drop(now, "toy", "not the expected number", len(p))
		}
		c.ack = int(p[1])
	case len(p) == 2 && p[0] == 'A' && c.sending && p[1] == c.id:
		c.queue, c.sending, c.retry = c.queue[1:], false, time.Time{}
		c.id++
	default:
		c.trace.Drop(now, "toy", "not expected", len(p))
	}
}

func (c *toy) Advance(now time.Time) {
	if !c.retry.IsZero() && !now.Before(c.retry) {
		c.trace.Timer(now, "toy", "retry")
		c.retry, c.transmit = time.Time{}, true
	}
}

func (c *toy) AppendPacket(now time.Time, b []byte) []byte {
	switch {
	case c.ack >= 0:
		b = append(b, 'A', byte(c.ack))
		c.ack = -1
	case c.transmit || !c.sending && len(c.queue) > 0:
		b = append(b, 'W', c.id)
		b = append(b, c.queue[0]...)
		c.sending, c.transmit, c.retry = true, false, now.Add(retryAfter)
	}
	return b
}

func (c *toy) NextTimeout() time.Time { return c.retry }

// setupToys is the Setup: the same pair at every call.
func setupToys(t testing.TB, traceA, traceZ *trace.Tracer) *ladder.Pair {
	rand := rand.NewChaCha8([32]byte{1})
	a, z := newToy(rand, traceA), newToy(rand, traceZ)
	at := map[string]*toy{"a": a, "z": z}
	return &ladder.Pair{
		A: a, Z: z,
		Describe: func(from string, p []byte) string {
			if p[0] == 'A' {
				return fmt.Sprintf("ACK\tid=%d", p[1])
			}
			return fmt.Sprintf("WORD\tid=%d %q", p[1], p[2:])
		},
		Command: func(now time.Time, verb, peer string, args []string) error {
			if verb != "send" || peer == "" {
				return fmt.Errorf("%w: the toy knows send a|z WORDS", ladder.ErrUsage)
			}
			return at[peer].Send(strings.Join(args, " "))
		},
		Events: func(now time.Time, peer string) []string {
			events := at[peer].events
			at[peer].events = nil
			return events
		},
	}
}

func TestToyLadders(t *testing.T) {
	ladder.Run(t, "testdata/toy.ladder", setupToys)
}

func TestToyRepairsAnySingleFault(t *testing.T) {
	script := `
		send a one
		send a two
		run`
	ladder.Sweep(t, "testdata/toy-sweep.ladder", script, setupToys, func(p *ladder.Pair) error {
		if got := p.Z.(*toy).received; strings.Join(got, " ") != "one two" {
			return fmt.Errorf("z received %q, want one and two, once each and in order", got)
		}
		if sent := p.A.(*toy); len(sent.queue) > 0 || !bytes.Equal(nil, sent.AppendPacket(ladder.Start, nil)) {
			return errors.New("a is not done")
		}
		return nil
	})
}
