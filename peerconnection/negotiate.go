package peerconnection

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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
	// defaultMaxMessageSize is the largest message we take, in bytes, if the
	// Config does not say: more than browsers do, which costs nothing until one comes.
	defaultMaxMessageSize = 16 << 20
)

// A negotiation is the offer/answer state of a connection (RFC 9429, Section 4).
type negotiation struct {
	signaling SignalingState
	// local and remote are the two sides' descriptions.
	local, remote side
	// made is what CreateOffer or CreateAnswer returned last: what is set must
	// be that, unchanged.
	made description
	// changes counts what would make the next description another one; madeAt
	// is what it was when made was made.
	changes, madeAt uint64
	// sessionID and version are our origin line's.
	sessionID, version uint64

	// sections are the media descriptions in force, in order; proposed are those
	// of the newest local description, which the peer may still reject.
	sections, proposed []section
	// firstMID is the lowest number that was never a mid of ours.
	firstMID int

	media
	// credentials are our ICE credentials in the newest local description.
	credentials ice.Credentials
	// remoteCredentials are the peer's, in force; they were paired with ours of then.
	remoteCredentials, pairedCredentials ice.Credentials
	// formerUfrag is the peer's of before its last ICE restart.
	formerUfrag string
	// restartWanted: the next offer restarts ICE.
	restartWanted bool

	// trickled holds candidates that can't be given to ICE yet: those that came
	// before the description they belong to, or before our answer to it.
	trickled []ICECandidate

	setup          sdp.Setup // ours, once it is decided
	fingerprints   []dtls.Fingerprint
	dtlsConnecting bool
	remoteSCTPPort uint16
	// localInit is our INIT chunk as our descriptions tell it, once one does;
	// remoteInit is the peer's (SNAP, draft-hancke-tsvwg-snap).
	localInit, remoteInit []byte
	remoteMessageSize     uint64 // zero before it is known
	dataAgreed            bool   // an exchange has accepted data channels
}

// A side is one side's descriptions (W3C pendingLocalDescription and its like).
type side struct {
	current, pending *description
}

// A description is a session description with what it says, as long as that is
// under negotiation; then the text is kept alone.
type description struct {
	SessionDescription
	session *sdp.Session
	// sections are what it says of each; of the peer's offer, what of it we can take.
	sections []section
	// credentials are the new ICE credentials of one that we make, if it restarts ICE.
	credentials ice.Credentials
}

func (s *side) newest() *description {
	if s.pending != nil {
		return s.pending
	}
	return s.current
}

// maxTrickled bounds what a peer can make us keep.
const maxTrickled = 128

