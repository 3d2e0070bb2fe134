package ice

import (
	"slices"
	"time"
)

// Allocations that are lost. A server that starts anew has forgotten them, and says so
// to nobody who does not ask; a NAT that starts anew gives our base another address, which is
// another client's to the server. So when the selected path falls silent, and when ICE restarts, each
// server is asked whether the allocation is still there, and where it is not, for another: a relayed candidate
// like those of the beginning, to be signalled.
//
// One that carries nothing is kept for the day that the path fails. For that a NAT on the way to the server must
// not forget it: a Binding indication every Tr keeps it open.

const (
	// probeEvery is how often a server may be asked whether an allocation is there.
	probeEvery = 5 * time.Second

	// An allocation that is lost is asked for again at once; if that fails, or does
	// not last, after these times, each double the last.
	minSetback, maxSetback = time.Second, 32 * time.Second

	// hopeFor is for how long an agent without a path does not fail for that.
	hopeFor = 30 * time.Second
)

// A loan is what is known of an errand whose server has relayed for us.
type loan struct {
	since   time.Time     // of the allocation that there is, or was last
	lostAt  time.Time     // when the first of those in a row was lost
	again   time.Time     // when to ask for another; zero when not
	setback time.Duration // how long the last one had us wait
	probed  time.Time     // when the server was last asked whether it is there

	keepalive bool // a Binding indication is due
}

// probeAllocations asks servers whether allocations are still there.
func (a *Agent) probeAllocations(now time.Time) {
	for _, e := range a.errands {
		if e.client != nil && e.state == errandDone && !now.Before(e.loan.probed.Add(probeEvery)) {
			e.loan.probed = now
			e.client.Probe(now)
			a.ready = true
		}
	}
}

// lent notes that the server relays.
func (a *Agent) lent(now time.Time, e *errand) {
	if !e.loan.since.IsZero() { // what it saw of the last one is not true any more
		stale := a.serverFoundation(ServerReflexive, e.base.addr.Addr(), e.Addr.Addr(), e.Protocol)
		e.base.reflexives = slices.DeleteFunc(e.base.reflexives, func(c Candidate) bool { return c.Foundation == stale })
		// It shares no fate with the last one, whose pairs may be failing just now.
		a.fates = slices.DeleteFunc(a.fates, func(f fate) bool { return f.kind == Relayed && f.server == e.Addr.Addr() && f.protocol == e.Protocol })
	}
	e.loan.since, e.loan.again = now, time.Time{}
	if !e.Protocol.Stream() && !a.timers.Running(timerKeepalive) {
		a.timers.Set(timerKeepalive, now.Add(keepalivePeriod))
	}
}

// keepAllocations keeps the ways to the servers open that relay, or might.
func (a *Agent) keepAllocations(now time.Time) {
	for _, e := range a.errands {
		if e.client != nil && e.state == errandDone && !e.Protocol.Stream() {
			e.loan.keepalive, a.ready = true, true
			a.timers.Set(timerKeepalive, now.Add(keepalivePeriod))
		}
	}
}

// askAgain has the server asked for another allocation, if it has lent one in this session.
func (a *Agent) askAgain(now time.Time, e *errand) {
	l := &e.loan
	if l.since.IsZero() || a.ended() || e.state != errandDone {
		return
	}
	if now.Sub(l.since) > maxSetback {
		l.setback, l.lostAt = 0, now
	}
	l.again = now.Add(l.setback)
	l.setback = min(max(2*l.setback, minSetback), maxSetback)
	a.timers.SetEarlier(timerReallocate, l.again)
}

// reallocate asks for the allocations that are due.
func (a *Agent) reallocate(now time.Time) {
	for _, e := range a.errands {
		switch at := e.loan.again; {
		case at.IsZero() || a.ended():
		case at.After(now):
			a.timers.SetEarlier(timerReallocate, at)
		default:
			e.loan.again = time.Time{}
			e.state, e.client, e.elsewhere = errandWaiting, nil, false
		}
	}
	a.sendNext(now)
}

// hopes reports whether an allocation may come that was lost not long ago.
func (a *Agent) hopes(now time.Time) (until time.Time, ok bool) {
	for _, e := range a.errands {
		waits := !e.loan.again.IsZero() || !e.loan.since.IsZero() && e.state != errandDone
		if at := e.loan.lostAt.Add(hopeFor); waits && at.After(now) && at.After(until) {
			until, ok = at, true
		}
	}
	return until, ok
}

// relays reports whether a candidate is the errand's.
func (a *Agent) relays(e *errand) bool {
	return slices.ContainsFunc(a.locals, func(l *local) bool { return l.relay == e })
}
