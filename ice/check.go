package ice

import (
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/stun"
)

const (
	// maxRTO is how far apart repetitions get.
	maxRTO = 2 * time.Second

	// giveUpAfter is how long a check is repeated before the pair fails. A peer
	// that answers an offer may start long before the other side has its answer.
	giveUpAfter = 30 * time.Second

	// fastestProbe and slowestProbe bound the first repetition on a pair whose
	// round-trip time is known; all of them while it is being nominated.
	fastestProbe = 100 * time.Millisecond
	slowestProbe = time.Second
)

// enqueue has p checked now: the triggered-check queue. RFC 8445, Section 6.1.4.1.
func (a *Agent) enqueue(p *pair) {
	a.ready = true
	if !p.queued {
		p.queued = true
		a.triggered = append(a.triggered, p)
	}
}

// nextTriggered takes the first pair out of the triggered-check queue.
//
// Those that the peer's early checks triggered wait for its password, relayed
// ones for the server's permission.
func (a *Agent) nextTriggered(now time.Time) *pair {
	for i, p := range a.triggered {
		if p.session.complete() && a.permitted(now, p.local, p.remote.addr.Addr()) {
			a.triggered = slices.Delete(a.triggered, i, i+1)
			p.queued = false
			return p
		}
	}
	return nil
}

// nextOrdinary returns the pair for the next ordinary check, if Ta has passed
// since the last one.
//
// "If there are one or more candidate pairs in the Waiting state, the agent
// picks the highest-priority candidate pair". "If there is no candidate pair in
// the Waiting state, and if there are one or more pairs in the Frozen state,
// [...] For a given foundation, if there is no pair (in any checklist in the
// checklist set) in the Waiting or In-Progress state, the agent puts the
// candidate pair state to Waiting". RFC 8445, Section 6.1.4.2.
func (a *Agent) nextOrdinary(now time.Time) *pair {
	if a.config.Lite || !a.session.complete() || a.timers.Running(timerPace) {
		return nil
	}
	p := a.firstWaiting(now)
	if p == nil && !a.concluded {
		p = a.firstFrozen(now)
	}
	if p != nil {
		a.timers.Set(timerPace, now.Add(a.config.Ta))
	}
	return p
}

func (a *Agent) firstWaiting(now time.Time) *pair {
	for _, p := range a.pairs {
		if p.state == PairWaiting && !p.queued && a.permitted(now, p.local, p.remote.addr.Addr()) {
			return p
		}
	}
	return nil
}

func (a *Agent) firstFrozen(now time.Time) *pair {
next:
	for _, p := range a.pairs {
		if p.state != PairFrozen {
			continue
		}
		for _, q := range a.pairs {
			if (q.state == PairWaiting || q.state == PairInProgress) && q.sameFoundation(p) {
				continue next
			}
		}
		if a.permitted(now, p.local, p.remote.addr.Addr()) {
			return p
		}
	}
	return nil
}

// appendCheck appends a connectivity check on p. RFC 8445, Section 7.2.4. The
// order of the attributes is Chromium's.
func (a *Agent) appendCheck(now time.Time, b []byte, p *pair) ([]byte, Path) {
	t := transaction{
		id:          a.newTransactionID(),
		sent:        now.Sub(p.formedAt),
		open:        true,
		controlling: a.controlling,
		// A nomination is repeated with every consent check, as browsers do: so the
		// ends agree again if one of them took another path in the meantime. While
		// another pair is being nominated instead, the one of before is no more.
		useCandidate: a.controlling && (p == a.nominating || p == a.nominated && (a.nominating == nil || !a.renomination)),
	}
	p.newest = (p.newest + 1) % outstanding
	p.transactions[p.newest] = t
	a.schedule(now, p)
	p.sent++
	a.stats.ChecksSent++

	start, relayed := len(b), p.local.relay != nil
	if relayed {
		b = append(b, headroom[:]...)
	}
	m := stun.NewBuilder(b, stun.BindingRequest, t.id)
	username := p.session.username
	if p.username != "" {
		username = p.username
	}
	m.AddString(stun.AttrUsername, username)
	if o := p.local.options; o.NetworkID != 0 || o.NetworkCost != 0 {
		m.AddUint32(stun.AttrGoogNetworkInfo, uint32(o.NetworkID)<<16|uint32(o.NetworkCost))
	}
	if a.controlling {
		m.AddUint64(stun.AttrICEControlling, a.tieBreaker)
	} else {
		m.AddUint64(stun.AttrICEControlled, a.tieBreaker)
	}
	if t.useCandidate {
		m.Add(stun.AttrUseCandidate, nil)
		a.addNomination(&m, p)
	}
	m.AddUint32(stun.AttrPriority, p.local.reflexivePriority())
	m.AddIntegrity(p.session.remoteKey)
	m.AddFingerprint()
	if relayed {
		return a.Wrap(now, p.path(), m.Bytes(), start)
	}
	return m.Bytes(), p.path()
}

