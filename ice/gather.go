package ice

import (
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// maxLocals bounds how many local addresses an agent takes.
const maxLocals = 32

// LocalOptions is what may be told of a local address.
type LocalOptions struct {
	// Preference among local addresses, the highest first; 0 leaves it to the
	// agent: IPv6 and IPv4 in turn, in the order they were added. RFC 8445,
	// Section 5.1.2.2.
	Preference uint16

	// NetworkID tells networks apart and NetworkCost ranks them, the cheapest
	// first; they are signalled to peers that want to know, such as Chromium.
	NetworkID, NetworkCost uint16
}

// A local is a base: an address we send from, and the host candidate it makes.
type local struct {
	addr      netip.AddrPort
	options   LocalOptions
	candidate Candidate
}

// AddLocalAddress takes an address that we can send from and receive at. It
// becomes a host candidate, which the event [CandidateGathered] brings, too. It
// returns false when the address is known already or cannot be one.
func (a *Agent) AddLocalAddress(now time.Time, addr netip.AddrPort, options LocalOptions) (Candidate, bool) {
	addr = unmap(addr)
	if a.state == StateClosed || !usable(addr) || a.localAt(addr) != nil || len(a.locals) == maxLocals {
		return Candidate{}, false
	}
	l := &local{addr: addr, options: options}
	preference := options.Preference
	if preference == 0 {
		nth := 0
		for _, other := range a.locals {
			if other.addr.Addr().Is4() == addr.Addr().Is4() {
				nth++
			}
		}
		preference = localPreference(addr.Addr(), nth)
	}
	l.candidate = Candidate{
		Foundation:  a.foundation(addr.Addr()),
		Component:   1,
		Protocol:    UDP,
		Priority:    priority(Host, preference, 1),
		Addr:        addr,
		Type:        Host,
		NetworkID:   int(options.NetworkID),
		NetworkCost: int(options.NetworkCost),
	}
	a.locals = append(a.locals, l)
	a.gather(l)
	for _, r := range a.remotes {
		a.formPair(now, l, r)
	}
	return l.candidate, true
}

// gather tells the candidate of l, as one of the present session.
func (a *Agent) gather(l *local) {
	l.candidate.Ufrag = a.session.local.Ufrag
	l.candidate.Generation = a.generation
	a.emit(CandidateGathered{l.candidate})
}

// foundation names what addr's candidates have in common: of host candidates
// over UDP, "their bases have the same IP address (the ports can be different)".
// RFC 8445, Section 5.1.1.3.
func (a *Agent) foundation(addr netip.Addr) string {
	for _, l := range a.locals {
		if l.addr.Addr() == addr {
			return l.candidate.Foundation
		}
	}
	a.foundations++
	return strconv.Itoa(a.foundations)
}

// EndOfLocalCandidates tells that no more local addresses will come.
func (a *Agent) EndOfLocalCandidates(now time.Time) {
	if !a.gathered && a.state != StateClosed {
		a.gathered = true
		a.emit(GatheringDone{})
	}
}

// LocalCandidates returns the candidates to signal, in the order they were gathered.
func (a *Agent) LocalCandidates() []Candidate {
	var candidates []Candidate
	for _, l := range a.locals {
		candidates = append(candidates, l.candidate)
	}
	return candidates
}

// RemoveLocalAddress takes back an address that can no longer be sent from:
// the interface is gone. What used it moves to another path, if there is one.
func (a *Agent) RemoveLocalAddress(now time.Time, addr netip.AddrPort) {
	l := a.localAt(unmap(addr))
	if l == nil {
		return
	}
	a.locals = slices.DeleteFunc(a.locals, func(other *local) bool { return other == l })
	a.lose(now, func(p *pair) bool { return p.local == l })
}

// localAt returns the local candidate with the base addr, or nil.
func (a *Agent) localAt(addr netip.AddrPort) *local {
	for _, l := range a.locals {
		if l.addr == addr {
			return l
		}
	}
	return nil
}

// usable reports whether a datagram can be sent to addr, or from it.
func usable(addr netip.AddrPort) bool {
	ip := addr.Addr()
	return ip.IsValid() && addr.Port() != 0 && !ip.IsUnspecified() && !ip.IsMulticast()
}
