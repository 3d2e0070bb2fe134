package ice

import (
	"net/netip"

	"github.com/plainrtc/plainrtc/stun"
)

// An Event is a rare fact that an Agent tells.
type Event interface{ event() }

// StateChanged tells that the agent is in another state.
type StateChanged struct{ State State }

// CandidateGathered tells a local candidate, which the peer must be told.
type CandidateGathered struct{ Candidate Candidate }

// GatheringDone tells that no more local candidates will come, unless there is
// a restart.
type GatheringDone struct{}

// PathSelected tells that data goes to another path now, or that the path it
// goes to was nominated.
type PathSelected struct {
	Path          Path
	Nominated     bool
	Local, Remote Candidate
}

// ServerFailed tells that a server brings nothing, or not any more, to a base.
// W3C: RTCPeerConnectionIceErrorEvent.
type ServerFailed struct {
	Base   netip.AddrPort // where it was asked from
	Server ServerConfig
	Code   stun.ErrorCode // the server's; 0 if it was not reached or its answer was of no use
	Err    error
}

// RoleChanged tells that a conflict of roles was repaired, or that a lite peer
// left us no choice.
type RoleChanged struct{ Controlling bool }

func (StateChanged) event()      {}
func (CandidateGathered) event() {}
func (GatheringDone) event()     {}
func (PathSelected) event()      {}
func (ServerFailed) event()      {}
func (RoleChanged) event()       {}

func (a *Agent) emit(e Event) { a.events = append(a.events, e) }

// NextEvent takes out the next event.
func (a *Agent) NextEvent() (Event, bool) {
	if len(a.events) == 0 {
		return nil, false
	}
	e := a.events[0]
	a.events = a.events[1:]
	if len(a.events) == 0 {
		a.events = nil
	}
	return e, true
}
