package peerconnection

import (
	"slices"
	"strconv"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/sctp"
	"github.com/plainrtc/plainrtc/sdp"
)

// Making our descriptions (RFC 9429, Sections 5.2 and 5.3).

// A section is a media description that both sides know.
type section struct {
	mid      string
	kind     string
	protocol string
	formats  []string
	rejected bool
}

// dataSection is the index of the data channels' section; -1 when there is none.
func dataSection(sections []section) int {
	return slices.IndexFunc(sections, func(s section) bool { return s.kind == "application" && !s.rejected })
}

// createOffer follows RFC 9429, Sections 5.2.1 and 5.2.2.
func (c *core) createOffer(o *OfferOptions) (SessionDescription, error) {
	switch {
	case c.ended:
		return SessionDescription{}, c.endError("no offer can be made")
	case c.signaling != SignalingStable && c.signaling != SignalingHaveLocalOffer:
		return SessionDescription{}, c.stateError("make an offer")
	}
	sections := c.sections
	if dataSection(c.sections) < 0 && c.channelsMade > 0 {
		sections = append(sections[:len(sections):len(sections)], section{
			mid: c.freeMID(), kind: "application", protocol: "UDP/DTLS/SCTP", formats: []string{"webrtc-datachannel"},
		})
	}
	var restart ice.Credentials
	if (c.restartWanted || o != nil && o.ICERestart) && c.remote.current != nil {
		restart = ice.NewCredentials(c.cfg.Rand)
	}
	return c.describe(SDPTypeOffer, sections, restart, sdp.ActPass, nil), nil
}

// freeMID is the lowest number that is no section's mid.
func (n *negotiation) freeMID() string {
	for i := 0; ; i++ {
		mid, free := strconv.Itoa(i), true
		for _, s := range n.sections {
			free = free && s.mid != mid
		}
		if free {
			return mid
		}
	}
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
	sections, data := answerSections(offer)
	setup := c.setup
	var restart ice.Credentials
	if data != nil {
		t, err := c.readTransport(offer, data, false)
		if err != nil {
			return SessionDescription{}, err
		}
		if setup == "" {
			setup = t.Setup.Answer()
		}
		if c.isRestart(t) {
			// "the answerer MUST … change both the ice-pwd and the ice-ufrag"
			// (RFC 8839, Section 4.4.1.1.1).
			restart = ice.NewCredentials(c.cfg.Rand)
		}
	}
	return c.describe(SDPTypeAnswer, sections, restart, setup, offer), nil
}

// answerSections answers each media description of an offer: the first that is
// for data channels is accepted, the others are rejected.
func answerSections(offer *sdp.Session) (sections []section, data *sdp.Media) {
	for i := range offer.Media {
		m := &offer.Media[i]
		mid, ok := m.MID()
		if !ok {
			mid = ""
		}
		s := section{mid: mid, kind: m.Kind, protocol: m.Protocol, formats: m.Formats, rejected: true}
		if m.IsData() && !m.Rejected() && data == nil {
			data, s.rejected = m, false
		}
		sections = append(sections, s)
	}
	return sections, data
}

// describe writes a description of the sections, with new ICE credentials if
// there are any. An answer groups only what the offer has grouped.
func (c *core) describe(typ SDPType, sections []section, restart ice.Credentials, setup sdp.Setup, offer *sdp.Session) SessionDescription {
	credentials := c.credentials
	if restart != (ice.Credentials{}) {
		credentials = restart
	}
	s := sdp.New(c.sessionID, c.version)
	var bundled []string
	var offered []string
	if offer != nil {
		offered, _ = offer.Bundled()
	}
	for _, section := range sections {
		if !section.rejected && section.mid != "" && (offer == nil || slices.Contains(offered, section.mid)) {
			bundled = append(bundled, section.mid)
		}
	}
	if len(bundled) > 0 {
		s.Attributes = append(s.Attributes, sdp.Bundle(bundled...))
	}
	for i, section := range sections {
		m := sdp.NewDataMedia()
		m.Kind, m.Protocol, m.Formats = section.kind, section.protocol, section.formats
		if section.rejected {
			m.Port = 0
			if section.mid != "" {
				m.Attributes = append(m.Attributes, sdp.MID(section.mid))
			}
			s.Media = append(s.Media, m)
			continue
		}
		t := sdp.Transport{
			Ufrag: credentials.Ufrag, Pwd: credentials.Pwd, Options: iceOptions,
			Fingerprints: []sdp.Fingerprint{c.fingerprint()}, Setup: setup,
		}
		m.Attributes = t.Append(m.Attributes)
		if section.mid != "" {
			m.Attributes = append(m.Attributes, sdp.MID(section.mid))
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
	c.made = description{SessionDescription{Type: typ, SDP: s.String()}, s, sections, restart}
	return c.made.SessionDescription
}

// offersInit reports whether an offer has our INIT chunk in it: until there is an
// association, and from then on if there is one that began so.
func (c *core) offersInit() bool { return c.sctp == nil || c.remoteInit != nil }

// answersInit reports whether an answer has it: if the offer has the peer's.
func (c *core) answersInit(offered *sdp.Media) bool {
	init, ok := offered.SCTPInit()
	return ok && sctp.CheckInit(init) == nil && c.offersInit()
}

// iceOptions: RFC 8838, Section 4, and "An ICE agent compliant to this
// specification MUST inform the peer about the compliance using the 'ice2'
// option" (RFC 8445, Section 10).
var iceOptions = []string{"trickle", "ice2"}

func (c *core) fingerprint() sdp.Fingerprint {
	f := c.cfg.Certificate.Fingerprint()
	return sdp.Fingerprint{Algorithm: f.Algorithm, Value: f.Value}
}

func (c *core) remoteDescription() *SessionDescription {
	if d := c.remote.newest(); d != nil {
		out := d.SessionDescription
		return &out
	}
	return nil
}

// localDescription is the newest local description with the candidates gathered so far.
func (c *core) localDescription() *SessionDescription {
	d := c.local.newest()
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
	if len(candidates) == 0 || i < 0 {
		return &out
	}
	full := *s
	full.Media = slices.Clone(s.Media)
	m := &full.Media[i]
	// The default candidate is what a peer without ICE would use (RFC 8839, Section 4.2.1).
	m.Port = candidates[0].Addr.Port()
	m.Connection = sdp.AddressOf(candidates[0].Addr.Addr())
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
