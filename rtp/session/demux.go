package session

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// A demux finds the stream that a packet belongs to, and the section of a stream (RFC 9143,
// Section 9.2).
type demux struct {
	routes map[uint32]*route // by SSRC: what was learned
	last   *route            // of the packet before, which the next is likely to share
	ssrc   uint32

	// Payload types that one section alone has: the payload type table of the RFC.
	byPayloadType [128]*section
}

// A route is where packets of one SSRC go.
type route struct {
	stream *Stream
	kind   routeKind
}

// A routeKind is what packets are to their stream.
type routeKind uint8

const (
	ownPackets      routeKind = iota
	retransmissions           // RFC 4588
	repairPackets             // FlexFEC
)

// A header is what the extensions of a packet say that is of interest here. Its
// slices are of the packet.
type header struct {
	mid, rid, repaired []byte
	sequence           uint16 // transport-wide
	hasSequence        bool
	sendTime           rtp.AbsSendTime
	hasSendTime        bool
}

// header reads the extensions once.
func (s *Session) header(p rtp.Packet) (h header) {
	for id, value := range p.Extensions() {
		switch s.ids.Extension(id) {
		case rtp.ExtMID:
			h.mid = value
		case rtp.ExtRID:
			h.rid = value
		case rtp.ExtRepairedRID:
			h.repaired = value
		case rtp.ExtTransportSequence:
			if len(value) == 2 {
				h.sequence, h.hasSequence = binary.BigEndian.Uint16(value), true
			}
		case rtp.ExtAbsSendTime:
			h.sendTime, h.hasSendTime = rtp.ParseAbsSendTime(value)
		}
	}
	return h
}

// route returns where a packet goes, or why nowhere.
func (s *Session) route(now time.Time, p rtp.Packet, h *header) (*route, string) {
	ssrc := p.SSRC()
	r := s.demux.last
	if r == nil || s.demux.ssrc != ssrc {
		r = s.demux.routes[ssrc]
	}
	// A source may move to another section: "If the packet has a MID and the packet's extended
	// sequence number is greater than that of the last MID update [...], update the MID associated
	// with the RTP stream". Section 9.2. One that comes late does not move it back.
	if r != nil && (len(h.mid) == 0 || string(h.mid) == r.stream.MID || r.kind == ownPackets && !r.stream.reception.ahead(p.SequenceNumber())) {
		s.demux.last, s.demux.ssrc = r, ssrc
		return r, ""
	}
	return s.learn(now, p, h, r)
}

// learn finds the section of a source that is not known, or moved. RFC 9143, Section 9.2.
func (s *Session) learn(now time.Time, p rtp.Packet, h *header, known *route) (*route, string) {
	ssrc := p.SSRC()
	if s.encoding(ssrc) != nil || ssrc == s.local {
		return nil, dropOwnSSRC // a loop, or a collision that DTLS makes the peer's fault
	}
	var c *section
	var declared *Source
	switch {
	case len(h.mid) > 0:
		// "If the MID associated with the RTP stream is not in the table mapping a MID to an
		// "m=" section, then the RTP stream is not decoded, and the payload data is discarded."
		for _, o := range s.sections {
			if o.MID == string(h.mid) {
				c = o
			}
		}
		if c == nil {
			return nil, dropUnknownMID
		}
	case known != nil:
		c = known.stream.section
	default:
		// Then the incoming SSRC mapping table, which a=ssrc lines fill; and then "if the
		// payload type used by the RTP stream is in the payload type table".
		for _, o := range s.sections {
			if o.source(ssrc) != nil {
				c = o
			}
		}
		if c == nil {
			c = s.demux.byPayloadType[p.PayloadType()]
		}
		if c == nil {
			return nil, dropUnrouted
		}
	}
	if len(c.Receive) == 0 {
		return nil, dropNotReceiving
	}
	declared = c.source(ssrc)
	t := p.PayloadType()
	switch {
	case c.rtx[t] != 0:
		return s.learnRepair(ssrc, c, h, declared)
	case c.roles[t] == flexfec:
		return s.learnFlex(ssrc, c, p)
	case c.codecs[t] == 0:
		return nil, dropPayloadType
	}
	rid := string(h.rid)
	if rid != "" && len(c.RIDs) > 0 && !slices.Contains(c.RIDs, rid) {
		return nil, dropUnknownRID
	}
	switch {
	case known == nil:
	case known.kind == retransmissions:
		known.stream.rtx = 0
	case known.kind == repairPackets:
		known.stream.fec = 0
	default:
		s.endStream(now, known.stream, Replaced)
	}
	return s.startStream(now, ssrc, c, rid, declared), ""
}

