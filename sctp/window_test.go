package sctp

import (
	"bytes"
	"testing"
	"time"
)

// A message much larger than the receive window comes through it at the speed of
// the path, and is in memory once.
func TestMessageLargerThanTheWindow(t *testing.T) {
	const size = 16 << 20
	for _, without := range []Extensions{0, Interleaving} {
		config := Config{MaxMessageSize: size, MaxReceiveWindow: 1 << 20, Without: without}
		p := newBottleneckOf(t, 1, 100, 40*ms, 1, 0.001, config)
		large := pattern(size, 1)
		most, got := 0, 0
		var short time.Duration
		p.to[0].onData = func(m Received) {
			switch {
			case len(m.Data) == 100:
				short = p.net.Now().Sub(epoch())
			case !bytes.Equal(m.Data, large):
				t.Errorf("a message of %d bytes arrives changed", len(m.Data))
			default:
				got++
			}
		}
		p.net.After(0, func() {
			p.from[0].Connect(p.net.Now())
			for range 2 {
				if err := p.from[0].Send(p.net.Now(), Message{Data: large}); err != nil {
					t.Fatal(err)
				}
			}
			p.from[0].Send(p.net.Now(), Message{Stream: 1, Data: make([]byte, 100)})
		})
		w := &p.to[0].recv.window
		p.net.Run(func() bool {
			most = max(most, w.used)
			if w.used > w.bound() {
				t.Fatalf("%d bytes are held; at most %d may be", w.used, w.bound())
			}
			return got == 2
		}, time.Minute)
		p.atMost("32 MiB", p.net.Now().Sub(epoch()), 4000*ms)
		if most > size+2<<20 {
			t.Errorf("%d bytes were held for messages of %d", most, size)
		}
		if without == 0 && short > time.Second {
			t.Errorf("a short message arrives after %v, behind the long ones", short)
		}
		checkInvariants(t, p.to[0].Association)
		checkInvariants(t, p.from[0].Association)
		if w.used != 0 || w.long != nil || w.excused != 0 {
			t.Errorf("%d bytes are still counted, %d not", w.used, w.excused)
		}
	}
}

// Only one message at a time is held beside the window, however it is sent.
func TestOneLongMessage(t *testing.T) {
	for name, chunk := range map[string]func(first tsn, i int) dataChunk{
		"long ones on two streams": func(first tsn, i int) dataChunk {
			d := dataChunk{interleaved: true, tsn: first + tsn(i), stream: uint16(i % 2), fsn: uint32(i / 2)}
			if i < 2 {
				d.flags = flagBegin
			}
			return d
		},
		"one that is never finished and strays": func(first tsn, i int) dataChunk {
			d := dataChunk{interleaved: true, tsn: first + tsn(i), fsn: uint32(i)}
			if i == 0 {
				d.flags = flagBegin
			}
			if i > 3000 {
				d.tsn, d.stream = d.tsn+1, uint16(i)
			}
			return d
		},
	} {
		p := newPipe(t, Config{MaxMessageSize: 4 << 20}, Config{})
		p.connect()
		p.z = nil
		first := p.a.recv.tracker.cum + 1
		for i := range 20000 {
			d := chunk(first, i)
			d.payload = make([]byte, 1000)
			p.a.Receive(p.now, packet(p.a, d.append(nil)))
			for len(p.a.AppendPacket(p.now, nil)) > 0 {
			}
			if p.a.State() != StateEstablished {
				break
			}
			if w := &p.a.recv.window; w.used > w.bound() || w.bound() > 1<<20+1<<18+4<<20+1<<20+1<<17 {
				t.Fatalf("%s: %d bytes are held; at most %d may be", name, w.used, w.bound())
			}
		}
		t.Logf("%s: %d bytes are held, of at most %d; %v", name, p.a.recv.window.used, p.a.recv.window.bound(), p.a.Err())
	}
}

// What the user keeps is no longer counted, and not used again.
func TestKeep(t *testing.T) {
	p := newPipe(t, Config{}, Config{})
	p.connect()
	p.hold = true
	var kept [][]byte
	for i := range 10 {
		p.send(p.a, Message{Data: pattern(5000, byte(i))})
		p.run(time.Second)
		m, _ := p.z.NextMessage()
		p.z.Keep(p.now, m)
		kept = append(kept, m.Data)
	}
	for i, b := range kept {
		if !bytes.Equal(b, pattern(5000, byte(i))) {
			t.Errorf("message %d has changed", i)
		}
	}
	if p.z.recv.window.used != 0 || p.z.recv.lent != 0 {
		t.Errorf("%d bytes and %d messages are counted", p.z.recv.window.used, p.z.recv.lent)
	}
}

// While a long message waits for its user, short ones that come in fragments have
// the window for themselves.
func TestLongMessageLeavesRoom(t *testing.T) {
	for _, without := range []Extensions{0, Interleaving} {
		p := newPipe(t, Config{Without: without}, Config{Without: without, MaxMessageSize: 16 << 20})
		p.connect()
		p.hold = true
		p.send(p.a, Message{Data: make([]byte, 16<<20)})
		var long Received
		p.until("the long message is there", time.Minute, func() bool {
			m, ok := p.z.NextMessage()
			if ok {
				long = m
			}
			return ok
		})
		for i := range 5 {
			data := pattern(50_000, byte(i))
			p.send(p.a, Message{Stream: 1, Data: data})
			p.until("a short message is there", 2*time.Second, func() bool {
				m, ok := p.z.NextMessage()
				if !ok {
					return false
				}
				if !bytes.Equal(m.Data, data) {
					t.Errorf("short message %d arrives changed", i)
				}
				p.z.Release(p.now, m)
				return true
			})
		}
		p.z.Release(p.now, long)
		if w := &p.z.recv.window; w.used != 0 || w.excused != 0 {
			t.Errorf("%d bytes are still counted, %d not", w.used, w.excused)
		}
	}
}

// A peer that answers but has no room, not even for what it had offered room for,
// is no peer that is gone: the association waits for it for as long as it takes.
func TestNoRoomIsNoFailure(t *testing.T) {
	p := newPipe(t, Config{}, Config{})
	p.connect()
	p.hold = true
	p.send(p.a, Message{Data: []byte("what the user does not take")})
	p.run(time.Second)
	w := &p.z.recv.window
	limit, used := w.limit, w.used
	w.limit = -1 << 30
	data := pattern(10_000, 1)
	p.send(p.a, Message{Data: data})
	p.run(5 * time.Minute)
	if w.used != used {
		t.Fatal("there was room")
	}
	w.limit, p.hold = limit, false
	p.until("the message arrives", 20*time.Second, func() bool { return len(p.got[p.z]) == 2 })
	if !bytes.Equal(p.got[p.z][1].Data, data) {
		t.Error("it arrives changed")
	}
	p.run(10 * time.Second)
	if s := p.a.Stats(); s.State != StateEstablished || s.Buffered != 0 || s.Retransmissions > 100 {
		t.Errorf("afterwards: %+v", s)
	}
}
