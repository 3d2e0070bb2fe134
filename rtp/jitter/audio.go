package jitter

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// audio is what play-out knows of a stream of audio.
type audio struct {
	started bool
	sent    time.Duration // of the frame to come, on the timeline
	last    time.Duration // how long the last frame was
	codec   Codec         // of the last frame
	dtx     bool          // the last frame was followed by silence

	missing   int           // packets given up since the last frame
	stretched time.Duration // by how much the offset went up for what may be late, or lost
	concealed time.Duration // without a break
	resting   bool          // nothing is concealed until something comes

	pcm pcm
}

func (a *audio) reset() { *a = audio{} }

const (
	// concealStep is how long a concealed frame is when it is not known yet whether
	// anything was lost.
	concealStep = 10 * time.Millisecond

	// concealMost is for how long is concealed what may never come: the sender may
	// have stopped.
	concealMost = time.Second

	// usualFrame is how long audio is that does not say so.
	usualFrame = 20 * time.Millisecond

	// shortestFrame is how long what is concealed is at least.
	shortestFrame = time.Millisecond

	// silentLevel is the level, in -dBov, at which nobody hears time pass faster.
	// RFC 6464.
	silentLevel = 50
)

func (b *Buffer) nextAudio(now time.Time) (Frame, bool) {
	a, r := &b.audio, &b.ring
	for {
		s := r.held(r.next)
		if s != nil && s.filler() {
			r.consume(s, false)
			r.next++
			continue
		}
		if s != nil {
			if a.frameLate(s, &b.playout) {
				b.stats.FramesDelayed++
			}
			if !a.started || a.resting {
				// Nothing plays: the offset may be anything.
				b.playout = playout{started: true, offset: b.wanted()}
				if !a.started {
					a.sent, a.last, a.codec = s.sent, usualFrame, s.codec
				}
				a.started, a.resting = true, false
			}
			if due := b.due(s.sent); b.waits(now, due) {
				b.wake = due
				return Frame{}, false
			}
			return b.emitAudio(now, s), true
		}

		// The packet is not there.
		next := r.following(r.next)
		if !a.started || (a.resting || b.flushed) && next == nil {
			return Frame{}, false
		}
		if a.resting {
			// Lost while nothing played: nobody misses it.
			b.skipMissing(next)
			continue
		}
		due := b.due(a.sent)
		if b.waits(now, due) {
			b.wake = due
			return Frame{}, false
		}
		switch {
		case next == nil:
			if a.concealed >= concealMost || a.dtx {
				a.resting, a.stretched = true, 0
				continue
			}
			return b.stretch(now, concealStep), true

		case a.stretched > 0:
			// It was lost, and not late: the time that was concealed was its own.
			d := max(min(a.stretched, next.sent-a.sent), 0)
			a.sent += d
			b.playout.offset -= d
			a.stretched = 0

		case next.sent-a.sent < a.last/2:
			b.skipMissing(next)

		case b.wanted()-b.playout.offset >= concealStep && !b.flushed:
			// Something has to be concealed, and the delay is too short: this is
			// the moment. The packet may still come.
			f := b.stretch(now, min(b.wanted()-b.playout.offset, a.last))
			a.stretched = 0
			return f, true

		default:
			r.advance(r.next + 1)
			a.missing++
			b.stats.PacketsMissing++
			f := b.conceal(now, a.last)
			a.sent += f.Duration
			return f, true
		}
	}
}

// due is when a frame is to be played.
func (b *Buffer) due(sent time.Duration) time.Time {
	return b.timeline.epoch.Add(sent + b.playout.offset)
}

// frameLate looks at a frame that is there now. When play-out waited for it, that
// is over.
func (a *audio) frameLate(s *slot, p *playout) bool {
	late := a.stretched > 0
	if skip := min(a.stretched, s.sent-a.sent); late && skip > 0 {
		// The sender was silent, or sent something else, in part of that time.
		p.offset -= skip
	}
	a.stretched = 0
	return late
}

