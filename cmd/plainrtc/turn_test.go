package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestTurnCommandLine(t *testing.T) {
	for _, test := range []struct {
		line   string
		status int
		stderr string
	}{
		{"turn", 2, "nobody could use it"},
		{"turn --user alice", 2, "not a name, a colon and a password"},
		{"turn --user a:b --tls :5349", 2, "give --tls, --cert and --key together"},
		{"turn --user a:b --ports 9-8", 2, "--ports 9-8 is not a range"},
		{"turn --user a:b --relay example.org", 2, `"example.org" is not an IP address`},
		{"turn --user a:b --allow 10.0.0.1", 2, "not a range of addresses"},
		{"turn --user a:b --alternate-address example.org", 2, "not an IP address, with a port or without"},
		{"turn --user a:b --listen 127.0.0.1:3478 --alternate-address 127.0.0.1", 1, "needs a first one"},
		{"turn --user a:b --listen 127.0.0.1:0 --alternate-address 127.0.0.2:3479", 1, "need two ports that are not zero"},
		{"turn --user a:b --alternate-server example.org", 2, "not an IP address with a port, such as 192.0.2.9:3478"},
		{"turn --user a:b --max-connections -1", 2, "--max-connections -1 is less than nothing"},
		{"turn --user a:b --listen 3478", 2, "not an address with a port"},
		{"turn --user a:b --listen example.org:3478", 2, "not an IP address with a port"},
		{"turn --user a:b --listen 127.0.0.1:0 --relay 127.0.0.1,127.0.0.2", 1, "one address of each family"},
		{"turn --user a:b --listen 127.0.0.1:0 --relay 192.0.2.254", 1, "no relay can be opened on 192.0.2.254"},
		{"turn --user a:b --listen 127.0.0.1:0 --relay 0.0.0.0", 1, "0.0.0.0 is no address that a peer could send to"},
		{"turn --user a:b --metrics here", 2, "--metrics here is not an address with a port"},
		{"turn --user a:b --drain -3s", 2, "--drain -3s is less than nothing"},
		{"turn --user a:b --listen 127.0.0.1:0 --tls 127.0.0.1:0 --cert none.pem --key none.pem", 1, "the certificate can't be used"},
	} {
		status, stdout, stderr := plainrtc(t, strings.Fields(test.line)...)
		if status != test.status || stdout != "" || !strings.Contains(stderr, test.stderr) {
			t.Errorf("plainrtc %s: status %d, want %d\nstdout: %s\nstderr: %s\nwant: %s", test.line, status, test.status, stdout, stderr, test.stderr)
		}
	}
	if status, stdout, _ := plainrtc(t, "turn", "-h"); status != 0 || !strings.Contains(stdout, "Examples:\n  plainrtc turn --user alice:wonderland") {
		t.Errorf("turn -h: status %d\n%s", status, stdout)
	}
}

// A server says where it listens, counts, and ends when it is told to.
func TestTurnServes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- run(ctx, strings.Fields("turn --user alice:wonderland --listen 127.0.0.1:0 --relay 127.0.0.1 --metrics 127.0.0.1:0"), io.Discard, w)
		w.Close()
	}()
	var log strings.Builder
	b := make([]byte, 4096)
	url := ""
	for url == "" {
		n, err := r.Read(b)
		if err != nil {
			t.Fatalf("%v after %q", err, &log)
		}
		log.Write(b[:n])
		url = regexp.MustCompile(`http://[^ ]+/metrics`).FindString(log.String())
	}
	if !strings.Contains(log.String(), "udp=[127.0.0.1:") || !strings.Contains(log.String(), "tcp=[127.0.0.1:") {
		t.Errorf("the log does not say where it listens: %s", &log)
	}
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || !strings.Contains(string(text), "plainrtc_turn_allocations 0\n") {
		t.Errorf("the metrics are %v\n%s", err, text)
	}
	cancel()
	go io.Copy(io.Discard, r)
	select {
	case s := <-status:
		if s != 0 {
			t.Errorf("it ends with status %d", s)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not end")
	}
}
