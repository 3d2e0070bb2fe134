package internal_test

import (
	"strings"
	"testing"
)

// The tests of the architecture test: it must say what is wrong with each of
// these, and nothing about the others.

func TestArchitectureTestCatches(t *testing.T) {
	for _, test := range []struct {
		name, file, source string
		want               string // part of the one complaint; empty for none
	}{
		{"a core with a socket", "ice/agent.go", `package ice; import "net"`, `ice/agent.go:1: imports net: a core has no sockets`},
		{"a core with an HTTP client", "ice/agent.go", `package ice; import "net/http"`, `imports net/http`},
		{"an address is no socket", "ice/agent.go", `package ice; import "net/netip"`, ``},
		{"a core that reads files", "dtls/conn.go", `package dtls; import "os"`, `imports os:`},
		{"a core with a lock", "sctp/association.go", `package sctp; import "sync"`, `imports sync: a core has no locks`},
		{"a core with an atomic", "sctp/association.go", `package sctp; import "sync/atomic"`, `imports sync/atomic`},
		{"a core that waits", "ice/agent.go", `package ice; import "context"`, `imports context: a core never blocks`},
		{"a core that logs", "sctp/association.go", `package sctp; import "log/slog"`, `imports log/slog: a core does not log`},
		{"a core with true randomness", "dtls/conn.go", `package dtls; import "crypto/rand"`, `imports crypto/rand: a core has no randomness`},
		{"a core with global randomness", "rtp/sender.go", `package rtp; import "math/rand/v2"`, `imports math/rand/v2`},
		{"an import by another name", "dtls/conn.go", `package dtls; import csprng "crypto/rand"`, `imports crypto/rand`},
		{"a neighbour of a forbidden name", "sdp/parse.go", `package sdp; import "oscillator"`, ``},
		{"a sub-package of a core", "dtls/record/record.go", `package record; import "sync"`, `imports sync`},
		{"a foundation with a lock", "internal/timers/timers.go", `package timers; import "sync"`, `imports sync`},
		{"a laboratory with a clock", "internal/lab/run.go", `package lab; import "time"; var t = time.Now()`, `mentions time.Now`},
		{"a laboratory with a layer", "internal/lab/run.go", `package lab; import "github.com/plainrtc/plainrtc/sctp"; var c sctp.Config`, ``},
		{"a laboratory of NATs with a layer", "internal/lab/natlab/world.go", `package natlab; import "github.com/plainrtc/plainrtc/ice"; var c ice.Config`, ``},
		{"a layer in a laboratory", "internal/plot/plot.go", `package plot; import "github.com/plainrtc/plainrtc/internal/lab"; var e lab.Experiment`, `experiments stand above everything but commands`},
		{"a command with a laboratory", "cmd/plainrtc/lab.go", `package main; import "github.com/plainrtc/plainrtc/internal/lab"; var e lab.Experiment`, ``},
		{"a simulator with a clock", "internal/netsim/run.go", `package netsim; import "time"; var t = time.Now()`, `mentions time.Now`},
		{"a simulator with seeded dice", "internal/netsim/run.go", `package netsim; import "math/rand/v2"; var r = rand.New(rand.NewPCG(1, 2)); var x = r.IntN(6)`, ``},
		{"a simulator with global dice", "internal/netsim/run.go", `package netsim; import "math/rand/v2"; var x = rand.IntN(6)`, `mentions rand.IntN, which throws dice without a seed`},
		{"a test with global dice", "ice/agent_test.go", `package ice; import random "math/rand/v2"; var x = random.IntN(6)`, `mentions rand.IntN`},
		{"a test with seeded dice", "ice/agent_test.go", `package ice; import "math/rand/v2"; var r rand.Source = rand.NewChaCha8([32]byte{})`, ``},
		{"the sockets' package has sockets", "internal/udp/udp.go", `package udp; import ("net"; "sync"; "time"); var t = time.Now()`, ``},

		{"a core that looks at the clock", "ice/agent.go", "package ice\nimport \"time\"\nvar t = time.Now()", `ice/agent.go:3: mentions time.Now: a core has no clock`},
		{"without calling it", "ice/agent.go", `package ice; import "time"; var clock = time.Now`, `mentions time.Now`},
		{"under another name", "ice/agent.go", `package ice; import clock "time"; var t = clock.Now()`, `mentions time.Now`},
		{"in its own scope", "ice/agent.go", `package ice; import . "time"; var t = Now()`, `hides a look at the clock`},
		{"by the time that passed", "ice/agent.go", `package ice; import "time"; func f(t time.Time) time.Duration { return time.Since(t) }`, `mentions time.Since`},
		{"a core that sleeps", "ice/agent.go", `package ice; import "time"; func f() { time.Sleep(time.Second) }`, `mentions time.Sleep`},
		{"a core with a timer", "ice/agent.go", `package ice; import "time"; var c = time.After(1)`, `mentions time.After`},
		{"a core with a timer of its own", "ice/agent.go", `package ice; import "time"; func f() { time.AfterFunc(1, f) }`, `mentions time.AfterFunc`},
		{"durations are no clock", "ice/agent.go", `package ice; import "time"; const ta = 50 * time.Millisecond`, ``},
		{"another package's Now", "ice/agent.go", `package ice; import "time"; type world struct{}; func (world) Now() (t time.Time) { return }; var w world; var t = w.Now()`, ``},
		{"a core with a goroutine", "sctp/association.go", "package sctp\nfunc f() {\n\tgo f()\n}", `sctp/association.go:3: starts a goroutine`},
		{"a key that no seed replays", "dtls/keys.go", `package dtls; import "crypto/ecdh"; func f() { ecdh.X25519().GenerateKey(nil) }`, `mentions GenerateKey, which since Go 1.26 ignores the reader`},
		{"a signature that no seed replays", "dtls/keys.go", `package dtls; import "crypto/ecdsa"; func f() { ecdsa.SignASN1(nil, nil, nil) }`, `mentions SignASN1`},

		{"a test may look at the clock", "ice/agent_test.go", `package ice; import ("time"; "os"); var t = time.Now()`, ``},
		{"a test that sleeps", "ice/agent_test.go", `package ice_test; import "time"; func f() { time.Sleep(1) }`, `mentions time.Sleep: the test of a core runs on virtual time`},
		{"a test that waits", "ice/agent_test.go", `package ice_test; import "time"; func f() { <-time.After(1) }`, `mentions time.After`},

		{"the stack's core with a lock", "peerconnection/core.go", `package peerconnection; import "sync"`, `peerconnection/core.go:1: imports sync`},
		{"the stack's core with a goroutine", "peerconnection/negotiate.go", `package peerconnection; func f() { go f() }`, `starts a goroutine`},
		{"the shell has its lock and clock", "peerconnection/peerconnection.go", `package peerconnection; import ("sync"; "time"); var t = time.Now(); func f() { go f() }`, ``},
		{"the shell's sockets", "peerconnection/mux.go", `package peerconnection; import "net"`, ``},
		{"a test of the shell", "peerconnection/leak_test.go", `package peerconnection; import "time"; func f() { time.Sleep(1) }`, ``},

		{"a layer that imports a neighbour", "sctp/association.go", `package sctp; import "github.com/plainrtc/plainrtc/dtls"`, `sctp imports dtls: no layer knows a neighbour`},
		{"in a test", "sctp/association_test.go", `package sctp; import "github.com/plainrtc/plainrtc/dtls"`, `sctp imports dtls`},
		{"against the arrow", "stun/client.go", `package stun; import "github.com/plainrtc/plainrtc/ice"`, `stun imports ice`},
		{"with the arrow", "ice/agent.go", `package ice; import ("github.com/plainrtc/plainrtc/stun"; "github.com/plainrtc/plainrtc/turn")`, ``},
		{"turn stands on stun", "turn/client.go", `package turn; import "github.com/plainrtc/plainrtc/stun"`, ``},
		{"a layer that imports what is above it", "ice/agent.go", `package ice; import "github.com/plainrtc/plainrtc/peerconnection"`, `ice imports peerconnection: a layer stands on`},
		{"a layer with sockets behind its back", "ice/agent.go", `package ice; import "github.com/plainrtc/plainrtc/internal/udp"`, `ice imports internal/udp`},
		{"a layer and its foundations", "ice/agent.go", `package ice; import ("github.com/plainrtc/plainrtc/internal/wire"; "github.com/plainrtc/plainrtc/internal/trace")`, ``},
		{"a layer that ships its test support", "ice/agent.go", `package ice; import "github.com/plainrtc/plainrtc/internal/ladder"`, `ice imports internal/ladder`},
		{"a test and its support", "ice/agent_test.go", `package ice_test; import ("github.com/plainrtc/plainrtc/ice"; "github.com/plainrtc/plainrtc/internal/ladder")`, ``},
		{"an internal package that knows a layer", "internal/trace/pcapng.go", `package trace; import "github.com/plainrtc/plainrtc/sctp"`, `internal/trace imports sctp: what is internal serves the layers`},
		{"peerconnection imports them all", "peerconnection/core.go", `package peerconnection; import ("github.com/plainrtc/plainrtc/sctp"; "github.com/plainrtc/plainrtc/dtls")`, ``},
		{"but not the commands", "peerconnection/core.go", `package peerconnection; import "github.com/plainrtc/plainrtc/cmd/plainrtc"`, `commands stand above it`},
		{"commands import everything", "cmd/plainrtc/main.go", `package main; import ("os"; "net/http"; "github.com/plainrtc/plainrtc/sctp"; "github.com/plainrtc/plainrtc/peerconnection")`, ``},
		{"a package nobody drew", "quic/conn.go", `package quic; import "github.com/plainrtc/plainrtc/dtls"`, `package quic is not in the design's picture`},

		{"cgo", "cmd/plainrtc/main.go", `package main; import "C"`, `imports C: the module is pure Go`},
		{"a package of everything", "internal/utils/utils.go", `package utils`, `package utils: a name that says nothing`},
		{"work left for later", "ice/agent.go", "package ice\n\n// TODO: the rest", `ice/agent.go:3: says TODO: finish it`},
		{"a test that skips", "ice/agent_test.go", `package ice; import "testing"; func TestX(t *testing.T) { t.Skip() }`, `skips: a test that does not run is no test`},
		{"a reader that skips", "ice/agent_test.go", `package ice; func f() { var r reader; r.Skip(4) }`, ``},
		{"a file that is no Go", "ice/agent.go", `packag ice`, `expected 'package'`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := complaints(map[string]string{test.file: test.source})
			switch {
			case test.want == "" && len(got) > 0:
				t.Errorf("complains about nothing:\n%s", strings.Join(got, "\n"))
			case test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)):
				t.Errorf("says %q, want %q", got, test.want)
			}
		})
	}
}

