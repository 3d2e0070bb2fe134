package session

import (
	"encoding/binary"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A Delivery is how a stream is read.
type Delivery uint8

// The ways.
const (
	Latest  Delivery = iota // nobody said yet: the latest packets are kept
	Packets                 // by NextPacket
	Nothing                 // not at all
)

// How many packets wait to be read. A stream that nobody said anything of yet keeps
// fewer: a frame or two.
const (
	maxUnread = 2048
	maxLatest = 256
)

// A Stream is what arrives from one synchronization source.
type Stream struct {
	SSRC     uint32
	MID, RID string // RID: of which layer; "": there are none
	CNAME    string // as the peer declared it; "": it did not
	Kind     Kind

	session  *Session
	section  *section
	rtx      uint32 // the SSRC of its retransmissions; 0: not known
	ended    bool
	codec    *Codec // of the latest packet
	delivery Delivery
	packets  fifo[Packet]
	ready    bool // it is on the session's list

	reception reception
	nack      nackList
	keyframe  keyframeRequest
	report    remoteReport // the latest SR
	tone      inboundTone
	stats     inboundStats
}

// Codec returns the codec of the latest packet; nil before the first.
func (st *Stream) Codec() *Codec { return st.codec }

// Ended reports whether nothing more can come.
func (st *Stream) Ended() bool { return st.ended }

// Deliver says how the stream is to be read.
func (st *Stream) Deliver(d Delivery) {
	st.delivery = d
	if d == Nothing {
		st.packets = fifo[Packet]{}
	}
}

// NextStream returns a stream that has something to read, each once: read all that
// it has.
func (s *Session) NextStream() (*Stream, bool) {
	for len(s.ready) > 0 {
		st := s.ready[0]
		copy(s.ready, s.ready[1:])
		s.ready = s.ready[:len(s.ready)-1]
		st.ready = false
		if st.packets.len() > 0 {
			return st, true
		}
	}
	return nil, false
}

// NextPacket returns the next packet in the order of arrival: each once, without
// duplicates, retransmissions unwrapped.
func (st *Stream) NextPacket() (Packet, bool) { return st.packets.pop() }

// receive takes a packet of a stream's own source.
func (s *Session) receive(now time.Time, st *Stream, p rtp.Packet) {
	c := st.section
	i := c.codecs[p.PayloadType()]
	if i == 0 {
		s.drop(now, dropPayloadType, len(p.Bytes()))
		return
	}
	codec := &c.Receive[i-1]
	ext, ahead, reason := st.reception.take(p.SequenceNumber(), false)
	if reason != "" {
		if reason == dropDuplicate {
			st.stats.duplicates++
		}
		s.drop(now, reason, len(p.Bytes()))
		return
	}
	st.stats.packets++
	st.stats.bytes += uint64(len(p.Payload()))
	st.stats.headerBytes += uint64(len(p.Bytes()) - len(p.Payload()))
	st.stats.last = now
	if st.report.taken.IsZero() {
		st.report.taken = now
	}
	s.scheduleReport(now)
	if ext == st.reception.highest {
		st.reception.measure(s.since(now), p.Timestamp(), codec.ClockRate)
	}
	s.missing(now, st, codec, ext, ahead)
	if codec.isEvent() {
		s.receiveTone(now, st, codec, p)
	} else {
		st.codec = codec
	}
	s.deliver(now, st, codec, p.Bytes()[:p.HeaderSize()], p.Payload(), p.SequenceNumber(), p.PayloadType(), p.SSRC())
}

// receiveRTX takes a retransmission. RFC 4588, Section 4.
func (s *Session) receiveRTX(now time.Time, r *route, p rtp.Packet) {
	st, size := r.stream, len(p.Bytes())
	i := r.section.rtx[p.PayloadType()]
	if i == 0 {
		s.drop(now, dropPayloadType, size)
		return
	}
	codec := &r.section.Receive[i-1]
	seq, original, ok := payload.ParseRTX(p.Payload())
	if !ok {
		s.drop(now, dropProbe, size)
		return
	}
	ext, _, reason := st.reception.take(seq, true)
	if reason != "" {
		st.stats.uselessRepairs++
		s.drop(now, reason, size)
		return
	}
	st.stats.repaired++
	st.stats.repairedBytes += uint64(len(original))
	st.stats.packets++
	st.stats.bytes += uint64(len(original))
	st.stats.headerBytes += uint64(size - len(original))
	s.repaired(now, st, ext)
	s.deliver(now, st, codec, p.Bytes()[:p.HeaderSize()], original, seq, codec.PayloadType, st.SSRC)
}

// deliver keeps a packet for whoever reads the stream.
func (s *Session) deliver(now time.Time, st *Stream, codec *Codec, head, body []byte, seq uint16, t uint8, ssrc uint32) {
	if st.delivery == Nothing {
		s.watchKeyframe(now, st, codec, body)
		return
	}
	b := s.slab.take(len(head) + len(body))
	copy(b[copy(b, head):], body)
	b[0] &^= 0x20 // the padding is gone
	b[1] = b[1]&0x80 | t
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[8:], ssrc)
	parsed, err := rtp.Parse(b)
	if err != nil {
		panic("BUG: a packet that was parsed before does not parse any more")
	}
	p := Packet{Packet: parsed, Arrival: now, Codec: codec, source: st, ids: st.section.ids}
	p.inspect()
	if p.Key && p.Start {
		s.keyframeArrived(now, st, codec)
	}
	limit := maxUnread
	if st.delivery == Latest {
		limit = maxLatest
	}
	if st.packets.len() >= limit {
		old, _ := st.packets.pop()
		st.stats.discarded++
		s.drop(now, dropUnread, len(old.Bytes()))
	}
	st.packets.push(p)
	if !st.ready {
		st.ready = true
		s.ready = append(s.ready, st)
	}
}
