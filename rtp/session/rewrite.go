package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A rewrite makes one stream of what comes from several sources, one after the
// other: sequence numbers and timestamps go on where those of the source before
// ended, and so do the numbers of pictures that decoders look at.
type rewrite struct {
	next      uint16    // the sequence number behind the highest so far
	timestamp uint32    // of the latest packet in the order of sending
	at        time.Time // when it was written
	sampled   time.Time // what time its timestamp stands for

	source source // whose packets are passed on now
	offset uint16 // added to its sequence numbers
	stamps uint32 // added to its timestamps
	run    int    // how many sequence numbers it has taken
	shift  shift  // of its pictures

	pictures pictures // the highest so far

	from *Codec // of the source's latest packet
	to   *Codec // what it is sent as
}

// A source is where packets come from. The zero source is none.
type source struct {
	stream *Stream
	ssrc   uint32
	frames bool
}

// frames is WriteFrame as a source.
var frames = source{frames: true}

// switchTo makes another source follow. timestamp is that of its first packet. The
// time between the two is what passed between their last and first packet.
func (r *rewrite) switchTo(now time.Time, e *encoding, from source, timestamp uint32) {
	if r.source == from {
		return
	}
	first := r.at.IsZero()
	r.source, r.run = from, 0
	if first {
		r.stamps = r.timestamp - timestamp // the random beginning
		return
	}
	// At least one tick: two frames must not share a timestamp.
	r.stamps = r.timestamp + max(1, ticks(now.Sub(r.at), e.codec.ClockRate)) - timestamp
}

// pause makes whatever follows a new source: what it sends meanwhile leaves no gap.
func (r *rewrite) pause() { r.source = source{} }

// append takes the next sequence number.
func (r *rewrite) append() uint16 {
	r.next, r.run = r.next+1, r.run+1
	return r.next - 1
}

// stamp converts a timestamp of the source, and remembers when it was.
func (r *rewrite) stamp(now, sampled time.Time, timestamp uint32) uint32 {
	out := timestamp + r.stamps
	if r.at.IsZero() || int32(out-r.timestamp) > 0 {
		if sampled.IsZero() {
			sampled = now
		}
		r.timestamp, r.at, r.sampled = out, now, sampled
	}
	return out
}

// WritePacket passes a packet on as the next one of an encoding, or in its place
// among those before: its source's order and gaps are kept. The bytes are not copied.
//
// When packets come from another source than before, video goes on with a key frame:
// until one starts, packets are not taken, and the event KeyframeRequested asks for
// it. taken tells.
func (x *Sender) WritePacket(now time.Time, encoding int, p Packet) (taken bool, err error) {
	e, err := x.open(encoding)
	if err != nil {
		return false, err
	}
	if encoding == 0 && x.tones.playing {
		return false, nil // tones take the place of audio
	}
	s := x.session
	r := &e.rewrite
	if r.to == nil || r.from != p.Codec {
		if r.to = x.section.codecFor(p.Codec, e.codec); r.to == nil {
			return false, ErrCodec
		}
		r.from = p.Codec
	}
	from := source{stream: p.source, ssrc: p.SSRC()}
	sequence := p.SequenceNumber()
	ahead := int(int16(sequence + r.offset - r.next)) // of the next number
	if r.source == from && (ahead > maxDropout || ahead < -maxMisorder) {
		r.source = source{} // it started over
	}
	if r.source != from {
		if x.section.Kind == Video && !(p.Start && p.Key) {
			s.wantKeyframe(now, e)
			return false, nil
		}
		r.switchTo(now, e, from, p.Timestamp())
		r.offset, ahead = r.next-sequence, 0
		r.shift = shift{}
		if n, ok := picturesOf(&p, p.ids); ok && r.pictures.known {
			r.shift = r.pictures.follow(n)
		}
	}
	if -ahead > r.run {
		return false, nil // from before the switch: its number belongs to the source before
	}
	out := sequence + r.offset
	v := e.history.put(out, s.since(now))
	if v == nil {
		return false, nil // a duplicate
	}
	if ahead >= 0 {
		r.next, r.run = out+1, r.run+ahead+1
	}
	if n, ok := picturesOf(&p, p.ids); ok {
		r.pictures.saw(n, r.shift)
	}
	v.packet, v.ids, v.codec, v.shift = p.Packet, p.ids, r.to, r.shift
	v.timestamp = r.stamp(now, p.Sampled, p.Timestamp())
	if p.Marker() || x.section.Kind == Audio {
		e.stats.frames++
	}
	if p.Start && p.Key && x.section.Kind == Video && p.Codec != nil && p.Codec.Format != 0 {
		e.requested.answered(now) // of others nobody knows
		s.headers = e.stats.size.seePacket(p.Codec, p.Payload(), s.headers)
	}
	// FlexFEC has numbers of its own. ULPFEC takes those of the media, which here are the source's.
	flex := e.protection.flex != nil && ahead >= 0
	if flex {
		e.protection.beginFrame(e)
		v.group = e.protection.take(e)
	}
	s.queue.push(e, v)
	if flex && p.Marker() {
		e.protection.endFrame(e)
	}
	if p.source != nil && !e.audio() {
		s.queue.pacer.passOn(len(p.Bytes()))
	}
	return true, nil
}

