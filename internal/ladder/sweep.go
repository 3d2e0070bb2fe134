package ladder

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// Sweep plays a script once as it is, and then again for each datagram of that
// first run, with that datagram lost, duplicated, and held for half a second.
// Each run must leave a pair that check accepts. All transcripts stand in one
// golden file, which Sweep writes whole with -update; it is a ladder file, so
// Run may be pointed at it too.
func Sweep(t *testing.T, golden, script string, setup Setup, check func(*Pair) error) {
	t.Helper()
	var want, got []scenario
	if !*update {
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Fatalf("%v (-update writes it)", err)
		}
		if want, err = parse(string(text)); err != nil {
			t.Fatalf("%s:%v", golden, err)
		}
	}
	sweep := func(title string, lines ...string) *world {
		t.Helper()
		s := scenario{at: 1, head: append([]string{"# " + title}, lines...)}
		for line := range strings.SplitSeq(strings.TrimSpace(script), "\n") {
			s.head = append(s.head, strings.TrimSpace(line))
		}
		var w *world
		t.Run(title, func(t *testing.T) {
			w = play(t, golden, s.commands(), setup)
			s.transcript = w.transcript()
			if err := check(w.pair); err != nil {
				t.Errorf("%v\n%s", err, strings.Join(s.transcript, "\n"))
			}
			if *update {
				return
			}
			i := slices.IndexFunc(want, func(g scenario) bool { return g.name() == title })
			if i < 0 || !slices.Equal(want[i].head, s.head) {
				t.Fatalf("%s does not have this scenario; -update writes it", golden)
			}
			if d := diff(want[i].transcript, s.transcript); d != "" {
				t.Errorf("%s:%d: the transcript differs (- golden, + now; -update rewrites it)\n%s", golden, want[i].at, d)
			}
		})
		got = append(got, s)
		return w
	}

	base := sweep("Nothing goes wrong.")
	if base == nil || t.Failed() {
		return
	}
	for _, fault := range []struct{ verb, rest, title string }{
		{"lose", "", "is lost"},
		{"duplicate", "", "arrives twice"},
		{"hold", " 500ms", "arrives half a second late"},
	} {
		for _, s := range []side{a, z} {
			for i, name := range base.sentBy[s] {
				sweep(fmt.Sprintf("Datagram %d of %v, %s, %s.", i+1, s, name, fault.title),
					fmt.Sprintf("%s %v %d%s", fault.verb, s, i+1, fault.rest))
			}
		}
	}
	switch {
	case t.Failed():
	case *update:
		write(t, golden, got)
	case len(want) != len(got):
		t.Errorf("%s has %d scenarios, the sweep %d; -update rewrites it", golden, len(want), len(got))
	}
}
