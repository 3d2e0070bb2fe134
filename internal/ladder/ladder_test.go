package ladder

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

var noAddr netip.AddrPort

// A failing records failures instead of passing them on.
type failing struct {
	testing.TB
	failures []string
}

func (f *failing) Helper() {}

func (f *failing) Errorf(format string, args ...any) {
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}

func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic(f)
}

// failuresOf plays a script with the pair and returns what the ladder says.
func failuresOf(t *testing.T, script string, setup Setup) (said string) {
	f := &failing{TB: t}
	defer func() {
		if r := recover(); r != nil && r != any(f) {
			panic(r)
		}
		said = strings.Join(f.failures, "\n")
	}()
	s := scenario{at: 1, head: strings.Split(script, "\n")}
	play(f, "test.ladder", s.commands(), setup)
	return ""
}

// A core of functions misbehaves on demand; without them it is silent.
type core struct {
	receive func(now time.Time, p []byte)
	advance func(now time.Time)
	packet  func(now time.Time, b []byte) []byte
	timeout func() time.Time
}

func (c core) Receive(now time.Time, p []byte) {
	if c.receive != nil {
		c.receive(now, p)
	}
}

func (c core) Advance(now time.Time) {
	if c.advance != nil {
		c.advance(now)
	}
}

func (c core) AppendPacket(now time.Time, b []byte) []byte {
	if c.packet != nil {
		return c.packet(now, b)
	}
	return b
}

func (c core) NextTimeout() time.Time {
	if c.timeout != nil {
		return c.timeout()
	}
	return time.Time{}
}

// once is a core that sends one packet.
func once(packet ...byte) core {
	sent := false
	return core{packet: func(now time.Time, b []byte) []byte {
		if sent {
			return b
		}
		sent = true
		return append(b, packet...)
	}}
}

// always is a Setup of a pair whose a misbehaves; "go" drains it.
func always(a func(tr *trace.Tracer) core) Setup {
	return func(_ testing.TB, traceA, _ *trace.Tracer) *Pair {
		return &Pair{
			A: a(traceA), Z: core{},
			Command: func(now time.Time, verb, peer string, args []string) error {
				if verb != "go" {
					return fmt.Errorf("%w: what is %s?", ErrUsage, verb)
				}
				return nil
			},
		}
	}
}

func TestLadderCatchesWhatACoreMustNotDo(t *testing.T) {
	calls := byte(0)
	for _, test := range []struct {
		name string
		core func(tr *trace.Tracer) core
		want string
	}{
		{"a packet that differs from run to run", func(*trace.Tracer) core {
			calls++
			return once(calls)
		}, "ran differently the second time"},
		{"packets without end", func(*trace.Tracer) core {
			return core{packet: func(_ time.Time, b []byte) []byte { return append(b, 1) }}
		}, "packets or events without end"},
		{"a timer that does not stop", func(*trace.Tracer) core {
			return core{timeout: func() time.Time { return Start.Add(time.Second) }}
		}, "at 1s things happen without end"},
		{"a buffer written over", func(*trace.Tracer) core {
			return core{packet: func(_ time.Time, b []byte) []byte { clear(b); return b }}
		}, "changed the bytes that stood in the buffer"},
		{"a packet that replaces the buffer", func(*trace.Tracer) core {
			return core{packet: func(time.Time, []byte) []byte { return []byte("mine") }}
		}, "changed the bytes that stood in the buffer"},
		{"a remembered time", func(tr *trace.Tracer) core {
			due := Start.Add(time.Second)
			return core{
				timeout: func() time.Time { return due },
				advance: func(time.Time) { tr.Timer(Start, "toy", "late"); due = time.Time{} },
			}
		}, "a traces with the time 2026-01-01 00:00:00 +0000 UTC, but now is 2026-01-01 00:00:01"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := failuresOf(t, "go a\nrun", always(test.core)); !strings.Contains(got, test.want) {
				t.Errorf("the ladder says %q, want it to say %q", got, test.want)
			}
		})
	}
	if got := failuresOf(t, "go a\nrun", always(func(*trace.Tracer) core { return once(7) })); got != "" {
		t.Errorf("the ladder refuses a core that does nothing wrong: %s", got)
	}
}

func TestLadderCatchesDescribeThatWrites(t *testing.T) {
	setup := func(testing.TB, *trace.Tracer, *trace.Tracer) *Pair {
		return &Pair{
			A: once(1, 2), Z: core{},
			Describe: func(_ string, p []byte) string { p[0]++; return "two bytes" },
			Command:  func(time.Time, string, string, []string) error { return nil },
		}
	}
	if got := failuresOf(t, "go a", setup); !strings.Contains(got, "Describe changed the packet") {
		t.Errorf("the ladder says %q", got)
	}
}

