package ice

import (
	"cmp"
	"slices"
	"time"
)

// maxKept is how many pairs outlive nomination: the nominated one, and others
// to fall back on.
const maxKept = 8

// formPair puts the pair of l and r on the check list, if it is one and not
// there yet. RFC 8445, Section 6.1.2.2; RFC 8838, Section 11.
func (a *Agent) formPair(now time.Time, l *local, r *remote) *pair {
	if p := a.pairOf(l, r); p != nil {
		return p
	}
	if a.config.Lite || !pairable(l, r) || a.localAt(r.candidate.Protocol, r.addr) != nil {
		return nil
	}
	p := &pair{session: a.session, local: l, remote: r, formedAt: now}
	p.priority = a.priorityOf(p)
	p.state = a.initialState(p)
	p.late = a.concluded
	return a.insert(now, p)
}

// pairable reports whether a datagram could go from l to r. Over TCP one end must be
// the one that opens the connection, and only pairs whose it is are checked from
// here: the others form when the peer's checks come. RFC 6544, Section 6.2.
//
// "IPv6 link-local addresses MUST NOT be paired with other than link-local
// addresses." RFC 8445, Section 6.1.2.2.
//
// "To prevent disclosure of the host IP address to a TURN server, the ICE agent MUST
// NOT form candidate pairs between its own relay candidates and remote mDNS
// candidates." Draft-ietf-mmusic-mdns-ice-candidates, Section 3.3.2.
func pairable(l *local, r *remote) bool {
	from, to := l.addr.Addr(), r.addr.Addr()
	ours, theirs := l.candidate, r.candidate
	if ours.Protocol != theirs.Protocol || ours.Protocol == TCP && !(ours.TCPType == TCPActive && theirs.TCPType == TCPPassive ||
		ours.TCPType == TCPSimultaneousOpen && theirs.TCPType == TCPSimultaneousOpen) {
		return false
	}
	return to.IsValid() && (l.relay == nil || r.candidate.Host == "") && from.Is4() == to.Is4() && (from.Is4() || from.IsLinkLocalUnicast() == to.IsLinkLocalUnicast())
}

// initialState is the state of a pair that joins the check list: Waiting when
// it is the first of its foundation that can teach something, or when one of
// its foundation has succeeded; Frozen otherwise. RFC 8838, Section 12. After
// nomination nothing is unfrozen any more, and nothing else waits.
func (a *Agent) initialState(p *pair) PairState {
	state := PairWaiting
	if a.concluded {
		return state
	}
	for _, q := range a.pairs {
		if !p.sameFoundation(q) {
			continue
		}
		switch q.state {
		case PairSucceeded:
			return PairWaiting
		case PairWaiting, PairInProgress:
			state = PairFrozen
		}
	}
	return state
}

// insert puts p in its place, unless the list is full of better ones.
//
// "The limit is enforced by, within in each checklist, discarding
// lower-priority candidate pairs until the total number of candidate pairs in
// the checklist set is smaller than the limit value." RFC 8445, Section 6.1.2.5.
func (a *Agent) insert(now time.Time, p *pair) *pair {
	if limit := a.limit(); len(a.pairs) >= limit {
		if !a.discardFor(p) {
			return nil
		}
	}
	i, _ := slices.BinarySearchFunc(a.pairs, p, byPriority)
	for i < len(a.pairs) && a.pairs[i].priority == p.priority {
		i++ // behind its equals: older ones first
	}
	a.pairs = slices.Insert(a.pairs, i, p)
	if e := p.local.relay; e != nil && !a.permitted(now, p.local, p.remote.addr.Addr()) && e.permissions[p.remote.addr.Addr()] == permissionRefused {
		p.state = PairFailed
	}
	a.ready = true
	return p
}

// limit is how many pairs the check list may hold.
func (a *Agent) limit() int {
	if a.concluded {
		return min(maxKept, a.config.MaxPairs)
	}
	return a.config.MaxPairs
}

// discardFor makes room for p: first goes what failed, then what has the
// lowest priority of what was not checked; after nomination, also what was
// heard of the longest ago.
func (a *Agent) discardFor(p *pair) bool {
	var victim *pair
	for _, q := range a.pairs {
		switch {
		case q == a.selected || q == a.nominated || q == a.nominating:
		case victim != nil && victim.state == PairFailed:
		case q.state == PairFailed,
			q.dispensable() && (a.concluded || q.priority < p.priority):
			victim = q
		case a.concluded && (victim == nil || !victim.dispensable() && q.heardAt.Before(victim.heardAt)):
			victim = q
		}
	}
	if victim == nil {
		return false
	}
	a.remove(func(q *pair) bool { return q == victim })
	return true
}

// remove takes pairs off the check list and the triggered-check queue. They may
// still be the selected pair.
func (a *Agent) remove(which func(*pair) bool) {
	a.pairs = slices.DeleteFunc(a.pairs, func(p *pair) bool {
		p.removed = p.removed || which(p)
		return p.removed
	})
	a.triggered = slices.DeleteFunc(a.triggered, func(p *pair) bool { return p.removed })
}

