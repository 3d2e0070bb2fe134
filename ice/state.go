package ice

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A State is how far the agent is, in the words of W3C's RTCIceTransportState.
type State uint8

// The states of an Agent.
const (
	// StateNew waits for the peer's credentials; after a restart, StateChecking does.
	StateNew State = iota

	// StateChecking has sent checks, or could, and waits for the first that is answered.
	StateChecking

	// StateConnected has a path for data. It waits for the nomination of this or a better one.
	StateConnected

	// StateCompleted has the path that both sides agreed on. RFC 8445, Section 8.1.2.
	StateCompleted

	// StateDisconnected has not heard from the peer on the path for some seconds, and
	// knows of no other. It may recover.
	StateDisconnected

	// StateFailed is the end, unless the agent is restarted: no path was found, or
	// consent to use it expired. RFC 7675, Section 5.1.
	StateFailed

	// StateClosed is the end.
	StateClosed
)

var stateNames = [...]string{"new", "checking", "connected", "completed", "disconnected", "failed", "closed"}

// String returns the state's name as W3C writes it.
func (s State) String() string { return stateNames[s] }

// State returns the state.
func (a *Agent) State() State { return a.state }

func (a *Agent) setState(now time.Time, s State) {
	if a.state == s {
		return
	}
	a.trace.State(now, trace.ICE, a.state.String(), s.String())
	a.state = s
	a.emit(StateChanged{s})
}

// updateState derives the state from what is known, unless it is an end.
func (a *Agent) updateState(now time.Time) {
	switch {
	case a.ended():
	case a.selected == nil && !a.session.complete() && a.generation == 0:
		a.setState(now, StateNew)
	case a.selected == nil:
		a.setState(now, StateChecking)
	case now.Sub(a.selected.heardAt) >= a.silence():
		a.setState(now, StateDisconnected)
	case a.selected == a.nominated && a.selected.session == a.session:
		a.setState(now, StateCompleted)
	default:
		a.setState(now, StateConnected)
	}
}

// failIfHopeless fails an agent that has no path and nothing left to try.
//
// RFC 8863, Section 4 wants it to wait for that until the PAC timer expires, even
// with no pair left to check: the peer's checks may arrive from an address that
// nobody knows yet.
func (a *Agent) failIfHopeless(now time.Time) {
	if a.ended() || a.selected != nil || !a.session.complete() || a.timers.Running(timerPatience) {
		return
	}
	// A peer whose checks we answer and that refuses ours would have its pairs
	// tried for ever, for each of its checks triggers another one of ours. So a
	// pair has its time, however often it is tried.
	var until time.Time
	for _, p := range a.pairs {
		if at := p.formedAt.Add(min(giveUpAfter, a.config.Patience)); p.state != PairFailed && at.After(until) {
			until = at
		}
	}
	if at, ok := a.hopes(now); ok && at.After(until) {
		until = at
	}
	if until.After(now) {
		a.timers.Set(timerPatience, until)
		return
	}
	a.end(now, StateFailed)
}
