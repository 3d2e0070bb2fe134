package ladder

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// Start is when every scenario begins: 0ms in its transcript.
var Start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// Updating reports whether the test runs to write golden files (-update).
func Updating() bool { return *update }

// A Peer is a core as the ladder drives it.
type Peer interface {
	Receive(now time.Time, packet []byte)
	Advance(now time.Time)
	AppendPacket(now time.Time, b []byte) []byte
	NextTimeout() time.Time
}

// A Pair is two fresh cores and what the ladder must know to drive them.
// Peers are called "a" and "z" in scripts and in the arguments below.
type Pair struct {
	// A and Z are read again at every step, so that a command may put another
	// core in their place: one with other settings, or one that lost its state.
	A, Z Peer

	// Describe says in the RFC's words, mostly on one line, what a packet is.
	// The first tab of a line stands between the name and the details. A line
	// break goes on below. It must not change the packet.
	Describe func(from string, packet []byte) string

	// Command does what a line of the script says, where the verb is not the
	// ladder's. Its peer is "a", "z", or "" when the line does not name one
	// after the verb; args is the rest. An error stands in the transcript,
	// except one that wraps ErrUsage: then the script is wrong and the test fails.
	Command func(now time.Time, verb, peer string, args []string) error

	// Events takes a peer's events and data out and returns one line for each.
	// It may be nil.
	Events func(now time.Time, peer string) []string
}

// A Setup makes a new Pair, the same at every call: seeded, with fresh state.
// The Tracers are for the Pair's cores.
type Setup func(t testing.TB, a, z *trace.Tracer) *Pair

// Run runs every scenario of the files that match the pattern, each as a
// subtest of its own, and compares the transcripts, or writes them with -update.
func Run(t *testing.T, pattern string, setup Setup) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no file matches %s (%v)", pattern, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { runFile(t, file, setup) })
	}
}

func runFile(t *testing.T, file string, setup Setup) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	scenarios, err := parse(string(text))
	if err != nil {
		t.Fatalf("%s:%v", file, err)
	}
	for i := range scenarios {
		s := &scenarios[i]
		t.Run(s.name(), func(t *testing.T) {
			got := play(t, file, s.commands(), setup).transcript()
			if *update {
				s.transcript = got
				return
			}
			if d := diff(s.transcript, got); d != "" {
				t.Errorf("%s:%d: the transcript differs (- golden, + now; -update rewrites it)\n%s", file, s.at, d)
			}
		})
	}
	if *update && !t.Failed() {
		write(t, file, scenarios)
	}
}

func write(t testing.TB, file string, scenarios []scenario) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(format(scenarios)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// play runs a script twice, on two pairs, and returns the first run.
func play(t testing.TB, file string, script []command, setup Setup) *world {
	t.Helper()
	first := newWorld(t, file, setup)
	first.script(script)
	second := newWorld(t, file, setup)
	second.script(script)
	if first.digest() != second.digest() {
		t.Errorf("%s: the scenario ran differently the second time: the order of a map, or randomness without a seed?\n%s",
			file, diff(first.transcript(), second.transcript()))
	}
	return first
}
