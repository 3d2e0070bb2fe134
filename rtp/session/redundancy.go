package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// Redundant audio data (RFC 2198): a packet brings the audio of the packet before it once
// more, so that one that is lost alone is not missed. What a stream's readers see is without
// it: packets of the audio's own format, some of which came inside of others.

// A content is what a packet brings, once RFC 2198 is taken off.
type content struct {
	codec   *Codec
	role    role
	wrapped bool // in RED
	body    []byte
}

// open looks at the payload of a packet. reason is why it is not to be used.
func (c *section) open(payloadType uint8, body []byte) (x content, reason string) {
	i := c.codecs[payloadType]
	if i == 0 {
		return x, dropPayloadType
	}
	x = content{codec: &c.Receive[i-1], role: c.roles[payloadType], body: body}
	switch {
	case x.role == redundant && len(body) == 0:
		// Padding, which Chromium sends under the payload type that it uses.
		for i := range c.Receive {
			if codec := &c.Receive[i]; codec.role() == media {
				x = content{codec: codec}
				break
			}
		}
	case x.role == redundant:
		primary, ok := payload.ParseRED(body)
		if !ok {
			return x, dropRED
		}
		if i = c.codecs[primary.PayloadType]; i == 0 {
			return x, dropPayloadType
		}
		x = content{codec: &c.Receive[i-1], role: c.roles[primary.PayloadType], wrapped: true, body: primary.Data}
	}
	if x.role == redundant || x.role == flexfec {
		return x, dropPayloadType // RED in RED; and a stream of its own among the media
	}
	return x, ""
}

// audioTimes are the timestamps of the latest packets of a stream of redundant audio.
type audioTimes struct {
	known [64]struct {
		ext       int64
		timestamp uint32
		audio     bool // it is not padding
	}
	blocks [maxBlocks]payload.Redundancy // scratch
	places [maxBlocks]int64
}

// maxBlocks is how many older blocks of a packet are looked at, its latest.
const maxBlocks = 8

func (t *audioTimes) note(ext int64, timestamp uint32, audio bool) {
	v := &t.known[ext&int64(len(t.known)-1)]
	v.ext, v.timestamp, v.audio = ext, timestamp, audio
}

// place finds where among the packets before ext audio of a time belongs that did not
// arrive: what a block says of itself is when it is from, and not which packet. Senders
// repeat the last packets, but between these Chromium sends padding, under the timestamp of the
// audio before. 0 means that there is no place: the audio is there.
func (t *audioTimes) place(before int64, timestamp uint32) int64 {
	for ext := before - 1; ext > before-int64(len(t.known)); ext-- {
		v := &t.known[ext&int64(len(t.known)-1)]
		if v.ext != ext {
			// It is missing, and those behind it are later. Is there audio of that time before it?
			for i := ext - 1; i > before-int64(len(t.known)); i-- {
				if o := &t.known[i&int64(len(t.known)-1)]; o.ext == i {
					if int32(timestamp-o.timestamp) > 0 {
						return ext
					}
					break // it is further back
				}
			}
			continue
		}
		if d := int32(timestamp - v.timestamp); d > 0 || d == 0 && v.audio {
			return 0
		}
	}
	return 0
}

// receiveRedundancy takes the older blocks of a packet, for what was lost.
func (s *Session) receiveRedundancy(now time.Time, st *Stream, ext int64, p rtp.Packet) {
	t := st.times
	n := 0
	for r := range payload.REDBlocks(p.Payload()) {
		if n == maxBlocks {
			copy(t.blocks[:], t.blocks[1:])
			n--
		}
		t.blocks[n] = r
		n++
	}
	n-- // the last is the packet's own
	for i, before := n-1, ext; i >= 0; i-- {
		if t.places[i] = t.place(before, p.Timestamp()-uint32(t.blocks[i].Offset)); t.places[i] != 0 {
			before = t.places[i]
		}
	}
	for i := range max(n, 0) {
		r := t.blocks[i]
		st.stats.fecPackets++
		st.stats.fecBytes += uint64(len(r.Data))
		if timestamp := p.Timestamp() - uint32(r.Offset); t.places[i] == 0 || !s.receiveBlock(now, st, uint16(t.places[i]), timestamp, r) {
			st.stats.fecDiscarded++
		} else {
			t.note(t.places[i], timestamp, true)
		}
	}
	clear(t.blocks[:]) // they are the packet's
}

func (s *Session) receiveBlock(now time.Time, st *Stream, sequence uint16, timestamp uint32, r payload.Redundancy) bool {
	c := st.section
	if i := c.codecs[r.PayloadType]; i == 0 || c.roles[r.PayloadType] != media || len(r.Data) == 0 {
		return false
	}
	b := rtp.NewBuilder(s.original[:0], rtp.Header{PayloadType: r.PayloadType, SequenceNumber: sequence, Timestamp: timestamp, SSRC: st.SSRC})
	s.original = append(b.Bytes(), r.Data...)
	o, err := rtp.Parse(s.original)
	if err != nil {
		panic("BUG: a packet that was just made does not parse")
	}
	return s.recovered(now, st, o)
}

// A redundancy is what an encoding repeats of the packet before.
type redundancy struct {
	codec *Codec // of RED; nil: it is not used

	known     bool
	sequence  uint16
	timestamp uint32
	data      []byte
}

// append appends the payload of a packet that has a frame and, if there is room, the one
// before.
func (x *redundancy) append(b []byte, e *encoding, sequence uint16, timestamp uint32, frame []byte, room int) []byte {
	pt := e.codec.PayloadType
	const headers = 4 + 1
	if x.known && x.sequence+1 == sequence && len(x.data)+len(frame)+headers <= room && timestamp-x.timestamp < 1<<14 {
		b = payload.AppendRED(b, pt, frame, payload.Redundancy{PayloadType: pt, Offset: uint16(timestamp - x.timestamp), Data: x.data})
	} else {
		b = payload.AppendRED(b, pt, frame)
	}
	x.known, x.sequence, x.timestamp, x.data = true, sequence, timestamp, append(x.data[:0], frame...)
	return b
}
