package sctp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// newReceiver is a receive side by itself.
func newReceiver(maxMessage int) *receiver {
	r := &receiver{window: window{limit: 1 << 20, maxMessage: maxMessage}, pool: new(buffers), streams: 100}
	r.tracker.start(1)
	return r
}

// fragments cuts a message into DATA chunks of n bytes from TSN first on.
func fragments(first tsn, stream uint16, number ssn, unordered bool, data []byte, n int) (list []dataChunk) {
	for at := 0; at < len(data); at += n {
		d := dataChunk{tsn: first, stream: stream, ssn: number, payload: data[at:min(at+n, len(data))]}
		if at == 0 {
			d.flags |= flagBegin
		}
		if at+n >= len(data) {
			d.flags |= flagEnd
		}
		if unordered {
			d.flags |= flagUnordered
		}
		list = append(list, d)
		first++
	}
	return list
}

// messages takes out and releases what the receiver has for the user.
func (r *receiver) messages() (list []string) {
	for d, ok := r.delivery.take(); ok; d, ok = r.delivery.take() {
		list = append(list, fmt.Sprintf("%d:%s", d.stream, d.payload))
		r.giveBack(d.payload)
	}
	return list
}

// Every order of arrival of four fragments gives the same message, once.
func TestReassemblyInEveryOrder(t *testing.T) {
	list := fragments(1, 3, 0, false, []byte("abcdefgh"), 2)
	var try func(order []int)
	try = func(order []int) {
		if len(order) < len(list) {
			for i := range list {
				if !contains(order, i) {
					try(append(order[:len(order):len(order)], i))
				}
			}
			return
		}
		r := newReceiver(1000)
		for _, i := range order {
			d := list[i]
			r.data(&d)
		}
		if got := fmt.Sprint(r.messages()); got != "[3:abcdefgh]" || r.window.used != 0 || r.reassembly.live != 0 {
			t.Errorf("in order %v: %s, %d bytes left over", order, got, r.window.used)
		}
	}
	try(nil)
}

func contains(list []int, n int) bool {
	for _, v := range list {
		if v == n {
			return true
		}
	}
	return false
}

func TestReassemblyRefuses(t *testing.T) {
	chunk := func(n tsn, stream uint16, number ssn, flags uint8, data string) *dataChunk {
		return &dataChunk{tsn: n, stream: stream, ssn: number, flags: flags, payload: []byte(data)}
	}
	for _, test := range []struct {
		name   string
		chunks []*dataChunk
		drop   string // of the last chunk
		want   string // what is delivered after all
	}{
		{"a fragment of another stream", []*dataChunk{chunk(1, 1, 0, flagBegin, "a"), chunk(2, 2, 0, flagEnd, "b")}, dropFragment, "[]"},
		{"a fragment of another SSN", []*dataChunk{chunk(1, 1, 0, flagBegin, "a"), chunk(2, 1, 1, flagEnd, "b")}, dropFragment, "[]"},
		{"an unordered fragment of an ordered message", []*dataChunk{chunk(1, 1, 0, flagBegin, "a"), chunk(2, 1, 0, flagEnd|flagUnordered, "b")}, dropFragment, "[]"},
		{"a beginning in the middle", []*dataChunk{chunk(1, 1, 0, flagBegin, "a"), chunk(2, 2, 0, flagBegin, "b"), chunk(3, 2, 0, flagEnd, "c")}, "", "[2:bc]"},
		{"a whole message in the middle", []*dataChunk{chunk(1, 1, 0, flagBegin, "a"), chunk(2, 2, 0, flagBegin|flagEnd, "b")}, dropFragment, "[2:b]"},
		{"the same before the beginning", []*dataChunk{chunk(2, 2, 0, flagBegin|flagEnd, "b"), chunk(1, 1, 0, flagBegin, "a")}, dropFragment, "[2:b]"},
		{"an end without a beginning", []*dataChunk{chunk(1, 1, 0, flagEnd, "a")}, dropFragment, "[]"},
		{"an SSN twice", []*dataChunk{chunk(1, 1, 0, flagBegin|flagEnd, "a"), chunk(2, 1, 0, flagBegin|flagEnd, "b")}, dropSSN, "[1:a]"},
		{"an SSN that waits twice", []*dataChunk{chunk(1, 1, 5, flagBegin|flagEnd, "a"), chunk(2, 1, 5, flagBegin|flagEnd, "b")}, dropSSN, "[]"},
		{"a stream that is not there", []*dataChunk{chunk(1, 100, 0, flagBegin|flagEnd, "a")}, dropStream, "[]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newReceiver(1000)
			var o outcome
			for _, d := range test.chunks {
				o = r.data(d)
			}
			if got := fmt.Sprint(r.messages()); got != test.want || o.drop != test.drop {
				t.Errorf("delivered %s, want %s; dropped for %q, want %q", got, test.want, o.drop, test.drop)
			}
			if r.reassembly.live != 0 {
				t.Error("something is left in the reassembly")
			}
			if r.tracker.gap() {
				t.Error("what was dropped was not acknowledged")
			}
		})
	}
}

// A message above the limit ends the association, in fragments or whole.
func TestReassemblyLimitsMessages(t *testing.T) {
	for _, n := range []int{100, 1001} {
		r := newReceiver(1000)
		list := fragments(1, 1, 0, false, make([]byte, 1001), n)
		for i := range list {
			o := r.data(&list[i])
			if last := i == len(list)-1; (o.abort != nil) != last {
				t.Errorf("fragments of %d: fragment %d: abort %v", n, i, o.abort)
			}
		}
	}
}