// In peerconnection a test belongs to the core when the file it is named after does.
func TestArchitectureTestTellsCoreTestsFromShellTests(t *testing.T) {
	sleeps := `package peerconnection; import "time"; func f() { time.Sleep(1) }`
	got := complaints(map[string]string{
		"peerconnection/core.go":                `package peerconnection`,
		"peerconnection/core_test.go":           sleeps,
		"peerconnection/peerconnection.go":      `package peerconnection`,
		"peerconnection/peerconnection_test.go": sleeps,
	})
	if len(got) != 1 || !strings.HasPrefix(got[0], "peerconnection/core_test.go:1: mentions time.Sleep") {
		t.Errorf("says %q", got)
	}
}

func TestArchitectureTestReadsGoMod(t *testing.T) {
	for _, test := range []struct{ mod, want string }{
		{"module m\n\ngo 1.26\n", ""},
		{"require golang.org/x/crypto v0.1.0", ""},
		{"require (\n\tgolang.org/x/crypto v0.1.0\n\tgolang.org/x/sys v0.1.0 // indirect\n)\n", ""},
		{"require (\n\tgolang.org/x/sys v0.1.0\n)", "requires golang.org/x/sys"},
		{"require github.com/pion/webrtc/v4 v4.2.26", "requires github.com/pion/webrtc/v4"},
		{"require (\n\tgithub.com/stretchr/testify v1.0.0 // indirect\n)", "requires github.com/stretchr/testify"},
		{"require golang.org/x/crypto v0.1.0\nreplace golang.org/x/crypto => ../crypto", "uses replace"},
		{"exclude (\n\tgolang.org/x/net v0.1.0\n)", "uses exclude"},
	} {
		got := strings.Join(modComplaints(test.mod), "\n")
		if test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("about %q it says %q, want %q", test.mod, got, test.want)
		}
	}
}
