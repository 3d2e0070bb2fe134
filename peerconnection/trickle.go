package peerconnection

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// Candidates on their way between the peers (trickle ICE, RFC 8838; RFC 8840).

// gather gives ICE our addresses, each of which is a host candidate, and the
// servers to ask from there. Shared addresses are others' too.
func (c *core) gather(now time.Time, addresses []netip.AddrPort, shared bool) {
	c.gatherIn(now, nil, addresses, shared)
}

// gatherIn does it where the networks are known that the addresses are in.
func (c *core) gatherIn(now time.Time, networks []localNetwork, addresses []netip.AddrPort, shared bool) {
	c.gathering = ICEGatheringGathering
	for _, a := range addresses {
		c.addLocal(now, networks, a, shared)
	}
	for _, a := range c.tcpAddresses {
		c.ice.AddLocalAddress(now, a, c.localOptions(networks, a.Addr(), ice.TCPPassive))
	}
	for _, a := range addresses {
		c.addActive(now, networks, a.Addr())
	}
	c.tcpOpenTold = nil
	c.openChanged(now, networks)
	for _, s := range c.servers {
		c.addServer(now, s)
	}
	if c.unresolved == 0 {
		c.ice.EndOfLocalCandidates(now)
	}
	c.pump(now)
}

// addHidden gives ICE addresses to ask TURN servers from, and for nothing else.
func (c *core) addHidden(now time.Time, addresses []netip.AddrPort) {
	for _, a := range addresses {
		c.ice.AddLocalAddress(now, a, ice.LocalOptions{Hidden: true})
	}
}

// described are the sections of the newest local description.
func (c *core) described() []section {
	if c.proposed != nil {
		return c.proposed
	}
	return c.sections
}

// wantsCandidates reports whether the local description has a media description
// that candidates could belong to.
func (c *core) wantsCandidates() bool { return transportSection(c.described()) >= 0 }

// candidateFound passes a local candidate on to the user, for the peer.
func (c *core) candidateFound(candidate ice.Candidate) {
	sections := c.described()
	index := max(transportSection(sections), 0)
	mid := ""
	if index < len(sections) {
		mid = sections[index].said
	}
	c.localCandidates = append(c.localCandidates, ICECandidate{
		Candidate: candidate.String(), SDPMid: mid, SDPMLineIndex: uint16(index),
		UsernameFragment: c.credentials.Ufrag,
	})
	c.endTold = false
	c.candidateGathered.signal()
}

// addICECandidate takes one of the peer's candidates from the user.
func (c *core) addICECandidate(now time.Time, candidate ICECandidate) error {
	if c.ended {
		return c.endError("the candidate is not added")
	}
	if candidate.Candidate != "" {
		if _, err := ice.ParseCandidate(candidate.Candidate); err != nil {
			return fmt.Errorf("peerconnection: the remote candidate is not understood: %w", err)
		}
	}
	if candidate.UsernameFragment != "" && candidate.UsernameFragment == c.formerUfrag {
		c.cfg.Trace.Note(now, trace.ICE, "remote candidate passed over: it is from before the ICE restart")
		return nil
	}
	// A candidate may come before the description that it belongs to, and one
	// for an offer is of use only when we have answered.
	if c.remoteCredentials.Ufrag == "" || c.signaling == SignalingHaveRemoteOffer ||
		candidate.UsernameFragment != "" && candidate.UsernameFragment != c.remoteCredentials.Ufrag {
		if len(c.trickled) == maxTrickled {
			return errors.New("peerconnection: too many remote candidates before the description they belong to")
		}
		c.trickled = append(c.trickled, candidate)
		return nil
	}
	c.addTrickled(now, candidate, c.sections)
	c.pump(now)
	return nil
}

// addTrickled gives ICE a candidate, or the end of them. What belongs to a section whose
// transport is not the bundle's is passed over: until its offer is answered, a browser
// gathers for each section, and says of each when it is done.
func (c *core) addTrickled(now time.Time, candidate ICECandidate, sections []section) {
	if slices.ContainsFunc(sections, func(s section) bool { return s.said != "" && s.said == candidate.SDPMid && !s.tag }) {
		c.cfg.Trace.Note(now, trace.ICE, "remote candidate passed over: its section is on another's transport")
		return
	}
	if candidate.Candidate == "" {
		c.ice.EndOfRemoteCandidates(now)
		return
	}
	c.addRemoteCandidate(now, candidate.Candidate)
}

// addRemoteCandidate gives ICE a candidate. One that it can't use is passed
// over: others may do.
func (c *core) addRemoteCandidate(now time.Time, text string) {
	candidate, err := ice.ParseCandidate(text)
	if err == nil {
		err = c.ice.AddRemoteCandidate(now, candidate)
		c.measure(now) // it may tell what the one is that data goes to
		c.lookUp(candidate)
	}
	if err != nil {
		c.cfg.Trace.Note(now, trace.ICE, "remote candidate passed over: "+err.Error())
	}
}
