package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/sctp"
	"github.com/plainrtc/plainrtc/internal/lab"
)

// Pion has goroutines and timers of its own, and no clock that one could turn. In a
// bubble of testing/synctest they run on virtual time all the same: it jumps to the
// next timer whenever all of them wait. Its processor is infinitely fast there.

// inBubble runs f on virtual time and ends the process. The package testing is
// needed for that, though this is no test.
func inBubble(f func()) {
	testing.Init()
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "bubble", F: func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			f()
			os.Exit(0)
		})
	}}}, nil, nil)
}

// A bottleneck is one direction of a simulated path, like a netsim.Link: a queue, a
// link of some rate behind it, losses behind that, and a delay.
type bottleneck struct {
	path  lab.Path
	delay time.Duration
	lossy bool
	dice  *rand.Rand

	mu    sync.Mutex
	idle  time.Time // when the last packet will have left the queue
	waits []time.Duration
	lose  int           // packets with data yet to be lost in a row
	lost  func()        // called at the last of them
	way   chan inFlight // one after the other: they keep their order
}

// An inFlight is a packet on its way.
type inFlight struct {
	due time.Time
	b   []byte
	to  *simulatedConn
}

func newBottleneck(path lab.Path, delay time.Duration, lossy bool, seed uint64) *bottleneck {
	l := &bottleneck{path: path, delay: delay, lossy: lossy, way: make(chan inFlight, 1<<20)}
	l.dice = rand.New(rand.NewPCG(seed, 0))
	go func() {
		for p := range l.way {
			time.Sleep(time.Until(p.due))
			p.to.arrive(p.b)
		}
	}()
	return l
}

// headers and record are what a packet is longer for below SCTP, as in internal/lab.
const simulatedOverhead = 28 + 37

func (l *bottleneck) send(b []byte, to *simulatedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	data := len(b) > 100
	takes := time.Duration(float64(len(b)+simulatedOverhead) * 8 / float64(l.path.Rate) * float64(time.Second))
	begins := l.idle
	if begins.Before(now) {
		begins = now
	}
	room := time.Duration(float64(l.path.Queue) * 8 / float64(l.path.Rate) * float64(time.Second))
	if begins.After(now) && begins.Add(takes).Sub(now) > room {
		return
	}
	l.idle = begins.Add(takes)
	if l.lossy {
		if l.dice.Float64() < l.path.Loss {
			return
		}
		if data && l.lose > 0 {
			if l.lose--; l.lose == 0 {
				l.lost()
			}
			return
		}
		if data {
			l.waits = append(l.waits, begins.Sub(now))
		}
	}
	l.way <- inFlight{l.idle.Add(l.delay), append([]byte(nil), b...), to}
}

// A simulatedConn is one end of a path, as Pion's SCTP wants it.
type simulatedConn struct {
	net.Conn // only the methods below are called
	out      *bottleneck
	peer     *simulatedConn
	in       chan []byte
	closed   chan struct{}
	once     sync.Once
}

func newSimulatedPair(there, back *bottleneck) (a, z *simulatedConn) {
	a = &simulatedConn{out: there, in: make(chan []byte, 1<<20), closed: make(chan struct{})}
	z = &simulatedConn{out: back, in: make(chan []byte, 1<<20), closed: make(chan struct{})}
	a.peer, z.peer = z, a
	return a, z
}

func (c *simulatedConn) arrive(b []byte) { c.in <- b }

func (c *simulatedConn) Read(b []byte) (int, error) {
	select {
	case p := <-c.in:
		return copy(b, p), nil
	case <-c.closed:
		return 0, io.EOF
	}
}

func (c *simulatedConn) Write(b []byte) (int, error) {
	select {
	case <-c.closed:
		return 0, io.ErrClosedPipe
	default:
	}
	c.out.send(b, c.peer)
	return len(b), nil
}

func (c *simulatedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *simulatedConn) SetReadDeadline(time.Time) error { return nil }

func tryPion() {
	path := lab.Path{Rate: 100e6, RTT: 40 * time.Millisecond, Loss: 0.001, Queue: 500000}
	wall := time.Now()
	inBubble(func() {
		err := func() error {
			there, back := newBottleneck(path, path.RTT/2, true, 1), newBottleneck(path, path.RTT/2, false, 2)
			x, y := newSimulatedPair(there, back)
			type result struct {
				a   *sctp.Association
				err error
			}
			accepted := make(chan result, 1)
			go func() {
				z, err := sctp.ServerWithOptions(sctp.WithNetConn(y))
				accepted <- result{z, err}
			}()
			a, err := sctp.ClientWithOptions(sctp.WithNetConn(x), sctp.WithBlockWrite(true))
			if err != nil {
				return err
			}
			z := <-accepted
			from, err := a.OpenStream(1, sctp.PayloadTypeWebRTCBinary)
			if err != nil {
				return err
			}
			start := time.Now()
			go func() {
				m := make([]byte, 16384)
				for {
					if _, err := from.Write(m); err != nil {
						return
					}
				}
			}()
			to, err := z.a.AcceptStream()
			if err != nil {
				return err
			}
			b := make([]byte, 65536)
			n := 0
			for time.Since(start) < 10*time.Second {
				k, err := to.Read(b)
				if err != nil {
					return err
				}
				n += k
			}
			fmt.Fprintln(os.Stderr, "Mbit/s", float64(n)*8/time.Since(start).Seconds()/1e6)
			a.Close()
			z.a.Close()
			close(there.way)
			close(back.way)
			return nil
		}()
		fmt.Fprintln(os.Stderr, "wall", time.Since(wall), err)
	})
}