// Tiny fragments and tiny messages that cannot be delivered cost the peer's
// window more than their size, so that they cannot cost us more than the
// window.
func TestTinyChunksAreCharged(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(i int) dataChunk
	}{
		{"stray fragments", func(i int) dataChunk {
			return dataChunk{tsn: 3 + 2*tsn(i), payload: []byte{1}}
		}},
		{"beginnings", func(i int) dataChunk {
			return dataChunk{tsn: 3 + 2*tsn(i), flags: flagBegin, payload: []byte{1}}
		}},
		{"messages that wait for their turn", func(i int) dataChunk {
			return dataChunk{tsn: 1 + tsn(i), stream: 1, ssn: 1 + ssn(i), flags: flagBegin | flagEnd, payload: []byte{1}}
		}},
		{"messages that nobody reads", func(i int) dataChunk {
			return dataChunk{tsn: 1 + tsn(i), flags: flagBegin | flagEnd | flagUnordered, payload: []byte{1}}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newReceiver(1000)
			r.window.limit = 64 << 10
			taken, aborted := 0, false
			for i := range 10000 {
				d := test.make(i)
				o := r.data(&d)
				if aborted = o.abort != nil; aborted {
					break
				}
				if o.drop == "" {
					taken++
				}
			}
			if limit := (64<<10*5/4 + 4000) / (minBuffer + pieceOverhead); taken > limit+1 || taken < limit/2 {
				t.Errorf("%d were taken, want about %d", taken, limit)
			}
			if want := test.name == "messages that wait for their turn"; aborted != want {
				t.Errorf("aborted: %v, want %v", aborted, want)
			}
			if r.window.rwnd() != 0 {
				t.Errorf("%d bytes are still advertised", r.window.rwnd())
			}
		})
	}
}

// A window full of what came after a gap takes the chunk that closes it.
func TestFullWindowIsNoDeadlock(t *testing.T) {
	r := newReceiver(50 << 10)
	r.window.limit = 60 << 10
	first := fragments(1, 1, 0, false, pattern(50<<10, 1), 1000)
	n := first[len(first)-1].tsn + 1
	for i := 0; !r.window.full(); i++ { // ordered messages after the first one
		d := dataChunk{tsn: n, stream: 1, ssn: 1 + ssn(i), flags: flagBegin | flagEnd, payload: make([]byte, 900)}
		r.data(&d)
		n++
	}
	for i := range first[:len(first)-1] {
		if o := r.data(&first[i]); o.drop != "" {
			t.Fatalf("fragment %d was dropped: %s", i, o.drop)
		}
	}
	if r.window.used > r.window.bound() {
		t.Errorf("%d bytes are held", r.window.used)
	}
	r.data(&first[len(first)-1])
	d, ok := r.delivery.take()
	if !ok || !bytes.Equal(d.payload, pattern(50<<10, 1)) {
		t.Fatal("the first message was not delivered")
	}
	r.giveBack(d.payload)
	r.messages()
	if r.window.used != 0 {
		t.Errorf("%d bytes are left over", r.window.used)
	}
}

// Ordered messages come in order and unordered ones at once, whatever order
// their TSNs arrive in.
func TestDeliveryOrder(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 3))
		r := newReceiver(1000)
		var chunks []dataChunk
		next := map[uint16]ssn{}
		n := tsn(1)
		for range 200 {
			stream := uint16(rng.IntN(4))
			unordered := rng.IntN(4) == 0
			list := fragments(n, stream, next[stream], unordered, pattern(1+rng.IntN(50), byte(n)), 1+rng.IntN(20))
			if !unordered {
				for i := range list {
					list[i].ppid = uint32(next[stream])
				}
				next[stream]++
			}
			chunks = append(chunks, list...)
			n += tsn(len(list))
		}
		rng.Shuffle(len(chunks), func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
		total := 0
		want := map[uint16]ssn{}
		for _, d := range chunks {
			r.data(&d)
			for m, ok := r.delivery.take(); ok; m, ok = r.delivery.take() {
				if m.flags&flagUnordered == 0 {
					if ssn(m.ppid) != want[m.stream] {
						t.Fatalf("seed %d: stream %d delivered %d, want %d", seed, m.stream, m.ppid, want[m.stream])
					}
					want[m.stream]++
				}
				total++
				r.giveBack(m.payload)
			}
		}
		if total != 200 || r.window.used != 0 {
			t.Fatalf("seed %d: %d messages, %d bytes left over", seed, total, r.window.used)
		}
	}
}

func TestBufferClasses(t *testing.T) {
	for n := 1; n < 3<<20; n += 1 + n/97 {
		size := bufferSize(n)
		if size < n || n > minBuffer && n <= 1<<20 && size > n+n/4 {
			t.Fatalf("a buffer for %d bytes has %d", n, size)
		}
		if size <= 1<<20 && classSize(bufferClass(size)) != size {
			t.Fatalf("class size %d is of class size %d", size, classSize(bufferClass(size)))
		}
	}
	var p buffers
	b := p.get(1000)
	p.put(append(b, 1))
	if c := p.get(900); len(c) != 0 || &c[:1][0] != &b[:1][0] {
		t.Error("a buffer that was given back is not used again")
	}
	for range 10000 {
		p.put(make([]byte, 0, 1024))
	}
	if p.size > maxFree {
		t.Errorf("%d bytes are kept", p.size)
	}
}
