package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/lab"
	"github.com/plainrtc/plainrtc/internal/ladder"
)

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if ladder.Updating() { // make golden
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s would change; it is now:\n%s", file, got)
	}
}

// experiment runs a command line that must succeed, and returns what it prints.
func experiment(t *testing.T, line string, more ...string) string {
	t.Helper()
	status, stdout, stderr := plainrtc(t, append(strings.Fields(line), more...)...)
	if status != 0 || stderr != "" {
		t.Fatalf("plainrtc %s: exit status %d, and %q", line, status, stderr)
	}
	return stdout
}

var (
	controls = regexp.MustCompile(`.*(BBR|CUBIC|NewReno)`)
	figures  = regexp.MustCompile(`[0-9][0-9.,]*( ([kMG]?bit/s|[kMG]?B|[mµn]?s)\b)?`)
	spaces   = regexp.MustCompile(` +`)
)

// words is a report without the figures that every improvement of congestion
// control changes: in a table, those behind its name; in the lines below, all.
func words(report string) string {
	var b strings.Builder
	for line := range strings.Lines(report) {
		if !strings.Contains(line, " over ") && !strings.Contains(line, "control") {
			asked := controls.FindString(line)
			line = asked + figures.ReplaceAllString(line[len(asked):], "#")
		}
		b.WriteString(spaces.ReplaceAllString(line, " "))
	}
	return b.String()
}

// What the path alone decides is held to the last digit; of the rest, the words.
func TestLabSCTPGolden(t *testing.T) {
	golden(t, "lab-messages.golden", experiment(t, "lab sctp --rate 10mbit --rtt 40ms --duration 2s --every 10ms --message-size 100"))
	for _, test := range []struct{ file, line string }{
		{"lab-bulk.golden", "lab sctp --rate 5mbit --rtt 40ms --loss 1% --cc newreno --duration 2s"},
		{"lab-bytes.golden", "lab sctp --rate 5mbit --rtt 40ms --bytes 200kB --burst-loss 1%/5 --jitter 2ms --reorder 1%"},
		{"lab-drop.golden", "lab sctp --rate 5mbit --rtt 40ms --duration 3s --drop 10@2s"},
		{"lab-flows.golden", "lab sctp --rate 5mbit --rtt 40ms --cc bbr,cubic --flows 3 --stagger 100ms --duration 2s"},
		{"lab-sweep.golden", "lab sctp --sweep --rate 2mbit,5mbit --rtt 20ms,40ms --loss 0,2% --cc cubic,newreno --duration 1s"},
		{"lab-sweep-bytes.golden", "lab sctp --sweep --rate 5mbit --queue 1bdp,4bdp --bytes 100kB"},
		{"lab-sweep-messages.golden", "lab sctp --sweep --rate 5mbit --rtt 20ms,50ms --every 10ms --message-size 100 --duration 1s"},
	} {
		golden(t, test.file, words(experiment(t, test.line)))
	}
}

// The same command line gives the same bytes, on paper and on the terminal, and
// another seed gives others.
func TestLabSCTPIsDeterministic(t *testing.T) {
	dir := t.TempDir()
	all := func(line, name string) (contents []string) {
		svg, html := filepath.Join(dir, name+".svg"), filepath.Join(dir, name+".html")
		contents = []string{experiment(t, line, "--svg", svg, "--html", html)}
		for _, file := range []string{svg, html} {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			contents = append(contents, string(b))
		}
		return contents
	}
	for _, line := range []string{
		"lab sctp --rate 5mbit --loss 1% --duration 2s",
		"lab sctp --rate 5mbit --loss 1% --duration 2s --json",
		"lab sctp --rate 5mbit --loss 1% --duration 2s --cc bbr,newreno",
		"lab sctp --sweep --rate 5mbit --loss 0.5%,1% --cc bbr,cubic,newreno --duration 1s",
		"lab sctp --sweep --rate 5mbit --rtt 20ms,30ms --loss 1% --duration 1s --json",
	} {
		first, second, other := all(line, "a"), all(line, "b"), all(line+" --seed 2", "c")
		for i, what := range []string{"output", "SVG", "HTML"} {
			if first[i] != second[i] {
				t.Errorf("%s: the %s differs from one run to the next", line, what)
			}
			if first[i] == other[i] {
				t.Errorf("%s: another seed does not change the %s", line, what)
			}
		}
		if !strings.Contains(first[1], "</svg>") || !strings.Contains(first[2], "</svg>") || !strings.Contains(first[2], "<table") {
			t.Errorf("%s: a picture is missing", line)
		}
		if !strings.Contains(first[2], "plainrtc lab sctp --") || strings.Contains(first[2], dir) {
			t.Errorf("%s: the page does not tell the command line, or tells where it was written", line)
		}
	}
}

