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
	if x.role == redundant {
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

// receiveRedundancy takes the older blocks of a packet, for what was lost. "The sequence
// number of [...] the original packets is not recoverable" from what a block says; but senders
// repeat each of the last packets once, as package jitter takes it, too.
func (s *Session) receiveRedundancy(now time.Time, st *Stream, ext int64, p rtp.Packet) {
	at := ext + 1
	for range payload.REDBlocks(p.Payload()) {
		at--
	}
	for r := range payload.REDBlocks(p.Payload()) {
		if at == ext {
			return
		}
		st.stats.fecPackets++
		st.stats.fecBytes += uint64(len(r.Data))
		if !s.receiveBlock(now, st, uint16(at), p.Timestamp()-uint32(r.Offset), r) {
			st.stats.fecDiscarded++
		}
		at++
	}
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
	return s.recovered(now, st, o, false) // the jitter buffer takes it out of the packet itself
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
