package ice

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// Renomination (draft-thatcher-ice-renomination): "This allows the controlling
// side to send nominations for new candidate pairs at any time", without a restart;
// "the controlled side follows a rule of 'last nomination wins'". Each nomination
// has a number, by which the last is told when they overtake each other.

// SetRenomination says whether both sides have the option "renomination" in their
// descriptions. Nominations that have a number are honoured in any case.
func (a *Agent) SetRenomination(both bool) { a.renomination = both }

// renominate has the controlling agent move to a better pair than the nominated
// one, if the peer will follow: it became valid later, for its candidates came
// later, or its network did.
func (a *Agent) renominate(now time.Time) {
	if !a.renomination || a.config.Lite {
		return
	}
	best := a.bestValid(now)
	switch {
	case best == nil || best.session != a.session || best.priority <= a.nominated.priority:
		if a.nominating != nil && !a.nominating.valid() {
			a.nominating = nil // it was better, and is no more
		}
	case best == a.nominating:
	default:
		if a.trace != nil {
			a.trace.Note(now, trace.ICE, "a better pair is nominated: "+best.path().String())
		}
		a.ask(best)
	}
}

// nominateBlindly has the controlling agent nominate the best of the pairs that are left
// with the first check there, because its nominated pair is gone for good: so the peer
// need not wait for one answer more before it follows. Should another one answer
// first, its nomination will have the higher number.
func (a *Agent) nominateBlindly() {
	if !a.renomination || !a.controlling || !a.concluded || a.nominated != nil || a.nominating != nil {
		return
	}
	for _, p := range a.pairs {
		if p.state == PairWaiting {
			a.ask(p)
			return
		}
	}
}

// addNomination adds the number of p's nomination to a check.
//
// The draft has no number for the attribute. Libwebrtc's is comprehension-optional;
// Pion's is not, and would have libwebrtc refuse the check.
func (a *Agent) addNomination(m *stun.Builder, p *pair) {
	switch {
	case !a.renomination || p.nomination == 0:
	case a.googles:
		m.AddUint32(stun.AttrGoogNomination, p.nomination)
	default:
		m.AddUint32(stun.AttrNomination, p.nomination&maxNomination)
	}
}

// maxNomination: "a 24-bit integer in the 3 least significant bytes of the attribute".
const maxNomination = 1<<24 - 1

// takeNomination takes the number of the peer's nomination of p, and reports
// whether there is one.
//
// "The controlled side MUST select the nomination with the largest value contained
// in the 'nomination' attribute. Any value included takes precedence over the lack
// of a value."
func (a *Agent) takeNomination(p *pair, m stun.Message) bool {
	number, ok := m.Uint32(stun.AttrNomination)
	if !ok {
		number, ok = m.Uint32(stun.AttrGoogNomination)
	}
	number &= maxNomination
	if !ok || number == 0 || a.controlling {
		return false
	}
	if p.nomination < number {
		p.nomination, p.nominatedAt = number, time.Time{}
	}
	return true
}

// learnNetwork takes what libwebrtc tells of the network that a check came from.
func (a *Agent) learnNetwork(r *remote, m stun.Message) {
	info, ok := m.Uint32(stun.AttrGoogNetworkInfo)
	if !ok {
		return
	}
	a.googles = true
	if r.candidate.Type == PeerReflexive {
		r.candidate.NetworkID, r.candidate.NetworkCost = int(info>>16), int(info&0xffff)
	}
}
