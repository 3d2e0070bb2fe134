package peerconnection

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/sdp"
)

// What the descriptions say of our side.
const (
	// sctpPort is the port inside DTLS: every implementation says 5000.
	sctpPort = 5000
	// localMaxMessageSize is the largest message we take, in bytes: what browsers say.
	localMaxMessageSize = 256 << 10
)

// A negotiation is the offer/answer state of a connection (RFC 9429, Section 4).
type negotiation struct {
	signaling SignalingState
	// local and remote are the two sides' descriptions.
	local, remote side
	// made is the SDP that CreateOffer or CreateAnswer returned last: what is
	// set must be that, unchanged.
	made         SessionDescription
	madeSections []section
	// sessionID and version are our origin line's.
	sessionID, version uint64

	// sections are the media descriptions in force, in order; proposed are those
	// of the newest local description, which the peer may still reject.
	sections, proposed []section
	// credentials are our ICE credentials in the newest local description.
	credentials ice.Credentials
	// next are credentials made for an offer or answer that restarts ICE and is
	// not set yet. Zero when there are none.
	next ice.Credentials
	// remoteCredentials are the peer's, in force.
	remoteCredentials ice.Credentials
	// restartWanted: the next offer restarts ICE.
	restartWanted bool

	// trickled holds candidates that can't be given to ICE yet: those that came
	// before the description they belong to, or before our answer to it.
	trickled []ICECandidate

	setup             sdp.Setup // ours, once it is decided
	fingerprints      []dtls.Fingerprint
	dtlsConnecting    bool
	remoteSCTPPort    uint16
	remoteMessageSize uint64 // zero before it is known
}

// A side is one side's descriptions (W3C pendingLocalDescription and its like).
type side struct {
	current, pending *SessionDescription
}

func (s *side) newest() *SessionDescription {
	if s.pending != nil {
		return s.pending
	}
	return s.current
}

// A section is a media description that both sides know.
type section struct {
	mid      string
	kind     string
	protocol string
	formats  []string
	rejected bool
}

// maxTrickled bounds what a peer can make us keep.
const maxTrickled = 128

func (n *negotiation) init(rand io.Reader) error {
	var b [8]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return fmt.Errorf("peerconnection: Rand gave no random bytes: %w", err)
	}
	// "a 64-bit number whose highest bit is zero" (RFC 9429, Section 5.2.1).
	n.sessionID = binary.BigEndian.Uint64(b[:]) >> 1
	n.version = 1
	return nil
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
	credentials := c.credentials
	if (c.restartWanted || o != nil && o.ICERestart) && c.remote.current != nil {
		c.next = ice.NewCredentials(c.cfg.Rand)
		credentials = c.next
	}
	return c.describe(SDPTypeOffer, sections, credentials, sdp.ActPass, nil), nil
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
	offer, err := sdp.Parse(c.remote.pending.SDP)
	if err != nil {
		return SessionDescription{}, err
	}
	sections, data := answerSections(offer)
	setup := c.setup
	credentials := c.credentials
	if data != nil {
		t, err := offer.Transport(data)
		if err != nil {
			return SessionDescription{}, err
		}
		if setup == "" {
			setup = t.Setup.Answer()
		}
		if c.isRestart(t) {
			// "the answerer MUST … change both the ice-pwd and the ice-ufrag"
			// (RFC 8839, Section 4.4.1.1.1).
			c.next = ice.NewCredentials(c.cfg.Rand)
			credentials = c.next
		}
	}
	return c.describe(SDPTypeAnswer, sections, credentials, setup, offer), nil
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

// isRestart reports whether the peer's description restarts ICE: "a change of
// the ice-ufrag or the ice-pwd" (RFC 8839, Section 4.4.1.1.1).
func (c *core) isRestart(t sdp.Transport) bool {
	return c.remoteCredentials.Ufrag != "" && (t.Ufrag != c.remoteCredentials.Ufrag || t.Pwd != c.remoteCredentials.Pwd)
}

// describe writes a description of the sections. An answer groups only what the
// offer has grouped.
func (c *core) describe(typ SDPType, sections []section, cr ice.Credentials, setup sdp.Setup, offer *sdp.Session) SessionDescription {
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
	for _, section := range sections {
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
			Ufrag: cr.Ufrag, Pwd: cr.Pwd, Options: iceOptions,
			Fingerprints: []sdp.Fingerprint{c.fingerprint()}, Setup: setup,
		}
		m.Attributes = t.Append(m.Attributes)
		if section.mid != "" {
			m.Attributes = append(m.Attributes, sdp.MID(section.mid))
		}
		m.Attributes = append(m.Attributes, sdp.SCTPPort(sctpPort), sdp.MaxMessageSize(localMaxMessageSize))
		s.Media = append(s.Media, m)
	}
	c.made, c.madeSections = SessionDescription{Type: typ, SDP: s.String()}, sections
	return c.made
}