// learnRepair finds what a retransmission stream repairs: by ssrc-group:FID, by the
// RepairedRtpStreamId, or because there is but one stream.
func (s *Session) learnRepair(ssrc uint32, c *section, h *header, declared *Source) (*route, string) {
	var stream *Stream
	for _, st := range c.streams {
		switch {
		case declared != nil && declared.RTX == ssrc && declared.SSRC != ssrc:
			if st.SSRC == declared.SSRC {
				stream = st
			}
		case len(h.repaired) > 0:
			if st.RID == string(h.repaired) {
				stream = st // the latest with that RID
			}
		case len(c.RIDs) == 0:
			stream = st // the latest, and mostly the only one
		}
	}
	if stream == nil {
		return nil, dropUnknownRepair
	}
	if stream.rtx != 0 && stream.rtx != ssrc {
		delete(s.demux.routes, stream.rtx) // one retransmission stream each: the latest
		s.demux.last = nil
	}
	stream.rtx = ssrc
	r := &route{stream: stream, kind: retransmissions}
	s.demux.routes[ssrc] = r
	return r, ""
}

// source returns what was declared of an SSRC.
func (c *section) source(ssrc uint32) *Source {
	for i := range c.Sources {
		if o := &c.Sources[i]; o.SSRC == ssrc || (o.RTX == ssrc || o.FEC == ssrc) && ssrc != 0 {
			return o
		}
	}
	return nil
}

// startStream makes a stream and its route.
func (s *Session) startStream(now time.Time, ssrc uint32, c *section, rid string, declared *Source) *route {
	// Another source of the same layer takes its place.
	for _, old := range slices.Clone(c.streams) {
		if rid != "" && old.RID == rid {
			s.endStream(now, old, Replaced)
		}
	}
	if len(c.streams) >= c.limit() {
		s.endStream(now, c.streams[0], Replaced)
	}
	st := &Stream{SSRC: ssrc, MID: c.MID, RID: rid, Kind: c.Kind, session: s, section: c, delivery: Latest}
	if declared != nil {
		st.CNAME = declared.CNAME
	}
	c.streams = append(c.streams, st)
	r := &route{stream: st}
	s.demux.routes[ssrc] = r
	s.demux.last, s.demux.ssrc = r, ssrc
	s.events.push(StreamStarted{st})
	return r
}

// endStream forgets a stream and its routes.
func (s *Session) endStream(now time.Time, st *Stream, why EndReason) {
	if st.ended {
		return
	}
	st.ended = true
	c := st.section
	c.streams = slices.DeleteFunc(c.streams, func(o *Stream) bool { return o == st })
	delete(s.demux.routes, st.SSRC)
	if st.rtx != 0 {
		delete(s.demux.routes, st.rtx)
	}
	if st.fec != 0 {
		delete(s.demux.routes, st.fec)
	}
	s.demux.last = nil
	st.nack = nackList{}
	if st.Flush(); st.frames != nil {
		s.awaken(now, st)
	}
	s.events.push(StreamEnded{st, why})
}

// touch moves a stream behind the others, as the one heard most recently.
func (c *section) touch(st *Stream) {
	last := len(c.streams) - 1
	if last < 1 || c.streams[last] == st || len(c.streams) < c.limit() {
		return // the order matters only to who must go
	}
	if i := slices.Index(c.streams, st); i >= 0 {
		copy(c.streams[i:], c.streams[i+1:])
		c.streams[last] = st
	}
}
