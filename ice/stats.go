package ice

import "time"

// Stats counts what an Agent did.
type Stats struct {
	ChecksSent        int // Binding requests: checks, repetitions and consent checks
	ResponsesReceived int // success responses that were accepted
	ChecksReceived    int // Binding requests
	ResponsesSent     int // success and error responses
	Dropped           int // packets that were of no use, or refused
}

// Stats returns the counts since New.
func (a *Agent) Stats() Stats { return a.stats }

// PairStats is what is known of a candidate pair, in W3C's words
// (RTCIceCandidatePairStats).
type PairStats struct {
	Path          Path
	Local, Remote Candidate
	LocalUfrag    string // of the session that the pair belongs to: a restart makes another
	Priority      uint64
	State         PairState
	Nominated     bool          // both sides agreed on it
	Selected      bool          // data goes there now
	RTT           time.Duration // of the last answered check; 0 before the first

	RTTSum time.Duration // of all answered checks

	ChecksSent, ResponsesReceived, ChecksReceived int

	Sent, Received Traffic // data: what SentData and SeenData were told of
}

// Traffic is what went over a pair beside checks.
type Traffic struct{ Packets, Bytes uint64 }

func (t *Traffic) count(n int) {
	if n > 0 {
		t.Packets++
		t.Bytes += uint64(n)
	}
}

// Pairs returns the check list in decreasing order of priority, with the
// selected pair of before a restart, if any, in front.
func (a *Agent) Pairs() []PairStats {
	pairs := a.pairs
	if s := a.selected; s != nil && s.session != a.session {
		pairs = append([]*pair{s}, pairs...)
	}
	var stats []PairStats
	for _, p := range pairs {
		stats = append(stats, PairStats{
			Path: p.path(), LocalUfrag: p.session.local.Ufrag, Local: p.localCandidate(), Remote: p.remote.candidate,
			Priority: p.priority, State: p.state, Nominated: p == a.nominated, Selected: p == a.selected, RTT: p.rtt,
			ChecksSent: int(p.sent), ResponsesReceived: int(p.answered), ChecksReceived: int(p.received), RTTSum: p.rttSum,
			Sent: p.dataSent, Received: p.dataReceived,
		})
	}
	return stats
}
