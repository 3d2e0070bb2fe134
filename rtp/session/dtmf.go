package session

import (
	"errors"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// Tones are telephone events (RFC 4733), as W3C's RTCDTMFSender sends them.

// The bounds of W3C's insertDTMF.
const (
	minToneDuration = 40 * time.Millisecond
	maxToneDuration = 6 * time.Second
	minToneGap      = 30 * time.Millisecond
	tonePause       = 2 * time.Second // of a comma

	toneInterval = 20 * time.Millisecond // between the packets of a tone
	toneVolume   = 10                    // in -dBm0
	maxSegment   = 0xffff                // of a tone, in ticks
	toneEnds     = 3                     // "The final packet for each event [...] SHOULD be sent a total of three times". Section 2.5.1.4
)

// What InsertDTMF refuses.
var (
	ErrTone        = errors.New("session: a tone is one of 0 to 9, *, #, A to D, and a comma for a pause")
	ErrNoTelephone = errors.New("session: telephone-event is not negotiated")
)

// tones is what a sender has to play.
type tones struct {
	left          []byte
	duration, gap time.Duration

	playing bool
	code    uint8
	first   bool
	codec   *Codec
	began   time.Time
	stamp   uint32 // the timestamp of all packets of the segment
	before  uint32 // how long the segments before took, in ticks
	ends    int    // how many times its end was sent
	next    time.Time
}

// CanInsertDTMF reports whether telephone-event is negotiated for the sender.
func (x *Sender) CanInsertDTMF() bool { return x.telephone() != nil && x.encodings[0].Active }

// telephone returns the telephone-event with the clock of the codec, or any.
func (x *Sender) telephone() *Codec {
	if x.section == nil {
		return nil
	}
	var any *Codec
	for i := range x.section.Send {
		c := &x.section.Send[i]
		if !c.isEvent() {
			continue
		}
		if codec := x.Codec(); codec != nil && codec.ClockRate == c.ClockRate {
			return c
		}
		if any == nil {
			any = c
		}
	}
	return any
}

// InsertDTMF replaces what is to be played by tones: 0 to 9, *, #, A to D, and a comma for
// a pause of two seconds. An empty string ends them.
func (x *Sender) InsertDTMF(now time.Time, keys string, duration, gap time.Duration) error {
	if !x.CanInsertDTMF() {
		return ErrNoTelephone
	}
	for i := range len(keys) {
		if _, ok := payload.ToneCode(keys[i]); !ok && keys[i] != ',' {
			return ErrTone
		}
	}
	t := &x.tones
	idle := !t.playing && len(t.left) == 0
	t.left = []byte(keys)
	t.duration = min(max(duration, minToneDuration), maxToneDuration)
	t.gap = max(gap, minToneGap)
	if idle && len(keys) > 0 {
		t.next = now
		x.session.tonesDue(now)
	}
	return nil
}

// ToneBuffer returns the tones that were not begun yet.
func (x *Sender) ToneBuffer() string { return string(x.tones.left) }

// tonesDue writes the packets of tones that are due.
func (s *Session) tonesDue(now time.Time) {
	s.timers.Stop(timerTone)
	for _, x := range s.senders {
		t := &x.tones
		for !t.next.IsZero() && !t.next.After(now) {
			s.tone(now, x)
		}
		if !t.next.IsZero() {
			s.timers.SetEarlier(timerTone, t.next)
		}
	}
}

// tone makes the next step of a sender's tones.
func (s *Session) tone(now time.Time, x *Sender) {
	t := &x.tones
	if t.playing {
		s.toneGoesOn(now, x)
		return
	}
	if len(t.left) == 0 {
		t.next = time.Time{}
		s.events.push(ToneSent{Sender: x})
		return
	}
	key := t.left[0]
	t.left = t.left[1:]
	s.events.push(ToneSent{Sender: x, Tone: key})
	if key == ',' {
		t.next = now.Add(tonePause)
		return
	}
	e, err := x.open(0)
	if t.codec = x.telephone(); err != nil || t.codec == nil {
		t.left, t.next = nil, time.Time{}
		return
	}
	t.code, _ = payload.ToneCode(key)
	t.playing, t.first, t.ends, t.before, t.began = true, true, 0, 0, now
	e.rewrite.pause() // audio goes on behind the tone, without a gap in the sequence
	// The RTP timestamp is that of the beginning of the event, on the clock of the audio around
	// it. Section 2.2.1.
	t.stamp = e.rewrite.timestamp + ticks(now.Sub(e.rewrite.at), t.codec.ClockRate)
	if e.rewrite.at.IsZero() {
		t.stamp = e.rewrite.timestamp
	}
	t.next = now.Add(toneInterval)
}

// toneGoesOn writes one packet of the tone that is being played.
func (s *Session) toneGoesOn(now time.Time, x *Sender) {
	t := &x.tones
	e, err := x.open(0)
	if err != nil {
		t.playing, t.left, t.next = false, nil, time.Time{}
		return
	}
	held := min(now.Sub(t.began), t.duration)
	event := payload.Event{Code: t.code, Volume: toneVolume, End: held == t.duration}
	total := ticks(held, t.codec.ClockRate)
	// An event that is longer than the field for its duration can say goes on in a new segment,
	// whose timestamp is where the one before ended. Section 2.5.1.3. The last packet of a segment is
	// sent once: the timestamp of the next tells as much.
	for total-t.before > maxSegment {
		event.Duration = maxSegment
		last := event
		last.End = false
		s.writeTone(now, e, last, t.first)
		t.first = false
		t.before += maxSegment
		t.stamp += maxSegment
	}
	event.Duration = uint16(total - t.before)
	s.writeTone(now, e, event, t.first)
	t.first = false
	switch {
	case !event.End:
		t.next = now.Add(min(toneInterval, t.began.Add(t.duration).Sub(now)))
		return
	case t.ends == 0:
		t.ends = 1
	default:
		t.ends++
	}
	if t.ends < toneEnds {
		t.next = now.Add(toneInterval)
		return
	}
	t.playing = false
	t.next = now.Add(max(t.gap-(toneEnds-1)*toneInterval, 0))
}

// writeTone makes a packet. Each has a sequence number of its own and the timestamp of the
// first, which has the marker bit. Section 2.5.1.2.
func (s *Session) writeTone(now time.Time, e *encoding, event payload.Event, first bool) {
	t := &e.sender.tones
	v := e.history.put(e.rewrite.append(), s.since(now))
	if v == nil {
		panic("BUG: a new sequence number is in the history")
	}
	b := rtp.NewBuilder(v.buffer[:0], rtp.Header{Marker: first, PayloadType: t.codec.PayloadType, SequenceNumber: v.sequence, Timestamp: t.stamp, SSRC: e.SSRC})
	v.buffer = event.Append(b.Bytes())
	p, err := rtp.Parse(v.buffer)
	if err != nil {
		panic("BUG: a packet that was just made does not parse")
	}
	v.packet, v.ids, v.timestamp, v.codec = p, e.ids, t.stamp, t.codec
	s.queue.push(e, v)
}

// An inboundTone is the event that a stream's latest packets were of.
type inboundTone struct {
	known     bool
	code      uint8
	timestamp uint32 // of its latest segment, which tells events apart
	duration  uint16 // of that segment
	before    uint32 // of the segments before, in ticks
	ended     bool
}

// receiveTone tells of an event when it starts and when it ends, once each.
func (s *Session) receiveTone(now time.Time, st *Stream, codec *Codec, p rtp.Packet) {
	event, ok := payload.ParseEvent(p.Payload())
	if !ok || event.Tone() == 0 {
		return
	}
	t := &st.tone
	ahead := int32(p.Timestamp() - t.timestamp)
	started := !t.known || ahead > 0
	switch {
	case !started && (t.ended || ahead != 0):
		return // the end is sent three times, and packets may be late
	case t.known && ahead == maxSegment && !t.ended && t.code == event.Code:
		started = false // its next segment
		t.before += maxSegment
		t.timestamp, t.duration = p.Timestamp(), 0
	case started:
		if t.known && !t.ended {
			s.toneEnded(st, codec) // all three ends were lost
		}
		*t = inboundTone{known: true, code: event.Code, timestamp: p.Timestamp()}
	}
	t.duration = max(t.duration, event.Duration)
	if started {
		s.events.push(ToneReceived{Stream: st, Tone: event.Tone(), Duration: t.length(codec)})
	}
	if event.End {
		s.toneEnded(st, codec)
	}
}

func (s *Session) toneEnded(st *Stream, codec *Codec) {
	t := &st.tone
	t.ended = true
	s.events.push(ToneReceived{Stream: st, Tone: payload.Event{Code: t.code}.Tone(), Duration: t.length(codec), End: true})
}

func (t *inboundTone) length(codec *Codec) time.Duration {
	return duration(t.before+uint32(t.duration), codec.ClockRate)
}
