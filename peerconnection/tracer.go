package peerconnection

import (
	"io"
	"log/slog"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A Tracer follows one connection: its packets, state changes, timers, and what
// is dropped and why. Every layer's Config takes one; nil follows nothing.
type Tracer = trace.Tracer

// NewLogTracer returns a Tracer that writes to a log, under the connection's
// name. Packets are logged at level debug, by size.
func NewLogTracer(l *slog.Logger, name string) *Tracer {
	return trace.New(trace.NewSlog(l), name)
}

// A Capture writes what its connections do to a pcapng file, which Wireshark
// opens: the datagrams on one interface, on others the SCTP packets and those of RTP and
// RTCP in clear, and the DTLS key log beside them. It holds the keys to everything said: keep it to yourself.
type Capture struct {
	sink *trace.Pcapng
}

// NewCapture begins a pcapng file on w.
func NewCapture(w io.Writer) (*Capture, error) {
	sink, err := trace.NewPcapng(w)
	if err != nil {
		return nil, err
	}
	return &Capture{sink}, nil
}

// Tracer returns a Tracer for the connection of that name. One Capture can
// follow many connections at once.
func (c *Capture) Tracer(name string) *Tracer { return trace.New(c.sink, name) }

// Close ends the capture: nothing is written after it. It does not close the
// writer, and returns what Err returns.
func (c *Capture) Close() error { return c.sink.Close() }

// Err is the first error of writing the file.
func (c *Capture) Err() error { return c.sink.Err() }
