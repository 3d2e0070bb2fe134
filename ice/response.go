package ice

import (
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// Receive takes a STUN message that arrived at path.Local from path.Remote.
// It is borrowed for the call.
func (a *Agent) Receive(now time.Time, path Path, packet []byte) {
	if a.ended() {
		a.drop(now, dropEnded, packet)
		return
	}
	path = path.unmapped()
	if a.receiveErrand(now, path, packet) {
		return
	}
	l := a.localAt(path.Protocol, path.Local)
	if l == nil {
		a.drop(now, dropLocalAddress, packet)
		return
	}
	m, err := stun.Parse(packet)
	if err == nil {
		// "It MUST utilize the FINGERPRINT mechanism." RFC 8445, Section 7.3.
		err = m.CheckFingerprint()
	}
	if err != nil {
		a.drop(now, err.Error(), packet)
		return
	}
	switch m.Type() {
	case stun.BindingRequest:
		a.receiveRequest(now, l, path, m)
	case stun.BindingSuccessResponse, stun.BindingErrorResponse:
		a.receiveResponse(now, path, m)
	case stun.BindingIndication:
		a.drop(now, dropIndication, packet)
	default:
		a.drop(now, dropNotBinding, packet)
	}
}

func (a *Agent) drop(now time.Time, reason string, packet []byte) {
	a.stats.Dropped++
	a.trace.Drop(now, trace.ICE, reason, len(packet))
}

// receiveResponse processes the response to a check. RFC 8445, Section 7.2.5.
func (a *Agent) receiveResponse(now time.Time, path Path, m stun.Message) {
	p, t := a.transaction(m.TransactionID())
	if p == nil {
		a.drop(now, dropTransaction, m.Bytes())
		return
	}
	if err := m.CheckIntegrity(p.session.remoteKey); err != nil {
		if err == stun.ErrNoIntegrity && m.Class() == stun.ErrorResponse {
			// The repetition of the check will show whether the peer means it.
			a.drop(now, dropUnprotected, m.Bytes())
		} else {
			// Such a response is discarded as if it had never been received: RFC 8489,
			// Section 9.1.4.
			a.drop(now, dropResponse, m.Bytes())
		}
		return
	}
	sent := *t
	t.open = false
	switch {
	case path != p.path():
		// "If the addresses are not symmetric, the agent MUST set the candidate
		// pair state to Failed." RFC 8445, Section 7.2.5.2.1.
		// A valid pair is left to its next check.
		a.drop(now, dropAsymmetric, m.Bytes())
		if p.state != PairSucceeded {
			a.fail(now, p)
		}
	case m.Class() == stun.ErrorResponse:
		a.refused(now, p, sent, m)
	default:
		mapped, ok := m.XORMappedAddress()
		if !ok {
			a.drop(now, dropNoAddress, m.Bytes())
			return
		}
		a.succeeded(now, p, sent, mapped)
	}
}

// transaction finds the outstanding transaction with that id.
func (a *Agent) transaction(id stun.TransactionID) (*pair, *transaction) {
	if a.selected != nil && a.selected.session != a.session {
		if t := a.selected.transaction(id); t != nil {
			return a.selected, t
		}
	}
	for _, p := range a.pairs {
		if t := p.transaction(id); t != nil {
			return p, t
		}
	}
	return nil, nil
}

func (p *pair) transaction(id stun.TransactionID) *transaction {
	for i := range p.transactions {
		if t := &p.transactions[i]; t.id == id && t.open {
			return t
		}
	}
	return nil
}

// refused processes an error response that the peer vouches for.
func (a *Agent) refused(now time.Time, p *pair, sent transaction, m stun.Message) {
	code, _, _ := m.ErrorCode()
	if a.trace != nil {
		a.trace.Note(now, trace.ICE, "the peer refused a check: "+code.String())
	}
	if code == stun.CodeRoleConflict {
		a.roleRefused(now, sent.controlling)
		// "the agent MUST add the candidate pair whose check generated the 487 error
		// response to the triggered-check queue [...], and set the candidate pair
		// state to Waiting." Section 7.2.5.1.
		if p.state != PairSucceeded {
			p.state = PairWaiting
		}
		a.enqueue(p)
		return
	}
	// "If the Binding request generates a STUN error response that is
	// unrecoverable [...], the ICE agent SHOULD set the candidate pair state to
	// Failed." Section 7.2.5.2.4. It revokes consent, if there was any: code 403
	// of RFC 7675, Section 5.2 is one of them.
	a.fail(now, p)
}

// fail ends a pair on the peer's word.
func (a *Agent) fail(now time.Time, p *pair) {
	p.state = PairFailed
	p.retryAt = time.Time{}
	a.forgetRemoved()
	a.wake(now)
	a.reconsider(now)
	a.failIfHopeless(now)
}

// succeeded processes a success response. RFC 8445, Section 7.2.5.3.
func (a *Agent) succeeded(now time.Time, p *pair, sent transaction, mapped netip.AddrPort) {
	first := p.state != PairSucceeded
	p.state = PairSucceeded
	if p.mapped = mapped; a.localAt(p.local.candidate.Protocol, mapped) != nil {
		p.mapped = p.local.addr // no NAT, be it another of our own addresses
	}
	p.rtt = max(now.Sub(p.formedAt.Add(sent.sent)), 1)
	p.answeredAt, p.heardAt = now, now
	if p != a.nominating || sent.useCandidate {
		// What was asked last is answered, or as good as: only a nomination must be
		// answered itself.
		p.settle()
		a.rearmRetry()
	}
	p.answered++
	p.rttSum += p.rtt
	a.stats.ResponsesReceived++
	if p == a.selected {
		a.consentGiven(now)
	}
	if p.session != a.session {
		a.reconsider(now) // the path of before a restart: alive, and no more than that
		return
	}
	if first {
		a.unfreeze(p)
		a.probeSelected(now, p)
	}
	switch {
	case sent.useCandidate && a.controlling && p == a.nominating:
		// "if the ICE agent receives a successful response to the request, the
		// agent sets the nominated flag of the pair to true". Section 7.2.5.3.4.
		a.accept(now, p)
	case !a.controlling && !p.nominatedAt.IsZero() && p != a.nominated:
		a.nominationReceived(now, p)
	}
	a.reconsider(now)
}
