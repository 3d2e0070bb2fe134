package trace_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

func TestSlog(t *testing.T) {
	for _, test := range []struct {
		level slog.Level
		want  string
	}{
		{slog.LevelInfo, `
			time=2026-01-01T00:00:00.123Z level=INFO msg=state conn=c layer=sctp from=COOKIE-WAIT to=COOKIE-ECHOED
			time=2026-01-01T00:00:00.123Z level=INFO msg="a rare fact" conn=c layer=pc`},
		{slog.LevelDebug, `
			time=2026-01-01T00:00:00.123Z level=INFO msg=state conn=c layer=sctp from=COOKIE-WAIT to=COOKIE-ECHOED
			time=2026-01-01T00:00:00.123Z level=INFO msg="a rare fact" conn=c layer=pc
			time=2026-01-01T00:00:00.123Z level=DEBUG msg=drop conn=c layer=dtls reason="bad record" size=60
			time=2026-01-01T00:00:00.123Z level=DEBUG msg=timer conn=c layer=sctp timer=T1-init
			time=2026-01-01T00:00:00.123Z level=DEBUG msg=value conn=c layer=sctp cwnd=4380
			time=2026-01-01T00:00:00.123Z level=DEBUG msg=packet conn=c layer=udp direction=out local=192.0.2.1:5000 remote=198.51.100.2:6000 size=2`},
		{slog.LevelError, ``},
	} {
		var b strings.Builder
		l := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: test.level}))
		facts(trace.New(trace.NewSlog(l), "c"))
		want := strings.ReplaceAll(strings.TrimSpace(test.want), "\t", "")
		if got := strings.TrimSpace(b.String()); got != want {
			t.Errorf("at level %v the log is\n%s\nwant\n%s", test.level, got, want)
		}
	}
}

func TestSlogLeavesOutAnEmptyName(t *testing.T) {
	var b strings.Builder
	trace.New(trace.NewSlog(slog.New(slog.NewTextHandler(&b, nil))), "").Note(now, trace.PC, "alone")
	if got, want := b.String(), "time=2026-01-01T00:00:00.123Z level=INFO msg=alone layer=pc\n"; got != want {
		t.Errorf("the log is %q, want %q", got, want)
	}
}

func TestRecorder(t *testing.T) {
	var r trace.Recorder
	if r.String() != "" || len(r.Drops()) != 0 {
		t.Error("the zero Recorder has recorded something")
	}
	tr := trace.New(&r, "c")
	facts(tr)
	tr.Drop(now.Add(1500*time.Millisecond), trace.SCTP, "no such association", 12)
	tr.Packet(now.Add(2*time.Second), trace.UDP, trace.In, local, remote, []byte{1})
	want := strings.ReplaceAll(`       0s  c sctp state COOKIE-WAIT → COOKIE-ECHOED
		       0s  c pc note a rare fact
		       0s  c dtls drop bad record (60 bytes)
		       0s  c sctp timer T1-init
		       0s  c sctp cwnd=4380
		       0s  c udp 192.0.2.1:5000 → 198.51.100.2:6000 2 bytes
		       0s  c dtls secret CLIENT_RANDOM
		     1.5s  c sctp drop no such association (12 bytes)
		       2s  c udp 192.0.2.1:5000 ← 198.51.100.2:6000 1 bytes`, "\t", "")
	if got := r.String(); got != want {
		t.Errorf("recorded\n%s\nwant\n%s", got, want)
	}
	if got := strings.Join(r.Drops(), ", "); got != "bad record, no such association" {
		t.Errorf("the drops are %s", got)
	}
}

func TestMulti(t *testing.T) {
	var first, second keeper
	facts(trace.New(trace.Multi(&first, nil, &second), "c"))
	if len(first.events) != len(want) || len(second.events) != len(want) {
		t.Errorf("%d and %d facts arrive, want %d at each", len(first.events), len(second.events), len(want))
	}
	facts(trace.New(trace.Multi(), "c")) // to nobody
}

// One Sink serves many connections at once; the race detector watches.
func TestSinksLockForThemselves(t *testing.T) {
	var file bytes.Buffer
	capture, err := trace.NewPcapng(&file)
	if err != nil {
		t.Fatal(err)
	}
	var r trace.Recorder
	log := trace.NewSlog(slog.New(slog.NewTextHandler(&bytes.Buffer{}, &slog.HandlerOptions{Level: slog.LevelDebug})))
	sink := trace.Multi(capture, &r, log)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			tr := trace.New(sink, "c")
			for range 50 {
				facts(tr)
				r.Drops()
				capture.Err()
			}
		})
	}
	wg.Wait()
	if err := capture.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(r.Drops()); got != 200 {
		t.Errorf("%d drops recorded, want 200", got)
	}
	if got := len(readCapture(t, file.Bytes()).packets); got != 200*5 {
		t.Errorf("%d packets in the capture, want 1000", got)
	}
}
