package turn

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// tickets makes and checks mobility tickets: the number of the allocation's
// relay, how often it moved, and a code over both. RFC 8016 leaves the form to
// the server. A ticket is good until the one after it was used, because the
// answer that brings the next one may be lost and the client move on; and only
// with the password of the allocation's user.
type tickets struct {
	mac hash.Hash
	b   [12 + sha256.Size]byte
}

const ticketSize = 12 + 16

func (t *tickets) code(id RelayID, generation uint32) []byte {
	b := binary.BigEndian.AppendUint64(t.b[:0], uint64(id))
	b = binary.BigEndian.AppendUint32(b, generation)
	t.mac.Reset()
	t.mac.Write(b)
	return t.mac.Sum(b)[:ticketSize]
}

// ticket returns an allocation's ticket, valid until the next call.
func (t *tickets) ticket(a *allocation) []byte { return t.code(a.relayID(), a.generation) }

func (t *tickets) valid(ticket []byte, a *allocation) bool {
	id := a.relayID()
	return hmac.Equal(ticket, t.code(id, a.generation)) || a.generation > 0 && hmac.Equal(ticket, t.code(id, a.generation-1))
}

// relayID stands for the allocation in its ticket: the first relay's.
func (a *allocation) relayID() RelayID {
	for _, r := range a.relays {
		if r != nil {
			return r.id
		}
	}
	return 0
}

// move takes an allocation to the 5-tuple that its ticket comes from. RFC 8016,
// Section 3.2.2.
func (s *Server) move(now time.Time, q *query, ticket []byte) {
	if !s.config.Mobility {
		s.refuse(q, stun.CodeMobilityForbidden)
		return
	}
	if len(ticket) != ticketSize {
		s.refuse(q, stun.CodeBadRequest)
		return
	}
	id := RelayID(binary.BigEndian.Uint64(ticket))
	r := s.relays[id]
	if r == nil || r.allocation == nil || r.allocation.relayID() != id || !r.allocation.mobile || r.allocation.pending > 0 ||
		!s.tickets.valid(ticket, r.allocation) {
		s.refuse(q, stun.CodeAllocationMismatch)
		return
	}
	a := r.allocation
	if a.username != q.user {
		s.refuse(q, stun.CodeWrongCredentials)
		return
	}
	asked, hasLifetime := lifetimeOf(q.Message)
	if hasLifetime && asked == 0 {
		s.reply(q, response{})
		s.end(now, a)
		return
	}
	s.config.Trace.Note(now, trace.TURN, "an allocation moved to another address")
	delete(s.allocations, a.tuple)
	a.tuple, a.moved = q.from, q.TransactionID()
	a.generation++
	s.allocations[a.tuple] = a
	s.stats.Moved++
	s.extend(now, a, s.grant(asked))
	s.reply(q, response{allocation: a, lifetime: a.lifetime})
}
