package peerconnection

import (
	"slices"
	"strconv"
	"strings"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/rtp/session"
	"github.com/plainrtc/plainrtc/sctp"
	"github.com/plainrtc/plainrtc/sdp"
)

// Making our descriptions (RFC 9429, Sections 5.2 and 5.3).

// createOffer follows RFC 9429, Sections 5.2.1 and 5.2.2.
func (c *core) createOffer(o *OfferOptions) (SessionDescription, error) {
	switch {
	case c.ended:
		return SessionDescription{}, c.endError("no offer can be made")
	case c.signaling != SignalingStable && c.signaling != SignalingHaveLocalOffer:
		return SessionDescription{}, c.stateError("make an offer")
	}
	var restart ice.Credentials
	if (c.restartWanted || o != nil && o.ICERestart) && c.remote.current != nil {
		restart = ice.NewCredentials(c.cfg.Rand)
	}
	return c.describe(SDPTypeOffer, c.offerSections(), restart, sdp.ActPass, nil), nil
}

// offerSections are the sections of the next offer: those that there are, then one
// for each transceiver that has none, then that of the data channels. A
// transceiver takes the place of a section that was rejected before it takes one
// at the end: "that "m=" section MUST be recycled" (RFC 9429, Section 5.2.2).
func (c *core) offerSections() []section {
	sections := slices.Clone(c.described())
	numbers := number(sections)
	mids := c.midsInUse(sections)
	for i := range sections {
		s := &sections[i]
		if t := s.transceiver; t != nil {
			if s.rejected = t.stopping; !s.rejected {
				s.mid, s.said = t.mid, t.mid
				c.offerRTP(s, numbers)
			}
		}
	}
	for _, t := range c.transceivers {
		if t.mid != "" || t.stopping {
			continue
		}
		s := section{
			mid: mids.next(), kind: string(t.kind), protocol: "UDP/TLS/RTP/SAVPF", transceiver: t,
		}
		s.said = s.mid
		c.offerRTP(&s, numbers)
		if i := c.recyclable(sections); i >= 0 {
			sections[i] = s
		} else {
			sections = append(sections, s)
		}
	}
	if dataSection(sections) < 0 && c.wantsDataSection(sections) {
		mid := mids.next()
		sections = append(sections, section{
			mid: mid, said: mid, kind: "application", protocol: "UDP/DTLS/SCTP", formats: []string{"webrtc-datachannel"},
		})
	}
	setTag(sections, slices.IndexFunc(sections, func(s section) bool { return !s.rejected }))
	return sections
}

// recyclable is the first media section of no use, which has a zero port in the current
// local or remote description; -1 if there is none.
func (c *core) recyclable(sections []section) int {
	for i := range c.sections {
		if c.sections[i].rejected && c.sections[i].isRTP() && sections[i].rejected && sections[i].transceiver == nil {
			return i
		}
	}
	return -1
}

// wantsDataSection reports whether there are data channels that wait for a section,
// or were before any was negotiated.
func (c *core) wantsDataSection(sections []section) bool {
	if len(c.opening) > 0 || len(c.channels) > 0 {
		return true
	}
	return c.channelsMade > 0 && !slices.ContainsFunc(sections, func(s section) bool { return s.kind == "application" })
}

// mids hands out mids.
type mids struct {
	used map[string]bool
	from int
}

// midsInUse knows those that stand for something, or have in this session.
func (c *core) midsInUse(sections []section) *mids {
	m := &mids{used: map[string]bool{}, from: c.firstMID}
	for _, s := range sections {
		m.used[s.mid] = true
	}
	for _, t := range c.transceivers {
		m.used[t.mid] = true
	}
	return m
}

// next is the lowest number that is not in use, for packets carry it.
func (m *mids) next() string {
	for i := m.from; ; i++ {
		if mid := strconv.Itoa(i); !m.used[mid] {
			m.used[mid] = true
			return mid
		}
	}
}

// offerRTP fills in what our offer says of a transceiver's section.
func (c *core) offerRTP(s *section, numbers *numbering) {
	t := s.transceiver
	d := rtpDescription{
		direction: t.direction.bits(), codecs: numbers.offered(t.kind, t.preferred),
		extensions: numbers.offeredExtensions(t.kind),
		mux:        true, mixed: true, reducedSize: true, receiverReports: true, cryptex: true,
	}
	if sends(d.direction) {
		d.sendRIDs = rids(t.encodings)
	}
	if receives(d.direction) {
		d.receiveRIDs = t.receiveRIDs
	}
	d.simulcast = len(d.sendRIDs) > 1 || len(d.receiveRIDs) > 1
	c.describeSource(t, &d)
	s.local, s.formats = d, d.formats()
}