func (n *negotiation) init(rand io.Reader) error {
	var b [8]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return fmt.Errorf("peerconnection: Rand gave no random bytes: %w", err)
	}
	// "a 64-bit quantity with the highest bit set to zero" (RFC 9429, Section 5.2.1).
	n.sessionID = binary.BigEndian.Uint64(b[:]) >> 1
	n.version = 1
	return nil
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
		return c.rollback(now)
	}
	if d.SDP == "" {
		// W3C: no SDP stands for what was made last, or for what is made now.
		var err error
		wantAnswer := c.signaling == SignalingHaveRemoteOffer || c.signaling == SignalingHaveLocalPranswer
		switch {
		case c.made.SDP != "" && (c.made.Type == SDPTypeAnswer) == wantAnswer && c.madeAt == c.changes:
		case wantAnswer:
			_, err = c.createAnswer()
		default:
			_, err = c.createOffer(nil)
		}
		if err != nil {
			return err
		}
		d.SDP = c.made.SDP
		if d.Type == "" {
			d.Type = c.made.Type
		}
	}
	if d.Type == SDPTypeOffer && c.signaling == SignalingHaveLocalOffer && c.made.SDP == "" && d.SDP == c.local.pending.SDP {
		return nil // it is set already: W3C's [[LastCreatedOffer]] is this one until the answer comes
	}
	if d.SDP != c.made.SDP {
		return errors.New("peerconnection: the local description is not what CreateOffer or CreateAnswer returned last: " +
			"it can't be changed in between; use the connection's methods instead")
	}
	local := c.made
	local.Type = d.Type
	switch {
	case d.Type == SDPTypeOffer && (c.signaling == SignalingStable || c.signaling == SignalingHaveLocalOffer) && c.made.Type == SDPTypeOffer:
		c.checkpoint()
		c.local.pending = &local
		c.setSignaling(now, SignalingHaveLocalOffer)
		if c.remoteCredentials.Ufrag == "" {
			// RFC 8445, Section 6.1.1: the side that offers controls. A check of
			// the peer's may come before its answer, and must find us in that role.
			c.ice.SetControlling(true)
		}
		c.applyLocal(now)
		c.offerSet(now, c.proposed)
	case (d.Type == SDPTypeAnswer || d.Type == SDPTypeProvisionalAnswer) && c.made.Type == SDPTypeAnswer &&
		(c.signaling == SignalingHaveRemoteOffer || c.signaling == SignalingHaveLocalPranswer):
		c.local.pending = &local
		c.applyLocal(now)
		sections := c.proposed
		if err := c.applyRemote(now, c.remote.pending.session, sections, false); err != nil {
			return err
		}
		c.answerSet(now, sections, false)
		if d.Type == SDPTypeProvisionalAnswer {
			// It may turn out to be the answer as it is.
			c.made = description{SessionDescription{SDPTypeAnswer, local.SDP}, local.session, local.sections, ice.Credentials{}}
			c.madeAt = c.changes
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
	made := c.made
	c.proposed = made.sections
	c.made = description{}
	if made.credentials != (ice.Credentials{}) {
		c.credentials = made.credentials
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
		return c.rollback(now)
	}
	switch d.Type {
	case SDPTypeOffer, SDPTypeAnswer, SDPTypeProvisionalAnswer:
	default:
		return fmt.Errorf("peerconnection: the type of the remote description is %q, and not offer, answer, pranswer or rollback", d.Type)
	}
	s, err := sdp.Parse(d.SDP)
	if err != nil {
		return fmt.Errorf("peerconnection: the remote %s is not understood: %w", d.Type, err)
	}
	remote := description{SessionDescription: d, session: s}
	switch {
	case d.Type == SDPTypeOffer && (c.signaling == SignalingStable || c.signaling == SignalingHaveRemoteOffer || c.signaling == SignalingHaveLocalOffer):
		remote.sections = readOffer(s)
		if err := c.checkSections(remote.sections); err != nil {
			return err
		}
		if tag := transportSection(remote.sections); tag >= 0 {
			if _, err := c.readTransport(s, &s.Media[tag], false); err != nil {
				return err
			}
		}
		if err := checkData(s, remote.sections); err != nil {
			return err
		}
		var former []section
		switch c.signaling {
		case SignalingHaveLocalOffer:
			c.takeBack(now) // W3C: a remote offer takes back a local one that is pending
		case SignalingHaveRemoteOffer:
			former = c.remote.pending.sections // and it takes the place of another
		}
		c.checkpoint()
		c.remote.pending = &remote
		c.made = description{}
		c.offered(now, former, remote.sections)
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
		c.answerSet(now, sections, true)
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

// exchanged ends an offer/answer exchange.
func (c *core) exchanged(now time.Time, sections []section) {
	c.settle(now, sections)
	c.sections, c.proposed = sections, nil
	c.local.current, c.local.pending = c.local.pending, nil
	c.remote.current, c.remote.pending = c.remote.pending, nil
	c.local.current.session, c.local.current.sections = nil, nil
	c.remote.current.session, c.remote.current.sections = nil, nil
	c.setSignaling(now, SignalingStable)
	if unused(sections) {
		c.releaseTransport(now)
	}
	c.stable()
}

// rollback takes back an offer that is pending (RFC 9429, Section 4.1.10.2).
func (c *core) rollback(now time.Time) error {
	if c.signaling != SignalingHaveLocalOffer && c.signaling != SignalingHaveRemoteOffer {
		return c.stateError("roll back")
	}
	c.takeBack(now)
	c.setSignaling(now, SignalingStable)
	c.stable()
	return nil
}

// takeBack undoes what the pending offer has done.
func (c *core) takeBack(now time.Time) {
	c.mediaTakenBack(now)
	if c.signaling == SignalingHaveLocalOffer {
		c.local.pending, c.proposed = nil, nil
		// Credentials of an offer taken back stay in force on our side: the
		// next description carries them, and the old path goes on meanwhile.
	} else {
		c.remote.pending = nil
		// Candidates of the session as it was go on to be of use.
		trickled := c.trickled
		c.trickled = nil
		for _, candidate := range trickled {
			if c.remoteCredentials.Ufrag != "" && (candidate.UsernameFragment == "" || candidate.UsernameFragment == c.remoteCredentials.Ufrag) {
				c.addTrickled(now, candidate, c.sections)
			}
		}
		c.pump(now)
	}
	c.made = description{}
}

func (c *core) setSignaling(now time.Time, s SignalingState) {
	if s != c.signaling {
		c.cfg.Trace.State(now, trace.SDP, c.signaling.String(), s.String())
		c.signaling = s
		c.stateChanged.signal()
	}
}

func (c *core) localUfrag() string { return c.credentials.Ufrag }
