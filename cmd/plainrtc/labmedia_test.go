package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLabMediaCommandLine(t *testing.T) {
	for _, test := range []struct {
		line   string
		status int
		stderr string
	}{
		{"lab media --case bad", 2, `there is no case "bad"`},
		{"lab media --case share --rate 1mbit", 2, "leave out --rate"},
		{"lab media --change 600kbit", 2, "it is not a rate and a time"},
		{"lab media --change 600kbit@20s,1mbit@10s", 2, "in the order of time"},
		{"lab media --feedback tcp", 2, "it is not one of twcc, ccfb and remb"},
		{"lab media --data vegas", 2, "it is not one of bbr, cubic and newreno"},
		{"lab media --flows 0", 2, "there can be 1 to 100 flows"},
		{"lab media --flows 3 --stagger 30s", 2, "the last flow would begin after the end"},
		{"lab media --duration 10ms", 2, "--duration must be 1s at least"},
		{"lab media --svg /nowhere/at/all.svg", 1, "the picture cannot be written"},
	} {
		status, stdout, stderr := plainrtc(t, strings.Fields(test.line)...)
		if status != test.status || stdout != "" || !strings.Contains(stderr, test.stderr) {
			t.Errorf("plainrtc %s: exit status %d, %q and %q, want %d and %q", test.line, status, stdout, stderr, test.status, test.stderr)
		}
	}
}

func TestLabMediaGolden(t *testing.T) {
	golden(t, "lab-media.golden", words(experiment(t, "lab media --rate 1mbit --change 500kbit@5s --loss 0.5% --jitter 2ms --duration 10s")+"\n"+
		experiment(t, "lab media --rate 2mbit --flows 2 --stagger 1s --max 500kbit --data cubic --feedback remb --duration 5s")+"\n"+
		experiment(t, "lab media --case variable --feedback ccfb")))
}

// The same command line gives the same bytes; a program finds in the JSON what is drawn.
func TestLabMediaOutput(t *testing.T) {
	const line = "lab media --rate 1mbit --change 500kbit@5s --data newreno --duration 10s --loss 0.1%"
	dir := t.TempDir()
	svg, html := filepath.Join(dir, "a.svg"), filepath.Join(dir, "a.html")
	var contents [2][]string
	for i := range contents {
		contents[i] = []string{experiment(t, line, "--json", "--svg", svg, "--html", html)}
		for _, file := range []string{svg, html} {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			contents[i] = append(contents[i], string(b))
		}
	}
	for i, what := range []string{"output", "SVG", "HTML"} {
		if contents[0][i] != contents[1][i] {
			t.Errorf("the %s differs from one run to the next", what)
		}
	}
	if !strings.Contains(contents[0][1], "</svg>") || !strings.Contains(contents[0][2], "plainrtc lab media --") || !strings.Contains(contents[0][2], "<table") {
		t.Error("a picture is missing, or the page does not tell the command line")
	}
	if other := experiment(t, line+" --seed 2 --json"); other == contents[0][0] {
		t.Error("another seed changes nothing")
	}
	var r mediaJSON
	if err := json.Unmarshal([]byte(contents[0][0]), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Flows) != 1 || len(r.Data) != 1 || r.Took != 10 || len(r.Link.Rate) != 2 || r.Link.Rate[1] != 500_000 || r.Flows[0].Rate < 50e3 {
		t.Errorf("the head is wrong: %.300s", contents[0][0])
	}
	s := r.Flows[0].Samples
	if n := len(s.Time); n != 100 || len(s.Target) != n || len(s.Wait) != n || s.Arrived[n-1] == 0 {
		t.Errorf("%d samples", n)
	}
}

// Ctrl-C ends an experiment, however long.
func TestLabMediaEndsWhenTold(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var out, errs strings.Builder
	if status := run(ctx, strings.Fields("lab media --duration 20h"), &out, &errs); status != 1 || !strings.Contains(errs.String(), "interrupted after ") {
		t.Errorf("exit status %d and %q", status, errs.String())
	}
}
