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
