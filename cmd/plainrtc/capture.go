package main

import (
	"fmt"
	"os"

	"github.com/plainrtc/plainrtc/internal/trace"
)

const traceUsage = "write everything to this pcapng `file`, which Wireshark opens with SCTP and RTP in clear; it holds the keys"

// A capture is the file of --trace. A nil capture is no file.
type capture struct {
	file   *os.File
	pcapng *trace.Pcapng
}

// openTrace makes the file, or returns nil if name is empty.
func openTrace(name string) (*capture, error) {
	if name == "" {
		return nil, nil
	}
	// It holds the keys to what was said: nobody else is to read it.
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the trace file cannot be written: %w", err)
	}
	p, err := trace.NewPcapng(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the trace file cannot be written: %w", err)
	}
	return &capture{f, p}, nil
}

func (c *capture) sink() trace.Sink {
	if c == nil {
		return nil
	}
	return c.pcapng
}

func (c *capture) close(out output) {
	if c == nil {
		return
	}
	err := c.pcapng.Close()
	if closeErr := c.file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		say(out.stderr, "plainrtc: the trace %s is not complete: %v", c.file.Name(), err)
	}
}
