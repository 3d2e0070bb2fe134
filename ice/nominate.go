package ice

import "time"

const (
	// The controlling agent waits one more round trip for pairs that are better
	// than the first valid one, within these bounds. Data flows meanwhile.
	leastPatience = 20 * time.Millisecond
	mostPatience  = 250 * time.Millisecond

	// relayPatience is how long it waits if the first one is relayed, or over TCP, which is
	// much the worse: for both NATs to be open each side's checks must have left,
	// with a candidate that may be on its way still.
	relayPatience = 2 * time.Second

	// staleAfter is how long the peer may be silent on a pair it nominated, or
	// check another one instead, until its nomination of that with a lower
	// priority is believed.
	staleAfter = 2 * time.Second
)

// nominate has the controlling agent pick a pair, once that is due: the best
// valid one as soon as nothing better is still being checked, or was for long
// enough.
//
// "The criteria for stopping the connectivity checks and for picking a pair for
// nomination are outside the scope of this specification. [...] The only
// requirement is that the agent MUST eventually pick one and only one candidate
// pair and generate a check for that pair with the USE-CANDIDATE attribute set."
// RFC 8445, Section 8.1.1.
func (a *Agent) nominate(now time.Time) {
	if !a.controlling {
		return
	}
	if n := a.nominated; n != nil && !n.lost() {
		a.renominate(now)
		return
	}
	best := a.bestValid(now)
	if best == nil || a.nominating != nil && a.nominating.valid() {
		return // with nothing better, the one that does not answer is asked on and on
	}
	if a.betterPending(best) {
		wait := min(max(best.rtt, leastPatience), mostPatience)
		if best.local.relay != nil || best.remote.candidate.Type == Relayed || best.local.candidate.Protocol == TCP {
			wait = relayPatience
		}
		if until := best.answeredAt.Add(wait); until.After(now) {
			a.timers.SetEarlier(timerNominate, until)
			return
		}
	}
	a.timers.Stop(timerNominate)
	if p := a.nominating; p != nil {
		p.state = PairWaiting // it was valid once, and may be again
		p.settle()
	}
	a.ask(best)
}

// ask nominates p: the next check there says so.
func (a *Agent) ask(p *pair) {
	a.nominating = p
	a.nominations++
	p.nomination = a.nominations
	a.enqueue(p)
}

// betterPending reports whether a pair with a higher priority than p's may
// become valid soon.
func (a *Agent) betterPending(p *pair) bool {
	for _, q := range a.pairs {
		if q == p {
			break
		}
		if q.state == PairWaiting || q.state == PairInProgress || q.state == PairFrozen && !a.concluded {
			return true
		}
	}
	return false
}

// nominationReceived has the controlled agent follow the peer's nomination of
// a valid pair.
//
// A peer may nominate several. "If more than one candidate pair is nominated
// by the controlling agent, and if the controlled agent accepts multiple
// nominations requests, the agents MUST produce the selected pairs and use the
// pairs with the highest priority." RFC 8445, Section 8.1.1. That is meant for
// peers that nominate whatever they check. But browsers also move to another
// pair when the first one ails, be it of lower priority: they are followed when
// they no longer nominate the first one, are no longer heard on it, or keep
// nominating the other one without a check on the first.
func (a *Agent) nominationReceived(now time.Time, p *pair) {
	n := a.nominated
	switch {
	case n != nil && n != p && n.session == a.session && n.valid() && p.nomination != n.nomination:
		if p.nomination > n.nomination {
			a.accept(now, p)
		}
	case n == nil, n == p, n.session != a.session, !n.valid(),
		p.priority > n.priority,
		n.plain,
		now.Sub(n.heardAt) > staleAfter,
		now.Sub(p.nominatedAt) > staleAfter && n.checkedAt.Before(p.nominatedAt):
		a.accept(now, p)
	}
}

// accept makes p the nominated pair, on both sides' word.
func (a *Agent) accept(now time.Time, p *pair) {
	if a.nominated == p {
		return
	}
	if n := a.nominated; n != nil {
		n.nominatedAt = time.Time{} // it takes another nomination to go back there
	}
	a.nominating = nil
	a.nominated = p
	a.timers.Stop(timerNominate)
	a.conclude(p)
	if p == a.selected {
		a.pathSelected(now)
	}
	a.reconsider(now)
}
