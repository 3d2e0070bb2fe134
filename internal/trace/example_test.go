package trace_test

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A core is given a Tracer in its Config, and tells it what it does; the program
// decides what becomes of that: here a log and a transcript.
func Example() {
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	var transcript trace.Recorder
	tr := trace.New(trace.Multi(trace.NewSlog(log), &transcript), "call 1")

	now := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	tr.State(now, trace.DTLS, "waiting", "established")
	now = now.Add(20 * time.Millisecond)
	tr.Drop(now, trace.DTLS, "replayed record", 93)

	fmt.Println(&transcript)
	// Output:
	// time=2026-01-01T00:00:00.000Z level=INFO msg=state conn="call 1" layer=dtls from=waiting to=established
	//        0s  call 1 dtls state waiting → established
	//      20ms  call 1 dtls drop replayed record (93 bytes)
}
