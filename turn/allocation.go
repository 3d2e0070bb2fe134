package turn

import (
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// An allocation is what one client has: RFC 8656, Section 6. Its permissions
// and channels expire by themselves, when they are looked at.
type allocation struct {
	tuple     FiveTuple
	username  string
	user      *user
	algorithm stun.PasswordAlgorithm
	key       *stun.Key

	id       stun.TransactionID // of the Allocate request, to know it again
	pending  int                // relays that the shell has not opened yet
	request  response           // to answer when it has
	lifetime time.Duration
	expiry   expiry
	relays   [2]*relay // by IPv4 and IPv6
	token    [8]byte   // the reservation token given with it; zero for none
	reserve  *relay    // the relay above, until it is open

	additionalCode stun.ErrorCode // why there is only one of two addresses that were asked for; 0 if there are both
	mobile         bool           // has a ticket
	generation     uint32         // of the ticket
	moved          stun.TransactionID

	tcp         bool // relays connections
	permissions []permission
	channels    []channel
	connections []*peerConnection
}

// A permission lets a peer's IP address be relayed. RFC 8656, Section 9.
type permission struct {
	peer    netip.Addr
	own     bool // an address of the server: only its relays' ports are relayed to
	expires time.Time
}

// A channel is a number for a peer. RFC 8656, Section 12.
type channel struct {
	peer    netip.AddrPort
	number  uint16
	own     bool
	expires time.Time
}

// A relay is a socket of the shell's.
type relay struct {
	id         RelayID
	allocation *allocation // nil for one that is reserved
	ipv6       bool
	tcp        bool
	address    netip.AddrPort // invalid until it is open
	token      [8]byte        // of one that is reserved
	expiry     expiry         // of one that is reserved
}

// An endpoint is a relayed transport address with its protocol.
type endpoint struct {
	netip.AddrPort
	tcp bool
}

// How many permissions and channels an allocation may have. More get error 508.
const (
	maxPermissions = 128
	maxChannels    = 64
)

// wants is what an Allocate request asks for, checked.
type wants struct {
	ipv4, ipv6  bool
	tcp         bool
	even, next  bool
	claim       *relay         // by its reservation token
	unavailable stun.ErrorCode // why one of two families is not there; 0 if it is
}

// receiveAllocate handles an Allocate request, in the RFC's order: RFC 8656,
// Section 7.2.
func (s *Server) receiveAllocate(now time.Time, q *query) {
	// "The server checks if the 5-tuple is currently in use by an existing
	// allocation. If yes, the server rejects the request with a 437 (Allocation
	// Mismatch) error." But a retransmission it answers as before: Section 5.
	if a := q.allocation; a != nil {
		switch {
		case a.id != q.TransactionID():
			s.refuse(q, stun.CodeAllocationMismatch)
		case a.pending == 0:
			s.reply(q, response{allocation: a, lifetime: a.lifetime})
		}
		return
	}
	w, code := s.wants(q)
	if code != 0 {
		s.refuse(q, code)
		return
	}
	if q.Has(stun.AttrMobilityTicket) && !s.config.Mobility {
		s.refuse(q, stun.CodeMobilityForbidden) // RFC 8016, Section 3.1.2
		return
	}
	if s.draining || len(s.allocations) >= s.config.MaxAllocations {
		s.turnAway(q)
		return
	}
	u, ok := s.enter(now, q.user)
	if !ok {
		s.suspect(now, AbuseQuota, q.from, netip.Addr{})
		s.refuse(q, stun.CodeAllocationQuotaReached)
		return
	}

	a := &allocation{
		tuple: q.from, username: q.user, user: u, key: q.key, id: q.TransactionID(),
		additionalCode: w.unavailable, mobile: q.Has(stun.AttrMobilityTicket), tcp: w.tcp,
	}
	a.algorithm, _ = s.algorithm(q.Message)
	asked, _ := lifetimeOf(q.Message)
	a.lifetime = s.grant(asked)
	a.request = response{
		to: q.from, id: a.id, method: stun.Allocate, allocation: a, lifetime: a.lifetime,
		key: q.key, sha256: q.sha256, fingerprint: q.Has(stun.AttrFingerprint),
	}
	a.expiry = expiry{at: now.Add(a.lifetime), allocation: a}
	s.expiries.push(&a.expiry)
	s.allocations[a.tuple] = a
	s.stats.AllocationsTotal++

	if w.claim != nil {
		s.claim(a, w.claim)
		s.answer(now, a)
		return
	}
	if w.ipv4 {
		s.open(a, false, w.even, w.next)
	}
	if w.ipv6 {
		s.open(a, true, w.even && !w.ipv4, w.next && !w.ipv4)
	}
}

// turnAway refuses for want of capacity: to another server, if there is one.
func (s *Server) turnAway(q *query) {
	s.stats.Refused++
	if s.config.Alternate.IsValid() {
		s.reply(q, response{code: stun.CodeTryAlternate, alternate: true})
		return
	}
	s.reply(q, response{code: stun.CodeInsufficientCapacity})
}

// wants reads what is asked for, or says why it cannot be.
func (s *Server) wants(q *query) (w wants, code stun.ErrorCode) {
	transport, _ := q.Get(stun.AttrRequestedTransport)
	if len(transport) != 4 {
		return w, stun.CodeBadRequest
	}
	switch transport[0] {
	case protocolUDP:
	case protocolTCP:
		if code := s.wantsTCP(q); code != 0 {
			return w, code
		}
		w.tcp = true
	default:
		return w, stun.CodeUnsupportedTransport
	}
	requested, hasRequested := family(q.Message, stun.AttrRequestedAddressFamily)
	additional, hasAdditional := family(q.Message, stun.AttrAdditionalAddressFamily)
	even, hasEven := q.Get(stun.AttrEvenPort)
	if hasEven && len(even) != 1 {
		return w, stun.CodeBadRequest
	}
	w.even = hasEven
	w.next = hasEven && even[0]&0x80 != 0
	if token, has := q.Get(stun.AttrReservationToken); has {
		// It goes with none of those. "If the token is not valid for some reason,
		// the server rejects the request with a 508 (Insufficient Capacity) error."
		if hasEven || hasRequested || hasAdditional || len(token) != 8 {
			return w, stun.CodeBadRequest
		}
		if w.claim = s.reserved[[8]byte(token)]; w.claim == nil || !w.claim.address.IsValid() {
			return w, stun.CodeInsufficientCapacity
		}
		return w, 0
	}
	switch {
	case hasRequested && hasAdditional, hasAdditional && w.next:
		return w, stun.CodeBadRequest
	// "If yes, and the attribute value is 0x01 (IPv4 address family), then the
	// server rejects the request with a 400 (Bad Request) error."
	case hasAdditional && additional != familyIPv6:
		return w, stun.CodeBadRequest
	case hasRequested && requested == familyIPv6:
		if !s.config.IPv6 {
			return w, stun.CodeAddressFamilyNotSupported
		}
		w.ipv6 = true
		return w, 0
	case hasRequested && requested != familyIPv4:
		return w, stun.CodeAddressFamilyNotSupported
	}
	w.ipv4, w.ipv6 = !s.config.NoIPv4, hasAdditional && s.config.IPv6
	if !w.ipv4 && !w.ipv6 {
		return w, stun.CodeAddressFamilyNotSupported
	}
	if hasAdditional && w.ipv4 != w.ipv6 {
		w.unavailable = stun.CodeAddressFamilyNotSupported
	}
	return w, 0
}

// open asks the shell for a relay of an allocation.
func (s *Server) open(a *allocation, ipv6, even, next bool) {
	r := s.newRelay(ipv6)
	r.allocation, r.tcp = a, a.tcp
	a.relays[index(ipv6)] = r
	a.pending++
	e := OpenRelay{Relay: r.id, IPv6: ipv6, TCP: a.tcp, EvenPort: even}
	if next {
		a.reserve = s.newRelay(ipv6)
		e.Next = a.reserve.id
	}
	s.events = append(s.events, e)
}

func index(ipv6 bool) int {
	if ipv6 {
		return 1
	}
	return 0
}

func (s *Server) newRelay(ipv6 bool) *relay {
	s.lastRelay++
	r := &relay{id: s.lastRelay, ipv6: ipv6}
	s.relays[r.id] = r
	return r
}

// RelayOpened tells that a relay's socket is open, and its address as peers see
// it; if OpenRelay named a Next relay, then that one is open too, one port above.
func (s *Server) RelayOpened(now time.Time, id RelayID, address netip.AddrPort) {
	r := s.relays[id]
	if r == nil || r.allocation == nil || r.address.IsValid() {
		return // closed meanwhile
	}
	a := r.allocation
	s.listen(r, unmapped(address))
	if next := a.reserve; next != nil && next.ipv6 == r.ipv6 {
		a.reserve = nil
		if _, err := io.ReadFull(s.config.Rand, next.token[:]); err != nil {
			panic("BUG: the source of randomness failed: " + err.Error())
		}
		s.listen(next, netip.AddrPortFrom(r.address.Addr(), r.address.Port()+1))
		a.token, s.reserved[next.token] = next.token, next
		next.expiry = expiry{at: now.Add(reservationLifetime), reserved: next}
		s.expiries.push(&next.expiry)
	}
	a.pending--
	s.answer(now, a)
}

// reservationLifetime: "The server MUST hold this reservation for at least 30
// seconds and MAY choose to hold longer". RFC 8656, Section 7.2.
const reservationLifetime = 30 * time.Second

// listen makes a relay's address known.
func (s *Server) listen(r *relay, address netip.AddrPort) {
	r.address = address
	s.addresses[endpoint{address, r.tcp}] = r
	s.relayHosts[address.Addr()]++
}

// claim gives a reserved relay to an allocation.
func (s *Server) claim(a *allocation, r *relay) {
	delete(s.reserved, r.token)
	s.expiries.remove(&r.expiry)
	r.allocation = a
	a.relays[index(r.ipv6)] = r
}

// RelayFailed tells that a relay's socket could not be opened.
func (s *Server) RelayFailed(now time.Time, id RelayID) {
	r := s.relays[id]
	if r == nil || r.allocation == nil || r.address.IsValid() {
		return
	}
	a := r.allocation
	s.config.Trace.Note(now, trace.TURN, "a relay could not be opened")
	a.relays[index(r.ipv6)] = nil
	delete(s.relays, id)
	if a.reserve != nil && a.reserve.ipv6 == r.ipv6 {
		delete(s.relays, a.reserve.id)
		a.reserve = nil
	}
	a.additionalCode = stun.CodeInsufficientCapacity
	a.pending--
	s.answer(now, a)
}

// answer answers Allocate when all relays are there, or could not be opened: if
// there is none at all by "508 (Insufficient Capacity)". RFC 8656, Section 7.2.
func (s *Server) answer(now time.Time, a *allocation) {
	if a.pending > 0 {
		return
	}
	r := a.request
	a.request = response{}
	if a.relays[0] == nil && a.relays[1] == nil {
		r.code, r.allocation = stun.CodeInsufficientCapacity, nil
		s.stats.Refused++
		s.end(now, a)
	}
	s.responses = append(s.responses, r)
}

// remove ends an allocation, and everything of it. RFC 8656, Section 6.
func (s *Server) remove(a *allocation) {
	delete(s.allocations, a.tuple)
	s.recent = nil
	s.expiries.remove(&a.expiry)
	for i := range a.relays {
		s.closeRelay(a, i)
	}
	if a.reserve != nil {
		s.forget(a.reserve)
	}
	s.leave(a.user)
}

// closeRelay closes one of an allocation's relays.
func (s *Server) closeRelay(a *allocation, i int) {
	r := a.relays[i]
	if r == nil {
		return
	}
	a.relays[i] = nil
	s.forget(r)
	for _, c := range slices.Clone(a.connections) {
		if index(c.peer.Addr().Is6()) == i {
			s.forgetConnection(c)
		}
	}
}

func (s *Server) forget(r *relay) {
	delete(s.relays, r.id)
	if r.address.IsValid() {
		delete(s.addresses, endpoint{r.address, r.tcp})
		host := r.address.Addr()
		if s.relayHosts[host]--; s.relayHosts[host] == 0 {
			delete(s.relayHosts, host)
		}
	}
	s.events = append(s.events, CloseRelay{Relay: r.id})
}
