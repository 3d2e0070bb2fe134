package ice

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// Controlling reports the role: whether this agent nominates.
func (a *Agent) Controlling() bool { return a.controlling }

// SetControlling sets the role: the side that offered first is controlling. A
// lite agent is always controlled, and so is the lite peer of this one.
// RFC 8445, Section 6.1.1.
func (a *Agent) SetControlling(controlling bool) {
	controlling = (controlling || a.remoteLite) && !a.config.Lite
	if a.controlling != controlling {
		a.controlling = controlling
		a.reprioritise()
	}
}

// SetRemoteLite tells that the peer is a lite agent: "The full agent MUST take
// the controlling role, and the lite agent MUST take the controlled role."
// RFC 8445, Section 6.1.1.
func (a *Agent) SetRemoteLite(lite bool) {
	a.remoteLite = lite
	if lite && !a.controlling && !a.config.Lite {
		a.SetControlling(true)
		a.emit(RoleChanged{true})
	}
}

func (a *Agent) newTieBreaker() { a.tieBreaker = a.random() }

// roleConflict detects that the peer of a check is in our role, and repairs it:
// either we change ours, or it must, which is what true means. RFC 8445, Section 7.3.1.1.
//
//   - Controlling: "If the agent's tiebreaker value is larger than or equal to the
//     contents of the ICE-CONTROLLING attribute, the agent generates a Binding
//     error response and includes an ERROR-CODE attribute with a value of 487
//     (Role Conflict) but retains its role." If less, it "switches to the
//     controlled role".
//   - Controlled: if larger than or equal, it "switches to the controlling role";
//     if less, it answers 487.
func (a *Agent) roleConflict(now time.Time, m stun.Message) bool {
	attribute := stun.AttrICEControlled
	if a.controlling {
		attribute = stun.AttrICEControlling
	}
	theirs, conflict := m.Uint64(attribute)
	if !conflict {
		return false
	}
	if a.controlling == (a.tieBreaker >= theirs) || a.config.Lite || a.remoteLite {
		return true
	}
	a.switchRole(now)
	return false
}

// roleRefused processes the peer's 487.
//
// "if the ICE agent included an ICE-CONTROLLED attribute in the request, the
// agent MUST switch to the controlling role. If the agent included an
// ICE-CONTROLLING attribute in the request, the agent MUST switch to the
// controlled role. [...] The agent MUST change the tiebreaker value." RFC 8445,
// Section 7.2.5.1.
func (a *Agent) roleRefused(now time.Time, wasControlling bool) {
	if a.controlling == wasControlling && !a.remoteLite {
		a.switchRole(now)
		a.newTieBreaker()
	}
}

func (a *Agent) switchRole(now time.Time) {
	a.controlling = !a.controlling
	a.reprioritise()
	a.nominating = nil
	for _, p := range a.pairs {
		p.nomination = 0 // it was a number of the one who controlled
	}
	a.timers.Stop(timerNominate)
	a.trace.Note(now, trace.ICE, "the roles were in conflict: this agent changed its own")
	a.emit(RoleChanged{a.controlling})
	if a.controlling && a.nominated == nil {
		a.nominate(now)
	}
}
