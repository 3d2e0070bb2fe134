package ice

import (
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// A PairState is how far the check of a candidate pair is. RFC 8445, Section 6.1.2.6.
type PairState uint8

// The states of a pair.
const (
	PairFrozen     PairState = iota // not checked, nor shall it be until unfrozen
	PairWaiting                     // not checked yet, but will be
	PairInProgress                  // a check was sent
	PairSucceeded                   // a check was answered: the pair is valid
	PairFailed                      // no check was answered, or one was refused
)

var pairStateNames = [...]string{"frozen", "waiting", "in-progress", "succeeded", "failed"}

// String returns the state's name as W3C's RTCStatsIceCandidatePairState has it.
func (s PairState) String() string { return pairStateNames[s] }

// A transaction is one Binding request that was sent. Every repetition of a
// check is one of its own, so that round-trip times are exact and no consent
// check is a retransmission, as RFC 7675, Section 5.1 wants.
type transaction struct {
	id           stun.TransactionID
	sent         time.Duration // after the pair was formed
	open         bool          // not answered yet
	useCandidate bool
	controlling  bool // the role that the request told
}

// outstanding is how many transactions of a pair may be answered still. At first they
// follow each other quickly: that allows a round trip of two seconds and more, and
// between the last ones are two seconds.
const outstanding = 8

// A pair is a candidate pair: a base and a remote candidate. What RFC 8445
// calls the valid pair, whose local candidate is what the peer saw, is the same
// pair here; mapped is that candidate's address.
type pair struct {
	session  *session
	local    *local
	remote   *remote
	priority uint64
	state    PairState
	removed  bool // no longer on the check list
	late     bool // formed after a nomination
	queued   bool // in Agent.triggered
	formedAt time.Time
	// username is that of our checks, where the peer knows us by another one
	// than the session's on this pair; see receiveRequest.
	username string

	// Checks we send.
	transactions [outstanding]transaction
	newest       uint8          // the index of the transaction sent last
	through      bool           // a check of the peer's has come since started, and one was sent since
	missed       int32          // how many checks were sent since the last one that was answered
	expired      int32          // how many of those were not answered in time, without any other sign of life
	started      time.Time      // when the first of those was sent
	rto          time.Duration  // from the last one sent to its repetition
	retryAt      time.Time      // when that is; zero when there is none
	rtt          time.Duration  // of the last check that was answered; 0 before
	answeredAt   time.Time      // when that was: what consent counts from
	mapped       netip.AddrPort // how the peer saw us in it

	// What we hear.
	heardAt     time.Time // the last sign of life of any kind
	strayAt     time.Time // the last data that came here while it was sent elsewhere
	checkedAt   time.Time // the last check of the peer
	nominatedAt time.Time // the first check of the peer with USE-CANDIDATE that still counts; zero: none
	plain       bool      // the peer's last check had none, though an earlier one had
	nomination  uint32    // the number of its nomination, the later the higher; 0: it had none

	sent, received, answered uint32        // checks: sent, received, and answers received
	rttSum                   time.Duration // of all answered checks
	dataSent, dataReceived   Traffic
}

func (p *pair) path() Path { return Path{p.local.candidate.Protocol, p.local.addr, p.remote.addr} }

// sameFoundation reports whether two pairs are likely to share their fate:
// "each candidate pair in the checklist has a foundation (the combination of
// the foundations of the local and remote candidates in the pair)". RFC 8445,
// Section 6.1.2.6.
func (p *pair) sameFoundation(q *pair) bool {
	return p.local.candidate.Foundation == q.local.candidate.Foundation &&
		p.remote.candidate.Foundation == q.remote.candidate.Foundation
}

// lostAfter is how many checks in a row must stay unanswered before a valid
// pair counts as lost.
const lostAfter = 3

// lost reports whether a pair that was valid stopped answering, and gave no
// other sign of life meanwhile.
func (p *pair) lost() bool { return p.expired >= lostAfter }

// settle ends what is under way on p: nothing is missed any more.
func (p *pair) settle() { p.missed, p.expired, p.retryAt = 0, 0, time.Time{} }

// valid reports whether data may be sent on the pair.
func (p *pair) valid() bool { return p.state == PairSucceeded && !p.lost() }

// dispensable reports whether nothing is lost with the pair.
func (p *pair) dispensable() bool {
	return p.state != PairSucceeded && p.state != PairInProgress && p.nominatedAt.IsZero()
}

// localCandidate is the local candidate of the valid pair: the base's own, or
// the peer-reflexive one that the peer's answers revealed.
//
// "If the transport address does not match any of the local candidates that the
// agent knows about, the mapped address represents a new candidate: a
// peer-reflexive candidate." RFC 8445, Section 7.2.5.3.1.
func (p *pair) localCandidate() Candidate {
	c := p.local.candidate
	if !p.mapped.IsValid() || p.mapped == p.local.addr || c.TCPType == TCPActive && p.mapped.Addr() == p.local.addr.Addr() {
		return c
	}
	for _, known := range p.local.reflexives {
		if known.Addr == p.mapped {
			return known
		}
	}
	c.Type = PeerReflexive
	c.Foundation = "prflx-" + c.Foundation
	c.Priority = p.local.reflexivePriority()
	c.Addr, c.Host = p.mapped, ""
	c.Related = p.local.related(p.local.addr)
	return c
}

// reflexivePriority is what a check's PRIORITY tells: the priority the base
// would have, were it peer reflexive. RFC 8445, Section 7.1.1.
func (l *local) reflexivePriority() uint32 {
	if c := l.candidate; c.Protocol == TCP {
		return tcpPriority(PeerReflexive, c.TCPType, l.preference)
	}
	return PeerReflexive.preference()<<24 | l.candidate.Priority&0x00ffffff
}
