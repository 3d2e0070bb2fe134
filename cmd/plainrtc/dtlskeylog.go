package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A keyLog is a trace.Sink that writes secrets to a file in NSS key log format,
// and nothing else.
type keyLog struct {
	mu   sync.Mutex
	file *os.File
	err  error // the first
}

// openKeyLog opens the file, which keeps what other programs and runs wrote to it.
func openKeyLog(name string) (*keyLog, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the key log cannot be written: %w", err)
	}
	return &keyLog{file: f}, nil
}

// Trace implements trace.Sink.
func (l *keyLog) Trace(e *trace.Event) {
	if e.Kind != trace.KindSecret {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := fmt.Fprintf(l.file, "%s %x %x\n", e.Name, e.Bytes, e.Secret); err != nil && l.err == nil {
		l.err = err
	}
}

func (l *keyLog) close(out output) {
	err := l.file.Close()
	if l.err == nil {
		l.err = err
	}
	if l.err != nil {
		say(out.stderr, "plainrtc: the key log %s is not complete: %v", l.file.Name(), l.err)
	}
}
