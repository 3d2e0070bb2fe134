package ice

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// freshFor is how recent the last answered check of a pair must be for data to
// move there after nomination: it is consent, too.
const freshFor = 5 * time.Second

// SelectedPath returns where application data goes now: the nominated pair's
// path or, before there is one, the best valid pair's.
//
// "An ICE agent MAY send data on any valid pair before selected pairs have been
// produced for the data stream." RFC 8445, Section 12.1.
func (a *Agent) SelectedPath() (Path, bool) {
	if a.selected == nil {
		return Path{}, false
	}
	return a.selected.path(), true
}

// reconsider brings nomination, selection and state up to date, after a pair
// became valid, was nominated, or was lost.
func (a *Agent) reconsider(now time.Time) {
	if a.ended() {
		return
	}
	a.nominate(now)
	a.selectPair(now)
	a.updateState(now)
}

// selectPair decides which pair data goes to: the nominated one while it is
// alive; the one of before a restart while there is no nominated one; else the
// best one that is. With none left alive, it stays: the pair may recover.
func (a *Agent) selectPair(now time.Time) {
	best := a.nominated
	if best == nil || !best.valid() {
		best = a.bestValid(now)
		if s := a.selected; s != nil && s.session != a.session && !s.lost() {
			best = s
		}
	}
	if best == nil || best == a.selected {
		return
	}
	a.selected = best
	a.bindChannel(now, best)
	if a.old != nil && best.session == a.session {
		a.timers.Set(timerOldSession, now.Add(oldSessionFor))
	}
	a.pathSelected(now)
	a.consentGiven(now)
	stale := now.Sub(best.answeredAt) > freshFor
	if !a.config.Lite && a.concluded && (stale || best != a.nominated) {
		a.enqueue(best) // the sooner the peer learns that we had to move, the better
	}
}

func (a *Agent) pathSelected(now time.Time) {
	p := a.selected
	a.unansweredAt = time.Time{}
	if a.trace != nil {
		a.trace.Note(now, trace.ICE, "selected path: "+p.path().String())
	}
	a.emit(PathSelected{Path: p.path(), Nominated: p == a.nominated, Local: p.localCandidate(), Remote: p.remote.candidate})
}

// bestValid returns the valid pair of the session with the highest priority,
// or nil. Those that were kept for a rainy day after nomination are valid only
// once they were checked again.
func (a *Agent) bestValid(now time.Time) *pair {
	for _, p := range a.pairs {
		if a.alive(now, p) {
			return p
		}
	}
	return nil
}

// alive reports whether data may move to p.
func (a *Agent) alive(now time.Time, p *pair) bool {
	return p.valid() && (!a.concluded || p == a.nominated || p == a.selected || now.Sub(p.answeredAt) < freshFor)
}

// suspect is called while a valid pair does not answer: the others are looked
// after, and take over once it counts as lost.
func (a *Agent) suspect(now time.Time, p *pair) {
	a.wake(now)
	if p == a.selected && a.movedFrom(p) {
		p.expired = max(p.expired, lostAfter)
	}
	a.probeAllocations(now)
	if p.lost() {
		a.reconsider(now)
	}
}

// movedFrom reports whether data of the peer has come on another pair, which answers
// checks, since p was last heard of: then one check that is not answered says that the peer is
// not there any more.
func (a *Agent) movedFrom(p *pair) bool {
	for _, o := range a.pairs {
		if o != p && o.valid() && o.answeredAt.After(p.heardAt) && o.strayAt.After(p.heardAt) {
			return true
		}
	}
	return false
}

// probeSelected checks the selected pair now, rather than at the next consent
// check, because the peer turned up on p: if its address changed, the selected
// pair is dead, and the sooner that is known the better.
func (a *Agent) probeSelected(now time.Time, p *pair) {
	s := a.selected
	if s == nil || s == p || !a.concluded || s.missed > 0 || s.session != a.session || now.Sub(s.heardAt) < s.rtt+fastestProbe {
		return
	}
	a.enqueue(s)
}

// KnowsPath reports whether the peer has shown, by a check or by the answer to
// one, that it is at the other end of a path. What comes from anywhere else is
// not worth a look: it is not the peer's, or too early to matter.
func (a *Agent) KnowsPath(path Path) bool {
	path = path.unmapped()
	if a.selected != nil && a.selected.path() == path {
		return true
	}
	for _, p := range a.pairs {
		if p.path() == path && (p.received > 0 || p.answered > 0) {
			return true
		}
	}
	return false
}
