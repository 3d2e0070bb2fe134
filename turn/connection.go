package turn

import (
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// TCP allocations, RFC 6062: what is relayed are connections, not datagrams. A
// client with such an allocation has one connection for control, and one more to
// the server for each connection that the server has with a peer.
//
//	client ── control ── server ── relayed transport address (it listens)
//	       ── data ─────        ── peer
//
// The core decides who may be connected with whom, and says when; bytes it does
// not see: the shell passes them from one connection to the other as they are.

// A ConnectionID names a connection with a peer on the wire: CONNECTION-ID, RFC
// 6062, Section 6.2.1.
type ConnectionID uint32

// The states of a connection with a peer.
type connectionState uint8

const (
	stateConnecting connectionState = iota // the shell connects; Section 5.2
	stateUnbound                           // waits for the client's ConnectionBind; Sections 5.2 and 5.3
	stateBound                             // passes bytes; Section 5.4
)

// A peerConnection is a connection of an allocation's with a peer.
type peerConnection struct {
	id         ConnectionID
	allocation *allocation
	peer       netip.AddrPort
	state      connectionState
	request    response // the answer to Connect, while there is none
	expiry     expiry   // until it is bound
}

const (
	// connectTimeout is how long a peer has to accept: "The timeout value MUST be at
	// least 30 seconds." RFC 6062, Section 5.2.
	connectTimeout = 30 * time.Second

	// bindTimeout is how long a client has to come for a connection: "If no
	// ConnectionBind request associated with this peer data connection is received
	// after 30 seconds, the peer data connection MUST be closed." Sections 5.2 and 5.3.
	bindTimeout = 30 * time.Second

	// maxConnections bounds the connections of one allocation.
	maxConnections = 32
)

// ConnectPeer asks the shell to connect from a relay's address to a peer, and to say
// so by PeerConnected or PeerFailed.
type ConnectPeer struct {
	Connection ConnectionID
	Relay      RelayID
	Peer       netip.AddrPort
}

// Splice tells the shell that a client's connection belongs to a peer's from here
// on: what the client sends behind the message that brought this is the peer's, and what the
// peer sends and has sent goes to the client, behind the response that is due.
type Splice struct {
	Connection ConnectionID
	Client     FiveTuple
}

// ClosePeer asks the shell to close a connection with a peer, whatever became of it, and the
// client's that belongs to it.
type ClosePeer struct{ Connection ConnectionID }

func (ConnectPeer) serverEvent() {}
func (Splice) serverEvent()      {}
func (ClosePeer) serverEvent()   {}

// wantsTCP reads an Allocate request for TCP: "If the client connection transport
// is not TCP or TLS, the server MUST reject the request with a 400 (Bad Request)
// error", and so one with DONT-FRAGMENT, EVEN-PORT or RESERVATION-TOKEN, which say
// nothing of connections. RFC 6062, Section 5.1.
func (s *Server) wantsTCP(q *query) stun.ErrorCode {
	switch {
	case !s.config.TCPRelays:
		return stun.CodeUnsupportedTransport
	case !q.from.Protocol.Stream(), q.Has(stun.AttrDontFragment), q.Has(stun.AttrEvenPort), q.Has(stun.AttrReservationToken):
		return stun.CodeBadRequest
	}
	return 0
}

// receiveConnect handles a Connect request. RFC 6062, Section 5.2.
func (s *Server) receiveConnect(now time.Time, q *query) {
	a := q.allocation
	if a == nil || a.pending > 0 || !a.tcp {
		s.refuse(q, stun.CodeAllocationMismatch)
		return
	}
	peer, ok := q.XORAddress(stun.AttrXORPeerAddress)
	peer = unmapped(peer)
	if !ok || peer.Port() == 0 {
		s.refuse(q, stun.CodeBadRequest)
		return
	}
	// "If the server is currently processing a Connect request for this allocation
	// with the same XOR-PEER-ADDRESS, it MUST return a 446 (Connection Already
	// Exists) error", and also if there is such a connection.
	if slices.ContainsFunc(a.connections, func(c *peerConnection) bool { return c.peer == peer }) {
		s.refuse(q, stun.CodeConnectionAlreadyExists)
		return
	}
	if code := s.admissible(a, peer.Addr()); code != 0 {
		s.refusePeer(now, q, code, peer.Addr())
		return
	}
	// Of the server's own addresses there are only its relays, and of those not this one: a
	// connection with itself would be one.
	own := a.relays[index(peer.Addr().Is6())]
	if s.isOwn(a, peer.Addr()) && s.addresses[endpoint{peer, true}] == nil || own.address == peer {
		s.refusePeer(now, q, stun.CodeForbidden, peer.Addr())
		return
	}
	c := s.newConnection(now, a, peer, stateConnecting, connectTimeout)
	if c == nil {
		s.refuse(q, stun.CodeInsufficientCapacity)
		return
	}
	c.request = response{
		to: q.from, id: q.TransactionID(), method: stun.Connect, connection: c.id,
		key: q.key, sha256: q.sha256, fingerprint: q.Has(stun.AttrFingerprint),
	}
	s.events = append(s.events, ConnectPeer{Connection: c.id, Relay: a.relays[index(peer.Addr().Is6())].id, Peer: peer})
}

// newConnection makes a connection, if there may be one more.
func (s *Server) newConnection(now time.Time, a *allocation, peer netip.AddrPort, state connectionState, wait time.Duration) *peerConnection {
	if len(a.connections) >= maxConnections || len(s.connections) >= s.config.MaxPeerConnections {
		return nil
	}
	c := &peerConnection{id: s.connectionID(), allocation: a, peer: peer, state: state}
	c.expiry = expiry{at: now.Add(wait), connection: c}
	s.expiries.push(&c.expiry)
	s.connections[c.id] = c
	a.connections = append(a.connections, c)
	s.stats.PeerConnectionsTotal++
	return c
}

// connectionID is one that is not in use, and that nobody can guess.
func (s *Server) connectionID() ConnectionID {
	for {
		var b [4]byte
		if _, err := io.ReadFull(s.config.Rand, b[:]); err != nil {
			panic("BUG: the source of randomness failed: " + err.Error())
		}
		if id := ConnectionID(binary.BigEndian.Uint32(b[:])); id != 0 && s.connections[id] == nil {
			return id
		}
	}
}

// PeerConnected tells that the connection with a peer is there that ConnectPeer asked for.
func (s *Server) PeerConnected(now time.Time, id ConnectionID) {
	c := s.connections[id]
	if c == nil || c.state != stateConnecting {
		return
	}
	c.state = stateUnbound
	s.responses = append(s.responses, c.request)
	c.request = response{}
	s.expiries.remove(&c.expiry)
	c.expiry.at = now.Add(bindTimeout)
	s.expiries.push(&c.expiry)
}

// PeerFailed tells that there is no connection. "If the connection attempt fails
// or times out, the server MUST return a 447 (Connection Timeout or Failure)
// error." RFC 6062, Section 5.2.
func (s *Server) PeerFailed(now time.Time, id ConnectionID) {
	c := s.connections[id]
	if c == nil || c.state != stateConnecting {
		return
	}
	r := c.request
	r.code, r.connection = stun.CodeConnectionTimeout, 0
	s.responses = append(s.responses, r)
	s.stats.Refused++
	s.forgetConnection(c)
}

// PeerAccepted tells that a peer has connected to a relay's address, and returns the
// connection's name; or not, and then it is to be closed: "If no permission for
// this peer has been installed for this allocation, the server MUST close the
// connection with the peer immediately after it has been accepted." Otherwise the
// client hears of it, by a ConnectionAttempt indication. RFC 6062, Section 5.3.
func (s *Server) PeerAccepted(now time.Time, id RelayID, peer netip.AddrPort) (ConnectionID, bool) {
	peer = unmapped(peer)
	r := s.relays[id]
	if r == nil || r.allocation == nil || !r.tcp || r.allocation.pending > 0 {
		s.drop(now, DropNoAllocation, 0)
		return 0, false
	}
	a := r.allocation
	if p := a.permission(peer.Addr()); p == nil || !p.expires.After(now) {
		s.drop(now, DropNoPermission, 0)
		return 0, false
	}
	if len(s.responses) >= maxResponses {
		s.drop(now, DropBusy, 0)
		return 0, false
	}
	c := s.newConnection(now, a, peer, stateUnbound, bindTimeout)
	if c == nil {
		s.drop(now, DropTooMany, 0)
		return 0, false
	}
	s.responses = append(s.responses, response{
		to: a.tuple, id: s.indicationID(), method: stun.ConnectionAttempt, connection: c.id, peer: peer,
	})
	return c.id, true
}

// receiveConnectionBind handles a ConnectionBind request, which comes on a
// connection of its own. RFC 6062, Section 5.4.
func (s *Server) receiveConnectionBind(now time.Time, q *query) {
	id, _ := q.Uint32(stun.AttrConnectionID)
	c := s.connections[ConnectionID(id)]
	switch {
	// "If the client connection transport is not TCP or TLS, the server MUST return
	// a 400 (Bad Request) error." And "if this attribute does not refer to an
	// existing pending connection".
	case !q.from.Protocol.Stream(), q.allocation != nil, c == nil || c.state != stateUnbound:
		s.refuse(q, stun.CodeBadRequest)
	// "Authentication of the client by the server MUST use the same method and
	// credentials as for the control connection." Section 5.4.
	case c.allocation.username != q.user:
		s.refuse(q, stun.CodeWrongCredentials)
	default:
		c.state = stateBound
		s.expiries.remove(&c.expiry)
		s.events = append(s.events, Splice{Connection: c.id, Client: q.from})
		s.reply(q, response{})
	}
}

// keeper is the allocation whose key a request is signed with: that of its
// 5-tuple, or of the connection that it comes for.
func (s *Server) keeper(q *query) *allocation {
	if q.allocation == nil && q.Method() == stun.ConnectionBind {
		id, _ := q.Uint32(stun.AttrConnectionID)
		if c := s.connections[ConnectionID(id)]; c != nil {
			return c.allocation
		}
	}
	return q.allocation
}

// Passed counts bytes that a bound connection has passed on, and returns how long to
// wait before more are taken, so that the user has no more bandwidth than is allowed.
func (s *Server) Passed(now time.Time, id ConnectionID, toPeer bool, n int) time.Duration {
	c := s.connections[id]
	if c == nil {
		return 0
	}
	if toPeer {
		s.stats.StreamBytesToPeers += uint64(n)
	} else {
		s.stats.StreamBytesToClients += uint64(n)
	}
	return c.allocation.user.bandwidth.debit(now, n)
}

// PeerClosed tells that a connection has ended, whoever has ended it.
func (s *Server) PeerClosed(now time.Time, id ConnectionID) {
	if c := s.connections[id]; c != nil && c.state != stateConnecting {
		s.forgetConnection(c)
	}
}

// expire ends a connection that was waited for too long.
func (s *Server) expireConnection(now time.Time, c *peerConnection) {
	if c.state == stateConnecting {
		s.config.Trace.Timer(now, trace.TURN, "connect")
		s.PeerFailed(now, c.id)
		return
	}
	s.config.Trace.Timer(now, trace.TURN, "connection bind")
	s.forgetConnection(c)
}

func (s *Server) forgetConnection(c *peerConnection) {
	s.expiries.remove(&c.expiry)
	delete(s.connections, c.id)
	a := c.allocation
	a.connections = slices.DeleteFunc(a.connections, func(other *peerConnection) bool { return other == c })
	s.events = append(s.events, ClosePeer{Connection: c.id})
}
