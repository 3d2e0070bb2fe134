// Package trace is how a core tells what it does: state changes, packets,
// drops with their reason, timers that fire, variables, secrets.
//
// A core holds a *[Tracer] that may be nil; every method of a nil Tracer does
// nothing, and takes concrete arguments, so that an untraced core pays one
// comparison and no allocation. What becomes of a fact is its [Sink]'s
// business: a [log/slog.Logger], a pcapng file, a test's transcript.
package trace

import (
	"fmt"
	"net/netip"
	"time"
)

// A Layer names the protocol that a fact belongs to.
type Layer string

// The layers.
const (
	UDP  Layer = "udp"
	STUN Layer = "stun"
	TURN Layer = "turn"
	ICE  Layer = "ice"
	DTLS Layer = "dtls"
	SRTP Layer = "srtp"
	SCTP Layer = "sctp"
	RTP  Layer = "rtp"
	SDP  Layer = "sdp"
	DCEP Layer = "dcep"
	PC   Layer = "pc"
)

// A Kind says what sort of fact an Event is.
type Kind uint8

// The kinds, and the fields of Event that each fills beside Time, Conn, Layer and Kind.
const (
	KindState  Kind = iota // Name: the state left; Text: the state entered
	KindNote               // Text: a rare fact in words
	KindDrop               // Text: the reason; Value: the size in bytes
	KindTimer              // Name: the timer that fired
	KindValue              // Name: the variable; Value: what it is now
	KindPacket             // Direction, Local, Remote, Bytes
	KindSecret             // Name: the key log label; Bytes: client random; Secret
)

func (k Kind) String() string {
	switch k {
	case KindState:
		return "state"
	case KindNote:
		return "note"
	case KindDrop:
		return "drop"
	case KindTimer:
		return "timer"
	case KindValue:
		return "value"
	case KindPacket:
		return "packet"
	case KindSecret:
		return "secret"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// A Direction tells a packet sent from a packet received.
type Direction uint8

// The directions.
const (
	In Direction = iota
	Out
)

func (d Direction) String() string {
	if d == Out {
		return "out"
	}
	return "in"
}

// An Event is one fact. A Sink may keep it no longer than the call: its bytes
// are borrowed.
type Event struct {
	Time      time.Time
	Conn      string // the connection's name, as given to New
	Layer     Layer
	Kind      Kind
	Direction Direction
	Name      string
	Text      string
	Value     int64
	Local     netip.AddrPort
	Remote    netip.AddrPort
	Bytes     []byte
	Secret    []byte
}

// String says the fact in one line, without its time, its connection and its
// bytes. Of a secret it says only that there is one.
func (e *Event) String() string {
	switch e.Kind {
	case KindState:
		return fmt.Sprintf("%s state %s → %s", e.Layer, e.Name, e.Text)
	case KindNote:
		return fmt.Sprintf("%s note %s", e.Layer, e.Text)
	case KindDrop:
		return fmt.Sprintf("%s drop %s (%d bytes)", e.Layer, e.Text, e.Value)
	case KindTimer:
		return fmt.Sprintf("%s timer %s", e.Layer, e.Name)
	case KindValue:
		return fmt.Sprintf("%s %s=%d", e.Layer, e.Name, e.Value)
	case KindPacket:
		arrow := "←"
		if e.Direction == Out {
			arrow = "→"
		}
		return fmt.Sprintf("%s %v %s %v %d bytes", e.Layer, e.Local, arrow, e.Remote, len(e.Bytes))
	case KindSecret:
		return fmt.Sprintf("%s secret %s", e.Layer, e.Name)
	}
	return fmt.Sprintf("%s %v", e.Layer, e.Kind)
}

// A Sink takes facts. One Sink may serve many connections: it locks for itself.
type Sink interface {
	Trace(e *Event)
}

// A Tracer passes the facts of one connection to a Sink. A nil Tracer passes none.
type Tracer struct {
	sink Sink
	conn string
	// event is reused for every fact, so that passing one to the Sink does not
	// allocate. A Tracer belongs to one core, which is never entered twice at once.
	event Event
}

// New returns a Tracer for the connection named conn.
func New(sink Sink, conn string) *Tracer { return &Tracer{sink: sink, conn: conn} }

func (t *Tracer) emit(e Event) {
	t.event = e
	t.event.Conn = t.conn
	t.sink.Trace(&t.event)
	t.event = Event{}
}

// State tells that a layer went from one state to another.
func (t *Tracer) State(now time.Time, layer Layer, from, to string) {
	if t != nil {
		t.emit(Event{Time: now, Layer: layer, Kind: KindState, Name: from, Text: to})
	}
}

// Note tells a rare fact in words.
func (t *Tracer) Note(now time.Time, layer Layer, text string) {
	if t != nil {
		t.emit(Event{Time: now, Layer: layer, Kind: KindNote, Text: text})
	}
}

// Drop tells that size bytes from the network were dropped, and why.
func (t *Tracer) Drop(now time.Time, layer Layer, reason string, size int) {
	if t != nil {
		t.emit(Event{Time: now, Layer: layer, Kind: KindDrop, Text: reason, Value: int64(size)})
	}
}

// Timer tells that a timer fired.
func (t *Tracer) Timer(now time.Time, layer Layer, name string) {
	if t != nil {
		t.emit(Event{Time: now, Layer: layer, Kind: KindTimer, Name: name})
	}
}

// Value tells what a variable is now, such as a congestion window in bytes.
func (t *Tracer) Value(now time.Time, layer Layer, name string, v int64) {
	if t != nil {
		t.emit(Event{Time: now, Layer: layer, Kind: KindValue, Name: name, Value: v})
	}
}

// Packet tells of a packet: on the wire for layer UDP, in clear for the layers
// that DTLS and SRTP carry.
func (t *Tracer) Packet(now time.Time, layer Layer, dir Direction, local, remote netip.AddrPort, b []byte) {
	if t != nil {
		t.emit(Event{Time: now, Layer: layer, Kind: KindPacket, Direction: dir, Local: local, Remote: remote, Bytes: b})
	}
}

// Secret tells a line of the NSS key log: its label, the handshake's client
// random and the secret.
func (t *Tracer) Secret(now time.Time, label string, clientRandom, secret []byte) {
	if t != nil {
		t.emit(Event{Time: now, Layer: DTLS, Kind: KindSecret, Name: label, Bytes: clientRandom, Secret: secret})
	}
}
