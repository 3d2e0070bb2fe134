package ladder

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A line of the transcript, before its columns are aligned.
type line struct {
	at       time.Duration
	more     bool   // goes on from the line above: no time
	rungs    string // the ladder: seven columns
	name     string // what stands there; with details, padded
	details  string
	isPacket bool
}

// A look is how a datagram's arrow is drawn.
type look int

const (
	flying   look = iota
	lost          // a cross where it would have arrived
	doubled       // arrives twice
	leaving       // sent now and held
	arriving      // was held, arrives now
)

var arrows = [...][2]string{
	flying:   {a: "──►", z: "◄──"},
	lost:     {a: "──✗", z: "✗──"},
	doubled:  {a: "══►", z: "◄══"},
	leaving:  {a: "──┄", z: "┄──"},
	arriving: {a: "┄┄►", z: "◄┄┄"},
}

const noRungs = "       "

// rungsOf is the ladder beside something that happened at one peer.
func rungsOf(peer string) string {
	switch peer {
	case "a":
		return "a      "
	case "z":
		return "      z"
	}
	return noRungs
}

// say adds a line that is no packet.
func (w *world) say(peer, text string) {
	for i, part := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		l := line{at: w.now.Sub(Start), rungs: rungsOf(peer), name: strings.ReplaceAll(part, "\t", "  ")}
		if i > 0 {
			l.more, l.rungs = true, noRungs
		}
		w.lines = append(w.lines, l)
	}
}

// packetLine adds the line of a packet, or several, and returns its name.
func (w *world) packetLine(from side, how look, packet []byte) string {
	text := fmt.Sprintf("%d bytes", len(packet))
	if w.pair.Describe != nil {
		before := bytes.Clone(packet)
		text = w.pair.Describe(from.String(), packet)
		if !bytes.Equal(before, packet) {
			w.t.Fatalf("%s: Describe changed the packet it describes: %s", w.file, text)
		}
	}
	first := len(w.lines)
	for i, part := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		name, details, _ := strings.Cut(part, "\t")
		l := line{at: w.now.Sub(Start), rungs: "a " + arrows[how][from] + " z", name: name, details: details, isPacket: true}
		if i > 0 {
			l.more, l.rungs = true, noRungs
		}
		w.lines = append(w.lines, l)
	}
	return w.lines[first].name
}

// transcript aligns the lines.
func (w *world) transcript() []string {
	timeWidth, nameWidth := len("1000ms"), 0
	for _, l := range w.lines {
		timeWidth = max(timeWidth, len(milliseconds(l.at)))
		if l.isPacket && l.details != "" {
			nameWidth = max(nameWidth, utf8.RuneCountInString(l.name))
		}
	}
	var out []string
	for _, l := range w.lines {
		text := l.name
		if l.details != "" {
			text += strings.Repeat(" ", nameWidth-utf8.RuneCountInString(l.name)) + "  " + l.details
		}
		at := milliseconds(l.at)
		if l.more {
			at = ""
		}
		out = append(out, strings.TrimRight(fmt.Sprintf("%*s  %s  %s", timeWidth, at, l.rungs, text), " "))
	}
	if len(out) == 0 {
		out = []string{"(nothing happens)"}
	}
	return out
}

// tail is the end of the transcript, for failures.
func (w *world) tail() string {
	lines := w.transcript()
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// A sink puts what a core traces into the transcript.
type sink struct {
	w *world
	s side
}

// Trace implements trace.Sink.
func (k sink) Trace(e *trace.Event) {
	if !e.Time.Equal(k.w.now) {
		k.w.t.Errorf("%s: %v traces with the time %v, but now is %v", k.w.file, k.s, e.Time, k.w.now)
	}
	if !k.w.shown[e.Kind] {
		return
	}
	text := ""
	switch e.Kind {
	case trace.KindTimer:
		text = "timer " + e.Name
	case trace.KindDrop:
		text = "drop " + e.Text
	case trace.KindState:
		text = fmt.Sprintf("state %s: %s → %s", e.Layer, e.Name, e.Text)
	case trace.KindNote:
		text = "note " + e.Text
	case trace.KindValue:
		text = fmt.Sprintf("value %s=%d", e.Name, e.Value)
	}
	k.w.say(k.s.String(), text)
}

// transcriptShow is the verb show.
func (w *world) transcriptShow(kinds []string) error {
	for _, kind := range kinds {
		switch kind {
		case "state":
			w.shown[trace.KindState] = true
		case "note":
			w.shown[trace.KindNote] = true
		case "value":
			w.shown[trace.KindValue] = true
		default:
			return fmt.Errorf("%w: there is state, note and value to show", ErrUsage)
		}
	}
	return nil
}