// skipMissing goes on with a frame, and gives up what should have come before it.
func (b *Buffer) skipMissing(next *slot) {
	_, missing := b.ring.advance(next.index)
	b.audio.missing += missing
	b.stats.PacketsMissing += uint64(missing)
}

// emitAudio hands out a frame.
func (b *Buffer) emitAudio(now time.Time, s *slot) Frame {
	a := &b.audio
	samples := s.codec.Format.Duration(s.payload, s.codec.Channels)
	f := Frame{
		Data: s.payload, Codec: s.codec, Timestamp: s.timestamp, KeyFrame: true, Missing: a.missing,
		Duration: ticks(int64(samples), s.codec.ClockRate), Due: b.due(s.sent), ReceivedAt: s.arrival,
		CaptureTime: b.reports.at(s.timestamp, s.codec.ClockRate), Packet: s.packet,
	}
	if s.packet.IsZero() {
		f.ReceivedAt = time.Time{}
	}
	silent := b.silentFrame(s)
	if samples == 0 {
		f.Duration = a.last
	}
	a.sent, a.last, a.codec, a.dtx = s.sent+f.Duration, max(f.Duration, shortestFrame), s.codec, dtx(s.codec, s.payload)
	if pcmFormat(s.codec.Format) && samples > 0 {
		b.playPCM(&f, silent)
	} else {
		b.playout.step(b.wanted(), f.Duration, silent)
	}
	a.concealed, a.missing = 0, 0
	b.stats.TotalSamplesReceived += uint64(samples)
	b.countDelay(now, s.arrival, uint64(samples))
	b.ring.consume(s, true)
	b.ring.next++
	return f
}

// silentFrame reports whether a frame says of itself that it has nothing to hear.
func (b *Buffer) silentFrame(s *slot) bool {
	if dtx(s.codec, s.payload) {
		return true
	}
	if b.config.Extensions == nil || s.packet.IsZero() {
		return false
	}
	value, ok := s.packet.Extension(b.config.Extensions.ID(rtp.ExtAudioLevel))
	level, parsed := rtp.ParseAudioLevel(value)
	return ok && parsed && !level.Voice && level.Level >= silentLevel
}

// dtx reports whether a frame is followed by silence of which nothing is sent: an
// Opus packet of a byte or two (RFC 7587, Section 3.1.3; RFC 6716, Section 2.1.9), or
// comfort noise (RFC 3389).
func dtx(c Codec, data []byte) bool {
	return c.Format == payload.Opus && len(data) <= 2 || c.Format == payload.CN
}

// stretch conceals without going on: the offset goes up.
func (b *Buffer) stretch(now time.Time, d time.Duration) Frame {
	f := b.conceal(now, d)
	b.playout.offset += f.Duration
	b.audio.stretched += f.Duration
	return f
}

// conceal makes a frame for time of which nothing has come.
func (b *Buffer) conceal(now time.Time, d time.Duration) Frame {
	a := &b.audio
	f := Frame{Concealed: true, KeyFrame: true, Codec: a.codec, Due: b.due(a.sent), Missing: a.missing, Duration: d}
	f.Timestamp = b.timeline.timestampAt(a.sent)
	f.CaptureTime = b.reports.at(f.Timestamp, a.codec.ClockRate)
	a.missing = 0
	if a.concealed == 0 {
		b.stats.ConcealmentEvents++
	}
	if pcmFormat(a.codec.Format) {
		a.pcm.concealFrame(&f)
	}
	samples := uint64(f.Duration * time.Duration(a.codec.ClockRate) / time.Second)
	b.stats.TotalSamplesReceived += samples
	b.stats.ConcealedSamples += samples
	if a.concealed >= silentAfter {
		b.stats.SilentConcealedSamples += samples
	}
	a.concealed += f.Duration
	return f
}
