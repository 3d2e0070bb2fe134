package peerconnection

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/plainrtc/plainrtc/internal/udp"
)

// The sockets of a [UDPMux] as the host's addresses change: package udp watches them
// for the whole process.

// sockets are those that are open now.
func (m *UDPMux) sockets() []*udp.Socket {
	if all := m.bound.Load(); all != nil {
		return *all
	}
	return nil
}

// hostAddresses are where a mux listens that is to be everywhere.
func (m *UDPMux) hostAddresses() (all []netip.AddrPort) {
	if len(m.everywhere) == 0 {
		return nil
	}
	var accept func(udp.HostAddress) bool
	if m.accept != nil {
		accept = func(a udp.HostAddress) bool { return m.accept(a.Interface, a.Addr) }
	}
	for _, host := range udp.Networks(accept) {
		for _, a := range m.everywhere {
			if host.Is4() == a.Addr().Is4() {
				all = append(all, netip.AddrPortFrom(host.Addr, a.Port()))
			}
		}
	}
	return all
}

// matches reports whether a socket is what was asked for, where port 0 is any.
func matches(s *udp.Socket, a netip.AddrPort) bool {
	return s.Local() == a || a.Port() == 0 && s.Local().Addr() == a.Addr()
}

// bind opens sockets at those addresses that there are none at, and takes the others
// out: they are the caller's to close.
func (m *UDPMux) bind(want []netip.AddrPort) (added, removed []*udp.Socket, failed error) {
	had := m.sockets()
	var kept []*udp.Socket
	for _, s := range had {
		if slices.ContainsFunc(want, func(a netip.AddrPort) bool { return matches(s, a) }) {
			kept = append(kept, s)
		} else {
			removed = append(removed, s)
		}
	}
	for _, a := range want {
		if slices.ContainsFunc(had, func(s *udp.Socket) bool { return matches(s, a) }) {
			continue
		}
		s, err := udp.Listen(a, m.receive)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		added = append(added, s)
	}
	all := append(kept, added...)
	m.bound.Store(&all)
	return added, removed, failed
}

// follow is called when the host's addresses have changed.
func (m *UDPMux) follow() {
	m.binding.Lock()
	m.mu.RLock()
	closed := m.closed
	m.mu.RUnlock()
	if closed {
		m.binding.Unlock()
		return
	}
	// Loopback addresses are used if there is no other at the beginning, and stay: what
	// goes over them goes on.
	var want []netip.AddrPort
	for _, a := range m.hostAddresses() {
		if !a.Addr().IsLoopback() {
			want = append(want, a)
		}
	}
	for _, s := range m.sockets() {
		fixed := slices.ContainsFunc(m.fixed, func(a netip.AddrPort) bool { return matches(s, a) })
		if fixed || s.Local().Addr().IsLoopback() {
			want = append(want, s.Local())
		}
	}
	_, removed, _ := m.bind(want)
	m.binding.Unlock()
	for _, pc := range m.connections() {
		pc.networkChanged()
	}
	for _, s := range removed {
		s.Close()
	}
}

// connections are those that use the mux.
func (m *UDPMux) connections() (all []*PeerConnection) {
	if m.only != nil {
		return []*PeerConnection{m.only}
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for pc := range m.members {
		all = append(all, pc)
	}
	return all
}

// networkChanged is the door for sockets of the mux that have come and gone.
func (pc *PeerConnection) networkChanged() {
	now := pc.enter()
	var closed []*TCPMux
	if pc.mux != nil && !pc.isClosed {
		var gone []*udp.Socket
		if pc.relays != nil {
			var want []netip.AddrPort
			for _, a := range addrsOf(pc.mux.addresses()) {
				want = append(want, netip.AddrPortFrom(a, 0))
			}
			_, gone, _ = pc.relays.bind(want)
			pc.core.hiddenChanged(now, pc.relays.addresses())
		}
		closed = pc.listenToOpen()
		addresses := pc.mux.addresses()
		pc.core.networkChanged(now, hostNetworks(addresses), addresses, pc.mux.only == nil)
		pc.answerForNames()
		for _, s := range gone {
			s.Close()
		}
	}
	pc.leave(now)
	for _, m := range closed {
		m.Close()
	}
}

// hostNetworks are the networks that the host's addresses are in, if sockets use any but
// loopback.
func hostNetworks(sockets []netip.AddrPort) (all []localNetwork) {
	if !slices.ContainsFunc(sockets, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() }) {
		return nil
	}
	for _, a := range udp.Networks(nil) {
		if !a.IsLoopback() {
			all = append(all, localNetwork{a.Addr, a.Network, a.Cost})
		}
	}
	return all
}