// codecFor finds what a packet is sent as.
func (c *section) codecFor(from, chosen *Codec) *Codec {
	if from == nil {
		return chosen
	}
	if chosen.decodes(from) {
		return chosen
	}
	for i := range c.Send {
		if c.Send[i].decodes(from) {
			return &c.Send[i]
		}
	}
	return nil
}

// pictures are the numbers that a packet gives to pictures, as far as it has them.
type pictures struct {
	known bool
	id    uint16 // PictureID of VP8 and VP9
	tl0   uint8  // TL0PICIDX
	frame uint16 // frame_number of the dependency descriptor
}

// A shift is what is added to them.
type shift struct {
	id    uint16
	tl0   uint8
	frame uint16
}

// picturesOf reads the numbers.
func picturesOf(p *Packet, ids *rtp.ExtensionMap) (n pictures, ok bool) {
	if p.Codec == nil || p.Codec.Format < payload.VP8 {
		return pictures{}, false
	}
	switch p.Codec.Format {
	case payload.VP8:
		if id, tl0, has := vp8Numbers(p.Payload()); has {
			n.id, n.tl0, n.known = id.get(p.Payload()), tl0.get8(p.Payload()), true
		}
	case payload.VP9:
		if id, tl0, has := vp9Numbers(p.Payload()); has {
			n.id, n.tl0, n.known = id.get(p.Payload()), tl0.get8(p.Payload()), true
		}
	}
	if ids != nil {
		if value, has := p.Extension(ids.ID(rtp.ExtDependencyDescriptor)); has && len(value) >= 3 && ids.ID(rtp.ExtDependencyDescriptor) != 0 {
			n.frame, n.known = uint16(value[1])<<8|uint16(value[2]), true
		}
	}
	return n, n.known
}

// follow returns the shift that makes n the picture behind the highest so far.
func (r *pictures) follow(n pictures) shift {
	return shift{id: r.id + 1 - n.id, tl0: r.tl0 + 1 - n.tl0, frame: r.frame + 1 - n.frame}
}

// saw remembers the highest numbers sent.
func (r *pictures) saw(n pictures, by shift) {
	id, tl0, frame := (n.id+by.id)&0x7fff, n.tl0+by.tl0, n.frame+by.frame
	if !r.known {
		*r = pictures{known: true, id: id, tl0: tl0, frame: frame}
		return
	}
	if (id-r.id)&0x7fff < 0x4000 {
		r.id = id
	}
	if int8(tl0-r.tl0) > 0 {
		r.tl0 = tl0
	}
	if int16(frame-r.frame) > 0 {
		r.frame = frame
	}
}

// A place is where a number stands in a payload; of size 0: it does not.
type place struct{ at, size int8 }

func (l place) get(b []byte) uint16 {
	switch l.size {
	case 1:
		return uint16(b[l.at] & 0x7f)
	case 2:
		return uint16(b[l.at]&0x7f)<<8 | uint16(b[l.at+1])
	}
	return 0
}

func (l place) get8(b []byte) uint8 {
	if l.size == 0 {
		return 0
	}
	return b[l.at]
}

// add changes a picture id where it stands, in its width.
func (l place) add(b []byte, by uint16) {
	v := l.get(b) + by
	switch l.size {
	case 1:
		b[l.at] = byte(v & 0x7f)
	case 2:
		b[l.at] = 0x80 | byte(v>>8&0x7f)
		b[l.at+1] = byte(v)
	}
}

func (l place) add8(b []byte, by uint8) {
	if l.size > 0 {
		b[l.at] += by
	}
}

// vp8Numbers finds PictureID and TL0PICIDX in a descriptor (see payload.VP8Descriptor).
func vp8Numbers(b []byte) (id, tl0 place, ok bool) {
	if len(b) < 6 || b[0]&0x80 == 0 { // the descriptor, and some of a frame
		return place{}, place{}, false
	}
	at := int8(2)
	if b[1]&0x80 != 0 {
		id = place{at, 1}
		if b[2]&0x80 != 0 {
			id.size = 2
		}
		at += id.size
	}
	if b[1]&0x40 != 0 {
		tl0 = place{at, 1}
	}
	return id, tl0, true
}

// vp9Numbers does the same for VP9 (see payload.VP9Descriptor): TL0PICIDX is there
// with layers in non-flexible mode.
func vp9Numbers(b []byte) (id, tl0 place, ok bool) {
	if len(b) < 6 {
		return place{}, place{}, false
	}
	at := int8(1)
	if b[0]&0x80 != 0 {
		id = place{at, 1}
		if b[1]&0x80 != 0 {
			id.size = 2
		}
		at += id.size
	}
	if b[0]&0x20 != 0 && b[0]&0x10 == 0 {
		tl0 = place{at + 1, 1}
	}
	return id, tl0, id.size > 0
}
