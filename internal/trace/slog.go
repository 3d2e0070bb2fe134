package trace

import (
	"context"
	"log/slog"
)

// NewSlog returns a Sink that writes to a log: state changes and notes at level
// info, everything else at debug. Packets are logged by their size, and secrets
// not at all: a log is read by too many.
func NewSlog(l *slog.Logger) Sink { return slogSink{l.Handler()} }

// A slogSink needs no lock of its own: an slog.Handler has one.
type slogSink struct{ handler slog.Handler }

func (s slogSink) Trace(e *Event) {
	level := slog.LevelDebug
	if e.Kind == KindState || e.Kind == KindNote {
		level = slog.LevelInfo
	}
	ctx := context.Background()
	if e.Kind == KindSecret || !s.handler.Enabled(ctx, level) {
		return
	}
	// The record has the fact's own time, which may be virtual.
	r := slog.NewRecord(e.Time, level, e.Kind.String(), 0)
	if e.Kind == KindNote {
		r.Message = e.Text
	}
	if e.Conn != "" {
		r.AddAttrs(slog.String("conn", e.Conn))
	}
	r.AddAttrs(slog.String("layer", string(e.Layer)))
	switch e.Kind {
	case KindState:
		r.AddAttrs(slog.String("from", e.Name), slog.String("to", e.Text))
	case KindDrop:
		r.AddAttrs(slog.String("reason", e.Text), slog.Int64("size", e.Value))
	case KindTimer:
		r.AddAttrs(slog.String("timer", e.Name))
	case KindValue:
		r.AddAttrs(slog.Int64(e.Name, e.Value))
	case KindPacket:
		r.AddAttrs(slog.String("direction", e.Direction.String()),
			slog.String("local", e.Local.String()), slog.String("remote", e.Remote.String()),
			slog.Int("size", len(e.Bytes)))
	}
	// Nobody could be told that the log cannot be written.
	_ = s.handler.Handle(ctx, r)
}
