package peerconnection

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

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
// learns from the datagrams that connections send. So a peer's address belongs
// to one connection at a time: two processes that both share one socket between
// many connections can't have more than one between each other.
type UDPMux struct {
	sockets []*udp.Socket
	// only is the connection that has the mux to itself; it is never nil for a
	// private mux, and always for a shared one.
	only *PeerConnection

	mu      sync.RWMutex
	ufrags  map[string]*PeerConnection
	routes  map[ice.Path]*PeerConnection
	members map[*PeerConnection]*member
	closed  bool
}

// A member is what a shared mux holds for one connection.
type member struct {
	ufrags []string
	routes map[ice.Path]struct{}
}

// maxRoutes is how many addresses one connection may lead to: more than ICE
// checks at once.
const maxRoutes = 256

// ListenUDPMux opens sockets that connections may share: one at each of the
// given addresses, where port 0 picks a free port, and an unspecified address
// (0.0.0.0 or ::) stands for all the host's addresses of its family, each with
// a socket of its own. Without arguments it takes all of the host's addresses and a free port for each.
func ListenUDPMux(addresses ...netip.AddrPort) (*UDPMux, error) {
	m := &UDPMux{
		ufrags:  make(map[string]*PeerConnection),
		routes:  make(map[ice.Path]*PeerConnection),
		members: make(map[*PeerConnection]*member),
	}
	if len(addresses) == 0 {
		addresses = []netip.AddrPort{
			netip.AddrPortFrom(netip.IPv4Unspecified(), 0), netip.AddrPortFrom(netip.IPv6Unspecified(), 0),
		}
	}
	var expanded []netip.AddrPort
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
	if err := m.listen(expanded); err != nil {
		return nil, err
	}
	return m, nil
}

// listenOwn opens the sockets of one connection.
func listenOwn(pc *PeerConnection, addresses []netip.Addr) (*UDPMux, error) {
	if len(addresses) == 0 {
		addresses = udp.HostAddresses()
	}
	m := &UDPMux{only: pc}
	all := make([]netip.AddrPort, 0, len(addresses))
	for _, a := range addresses {
		all = append(all, netip.AddrPortFrom(a, 0))
	}
	if err := m.listen(all); err != nil {
		return nil, err
	}
	return m, nil
}

// listen opens a socket at each address. An address that can't be used is
// passed over as long as another can.
func (m *UDPMux) listen(addresses []netip.AddrPort) error {
	var failed error
	for _, a := range addresses {
		s, err := udp.Listen(a, m.receive)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		m.sockets = append(m.sockets, s)
	}
	if len(m.sockets) > 0 {
		return nil
	}
	if failed == nil {
		failed = errors.New("the host has no address")
	}
	return fmt.Errorf("peerconnection: no UDP socket could be opened: %w", failed)
}

// Addresses are the local addresses of the sockets.
func (m *UDPMux) Addresses() []netip.AddrPort { return m.addresses() }

func (m *UDPMux) addresses() []netip.AddrPort {
	all := make([]netip.AddrPort, len(m.sockets))
	for i, s := range m.sockets {
		all[i] = s.Local()
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
	var failed error
	for _, s := range m.sockets {
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
		pc := m.route(local, batch[0])
		n := 1
		for n < len(batch) && m.route(local, batch[n]) == pc {
			n++
		}
		if pc != nil {
			pc.receive(local, batch[:n])
		}
		batch = batch[n:]
	}
}

func (m *UDPMux) route(local netip.AddrPort, p packet) *PeerConnection {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if classify(p.Data) == datagramSTUN {
		if ufrag, ok := requestUfrag(p.Data); ok {
			if pc := m.ufrags[string(ufrag)]; pc != nil {
				return pc
			}
		}
	}
	return m.routes[ice.Path{Local: local, Remote: p.From}]
}

// requestUfrag is the receiver's ufrag in a connectivity check's USERNAME:
// "the username fragment of the peer, a colon, and our own" (RFC 8445, Section 7.2.2).
func requestUfrag(b []byte) ([]byte, bool) {
	msg, err := stun.Parse(b)
	if err != nil || msg.Class() == stun.SuccessResponse || msg.Class() == stun.ErrorResponse {
		return nil, false
	}
	username, ok := msg.Get(stun.AttrUsername)
	if !ok {
		return nil, false
	}
	for i, c := range username {
		if c == ':' {
			return username[:i], true
		}
	}
	return nil, false
}

// register makes checks for ufrag come to pc.
func (m *UDPMux) register(pc *PeerConnection, ufrag string) error {
	if m.only != nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return errors.New("peerconnection: the UDPMux is closed")
	}
	switch other := m.ufrags[ufrag]; {
	case other == pc:
		return nil
	case other != nil:
		return errors.New("peerconnection: another connection of the UDPMux has the same ufrag by chance: try again")
	}
	mine := m.members[pc]
	if mine == nil {
		mine = &member{routes: make(map[ice.Path]struct{})}
		m.members[pc] = mine
	}
	// After an ICE restart checks with the previous ufrag may still come; with
	// the one before that, no more.
	if len(mine.ufrags) == 2 {
		delete(m.ufrags, mine.ufrags[0])
		mine.ufrags = append(mine.ufrags[:0], mine.ufrags[1])
	}
	m.ufrags[ufrag] = pc
	mine.ufrags = append(mine.ufrags, ufrag)
	return nil
}

// learn notes that what comes from where pc sends to is pc's. A success
// response goes only to somebody who knows pc's password, so it takes an
// address over from another connection; anything else does not.
func (m *UDPMux) learn(pc *PeerConnection, path ice.Path, b []byte) {
	if m.only != nil {
		return
	}
	authenticated := len(b) >= 2 && b[0] == 0x01 && b[1] == 0x01
	if path == pc.lastRoute && !authenticated {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	mine := m.members[pc]
	owner := m.routes[path]
	if mine == nil || owner != nil && owner != pc && !authenticated {
		return
	}
	if owner != pc {
		if len(mine.routes) == maxRoutes {
			return
		}
		if owner != nil {
			delete(m.members[owner].routes, path)
		}
		m.routes[path] = pc
		mine.routes[path] = struct{}{}
	}
	pc.lastRoute = path
}

// forget takes everything of pc's out of the mux.
func (m *UDPMux) forget(pc *PeerConnection) {
	if m.only != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	mine := m.members[pc]
	if mine == nil {
		return
	}
	for _, ufrag := range mine.ufrags {
		delete(m.ufrags, ufrag)
	}
	for path := range mine.routes {
		delete(m.routes, path)
	}
	delete(m.members, pc)
}

// send sends a batch from the socket of the path's local address.
func (m *UDPMux) send(path ice.Path, b []byte, segment int) error {
	for _, s := range m.sockets {
		if s.Local() == path.Local {
			return s.Send(path.Remote, b, segment)
		}
	}
	return fmt.Errorf("no socket has the address %v", path.Local)
}
