package ice

import (
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/stun"
	"github.com/plainrtc/plainrtc/turn"
)

// What a base has to do at a server: when it is asked, and over which connection.

// send sends l on an errand to s, when its turn comes.
func (a *Agent) send(now time.Time, l *local, s ServerConfig, rank int) {
	switch {
	case !l.reaches(s), a.adopt(now, l, s):
		return
	case s.Kind == STUN && (a.config.Policy == PolicyRelay || l.options.Hidden):
		return
	}
	a.errands = append(a.errands, &errand{ServerConfig: s, asked: s.Addr, rank: rank, base: l})
	a.sendNext(now)
}

// reaches reports whether a server can be asked from l.
func (l *local) reaches(s ServerConfig) bool {
	from, to := l.addr.Addr(), s.Addr.Addr()
	if from.Is4() != to.Is4() || from.IsLoopback() && !to.IsLoopback() || from.IsLinkLocalUnicast() != to.IsLinkLocalUnicast() {
		return false
	}
	// An allocation is one five-tuple's, and who else sends from a shared address may have one.
	return !l.options.Shared || s.Kind == STUN && s.Protocol == UDP
}

// sendNext begins the next errand, if Ta has passed since the last one began:
// "Every time Ta expires, the agent can generate another new STUN or TURN
// transaction." RFC 8445, Section 5.1.1.2.
func (a *Agent) sendNext(now time.Time) {
	if a.timers.Running(timerGather) {
		return
	}
	for _, e := range a.errands {
		if e.state != errandWaiting {
			continue
		}
		e.state = errandRunning
		a.reach(now, e)
		a.timers.Set(timerGather, now.Add(a.config.Ta))
		a.timers.Set(timerGathered, now.Add(gatherFor))
		a.ready = true
		return
	}
}

// reach asks the server, once there is a connection if that takes one.
func (a *Agent) reach(now time.Time, e *errand) {
	if e.Protocol == UDP || a.dial(Dial{Path: e.path(), Server: true, Name: e.Name}) {
		a.askServer(now, e)
		return
	}
	e.dialing = true
}

// askServer asks the server.
func (a *Agent) askServer(now time.Time, e *errand) {
	a.ready = true
	switch {
	case e.Kind == STUN:
		e.id = a.newTransactionID()
		b := stun.NewBuilder(nil, stun.BindingRequest, e.id)
		e.binding = stun.NewTransaction(b.Bytes(), stun.TransactionConfig{Trace: a.trace})
		e.binding.Start(now)
	case e.moving && e.client != nil:
		e.moving = false
		e.client.Move(now) // if there is no ticket any more, the next Refresh will show it
	case e.elsewhere && e.client != nil:
		e.elsewhere = false
		e.client.Restart(now, e.Addr)
	default:
		client, err := turn.NewClient(a.clientConfig(e.ServerConfig))
		if err != nil {
			panic("BUG: " + err.Error()) // AddServer has tried
		}
		e.client, e.permissions = client, map[netip.Addr]permission{}
		e.client.Start(now)
	}
}

// disconnected ends an errand whose connection is no more, and with it what the server
// lent: it has taken that back.
func (a *Agent) disconnected(now time.Time, e *errand, err error) {
	if e.client == nil && e.binding == nil && !e.dialing {
		return
	}
	if e.mobile() && !e.moving && !e.adrift { // the server keeps the allocation
		a.comeBack(now, e)
		return
	}
	if e.state != errandWaiting {
		a.serverFailed(now, e, err)
		e.state = errandDone
	}
	e.moving = false
	e.dialing, e.binding, e.client = false, nil, nil
	a.askAgain(now, e)
	a.loseRelayed(now, func(l *local) bool { return l.relay == e })
	a.checkGathered(now)
}

// sendAgain repeats the errands after a restart; allocations stay.
func (a *Agent) sendAgain(now time.Time) {
	a.gatheringTold = false
	for _, e := range a.errands {
		if e.state == errandDone && !a.relays(e) {
			e.state, e.client, e.elsewhere, e.loan = errandWaiting, nil, false, loan{}
		}
	}
	for _, l := range a.locals {
		l.reflexives = nil
	}
	a.probeAllocations(now)
	a.sendNext(now)
	a.checkGathered(now)
}

// forgetErrands ends the errands of a base that is gone, or all of them if l is nil.
func (a *Agent) forgetErrands(now time.Time, l *local) {
	a.errands = slices.DeleteFunc(a.errands, func(e *errand) bool { return l == nil || e.base == l && !e.adrift })
	a.checkGathered(now)
}

// advanceErrands fires the timers of their clients.
func (a *Agent) advanceErrands(now time.Time) {
	for i := 0; i < len(a.errands); i++ {
		e := a.errands[i]
		if next := e.nextTimeout(); next.IsZero() || next.After(now) {
			continue
		}
		a.ready = true
		if e.binding != nil {
			e.binding.Advance(now)
		} else {
			e.client.Advance(now)
		}
		a.serve(now, e)
	}
}

func (e *errand) nextTimeout() time.Time {
	switch {
	case e.binding != nil:
		return e.binding.NextTimeout()
	case e.client != nil:
		return e.client.NextTimeout()
	}
	return time.Time{}
}

// appendErrand appends the next request to a server.
func (a *Agent) appendErrand(now time.Time, b []byte) ([]byte, Path) {
	start := len(b)
	for _, e := range a.errands {
		switch {
		case e.adrift || e.dialing: // there is no way
		case e.binding != nil:
			b = e.binding.AppendPacket(now, b)
		case e.client != nil:
			if b = e.client.AppendPacket(now, b); len(b) == start && e.loan.keepalive {
				e.loan.keepalive = false
				b = a.appendKeepalive(b)
			}
		}
		if len(b) > start {
			return b, e.path()
		}
	}
	return b, Path{}
}

// receiveErrand takes a server's answer, and reports whether it is one.
func (a *Agent) receiveErrand(now time.Time, path Path, packet []byte) bool {
	if len(a.errands) == 0 {
		return false
	}
	m, err := stun.Parse(packet)
	if err != nil || m.Class() != stun.SuccessResponse && m.Class() != stun.ErrorResponse {
		return false
	}
	if _, check := a.transaction(m.TransactionID()); check != nil {
		return false
	}
	var client *errand
	for _, e := range a.errands {
		switch {
		case e.path() != path:
		case e.binding != nil && e.id == m.TransactionID():
			e.binding.Receive(now, packet)
			a.serve(now, e)
			return true
		case e.client != nil:
			client = e
		}
	}
	if client == nil {
		return false
	}
	client.client.Receive(now, packet)
	a.ready = true
	a.serve(now, client)
	return true
}
