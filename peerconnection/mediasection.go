package peerconnection

import (
	"github.com/plainrtc/plainrtc/rtp/payload"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// What negotiation settles, in the words of the RTP session.

// An encoding is what a sender sends: one, or one for each layer of a simulcast.
type encoding = session.Encoding

// settled is what holds for a section once both sides have described it.
func (s *section) settled() session.Section {
	m := s.mediaSection()
	direction := s.local.direction & s.remote.direction.Reverse()
	// What the peer says it receives, we send as it says; what we say, we receive. The
	// answerer's order counts.
	var received [128]bool
	agree := func(mine, theirs codec) {
		common := mine.feedback & theirs.feedback
		mine.feedback, theirs.feedback = common, common
		if mine.rtx == 0 || theirs.rtx == 0 {
			mine.rtx, theirs.rtx = 0, 0
		}
		if receives(direction) && !received[mine.payloadType] {
			received[mine.payloadType] = true
			m.Receive = append(m.Receive, mine.media())
		}
		if sends(direction) {
			m.Send = append(m.Send, theirs.media())
		}
	}
	if s.answered {
		for _, mine := range s.local.codecs {
			if i := s.remote.like(&mine); i >= 0 {
				agree(mine, s.remote.codecs[i])
			}
		}
	} else {
		for _, theirs := range s.remote.codecs {
			if i := s.local.like(&theirs); i >= 0 {
				agree(s.local.codecs[i], theirs)
			}
		}
	}
	for _, e := range s.local.extensions {
		if s.remote.extension(e.extension) == e.id {
			m.Extensions.Set(e.extension, e.id)
		}
	}
	m.MixedExtensions = s.local.mixed && s.remote.mixed
	m.ReducedSize = s.local.reducedSize && s.remote.reducedSize
	m.Sources = s.remote.sources
	m.MaxBitrate, m.SessionMaxBitrate = s.remote.bandwidth, s.remote.sessionBandwidth
	if receives(direction) {
		m.RIDs = s.local.receiveRIDs
	}
	return m
}

// early is what may come in from the moment that an offer is set, before the answer
// is there: "Once the offerer has sent the offer, it MUST be prepared to receive media
// for any recvonly streams described by that offer. It MUST be prepared to send and
// receive media for any sendrecv streams in the offer" (RFC 3264, Section 5.1). What was settled before goes on.
func (s *section) early(former session.Section) session.Section {
	m := s.mediaSection()
	m.Send, m.Sources, m.RIDs, m.Receive = former.Send, former.Sources, former.RIDs, former.Receive
	m.MixedExtensions, m.ReducedSize, m.Extensions = former.MixedExtensions, former.ReducedSize, former.Extensions
	m.MaxBitrate, m.SessionMaxBitrate = former.MaxBitrate, former.SessionMaxBitrate
	if former.MID == "" {
		m.MixedExtensions, m.ReducedSize = s.local.mixed, s.local.reducedSize
	}
	for _, e := range s.local.extensions {
		if m.Extensions.ID(e.extension) == 0 && m.Extensions.Extension(e.id) == 0 {
			m.Extensions.Set(e.extension, e.id)
		}
	}
	if !receives(s.local.direction) {
		return m
	}
	var taken [128]bool
	for _, c := range m.Receive {
		taken[c.PayloadType] = true
		if c.RTX != 0 {
			taken[c.RTX] = true
		}
	}
	m.Receive = m.Receive[:len(m.Receive):len(m.Receive)]
	for _, c := range s.local.codecs {
		if taken[c.payloadType] || c.rtx != 0 && taken[c.rtx] {
			continue
		}
		m.Receive = append(m.Receive, c.media())
	}
	return m
}

func (s *section) mediaSection() session.Section {
	kind := session.Audio
	if s.kind == string(KindVideo) {
		kind = session.Video
	}
	return session.Section{MID: s.mid, Kind: kind}
}

// media is the codec in the words of the RTP session.
func (c *codec) media() session.Codec {
	format, _ := payload.FormatByName(c.name)
	return session.Codec{
		PayloadType: c.payloadType, Name: c.name, Format: format, ClockRate: c.clockRate, Channels: int(c.channels),
		FMTP: c.fmtp, RTX: c.rtx,
		NACK: c.feedback.has(feedbackNACK), PLI: c.feedback.has(feedbackPLI), FIR: c.feedback.has(feedbackFIR),
		TWCC: c.feedback.has(feedbackTWCC), REMB: c.feedback.has(feedbackREMB), CCFB: c.feedback.has(feedbackCCFB),
	}
}
