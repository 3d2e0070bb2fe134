package main

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// maxTimeline is how many events a timeline keeps: the first ones, which tell
// of the set-up.
const maxTimeline = 200

// A timeline is a trace.Sink that remembers what a person wants to know of how
// a connection came about: states, timers, drops, the first check with each
// address in each direction.
type timeline struct {
	start time.Time

	mu     sync.Mutex
	list   []timelineEvent
	checks map[checkKey]bool
}

// A timelineEvent is one line of a timeline, as the page gets it.
type timelineEvent struct {
	MS     float64     `json:"ms"` // since the offer came
	Layer  trace.Layer `json:"layer"`
	Text   string      `json:"text"`
	Detail string      `json:"detail,omitempty"`
}

type checkKey struct {
	text          string
	local, remote netip.AddrPort
}

func newTimeline(start time.Time) *timeline {
	return &timeline{start: start, list: []timelineEvent{}, checks: make(map[checkKey]bool)}
}

// from returns what has been added after the first n events.
func (t *timeline) from(n int) []timelineEvent {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]timelineEvent{}, t.list[min(n, len(t.list)):]...)
}

// Trace implements trace.Sink.
func (t *timeline) Trace(e *trace.Event) {
	if e.Layer == trace.RTP {
		return // of media there are graphs, and too many facts
	}
	switch e.Kind {
	case trace.KindState:
		t.add(e, e.Text, "")
	case trace.KindNote:
		text, detail, _ := strings.Cut(e.Text, ": ")
		t.add(e, text, detail)
	case trace.KindTimer:
		// ICE's pace the checks, which are here themselves; the others' mean
		// that something was lost.
		if e.Layer != trace.ICE {
			t.add(e, "timer "+e.Name, "")
		}
	case trace.KindDrop:
		t.add(e, "dropped: "+e.Text, fmt.Sprintf("%d bytes", e.Value))
	case trace.KindPacket:
		if e.Layer == trace.UDP && stun.Is(e.Bytes) {
			t.addCheck(e)
		}
	}
}

func (t *timeline) add(e *trace.Event, text, detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.list) < maxTimeline {
		t.list = append(t.list, timelineEvent{milliseconds(e.Time.Sub(t.start)), e.Layer, text, detail})
	}
}

// addCheck adds a connectivity check or its response, the first time each
// happens between two addresses.
func (t *timeline) addCheck(e *trace.Event) {
	m, err := stun.Parse(e.Bytes)
	if err != nil || m.Method() != stun.Binding {
		return
	}
	var what string
	switch m.Class() {
	case stun.Request:
		what = "check"
	case stun.SuccessResponse:
		what = "response"
	case stun.ErrorResponse:
		what = "error response"
	default:
		return
	}
	direction, arrow := " received", "←"
	if e.Direction == trace.Out {
		direction, arrow = " sent", "→"
	}
	key := checkKey{what + direction, e.Local, e.Remote}
	t.mu.Lock()
	seen := t.checks[key] || len(t.checks) >= maxTimeline
	if !seen {
		t.checks[key] = true
	}
	t.mu.Unlock()
	if seen {
		return
	}
	check := *e
	check.Layer = trace.ICE
	t.add(&check, key.text, fmt.Sprintf("%v %s %v", e.Local, arrow, e.Remote))
}
