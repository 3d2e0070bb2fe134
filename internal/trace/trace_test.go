package trace_test

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

var (
	now    = time.Date(2026, time.January, 1, 0, 0, 0, 123456789, time.UTC)
	local  = netip.MustParseAddrPort("192.0.2.1:5000")
	remote = netip.MustParseAddrPort("198.51.100.2:6000")
)

// A keeper keeps a copy of each event.
type keeper struct{ events []trace.Event }

func (k *keeper) Trace(e *trace.Event) {
	c := *e
	c.Bytes, c.Secret = bytes.Clone(e.Bytes), bytes.Clone(e.Secret)
	k.events = append(k.events, c)
}

// facts calls every method once; want are the events they make.
func facts(tr *trace.Tracer) {
	tr.State(now, trace.SCTP, "COOKIE-WAIT", "COOKIE-ECHOED")
	tr.Note(now, trace.PC, "a rare fact")
	tr.Drop(now, trace.DTLS, "bad record", 60)
	tr.Timer(now, trace.SCTP, "T1-init")
	tr.Value(now, trace.SCTP, "cwnd", 4380)
	tr.Packet(now, trace.UDP, trace.Out, local, remote, []byte{1, 2})
	tr.Secret(now, "CLIENT_RANDOM", []byte{3}, []byte{4, 5})
}

var want = []trace.Event{
	{Time: now, Conn: "c", Layer: trace.SCTP, Kind: trace.KindState, Name: "COOKIE-WAIT", Text: "COOKIE-ECHOED"},
	{Time: now, Conn: "c", Layer: trace.PC, Kind: trace.KindNote, Text: "a rare fact"},
	{Time: now, Conn: "c", Layer: trace.DTLS, Kind: trace.KindDrop, Text: "bad record", Value: 60},
	{Time: now, Conn: "c", Layer: trace.SCTP, Kind: trace.KindTimer, Name: "T1-init"},
	{Time: now, Conn: "c", Layer: trace.SCTP, Kind: trace.KindValue, Name: "cwnd", Value: 4380},
	{Time: now, Conn: "c", Layer: trace.UDP, Kind: trace.KindPacket, Direction: trace.Out, Local: local, Remote: remote, Bytes: []byte{1, 2}},
	{Time: now, Conn: "c", Layer: trace.DTLS, Kind: trace.KindSecret, Name: "CLIENT_RANDOM", Bytes: []byte{3}, Secret: []byte{4, 5}},
}

func TestEachMethodMakesItsEvent(t *testing.T) {
	var k keeper
	facts(trace.New(&k, "c"))
	if len(k.events) != len(want) {
		t.Fatalf("%d events, want %d", len(k.events), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(k.events[i], want[i]) {
			t.Errorf("event %d is\n%+v, want\n%+v", i, k.events[i], want[i])
		}
	}
}

func TestNilTracerDoesNothing(t *testing.T) {
	facts(nil)
}

type nowhere struct{}

func (nowhere) Trace(*trace.Event) {}

func TestTracingDoesNotAllocate(t *testing.T) {
	b := []byte{1, 2}
	for name, tr := range map[string]*trace.Tracer{"a nil tracer": nil, "a tracer": trace.New(nowhere{}, "c")} {
		n := testing.AllocsPerRun(100, func() {
			tr.State(now, trace.SCTP, "A", "B")
			tr.Note(now, trace.PC, "note")
			tr.Drop(now, trace.DTLS, "reason", 60)
			tr.Timer(now, trace.SCTP, "T1-init")
			tr.Value(now, trace.SCTP, "cwnd", 4380)
			tr.Packet(now, trace.UDP, trace.Out, local, remote, b)
			tr.Secret(now, "CLIENT_RANDOM", b, b)
		})
		if n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
