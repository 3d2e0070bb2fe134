package ice

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

const (
	// "Implementations SHOULD set a default interval of 5 seconds, resulting in
	// a period between checks of 4 to 6 seconds." RFC 7675, Section 5.1.
	consentPeriod = 5 * time.Second

	// keepalivePeriod is Tr: "Agents SHOULD use a Tr value of 15 seconds. Agents
	// MAY use a bigger value but MUST NOT use a value smaller than 15 seconds." RFC
	// 8445, Section 11. Agents that check consent need no keepalives beside it.
	keepalivePeriod = 15 * time.Second

	// quietFor is how long data is sent and nothing is heard before a check asks why: a little longer
	// than SCTP and DTLS wait before they send again what was lost.
	quietFor = 1250 * time.Millisecond

	// liteSilence is how many times longer a lite agent takes silence: it only
	// hears what the peer sends, every six seconds perhaps.
	liteSilence = 2
)

// consentGiven starts anew what watches over the selected pair: its check was
// answered just now, or data has just moved to it.
func (a *Agent) consentGiven(now time.Time) {
	p := a.selected
	a.timers.Set(timerExpiry, p.answeredAt.Add(a.config.ConsentTimeout))
	a.timers.Set(timerSilence, p.heardAt.Add(a.silence()))
	if !a.timers.Running(timerConsent) {
		a.startConsent(now)
	}
}

// startConsent sets the time of the next consent check, at random: "To prevent
// synchronization of consent checks, each interval MUST be randomized from
// between 0.8 and 1.2 times the basic period." RFC 7675, Section 5.1.
func (a *Agent) startConsent(now time.Time) {
	if a.config.Lite {
		a.timers.Set(timerConsent, now.Add(keepalivePeriod))
		return
	}
	a.timers.Set(timerConsent, now.Add(consentPeriod*8/10+time.Duration(a.random()%uint64(consentPeriod*4/10))))
}

// consentDue sends the next consent check. If the last one is not answered
// yet, its repetitions are under way.
func (a *Agent) consentDue(now time.Time) {
	p := a.selected
	if p == nil {
		return
	}
	a.startConsent(now)
	if p.missed == 0 {
		a.enqueue(p)
	}
}

// consentBeside sends the next consent check now, with the answer to the
// peer's, if the shortest interval since the last one has passed: so the two
// ends of an idle path wake up together, and not each for itself. The interval
// is the shorter of two random ones, and in the same bounds.
func (a *Agent) consentBeside(now time.Time, p *pair) {
	if p == a.selected && p == a.nominated && p.state == PairSucceeded && p.missed == 0 && now.Sub(p.answeredAt) >= consentPeriod*8/10 {
		a.startConsent(now)
		a.enqueue(p)
	}
}

// silence is how long the selected path may be silent.
func (a *Agent) silence() time.Duration {
	if a.config.Lite {
		return liteSilence * a.config.DisconnectedAfter
	}
	return a.config.DisconnectedAfter
}

// heard notes a sign of life on p: an authenticated check, or data.
func (a *Agent) heard(now time.Time, p *pair) {
	p.heardAt = now
	p.expired = 0
	if p == a.selected && a.state == StateDisconnected {
		a.timers.Set(timerSilence, now.Add(a.silence()))
		a.updateState(now)
	}
}

