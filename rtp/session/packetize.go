package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/fec"
	"github.com/plainrtc/plainrtc/rtp/mediafile"
)

// A Frame is an encoded frame, of video or audio.
type Frame struct {
	// Data is what package payload says a frame of the codec's format is. It is
	// borrowed for the call.
	Data []byte

	// PTS is when the frame is to be presented, counted from anywhere. It gives the
	// RTP timestamp: the frames of one encoding go forward, those of one instant agree.
	PTS time.Duration

	// KeyFrame says that decoding can start here; for audio it says nothing.
	KeyFrame bool

	CaptureTime time.Time             // by the clock of now; zero: the peer is not told
	AudioLevel  *rtp.AudioLevel       // nil: the peer is not told
	Orientation *rtp.VideoOrientation // nil: the peer is not told; sent with key frames, or when it changes
}

// captureTimeInterval is how often a capture time is sent: receivers extrapolate.
const captureTimeInterval = time.Second

// WriteFrame cuts a frame into packets, which leave when AppendPacket is asked.
func (x *Sender) WriteFrame(now time.Time, encoding int, f Frame) error {
	e, err := x.open(encoding)
	if err != nil {
		return err
	}
	if e.packetizer == nil || e.codec.Format == 0 {
		return ErrCodec
	}
	if encoding == 0 && x.tones.playing {
		return nil // a tone is sent instead of audio
	}
	s := x.session
	e.protection.beginFrame(e)
	room := s.cfg.MTU - e.headerRoom()
	if err := e.packetizer.Start(f.Data, room); err != nil {
		return err
	}
	clock := uint32(0)
	if e.codec.ClockRate > 0 {
		clock = ticks(f.PTS, e.codec.ClockRate)
	}
	e.rewrite.switchTo(now, e, frames, clock)
	timestamp := e.rewrite.stamp(now, f.CaptureTime, clock)
	at := s.since(now)
	for first, last := true, false; !last; first = false {
		sequence := e.rewrite.append()
		v := e.history.put(sequence, at)
		if v == nil {
			panic("BUG: a new sequence number is in the history")
		}
		b := rtp.NewBuilder(v.buffer[:0], rtp.Header{PayloadType: e.codec.PayloadType, SequenceNumber: sequence, Timestamp: timestamp, SSRC: e.SSRC})
		if first {
			e.describe(now, &b, &f)
		}
		if e.redundancy.codec != nil {
			v.buffer, last = e.redundancy.append(b.Bytes(), e, sequence, timestamp, f.Data, room), true
		} else {
			v.buffer, last = e.packetizer.Append(b.Bytes())
		}
		p, err := rtp.Parse(v.buffer)
		if err != nil {
			panic("BUG: a packet that was just made does not parse")
		}
		// The marker is on the last packet of a frame of video, as all formats have it; and on the
		// first of a talk spurt of audio (RFC 3551, Section 4.1), which frames do not tell.
		p.SetMarker(last && x.section.Kind == Video)
		v.packet, v.ids, v.timestamp, v.codec = p, e.ids, timestamp, e.codec
		if e.redundancy.codec != nil {
			v.codec = e.redundancy.codec
		}
		v.group = e.protection.take(e)
		s.queue.push(e, v)
	}
	e.protection.endFrame(e)
	e.stats.frames++
	if f.KeyFrame {
		e.stats.keyFrames++
		if x.section.Kind == Video {
			e.stats.size.see(mediafile.Inspect(e.codec.Name, f.Data))
		}
		e.requested.answered(now)
	}
	return nil
}

// ticks converts a time to units of the RTP clock, rounded to nearest, so that
// what was converted from ticks comes back as it was.
func ticks(d time.Duration, rate uint32) uint32 {
	seconds, rest := int64(d/time.Second), int64(d%time.Second)
	if rest < 0 {
		seconds, rest = seconds-1, rest+int64(time.Second)
	}
	return uint32(seconds*int64(rate) + (rest*int64(rate)+int64(time.Second)/2)/int64(time.Second))
}

// describe adds the extensions that tell of the frame.
func (e *encoding) describe(now time.Time, b *rtp.Builder, f *Frame) {
	if id := e.ids.ID(rtp.ExtAudioLevel); id != 0 && f.AudioLevel != nil {
		copy(b.Reserve(id, 1), f.AudioLevel.Append(e.sender.session.scratch[:0]))
	}
	if id := e.ids.ID(rtp.ExtVideoOrientation); id != 0 && f.Orientation != nil {
		copy(b.Reserve(id, 1), f.Orientation.Append(e.sender.session.scratch[:0]))
	}
	if id := e.ids.ID(rtp.ExtAbsCaptureTime); id != 0 && !f.CaptureTime.IsZero() && (e.captured.IsZero() || now.Sub(e.captured) >= captureTimeInterval) {
		e.captured = now
		copy(b.Reserve(id, 8), rtp.AbsCaptureTime{Timestamp: rtp.NewNTPTime(f.CaptureTime)}.Append(e.sender.session.scratch[:0]))
	}
}

// headerRoom is what headers and our extensions take at most, in a retransmission too.
func (e *encoding) headerRoom() int {
	size, widest := 0, 1 // each element, with a header of up to two bytes
	if e.sender.section.MixedExtensions {
		widest = 2
	}
	add := func(x rtp.Extension, n int) {
		if e.ids.ID(x) != 0 {
			size += widest + n
		}
	}
	add(rtp.ExtMID, len(e.sender.mid))
	if e.RID != "" {
		add(rtp.ExtRID, len(e.RID))
	}
	add(rtp.ExtAbsSendTime, 3)
	add(rtp.ExtTransportSequence, 2)
	add(rtp.ExtAudioLevel, 1)
	add(rtp.ExtVideoOrientation, 1)
	add(rtp.ExtAbsCaptureTime, 8)
	if size > 0 {
		size = 4 + (size+3)&^3
	}
	room := 12 + size + 2 // the original sequence number of a retransmission
	if e.redundancy.codec != nil {
		room++ // the header of the last block
	}
	if e.protection.opened != 0 {
		room += fec.Overhead + size // repair packets have extensions, and those of what they protect
	}
	return room
}
