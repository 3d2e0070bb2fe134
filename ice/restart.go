package ice

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// oldSessionFor is how long checks with the credentials of before a restart
// are answered once there is a new path: as long as RFC 8445, Section 8.3 has
// unused candidates answer. A peer that clings to the old path must notice.
const oldSessionFor = 3 * time.Second

// Restart begins a new session, with these credentials of ours, which are from
// [NewCredentials] and in the description that tells the peer, and without the
// peer's. Data stays on the selected path, and consent to it is kept up, until a
// pair of the new session is nominated, or until it is lost and one is valid.
// Every local candidate is gathered anew, in events. RFC 8445, Section 9.
func (a *Agent) Restart(now time.Time, local Credentials) {
	if a.state == StateClosed {
		return
	}
	a.trace.Note(now, trace.ICE, "restart")
	a.generation++
	a.startSession(now, local)
	if a.state == StateFailed {
		a.setState(now, StateChecking)
	}
	if a.state == StateDisconnected {
		a.abandonAllocations(now)
	}
	for _, l := range a.locals {
		a.gather(l)
	}
	a.sendAgain(now)
	a.updateState(now)
}

// startSession leaves the present session for one with these credentials.
//
// "To restart ICE, an agent MUST change both the password and the username
// fragment for the data stream(s) being restarted." "An ICE restart causes all
// previous states of the data streams, excluding the roles of the agents, to be
// flushed. The only difference between an ICE restart and a brand new data
// session is that during the restart, data can continue to be sent using
// existing data sessions". RFC 8445, Section 9.
func (a *Agent) startSession(now time.Time, local Credentials) {
	if a.selected != nil {
		a.old = a.selected.session
	} else if a.session.complete() {
		a.old = a.session
	}
	a.session = newSession(local)
	a.remove(func(p *pair) bool { return p != a.selected })
	a.pairs, a.remotes = nil, nil
	a.concluded = false
	a.nominating, a.nominated = nil, nil
	for _, t := range [...]timer{timerNominate, timerPatience, timerOldSession} {
		a.timers.Stop(t)
	}
}

// forgetOldSession ends the time of the credentials of before the restart,
// unless the peer still uses them on a pair that matters.
func (a *Agent) forgetOldSession(now time.Time) {
	for _, p := range a.pairs {
		if p.username != "" && p.valid() {
			a.timers.Set(timerOldSession, now.Add(oldSessionFor))
			return
		}
	}
	a.old = nil
}
