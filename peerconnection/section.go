package peerconnection

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plainrtc/plainrtc/sdp"
)

// A section is a media description that both sides know.
type section struct {
	mid      string // unique; "" of data channels whose offerer gives them none
	said     string // the mid in the peer's descriptions, "" if it gives none
	kind     string
	protocol string
	formats  []string
	rejected bool
	tag      bool // its transport is that of all (RFC 9143, Section 7.2)

	// Of audio and video that is not rejected: whose it is, and what the two sides say of it.
	transceiver   *Transceiver
	local, remote rtpDescription
	answered      bool // by us
}

func (s *section) isRTP() bool { return s.kind == string(KindAudio) || s.kind == string(KindVideo) }

// dataSection is the index of the data channels' section; -1 when there is none.
func dataSection(sections []section) int {
	return slices.IndexFunc(sections, func(s section) bool { return s.kind == "application" && !s.rejected })
}

// readOffer reads off an offer what we can take of it: the first section of data
// channels, media with a codec that we know, all on one transport. The rest is
// rejected, section by section.
func readOffer(offer *sdp.Session) []section {
	sections := make([]section, 0, len(offer.Media))
	data := false
	for i := range offer.Media {
		m := &offer.Media[i]
		mid, _ := m.MID()
		mid = strings.Clone(mid)
		s := section{mid: mid, said: mid, kind: m.Kind, protocol: m.Protocol, formats: m.Formats, rejected: true}
		switch {
		case m.Rejected():
		case m.IsData():
			s.rejected = data
			data = true
		case isRTP(m):
			s.remote = readRTP(offer, m)
			// "…rtcpMuxPolicy is require": without a=rtcp-mux a section would need two ports.
			s.rejected = !s.remote.mux || len(answerCodecs(Kind(m.Kind), s.remote.codecs, nil)) == 0
		}
		sections = append(sections, s)
	}
	tag, bundled := bundleOf(offer, sections)
	var one claims
	for i := range sections {
		s := &sections[i]
		if s.rejected = s.rejected || !bundled(i); s.rejected || !s.isRTP() {
			continue
		}
		one.claim(&s.remote)
		s.rejected = len(answerCodecs(Kind(s.kind), s.remote.codecs, nil)) == 0
	}
	if tag >= 0 && sections[tag].rejected {
		tag, _ = bundleOf(offer, sections)
	}
	setTag(sections, tag)
	return sections
}

// checkSections: the sections of a new offer are those of the last description, one by
// one, and more may follow (RFC 9429, Section 5.2.2).
func (c *core) checkSections(sections []section) error {
	if len(sections) < len(c.sections) {
		return fmt.Errorf("peerconnection: the remote offer has %d media descriptions where the session has %d: none may be left out",
			len(sections), len(c.sections))
	}
	for i, s := range c.sections {
		o := &sections[i]
		if o.said != s.said && o.said != s.mid && !s.rejected {
			return fmt.Errorf("peerconnection: the remote offer's media description %d has the mid %q where the session has %q", i, o.said, s.mid)
		}
		if o.kind != s.kind && !s.rejected {
			return fmt.Errorf("peerconnection: the remote offer's media description %d is %q where the session has %q", i, o.kind, s.kind)
		}
	}
	return nil
}

// answeredSections reads off an answer which sections of our offer were accepted, and how.
func (c *core) answeredSections(answer *sdp.Session) ([]section, error) {
	if len(answer.Media) != len(c.proposed) {
		return nil, fmt.Errorf("peerconnection: the remote answer has %d media descriptions where the offer has %d", len(answer.Media), len(c.proposed))
	}
	sections := slices.Clone(c.proposed)
	var one claims
	for i := range sections {
		s, m := &sections[i], &answer.Media[i]
		if m.Kind != s.kind {
			return nil, fmt.Errorf("peerconnection: the remote answer's media description %d is %q where the offer's is %q", i, m.Kind, s.kind)
		}
		mid, ok := m.MID()
		if ok && mid != s.mid {
			return nil, fmt.Errorf("peerconnection: the remote answer's media description %d has the mid %q where the offer's has %q", i, mid, s.mid)
		}
		s.said, s.answered = s.mid, false
		if s.rejected && !m.Rejected() && s.isRTP() {
			return nil, fmt.Errorf("peerconnection: the remote answer's media description %d accepts what was not offered", i)
		}
		if s.rejected = s.rejected || m.Rejected(); s.rejected || !s.isRTP() {
			continue
		}
		s.remote = readRTP(answer, m)
		one.claim(&s.remote)
		s.remote.codecs = slices.DeleteFunc(s.remote.codecs, func(theirs codec) bool { return s.local.find(theirs.key) < 0 })
		switch {
		case !hasMedia(s.remote.codecs):
			return nil, fmt.Errorf("peerconnection: the remote answer accepts media description %d (%s) without a codec that was offered", i, s.kind)
		case !s.remote.mux:
			return nil, fmt.Errorf("peerconnection: the remote answer's media description %d (%s) has no a=rtcp-mux: "+
				"RTP and RTCP share a transport here (RFC 8834, Section 4.5)", i, s.kind)
		}
	}
	tag, err := oneTransport(answer, sections)
	if err != nil {
		return nil, err
	}
	setTag(sections, tag)
	return sections, nil
}