// SeenData notes that a datagram of n bytes with authenticated data arrived on a path:
// a sign of life. It is cheap, for it is called with every datagram; zero bytes: with
// one more part of the same. It does not extend consent,
// which only the answer to a check does.
//
// Data on another path than the selected one tells that the peer moved, or that
// its NAT gave it another address: rather than wait for its next check, this
// agent checks there by itself.
func (a *Agent) SeenData(now time.Time, path Path, n int) {
	if s := a.selected; s != nil && s.remote.addr == path.Remote && s.local.addr == path.Local && s.local.candidate.Protocol == path.Protocol {
		a.heard(now, s)
		s.dataReceived.count(n)
		return
	}
	path = path.unmapped()
	l := a.localAt(path.Protocol, path.Local)
	if l == nil || !a.concluded || a.config.Lite || a.localAt(path.Protocol, path.Remote) != nil {
		return
	}
	p := a.pairFor(now, l, path, l.reflexivePriority(), nil)
	if p == nil {
		return
	}
	a.heard(now, p)
	p.dataReceived.count(n)
	p.strayAt = now
	if p.state != PairInProgress { // data comes more often than checks
		a.trigger(now, p, false)
	}
	if s := a.selected; s != nil && s != p && s.session == a.session && a.movedFrom(s) && now.Sub(s.heardAt) >= max(s.rtt, fastestProbe/2) {
		a.suspect(now, s) // what it sends comes here, and only here
		return
	}
	a.probeSelected(now, p)
}

// SentData notes that a datagram of n bytes with data is sent on the selected path. It is cheap, for it is called with
// every datagram.
//
// Data is answered: by acknowledgements, by reports, by the peer's own. If nothing has come for
// a while since the first that was not, the path is asked now rather than at the next consent
// check, so that a network which is lost without a word is known to be after some two seconds. RFC
// 7675, Section 5.1 has checks at least every 6 s, and forbids none in between; of these there is
// one a second at most where data is not answered for good reasons, and none where no data is.
func (a *Agent) SentData(now time.Time, n int) {
	p := a.selected
	if p != nil {
		p.dataSent.count(n)
	}
	switch {
	case p == nil || p != a.nominated || a.config.Lite:
	case !a.unansweredAt.After(p.heardAt):
		a.unansweredAt = now
	case p.missed == 0 && now.Sub(a.unansweredAt) >= max(quietFor, 2*p.rtt) && p.state == PairSucceeded:
		p.expired = 1 // the data's own answer is missed already
		a.enqueue(p)
	}
}

// silenceDue looks whether the selected path was silent for too long.
func (a *Agent) silenceDue(now time.Time) {
	p := a.selected
	if p == nil {
		return
	}
	if at := p.heardAt.Add(a.silence()); at.After(now) {
		a.timers.Set(timerSilence, at)
		return
	}
	a.updateState(now)
	a.wake(now)
}

// consentExpired ends sending on the selected pair, as RFC 7675, Section 5.1
// demands when no check was answered for 30 seconds.
func (a *Agent) consentExpired(now time.Time) {
	p := a.selected
	if p == nil {
		return
	}
	a.trace.Note(now, trace.ICE, "consent expired: "+p.path().String())
	p.state = PairFailed
	p.settle()
	a.forgetRemoved()
	a.nominate(now)
	a.selectPair(now)
	if a.selected == nil && p.session == a.session {
		a.end(now, StateFailed)
	}
	a.updateState(now)
}

// liteRequest is what a lite agent does with a check: it believes it. A check
// is consent, too, for a lite agent asks for none. RFC 8445, Section 7.3.2.
func (a *Agent) liteRequest(now time.Time, p *pair, useCandidate bool) {
	if useCandidate {
		p.state = PairSucceeded
		p.nominatedAt = now
	}
	if p.state != PairSucceeded {
		return
	}
	p.answeredAt = now
	if useCandidate {
		a.nominationReceived(now, p)
	}
	a.reconsider(now)
	if p == a.selected {
		a.consentGiven(now)
	}
}

// appendKeepalive appends what keeps the way of a lite agent's data open:
// "When STUN is being used for keepalives, a STUN Binding Indication is used."
// "It SHOULD contain the FINGERPRINT attribute to aid in demultiplexing, but it
// SHOULD NOT contain any other attributes." RFC 8445, Section 11.
func (a *Agent) appendKeepalive(b []byte) []byte {
	m := stun.NewBuilder(b, stun.BindingIndication, a.newTransactionID())
	m.AddFingerprint()
	return m.Bytes()
}
