package peerconnection

import (
	"errors"
	"net/netip"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/stun"
)

// Which connection of a shared [UDPMux] a datagram is for.

// A claim is how well a connection knows that an address is its peer's, told
// from what it sends there.
type claim uint8

const (
	// claimNone: it sends an error response, which it does to anybody.
	claimNone claim = iota
	// claimGuessed: it sends a check, because a candidate says so.
	claimGuessed
	// claimChecked: it answers a check, whose sender knows the connection's
	// password. The address may be spoofed all the same.
	claimChecked
	// claimProven: it sends data, so the address is a selected path's: the answer
	// to a check has come from there, and only who receives there can give it.
	claimProven
)

func claimOf(sent []byte) claim {
	switch {
	case classify(sent) != datagramSTUN:
		return claimProven
	case len(sent) < 2 || sent[0] == 0 && sent[1] == 1:
		return claimGuessed
	case sent[0] == 1 && sent[1] == 1:
		return claimChecked
	}
	return claimNone
}

// A route is whose peer an address belongs to.
type route struct {
	owner *PeerConnection
	claim claim
	// rival has a weaker claim, or an older one. It hears answers to checks from
	// the address, so that a new peer at an old address can prove it.
	rival *PeerConnection
}

// A member is what a shared mux holds for one connection.
type member struct {
	ufrags []string
	routes map[ice.Path]struct{} // those that it owns or is the rival in
	asked  []stun.TransactionID  // of servers, the newest last
}

// maxRoutes is how many addresses one connection may lead to: more than ICE
// checks at once.
const maxRoutes = 256

// route says for whom a datagram is; an answer to a check may be for either of two.
func (m *UDPMux) route(local netip.AddrPort, p packet) (to [2]*PeerConnection) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	isSTUN := classify(p.Data) == datagramSTUN
	if isSTUN {
		if len(m.asked) > 0 && len(p.Data) >= 20 && p.Data[0] == 1 {
			if pc := m.asked[stun.TransactionID(p.Data[8:20])]; pc != nil {
				to[0] = pc
				return to
			}
		}
		if ufrag, ok := requestUfrag(p.Data); ok {
			if pc := m.ufrags[string(ufrag)]; pc != nil {
				to[0] = pc
				return to
			}
		}
	}
	r := m.routes[ice.Path{Local: local, Remote: p.From}]
	to[0] = r.owner
	if isSTUN {
		to[1] = r.rival
	}
	return to
}

// requestUfrag is the receiver's ufrag in a connectivity check's USERNAME:
// the receiver's username fragment, a colon, and the sender's (RFC 8445, Section 7.2.2).
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

// learn notes that what comes from where pc sends to is pc's. The better claim
// to an address wins, and of two good ones the newer.
func (m *UDPMux) learn(pc *PeerConnection, path ice.Path, sent []byte) {
	if m.only != nil {
		return
	}
	by := claimOf(sent)
	if by == claimNone || path == pc.lastRoute && by <= pc.lastClaim {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	mine := m.members[pc]
	if mine == nil {
		return
	}
	if by == claimGuessed && m.asks(pc, mine, sent) {
		return
	}
	r, old := m.routes[path], m.routes[path]
	switch {
	case r.owner == pc:
		r.claim = max(r.claim, by)
	case r.owner == nil:
		r = route{owner: pc, claim: by}
	case by > r.claim || by == r.claim && by >= claimChecked:
		r = route{owner: pc, claim: by, rival: r.owner}
	case by == claimChecked:
		r.rival = pc
	default:
		return
	}
	if _, known := mine.routes[path]; !known && len(mine.routes) == maxRoutes {
		if by != claimProven {
			return
		}
		for other := range mine.routes {
			m.leave(pc, other) // a peer that has moved this often is not there any more
		}
		clear(mine.routes)
	}
	mine.routes[path] = struct{}{}
	m.routes[path] = r
	if gone := old.rival; gone != nil && gone != r.rival && gone != r.owner {
		delete(m.members[gone].routes, path)
	}
	if r.owner == pc {
		pc.lastRoute, pc.lastClaim = path, by
	}
}

// maxAsked is how many requests to servers of one connection are remembered.
const maxAsked = 64

// asks notes who asks a server, and reports whether that is what is sent: a
// request without a USERNAME is no check. Many connections ask the same
// server from the same socket, so it is the transaction that tells the answers apart.
func (m *UDPMux) asks(pc *PeerConnection, mine *member, sent []byte) bool {
	msg, err := stun.Parse(sent)
	if err != nil || msg.Type() != stun.BindingRequest || msg.Has(stun.AttrUsername) {
		return false
	}
	id := msg.TransactionID()
	if m.asked[id] != nil {
		return true
	}
	if len(mine.asked) == maxAsked {
		delete(m.asked, mine.asked[0])
		mine.asked = append(mine.asked[:0], mine.asked[1:]...)
	}
	mine.asked = append(mine.asked, id)
	m.asked[id] = pc
	return true
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
		m.leave(pc, path)
	}
	for _, id := range mine.asked {
		delete(m.asked, id)
	}
	delete(m.members, pc)
}

// leave takes pc off a route.
func (m *UDPMux) leave(pc *PeerConnection, path ice.Path) {
	switch r := m.routes[path]; {
	case r.rival == pc:
		m.routes[path] = route{owner: r.owner, claim: r.claim}
	case r.rival != nil:
		m.routes[path] = route{owner: r.rival, claim: claimChecked}
	default:
		delete(m.routes, path)
	}
}
