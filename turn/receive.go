package turn

import (
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// A response is due: what Receive found out and AppendPacket writes.
type response struct {
	to          FiveTuple
	id          stun.TransactionID
	method      stun.Method
	code        stun.ErrorCode // 0 for a success response
	unknown     []stun.AttributeType
	challenge   bool           // with REALM, NONCE and PASSWORD-ALGORITHMS
	alternate   bool           // with ALTERNATE-SERVER
	key         *stun.Key      // signs the response; nil for none
	sha256      bool           // with MESSAGE-INTEGRITY-SHA256, as the request was
	fingerprint bool           // the request had FINGERPRINT
	allocation  *allocation    // of a success response to Allocate, and to a Refresh that moved it
	lifetime    time.Duration  // of a success response to Allocate and Refresh
	connection  ConnectionID   // of a success response to Connect, and of a ConnectionAttempt
	peer        netip.AddrPort // of a ConnectionAttempt, which is an indication
	other       netip.AddrPort // OTHER-ADDRESS, of a success response to Binding
}

// maxResponses is how many responses may wait for AppendPacket.
const maxResponses = 256

// A query is a request under examination.
type query struct {
	stun.Message
	from       FiveTuple
	allocation *allocation // the one of from; nil for none
	user       string
	key        *stun.Key
	sha256     bool // it was authenticated by MESSAGE-INTEGRITY-SHA256
}

// Receive takes a datagram or, of a stream, a message from a client. What it
// brings for a peer NextToPeer has, in the bytes of packet; what it asks for is
// answered by AppendPacket.
func (s *Server) Receive(now time.Time, from FiveTuple, packet []byte) {
	s.hasPeer, s.hasClient = false, false
	if reason := s.receive(now, from, packet); reason != 0 {
		s.drop(now, reason, len(packet))
		s.suspectDrop(now, reason, from)
	}
}

func (s *Server) drop(now time.Time, reason DropReason, size int) {
	s.stats.Drops[reason]++
	s.config.Trace.Drop(now, trace.TURN, reason.String(), size)
}

func (s *Server) receive(now time.Time, from FiveTuple, packet []byte) DropReason {
	if IsChannelData(packet) {
		return s.receiveChannelData(now, from, packet)
	}
	m, err := stun.Parse(packet)
	if err != nil {
		return DropNotSTUN
	}
	if m.CheckFingerprint() == stun.ErrFingerprint {
		return DropNotSTUN
	}
	switch m.Class() {
	case stun.Indication:
		if m.Method() != stun.Send {
			return DropUnknownMethod
		}
		return s.receiveSend(now, from, m)
	case stun.Request:
		return s.receiveRequest(now, from, m)
	}
	return DropNotRequest
}

func (s *Server) receiveRequest(now time.Time, from FiveTuple, m stun.Message) DropReason {
	if !from.Client.IsValid() || from.Client.Port() == 0 {
		return DropSource
	}
	if len(s.responses) >= maxResponses { // taken or not: it is empty once all are
		return DropBusy
	}
	q := &query{Message: m, from: from, allocation: s.allocations[from]}
	switch m.Method() {
	case stun.Binding:
		if !s.allow(now, q) {
			return DropRateLimited
		}
		s.stats.Requests[RequestBinding]++
		s.receiveBinding(q)
		return 0
	case stun.Allocate, stun.Refresh, stun.CreatePermission, stun.ChannelBind:
	case stun.Connect, stun.ConnectionBind:
		if !s.config.TCPRelays {
			return DropUnknownMethod
		}
	default:
		return DropUnknownMethod
	}
	code, reason := s.authenticate(now, q)
	if reason != 0 {
		return reason
	}
	if code != 0 {
		s.stats.Unauthenticated++
		s.reply(q, response{code: code, challenge: code == stun.CodeUnauthenticated || code == stun.CodeStaleNonce})
		return 0
	}
	// "All requests after the initial Allocate must use the same username as that
	// used to create the allocation to prevent attackers from hijacking the
	// client's allocation." RFC 8656, Section 5.
	if q.allocation != nil && q.user != q.allocation.username {
		s.suspect(now, AbuseHijack, from, netip.Addr{})
		s.refuse(q, stun.CodeWrongCredentials)
		return 0
	}
	if unknown := m.UnknownRequired(s.understood); unknown != nil {
		s.refuseUnknown(q, unknown)
		return 0
	}
	switch m.Method() {
	case stun.Allocate:
		s.stats.Requests[RequestAllocate]++
		s.receiveAllocate(now, q)
	case stun.Refresh:
		s.stats.Requests[RequestRefresh]++
		s.receiveRefresh(now, q)
	case stun.CreatePermission:
		s.stats.Requests[RequestCreatePermission]++
		s.receiveCreatePermission(now, q)
	case stun.ChannelBind:
		s.stats.Requests[RequestChannelBind]++
		s.receiveChannelBind(now, q)
	case stun.Connect:
		s.stats.Requests[RequestConnect]++
		s.receiveConnect(now, q)
	case stun.ConnectionBind:
		s.stats.Requests[RequestConnectionBind]++
		s.receiveConnectionBind(now, q)
	}
	return 0
}

// reply makes the response r to q due.
func (s *Server) reply(q *query, r response) {
	r.to, r.id, r.method = q.from, q.TransactionID(), q.Method()
	r.key, r.sha256 = q.key, q.sha256
	r.fingerprint = q.Has(stun.AttrFingerprint)
	s.responses = append(s.responses, r)
}

// refuse makes an error response to an authenticated request due.
func (s *Server) refuse(q *query, code stun.ErrorCode) {
	s.stats.Refused++
	s.reply(q, response{code: code})
}

// refuseUnknown makes a 420 due. RFC 8489, Section 6.3.1.
func (s *Server) refuseUnknown(q *query, unknown []stun.AttributeType) {
	s.stats.Refused++
	s.reply(q, response{code: stun.CodeUnknownAttribute, unknown: unknown})
}

// AppendPacket appends the next response, and returns where it goes; without
// one b comes back as it was.
func (s *Server) AppendPacket(now time.Time, b []byte) ([]byte, FiveTuple) {
	if s.taken == len(s.responses) {
		return b, FiveTuple{}
	}
	r := s.responses[s.taken]
	s.responses[s.taken] = response{}
	if s.taken++; s.taken == len(s.responses) {
		s.responses, s.taken = s.responses[:0], 0
	}

	class := stun.SuccessResponse
	switch {
	case r.method == stun.ConnectionAttempt:
		class = stun.Indication
	case r.code != 0:
		class = stun.ErrorResponse
	}
	m := stun.NewBuilder(b, stun.NewType(r.method, class), r.id)
	switch {
	case r.code != 0:
		m.AddErrorCode(r.code, "")
		if r.unknown != nil {
			m.AddUnknownAttributes(r.unknown)
		}
		if r.alternate {
			m.AddAddress(stun.AttrAlternateServer, s.config.Alternate)
		}
		if r.challenge {
			s.writeChallenge(now, &m, r.to)
		}
	case r.method == stun.Binding:
		m.AddXORAddress(stun.AttrXORMappedAddress, r.to.Client)
		if r.other.IsValid() {
			m.AddAddress(stun.AttrResponseOrigin, r.to.Server)
			m.AddAddress(stun.AttrOtherAddress, r.other)
		}
	case r.method == stun.Allocate:
		s.writeAllocated(&m, r)
	case r.method == stun.Refresh:
		addLifetime(&m, r.lifetime)
		if r.allocation != nil {
			m.Add(stun.AttrMobilityTicket, s.tickets.ticket(r.allocation))
		}
	case r.method == stun.Connect:
		m.AddUint32(stun.AttrConnectionID, uint32(r.connection))
	case r.method == stun.ConnectionAttempt:
		m.AddUint32(stun.AttrConnectionID, uint32(r.connection))
		m.AddXORAddress(stun.AttrXORPeerAddress, r.peer)
	}
	if r.key != nil {
		if s.config.Software != "" {
			m.AddString(stun.AttrSoftware, s.config.Software)
		}
		if r.sha256 {
			m.AddIntegritySHA256(r.key, stun.FullSHA256)
		} else {
			m.AddIntegrity(r.key)
		}
	}
	if r.fingerprint {
		m.AddFingerprint()
	}
	return m.Bytes(), r.to
}

// writeChallenge writes what a client needs to authenticate its next request:
// the realm, a nonce, and the algorithms if there is a choice. RFC 8489, Section 9.2.4.
func (s *Server) writeChallenge(now time.Time, m *stun.Builder, to FiveTuple) {
	m.AddString(stun.AttrRealm, s.config.Realm)
	m.Add(stun.AttrNonce, s.nonces.nonce(now, to))
	if s.nonces.features&stun.FeaturePasswordAlgorithms != 0 {
		m.AddPasswordAlgorithms(s.config.Algorithms...)
	}
}

// writeAllocated writes a success response to Allocate. RFC 8656, Section 7.2.
func (s *Server) writeAllocated(m *stun.Builder, r response) {
	a := r.allocation
	for _, relay := range a.relays {
		if relay != nil && relay.address.IsValid() {
			m.AddXORAddress(stun.AttrXORRelayedAddress, relay.address)
		}
	}
	addLifetime(m, r.lifetime)
	if a.token != [8]byte{} {
		m.Add(stun.AttrReservationToken, a.token[:])
	}
	m.AddXORAddress(stun.AttrXORMappedAddress, r.to.Client)
	if a.additionalCode != 0 && (a.relays[0] == nil) != (a.relays[1] == nil) {
		// ADDRESS-ERROR-CODE: the family, then as ERROR-CODE. Section 18.12.
		missing := byte(familyIPv4)
		if a.relays[1] == nil {
			missing = familyIPv6
		}
		m.Add(stun.AttrAddressErrorCode, append([]byte{missing, 0, byte(a.additionalCode / 100), byte(a.additionalCode % 100)}, a.additionalCode.Reason()...))
	}
	if a.mobile {
		m.Add(stun.AttrMobilityTicket, s.tickets.ticket(a))
	}
}
