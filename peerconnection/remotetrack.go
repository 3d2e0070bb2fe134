package peerconnection

import (
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/rtp/session"
)

// What the core keeps of a remote track: the stream that feeds it, and what was
// not read yet.

// reads is how a remote track is used: each of the ways that somebody has begun to.
type reads uint8

const (
	readsFrames  reads = 1 << iota // by ReadFrame, through a jitter buffer
	readsPackets                   // by ReadRTP
	relays                         // by senders that it was given to
	readsTones                     // by NextTone, which needs nothing of the stream
)

// What a track holds for readers that do not keep up: the oldest goes first.
const (
	maxUnreadPackets = 2048
	maxUnreadTones   = 64
)

// feed makes a stream the one that the track is read from. What the one before has is still
// read, at once, and then it is told that nobody reads it any more, so that it keeps nothing.
func (t *Track) feed(now time.Time, st *session.Stream) {
	if before := t.stream; before != nil && before != st {
		t.receiver.pc.core.takeFrom(now, t, before)
		t.forget(now)
		if t.reads&readsFrames != 0 {
			before.Flush()
			t.former = before
		} else {
			before.Deliver(now, session.Nothing)
			t.clock.another = true
		}
	}
	t.stream = st
	t.deliver(now)
}

// forget ends the reading of the stream that fed the track before the one that does now.
func (t *Track) forget(now time.Time) {
	if t.former != nil {
		t.former.Deliver(now, session.Nothing)
		t.former, t.clock.another = nil, true
	}
}

// use adds a way in which the track is used.
func (t *Track) use(now time.Time, r reads) {
	if t.reads&r == 0 {
		t.reads |= r
		t.deliver(now)
	}
}

// deliver tells the stream how it is read.
func (t *Track) deliver(now time.Time) {
	if t.stream == nil {
		return
	}
	d := session.Latest // for who comes late
	if t.reads&readsFrames != 0 {
		d |= session.Frames
	}
	if t.reads&(readsPackets|relays) != 0 {
		d |= session.Packets
	}
	t.stream.Deliver(now, d)
	if t.ended {
		t.stream.Flush()
	}
	if t.reads&readsFrames != 0 {
		t.receiver.pc.core.keepInStep(t)
	}
}

// keepInStep ties a track that is read by frames to one of the other kind that is in the same
// stream of the peer's: what belongs together is played together ("lip sync", RFC 8834,
// Section 4.9; W3C MediaStream).
func (c *core) keepInStep(t *Track) {
	mine := t.receiver.transceiver
	for _, x := range c.transceivers {
		other := x.receiver.track
		together := slices.ContainsFunc(mine.streams, func(id string) bool { return slices.Contains(x.streams, id) })
		if !together || other.kind == t.kind || other.stream == nil || other.reads&readsFrames == 0 {
			continue
		}
		if t.kind == KindAudio {
			session.Synchronize(t.stream, other.stream)
		} else {
			session.Synchronize(other.stream, t.stream)
		}
		return
	}
}

// keep holds a packet for ReadRTP.
func (t *Track) keep(p session.Packet) {
	if len(t.packets)-t.packetsRead == maxUnreadPackets {
		t.packets[t.packetsRead] = session.Packet{}
		t.packetsRead++
		t.packetsLost++
	}
	if t.packetsRead > 0 && len(t.packets) == cap(t.packets) {
		n := copy(t.packets, t.packets[t.packetsRead:])
		clear(t.packets[n:])
		t.packets, t.packetsRead = t.packets[:n], 0
	}
	t.packets = append(t.packets, p)
	t.readable.signal()
}

// take returns the next packet for ReadRTP.
func (t *Track) take() (p session.Packet, ok bool) {
	if t.packetsRead == len(t.packets) {
		return p, false
	}
	p = t.packets[t.packetsRead]
	t.packets[t.packetsRead] = session.Packet{}
	t.packetsRead++
	if t.packetsRead == len(t.packets) {
		t.packets, t.packetsRead = t.packets[:0], 0
	}
	return p, true
}

// heard notes a tone that the peer has played.
func (t *Track) heard(tone Tone) {
	if len(t.tones) == maxUnreadTones {
		t.tones = t.tones[1:]
	}
	t.tones = append(t.tones, tone)
	t.readable.signal()
}

// nextFrame takes the next frame that is due from the stream's jitter buffer.
func (t *Track) nextFrame(now time.Time) (Frame, bool) {
	if t.former != nil {
		if f, ok := t.frameOf(now, t.former); ok {
			return f, true
		}
		t.forget(now)
	}
	if t.stream == nil {
		return Frame{}, false
	}
	return t.frameOf(now, t.stream)
}

func (t *Track) frameOf(now time.Time, st *session.Stream) (Frame, bool) {
	f, ok := st.NextFrame(now)
	if !ok {
		return Frame{}, false
	}
	out := Frame{
		Data: f.Data, KeyFrame: f.KeyFrame, Concealed: f.Concealed, Missing: f.Missing,
		Duration: f.Duration, CaptureTime: f.CaptureTime, ReceivedAt: f.ReceivedAt,
		Timestamp: f.Timestamp,
	}
	rate := f.Codec.ClockRate
	if codec := st.CodecOf(&f); codec != nil {
		out.Codec = publicCodec(t.kind, codec)
		if rate == 0 {
			rate = codec.ClockRate
		}
	}
	out.PTS = t.clock.pts(now, f.Timestamp, rate)
	return out, true
}
