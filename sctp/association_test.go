package sctp

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

// Stream sequence numbers wrap after 65536 messages.
func TestStreamSequenceNumbersWrap(t *testing.T) {
	l := newLoop(t)
	data := make([]byte, 4)
	next := uint32(0)
	for sent := range uint32(140_000) {
		binary.BigEndian.PutUint32(data, sent)
		if err := l.a.Send(l.now, Message{Stream: 3, Data: data}); err != nil {
			t.Fatal(err)
		}
		for sent == 139_999 && l.a.Buffered() > 0 || l.a.Buffered() > 4000 {
			l.now = l.now.Add(time.Millisecond)
			l.a.Advance(l.now)
			l.z.Advance(l.now)
			exchange(l, func(m Received) {
				if got := binary.BigEndian.Uint32(m.Data); got != next {
					t.Fatalf("message %d came, want %d", got, next)
				}
				next++
			})
		}
	}
	if next < 139_000 {
		t.Errorf("%d messages came", next)
	}
}

// exchange moves what both ends have to say, once.
func exchange(l *loop, take func(Received)) {
	for _, way := range [][2]*Association{{l.a, l.z}, {l.z, l.a}} {
		for b := way[0].AppendPacket(l.now, l.buf[:0]); len(b) > 0; b = way[0].AppendPacket(l.now, l.buf[:0]) {
			way[1].Receive(l.now, b)
		}
	}
	for m, ok := l.z.NextMessage(); ok; m, ok = l.z.NextMessage() {
		take(m)
		l.z.Release(l.now, m)
	}
}

// RFC 9260, Section 7.2.1: a pause shrinks the window once, however many
// messages end it.
func TestPauseShrinksTheWindowOnce(t *testing.T) {
	p := newPipe(t, Config{Congestion: NewReno}, Config{})
	p.connect()
	p.a.send.cc.cwnd = 64 * p.a.send.cc.pmdcs
	p.send(p.a, Message{Data: make([]byte, 100)})
	p.run(100 * time.Millisecond)
	cwnd := p.a.send.cc.cwnd
	p.run(2*p.a.send.rto.current - 50*time.Millisecond)
	for range 10 {
		p.send(p.a, Message{Data: make([]byte, 100)})
	}
	if got := p.a.send.cc; got.cwnd != cwnd/4 || got.ssthresh != cwnd {
		t.Errorf("after two RTOs cwnd is %d and ssthresh %d, were %d", got.cwnd, got.ssthresh, cwnd)
	}
}

// What is held by the user closes the window, and what is released opens it
// again, without a probe.
func TestHeldMessagesCloseTheWindow(t *testing.T) {
	p := newPipe(t, Config{}, Config{ReceiveWindow: 64 << 10, MaxMessageSize: 16 << 10})
	p.connect()
	p.hold = true
	for range 20 {
		p.send(p.a, Message{Data: make([]byte, 10<<10)})
	}
	p.run(10 * time.Second)
	if p.z.recv.window.used > p.z.recv.window.bound() || p.z.Stats().ReceiveWindow != 0 {
		t.Errorf("%d bytes are held, %d advertised", p.z.recv.window.used, p.z.Stats().ReceiveWindow)
	}
	var held []Received
	for m, ok := p.z.NextMessage(); ok; m, ok = p.z.NextMessage() {
		held = append(held, m)
	}
	p.run(10 * time.Second)
	if n := len(held); n == 0 || n == 20 {
		t.Fatalf("%d messages came through a window of six", n)
	}
	for _, m := range held {
		p.z.Release(p.now, m)
	}
	p.hold = false
	started := p.now
	p.until("the rest", time.Minute, func() bool { return len(held)+len(p.got[p.z]) == 20 })
	if p.now.Sub(started) > time.Second {
		t.Errorf("it took %v to go on", p.now.Sub(started))
	}
}

// The errors that end an association say what happened.
func TestHowAssociationsEnd(t *testing.T) {
	p := newPipe(t, Config{}, Config{})
	p.connect()
	p.a.Abort(p.now, "enough")
	p.run(time.Second)
	var local *LocalError
	if !errors.As(p.a.Err(), &local) || local.Cause != UserInitiatedAbort || local.Reason != "enough" {
		t.Errorf("A ended with %v", p.a.Err())
	}
	var peer *PeerError
	if !errors.As(p.z.Err(), &peer) || peer.Cause != UserInitiatedAbort || peer.Reason != "enough" {
		t.Errorf("Z ended with %v", p.z.Err())
	}
	if e := events[Closed](p, p.z); len(e) != 1 || e[0].Err != p.z.Err() {
		t.Errorf("Z's events: %v", e)
	}

	p = newPipe(t, Config{}, Config{})
	p.fate = func(*Association, []byte) (int, time.Duration) { return 0, 0 }
	p.a.Connect(p.now)
	p.run(time.Hour)
	var timeout interface{ Timeout() bool }
	if !errors.As(p.a.Err(), &timeout) || !timeout.Timeout() {
		t.Errorf("A ended with %v", p.a.Err())
	}
	p.a.Connect(p.now)
	if p.a.State() != StateClosed {
		t.Error("an association that ended connects again")
	}
}

// The round trips from Connect to the first message at the other end, which is
// as few as the handshake allows: one and a half for who connects, two for the
// other end.
func TestFirstMessages(t *testing.T) {
	for _, both := range []bool{false, true} {
		p := newPipe(t, Config{}, Config{})
		p.delay = 50 * time.Millisecond
		p.send(p.a, Message{Data: []byte("from a")})
		p.send(p.z, Message{Data: []byte("from z")})
		p.a.Connect(p.now)
		if both {
			p.z.Connect(p.now)
		}
		p.run(time.Second)
		atA, atZ := p.first[p.a].Sub(epoch()), p.first[p.z].Sub(epoch())
		wantA := 200 * time.Millisecond
		if both {
			wantA = 150 * time.Millisecond
		}
		if atZ != 150*time.Millisecond || atA != wantA {
			t.Errorf("both connect %v: z has it after %v, a after %v", both, atZ, atA)
		}
	}
}

// Messages of before a restart of the peer come before the event that tells of it,
// and those of after it behind it, though they arrived in one packet with the
// COOKIE ECHO.
func TestMessagesAroundRestart(t *testing.T) {
	p := newPipe(t, Config{}, Config{})
	p.connect()
	p.hold = true
	p.send(p.a, Message{Stream: 1, Data: []byte("before")})
	p.run(time.Second)
	p.a = New(Config{Rand: seeded(2, 'a')})
	p.send(p.a, Message{Stream: 1, Data: []byte("after")})
	p.a.Connect(p.now)
	// Not a drain by hand, which would take events.
	for range 4 {
		for _, way := range [][2]*Association{{p.a, p.z}, {p.z, p.a}} {
			for b := way[0].AppendPacket(p.now, nil); len(b) > 0; b = way[0].AppendPacket(p.now, nil) {
				way[1].Receive(p.now, b)
			}
		}
	}
	if m, ok := p.z.NextMessage(); !ok || string(m.Data) != "before" {
		t.Errorf("the first message is %q", m.Data)
	}
	if m, ok := p.z.NextMessage(); ok {
		t.Errorf("%q is handed out before the restart is", m.Data)
	}
	if e, ok := p.z.NextEvent(); !ok || e != Event(Restarted{}) {
		t.Errorf("the first event is %#v", e)
	}
	if m, ok := p.z.NextMessage(); !ok || string(m.Data) != "after" {
		t.Errorf("the message behind it is %q", m.Data)
	}
}
