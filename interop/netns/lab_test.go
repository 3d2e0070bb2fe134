package netns

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// patience bounds one test. It is long, for a machine that runs others too.
const patience = 90 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// A lab is an internet with a TURN server.
type lab struct {
	t *testing.T
	*Internet
	server *Host
	turn   *Process
}

func newLab(t *testing.T) *lab {
	t.Helper()
	internet, err := NewInternet()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(internet.Close)
	server, err := internet.Host()
	if err != nil {
		t.Fatal(err)
	}
	return &lab{t: t, Internet: internet, server: server}
}

// site connects a host behind a router.
func (l *lab) site(r Router) *Site {
	l.t.Helper()
	s, err := l.Behind(r)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// host connects a host without a NAT.
func (l *lab) host() *Host {
	l.t.Helper()
	h, err := l.Host()
	if err != nil {
		l.t.Fatal(err)
	}
	return h
}

// serve starts our server, for UDP and TCP, and for TLS if there is a certificate.
func (l *lab) serve(tls ...string) {
	l.t.Helper()
	addr := l.server.Addr.String()
	cmd := exec.Command(plainrtc, append([]string{"turn", "--user", "alice:wonderland", "--realm", "example.org",
		"--listen", addr + ":3478", "--relay", addr, "--allow", "198.18.0.0/15"}, tls...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	l.start(cmd)
	lines := bufio.NewReader(stderr)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "serving TURN") {
		l.t.Fatalf("the TURN server says %q, %v", line, err)
	}
	go io.Copy(io.Discard, lines)
}

func (l *lab) start(cmd *exec.Cmd) {
	l.t.Helper()
	p, err := l.server.Start(cmd)
	if err != nil {
		l.t.Fatal(err)
	}
	l.turn = p
	l.t.Cleanup(p.End)
}

// urls are those of the server: over UDP, and the others where that is asked for.
func (l *lab) url(transport string) string {
	addr := l.server.Addr.String()
	switch transport {
	case "stun":
		return "stun:" + addr
	case "tls":
		return "turns:" + addr + ":443?transport=tcp"
	}
	return "turn:" + addr + ":3478?transport=" + transport
}
