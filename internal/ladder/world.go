package ladder

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/internal/trace"
)

const (
	defaultDelay = 20 * time.Millisecond
	defaultQuiet = 10 * time.Second

	// runLimit ends a run that does not become quiet: no scenario that a person
	// reads is longer, not even one that waits for every retransmission.
	runLimit = 10 * time.Minute

	// stepLimit is how much may happen at one instant, and packetLimit how many
	// packets a core may have to send at once, before it counts as stuck.
	stepLimit   = 10_000
	packetLimit = 10_000
)

// A side is an index: of the peer that sends or acts.
type side int

const (
	a side = iota
	z
)

func (s side) String() string { return [...]string{"a", "z"}[s] }

func (s side) other() side { return 1 - s }

func sideOf(peer string) side {
	if peer == "z" {
		return z
	}
	return a
}

// A fault is what happens to a datagram on its way; the zero fault is nothing.
type fault struct {
	lose, duplicate bool
	hold            time.Duration
}

// A sender is the link in one direction.
type sender struct {
	delay  time.Duration
	sent   int           // datagrams so far
	faults map[int]fault // by the datagram's number, counted from 1
	always fault         // for datagrams that have no fault of their own
}

// A datagram is on its way.
type datagram struct {
	at     time.Time
	from   side
	held   bool
	packet []byte
}

// A world is one run of one scenario.
type world struct {
	t      testing.TB
	file   string
	pair   *Pair
	now    time.Time
	quiet  time.Duration
	sides  [2]sender
	flight []datagram // in the order of arrival
	lines  []line
	shown  map[trace.Kind]bool
	bytes  hash.Hash   // of everything sent, and when
	sentBy [2][]string // the name of each packet, in order
}

func newWorld(t testing.TB, file string, setup Setup) *world {
	w := &world{
		t: t, file: file, now: Start, quiet: defaultQuiet, bytes: sha256.New(),
		shown: map[trace.Kind]bool{trace.KindTimer: true, trace.KindDrop: true},
	}
	for i := range w.sides {
		w.sides[i] = sender{delay: defaultDelay, faults: map[int]fault{}}
	}
	w.pair = setup(t, trace.New(sink{w, a}, "a"), trace.New(sink{w, z}, "z"))
	return w
}

func (w *world) script(commands []command) {
	w.t.Helper()
	for _, c := range commands {
		if err := w.do(c); err != nil {
			if !errors.Is(err, ErrUsage) {
				panic("BUG: a command's own error was not put into the transcript")
			}
			w.t.Fatalf("%s:%d: %s: %v", w.file, c.line, c, err)
		}
	}
}

// digest stands for everything that was sent and printed.
func (w *world) digest() string {
	return fmt.Sprintf("%x %q", w.bytes.Sum(nil), w.transcript())
}

func (w *world) peer(s side) Peer {
	if s == z {
		return w.pair.Z
	}
	return w.pair.A
}

// next is when something happens next; zero for never.
func (w *world) next() time.Time {
	next := timers.Earlier(w.pair.A.NextTimeout(), w.pair.Z.NextTimeout())
	if len(w.flight) > 0 {
		next = timers.Earlier(next, w.flight[0].at)
	}
	return next
}

func (w *world) runUntilQuiet() {
	end := w.now.Add(runLimit)
	for {
		next := w.next()
		if next.IsZero() || len(w.flight) == 0 && next.Sub(w.now) > w.quiet {
			return
		}
		if next.After(end) {
			w.say("", fmt.Sprintf("not quiet after %v", runLimit))
			return
		}
		w.step(next)
	}
}

func (w *world) runFor(d time.Duration) {
	end := w.now.Add(d)
	for {
		next := w.next()
		if next.IsZero() || next.After(end) {
			w.now = end
			return
		}
		w.step(next)
	}
}

// step goes to the instant t and does everything that is due there.
func (w *world) step(t time.Time) {
	if t.After(w.now) {
		w.now = t
	}
	for range stepLimit {
		switch {
		case len(w.flight) > 0 && !w.flight[0].at.After(w.now):
			d := w.flight[0]
			w.flight = slices.Delete(w.flight, 0, 1)
			w.deliver(d)
		case w.due(a):
			w.advance(a)
		case w.due(z):
			w.advance(z)
		default:
			return
		}
	}
	w.t.Fatalf("%s: at %v things happen without end: a timer that Advance does not stop or move?\n%s",
		w.file, w.now.Sub(Start), w.tail())
}

func (w *world) due(s side) bool {
	t := w.peer(s).NextTimeout()
	return !t.IsZero() && !t.After(w.now)
}

func (w *world) advance(s side) {
	w.peer(s).Advance(w.now)
	w.drain(s)
}

func (w *world) deliver(d datagram) {
	to := d.from.other()
	if d.held {
		w.packetLine(d.from, arriving, d.packet)
	}
	w.peer(to).Receive(w.now, d.packet)
	w.drain(to)
	// What a core keeps of borrowed bytes is overwritten in the shell too.
	for i := range d.packet {
		d.packet[i] = 0xdd
	}
}

// drain takes everything out of a core that has something to say.
func (w *world) drain(s side) {
	w.t.Helper()
	// The core appends its packet to a buffer that holds something already.
	before := []byte("before")
	for range packetLimit {
		b := append(make([]byte, 0, 2048), before...)
		b = w.peer(s).AppendPacket(w.now, b)
		if !bytes.HasPrefix(b, before) {
			w.t.Fatalf("%s: %v.AppendPacket changed the bytes that stood in the buffer before its packet\n%s", w.file, s, w.tail())
		}
		if packet := b[len(before):]; len(packet) > 0 {
			w.send(s, packet)
			continue
		}
		if w.pair.Events == nil {
			return
		}
		events := w.pair.Events(w.now, s.String())
		if len(events) == 0 {
			return
		}
		for _, e := range events {
			w.say(s.String(), "event "+e)
		}
	}
	w.t.Fatalf("%s: at %v %v has packets or events without end\n%s", w.file, w.now.Sub(Start), s, w.tail())
}

// send puts a packet on the link.
func (w *world) send(s side, packet []byte) {
	link := &w.sides[s]
	link.sent++
	f, ok := link.faults[link.sent]
	if !ok {
		f = link.always
	}
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(w.now.Sub(Start)))
	w.bytes.Write(append(at[:], byte(s)))
	w.bytes.Write(packet)

	look := flying
	switch {
	case f.lose:
		look = lost
	case f.duplicate:
		look = doubled
	case f.hold > 0:
		look = leaving
	}
	w.sentBy[s] = append(w.sentBy[s], w.packetLine(s, look, packet))
	if f.lose {
		return
	}
	d := datagram{at: w.now.Add(link.delay + f.hold), from: s, held: f.hold > 0, packet: packet}
	w.fly(d)
	if f.duplicate {
		d.packet = bytes.Clone(packet)
		w.fly(d)
	}
}

// fly enters a datagram behind those that arrive before it or with it.
func (w *world) fly(d datagram) {
	i := len(w.flight)
	for i > 0 && w.flight[i-1].at.After(d.at) {
		i--
	}
	w.flight = slices.Insert(w.flight, i, d)
}
