package turn

import (
	"net/netip"
	"time"
)

// Abuse is what somebody does who should not, for the operator's log. Of each kind it is told
// once a minute at most, so that a flood does not fill the disk; the counters of [Stats] have
// all of it.
type Abuse struct {
	Kind AbuseKind
	From FiveTuple
	Peer netip.Addr // of AbusePeer
}

func (Abuse) serverEvent() {}

// An AbuseKind is a way to abuse a server.
type AbuseKind int

// The kinds.
const (
	AbuseRate        AbuseKind = iota // too many requests without valid credentials
	AbuseMalformed                    // what is neither STUN nor ChannelData
	AbuseCredentials                  // a wrong username or password
	AbuseNonce                        // a nonce that is another's, or made up
	AbuseHijack                       // an allocation of another user's
	AbusePeer                         // a peer that nobody is relayed to
	AbuseQuota                        // more allocations than a user may have
	AbuseBandwidth                    // more data than a user may have relayed
	numAbuses        int       = iota
)

func (k AbuseKind) String() string {
	return [...]string{
		"requests without valid credentials are dropped: there are too many",
		"messages are dropped that are neither STUN nor ChannelData",
		"a username or a password is wrong",
		"a nonce is another client's, or made up",
		"somebody uses an allocation that is another user's",
		"relaying to a peer is refused: nobody is relayed there",
		"a user has as many allocations as one may have",
		"data is dropped: the user's bandwidth is used up",
	}[k]
}

// abuseEvery is how often a kind is told of.
const abuseEvery = time.Minute

func (s *Server) suspect(now time.Time, kind AbuseKind, from FiveTuple, peer netip.Addr) {
	last := &s.suspected[kind]
	if last.IsZero() || now.Sub(*last) >= abuseEvery {
		*last = now
		s.events = append(s.events, Abuse{Kind: kind, From: from, Peer: peer})
	}
}

// suspectDrop tells of drops that somebody means.
func (s *Server) suspectDrop(now time.Time, reason DropReason, from FiveTuple) {
	switch reason {
	case DropRateLimited:
		s.suspect(now, AbuseRate, from, netip.Addr{})
	case DropNotSTUN:
		s.suspect(now, AbuseMalformed, from, netip.Addr{})
	case DropOwnAddress:
		s.suspect(now, AbusePeer, from, netip.Addr{})
	case DropBandwidth:
		s.suspect(now, AbuseBandwidth, from, netip.Addr{})
	}
}
