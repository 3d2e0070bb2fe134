package sctp

import (
	"testing"
	"time"
)

// When ICE moves to another path, its round trip is measured at once, by a
// HEARTBEAT that also shows the peer the path.
func TestPathChanged(t *testing.T) {
	p := newPipe(t, Config{}, Config{})
	p.a.PathChanged(p.now)
	if b := p.a.AppendPacket(p.now, nil); len(b) != 0 {
		t.Fatalf("before the association is established %s is sent", Describe(b))
	}
	p.a.Connect(p.now)
	p.run(time.Second)
	before := p.a.Stats()
	p.delay = 60 * time.Millisecond
	p.a.PathChanged(p.now)
	p.run(time.Second)
	after := p.a.Stats()
	if after.PacketsSent != before.PacketsSent+1 || after.PacketsReceived != before.PacketsReceived+1 {
		t.Errorf("%d packets were sent and %d received: a HEARTBEAT and its HEARTBEAT ACK were due",
			after.PacketsSent-before.PacketsSent, after.PacketsReceived-before.PacketsReceived)
	}
	if after.SRTT <= before.SRTT {
		t.Errorf("the smoothed round trip was %v, and is %v on a path of 120 ms", before.SRTT, after.SRTT)
	}
}

// A path that was silent for long has backed the timeout off. On another one that
// answers, what was lost is sent again soon.
func TestPathChangedWhileBackedOff(t *testing.T) {
	p := newPipe(t, Config{}, Config{})
	p.a.Connect(p.now)
	p.run(time.Second)
	silent := true
	p.fate = func(*Association, []byte) (int, time.Duration) {
		if silent {
			return 0, 0
		}
		return 1, 0
	}
	if err := p.a.Send(p.now, Message{Data: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	p.run(20 * time.Second)
	silent = false
	p.a.PathChanged(p.now)
	p.run(time.Second)
	if len(p.got[p.z]) != 1 {
		t.Errorf("a second after the path has changed %d messages are there; the timeout was %v", len(p.got[p.z]), p.a.Stats().RTO)
	}
}