// schedule notes that a check on p goes out now, and when it is repeated.
func (a *Agent) schedule(now time.Time, p *pair) {
	if p.state != PairSucceeded && p.state != PairInProgress {
		p.state = PairInProgress
		p.settle()
	}
	p.missed++
	switch {
	case p.missed > 1 && p == a.nominating:
		p.rto = min(2*p.rto, slowestProbe)
	case p.missed > 1:
		p.rto = min(2*p.rto, maxRTO)
	case p.rtt > 0:
		p.started, p.rto = now, min(max(2*p.rtt, fastestProbe), slowestProbe)
	default:
		p.started, p.rto = now, a.firstRTO()
	}
	p.through = !p.checkedAt.IsZero() && !p.checkedAt.Before(p.started)
	p.retryAt = now.Add(p.rto)
	a.timers.SetEarlier(timerRetry, p.retryAt)
}

// firstRTO is when a check is repeated at first: when all others had their turn, so
// that repetitions do not add up to more than one for each Ta.
//
// "Agents MUST NOT use an RTO value smaller than 500 ms" (RFC 8445, Section 14.3) is
// about retransmitting one transaction. A check is repeated here, as by browsers,
// with another transaction. In a short list
// that is long before an answer can be there, which costs a few datagrams more;
// but the first check of one side is often lost, for it has come to a NAT that was
// not open yet, and the next one is not. The RFC's formula, in the same spirit:
//
//	RTO = MAX (500ms, Ta * N * (Num-Waiting + Num-In-Progress))
func (a *Agent) firstRTO() time.Duration {
	n := 0
	for _, p := range a.pairs {
		if p.state == PairWaiting || p.state == PairInProgress {
			n++
		}
	}
	return a.config.Ta * time.Duration(max(n, 1))
}

// retry repeats the checks that were not answered in time, and fails the pairs
// whose time is up.
func (a *Agent) retry(now time.Time) {
	failed := false
	if a.selected != nil && a.selected.session != a.session {
		failed = a.retryPair(now, a.selected)
	}
	for _, p := range slices.Clone(a.pairs) { // what one finds may change the list
		failed = !p.removed && a.retryPair(now, p) || failed
	}
	a.rearmRetry()
	if failed {
		a.reconsider(now)
		a.failIfHopeless(now)
	}
}

// rearmRetry sets the timer to the earliest repetition.
func (a *Agent) rearmRetry() {
	var next time.Time
	for _, p := range a.pairs {
		next = timers.Earlier(next, p.retryAt)
	}
	if a.selected != nil {
		next = timers.Earlier(next, a.selected.retryAt)
	}
	a.timers.Set(timerRetry, next)
}

// retryPair reports whether p failed.
func (a *Agent) retryPair(now time.Time, p *pair) bool {
	if p.retryAt.IsZero() || p.retryAt.After(now) {
		return false
	}
	p.retryAt = time.Time{}
	p.expired++
	switch {
	case p.state == PairInProgress && now.Sub(p.started) >= min(giveUpAfter, a.config.Patience):
		p.state = PairFailed
		a.forgetRemoved()
		return true
	case p.state == PairInProgress:
		a.enqueue(p)
	case p == a.selected || p == a.nominating || p == a.nominated:
		a.enqueue(p)
		if p.expired >= lostAfter || p == a.selected && a.movedFrom(p) {
			a.suspect(now, p)
		}
	}
	return false
}
