package peerconnection

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/sctp"
	"github.com/plainrtc/plainrtc/sdp"
)

// Reading the peer's descriptions (RFC 9429, Sections 5.8, 5.10 and 5.11).

// isRestart reports whether the peer's description restarts ICE: "a change of
// the ice-ufrag or the ice-pwd" (RFC 8839, Section 4.4.1.1.1).
func (c *core) isRestart(t sdp.Transport) bool {
	return c.remoteCredentials.Ufrag != "" && (t.Ufrag != c.remoteCredentials.Ufrag || t.Pwd != c.remoteCredentials.Pwd)
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

// transportOf is the transport of the data section: its own, or that of the
// bundle it is in, which its first section describes for all (RFC 9143, Section
// 7.1.3).
func transportOf(s *sdp.Session, data *sdp.Media) (sdp.Transport, error) {
	t, err := s.Transport(data)
	if mid, ok := data.MID(); err != nil && ok {
		bundled, _ := s.Bundled()
		if tag := s.BundleTag(); tag != nil && slices.Contains(bundled, mid) {
			if shared, err := s.Transport(tag); err == nil {
				return shared, nil
			}
		}
	}
	return t, err
}

// readTransport reads the data section's transport from an answer to our offer,
// or from an offer, and checks that a connection can be made, or be kept, with it.
func (c *core) readTransport(s *sdp.Session, data *sdp.Media, weOffered bool) (sdp.Transport, error) {
	t, err := transportOf(s, data)
	if err != nil {
		return t, fmt.Errorf("peerconnection: the remote description can't be used: %w", err)
	}
	switch {
	case weOffered && t.Setup != sdp.Active && t.Setup != sdp.Passive:
		return t, fmt.Errorf("peerconnection: the remote answer says setup:%s where it must choose active or passive", t.Setup)
	case t.Setup == sdp.HoldConn:
		return t, errors.New("peerconnection: the remote offer says setup:holdconn, which is no way to connect")
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
		if known := (dtls.Fingerprint{Algorithm: strings.ToLower(f.Algorithm), Value: f.Value}); known.Supported() {
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
	t, err := c.readTransport(s, data, weOffered)
	if err != nil {
		return err
	}
	first := c.remoteCredentials.Ufrag == ""
	if first {
		// RFC 8445, Section 6.1.1: the side that offers controls, unless it is lite
		// and the other is not.
		c.ice.SetControlling(weOffered || t.Lite)
		c.ice.SetRemoteLite(t.Lite)
	}
	// Ours have changed alone when an offer of ours that restarted ICE was taken back.
	if first || c.isRestart(t) || c.pairedCredentials != c.credentials {
		c.pairedCredentials = c.credentials
		if c.remoteCredentials.Ufrag != t.Ufrag {
			c.formerUfrag = c.remoteCredentials.Ufrag
		}
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
	if c.sctp == nil {
		c.remoteInit = nil
		if init, ok := data.SCTPInit(); ok && sctp.CheckInit(init) == nil {
			c.remoteInit = init
		}
	}
	c.remoteMessageSize = data.MaxMessageSize()
	if c.remoteMessageSize == 0 {
		c.remoteMessageSize = math.MaxInt32
	}
	if c.dtls == nil {
		c.fingerprints = usableFingerprints(t)
		c.setup = t.Setup.Answer()
		if err := c.startDTLS(now, c.setup == sdp.Active, c.fingerprints); err != nil {
			return err
		}
		c.startChannels(now)
	}
	c.pump(now)
	return nil
}

// maxMessageSize is the largest message the peer takes, as far as it is known.
func (c *core) maxMessageSize() int {
	if c.remoteMessageSize == 0 {
		return sdp.DefaultMaxMessageSize
	}
	return int(min(c.remoteMessageSize, math.MaxInt32))
}
