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
	// agent: those of cheaper networks first, and of those IPv6 and IPv4 in turn, in the
	// order they were added. RFC 8445, Section 5.1.2.2.
	Preference uint16

	// NetworkID tells networks apart and NetworkCost ranks them, the cheapest
	// first; they are signalled to peers that want to know, such as Chromium, whose
	// costs go from 0 for a cable over 10 for a wireless network to 900 for a mobile one
	// and 999 at most.
	NetworkID, NetworkCost uint16

	// Name, if it is not empty, is told the peer instead of the address: a UUID and
	// ".local", which multicast DNS resolves where the address may be known
	// (draft-ietf-mmusic-mdns-ice-candidates). No other candidate tells the address
	// either, nor is it told as related.
	Name string

	// Shared says that others than this agent send from the address, too: then no
	// TURN server is asked from there, for whom one address and port is one client.
	Shared bool

	// TCP makes the address one of ICE-TCP (RFC 6544). An active one has no port: it is any
	// free one, and 9 stands for it ("the discard port"). At a passive one the peer's
	// connections arrive, at a simultaneous-open one both. What arrives there is told to
	// [Agent.Connected]. Servers are asked from other addresses.
	TCP TCPType

	// Hidden says that servers alone are reached from the address: it is no
	// candidate. With PolicyRelay all are.
	Hidden bool
}

// A local is a base: an address we send from, and the host candidate it makes,
// or one that a server relays for, and the relayed candidate.
type local struct {
	addr       netip.AddrPort
	options    LocalOptions
	preference uint16
	candidate  Candidate
	reflexives []Candidate // what servers see instead of it
	relay      *errand     // the server's that relays; nil for an address of our own
}

// AddLocalAddress takes an address that we can send from and receive at. It
// becomes a host candidate, which the event [CandidateGathered] brings, too. It
// returns false when the address is known already, cannot be one, or is hidden.
func (a *Agent) AddLocalAddress(now time.Time, addr netip.AddrPort, options LocalOptions) (Candidate, bool) {
	addr = unmap(addr)
	protocol := UDP
	if options.TCP != NoTCPType {
		protocol = TCP
		if options.TCP == TCPActive {
			addr = netip.AddrPortFrom(addr.Addr(), discardPort)
		}
		if options.Hidden || a.config.Policy == PolicyRelay || a.config.Lite && options.TCP != TCPPassive {
			return Candidate{}, false
		}
	}
	if a.state == StateClosed || !usable(addr) || a.localAt(protocol, addr) != nil || a.hiddenAt(addr) != nil || len(a.locals)+len(a.hidden) >= maxLocals {
		return Candidate{}, false
	}
	l := &local{addr: addr, options: options}
	preference := options.Preference
	if preference == 0 {
		nth := 0
		for _, other := range a.ownBases() {
			if other.addr.Addr().Is4() == addr.Addr().Is4() && other.options.TCP == options.TCP {
				nth++
			}
		}
		preference = localPreference(addr.Addr(), nth, options.NetworkCost)
	}
	l.preference = preference
	if options.Hidden || a.config.Policy == PolicyRelay {
		a.hidden = append(a.hidden, l)
		for rank, s := range a.servers {
			a.send(now, l, s, rank)
		}
		return Candidate{}, false
	}
	told := addr
	if options.Name != "" {
		told = netip.AddrPortFrom(netip.Addr{}, addr.Port())
	}
	l.candidate = Candidate{
		Foundation:  a.foundation(protocol, addr.Addr()),
		Component:   1,
		Protocol:    protocol,
		Priority:    priority(Host, preference, 1),
		Addr:        told,
		Host:        options.Name,
		Type:        Host,
		TCPType:     options.TCP,
		NetworkID:   int(options.NetworkID),
		NetworkCost: int(options.NetworkCost),
	}
	if protocol == TCP {
		l.candidate.Priority = tcpPriority(Host, options.TCP, preference)
	}
	a.locals = append(a.locals, l)
	a.gather(l)
	for _, r := range a.remotes {
		a.formPair(now, l, r)
	}
	if protocol == UDP {
		for rank, s := range a.servers {
			a.send(now, l, s, rank)
		}
	}
	if a.gatheringTold { // the network has changed: there is more
		a.gatheringTold = false
		a.checkGathered(now)
	}
	return l.candidate, true
}

// related is what is told of an address that a candidate of l comes from: "To avoid
// accidental IP address disclosure, this server-reflexive candidate MUST have its
// raddr field set to '0.0.0.0'/'::' and its rport field set to '9'".
// Draft-ietf-mmusic-mdns-ice-candidates, Section 3.1.2.2.
func (l *local) related(addr netip.AddrPort) netip.AddrPort {
	switch {
	case l.options.Name == "":
		return addr
	case l.addr.Addr().Is4():
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 9)
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), 9)
}

