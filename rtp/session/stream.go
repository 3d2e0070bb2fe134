package session

import (
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/fec"
	"github.com/plainrtc/plainrtc/rtp/jitter"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A Delivery is how a stream is read: in one way, or in both.
type Delivery uint8

// The ways. Latest is that nobody said yet: the latest packets are kept.
const (
	Packets Delivery = 1 << iota // by NextPacket
	Frames                       // by NextFrame, through a jitter buffer
	Nothing                      // not at all
	Latest  Delivery = 0
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
	rtx, fec uint32 // the SSRCs of its retransmissions and of its repair packets; 0: not known
	ended    bool
	codec    *Codec // of the latest packet
	delivery Delivery
	packets  fifo[Packet]
	frames   *jitter.Buffer // with delivery Frames
	frameIDs rtp.ExtensionMap
	sync     *lipSync
	ready    bool // it is on the session's list

	reception reception

	arrivals, rtxArrivals, fecArrivals arrivalLog // with RFC 8888

	nack     nackList
	parity   *fec.Decoder // nil: no repair packet has come
	times    *audioTimes  // nil: no redundant audio has come
	keyframe keyframeRequest
	report   remoteReport // the latest SR
	tone     inboundTone
	stats    inboundStats
}

// Codec returns the codec of the latest packet; nil before the first.
func (st *Stream) Codec() *Codec { return st.codec }

// Ended reports whether nothing more can come.
func (st *Stream) Ended() bool { return st.ended }

// Deliver says how the stream is to be read. Packets that wait go along into a jitter buffer.
func (st *Stream) Deliver(now time.Time, d Delivery) {
	if st.delivery == d {
		return
	}
	st.delivery = d
	switch {
	case d&Frames == 0:
		st.frames = nil
	case st.frames == nil:
		st.buffer()
		for p := range st.packets.all() {
			st.frames.Receive(p.Arrival, p.Packet, p.Codec.jitter())
		}
		if st.ended {
			st.frames.Flush()
		}
	}
	if !st.keeps() {
		st.packets = fifo[Packet]{}
	}
	st.session.awaken(now, st)
}

// Flush has what the jitter buffer holds handed out at once, when nothing more is to be waited
// for. A stream that has ended was flushed.
func (st *Stream) Flush() {
	if st.frames != nil {
		st.frames.Flush()
	}
}

// keeps reports whether packets are kept for NextPacket.
func (st *Stream) keeps() bool { return st.delivery == Latest || st.delivery&Packets != 0 }

// NextStream returns a stream that has something to read, each once: read all that
// it has.
func (s *Session) NextStream() (*Stream, bool) {
	for len(s.ready) > 0 {
		st := s.ready[0]
		copy(s.ready, s.ready[1:])
		s.ready = s.ready[:len(s.ready)-1]
		st.ready = false
		if st.packets.len() > 0 || st.frames != nil {
			return st, true
		}
	}
	return nil, false
}

// awaken puts a stream on the list of those that have something to read.
func (s *Session) awaken(now time.Time, st *Stream) {
	if !st.ready {
		st.ready = true
		s.ready = append(s.ready, st)
	}
}

// NextPacket returns the next packet in the order of arrival: each once, without
// duplicates, retransmissions unwrapped.
func (st *Stream) NextPacket() (Packet, bool) { return st.packets.pop() }

// receive takes a packet of a stream's own source.
func (s *Session) receive(now time.Time, st *Stream, p rtp.Packet) {
	x, reason := st.section.open(p.PayloadType(), p.Payload())
	if reason != "" {
		s.drop(now, reason, len(p.Bytes()))
		return
	}
	codec := x.codec
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
	if ext == st.reception.highest && x.role != event { // the timestamp of an event is when it began
		st.reception.measure(s.since(now), p.Timestamp(), codec.ClockRate)
	}
	switch x.role {
	case event:
		s.missing(now, st, codec, ext, ahead)
		s.receiveTone(now, st, codec, p)
	case ulpfec:
		if st.codec != nil { // whose feedback tells whether to ask for what is missing
			s.missing(now, st, st.codec, ext, ahead)
		}
		s.receiveULP(now, st, p, x.body)
		return
	default:
		s.missing(now, st, codec, ext, ahead)
		st.codec = codec
	}
	if st.times != nil || x.wrapped && st.Kind == Audio {
		if st.times == nil {
			st.times = new(audioTimes)
		}
		if x.wrapped {
			s.receiveRedundancy(now, st, ext, p)
		}
		st.times.note(ext, p.Timestamp(), len(x.body) > 0)
	}
	s.deliver(now, st, x, p)
}

// deliver hands a packet that arrived to whoever reads the stream.
func (s *Session) deliver(now time.Time, st *Stream, x content, p rtp.Packet) {
	info := st.inspect(x.codec, x.body)
	o := p
	switch n := p.HeaderSize() + len(x.body); {
	case st.keeps():
		o = rebuild(s.slab.take(n), p, x.body)
		o.SetPayloadType(x.codec.PayloadType)
	case x.wrapped:
		s.original = slices.Grow(s.original[:0], n)[:n]
		o = rebuild(s.original, p, x.body)
		o.SetPayloadType(x.codec.PayloadType)
	}
	if st.frames != nil {
		st.frames.Receive(now, o, x.codec.jitter())
		s.awaken(now, st)
	}
	if st.keeps() {
		s.keep(now, st, x.codec, info, o)
	}
	if x.wrapped {
		s.protected(now, st, o)
	} else {
		s.protected(now, st, p)
	}
}

// receiveRTX takes a retransmission. RFC 4588, Section 4.
func (s *Session) receiveRTX(now time.Time, r *route, p rtp.Packet) {
	st, size := r.stream, len(p.Bytes())
	i := st.section.rtx[p.PayloadType()]
	if i == 0 {
		s.drop(now, dropPayloadType, size)
		return
	}
	seq, original, ok := payload.ParseRTX(p.Payload())
	if !ok {
		s.drop(now, dropProbe, size)
		return
	}
	x, reason := st.section.open(st.section.Receive[i-1].PayloadType, original)
	if reason == "" && x.role == ulpfec {
		reason = dropPayloadType
	}
	if reason != "" {
		s.drop(now, reason, size)
		return
	}
	codec := x.codec
	original = x.body
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
	st.nack.remove(ext)
	info := st.inspect(codec, original)
	if st.delivery == Nothing {
		return
	}
	var b []byte
	if n := p.HeaderSize() + len(original); st.keeps() {
		b = s.slab.take(n)
	} else {
		s.original = slices.Grow(s.original[:0], n)[:n] // the jitter buffer copies
		b = s.original
	}
	o := rebuild(b, p, original)
	o.SetSequenceNumber(seq)
	o.SetPayloadType(codec.PayloadType)
	o.SetSSRC(st.SSRC)
	if st.frames != nil {
		st.frames.Recover(now, o, codec.jitter())
		s.awaken(now, st)
	}
	if st.keeps() {
		s.keep(now, st, codec, info, o)
	}
}

// rebuild writes a packet with another payload, and without padding, to b.
func rebuild(b []byte, p rtp.Packet, body []byte) rtp.Packet {
	copy(b[copy(b, p.Bytes()[:p.HeaderSize()]):], body)
	b[0] &^= 0x20
	o, err := rtp.Parse(b)
	if err != nil {
		panic("BUG: a packet that was parsed before does not parse any more")
	}
	return o
}

// keep keeps a packet for whoever reads the stream.
func (s *Session) keep(now time.Time, st *Stream, codec *Codec, info payload.Info, parsed rtp.Packet) {
	p := Packet{
		Packet: parsed, Arrival: now, Sampled: st.sampled(now, codec, parsed.Timestamp()),
		Codec: codec, Start: info.Start, Key: info.Key, source: st, ids: st.section.ids,
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
	s.awaken(now, st)
}
