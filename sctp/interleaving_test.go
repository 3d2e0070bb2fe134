package sctp

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// interleaved cuts data into I-DATA chunks.
func interleaved(first tsn, stream uint16, number mid, unordered bool, data []byte, n int) (list []dataChunk) {
	for i := 0; i < len(data); i += n {
		d := dataChunk{interleaved: true, tsn: first, stream: stream, mid: number, fsn: uint32(i / n), payload: data[i:min(i+n, len(data))]}
		if i == 0 {
			d.flags |= flagBegin
		}
		if i+n >= len(data) {
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

// Fragments of several messages that come in any order, each as often as one
// likes, make the messages whole, ordered ones in their order, and leave nothing.
func TestInterleavingInAnyOrder(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 7))
		r := newReceiver(1000)
		r.tracker.start(1)
		var all []dataChunk
		want := 0
		next := tsn(1)
		for stream := range uint16(3) {
			for number := range mid(3) {
				for _, unordered := range []bool{false, true} {
					l := interleaved(next, stream, number, unordered, pattern(1+rng.IntN(900), byte(want)), 100)
					all = append(all, l...)
					next += tsn(len(l))
					want++
				}
			}
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for i := range all {
			d := all[i]
			r.data(&d)
			again := all[rng.IntN(i+1)]
			if o := r.data(&again); o.drop != dropDuplicate {
				t.Fatalf("seed %d: a duplicate is %q", seed, o.drop)
			}
		}
		got := 0
		last := map[uint16]mid{}
		for d, ok := r.delivery.take(); ok; d, ok = r.delivery.take() {
			got++
			if l, ok := last[d.stream]; d.flags&flagUnordered == 0 {
				if ok && d.mid != l+1 {
					t.Errorf("seed %d: message %d came after %d", seed, d.mid, l)
				}
				last[d.stream] = d.mid
			}
			r.giveBack(d.payload)
		}
		if got != want || r.window.used != 0 || r.interleaving.live != 0 || len(r.interleaving.lists) != 0 {
			t.Fatalf("seed %d: %d of %d messages; %d bytes and %d messages are left", seed, got, want, r.window.used, r.interleaving.live)
		}
	}
}

// What a peer should not send is refused, fragment by fragment, and costs
// nothing for ever.
func TestInterleavingRefuses(t *testing.T) {
	const b, e, u = flagBegin, flagEnd, flagUnordered
	type in struct {
		flags uint8
		mid   mid
		fsn   uint32
		want  string
		why   string
	}
	for _, test := range [][]in{
		{{0, 0, 0, dropFragment, "the first fragment has the B bit"}},
		{{b, 0, 0, "", ""}, {b, 0, 0, dropFragment, "a message begins once"}},
		{{b, 0, 0, "", ""}, {0, 0, 2, "", ""}, {0, 0, 2, dropFragment, "a stray comes once"}},
		{{b, 0, 0, "", ""}, {0, 0, 1, "", ""}, {0, 0, 1, dropFragment, "it was joined before"}},
		{{b | e, 0, 0, "", ""}, {b, 0, 0, dropSSN, "the message was delivered"}, {0, 0, 4, dropSSN, "the message was delivered"}},
		{{e, 0, 5, "", ""}, {b, 1, 0, "", ""}, {b, 0, 0, "", ""}},
		{{u | e, 9, 5, "", ""}, {u | b, 9, 0, "", ""}, {u | e, 9, 1, "", "the rest beyond the end goes with it"}},
	} {
		r := newReceiver(1000)
		r.tracker.start(1)
		for i, in := range test {
			d := dataChunk{interleaved: true, tsn: tsn(i + 1), flags: in.flags, mid: in.mid, fsn: in.fsn, payload: []byte{1}}
			if o := r.data(&d); o.drop != in.want || o.abort != nil {
				t.Errorf("%+v: fragment %d: %q, want %q: %s", test, i, o.drop, in.want, in.why)
			}
		}
		r.resetStreams([]uint16{0})
		for d, ok := r.delivery.take(); ok; d, ok = r.delivery.take() {
			r.giveBack(d.payload)
		}
		if r.window.used != 0 || r.interleaving.live != 0 {
			t.Errorf("%+v: %d bytes are left", test, r.window.used)
		}
	}
	r := newReceiver(1000)
	r.tracker.start(1)
	for i, d := range interleaved(1, 1, 0, false, make([]byte, 1100), 100) {
		if o := r.data(&d); (o.abort != nil) != (i == 10) {
			t.Errorf("fragment %d of a message that is too large: %+v", i, o)
		}
	}
	if r.window.used != 0 {
		t.Errorf("%d bytes are left", r.window.used)
	}
}

// A fragment of an unordered message that was given up, and came late, does not
// wait for the rest.
func TestInterleavingForgetsWhatIsGivenUp(t *testing.T) {
	r := newReceiver(1000)
	r.tracker.start(1)
	l := interleaved(1, 1, 5, true, make([]byte, 300), 100)
	r.data(&l[0])
	r.forwardInterleaved(interleavedForward{newCumTSN: 2, skipped: skippedMessages(nil).append(1, true, 5)})
	if o := r.data(&l[2]); o.drop != dropSSN || r.window.used != 0 {
		t.Errorf("the late fragment: %q, %d bytes are held", o.drop, r.window.used)
	}
	for _, d := range interleaved(4, 1, 6, true, make([]byte, 300), 100) {
		r.data(&d)
	}
	if _, ok := r.delivery.take(); !ok {
		t.Error("the next message did not arrive")
	}
}

// However many streams have long messages, those that have begun fit into the
// peer's window together: nobody waits for room that only others' ends can make.
func TestManyLongMessagesAtOnce(t *testing.T) {
	p := newPipe(t, Config{}, Config{MaxMessageSize: 64 << 10, ReceiveWindow: 256 << 10})
	p.connect()
	for i := range uint16(100) {
		p.send(p.a, Message{Stream: i, Data: pattern(60000, byte(i))})
	}
	p.send(p.a, Message{Stream: 200, Data: []byte("short")})
	p.until("everything delivered", time.Minute, func() bool {
		checkInvariants(t, p.a)
		return len(p.got[p.z]) == 101
	})
	short := slices.IndexFunc(p.got[p.z], func(m Received) bool { return m.Stream == 200 })
	if short > 1 {
		t.Errorf("the short message came as number %d", short)
	}
	for _, m := range p.got[p.z] {
		if m.Stream < 200 && !bytes.Equal(m.Data, pattern(60000, byte(m.Stream))) {
			t.Errorf("message %d has changed", m.Stream)
		}
	}
	if s := p.a.Stats(); s.Timeouts != 0 {
		t.Errorf("%d timeouts", s.Timeouts)
	}
}

// DATA is not for an association that agreed on I-DATA.
func TestDataInsteadOfInterleaved(t *testing.T) {
	p := newPipe(t, Config{}, Config{})
	p.connect()
	d := dataChunk{flags: flagBegin | flagEnd, tsn: p.a.recv.tracker.cum + 1, payload: []byte{1}}
	p.a.Receive(p.now, packet(p.a, d.append(nil)))
	if e, ok := p.a.Err().(*LocalError); !ok || e.Cause != ProtocolViolation {
		t.Errorf("the association ended with %v", p.a.Err())
	}
	p = newPipe(t, Config{Without: Interleaving}, Config{})
	p.connect()
	d = dataChunk{interleaved: true, flags: flagBegin | flagEnd, tsn: p.a.recv.tracker.cum + 1, payload: []byte{1}}
	p.a.Receive(p.now, packet(p.a, d.append(nil)))
	if got := said(p.a, p.now); got != "ERROR (Unrecognized Chunk Type)" {
		t.Errorf("I-DATA that was not negotiated: %q", got)
	}
}
