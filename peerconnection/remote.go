package peerconnection

import (
	"bytes"
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

// isRestart reports whether the peer's description restarts ICE: "To restart ICE, an
// agent MUST change both the "ice-pwd" and the "ice-ufrag" for the data stream in an
// offer." RFC 8839, Section 4.4.1.1.1. One alone is taken for a restart, too: the old
// ones are of no use any more.
func (c *core) isRestart(t sdp.Transport) bool {
	return c.remoteCredentials.Ufrag != "" && (t.Ufrag != c.remoteCredentials.Ufrag || t.Pwd != c.remoteCredentials.Pwd)
}

// transportOf is the transport of a section: its own, or that of the
// bundle it is in, which its first section describes for all (RFC 9143, Section
// 7.1.3).
func transportOf(s *sdp.Session, m *sdp.Media) (sdp.Transport, error) {
	t, err := s.Transport(m)
	if mid, ok := m.MID(); err != nil && ok {
		bundled, _ := s.Bundled()
		if tag := s.BundleTag(); tag != nil && slices.Contains(bundled, mid) {
			if shared, err := s.Transport(tag); err == nil {
				return shared, nil
			}
		}
	}
	return t, err
}

// readTransport reads a section's transport from an answer to our offer,
// or from an offer, and checks that a connection can be made, or be kept, with it.
func (c *core) readTransport(s *sdp.Session, m *sdp.Media, weOffered bool) (sdp.Transport, error) {
	t, err := transportOf(s, m)
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
	return t, nil
}

// checkData checks what the data channels' section says, if it is accepted.
func checkData(s *sdp.Session, sections []section) error {
	if i := dataSection(sections); i >= 0 {
		if _, ok := s.Media[i].SCTPPort(); !ok {
			return errors.New("peerconnection: the remote description of the data channels has no a=sctp-port")
		}
	}
	return nil
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
	if err := checkData(s, sections); err != nil {
		return err
	}
	tag := transportSection(sections)
	if tag < 0 {
		c.applyData(now, s, sections, weOffered)
		return nil
	}
	t, err := c.readTransport(s, &s.Media[tag], weOffered)
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
	c.ice.SetRenomination(slices.Contains(t.Options, "renomination"))
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
			c.addTrickled(now, candidate, sections)
		}
	}
	c.applyData(now, s, sections, weOffered)
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

// applyData puts what the peer says of data channels in force.
func (c *core) applyData(now time.Time, s *sdp.Session, sections []section, weOffered bool) {
	index := dataSection(sections)
	if index < 0 {
		had := c.sections
		if weOffered {
			had = c.proposed
		}
		if dataSection(had) >= 0 {
			c.endChannels(errors.New("peerconnection: the peer does not take data channels: its description rejects them"))
		}
		return
	}
	data := &s.Media[index]
	c.remoteSCTPPort, _ = data.SCTPPort()
	if c.sctp == nil {
		c.remoteInit = nil
		// Libdatachannel's answer repeats what it does not know of the offer, our own
		// INIT chunk included.
		if init, ok := data.SCTPInit(); ok && sctp.CheckInit(init) == nil && !bytes.Equal(init, c.localInit) {
			c.remoteInit = init
		}
	}
	c.remoteMessageSize = data.MaxMessageSize()
	if c.remoteMessageSize == 0 {
		c.remoteMessageSize = math.MaxInt32
	}
	c.dataAgreed = true
	if c.dtlsUp {
		c.startSCTP(now)
	}
}

// maxMessageSize is the largest message the peer takes, as far as it is known.
func (c *core) maxMessageSize() int {
	if c.remoteMessageSize == 0 {
		return sdp.DefaultMaxMessageSize
	}
	return int(min(c.remoteMessageSize, math.MaxInt32))
}
