package sctp

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// share serves bytes of the streams' chunks and counts whose they were.
func share(a *Association, bytes, chunk int) map[uint16]int {
	got := map[uint16]int{}
	q := &a.send.queue
	for bytes > 0 {
		m := q.first(epoch(), &a.pool, a.bufferedAmountFell)
		if m == nil {
			break
		}
		n := min(chunk, len(m.data)-m.cut)
		got[m.stream.id] += n
		bytes -= n
		q.cut(m, n)
	}
	return got
}

func TestPoliciesShare(t *testing.T) {
	for _, test := range []struct {
		policy SchedulingPolicy
		size   [3]int // of the messages of streams 0 to 2
		want   [3]int // percent
	}{
		{WeightedFairQueueing, [3]int{1000, 1000, 1000}, [3]int{14, 28, 57}}, // 128 : 256 : 512
		{WeightedFairQueueing, [3]int{50, 1000, 5000}, [3]int{14, 28, 57}},   // bytes, not messages
		{RoundRobin, [3]int{1000, 1000, 1000}, [3]int{33, 33, 33}},
		{StrictPriority, [3]int{1000, 1000, 1000}, [3]int{0, 0, 100}},
	} {
		for _, interleaved := range []bool{true, false} {
			a := New(Config{Rand: seeded(1, 'a'), Scheduling: test.policy})
			a.send.interleave(interleaved, 1<<20)
			for i, size := range test.size {
				a.SetStreamPriority(uint16(i), 128<<i)
				for n := 0; n < 1<<20; n += size {
					a.Send(epoch(), Message{Stream: uint16(i), Data: make([]byte, size)})
				}
			}
			got := share(a, 500000, 1000)
			for i, want := range test.want {
				if percent := got[uint16(i)] / 5000; percent < want-1 || percent > want+1 {
					t.Errorf("policy %d, sizes %v, interleaved %v: stream %d got %d %%, want %d", test.policy, test.size, interleaved, i, percent, want)
				}
			}
		}
	}
}

// A stream that had nothing to send for long has saved nothing up, and does
// not wait either.
func TestSilenceSavesNothing(t *testing.T) {
	a := New(Config{Rand: seeded(1, 'a')})
	a.send.interleave(true, 1<<20)
	for range 200 {
		a.Send(epoch(), Message{Stream: 1, Data: make([]byte, 1000)})
	}
	share(a, 100000, 1000)
	for range 200 {
		a.Send(epoch(), Message{Stream: 2, Data: make([]byte, 1000)})
	}
	if got := share(a, 1000, 1000); got[2] != 1000 {
		t.Errorf("the new stream does not come first: %v", got)
	}
	if got := share(a, 50000, 1000); got[1] < 24000 || got[2] < 24000 {
		t.Errorf("after a silence the shares are %v", got)
	}
}

// The heap, against a model that looks at every stream each time.
func TestSchedulerAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		a := New(Config{Rand: seeded(1, 'a'), Scheduling: SchedulingPolicy(seed % 3)})
		a.send.interleave(true, 4000)
		c := &a.send.queue.scheduler
		trail := ""
		for range 300 {
			id := uint16(rng.IntN(8))
			switch rng.IntN(5) {
			case 0, 1:
				a.Send(epoch(), Message{Stream: id, Data: make([]byte, 1+rng.IntN(3000))})
			case 2:
				a.SetStreamPriority(id, uint16(rng.IntN(4)*256))
			default:
				best := slices.MinFunc(append(c.all(), &outStream{turn: turn{tag: 1 << 63}}), func(s, u *outStream) int {
					switch {
					case s.head == nil || u.head != nil && !c.admits(s.head) && c.admits(u.head):
						return 1
					case u.head == nil || c.admits(s.head) && !c.admits(u.head) || c.before(s, u):
						return -1
					}
					return 1
				})
				s := c.current()
				if s == nil && best.head != nil || s != nil && s != best {
					t.Fatalf("seed %d: the scheduler and the model differ after %s", seed, trail)
				}
				if s != nil {
					n := min(1000, len(s.head.data)-s.head.cut)
					a.send.queue.cut(s.head, n)
					trail += fmt.Sprint(s.id, " ")
				}
			}
			checkInvariants(t, a)
		}
	}
}

// However streams and sizes mix, what has begun always fits into what the peer
// offered: else it could wait for ever for ends that it has no room for.
func TestBegunMessagesFit(t *testing.T) {
	const window, packet, streams = 300_000, 1200, 6
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 4))
		a := New(Config{Rand: seeded(1, 'a')})
		a.send.interleave(true, window)
		q := &a.send.queue
		for range 2000 {
			for id := range uint16(streams) {
				if q.streams[id] == nil || q.streams[id].head == nil {
					a.Send(epoch(), Message{Stream: id, Data: make([]byte, 1+rng.IntN(1<<(8+rng.IntN(11))))})
				}
			}
			m := q.first(epoch(), &a.pool, a.bufferedAmountFell)
			if m == nil {
				t.Fatalf("seed %d: nothing may be sent, and %d bytes wait", seed, q.buffered)
			}
			q.cut(m, min(packet, len(m.data)-m.cut))
			begun := 0
			for _, s := range q.streams {
				if s.head != nil && s.head.cut > 0 {
					begun += len(s.head.data)
				}
			}
			if begun > window {
				t.Fatalf("seed %d: messages of %d bytes have begun, for a window of %d", seed, begun, window)
			}
			checkInvariants(t, a)
		}
	}
}

// A message that is too long to go beside others has its turn, too.
func TestLongMessageIsNotStarved(t *testing.T) {
	const window = 300_000
	a := New(Config{Rand: seeded(1, 'a')})
	a.send.interleave(true, window)
	q := &a.send.queue
	feed := func(id uint16) {
		for s := q.streams[id]; s == nil || s.buffered < 200_000; s = q.streams[id] {
			a.Send(epoch(), Message{Stream: id, Data: make([]byte, 50_000+7000*int(id))})
		}
	}
	for sent, long := 0, (*outMessage)(nil); long == nil || long.cut == 0; {
		feed(0)
		feed(1)
		m := q.first(epoch(), &a.pool, a.bufferedAmountFell)
		n := min(1200, len(m.data)-m.cut)
		q.cut(m, n)
		if sent += n; long == nil && sent > 60_000 {
			a.Send(epoch(), Message{Stream: 2, Data: make([]byte, 250_000)})
			long = q.streams[2].head
		}
		if sent > 2*window {
			t.Fatal("the long message waits while others begin and end")
		}
	}
}
