package session

import (
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/rtp/jitter"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// jitter is the codec as the jitter buffer wants to know it.
func (c *Codec) jitter() jitter.Codec {
	return jitter.Codec{Format: c.Format, ClockRate: c.ClockRate, Channels: c.Channels, ALaw: c.Format == payload.G711 && strings.EqualFold(c.Name, "PCMA")}
}

// noMedia is what a jitter buffer is told of packets that only take a sequence number.
var noMedia = jitter.Codec{}

// buffer makes the stream's jitter buffer.
func (st *Stream) buffer() {
	st.frameIDs = *st.section.ids
	st.frames = jitter.New(jitter.Config{Video: st.Kind == Video, Extensions: &st.frameIDs, Trace: st.session.cfg.Trace})
	st.tellRTT()
	if !st.report.at.IsZero() {
		st.frames.SenderReport(st.report.at, st.report.NTPTimestamp, st.report.RTPTimestamp)
	}
}

// tellRTT tells the jitter buffer how long a retransmission takes, if there are any, or a repair
// packet.
func (st *Stream) tellRTT() {
	if st.frames == nil {
		return
	}
	for _, c := range st.section.Receive {
		if c.NACK && c.RTX != 0 {
			// Twice, for on a path that loses one request or retransmission out of four
			// what the buffer waits is too short otherwise for one in a hundred losses,
			// and a new key frame costs more than waiting.
			st.frames.SetRTT(2 * st.repeat())
			return
		}
	}
	if st.parity != nil {
		st.frames.SetRTT(repairFollows)
	}
}

// repairFollows is within what time a repair packet follows, mostly: it is for some frames.
const repairFollows = 25 * time.Millisecond

// Buffer returns the jitter buffer, for its figures and the bounds of its delay; nil unless
// the stream delivers Frames.
func (st *Stream) Buffer() *jitter.Buffer { return st.frames }

// NextFrame returns the next frame that is due, of a stream that delivers Frames. It is
// valid until the next call.
func (st *Stream) NextFrame(now time.Time) (jitter.Frame, bool) {
	if st.frames == nil {
		return jitter.Frame{}, false
	}
	s := st.session
	st.sync.update(now)
	f, ok := st.frames.NextFrame(now)
	if ok {
		return f, true
	}
	// What was given up need not be asked for any more.
	if first, ok := st.frames.FirstWanted(); ok {
		st.nack.forget(st.reception.extend(first))
	}
	if st.frames.NeedsKeyFrame() {
		st.RequestKeyframe(now)
	}
	if next := st.frames.NextTimeout(); !next.IsZero() && !st.ended {
		s.timers.SetEarlier(timerFrame, next)
	}
	return jitter.Frame{}, false
}

// CodecOf returns the codec of a frame that NextFrame has returned: of streams that change
// theirs, as to comfort noise, the latest packet may be of another.
func (st *Stream) CodecOf(f *jitter.Frame) *Codec {
	if st.codec == nil || st.codec.Format == f.Codec.Format {
		return st.codec
	}
	for i := range st.section.Receive {
		if c := &st.section.Receive[i]; c.Format == f.Codec.Format && c.ClockRate == f.Codec.ClockRate {
			return c
		}
	}
	return st.codec
}

// A lipSync keeps two streams in step.
type lipSync struct {
	audio, video *Stream
	skew         jitter.Sync
}

// Synchronize keeps a stream of audio and one of video in step, which are of one source and both
// deliver Frames: the faster waits for the other. A stream is in step with one other.
func Synchronize(audio, video *Stream) {
	y := &lipSync{audio: audio, video: video}
	audio.sync, video.sync = y, y
}

func (y *lipSync) update(now time.Time) {
	if y == nil || y.audio.sync != y || y.video.sync != y || y.audio.frames == nil || y.video.frames == nil {
		return
	}
	y.skew.Update(now, y.audio.frames, y.video.frames)
}

// framesDue puts the streams whose jitter buffer wants to be asked on the list of those that have
// something to read.
func (s *Session) framesDue(now time.Time) {
	for _, c := range s.sections {
		for _, st := range c.streams {
			if st.frames == nil {
				continue
			}
			next := st.frames.NextTimeout()
			switch {
			case next.IsZero():
			case next.After(now):
				s.timers.SetEarlier(timerFrame, next)
			default:
				s.awaken(now, st)
			}
		}
	}
}
