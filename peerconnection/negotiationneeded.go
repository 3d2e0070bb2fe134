package peerconnection

import (
	"slices"
)

// Whether there is something that the peer has not been told (W3C webrtc-pc, Section
// 4.7.3): the flag is looked at again after each change and each exchange.

// updateNegotiationNeeded follows "update the negotiation-needed flag".
func (c *core) updateNegotiationNeeded() {
	if c.ended || c.signaling != SignalingStable {
		return // it is looked at again in the stable state
	}
	if !c.checkNegotiationNeeded() {
		c.negotiationNeeded, c.unreported = false, false
		return
	}
	if !c.negotiationNeeded {
		c.negotiationNeeded, c.unreported = true, true
		c.negotiationWanted.signal()
	}
}

// stable comes with the stable state: what is still needed is said once more.
func (c *core) stable() {
	c.negotiationNeeded, c.unreported = false, false
	c.updateNegotiationNeeded()
}

// checkNegotiationNeeded follows "check if negotiation is needed".
func (c *core) checkNegotiationNeeded() bool {
	if c.restartWanted {
		return true
	}
	if c.channelsMade > 0 && dataSection(c.sections) < 0 && c.wantsDataSection(c.sections) {
		return true
	}
	for _, t := range c.transceivers {
		in := c.sectionOf(t)
		switch {
		case t.stopping:
			if !t.stopped || in != nil && !in.rejected {
				return true
			}
		case in == nil:
			return true
		case sends(t.direction.bits()) && (!sends(in.local.direction) || !sameStreams(in.local.streams, t.sender.streams)):
			return true
		case c.local.current.Type == SDPTypeOffer:
			if t.direction.bits() != in.local.direction && t.direction.bits() != in.remote.direction.Reverse() {
				return true
			}
		default:
			if in.local.direction != t.direction.bits()&in.remote.direction.Reverse() {
				return true
			}
		}
	}
	return false
}

func sameStreams(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