// describeSource says what a transceiver sends.
func (c *core) describeSource(t *Transceiver, d *rtpDescription) {
	if !sends(d.direction) {
		return
	}
	d.streams, d.track = t.sender.streams, t.sender.id
	if len(d.sendRIDs) > 0 {
		return
	}
	source := session.Source{SSRC: t.encodings[0].SSRC, CNAME: c.cname}
	if slices.ContainsFunc(d.codecs, func(c codec) bool { return c.rtx != 0 }) {
		source.RTX = t.encodings[0].RTX
	}
	if slices.ContainsFunc(d.codecs, func(c codec) bool { return strings.EqualFold(c.name, "flexfec-03") }) {
		e := &t.encodings[0]
		for e.FEC == 0 || e.FEC == e.SSRC || e.FEC == e.RTX {
			e.FEC, _ = c.newSources()
		}
		source.FEC = e.FEC
	}
	d.sources = []session.Source{source}
}

// createAnswer follows RFC 9429, Sections 5.3.1 and 5.3.2.
func (c *core) createAnswer() (SessionDescription, error) {
	switch {
	case c.ended:
		return SessionDescription{}, c.endError("no answer can be made")
	case c.signaling != SignalingHaveRemoteOffer && c.signaling != SignalingHaveLocalPranswer:
		return SessionDescription{}, c.stateError("make an answer")
	}
	offer := c.remote.pending.session
	sections := slices.Clone(c.remote.pending.sections)
	for i := range sections {
		s := &sections[i]
		if s.isRTP() && !s.rejected {
			s.rejected = !c.answerRTP(s)
		}
		if s.rejected && i < len(offer.Media) {
			s.formats = offer.Media[i].Formats
		}
	}
	setup := c.setup
	var restart ice.Credentials
	// The section whose transport it was may have been rejected here, and the next one's may
	// be another that can't be used.
	for {
		tag, _ := bundleOf(offer, sections)
		setTag(sections, tag)
		if tag < 0 {
			break
		}
		t, err := c.readTransport(offer, &offer.Media[tag], false)
		if err != nil {
			sections[tag].rejected, sections[tag].formats = true, offer.Media[tag].Formats
			continue
		}
		if setup == "" {
			setup = t.Setup.Answer()
		}
		if c.isRestart(t) {
			// "the answerer MUST … change both the ice-pwd and the ice-ufrag"
			// (RFC 8839, Section 4.4.1.1.1).
			restart = ice.NewCredentials(c.cfg.Rand)
		}
		break
	}
	return c.describe(SDPTypeAnswer, sections, restart, setup, offer), nil
}

// answerRTP fills in what our answer says of a section, and reports whether it is accepted.
func (c *core) answerRTP(s *section) bool {
	t := s.transceiver
	if t == nil || t.stopping {
		return false
	}
	d := rtpDescription{
		direction: t.direction.bits() & s.remote.direction.Reverse(),
		codecs:    answerCodecs(t.kind, s.remote.codecs, t.preferred),
		mux:       true, mixed: s.remote.mixed, reducedSize: s.remote.reducedSize,
		receiverReports: s.remote.receiverReports, cryptex: s.remote.cryptex,
	}
	if len(d.codecs) == 0 {
		return false
	}
	ccfb := slices.ContainsFunc(d.codecs, func(c codec) bool { return c.feedback.has(feedbackCCFB) })
	d.extensions = answerExtensions(t.kind, s.remote.extensions, ccfb)
	d.answerLayers(&s.remote, t.encodings)
	c.describeSource(t, &d)
	s.local, s.formats, s.answered = d, d.formats(), true
	return true
}

// describe writes a description of the sections, with new ICE credentials if
// there are any. An answer groups only what the offer has grouped.
func (c *core) describe(typ SDPType, sections []section, restart ice.Credentials, setup sdp.Setup, offer *sdp.Session) SessionDescription {
	credentials := c.credentials
	if restart != (ice.Credentials{}) {
		credentials = restart
	}
	s := sdp.New(c.sessionID, c.version)
	if mids := c.grouped(sections, offer); len(mids) > 0 {
		s.Attributes = append(s.Attributes, sdp.Bundle(mids...))
	}
	for i := range sections {
		section := &sections[i]
		m := sdp.NewDataMedia()
		m.Kind, m.Protocol, m.Formats = section.kind, section.protocol, section.formats
		// What the peer did not name has no name for it, in answers.
		mid := section.mid
		if offer != nil {
			mid = section.said
		}
		if section.rejected {
			m.Port = 0
			if mid != "" {
				m.Attributes = append(m.Attributes, sdp.MID(mid))
			}
			s.Media = append(s.Media, m)
			continue
		}
		if offer == nil && !section.tag && c.cfg.BundlePolicy == BundleMaxBundle {
			// "the offerer MUST … assign a zero port value" (RFC 9143, Section 7.2.1). The
			// transport's attributes should not be there; browsers write them, and
			// Firefox 153 hangs on its answer when they are not.
			m.Port = 0
			m.Attributes = append(m.Attributes, sdp.BundleOnly)
		}
		t := sdp.Transport{
			Ufrag: credentials.Ufrag, Pwd: credentials.Pwd, Options: iceOptions,
			Fingerprints: []sdp.Fingerprint{c.fingerprint()}, Setup: setup,
		}
		m.Attributes = t.Append(m.Attributes)
		if mid != "" {
			m.Attributes = append(m.Attributes, sdp.MID(mid))
		}
		if section.isRTP() {
			m.Attributes = section.local.append(m.Attributes, offer == nil)
			s.Media = append(s.Media, m)
			continue
		}
		m.Attributes = append(m.Attributes, sdp.SCTPPort(sctpPort), sdp.MaxMessageSize(uint64(c.cfg.MaxMessageSize)))
		if offer == nil && c.offersInit() || offer != nil && c.answersInit(&offer.Media[i]) {
			if c.localInit == nil {
				c.localInit = sctp.NewInit(c.sctpConfig())
			}
			m.Attributes = append(m.Attributes, sdp.SCTPInit(c.localInit))
		}
		s.Media = append(s.Media, m)
	}
	c.made = description{SessionDescription: SessionDescription{Type: typ, SDP: s.String()}, session: s, sections: sections, credentials: restart}
	c.madeAt = c.changes
	return c.made.SessionDescription
}

