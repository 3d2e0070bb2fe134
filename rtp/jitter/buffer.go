package jitter

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A Config says how a Buffer works. Its zero value is good for audio.
type Config struct {
	// Video says that the stream is one of video: packets make up frames, and
	// frames depend on each other.
	Video bool

	// MinDelay and MaxDelay bound how long after the fastest one a packet is due.
	// Zero stands for no least delay and for two seconds at most.
	MinDelay, MaxDelay time.Duration

	// MaxPackets and MaxBytes bound what is held. Zero stands for 2,048 packets and
	// 4 MiB.
	MaxPackets, MaxBytes int

	// Extensions are those negotiated, and may change. Used are the dependency
	// descriptor, the audio level and the playout delay; nil stands for none.
	Extensions *rtp.ExtensionMap

	Trace *trace.Tracer
}

// What the zero Config stands for.
const (
	defaultMaxDelay   = 2 * time.Second
	defaultMaxPackets = 2048
	defaultMaxBytes   = 4 << 20
)

// A Codec is what a packet's payload type stands for.
type Codec struct {
	// Format is that of the payload. Zero stands for what is no media, such as
	// telephone events and repair packets: it takes its place in the order of
	// packets, and is not handed out.
	Format payload.Format

	ClockRate uint32 // of the RTP timestamp, per second
	Channels  int    // of L16; zero stands for one
	ALaw      bool   // G711 is PCMA, and otherwise PCMU

	// RED says that the payload is blocks of Format (RFC 2198), of which the older ones were in the
	// packets before. Of a sender that puts other packets in between, take them out, and give
	// them to Recover.
	RED bool
}

// A Buffer is the jitter buffer of one stream: of one SSRC.
type Buffer struct {
	config Config

	order    order       // which packets belong to the stream, and where
	ring     ring        // the packets held
	timeline timeline    // when packets were sent, as their timestamps tell
	delay    estimator   // when packets should be due
	playout  playout     // when packets are due
	audio    audio       // the state of audio
	video    video       // the state of video
	reports  reportClock // the sender's wall clock

	sender    rtp.PlayoutDelay // what the sender wishes, if it does
	hasSender bool
	together  time.Duration // the least, for what Sync keeps in step
	rtt       time.Duration // zero when nothing is sent again
	wake      time.Time     // when NextFrame will have something to do
	flushed   bool          // nothing is waited for any more

	stats Stats
}

// New returns a Buffer for a stream of which nothing has come yet.
func New(config Config) *Buffer {
	if config.MaxDelay == 0 {
		config.MaxDelay = defaultMaxDelay
	}
	if config.MaxPackets == 0 {
		config.MaxPackets = defaultMaxPackets
	}
	if config.MaxBytes == 0 {
		config.MaxBytes = defaultMaxBytes
	}
	b := &Buffer{config: config, together: apart}
	b.ring.init(config.MaxPackets)
	return b
}

// Receive takes a packet as it arrives. What is kept of it is copied.
func (b *Buffer) Receive(now time.Time, p rtp.Packet, codec Codec) { b.receive(now, p, codec, false) }

// Recover takes a packet that had been asked for, or that error correction brought
// back, with the sequence number, timestamp and payload type of the original.
func (b *Buffer) Recover(now time.Time, p rtp.Packet, codec Codec) { b.receive(now, p, codec, true) }

// SetRTT tells how long it takes to get a packet again that was lost. Zero, at first,
// means that none is asked for: what is missing when it is due is given up.
func (b *Buffer) SetRTT(rtt time.Duration) { b.rtt = max(rtt, 0) }

// SetDelay replaces Config.MinDelay and Config.MaxDelay, as W3C's
// jitterBufferTarget wishes.
func (b *Buffer) SetDelay(least, most time.Duration) {
	if most == 0 {
		most = defaultMaxDelay
	}
	b.config.MinDelay, b.config.MaxDelay = least, max(least, most)
}

// NextTimeout is when NextFrame should be called although nothing has come; zero
// when there is nothing to wait for.
func (b *Buffer) NextTimeout() time.Time { return b.wake }

// NextFrame returns the next frame that is due, or false when there is none until
// NextTimeout, or until a packet comes. It is valid until the next call of
// NextFrame.
func (b *Buffer) NextFrame(now time.Time) (Frame, bool) {
	b.ring.releaseHandedOut()
	b.rescue()
	b.wake = time.Time{}
	if b.config.Video {
		return b.nextVideo(now)
	}
	return b.nextAudio(now)
}

// Flush says that the stream has ended: what is held is due at once, and what is missing will
// not come. Frames that are whole are handed out by NextFrame one after the other.
func (b *Buffer) Flush() { b.flushed = true }

// waits reports whether it is too early for what is due at that time.
func (b *Buffer) waits(now, due time.Time) bool { return now.Before(due) && !b.flushed }

// NeedsKeyFrame reports whether nothing more can be decoded until a key frame
// comes, and none is waiting. Who asks for one, with PLI or FIR, limits how often.
func (b *Buffer) NeedsKeyFrame() bool { return b.config.Video && b.video.needsKey }

// FirstWanted is the lowest sequence number that is still of use; what comes
// before it is handed out or given up, and need not be asked for again. ok is
// false before the first packet.
func (b *Buffer) FirstWanted() (sequenceNumber uint16, ok bool) {
	return uint16(b.ring.next), b.order.started
}