// A program finds in the JSON what it would draw itself.
func TestLabSCTPJSON(t *testing.T) {
	var r resultJSON
	text := experiment(t, "lab sctp --rate 5mbit --rtt 40ms --loss 1% --duration 2s --json")
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if r.RateBPS != 5e6 || r.RTT != 0.04 || r.Took != 2 || len(r.Flows) != 1 || r.Flows[0].Goodput < 1e6 {
		t.Errorf("the head is wrong: %.300s", text)
	}
	s := r.Flows[0].Samples
	if n := len(s.Time); n < 100 || len(s.Window) != n || len(s.Wait) != n || len(s.Phase) != n || s.Delivered[n-1] != r.Flows[0].Delivered {
		t.Errorf("%d samples: %.300s", n, text)
	}
	var sweep []resultJSON
	text = experiment(t, "lab sctp --sweep --rate 5mbit --loss 0,1% --duration 1s --json")
	if err := json.Unmarshal([]byte(text), &sweep); err != nil {
		t.Fatal(err)
	}
	if len(sweep) != 2 || sweep[1].Loss != 0.01 || sweep[0].Flows[0].Samples != nil {
		t.Errorf("the sweep is wrong: %.300s", text)
	}
}

// A picture takes the place of an older one, once there is one.
func TestLabSCTPOverwrites(t *testing.T) {
	file := filepath.Join(t.TempDir(), "old.svg")
	old := strings.Repeat("old ", 100_000)
	if err := os.WriteFile(file, []byte(old), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := plainrtc(t, strings.Fields("lab sctp --rate 1mbit --loss 0.9999 --bytes 1MB --svg "+file)...); status != 1 {
		t.Errorf("exit status %d", status)
	}
	if b, _ := os.ReadFile(file); string(b) != old {
		t.Error("the old picture is gone, and there is no new one")
	}
	experiment(t, "lab sctp --rate 1mbit --duration 1s --svg "+file)
	if b, _ := os.ReadFile(file); !strings.HasPrefix(string(b), "<svg") || !strings.HasSuffix(string(b), "</svg>\n") {
		t.Errorf("the new picture is no picture: %.100s", b)
	}
}

// Ctrl-C ends an experiment, however long.
func TestLabSCTPEndsWhenTold(t *testing.T) {
	for _, line := range []string{
		"lab sctp --duration 20h",
		"lab sctp --sweep --rate 10mbit,20mbit --duration 20h",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		var out, errs strings.Builder
		if status := run(ctx, strings.Fields(line), &out, &errs); status != 1 || !strings.Contains(errs.String(), "interrupted after ") {
			t.Errorf("%s: exit status %d and %q", line, status, errs.String())
		}
	}
}

func TestQuantities(t *testing.T) {
	rates := map[string]int64{"100mbit": 100e6, "1.5Gbit": 1500e6, "64 kbit/s": 64e3, "8000bit": 8000}
	for text, want := range rates {
		if got, err := parseRate(text); got != want || err != nil {
			t.Errorf("the rate %s is %d and %v, want %d", text, got, err, want)
		}
	}
	sizes := map[string]int64{"1200": 1200, "10MB": 10e6, "64KiB": 65536, "1.5 kb": 1500, "2GiB": 2 << 30}
	for text, want := range sizes {
		if got, err := parseSize(text); got != want || err != nil {
			t.Errorf("the size %s is %d and %v, want %d", text, got, err, want)
		}
	}
	shares := map[string]float64{"0.1%": 0.001, "0.02": 0.02, "0": 0, "99 %": 0.99}
	for text, want := range shares {
		if got, err := parseShare(text); got != want || err != nil {
			t.Errorf("the share %s is %v and %v, want %v", text, got, err, want)
		}
	}
	path := lab.Path{Rate: 100e6, RTT: 40 * time.Millisecond}
	queues := map[string]int{"1bdp": 500_000, "0.5BDP": 250_000, "10ms": 125_000, "64kB": 64_000, "1us": 3000}
	for text, want := range queues {
		if q, err := parseQueue(text); err != nil || q.of(&path) != want {
			t.Errorf("the queue %s is %d and %v, want %d", text, q.of(&path), err, want)
		}
	}
	for _, text := range []string{"", "mbit", "1e6bit", "-1mbit", "1..2mbit", "1mbits"} {
		if _, err := parseRate(text); err == nil {
			t.Errorf("%q is taken for a rate", text)
		}
	}
}
