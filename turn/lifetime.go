package turn

import (
	"container/heap"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// grant is the lifetime that a client gets: "the server computes the minimum of
// the client's requested lifetime and the server's maximum allowed lifetime. If
// this computed value is greater than the default lifetime, then the "desired
// lifetime" is the computed value. Otherwise, the "desired lifetime" is the
// default lifetime." RFC 8656, Section 8.2. Zero, which ends an allocation, is
// the caller's.
func (s *Server) grant(asked time.Duration) time.Duration {
	return max(min(asked, s.config.MaxLifetime), s.config.Lifetime)
}

// receiveRefresh handles a Refresh request. RFC 8656, Section 8.2.
func (s *Server) receiveRefresh(now time.Time, q *query) {
	ticket, moves := q.Get(stun.AttrMobilityTicket)
	a := q.allocation
	if a == nil && moves {
		s.move(now, q, ticket)
		return
	}
	if a == nil || a.pending > 0 {
		s.refuse(q, stun.CodeAllocationMismatch)
		return
	}
	// "If the server receives a Refresh Request with a REQUESTED-ADDRESS-FAMILY
	// attribute and the attribute value does not match the address family of the
	// allocation, the server MUST reply with a 443 (Peer Address Family Mismatch)
	// Refresh error response."
	which, has := family(q.Message, stun.AttrRequestedAddressFamily)
	if has && (which != familyIPv4 && which != familyIPv6 || a.relays[index(which == familyIPv6)] == nil) {
		s.refuse(q, stun.CodePeerAddressFamilyMismatch)
		return
	}
	asked, hasLifetime := lifetimeOf(q.Message)
	r := response{}
	switch {
	case hasLifetime && asked == 0 && has && a.relays[index(which != familyIPv6)] != nil:
		s.closeRelay(a, index(which == familyIPv6)) // the other one stays
	case hasLifetime && asked == 0:
		s.reply(q, r)
		s.end(now, a)
		return
	default:
		r.lifetime = s.grant(asked)
		s.extend(now, a, r.lifetime)
		if a.mobile && moves && q.TransactionID() == a.moved {
			r.allocation = a // a move that is asked for again: the answer was lost
		}
	}
	s.reply(q, r)
}

func (s *Server) extend(now time.Time, a *allocation, lifetime time.Duration) {
	a.lifetime = lifetime
	s.expiries.remove(&a.expiry)
	a.expiry.at = now.Add(lifetime)
	s.expiries.push(&a.expiry)
}

// end removes an allocation that was in use.
func (s *Server) end(now time.Time, a *allocation) {
	s.remove(a)
	s.drained(now)
}

// Disconnected tells that a client's stream ended: its allocation does too,
// unless it has a ticket to come back with (RFC 8016).
func (s *Server) Disconnected(now time.Time, from FiveTuple) {
	if a := s.allocations[from]; a != nil && !a.mobile {
		s.end(now, a)
	}
}

// NextTimeout is when to call Advance; zero for never.
func (s *Server) NextTimeout() time.Time {
	if len(s.expiries) == 0 {
		return time.Time{}
	}
	return s.expiries[0].at
}

// Advance ends what has expired.
func (s *Server) Advance(now time.Time) {
	for len(s.expiries) > 0 && !s.expiries[0].at.After(now) {
		e := s.expiries[0]
		if e.connection != nil {
			s.expireConnection(now, e.connection)
			continue
		}
		if e.reserved != nil {
			s.config.Trace.Timer(now, trace.TURN, "reservation")
			s.expiries.remove(e)
			delete(s.reserved, e.reserved.token)
			s.forget(e.reserved)
			continue
		}
		s.config.Trace.Timer(now, trace.TURN, "allocation")
		s.stats.Expired++
		s.end(now, e.allocation)
	}
}

// An expiry is when something ends by itself: an allocation, a reservation, or a
// connection that nobody came for.
type expiry struct {
	at         time.Time
	allocation *allocation
	reserved   *relay
	connection *peerConnection
	place      int // in the heap, counted from 1; 0 when it is not there
}

// expiries is a heap, the earliest first. Servers have more of them than
// internal/timers has room for.
type expiries []*expiry

func (e *expiries) push(x *expiry) { heap.Push((*expiryHeap)(e), x) }

func (e *expiries) remove(x *expiry) {
	if x.place > 0 {
		heap.Remove((*expiryHeap)(e), x.place-1)
	}
}

type expiryHeap []*expiry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *expiryHeap) Push(x any) {
	e := x.(*expiry)
	*h = append(*h, e)
	e.place = len(*h)
}

func (h *expiryHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	e.place = 0
	return e
}