// byPriority sorts by decreasing priority.
func byPriority(p, q *pair) int { return cmp.Compare(q.priority, p.priority) }

// priorityOf is p's priority in the present role.
func (a *Agent) priorityOf(p *pair) uint64 {
	if a.controlling {
		return pairPriority(p.local.candidate.Priority, p.remote.candidate.Priority)
	}
	return pairPriority(p.remote.candidate.Priority, p.local.candidate.Priority)
}

// reprioritise sorts the check list again, after a change of role or of a
// candidate's priority.
func (a *Agent) reprioritise() {
	for _, p := range a.pairs {
		p.priority = a.priorityOf(p)
	}
	slices.SortStableFunc(a.pairs, byPriority)
}

// pairOf returns the pair of l and r, or nil.
func (a *Agent) pairOf(l *local, r *remote) *pair {
	for _, p := range a.pairs {
		if p.local == l && p.remote == r {
			return p
		}
	}
	return nil
}

// pairAt returns the pair with that path, the selected one of before a restart
// included, or nil.
func (a *Agent) pairAt(path Path) *pair {
	if a.selected != nil && a.selected.path() == path {
		return a.selected
	}
	for _, p := range a.pairs {
		if p.path() == path {
			return p
		}
	}
	return nil
}

// unfreeze sets pairs free that are as likely to succeed as p, which did.
//
// "The agent MUST set the states for all other Frozen candidate pairs in all
// checklists with the same foundation to Waiting." RFC 8445, Section 7.2.5.3.3.
func (a *Agent) unfreeze(p *pair) {
	if a.concluded {
		return
	}
	for _, q := range a.pairs {
		if q.state == PairFrozen && q.sameFoundation(p) {
			q.state = PairWaiting
		}
	}
}

// lose takes pairs off the check list that can no longer be used, the selected
// one perhaps among them.
func (a *Agent) lose(now time.Time, which func(*pair) bool) {
	if s := a.selected; s != nil && which(s) {
		s.removed = true
	}
	a.remove(which)
	a.forgetRemoved()
	a.wake(now)
	a.reconsider(now)
	if a.selected == nil {
		a.timers.SetEarlier(timerPatience, now.Add(a.config.Patience))
	}
}

// forgetRemoved lets go of pairs that were removed or have failed.
func (a *Agent) forgetRemoved() {
	for _, p := range [...]**pair{&a.selected, &a.nominated, &a.nominating} {
		if *p != nil && ((*p).removed || (*p).state == PairFailed) {
			*p = nil
		}
	}
}

// conclude ends checking, for p was nominated.
//
// "Once a candidate pair for a component of a data stream has been nominated,
// and the state of the checklist associated with the data stream is Running,
// the ICE agent MUST remove all candidate pairs for the same component from the
// checklist and from the triggered-check queue. If the state of a pair is
// In-Progress, the agent cancels the In-Progress transaction." RFC 8445, Section
// 8.1.2. A few pairs stay, without traffic, for the day p dies; so do their
// transactions, whose answers are welcome. What came after another pair had been nominated, as a network does
// that comes back while its loss is dealt with, goes on if it is better: nobody would
// look at it again.
func (a *Agent) conclude(p *pair) {
	a.concluded = true
	a.timers.Stop(timerPatience)
	rank := func(q *pair) int {
		switch {
		case q == p || q == a.selected:
			return 0
		case q.state == PairSucceeded:
			return 1
		}
		return 2
	}
	best := slices.Clone(a.pairs) // in order of priority among equals
	slices.SortStableFunc(best, func(q, r *pair) int { return cmp.Compare(rank(q), rank(r)) })
	best = best[:min(len(best), maxKept)]
	a.remove(func(q *pair) bool {
		if rank(q) == 2 && !(q.late && a.renomination && q.priority > p.priority) {
			q.state = PairFrozen
			q.settle()
		}
		return !slices.Contains(best, q)
	})
	a.pairs = slices.Clip(slices.Clone(a.pairs))
	a.remotes = slices.Clip(slices.DeleteFunc(slices.Clone(a.remotes), func(r *remote) bool {
		// A name may be resolved yet.
		return r.addr.Addr().IsValid() && !slices.ContainsFunc(a.pairs, func(q *pair) bool { return q.remote == r })
	}))
	for _, q := range a.triggered {
		q.queued = false
	}
	a.triggered = nil
}

// wake has the pairs checked that were kept for the day the selected one
// fails, except those that are being checked already or are known to be alive.
func (a *Agent) wake(now time.Time) {
	if !a.concluded {
		return
	}
	for _, p := range a.pairs {
		switch {
		case p == a.selected, p.state == PairWaiting, p.state == PairInProgress, a.alive(now, p):
		default:
			p.state = PairWaiting
			p.settle()
			a.ready = true
		}
	}
	a.nominateBlindly()
}
