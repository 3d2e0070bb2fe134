package sctp

import (
	"runtime"
	"testing"
	"time"
)

// heap is what is allocated and in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What a hostile peer can make us hold, counted in the heap itself: chunks of
// a byte each, as many as it likes, none of which can be delivered.
func TestHostileMemory(t *testing.T) {
	for name, chunk := range map[string]func(first tsn, i int) dataChunk{
		"strays": func(first tsn, i int) dataChunk {
			return dataChunk{tsn: first + 1 + 2*tsn(i), payload: []byte{1}}
		},
		"beginnings": func(first tsn, i int) dataChunk {
			return dataChunk{tsn: first + 1 + 2*tsn(i), flags: flagBegin, payload: []byte{1}}
		},
		"interleaved strays": func(first tsn, i int) dataChunk {
			return dataChunk{interleaved: true, tsn: first + 1 + tsn(i), stream: uint16(i), mid: 1, fsn: 9, payload: []byte{1}}
		},
		"interleaved beginnings on one stream": func(first tsn, i int) dataChunk {
			return dataChunk{interleaved: true, tsn: first + 1 + tsn(i), flags: flagBegin, mid: mid(30000 - i), payload: []byte{1}}
		},
		"interleaved strays of one message": func(first tsn, i int) dataChunk {
			return dataChunk{interleaved: true, tsn: first + 1 + tsn(i), fsn: uint32(40000 - i), payload: []byte{1}}
		},
		"early messages on many streams": func(first tsn, i int) dataChunk {
			return dataChunk{tsn: first + 1 + tsn(i), flags: flagBegin | flagEnd, stream: uint16(i), ssn: 1, payload: []byte{1}}
		},
	} {
		c := Config{Without: Interleaving}
		if probe := chunk(0, 0); probe.interleaved {
			c.Without = 0
		}
		p := newPipe(t, c, Config{})
		p.connect()
		p.z = nil
		before := heap()
		first := p.a.recv.tracker.cum + 1
		for i := range 30000 {
			d := chunk(first, i)
			p.a.Receive(p.now, packet(p.a, d.append(nil)))
			for len(p.a.AppendPacket(p.now, nil)) > 0 {
			}
		}
		held := int(heap() - before)
		t.Logf("%s: %d kB of heap, %d kB counted", name, held>>10, p.a.recv.window.used>>10)
		if held > 2*p.a.cfg.ReceiveWindow {
			t.Errorf("%s: %d bytes are held behind a window of %d", name, held, p.a.cfg.ReceiveWindow)
		}
		runtime.KeepAlive(p)
	}
}

// An idle association costs at most 6 kB: after its set-up and a message, and
// again once it has been idle for a while after megabytes.
func TestIdleMemory(t *testing.T) {
	const pairs = 40
	var pipes []*pipe
	measure := func(what string, do func(p *pipe)) {
		for _, p := range pipes {
			do(p)
			clear(p.got)
			clear(p.events)
			p.flight = nil
		}
		before := heap()
		for _, p := range pipes {
			p.a, p.z = nil, nil
		}
		each := (int(before) - int(heap())) / (2 * pairs)
		t.Logf("%s: %d bytes", what, each)
		if each > 6<<10 {
			t.Errorf("%s: an association holds %d bytes", what, each)
		}
	}
	fresh := func() {
		pipes = nil
		for range pairs {
			p := newPipe(t, Config{}, Config{})
			p.connect()
			pipes = append(pipes, p)
		}
	}
	fresh()
	measure("after the set-up", func(*pipe) {})
	fresh()
	measure("after a message each way", func(p *pipe) {
		p.send(p.a, Message{Data: []byte("hello")})
		p.send(p.z, Message{Data: []byte("hello")})
		p.run(time.Second)
	})
	fresh()
	measure("after a megabyte and a minute", func(p *pipe) {
		for range 16 {
			p.send(p.a, Message{Data: make([]byte, 64<<10)})
		}
		p.run(2 * time.Minute)
		if len(p.got[p.z]) != 16 {
			t.Fatalf("%d messages arrived", len(p.got[p.z]))
		}
	})
}

// A peer that interleaves more than the window can hold at first is given room
// to finish: what it has begun on 40 streams arrives.
func TestWindowHoldsInterleavedMessages(t *testing.T) {
	const streams, size = 40, 256 << 10
	p := newPipe(t, Config{}, Config{})
	p.connect()
	p.z = nil
	fragment := make([]byte, 1024)
	first := p.a.recv.tracker.cum + 1
	next := first
	arrived := 0
	for fsn := range uint32(size / 1024) {
		for stream := range uint16(streams) {
			d := dataChunk{interleaved: true, tsn: next, stream: stream, fsn: fsn, payload: fragment}
			switch fsn {
			case 0:
				d.flags = flagBegin
			case size/1024 - 1:
				d.flags = flagEnd
			}
			if p.a.recv.window.rwnd() < len(fragment) {
				t.Fatalf("the window is closed after %d chunks", next-first)
			}
			p.a.Receive(p.now, packet(p.a, d.append(nil)))
			next++
			for len(p.a.AppendPacket(p.now, nil)) > 0 {
			}
			for m, ok := p.a.NextMessage(); ok; m, ok = p.a.NextMessage() {
				arrived += len(m.Data)
				p.a.Release(p.now, m)
			}
		}
	}
	if err := p.a.Err(); err != nil || arrived != streams*size {
		t.Errorf("%d of %d bytes arrived: %v", arrived, streams*size, err)
	}
	if w := p.a.recv.window; w.limit > w.most {
		t.Errorf("the window grew to %d, and %d is the most", w.limit, w.most)
	}
}