var iceOptions = []string{"trickle"}

func (c *core) fingerprint() sdp.Fingerprint {
	f := c.cfg.Certificate.Fingerprint()
	return sdp.Fingerprint{Algorithm: f.Algorithm, Value: f.Value}
}

func (c *core) stateError(doing string) error {
	return fmt.Errorf("peerconnection: can't %s in signaling state %v", doing, c.signaling)
}

// setLocalDescription follows RFC 9429, Section 5.9.
func (c *core) setLocalDescription(now time.Time, d SessionDescription) error {
	if c.ended {
		return c.endError("the local description is not set")
	}
	if d.Type == SDPTypeRollback {
		return c.rollback(SignalingHaveLocalOffer)
	}
	if d.SDP == "" {
		// W3C: no SDP stands for what was made last, or for what is made now.
		var err error
		wantAnswer := c.signaling == SignalingHaveRemoteOffer || c.signaling == SignalingHaveLocalPranswer
		switch {
		case c.made.SDP != "" && (c.made.Type == SDPTypeAnswer) == wantAnswer:
			d.SDP = c.made.SDP
		case wantAnswer:
			c.made, err = c.createAnswer()
		default:
			c.made, err = c.createOffer(nil)
		}
		if err != nil {
			return err
		}
		d.SDP = c.made.SDP
		if d.Type == "" {
			d.Type = c.made.Type
		}
	}
	if d.SDP != c.made.SDP {
		return errors.New("peerconnection: the local description is not what CreateOffer or CreateAnswer returned last: " +
			"it can't be changed in between; use the connection's methods instead")
	}
	local := d
	switch {
	case d.Type == SDPTypeOffer && (c.signaling == SignalingStable || c.signaling == SignalingHaveLocalOffer) && c.made.Type == SDPTypeOffer:
		c.local.pending = &local
		c.setSignaling(now, SignalingHaveLocalOffer)
		c.applyLocal(now)
	case (d.Type == SDPTypeAnswer || d.Type == SDPTypeProvisionalAnswer) && c.made.Type == SDPTypeAnswer &&
		(c.signaling == SignalingHaveRemoteOffer || c.signaling == SignalingHaveLocalPranswer):
		c.local.pending = &local
		c.applyLocal(now)
		sections := c.proposed
		offer, err := sdp.Parse(c.remote.pending.SDP)
		if err != nil {
			return err
		}
		if err := c.applyRemote(now, offer, sections, false); err != nil {
			return err
		}
		if d.Type == SDPTypeProvisionalAnswer {
			c.setSignaling(now, SignalingHaveLocalPranswer)
			return nil
		}
		c.exchanged(now, sections)
	default:
		return c.stateError("set a local " + string(d.Type))
	}
	return nil
}

// applyLocal puts the credentials of the newest local description in force.
func (c *core) applyLocal(now time.Time) {
	c.version++
	c.proposed = c.madeSections
	c.made, c.madeSections = SessionDescription{}, nil
	if c.next != (ice.Credentials{}) {
		c.credentials = c.next
		c.next = ice.Credentials{}
		c.restartWanted = false
		c.ice.Restart(now, c.credentials)
		c.localCandidates = nil
		c.pump(now)
	}
}

