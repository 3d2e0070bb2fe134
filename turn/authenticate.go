package turn

import (
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// authenticate checks a request by the long-term credential mechanism, and
// returns the code to refuse it with or the reason to drop it. RFC 8489, Section
// 9.2.4. It differs in one thing: the nonce is checked first, because that is
// cheap and shows that the source is where it says to be.
func (s *Server) authenticate(now time.Time, q *query) (stun.ErrorCode, DropReason) {
	has256 := q.Has(stun.AttrMessageIntegritySHA256)
	// A request without an integrity attribute is the first one of a client that
	// does not know the realm and a nonce yet: it gets them, by a 401.
	if !has256 && !q.Has(stun.AttrMessageIntegrity) {
		return s.unknown(now, q, stun.CodeUnauthenticated)
	}
	// With an integrity attribute, but without something to check it by, a
	// request is malformed: 400.
	username, userhash, nonce := q.Username(), q.Userhash(), q.Nonce()
	if username == nil && userhash == nil || q.Realm() == nil || nonce == nil {
		return s.unknown(now, q, stun.CodeBadRequest)
	}
	verdict := s.nonces.check(now, q.from, nonce)
	// Clients, coturn's among them, come for a connection with the nonce of their control
	// connection, and know no other answer than yes. It is theirs, too; and what the request
	// names is new to everybody else and good once.
	if a := s.keeper(q); a != q.allocation && verdict == nonceForeign {
		verdict = s.nonces.check(now, a.tuple, nonce)
	}
	switch verdict {
	case nonceForeign:
		s.suspect(now, AbuseNonce, q.from, netip.Addr{})
		return s.unknown(now, q, stun.CodeStaleNonce)
	case nonceStale:
		return s.unknown(now, q, stun.CodeStaleNonce)
	}
	algorithm, ok := s.algorithm(q.Message)
	if !ok {
		return s.unknown(now, q, stun.CodeBadRequest)
	}
	name, ok := s.username(username, userhash)
	if !ok || string(q.Realm()) != s.config.Realm {
		s.suspect(now, AbuseCredentials, q.from, netip.Addr{})
		return s.unknown(now, q, stun.CodeUnauthenticated)
	}
	check := func(key *stun.Key) bool {
		if has256 {
			return q.CheckIntegritySHA256(key, stun.FullSHA256) == nil
		}
		return q.CheckIntegrity(key) == nil
	}
	// An allocation's own key spares the derivation, and outlives a time-limited
	// password: that says until when one may begin, not how long one may speak.
	if a := s.keeper(q); a != nil && a.username == name && a.algorithm == algorithm {
		if !check(a.key) {
			s.suspect(now, AbuseCredentials, q.from, netip.Addr{})
			return s.unknown(now, q, stun.CodeUnauthenticated)
		}
		q.user, q.key, q.sha256 = name, a.key, has256
		return 0, 0
	}
	if !s.limiter.allow(now, q.from) {
		return 0, DropRateLimited
	}
	for key := range s.keys(now, name, algorithm) {
		if check(key) {
			q.user, q.key, q.sha256 = name, key, has256
			return 0, 0
		}
	}
	s.suspect(now, AbuseCredentials, q.from, netip.Addr{})
	return stun.CodeUnauthenticated, 0
}

// unknown refuses a request of somebody unknown, unless there were too many.
func (s *Server) unknown(now time.Time, q *query, code stun.ErrorCode) (stun.ErrorCode, DropReason) {
	if !s.allow(now, q) {
		return 0, DropRateLimited
	}
	return code, 0
}

// allow asks the limiter, but for who has an allocation on a stream: that 5-tuple nobody
// else can use, and who uses it says nothing twice.
func (s *Server) allow(now time.Time, q *query) bool {
	return q.allocation != nil && q.from.Protocol.Stream() || s.limiter.allow(now, q.from)
}

// Hold returns how long to leave a stream unread before a message that came on it is given to
// Receive; 0 for not at all. What is too much over datagrams is dropped: the client asks
// again, and a later request finds room. Over a stream "the client MUST NOT retransmit" (RFC
// 8489, Section 6.2.2), and would wait for an answer that never comes. So the stream waits, and
// TCP holds the client back: the rate is the same, and nobody is left without an answer.
func (s *Server) Hold(now time.Time, from FiveTuple, message []byte) time.Duration {
	m, err := stun.Parse(message)
	if err != nil || !from.Protocol.Stream() || m.Class() != stun.Request || s.allocations[from] != nil {
		return 0
	}
	return s.limiter.wait(now, from)
}

// algorithm is the one a request uses, whose nonce is ours: with neither
// attribute "the request is processed as though PASSWORD-ALGORITHM were MD5".
// Otherwise both must be there, the list as we sent it with the nonce and the
// choice out of it; or else somebody has changed the list on the way, and the
// request gets a 400. RFC 8489, Section 9.2.4.
func (s *Server) algorithm(m stun.Message) (stun.PasswordAlgorithm, bool) {
	if !m.Has(stun.AttrPasswordAlgorithms) && !m.Has(stun.AttrPasswordAlgorithm) {
		return stun.AlgorithmMD5, slices.Contains(s.config.Algorithms, stun.AlgorithmMD5)
	}
	a, ok := m.PasswordAlgorithm()
	return a, ok && slices.Equal(m.PasswordAlgorithms(), s.config.Algorithms) && slices.Contains(s.config.Algorithms, a)
}
