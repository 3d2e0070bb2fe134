package sctp

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// queued sends messages "stream:size" to an association that nobody answers.
func queued(t *testing.T, messages ...string) *Association {
	a := New(Config{Rand: seeded(1, 'a')})
	for _, m := range messages {
		var stream uint16
		var size int
		fmt.Sscanf(m, "%d:%d", &stream, &size)
		if err := a.Send(epoch(), Message{Stream: stream, Data: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// order cuts everything into chunks of 100 bytes and says whose they were.
func order(a *Association, now time.Time) string {
	var s []string
	q := &a.send.queue
	for m := q.first(now, &a.pool, a.bufferedAmountFell); m != nil; m = q.first(now, &a.pool, a.bufferedAmountFell) {
		s = append(s, fmt.Sprint(m.stream.id))
		q.cut(m, min(100, len(m.data)-m.cut))
	}
	return strings.Join(s, " ")
}

func TestStreamsTakeTurns(t *testing.T) {
	for _, test := range []struct {
		messages []string
		want     string
		why      string
	}{
		{[]string{"1:10", "1:10", "1:10"}, "1 1 1", "one stream"},
		{[]string{"1:10", "1:10", "2:10", "2:10", "3:10"}, "1 2 3 1 2", "a message each in turn"},
		{[]string{"1:250", "2:10", "1:10"}, "1 1 1 2 1", "a message that has begun goes on: its TSNs are consecutive"},
	} {
		a := queued(t, test.messages...)
		if got := order(a, epoch()); got != test.want {
			t.Errorf("%v were sent as %s, want %s: %s", test.messages, got, test.want, test.why)
		}
		if a.Buffered() != 0 || a.BufferedAmount(1) != 0 {
			t.Errorf("%d bytes are buffered", a.Buffered())
		}
	}
}

func TestExpiredMessagesAreNotSent(t *testing.T) {
	a := queued(t, "1:100")
	a.Send(epoch(), Message{Stream: 2, Data: make([]byte, 100), Lifetime: time.Second})
	a.Send(epoch(), Message{Stream: 3, Data: make([]byte, 100), Lifetime: time.Minute})
	a.SetBufferedAmountLow(2, 0)
	if got := order(a, epoch().Add(time.Second)); got != "1 3" {
		t.Errorf("streams %s had something to send", got)
	}
	if e, _ := a.NextEvent(); e != (BufferedAmountLow{Stream: 2}) {
		t.Errorf("the event is %v", e)
	}
}

func TestBufferedAmount(t *testing.T) {
	p := newPipe(t, Config{}, Config{})
	p.a.SetBufferedAmountLow(1, 1000)
	p.send(p.a, Message{Stream: 1, Data: make([]byte, 20000)})
	p.send(p.a, Message{Stream: 2, Data: make([]byte, 500)})
	if p.a.BufferedAmount(1) != 20000 || p.a.BufferedAmount(2) != 500 || p.a.BufferedAmount(3) != 0 || p.a.Buffered() != 20500 {
		t.Errorf("buffered: %d, %d, %d", p.a.BufferedAmount(1), p.a.BufferedAmount(2), p.a.Buffered())
	}
	p.connect()
	if e := events[BufferedAmountLow](p, p.a); len(e) != 1 || e[0].Stream != 1 {
		t.Errorf("events: %v", e)
	}
	if p.a.Buffered() != 0 {
		t.Errorf("%d bytes are left", p.a.Buffered())
	}
}

// What was queued on streams that the peer does not have is dropped when that
// is known.
func TestStreamsThePeerDoesNotHave(t *testing.T) {
	p := newPipe(t, Config{}, Config{InStreams: 2})
	for i := range uint16(6) {
		p.send(p.a, Message{Stream: i % 3, Data: make([]byte, 100)})
	}
	p.connect()
	if len(p.got[p.z]) != 4 || p.a.Buffered() != 0 {
		t.Errorf("%d messages arrived, %d bytes are buffered", len(p.got[p.z]), p.a.Buffered())
	}
	if err := p.a.Send(p.now, Message{Stream: 2, Data: []byte{1}}); err != ErrStream {
		t.Errorf("Send on stream 2: %v", err)
	}
	if e := events[Established](p, p.a); len(e) != 1 || e[0] != (Established{OutStreams: 2, InStreams: 65535}) {
		t.Errorf("events: %v", e)
	}
}

func TestSendRefuses(t *testing.T) {
	p := newPipe(t, Config{PeerMaxMessageSize: 1000, OutStreams: 10}, Config{})
	if err := p.a.Send(p.now, Message{}); err != ErrEmpty {
		t.Errorf("an empty message: %v", err)
	}
	if err := p.a.Send(p.now, Message{Data: make([]byte, 1001)}); err != ErrTooLarge {
		t.Errorf("a large message: %v", err)
	}
	if err := p.a.Send(p.now, Message{Stream: 10, Data: make([]byte, 1)}); err != ErrStream {
		t.Errorf("a stream beyond the last: %v", err)
	}
	p.connect()
	p.a.ResetStreams(p.now, 1)
	if err := p.a.Send(p.now, Message{Stream: 1, Data: make([]byte, 1)}); err != ErrResetting {
		t.Errorf("a stream that is being reset: %v", err)
	}
	p.a.Shutdown(p.now)
	if err := p.a.Send(p.now, Message{Data: make([]byte, 1)}); err != ErrClosed {
		t.Errorf("after Shutdown: %v", err)
	}
}

// A message of which a part is outstanding is left to outstanding, and released
// once.
func TestLimitLeavesOutstandingMessages(t *testing.T) {
	p := inState(t, StateCookieEchoed) // part of a message on stream 7 went with the COOKIE ECHO
	p.a.AppendPacket(p.now, nil)
	q := &p.a.send.queue
	m := q.scheduler.current().head
	if m.chunks == 0 || m.cut == 0 {
		t.Fatal("nothing is outstanding")
	}
	q.limit(4, &p.a.pool)
	if q.buffered != 0 || q.scheduler.current() != nil || q.free == m {
		t.Error("the message is still queued, or released")
	}
	p.a.send.out.reset(1)
	if q.free != m {
		t.Error("the message was not released")
	}
}
