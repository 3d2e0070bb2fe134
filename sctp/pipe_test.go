package sctp

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"
)

// A pipe is two associations and a network between them, on virtual time.
type pipe struct {
	t     testing.TB
	now   time.Time
	a, z  *Association
	delay time.Duration
	// fate decides on each datagram: how many copies arrive (0: lost) and how
	// much later than the delay. Nil: one, at once.
	fate   func(from *Association, packet []byte) (copies int, extra time.Duration)
	flight []datagram
	sent   int
	events map[*Association][]Event
	got    map[*Association][]Received
	first  map[*Association]time.Time // when the first message arrived
	hold   bool                       // leave messages with the association
}

type datagram struct {
	at    time.Time
	order int
	to    *Association
	bytes []byte
}

func epoch() time.Time { return time.Unix(1_000_000_000, 0) }

// seeded is deterministic randomness for a Config.
func seeded(seed uint64, side byte) *rand.ChaCha8 {
	return rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), side})
}

func newPipe(t testing.TB, ca, cz Config) *pipe {
	if ca.Rand == nil {
		ca.Rand = seeded(1, 'a')
	}
	if cz.Rand == nil {
		cz.Rand = seeded(1, 'z')
	}
	return &pipe{
		t: t, now: epoch(), a: New(ca), z: New(cz), delay: 10 * time.Millisecond,
		events: make(map[*Association][]Event), got: make(map[*Association][]Received), first: make(map[*Association]time.Time),
	}
}

func (p *pipe) other(x *Association) *Association {
	if x == p.a {
		return p.z
	}
	return p.a
}

// drain takes out of x whatever is there.
func (p *pipe) drain(x *Association) {
	for {
		b := x.AppendPacket(p.now, nil)
		if len(b) == 0 {
			break
		}
		if len(b) > x.PathMTU() && len(b) != x.pmtud.size && !x.MayFragment() {
			p.t.Fatalf("a packet of %d bytes, MTU %d: %s", len(b), x.PathMTU(), Describe(b))
		}
		if !checkChecksum(b) && !(noChecksum(b) && x.peer.has(ZeroChecksum)) {
			p.t.Fatal("a packet with a bad checksum left")
		}
		copies, extra := 1, time.Duration(0)
		if p.fate != nil {
			copies, extra = p.fate(x, b)
		}
		for range copies {
			p.flight = append(p.flight, datagram{p.now.Add(p.delay + extra), p.sent, p.other(x), bytes.Clone(b)})
			p.sent++
		}
	}
	for !p.hold {
		m, ok := x.NextMessage()
		if !ok {
			break
		}
		if _, later := p.first[x]; !later {
			p.first[x] = p.now
		}
		c := m
		c.Data = bytes.Clone(m.Data)
		p.got[x] = append(p.got[x], c)
		x.Release(p.now, m)
	}
	for e, ok := x.NextEvent(); ok; e, ok = x.NextEvent() {
		p.events[x] = append(p.events[x], e)
	}
}

// step goes to the next thing that happens, if it happens until limit.
func (p *pipe) step(limit time.Time) bool {
	p.drain(p.a)
	p.drain(p.z)
	p.drain(p.a) // Release may have made a SACK due
	next := -1
	for i, d := range p.flight {
		if next < 0 || d.at.Before(p.flight[next].at) || d.at.Equal(p.flight[next].at) && d.order < p.flight[next].order {
			next = i
		}
	}
	var at time.Time
	var timer *Association
	if next >= 0 {
		at = p.flight[next].at
	}
	for _, x := range []*Association{p.a, p.z} {
		if t := x.NextTimeout(); !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at, timer = t, x
		}
	}
	if at.IsZero() || at.After(limit) {
		return false
	}
	if at.After(p.now) {
		p.now = at
	}
	if timer != nil {
		timer.Advance(p.now)
		return true
	}
	d := p.flight[next]
	p.flight = append(p.flight[:next], p.flight[next+1:]...)
	d.to.Receive(p.now, d.bytes)
	return true
}

// run lets time pass.
func (p *pipe) run(d time.Duration) {
	limit := p.now.Add(d)
	for p.step(limit) {
	}
	p.now = limit
}

// until lets time pass until the condition holds.
func (p *pipe) until(what string, limit time.Duration, done func() bool) {
	p.t.Helper()
	end := p.now.Add(limit)
	for !done() {
		if !p.step(end) {
			p.t.Fatalf("after %v still not: %s", limit, what)
		}
	}
}

func (p *pipe) connect() {
	p.t.Helper()
	p.a.Connect(p.now)
	p.until("both established", time.Minute, func() bool {
		return p.a.State() == StateEstablished && p.z.State() == StateEstablished
	})
	p.run(time.Second)
}

func (p *pipe) send(x *Association, m Message) {
	p.t.Helper()
	if err := x.Send(p.now, m); err != nil {
		p.t.Fatal(err)
	}
}

// pattern is n bytes that no other n share.
func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7+i>>8) ^ seed
	}
	return b
}

func events[E Event](p *pipe, x *Association) (list []E) {
	for _, e := range p.events[x] {
		if e, ok := e.(E); ok {
			list = append(list, e)
		}
	}
	return list
}

func TestConnectAndExchange(t *testing.T) {
	p := newPipe(t, Config{}, Config{})
	p.connect()
	for i, n := range []int{1, 3, 1132, 1133, 5000, 65536, 262144} {
		p.send(p.a, Message{Stream: uint16(i), PPID: 51, Data: pattern(n, byte(i))})
		p.send(p.z, Message{Stream: uint16(i), PPID: 53, Data: pattern(n, byte(i)+100), Unordered: true})
	}
	p.until("everything delivered", time.Minute, func() bool { return len(p.got[p.z]) == 7 && len(p.got[p.a]) == 7 })
	for i, n := range []int{1, 3, 1132, 1133, 5000, 65536, 262144} {
		if m := p.got[p.z][i]; m.PPID != 51 || !bytes.Equal(m.Data, pattern(n, byte(i))) || int(m.Stream) != i {
			t.Errorf("message %d arrived as %d bytes on stream %d with PPID %d", i, len(m.Data), m.Stream, m.PPID)
		}
		if m := p.got[p.a][i]; !m.Unordered || !bytes.Equal(m.Data, pattern(n, byte(i)+100)) {
			t.Errorf("message %d arrived as %d bytes on stream %d", i, len(m.Data), m.Stream)
		}
	}
	p.run(5 * time.Second)
	for _, x := range []*Association{p.a, p.z} {
		if x.Buffered() != 0 || x.send.out.flight != 0 || x.send.out.payload != 0 || x.recv.window.used != 0 {
			t.Errorf("left over: buffered %d, flight %d, payload %d, window %d", x.Buffered(), x.send.out.flight, x.send.out.payload, x.recv.window.used)
		}
	}
	if s := p.a.Stats(); s.Retransmissions != 0 || s.Timeouts != 0 {
		t.Errorf("retransmissions on a perfect path: %+v", s)
	}
	p.a.Shutdown(p.now)
	p.run(time.Second)
	if p.a.State() != StateClosed || p.z.State() != StateClosed || p.a.Err() != nil || p.z.Err() != nil {
		t.Errorf("after Shutdown: %v (%v), %v (%v)", p.a.State(), p.a.Err(), p.z.State(), p.z.Err())
	}
}
