package ice

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// maxRemotes bounds how many remote candidates are kept, whether signalled or
// peer reflexive.
const maxRemotes = 64

var errEnded = errors.New("ice: the agent is closed or has failed; a failed one must be restarted first")

// A remote is a candidate of the peer.
type remote struct {
	addr      netip.AddrPort // not valid while only a name is known
	candidate Candidate

	// ufrag is the peer's, as a peer-reflexive candidate's check told it before
	// the peer's credentials were known; "" otherwise.
	ufrag string
}

// AddRemoteCandidate takes a candidate of the peer, before or after its
// credentials. Candidates that this agent has no use for, such as those of a second
// component, are no error.
func (a *Agent) AddRemoteCandidate(now time.Time, c Candidate) error {
	if a.ended() {
		return errEnded
	}
	if c.Ufrag != "" && a.session.complete() && c.Ufrag != a.session.remote.Ufrag {
		return fmt.Errorf("ice: the candidate belongs to the username fragment %.40q, but the peer's is %.40q: it is from before or after a restart", c.Ufrag, a.session.remote.Ufrag)
	}
	addr := unmap(c.Addr)
	if reason := unsuitable(c, addr); reason != "" {
		if a.trace != nil {
			a.trace.Note(now, trace.ICE, "remote candidate not used, "+reason+": "+c.String())
		}
		return nil
	}
	err := a.addRemote(now, addr, c)
	if err == nil {
		a.translateRemote(now, addr, c)
	}
	return err
}

// addRemote enters a candidate of the peer that is at addr for us.
func (a *Agent) addRemote(now time.Time, addr netip.AddrPort, c Candidate) error {
	for _, r := range a.remotes {
		switch {
		case r.candidate.Protocol != c.Protocol:
		case c.Host != "" && !addr.Addr().IsValid() && r.candidate.Host == c.Host && r.addr.Port() == addr.Port():
			return nil // the same, resolved or not
		case r.addr != addr || r.candidate.Host != c.Host && !addr.Addr().IsValid():
		case r.candidate.Type == PeerReflexive && c.Type != PeerReflexive:
			// The candidate that was learned from a check is told of at last: "If any
			// subsequent candidate exchanges contain this peer-reflexive candidate,
			// it will signal the actual foundation for the candidate." RFC 8445,
			// Section 7.3.1.3. The priority, too.
			r.candidate, r.ufrag = c, ""
			a.reprioritise()
			return nil
		default:
			return nil // told twice, with SDP and by trickling
		}
	}
	if !a.makeRoomForRemote() {
		return fmt.Errorf("ice: the peer has %d candidates already", maxRemotes)
	}
	r := &remote{addr: addr, candidate: c}
	a.remotes = append(a.remotes, r)
	for _, l := range a.locals {
		a.formPair(now, l, r)
	}
	return nil
}

// RemoteResolved tells the address of the name that candidates of the peer have, for
// multicast DNS has told it; or that there is none, if it is not valid. Without it,
// the peer's checks may still reach us and reveal the address.
func (a *Agent) RemoteResolved(now time.Time, name string, addr netip.Addr) {
	for _, r := range slices.Clone(a.remotes) {
		if r.addr.Addr().IsValid() || !strings.EqualFold(r.candidate.Host, name) {
			continue
		}
		a.remotes = slices.DeleteFunc(a.remotes, func(other *remote) bool { return other == r })
		if !addr.IsValid() {
			a.note(now, "the name of a remote candidate is not resolved: "+r.candidate.Host)
			continue
		}
		c := r.candidate
		c.Addr = netip.AddrPortFrom(addr, c.Addr.Port())
		if err := a.AddRemoteCandidate(now, c); err != nil {
			a.note(now, "remote candidate not used: "+err.Error())
		}
	}
}

// unsuitable says why no pair can be made of a remote candidate, or "". A name
// that may be resolved some day is suitable.
func unsuitable(c Candidate, addr netip.AddrPort) string {
	switch {
	case c.Protocol == TCP && c.TCPType == TCPActive:
		return "TCP active: it is the peer who connects"
	case c.Protocol == TCP && c.TCPType == NoTCPType:
		return "TCP, and nothing says who connects"
	case c.Component != 1:
		return "not of component 1"
	case addr.Addr().IsValid() && !usable(addr):
		return "not an address to send to"
	case !addr.Addr().IsValid() && !strings.HasSuffix(strings.ToLower(c.Host), ".local"):
		return "not an address"
	}
	return ""
}

// EndOfRemoteCandidates tells that the peer will signal no more candidates. As
// an agent must be patient even then, and many peers never tell, nothing
// depends on it but the trace. RFC 8838, Section 13; RFC 8863, Section 4.
func (a *Agent) EndOfRemoteCandidates(now time.Time) {
	a.trace.Note(now, trace.ICE, "end of remote candidates")
}

// PeerType is the type of the candidate where a path ends: peer reflexive as long as it was not
// signalled, or the path is none of a pair.
func (a *Agent) PeerType(path Path) CandidateType {
	if p := a.pairAt(path); p != nil {
		return p.remote.candidate.Type
	}
	return PeerReflexive
}

// learnRemote returns the remote candidate at addr, where a check came from, a
// new peer-reflexive one if need be; or nil when there is no room for it.
// RFC 8445, Section 7.3.1.3.
func (a *Agent) learnRemote(now time.Time, l *local, addr netip.AddrPort, priority uint32, ufrag []byte) *remote {
	protocol := l.candidate.Protocol
	for _, r := range a.remotes {
		if r.addr == addr && r.candidate.Protocol == protocol {
			return r
		}
	}
	if !a.makeRoomForRemote() {
		return nil
	}
	a.reflexives++
	r := &remote{addr: addr, candidate: Candidate{
		// "The foundation is an arbitrary value, different from the foundations of
		// all other remote candidates." '-' is not in what others may use.
		Foundation: fmt.Sprintf("prflx-%d", a.reflexives),
		Component:  1,
		Protocol:   protocol,
		TCPType:    l.candidate.TCPType.other(),
		Priority:   priority,
		Addr:       addr,
		Type:       PeerReflexive,
		Generation: -1,
	}}
	if !a.session.complete() {
		r.ufrag = string(ufrag)
	}
	a.remotes = append(a.remotes, r)
	return r
}

// makeRoomForRemote forgets the oldest peer-reflexive candidate that nothing
// depends on, if the list is full: a peer whose NAT changes its mind now and
// then must not be locked out for it.
func (a *Agent) makeRoomForRemote() bool {
	if len(a.remotes) < maxRemotes {
		return true
	}
	for _, r := range a.remotes {
		if r.candidate.Type == PeerReflexive && !slices.ContainsFunc(a.pairs, func(p *pair) bool { return p.remote == r && !p.dispensable() }) {
			a.remove(func(p *pair) bool { return p.remote == r })
			a.remotes = slices.DeleteFunc(a.remotes, func(other *remote) bool { return other == r })
			return true
		}
	}
	return false
}

// dropStrangers forgets the candidates that were learned from checks before
// the peer's credentials were known and turn out to belong to somebody else, or
// to another generation of the peer's.
func (a *Agent) dropStrangers(now time.Time) {
	stranger := func(r *remote) bool {
		return r.ufrag != "" && r.ufrag != a.session.remote.Ufrag ||
			r.candidate.Ufrag != "" && r.candidate.Ufrag != a.session.remote.Ufrag
	}
	a.lose(now, func(p *pair) bool { return p.session == a.session && stranger(p.remote) })
	a.remotes = slices.DeleteFunc(a.remotes, stranger)
	for _, r := range a.remotes {
		r.ufrag = ""
	}
}
