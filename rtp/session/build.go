package session

import (
	"encoding/binary"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// passedOn are the header extensions that speak of the media, and so stay with it
// from hop to hop. The others speak of a transport or of a session.
var passedOn = [...]bool{
	rtp.ExtAudioLevel:            true,
	rtp.ExtMixerAudioLevels:      true,
	rtp.ExtAbsCaptureTime:        true,
	rtp.ExtVideoOrientation:      true,
	rtp.ExtPlayoutDelay:          true,
	rtp.ExtVideoContentType:      true,
	rtp.ExtVideoTiming:           true,
	rtp.ExtColorSpace:            true,
	rtp.ExtDependencyDescriptor:  true,
	rtp.ExtVideoLayersAllocation: false, // of all layers of a simulcast, of which one is passed on
}

// appendSlot builds a packet as it leaves, or leaves again: another header, the
// extensions that this transport wants, and the bytes of its media as they are.
func (s *Session) appendSlot(now time.Time, b []byte, e *encoding, v *slot, repair bool) []byte {
	start, at, p := len(b), s.since(now), v.packet
	h := rtp.Header{Marker: p.Marker(), PayloadType: v.codec.PayloadType, SequenceNumber: v.sequence, Timestamp: v.timestamp, SSRC: e.SSRC}
	heard := e.heard
	if repair {
		h.PayloadType, h.SSRC, h.SequenceNumber = v.codec.RTX, e.RTX, e.rtxSequence
		e.rtxSequence++
		heard = e.rtxHeard
	}
	if p.Bytes()[0]&0x0f != 0 {
		n := 0
		for csrc := range p.CSRCs() {
			s.csrcs[n] = csrc
			n++
		}
		h.CSRCs = s.csrcs[:n]
	}
	x := rtp.NewBuilder(b, h)
	add := func(id uint8, value []byte) {
		if id != 0 && e.fits(id, value) {
			x.Add(id, value)
		}
	}
	frameNumber := -1
	if v.ids != nil {
		for id, value := range p.Extensions() {
			k := v.ids.Extension(id)
			if int(k) < len(passedOn) && passedOn[k] {
				add(e.ids.ID(k), value)
				if k == rtp.ExtDependencyDescriptor && v.shift.frame != 0 && len(value) >= 3 {
					frameNumber = int(binary.BigEndian.Uint16(value[1:]) + v.shift.frame)
				}
			}
		}
	}
	if !heard {
		e.identify(&x, repair)
	}
	number, numbered := s.stampDeparture(now, &x, e)
	b = x.Bytes()
	if frameNumber >= 0 {
		s.shiftFrame(b[start:], e, uint16(frameNumber))
	}
	body := len(b)
	wrapped := !repair && v.group != 0 && e.protection.red != nil
	switch {
	case repair:
		b = payload.AppendRTX(b, v.sequence, p.Payload())
		body += 2
	case wrapped:
		b = append(append(b, v.codec.PayloadType), p.Payload()...)
		body++
	default:
		b = append(b, p.Payload()...)
	}
	if v.shift.id != 0 || v.shift.tl0 != 0 {
		v.shift.apply(v.codec.Format, b[body:])
	}
	if v.group != 0 && !repair {
		header := b[start:body]
		if wrapped {
			header = b[start : body-1]
		}
		e.protection.left(v, header, b[body:], s.cfg.MTU)
		if wrapped {
			header[1] = header[1]&0x80 | e.protection.red.PayloadType
		}
	}
	e.sentPacket(now, at, v, len(b)-body, len(b)-start, repair)
	s.scheduleReport(now)
	if numbered {
		s.congestion.Sent(now, number, len(b)-start)
		if repair {
			e.repairNumbers[h.SequenceNumber&(repairNumbers-1)] = repairNumber{true, h.SequenceNumber, number}
		} else {
			v.number = number
		}
	}
	return b
}

// identify adds the header extensions that say what a source is: its section, and its layer.
func (e *encoding) identify(x *rtp.Builder, repair bool) {
	add := func(id uint8, value []byte) {
		if id != 0 && e.fits(id, value) {
			x.Add(id, value)
		}
	}
	add(e.ids.ID(rtp.ExtMID), e.sender.midText)
	switch {
	case e.RID == "":
	case repair:
		add(e.ids.ID(rtp.ExtRepairedRID), e.ridText)
	default:
		add(e.ids.ID(rtp.ExtRID), e.ridText)
	}
}

// fits reports whether a header extension may be sent. Only with a=extmap-allow-mixed may a stream have
// both forms (RFC 8285, Section 4.1.2). Without it, what does not fit the short form is left
// out.
func (e *encoding) fits(id uint8, value []byte) bool {
	return e.sender.section.MixedExtensions || id <= 14 && len(value) >= 1 && len(value) <= 16
}

// shiftFrame writes the frame_number of the dependency descriptor: the two bytes
// behind the first.
func (s *Session) shiftFrame(packet []byte, e *encoding, number uint16) {
	p, err := rtp.Parse(packet)
	if err != nil {
		panic("BUG: a header that was just made does not parse")
	}
	if value, ok := p.Extension(e.ids.ID(rtp.ExtDependencyDescriptor)); ok && len(value) >= 3 {
		binary.BigEndian.PutUint16(value[1:], number)
	}
}

// apply changes the numbers of a picture in a payload.
func (x shift) apply(f payload.Format, b []byte) {
	var id, tl0 place
	switch f {
	case payload.VP8:
		id, tl0, _ = vp8Numbers(b)
	case payload.VP9:
		id, tl0, _ = vp9Numbers(b)
	}
	id.add(b, x.id)
	tl0.add8(b, x.tl0)
}

// sentPacket counts a packet that leaves.
func (e *encoding) sentPacket(now time.Time, at time.Duration, v *slot, body, size int, repair bool) {
	if !repair {
		e.stats.delay += at - v.at
	}
	v.at = at
	if repair {
		v.queued = false
		v.resent++
		e.stats.repairs++
		e.stats.repairedBytes += uint64(body)
	} else {
		v.sent = true
		e.answered.credit = min(e.answered.credit+size, maxCredit)
		e.report.packets++
		e.report.octets += uint32(body)
		e.report.latest = now
	}
	e.stats.packets++
	e.stats.bytes += uint64(body)
	e.stats.headerBytes += uint64(size - body)
	e.stats.last = now
}