// gather tells the candidate of l, as one of the present session.
func (a *Agent) gather(l *local) {
	l.candidate.Ufrag = a.session.local.Ufrag
	l.candidate.Generation = a.generation
	a.emit(CandidateGathered{l.candidate})
}

// discardPort stands in active candidates for the port, which is not known before there
// is a connection: "the port(s) MUST be set to 9 (i.e., Discard)". RFC 6544, Section 4.5.
const discardPort = 9

// foundation names what addr's candidates have in common: of host candidates
// over one protocol, "their bases have the same IP address (the ports can be different)".
// RFC 8445, Section 5.1.1.3.
func (a *Agent) foundation(protocol Protocol, addr netip.Addr) string {
	for _, l := range a.locals {
		if l.relay == nil && l.addr.Addr() == addr && l.candidate.Protocol == protocol {
			return l.candidate.Foundation
		}
	}
	a.foundations++
	return strconv.Itoa(a.foundations)
}

// serverFoundation names what candidates of that type, base and server have in common.
func (a *Agent) serverFoundation(kind CandidateType, base, server netip.Addr, protocol Protocol) string {
	for _, f := range a.fates {
		if f.kind == kind && f.base == base && f.server == server && f.protocol == protocol {
			return f.foundation
		}
	}
	a.foundations++
	f := fate{kind, base, server, protocol, strconv.Itoa(a.foundations)}
	if len(a.fates) < maxFates {
		a.fates = append(a.fates, f)
	}
	return f.foundation
}

// EndOfLocalCandidates tells that no more local addresses or servers will come.
func (a *Agent) EndOfLocalCandidates(now time.Time) {
	a.gathered = true
	a.checkGathered(now)
}

// LocalCandidates returns the candidates to signal, those of each base together.
func (a *Agent) LocalCandidates() []Candidate {
	var candidates []Candidate
	for _, l := range a.locals {
		candidates = append(candidates, l.candidate)
		candidates = append(candidates, l.reflexives...)
	}
	return candidates
}

// LocalAddresses returns the addresses of AddLocalAddress, but for those of TCP: those
// of candidates, or the hidden ones. With PolicyRelay all are hidden.
func (a *Agent) LocalAddresses(hidden bool) (all []netip.AddrPort) {
	locals := a.locals
	if hidden || a.config.Policy == PolicyRelay {
		locals = a.hidden
	}
	for _, l := range locals {
		if l.relay == nil && l.options.TCP == NoTCPType && (l.options.Hidden == hidden) {
			all = append(all, l.addr)
		}
	}
	return all
}

// RemoveLocalAddress takes back an address that can no longer be sent from:
// the interface is gone. What used it moves to another path, if there is one.
func (a *Agent) RemoveLocalAddress(now time.Time, addr netip.AddrPort) {
	l := a.localAt(UDP, unmap(addr))
	if l == nil {
		l = a.hiddenAt(unmap(addr))
	}
	a.removeLocal(now, l)
}

// RemoveTCPAddress is RemoveLocalAddress for an address of ICE-TCP; the port of an
// active one does not matter.
func (a *Agent) RemoveTCPAddress(now time.Time, addr netip.AddrPort, kind TCPType) {
	if kind == TCPActive {
		addr = netip.AddrPortFrom(addr.Addr(), discardPort)
	}
	a.removeLocal(now, a.localAt(TCP, unmap(addr)))
}

func (a *Agent) removeLocal(now time.Time, l *local) {
	if l == nil || l.relay != nil {
		return
	}
	a.ready = true // there may be connections to hang up
	gone := func(other *local) bool {
		return other == l || other.relay != nil && other.relay.base == l && !other.relay.adrift
	}
	a.leave(now, l)
	a.locals = slices.DeleteFunc(a.locals, gone)
	a.hidden = slices.DeleteFunc(a.hidden, gone)
	a.lose(now, func(p *pair) bool { return gone(p.local) })
	a.forgetErrands(now, l)
}

// hiddenAt returns the hidden base with that address, or nil.
func (a *Agent) hiddenAt(addr netip.AddrPort) *local {
	for _, l := range a.hidden {
		if l.addr == addr {
			return l
		}
	}
	return nil
}

// localAt returns the local candidate with the base addr, a relayed one included, or nil.
func (a *Agent) localAt(protocol Protocol, addr netip.AddrPort) *local {
	for _, l := range a.locals {
		if l.addr == addr && l.candidate.Protocol == protocol {
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
