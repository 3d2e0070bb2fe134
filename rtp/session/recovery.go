package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/fec"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// Forward error correction of what arrives: by ULPFEC (RFC 5109), whose packets stand
// among those of the media, wrapped in RED (RFC 2198); or by FlexFEC, in a stream of its
// own.

// receiveULP takes a repair packet that has its place among a stream's packets. That place is left
// to a packet without payload, so that readers do not take it for lost.
func (s *Session) receiveULP(now time.Time, st *Stream, p rtp.Packet, body []byte) {
	if st.frames != nil {
		st.frames.Receive(now, p, noMedia)
		s.awaken(now, st)
	}
	if st.keeps() && st.codec != nil {
		o := rebuild(s.slab.take(p.HeaderSize()), p, nil)
		o.SetMarker(false)
		o.SetPayloadType(st.codec.PayloadType)
		s.keep(now, st, st.codec, payload.Info{}, o)
	}
	s.receiveRepair(now, st, fec.ULP, body)
}

// receiveFlex takes a packet of a FlexFEC stream.
func (s *Session) receiveFlex(now time.Time, st *Stream, p rtp.Packet) {
	if st.section.roles[p.PayloadType()] != flexfec {
		s.drop(now, dropPayloadType, len(p.Bytes()))
		return
	}
	s.receiveRepair(now, st, fec.Flex, p.Payload())
}

// receiveRepair takes a repair packet, and what it brings back.
func (s *Session) receiveRepair(now time.Time, st *Stream, format fec.Format, body []byte) {
	if st.parity == nil || st.parity.Format != format {
		st.parity = &fec.Decoder{Format: format, Extensions: st.section.ids}
		st.tellRTT()
	}
	st.stats.fecPackets++
	st.stats.fecBytes += uint64(len(body))
	st.parity.Repair(body)
	s.takeRecovered(now, st)
}

// protected takes a packet that arrived for what repair packets may say of it. What came as a
// retransmission is none of these: it has other header extensions.
func (s *Session) protected(now time.Time, st *Stream, p rtp.Packet) {
	if st.parity != nil {
		st.parity.Receive(p)
		s.takeRecovered(now, st)
	}
}

func (s *Session) takeRecovered(now time.Time, st *Stream) {
	for p, ok := st.parity.Next(); ok; p, ok = st.parity.Next() {
		s.recovered(now, st, p)
	}
}

// recovered takes a packet that error correction brought back, as if it had arrived; except that
// reports go on to call it lost, for so it was on the way, and that is what the sender
// protects against. It returns false when the packet is of no use.
func (s *Session) recovered(now time.Time, st *Stream, p rtp.Packet) bool {
	x, reason := st.section.open(p.PayloadType(), p.Payload())
	if reason != "" || x.wrapped || x.role == ulpfec {
		s.drop(now, dropRecovered, len(p.Bytes()))
		return false
	}
	ext, ahead, reason := st.reception.take(p.SequenceNumber(), true)
	if reason != "" {
		return false // it has arrived, or came again, in the meantime
	}
	st.stats.packets++
	st.stats.recovered++
	if ahead > 0 {
		s.missing(now, st, x.codec, ext, ahead)
	}
	st.nack.remove(ext)
	if x.role == event {
		s.receiveTone(now, st, x.codec, p)
	}
	info := st.inspect(x.codec, x.body)
	if st.frames != nil {
		st.frames.Recover(now, p, x.codec.jitter())
		s.awaken(now, st)
	}
	if st.keeps() {
		s.keep(now, st, x.codec, info, rebuild(s.slab.take(p.HeaderSize()+len(x.body)), p, x.body))
	}
	return true
}

// learnFlex finds what a FlexFEC stream protects: it says so itself.
func (s *Session) learnFlex(ssrc uint32, c *section, p rtp.Packet) (*route, string) {
	of, ok := fec.Flex.Protects(p.Payload())
	known := s.demux.routes[of]
	if !ok || known == nil || known.kind != ownPackets || known.stream.section != c {
		return nil, dropUnknownRepair
	}
	st := known.stream
	if st.fec != 0 && st.fec != ssrc {
		delete(s.demux.routes, st.fec) // one each: the latest
		s.demux.last = nil
	}
	st.fec = ssrc
	r := &route{stream: st, kind: repairPackets}
	s.demux.routes[ssrc] = r
	return r, ""
}