func TestReceivedBytesAreOverwritten(t *testing.T) {
	var kept []byte
	setup := func(testing.TB, *trace.Tracer, *trace.Tracer) *Pair {
		return &Pair{
			A: once(1, 2), Z: core{receive: func(_ time.Time, p []byte) { kept = p }},
			Command: func(time.Time, string, string, []string) error { return nil },
		}
	}
	if got := failuresOf(t, "go a\nrun", setup); got != "" {
		t.Fatal(got)
	}
	if kept[0] == 1 || kept[1] == 2 {
		t.Errorf("a core that keeps borrowed bytes still finds %x in them", kept)
	}
}

func TestScriptMistakesNameTheirLine(t *testing.T) {
	for script, want := range map[string]string{
		"run a":               "test.ladder:1: run a: ladder: bad command: run takes at most a duration",
		"run 3":               `"3" is not a duration`,
		"run -3s":             `"-3s" is not a duration`,
		"# one\n\nquiet":      "test.ladder:3: quiet: ladder: bad command: want one duration",
		"delay 1s 2s":         "want one duration",
		"lose 2":              "lose wants a peer",
		"lose a":              "lose wants a peer",
		"lose a 0":            `"0" is not like 2`,
		"lose a 3-2":          `"3-2" is not like 2`,
		"lose a 1,b":          `"1,b" is not like 2`,
		"lose a 1 2":          "too many words",
		"hold a 1":            "want one duration",
		"hold a 1 soon":       `"soon" is not a duration`,
		"show packets":        "there is state, note and value",
		"transmogrify a soon": "test.ladder:1: transmogrify a soon: ladder: bad command: what is transmogrify?",
	} {
		got := failuresOf(t, script, always(func(*trace.Tracer) core { return core{} }))
		if !strings.Contains(got, want) {
			t.Errorf("script %q: the ladder says %q, want %q", script, got, want)
		}
	}
}

func TestTranscriptOfTracedFacts(t *testing.T) {
	setup := func(_ testing.TB, tr, _ *trace.Tracer) *Pair {
		return &Pair{
			A: core{}, Z: core{},
			Command: func(now time.Time, verb, peer string, args []string) error {
				tr.State(now, trace.SCTP, "COOKIE-WAIT", "COOKIE-ECHOED")
				tr.Note(now, trace.SCTP, "a rare fact")
				tr.Value(now, trace.SCTP, "cwnd", 4380)
				tr.Drop(now, trace.SCTP, "bad checksum", 12)
				tr.Timer(now, trace.SCTP, "T1-init")
				tr.Packet(now, trace.SCTP, trace.In, noAddr, noAddr, []byte{1})
				return nil
			},
		}
	}
	check := func(script string, want ...string) {
		t.Helper()
		s := scenario{at: 1, head: strings.Split(script, "\n")}
		if d := diff(want, play(t, "test", s.commands(), setup).transcript()); d != "" {
			t.Errorf("after %q (- want, + got)\n%s", script, d)
		}
	}
	check("run", "(nothing happens)")
	check("go",
		"   0ms  a        drop bad checksum",
		"   0ms  a        timer T1-init")
	check("show state note value\nrun 12345ms\ngo",
		"12345ms  a        state sctp: COOKIE-WAIT → COOKIE-ECHOED",
		"12345ms  a        note a rare fact",
		"12345ms  a        value cwnd=4380",
		"12345ms  a        drop bad checksum",
		"12345ms  a        timer T1-init")
}

func TestDescriptionOfSeveralLines(t *testing.T) {
	setup := func(testing.TB, *trace.Tracer, *trace.Tracer) *Pair {
		return &Pair{
			A: once(1), Z: once(2, 2),
			Describe: func(from string, p []byte) string {
				if from == "a" {
					return "ServerHello\tversion=1.2\nCertificate\nServerHelloDone\tempty\n"
				}
				return "Grüße\tlen=2"
			},
			Command: func(time.Time, string, string, []string) error { return nil },
			Events:  func(time.Time, string) []string { return nil },
		}
	}
	s := scenario{at: 1, head: []string{"go"}}
	want := []string{
		"   0ms  a ──► z  ServerHello      version=1.2",
		"                 Certificate",
		"                 ServerHelloDone  empty",
		"   0ms  a ◄── z  Grüße            len=2",
	}
	if d := diff(want, play(t, "test", s.commands(), setup).transcript()); d != "" {
		t.Errorf("(- want, + got)\n%s", d)
	}
}

// ticker sends its count every interval, for ever.
func ticker(interval time.Duration) core {
	next, due, n := Start.Add(interval), false, 0
	return core{
		timeout: func() time.Time { return next },
		advance: func(now time.Time) {
			if !now.Before(next) {
				next, due, n = next.Add(interval), true, n+1
			}
		},
		packet: func(_ time.Time, b []byte) []byte {
			if !due {
				return b
			}
			due = false
			return binary.BigEndian.AppendUint16(b, uint16(n))
		},
	}
}

