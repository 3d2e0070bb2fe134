package trace

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// A Recorder is a Sink for tests: it keeps every fact but the bytes, as one line
// of text each. Its zero value is ready.
type Recorder struct {
	mu    sync.Mutex
	start time.Time
	lines []string
	drops []string
}

// Trace implements Sink.
func (r *Recorder) Trace(e *Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lines == nil {
		r.start = e.Time
	}
	at := e.Time.Sub(r.start).Round(time.Millisecond / 10)
	line := fmt.Sprintf("%9s  ", at)
	if e.Conn != "" {
		line += e.Conn + " "
	}
	r.lines = append(r.lines, line+e.String())
	if e.Kind == KindDrop {
		r.drops = append(r.drops, e.Text)
	}
}

// Drops returns the reasons of everything that was dropped, in order.
func (r *Recorder) Drops() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.drops...)
}

// String is the transcript: the time since the first fact, the connection, the
// layer and the fact, a line for each.
func (r *Recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lines, "\n")
}