// setRemoteDescription follows RFC 9429, Section 5.10.
func (c *core) setRemoteDescription(now time.Time, d SessionDescription) error {
	if c.ended {
		return c.endError("the remote description is not set")
	}
	if d.Type == SDPTypeRollback {
		return c.rollback(SignalingHaveRemoteOffer)
	}
	s, err := sdp.Parse(d.SDP)
	if err != nil {
		return fmt.Errorf("peerconnection: the remote %s is not understood: %w", d.Type, err)
	}
	remote := d
	switch {
	case d.Type == SDPTypeOffer && (c.signaling == SignalingStable || c.signaling == SignalingHaveRemoteOffer || c.signaling == SignalingHaveLocalOffer):
		sections, data := answerSections(s)
		if err := c.checkSections(sections); err != nil {
			return err
		}
		if data != nil {
			if _, err := c.readTransport(s, data); err != nil {
				return err
			}
		}
		if c.signaling == SignalingHaveLocalOffer {
			// W3C: a remote offer takes back a local one that is pending.
			if err := c.rollback(SignalingHaveLocalOffer); err != nil {
				return err
			}
		}
		c.remote.pending = &remote
		c.made = SessionDescription{}
		c.setSignaling(now, SignalingHaveRemoteOffer)
	case (d.Type == SDPTypeAnswer || d.Type == SDPTypeProvisionalAnswer) &&
		(c.signaling == SignalingHaveLocalOffer || c.signaling == SignalingHaveRemotePranswer):
		sections, err := c.answeredSections(s)
		if err != nil {
			return err
		}
		if err := c.applyRemote(now, s, sections, true); err != nil {
			return err
		}
		c.remote.pending = &remote
		if d.Type == SDPTypeProvisionalAnswer {
			c.setSignaling(now, SignalingHaveRemotePranswer)
			return nil
		}
		c.exchanged(now, sections)
	case d.Type != SDPTypeOffer && d.Type != SDPTypeAnswer && d.Type != SDPTypeProvisionalAnswer:
		return fmt.Errorf("peerconnection: a remote description's type is offer, pranswer, answer or rollback, not %q", d.Type)
	default:
		return c.stateError("set a remote " + string(d.Type))
	}
	return nil
}

// checkSections: "m= sections of a new offer correspond one by one to those of
// the last description; more may follow" (RFC 9429, Section 5.2.2).
func (c *core) checkSections(sections []section) error {
	if len(sections) < len(c.sections) {
		return fmt.Errorf("peerconnection: the remote offer has %d media descriptions where the session has %d: none may be left out",
			len(sections), len(c.sections))
	}
	for i, s := range c.sections {
		if sections[i].mid != s.mid && !s.rejected {
			return fmt.Errorf("peerconnection: the remote offer's media description %d has the mid %q where the session has %q", i, sections[i].mid, s.mid)
		}
	}
	return nil
}

// answeredSections reads off an answer which sections of our offer were accepted.
func (c *core) answeredSections(answer *sdp.Session) ([]section, error) {
	if len(answer.Media) != len(c.proposed) {
		return nil, fmt.Errorf("peerconnection: the remote answer has %d media descriptions where the offer has %d", len(answer.Media), len(c.proposed))
	}
	sections := slices.Clone(c.proposed)
	for i := range sections {
		offered, a := &sections[i], &answer.Media[i]
		if a.Kind != offered.kind {
			return nil, fmt.Errorf("peerconnection: the remote answer's media description %d is %q where the offer's is %q", i, a.Kind, offered.kind)
		}
		if got, ok := a.MID(); ok && got != offered.mid {
			return nil, fmt.Errorf("peerconnection: the remote answer's media description %d has the mid %q where the offer's has %q", i, got, offered.mid)
		}
		offered.rejected = offered.rejected || a.Rejected()
	}
	return sections, nil
}

// readTransport reads the data section's transport and checks that a connection
// can be made, or be kept, with it.
func (c *core) readTransport(s *sdp.Session, data *sdp.Media) (sdp.Transport, error) {
	t, err := s.Transport(data)
	if err != nil {
		return t, fmt.Errorf("peerconnection: the remote description can't be used: %w", err)
	}
	if len(usableFingerprints(t)) == 0 {
		return t, fmt.Errorf("peerconnection: the remote description has no fingerprint of a hash function that can be relied on, only %q",
			t.Fingerprints[0].Algorithm)
	}
	if c.dtls != nil && !c.sameFingerprints(t) {
		return t, errors.New("peerconnection: the remote description has another certificate fingerprint than the connection was made with: " +
			"a peer that has lost its keys needs a new PeerConnection")
	}
	if _, ok := data.SCTPPort(); !ok {
		return t, errors.New("peerconnection: the remote description of the data channels has no a=sctp-port")
	}
	return t, nil
}

// usableFingerprints leaves out those of hash functions that we do not take:
// "endpoints MUST ignore" them (RFC 8122, Section 5).
func usableFingerprints(t sdp.Transport) (usable []dtls.Fingerprint) {
	for _, f := range t.Fingerprints {
		if known, err := dtls.ParseFingerprint(f.String()); err == nil {
			usable = append(usable, known)
		}
	}
	return usable
}

func (c *core) sameFingerprints(t sdp.Transport) bool {
	for _, f := range t.Fingerprints {
		for _, g := range c.fingerprints {
			if f.Algorithm == g.Algorithm && string(f.Value) == string(g.Value) {
				return true
			}
		}
	}
	return false
}

