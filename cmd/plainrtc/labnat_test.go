package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/internal/lab/natlab"
)

func TestLabNATCommandLine(t *testing.T) {
	for _, test := range []struct {
		line   string
		status int
		stderr string
	}{
		{"lab nat --from nowhere", 2, "it is not one of open, firewall,"},
		{"lab nat --from open --markdown", 2, "--markdown prints the whole table"},
		{"lab nat --to open --html page.html", 2, "--html draws the whole table"},
		{"lab nat --rtt 10s", 2, "--rtt must be between 1ms and 3s"},
		{"lab nat open", 2, `does not know what to do with "open"`},
		{"lab nat --html /nowhere/at/all.html", 1, "the picture cannot be written"},
	} {
		status, stdout, stderr := plainrtc(t, strings.Fields(test.line)...)
		if status != test.status || stdout != "" || !strings.Contains(stderr, test.stderr) {
			t.Errorf("plainrtc %s: exit status %d, %q and %q, want %d and %q", test.line, status, stdout, stderr, test.status, test.stderr)
		}
	}
	help := experiment(t, "lab nat -h")
	for _, place := range natlab.Topologies {
		if !strings.Contains(help, "  "+place.Name+" ") {
			t.Errorf("the help does not name %s", place.Name)
		}
	}
}

// One pair in every detail, and the pairs of one place as lines and as JSON.
func TestLabNATPairs(t *testing.T) {
	one := experiment(t, "lab nat --from port-restricted --to symmetric --seed 7")
	for _, want := range []string{
		"z, who answers: symmetric, Address and Port-Dependent Mapping", "typ srflx", "filtered by the NAT", "USE-CANDIDATE",
		"port-restricted → symmetric: relayed", "theory has no direct path", "the least that any agent can need",
	} {
		if !strings.Contains(one, want) {
			t.Errorf("the pair's log does not say %q", want)
		}
	}
	if lines := experiment(t, "lab nat --to lan"); strings.Count(lines, " → lan: ") != len(natlab.Topologies) {
		t.Errorf("the pairs with one place are\n%s", lines)
	}
	n := 0
	for line := range strings.Lines(experiment(t, "lab nat --from tcp-443 --json")) {
		var r natJSON
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if !r.Connected || !r.Relayed || r.Theory || !r.AsTheory || r.From != "tcp-443" || r.Least != nil {
			t.Errorf("%+v", r)
		}
		n++
	}
	if n != len(natlab.Topologies) {
		t.Errorf("there are %d results", n)
	}
}

func TestLabNATPage(t *testing.T) {
	if testing.Short() {
		return // it is the whole table, which takes seconds under the race detector
	}
	file := filepath.Join(t.TempDir(), "nat.html")
	text := experiment(t, "lab nat --html "+file)
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const all = "324 of 324 pairs connect"
	if !strings.Contains(text, all) || !strings.Contains(string(page), all) || !strings.Contains(string(page), ">18</th>") {
		t.Errorf("the page has %d bytes, and the text is\n%s", len(page), text)
	}
}
