package ice

import (
	"slices"
	"time"
)

// Mobility (RFC 8016): an allocation that the server gave a ticket for is not bound to the
// address that it was asked from. When that is gone, or a connection to the server, it waits for
// another; and a NAT that gave us another address is no matter either: the question whether the
// allocation is still there (reallocate) has the client show its ticket. The relayed address
// stays as it is, so that the peer need not know.

// mobile reports whether an allocation can come with us to another address.
func (e *errand) mobile() bool { return e.client != nil && e.state == errandDone && e.client.Mobile() }

// leave has the errands of a base that is gone wait for another one, if they can. Where
// another base has an errand at the same server, which has lent it an address as well, that one
// does as well.
func (a *Agent) leave(now time.Time, l *local) {
	for _, e := range a.errands {
		if e.base != l || !e.mobile() {
			continue
		}
		e.adrift = !slices.ContainsFunc(a.errands, func(o *errand) bool { return o.base != l && o.same(e.ServerConfig) })
	}
	for _, other := range a.bases() {
		for _, s := range a.servers {
			if other != l {
				a.adopt(now, other, s)
			}
		}
	}
}

// same reports whether the errand's server is that one.
func (e *errand) same(s ServerConfig) bool {
	return e.Kind == s.Kind && e.Protocol == s.Protocol && e.asked == s.Addr
}

// adopt has an allocation come to a base that could ask the same server itself, and reports
// whether there is one.
func (a *Agent) adopt(now time.Time, l *local, s ServerConfig) bool {
	if !l.reaches(s) {
		return false
	}
	for _, e := range a.errands {
		if e.adrift && e.same(s) && e.mobile() && e.base.addr.Addr().Is4() == l.addr.Addr().Is4() {
			e.base, e.adrift = l, false
			a.comeBack(now, e)
			return true
		}
	}
	return false
}

// comeBack shows the server the ticket, from where the errand is now.
func (a *Agent) comeBack(now time.Time, e *errand) {
	e.moving = true
	a.reach(now, e)
}

// moved is told that the server knows where we are.
func (a *Agent) moved(now time.Time, e *errand) {
	a.note(now, "the allocation at "+e.Addr.String()+" has come along")
	for _, p := range [...]*pair{a.selected, a.nominated, a.nominating} {
		if p != nil && p.local.relay == e && p.state == PairSucceeded {
			a.enqueue(p)
		}
	}
}