// applyRemote puts the peer's side of a completed exchange in force: ICE gets
// its credentials and candidates, DTLS its role.
func (c *core) applyRemote(now time.Time, s *sdp.Session, sections []section, weOffered bool) error {
	index := dataSection(sections)
	if index < 0 {
		if c.channelsMade > 0 {
			c.endChannels(errors.New("peerconnection: the peer does not take data channels: its answer rejects them"))
		}
		return nil
	}
	data := &s.Media[index]
	t, err := c.readTransport(s, data)
	if err != nil {
		return err
	}
	first := c.remoteCredentials.Ufrag == ""
	if first {
		// RFC 8445, Section 6.1.1: the side that offers controls, unless it is lite.
		c.ice.SetControlling(weOffered || t.Lite)
		c.ice.SetRemoteLite(t.Lite)
	}
	if first || c.isRestart(t) {
		c.remoteCredentials = ice.Credentials{Ufrag: t.Ufrag, Pwd: t.Pwd}
		if err := c.ice.SetRemoteCredentials(now, c.remoteCredentials); err != nil {
			return err
		}
	}
	for _, text := range t.Candidates {
		c.addRemoteCandidate(now, text)
	}
	if t.EndOfCandidates {
		c.ice.EndOfRemoteCandidates(now)
	}
	trickled := c.trickled
	c.trickled = nil
	for _, candidate := range trickled {
		if candidate.UsernameFragment == "" || candidate.UsernameFragment == t.Ufrag {
			c.addTrickled(now, candidate)
		}
	}
	c.remoteSCTPPort, _ = data.SCTPPort()
	c.remoteMessageSize = data.MaxMessageSize()
	if c.remoteMessageSize == 0 {
		c.remoteMessageSize = math.MaxInt32
	}
	if c.dtls == nil {
		c.fingerprints = usableFingerprints(t)
		setup := t.Setup.Answer()
		if weOffered && t.Setup != sdp.Active && t.Setup != sdp.Passive {
			return fmt.Errorf("peerconnection: the remote answer says setup:%s where it must choose active or passive", t.Setup)
		}
		c.setup = setup
		if err := c.startDTLS(now, setup == sdp.Active, c.fingerprints); err != nil {
			return err
		}
		c.startChannels(now)
	}
	c.pump(now)
	return nil
}

// exchanged ends an offer/answer exchange.
func (c *core) exchanged(now time.Time, sections []section) {
	c.sections, c.proposed = sections, nil
	c.local.current, c.local.pending = c.local.pending, nil
	c.remote.current, c.remote.pending = c.remote.pending, nil
	c.setSignaling(now, SignalingStable)
}

// rollback takes back an offer that is pending (RFC 9429, Section 4.1.8.2).
func (c *core) rollback(from SignalingState) error {
	if c.signaling != from {
		return c.stateError("roll back")
	}
	if from == SignalingHaveLocalOffer {
		c.local.pending, c.proposed = nil, nil
		// Credentials of an offer taken back stay in force on our side: the
		// next offer carries them, and the old path goes on meanwhile.
	} else {
		c.remote.pending = nil
		c.trickled = nil
		c.next = ice.Credentials{}
	}
	c.made = SessionDescription{}
	c.signaling = SignalingStable
	c.stateChanged.signal()
	return nil
}

func (c *core) setSignaling(now time.Time, s SignalingState) {
	if s != c.signaling {
		c.cfg.Trace.State(now, trace.SDP, c.signaling.String(), s.String())
		c.signaling = s
		c.stateChanged.signal()
	}
}

func (c *core) localUfrag() string { return c.credentials.Ufrag }

// maxMessageSize is the largest message the peer takes, as far as it is known.
func (c *core) maxMessageSize() int {
	if c.remoteMessageSize == 0 {
		return sdp.DefaultMaxMessageSize
	}
	return int(min(c.remoteMessageSize, math.MaxInt32))
}

func (c *core) remoteDescription() *SessionDescription {
	if d := c.remote.newest(); d != nil {
		out := *d
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
	out := *d
	s, err := sdp.Parse(d.SDP)
	if err != nil {
		panic("BUG: our own description does not parse: " + err.Error())
	}
	candidates := c.ice.LocalCandidates()
	for i := range s.Media {
		m := &s.Media[i]
		if m.Rejected() || len(candidates) == 0 {
			continue
		}
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
		break
	}
	out.SDP = s.String()
	return &out
}
