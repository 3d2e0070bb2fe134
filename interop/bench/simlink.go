package main

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/internal/lab"
)

// A bottleneck is one direction of a simulated path, like a netsim.Link, for stacks
// that have goroutines: a queue, a link of some rate behind it, losses behind that,
// and a delay.
type bottleneck struct {
	path  lab.Path
	delay time.Duration
	lossy bool // and watched
	dice  *rand.Rand
	way   chan inFlight // one after the other: they keep their order

	mu       sync.Mutex
	idle     time.Time       // when the last packet will have left the queue
	waits    []time.Duration // in the queue, of packets with data
	lose     int             // packets with data yet to be lost in a row
	lastLoss time.Time
}

// An inFlight is a packet on its way.
type inFlight struct {
	due time.Time
	b   []byte
	to  *simulatedConn
}

// underSCTP is how much longer an IP packet is than the SCTP packet in it: IPv4,
// UDP, and DTLS 1.2, which Pion speaks.
const underSCTP = 28 + 37

func newBottleneck(path lab.Path, delay time.Duration, lossy bool, seed uint64) *bottleneck {
	l := &bottleneck{path: path, delay: delay, lossy: lossy, way: make(chan inFlight, 1<<20)}
	l.dice = rand.New(rand.NewPCG(seed, 0))
	go func() {
		for p := range l.way {
			time.Sleep(time.Until(p.due))
			p.to.in <- p.b
		}
	}()
	return l
}

// takes is how long the link is busy with so many bytes.
func (l *bottleneck) takes(bytes int) time.Duration {
	return time.Duration(float64(bytes) * 8 / float64(l.path.Rate) * float64(time.Second))
}

func (l *bottleneck) send(b []byte, to *simulatedConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	begins := l.idle
	if begins.Before(now) {
		begins = now
	}
	ends := begins.Add(l.takes(len(b) + underSCTP))
	if begins.After(now) && ends.Sub(now) > l.takes(l.path.Queue) {
		return
	}
	l.idle = ends
	if l.lossy {
		data := len(b) > 100 // and not a SACK
		if l.dice.Float64() < l.path.Loss {
			return
		}
		if data && l.lose > 0 {
			l.lose--
			l.lastLoss = ends.Add(l.delay) // when it would have arrived
			return
		}
		if data {
			l.waits = append(l.waits, begins.Sub(now))
		}
	}
	l.way <- inFlight{ends.Add(l.delay), append([]byte(nil), b...), to}
}

// A simulatedConn is one end of a path, as an association of Pion's wants it.
type simulatedConn struct {
	net.Conn // nothing but the methods below is called
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
