package peerconnection

import (
	"net/netip"
	"slices"
)

// Simultaneous open (RFC 6544): both ends open the same TCP connection, each from the port that the
// other goes to. The first segment of each opens the way through its own firewall for the other's, so
// that it works where neither may be called.
//
// The port is one that listens, too: the sooner of the two is let in if there is no firewall,
// and need not come again. What arrives and what leaves shares it, as far as the system
// can do that (reuse).

// listenToOpen has a listening socket for simultaneous-open candidates at each address where there is
// a UDP socket, and nowhere else. An address where there can be none goes without. What listened
// where there is none any more is to be closed when the connection is left: to close waits for
// those who arrive, and they wait to enter.
func (pc *PeerConnection) listenToOpen() (gone []*TCPMux) {
	if !pc.opensSimultaneously || !canReuse {
		return nil
	}
	wanted := addrsOf(pc.mux.addresses())
	pc.openMuxes = slices.DeleteFunc(pc.openMuxes, func(m *TCPMux) bool {
		at := m.Addresses()[0].Addr()
		if i := slices.Index(wanted, at); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
			return false
		}
		gone = append(gone, m)
		return true
	})
	for _, a := range wanted {
		if m, err := listenTCPMux(claimFor, []netip.AddrPort{netip.AddrPortFrom(a, 0)}, reuse); err == nil {
			m.register(pc, pc.core.localUfrag())
			pc.openMuxes = append(pc.openMuxes, m)
		}
	}
	pc.core.tcpOpen = nil
	for _, m := range pc.openMuxes {
		pc.core.tcpOpen = append(pc.core.tcpOpen, m.Addresses()...)
	}
	return gone
}