func TestRunEndsWhenQuietOrAtItsLimit(t *testing.T) {
	for _, test := range []struct {
		script   string
		interval time.Duration
		want     time.Duration // what the clock shows at the end
		sent     int
	}{
		{"run", 11 * time.Second, 0, 0},
		{"quiet 11s\nrun", 11 * time.Second, runLimit - runLimit%(11*time.Second) + defaultDelay, 54},
		{"run 3s", 1 * time.Second, 3 * time.Second, 3},
		{"run 500ms\nrun 600ms", 1 * time.Second, 1100 * time.Millisecond, 1},
	} {
		setup := func(testing.TB, *trace.Tracer, *trace.Tracer) *Pair {
			return &Pair{A: ticker(test.interval), Z: core{}}
		}
		s := scenario{at: 1, head: strings.Split(test.script, "\n")}
		w := play(t, "test", s.commands(), setup)
		if got := w.now.Sub(Start); got != test.want || w.sides[a].sent != test.sent {
			t.Errorf("after %q with a packet each %v: %d packets and the clock at %v, want %d and %v",
				test.script, test.interval, w.sides[a].sent, got, test.sent, test.want)
		}
	}
}

func TestLoseAllAndNone(t *testing.T) {
	setup := func(testing.TB, *trace.Tracer, *trace.Tracer) *Pair {
		return &Pair{A: ticker(time.Second), Z: core{}, Describe: func(string, []byte) string { return "T" }}
	}
	s := scenario{at: 1, head: []string{"run 1s", "lose a all", "run 1s", "lose a 1", "lose a none", "lose a 2", "run 2s"}}
	want := []string{
		"1000ms  a ──► z  T",
		"2000ms  a ──✗ z  T",
		"3000ms  a ──► z  T",
		"4000ms  a ──✗ z  T",
	}
	if d := diff(want, play(t, "test", s.commands(), setup).transcript()); d != "" {
		t.Errorf("(- want, + got)\n%s", d)
	}
}

// What was sent at one instant arrives in the order of sending, and also what
// arrives at one instant for other reasons.
func TestArrivalsAtOneInstantKeepTheirOrder(t *testing.T) {
	var got []byte
	n := byte(0)
	setup := func(testing.TB, *trace.Tracer, *trace.Tracer) *Pair {
		n, got = 0, nil
		return &Pair{
			A: core{packet: func(_ time.Time, b []byte) []byte {
				if n == 3 {
					return b
				}
				n++
				return append(b, n)
			}},
			Z:       core{receive: func(_ time.Time, p []byte) { got = append(got, p...) }},
			Command: func(time.Time, string, string, []string) error { return nil },
		}
	}
	for script, want := range map[string]string{
		"go\nrun":                                "\x01\x02\x03",
		"hold a 1 1ms\nrun\ngo\nrun":             "\x02\x03\x01",
		"duplicate a 1\ngo\nrun":                 "\x01\x01\x02\x03",
		"hold a 1 1s\nhold a 2,3 1s\ngo\nrun 2s": "\x01\x02\x03",
	} {
		s := scenario{at: 1, head: strings.Split(script, "\n")}
		play(t, "test", s.commands(), setup)
		if string(got) != want {
			t.Errorf("after %q the datagrams arrive as %v, want %v", script, got, []byte(want))
		}
	}
}

func TestParseAndFormatAreInverse(t *testing.T) {
	const file = `# First,
# in two lines.
go a

run
----
   0ms  a        timer T

lose a 1
----
(nothing happens)
`
	all, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := format(all); got != file {
		t.Errorf("formatted again it is\n%s", got)
	}
	if len(all) != 2 || all[0].name() != "First," || all[1].name() != "lose a 1" || all[1].at != 9 {
		t.Errorf("parsed as %+v", all)
	}
	if cs := all[0].commands(); len(cs) != 2 || cs[1].String() != "run" || cs[1].line != 5 {
		t.Errorf("the first script is %+v", cs)
	}
	for _, bad := range []string{"", "\n\n", "run\n", "run\n----\nx\n\nrun\n"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("parse(%q) finds nothing wrong", bad)
		}
	}
}

func TestDiff(t *testing.T) {
	words := strings.Fields
	for _, test := range []struct{ want, got, diff string }{
		{"", "", ""},
		{"a b c", "a b c", ""},
		{"a b c", "a c", "  a\n- b\n  c\n"},
		{"a c", "a b c", "  a\n+ b\n  c\n"},
		{"a b c", "a x c", "  a\n- b\n+ x\n  c\n"},
		{"a", "", "- a\n"},
	} {
		if got := diff(words(test.want), words(test.got)); got != test.diff {
			t.Errorf("diff(%q, %q) = %q, want %q", test.want, test.got, got, test.diff)
		}
	}
}