// grouped are the mids of a description's BUNDLE group. That of an answer has the order of the
// offer's, for the first is the one whose transport is used (RFC 9143, Section 7.3.1).
func (c *core) grouped(sections []section, offer *sdp.Session) (mids []string) {
	if offer == nil {
		for _, s := range sections {
			if !s.rejected && s.mid != "" {
				mids = append(mids, s.mid)
			}
		}
		return mids
	}
	accepted := map[string]bool{}
	for _, s := range sections {
		accepted[s.said] = !s.rejected && s.said != ""
	}
	offered, _ := offer.Bundled()
	for _, mid := range offered {
		if accepted[mid] {
			mids = append(mids, mid)
			accepted[mid] = false
		}
	}
	return mids
}

// offersInit reports whether an offer has our INIT chunk in it: until there is an
// association, and from then on if there is one that began so.
func (c *core) offersInit() bool { return c.sctp == nil || c.remoteInit != nil }

// answersInit reports whether an answer has it: if the offer has the peer's.
func (c *core) answersInit(offered *sdp.Media) bool {
	init, ok := offered.SCTPInit()
	return ok && sctp.CheckInit(init) == nil && c.offersInit()
}

// iceOptions: RFC 8838, Section 4; draft-thatcher-ice-renomination; and "When an ICE agent
// includes 'ice2' in a candidate exchange, the ICE option indicates that it is compliant to
// this specification" (RFC 8445, Section 10).
var iceOptions = []string{"trickle", "renomination", "ice2"}

func (c *core) fingerprint() sdp.Fingerprint {
	f := c.cfg.Certificate.Fingerprint()
	return sdp.Fingerprint{Algorithm: f.Algorithm, Value: f.Value}
}

// text is what was set, nil if nothing was.
func (d *description) text() *SessionDescription {
	if d == nil {
		return nil
	}
	out := d.SessionDescription
	return &out
}

// localDescription is the newest local description with the candidates gathered so far.
func (c *core) localDescription() *SessionDescription { return c.withCandidates(c.local.newest()) }

// withCandidates is a local description with the candidates gathered so far, in the
// section whose transport is used.
func (c *core) withCandidates(d *description) *SessionDescription {
	if d == nil {
		return nil
	}
	out := d.SessionDescription
	s := d.session
	if s == nil {
		var err error
		if s, err = sdp.Parse(d.SDP); err != nil {
			panic("BUG: our own description does not parse: " + err.Error())
		}
	}
	candidates := c.ice.LocalCandidates()
	i := slices.IndexFunc(s.Media, func(m sdp.Media) bool { return !m.Rejected() })
	if tag := s.BundleTag(); tag != nil {
		i = slices.IndexFunc(s.Media, func(m sdp.Media) bool { mid, _ := m.MID(); first, _ := tag.MID(); return mid == first })
	}
	if len(candidates) == 0 || i < 0 {
		return &out
	}
	full := *s
	full.Media = slices.Clone(s.Media)
	m := &full.Media[i]
	// The default candidate is what a peer without ICE would use (RFC 8839, Section 4.2.1).
	// A name is none: then it stays at 0.0.0.0 and port 9.
	if i := slices.IndexFunc(candidates, func(c ice.Candidate) bool { return c.Protocol == ice.UDP && c.Host == "" }); i >= 0 {
		m.Port = candidates[i].Addr.Port()
		m.Connection = sdp.AddressOf(candidates[i].Addr.Addr())
	}
	attributes := make(sdp.Attributes, 0, len(m.Attributes)+len(candidates)+1)
	for _, candidate := range candidates {
		attributes = append(attributes, sdp.Candidate(candidate.String()))
	}
	if c.gathering == ICEGatheringComplete {
		attributes = append(attributes, sdp.EndOfCandidates)
	}
	m.Attributes = append(attributes, m.Attributes...)
	out.SDP = full.String()
	return &out
}
