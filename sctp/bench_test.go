package sctp

import (
	"testing"
	"time"
)

// A loop is two established associations that one goroutine drives, without a
// network: what the protocol itself costs.
type loop struct {
	now  time.Time
	a, z *Association
	buf  []byte
	got  int
}

func newLoop(t testing.TB) *loop { return newLoopWith(t, Config{MTU: 1200}) }

func newLoopWith(t testing.TB, c Config) *loop {
	p := newPipe(t, c, c)
	p.connect()
	return &loop{now: p.now, a: p.a, z: p.z, buf: make([]byte, 0, 16<<10)}
}

// pump moves packets until neither side has any.
func (l *loop) pump() {
	for {
		l.now = l.now.Add(time.Microsecond)
		moved := l.move(l.a, l.z)
		if !l.move(l.z, l.a) && !moved {
			return
		}
	}
}

func (l *loop) move(from, to *Association) (moved bool) {
	for range 32 {
		b := from.AppendPacket(l.now, l.buf[:0])
		if len(b) == 0 {
			break
		}
		moved = true
		to.Receive(l.now, b)
		for {
			m, ok := to.NextMessage()
			if !ok {
				break
			}
			l.got += len(m.Data)
			to.Release(l.now, m)
		}
		from.NextTimeout()
	}
	if t := from.NextTimeout(); !t.IsZero() && !t.After(l.now) {
		from.Advance(l.now)
	}
	return moved
}

// transfer sends n messages and sees them through.
func (l *loop) transfer(n int, m Message) {
	l.feed(n, m)
	l.pump()
}

// feed sends n messages, keeping at most 1 MiB queued.
func (l *loop) feed(n int, m Message) {
	for range n {
		for l.a.Buffered() > 1<<20 {
			l.pump()
		}
		if err := l.a.Send(l.now, m); err != nil {
			panic(err)
		}
	}
}

func benchmarkTransfer(b *testing.B, size int) {
	l := newLoop(b)
	m := Message{Stream: 1, PPID: 53, Data: make([]byte, size)}
	l.transfer(4096, m)
	l.got = 0
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for b.Loop() {
		l.feed(1, m)
		n++
	}
	for l.got < n*size {
		l.now = l.now.Add(sackDelay)
		l.a.Advance(l.now)
		l.z.Advance(l.now)
		l.pump()
	}
}

func BenchmarkTransfer100(b *testing.B)   { benchmarkTransfer(b, 100) }
func BenchmarkTransfer1KiB(b *testing.B)  { benchmarkTransfer(b, 1024) }
func BenchmarkTransfer16KiB(b *testing.B) { benchmarkTransfer(b, 16<<10) }
func BenchmarkTransfer64KiB(b *testing.B) { benchmarkTransfer(b, 64<<10) }

// BenchmarkDeepQueue is Send with 20 MB waiting: it must not cost more than
// with nothing waiting.
func BenchmarkDeepQueue(b *testing.B) {
	a := New(Config{Rand: seeded(1, 'a')})
	m := Message{Data: make([]byte, 1024)}
	for range 20 << 10 {
		a.Send(epoch(), m)
	}
	b.ReportAllocs()
	for b.Loop() {
		a.Send(epoch(), m)
		a.send.queue.drop(a.send.queue.first(epoch(), &a.pool, a.bufferedAmountFell), &a.pool)
	}
}

// In steady state neither data nor its acknowledgements allocate, whatever the
// size of the messages.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	for i, without := range []Extensions{0, Interleaving, 0} {
		for _, size := range []int{10, 1024, 5000, 64 << 10} {
			l := newLoopWith(t, Config{MTU: 1200, Without: without, MaxMTU: i / 2 * 9000, Headers: 65})
			m := Message{Stream: 1, PPID: 53, Data: make([]byte, size)}
			other := m
			other.Stream, other.Unordered = 2, true
			l.transfer(2000, m)
			l.transfer(2000, other)
			if n := testing.AllocsPerRun(200, func() { l.feed(5, m); l.transfer(5, other) }); n != 0 {
				t.Errorf("10 messages of %d bytes on two streams, without extensions %b: %v allocations", size, without, n)
			}
		}
	}
}
