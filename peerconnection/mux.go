package peerconnection

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/stun"
)

type packet = udp.Packet

// A UDPMux is a set of UDP sockets, one for each local address, that many
// connections share.
//
// A datagram finds its connection in two ways. A connectivity check says it in
// its USERNAME, whose first half is the connection's own ufrag (RFC 8445,
// Section 7.3). Anything else goes by the address it comes from, which the mux
// learns from the datagrams that connections send; see route.go for what that
// is worth when two connections claim an address. So a peer's address belongs
// to one connection at a time: two processes that both share one socket between
// many connections can't have more than one between each other.
type UDPMux struct {
	bound atomic.Pointer[[]*udp.Socket]
	// only is the connection that has the mux to itself; it is never nil for a
	// private mux, and always for a shared one.
	only *PeerConnection

	mu      sync.RWMutex
	ufrags  map[string]*PeerConnection
	routes  map[ice.Path]route
	members map[*PeerConnection]*member
	asked   map[stun.TransactionID]*PeerConnection // what was asked of servers
	closed  bool

	fixed      []netip.AddrPort                        // where it listens, come what may
	everywhere []netip.AddrPort                        // unspecified addresses, which stand for the host's
	accept     func(name string, addr netip.Addr) bool // of the host's, those to use; all if nil
	watcher    *udp.Watcher
	binding    sync.Mutex // one change of bound after the other
}

// ListenUDPMux opens sockets that connections may share: one at each of the
// given addresses, where port 0 picks a free port, and an unspecified address
// (0.0.0.0 or ::) stands for all the host's addresses of its family, each with
// a socket of its own; it follows them as networks come and go. Without arguments it takes all of the host's addresses and a free port for each.
func ListenUDPMux(addresses ...netip.AddrPort) (*UDPMux, error) {
	m := &UDPMux{
		ufrags:  make(map[string]*PeerConnection),
		routes:  make(map[ice.Path]route),
		members: make(map[*PeerConnection]*member),
		asked:   make(map[stun.TransactionID]*PeerConnection),
	}
	if len(addresses) == 0 {
		addresses = everywhere
	}
	for _, a := range addresses {
		if a.Addr().IsUnspecified() {
			m.everywhere = append(m.everywhere, a)
		} else {
			m.fixed = append(m.fixed, a)
		}
	}
	if err := m.listen(m.fixed); err != nil {
		return nil, err
	}
	return m, nil
}

// everywhere stands for all of the host's addresses, and a free port for each.
var everywhere = []netip.AddrPort{
	netip.AddrPortFrom(netip.IPv4Unspecified(), 0), netip.AddrPortFrom(netip.IPv6Unspecified(), 0),
}

// expand puts all of the host's addresses in the place of unspecified ones, and of none.
func expand(addresses []netip.AddrPort) (expanded []netip.AddrPort) {
	if len(addresses) == 0 {
		addresses = everywhere
	}
	for _, a := range addresses {
		if !a.Addr().IsUnspecified() {
			expanded = append(expanded, a)
			continue
		}
		for _, host := range udp.HostAddresses() {
			if host.Is4() == a.Addr().Is4() {
				expanded = append(expanded, netip.AddrPortFrom(host, a.Port()))
			}
		}
	}
	return expanded
}

// listenOwn opens the sockets of one connection: at those of the host's addresses that
// it accepts, if there are no others.
func listenOwn(pc *PeerConnection, addresses []netip.Addr, accept func(string, netip.Addr) bool) (*UDPMux, error) {
	m := &UDPMux{only: pc, accept: accept}
	if len(addresses) == 0 {
		m.everywhere = everywhere
	}
	var fixed []netip.AddrPort
	for _, a := range addresses {
		fixed = append(fixed, netip.AddrPortFrom(a, 0))
	}
	if err := m.listen(fixed); err != nil {
		return nil, err
	}
	return m, nil
}

// listen opens a socket at each address, and at the host's where it is to be
// everywhere. An address that can't be used is passed over as long as another can.
func (m *UDPMux) listen(addresses []netip.AddrPort) error {
	if len(m.everywhere) > 0 {
		m.watcher = udp.Watch(m.follow) // before they are listed
	}
	m.binding.Lock()
	_, _, err := m.bind(append(m.hostAddresses(), addresses...))
	m.binding.Unlock()
	if len(m.sockets()) > 0 {
		return nil
	}
	m.watcher.Close()
	if err == nil {
		err = errors.New("the host has no address")
	}
	return fmt.Errorf("peerconnection: no UDP socket could be opened: %w", err)
}

// Addresses are the local addresses of the sockets.
func (m *UDPMux) Addresses() []netip.AddrPort { return m.addresses() }

// addrsOf are the addresses without their ports.
func addrsOf(all []netip.AddrPort) (addrs []netip.Addr) {
	for _, a := range all {
		addrs = append(addrs, a.Addr())
	}
	return addrs
}

func (m *UDPMux) addresses() []netip.AddrPort {
	var all []netip.AddrPort
	for _, s := range m.sockets() {
		all = append(all, s.Local())
	}
	return all
}

// Close closes the sockets. Connections that still use them lose their paths.
func (m *UDPMux) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	m.mu.Unlock()
	m.watcher.Close()
	m.binding.Lock()
	defer m.binding.Unlock()
	var failed error
	for _, s := range m.sockets() {
		failed = errors.Join(failed, s.Close())
	}
	return failed
}

// receive gives the datagrams of a batch to their connections: runs of the
// same connection in one go.
func (m *UDPMux) receive(s *udp.Socket, batch []packet) {
	local := s.Local()
	if m.only != nil {
		m.only.receive(local, batch)
		return
	}
	for len(batch) > 0 {
		to := m.route(local, batch[0])
		n := 1
		for n < len(batch) && m.route(local, batch[n]) == to {
			n++
		}
		for _, pc := range to {
			if pc != nil {
				pc.receive(local, batch[:n])
			}
		}
		batch = batch[n:]
	}
}

// send sends a batch from the socket of the path's local address; in fragments: one
// datagram, whatever the path's MTU.
func (m *UDPMux) send(path ice.Path, b []byte, segment int, inFragments bool) error {
	s := m.socket(path)
	switch {
	case s == nil:
		return fmt.Errorf("no socket has the address %v", path.Local)
	case inFragments:
		return s.SendInFragments(path.Remote, b)
	}
	return s.Send(path.Remote, b, segment)
}

func (m *UDPMux) socket(path ice.Path) *udp.Socket {
	for _, s := range m.sockets() {
		if s.Local() == path.Local {
			return s
		}
	}
	return nil
}

// mtu is what the interface at the path's beginning carries; zero: not known.
func (m *UDPMux) mtu(path ice.Path) int {
	if s := m.socket(path); s != nil {
		return s.MTU(path.Remote)
	}
	return 0
}
