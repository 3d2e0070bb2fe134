package ice

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
	"github.com/plainrtc/plainrtc/turn"
)

// A Policy says which local candidates there are. W3C: RTCIceTransportPolicy.
type Policy uint8

// The policies.
const (
	PolicyAll   Policy = iota // all
	PolicyRelay               // relayed ones alone: the peer learns no address of ours, nor sends to one
)

// A ServerKind says what a server does.
type ServerKind uint8

// The kinds of servers.
const (
	STUN ServerKind = iota // tells what address it sees: RFC 8489
	TURN                   // that, and relays: RFC 8656
)

// A ServerConfig is a server that helps to gather candidates. A TURN server may be
// reached over each protocol, a STUN server over UDP and DTLS: what it sees of another
// connection is of no use.
type ServerConfig struct {
	Kind               ServerKind
	Protocol           Protocol
	Addr               netip.AddrPort
	Name               string // whom its certificate must be for, with TLS and DTLS; its address if ""
	URL                string // told with its candidates; may be empty
	Username, Password string // for TURN

	// Mobility asks a TURN server to let allocations come along to other addresses of ours (RFC
	// 8016). One that does not know how is asked again without, a round trip later.
	Mobility bool
}

const (
	// maxServers bounds how many servers are asked.
	maxServers = 8

	// gatherFor is how long servers have to answer. RFC 8489's 39.5 s for a request
	// that is never answered is longer than anybody waits for a call: within
	// this time it is sent four times.
	gatherFor = 5 * time.Second
)

// An errand is what one base has to do at one server. RFC 8445, Section 5.1.1.2.
type errand struct {
	ServerConfig
	rank  int    // of the server among the agent's
	base  *local // where it is asked from
	state errandState

	asked   netip.AddrPort // the server's address, before it sent us elsewhere
	dialing bool           // it waits for its connection
	moving  bool           // it has a ticket to show, not to ask anew
	adrift  bool           // base is gone, and the allocation waits for another

	binding *stun.Transaction  // of a STUN server, while it is asked
	id      stun.TransactionID // of that

	client      *turn.Client // of a TURN server, until the allocation is no more
	elsewhere   bool         // it has sent the client here, with TryAlternate
	permissions map[netip.Addr]permission
	loan        loan
}

// path is the way to the server.
func (e *errand) path() Path { return Path{e.Protocol, e.base.addr, e.Addr} }

// The states of an errand.
type errandState uint8

const (
	errandWaiting errandState = iota // for its turn: Ta
	errandRunning                    // the server was asked
	errandDone                       // it has answered, or had its time
)

// A permission is what is known of the server's will to relay to an address.
// The absence of one: it was not asked yet.
type permission uint8

const (
	permissionAsked permission = iota + 1
	permissionGranted
	permissionRefused
)

// maxPermissions bounds what is known of them.
const maxPermissions = 256

// AddServer takes a server to gather candidates from, for each local address
// that there is or will be. What it brings comes in the event
// [CandidateGathered]; [GatheringDone] waits for it for five seconds at most.
func (a *Agent) AddServer(now time.Time, s ServerConfig) error {
	s.Addr = unmap(s.Addr)
	switch {
	case a.state == StateClosed:
		return errors.New("ice: the agent is closed")
	case a.config.Lite:
		return errors.New("ice: a lite agent has host candidates alone: it asks no servers")
	case s.Kind == STUN && s.Protocol.Stream():
		return fmt.Errorf("ice: a STUN server is asked over UDP or DTLS: what it sees of a connection over %v is nobody else's candidate", s.Protocol)
	case !usable(s.Addr):
		return fmt.Errorf("ice: %v is not the address of a server", s.Addr)
	case len(a.servers) == maxServers:
		return fmt.Errorf("ice: there are %d servers already", maxServers)
	}
	for _, known := range a.servers {
		if known.Addr == s.Addr && known.Kind == s.Kind && known.Protocol == s.Protocol {
			return nil
		}
	}
	if s.Kind == TURN {
		if _, err := turn.NewClient(a.clientConfig(s)); err != nil {
			return fmt.Errorf("ice: the TURN server %v cannot be used: %w", s.Addr, err)
		}
	}
	a.servers = append(a.servers, s)
	for _, l := range a.bases() {
		a.send(now, l, s, len(a.servers)-1)
	}
	return nil
}

func (a *Agent) clientConfig(s ServerConfig) turn.ClientConfig {
	return turn.ClientConfig{
		Username: s.Username, Password: s.Password, Server: s.Addr, Stream: s.Protocol.Stream(),
		Family: turn.BothFamilies, Mobility: s.Mobility, Rand: a.config.Rand, Trace: a.trace,
	}
}

// ownBases are the addresses that we send from ourselves.
func (a *Agent) ownBases() []*local {
	bases := slices.Clone(a.hidden)
	for _, l := range a.locals {
		if l.relay == nil {
			bases = append(bases, l)
		}
	}
	return bases
}

// bases are those that servers are asked from.
func (a *Agent) bases() []*local {
	return slices.DeleteFunc(a.ownBases(), func(l *local) bool { return l.options.TCP != NoTCPType })
}

// serverFailed tells that a server is of no use.
func (a *Agent) serverFailed(now time.Time, e *errand, err error) {
	a.note(now, "the server "+e.Addr.String()+" is of no use: "+err.Error())
	if a.ended() {
		return
	}
	failed := ServerFailed{Base: e.base.addr, Server: e.ServerConfig, Err: err}
	switch err := err.(type) {
	case *turn.PeerError:
		failed.Code = err.Code
	case *stun.PeerError:
		failed.Code = err.Code
	}
	a.emit(failed)
}

var errNoAnswer = errors.New("no answer")

// gatheredInVain gives up what was not answered in time.
func (a *Agent) gatheredInVain(now time.Time) {
	for _, e := range slices.Clone(a.errands) {
		if e.state != errandRunning {
			continue
		}
		a.serverFailed(now, e, errNoAnswer)
		e.state, e.binding, e.dialing = errandDone, nil, false
		a.ready = true // to hang up
		if e.client != nil {
			e.client.Close(now) // in case that it does answer some day
			a.serve(now, e)
		}
		a.askAgain(now, e)
	}
	a.checkGathered(now)
}

// checkGathered tells when no more candidates will come.
func (a *Agent) checkGathered(now time.Time) {
	if !a.gathered || a.gatheringTold || a.state == StateClosed {
		return
	}
	for _, e := range a.errands {
		if e.state != errandDone && e.loan.since.IsZero() {
			return
		}
	}
	a.gatheringTold = true
	a.timers.Stop(timerGathered)
	a.emit(GatheringDone{})
}

// abandonAllocations has servers asked for new ones in a restart while the path
// is silent: it may be the server that has forgotten them. To keep the candidates
// of old would be worse than useless, for the new ones have their foundations, and
// would not be checked before those have failed.
func (a *Agent) abandonAllocations(now time.Time) {
	for _, e := range a.errands {
		if e.client != nil && e.state == errandDone {
			e.client.Close(now)
			e.state, e.loan = errandWaiting, loan{}
			a.timers.Set(timerGather, now.Add(a.config.Ta)) // the goodbye first
			a.ready = true
		}
	}
	a.loseRelayed(now, func(l *local) bool { return l.relay != nil && l.relay.state == errandWaiting })
}

// serve takes what the client of an errand has to say.
func (a *Agent) serve(now time.Time, e *errand) {
	if e.binding != nil {
		if event, ok := e.binding.NextEvent(); ok {
			done := event.(stun.Finished)
			e.state, e.binding = errandDone, nil
			if done.Err != nil {
				a.serverFailed(now, e, done.Err)
			} else if mapped, ok := done.Response.XORMappedAddress(); ok {
				a.addReflexive(now, e, unmap(mapped))
			}
			a.checkGathered(now)
		}
		return
	}
	for e.client != nil {
		event, ok := e.client.NextEvent()
		if !ok {
			break
		}
		a.clientEvent(now, e, event)
	}
}

func (a *Agent) clientEvent(now time.Time, e *errand, event turn.ClientEvent) {
	switch event := event.(type) {
	case turn.Allocated:
		if e.state == errandDone {
			return // too late
		}
		e.state = errandDone
		a.lent(now, e)
		if !e.Protocol.Stream() { // what it sees of a connection is nobody else's
			a.addReflexive(now, e, unmap(event.Mapped))
		}
		a.addRelayed(now, e, unmap(event.Relayed), unmap(event.Mapped))
		a.addRelayed(now, e, unmap(event.Additional), unmap(event.Mapped))
		a.checkGathered(now)
	case turn.TryAlternate:
		to := unmap(event.Server)
		if e.state == errandDone || !usable(to) || to.Addr().Is4() != e.base.addr.Addr().Is4() {
			// After 437 another port would help, but the base is what it is.
			if e.state != errandDone {
				a.serverFailed(now, e, event.Err)
			}
			e.state = errandDone
			e.client.Close(now)
			return
		}
		e.Addr, e.elsewhere = to, true
		if event.Domain != "" {
			e.Name = event.Domain
		}
		a.reach(now, e)
	case turn.Moved:
		a.moved(now, e)
	case turn.PermissionCreated:
		e.permissions[event.Peer] = permissionGranted
		a.ready = true
	case turn.PermissionEnded:
		delete(e.permissions, event.Peer)
		if event.Err != nil {
			a.note(now, "the TURN server "+e.Addr.String()+" does not relay to "+event.Peer.String()+": "+event.Err.Error())
			e.permissions[event.Peer] = permissionRefused
			a.refuse(now, e, event.Peer)
		}
	case turn.Closed:
		a.ready = true // to hang up
		if event.Err != nil {
			a.serverFailed(now, e, event.Err)
		}
		if e.client = nil; e.state != errandWaiting {
			e.state = errandDone
		}
		if event.Err != nil {
			a.askAgain(now, e)
		}
		a.loseRelayed(now, func(l *local) bool { return l.relay == e })
		a.checkGathered(now)
	}
}

func (a *Agent) note(now time.Time, text string) {
	if a.trace != nil {
		a.trace.Note(now, trace.ICE, text)
	}
}

// addReflexive takes the address that a server sees instead of a base.
//
// "A candidate is redundant if and only if its transport address and base equal
// those of another candidate." RFC 8445, Section 5.1.3: without a NAT, that is the host
// candidate, unless a name is told instead of its address. Checks are sent from the base,
// so there are no pairs of its own.
func (a *Agent) addReflexive(now time.Time, e *errand, addr netip.AddrPort) {
	l := e.base
	if addr.Addr().Is4() && l.addr.Addr().Is6() {
		a.learnNAT64(now, e.Addr.Addr())
	}
	if a.config.Policy == PolicyRelay || l.options.Hidden || !usable(addr) || addr.Addr().Is6() && l.addr.Addr().Is4() ||
		a.localAt(UDP, addr) != nil && a.localAt(UDP, addr).options.Name == "" ||
		slices.ContainsFunc(l.reflexives, func(c Candidate) bool { return c.Addr == addr }) {
		return
	}
	c := Candidate{
		Foundation:  a.serverFoundation(ServerReflexive, l.addr.Addr(), e.Addr.Addr(), e.Protocol),
		Component:   1,
		Protocol:    UDP,
		Priority:    priority(ServerReflexive, l.preference, 1),
		Addr:        addr,
		Type:        ServerReflexive,
		Related:     l.related(l.addr),
		NetworkID:   int(l.options.NetworkID),
		NetworkCost: int(l.options.NetworkCost),
		URL:         e.URL,
		Ufrag:       a.session.local.Ufrag,
		Generation:  a.generation,
	}
	l.reflexives = append(l.reflexives, c)
	a.emit(CandidateGathered{c})
}

// addRelayed takes an address that a server relays for: a base of its own.
func (a *Agent) addRelayed(now time.Time, e *errand, addr, mapped netip.AddrPort) {
	if !usable(addr) || a.localAt(UDP, addr) != nil || len(a.locals) == maxLocals {
		return
	}
	related := e.base.related(mapped) // "the mapped address": RFC 8839, Section 5.1
	if a.config.Policy == PolicyRelay {
		related = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		if addr.Addr().Is6() {
			related = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
	}
	l := &local{addr: addr, options: e.base.options, preference: relayPreference(e.base.preference, e.rank, e.Protocol), relay: e}
	l.candidate = Candidate{
		Foundation:  a.serverFoundation(Relayed, addr.Addr(), e.Addr.Addr(), e.Protocol),
		Component:   1,
		Protocol:    UDP,
		Priority:    priority(Relayed, l.preference, 1),
		Addr:        addr,
		Type:        Relayed,
		Related:     related,
		NetworkID:   int(l.options.NetworkID),
		NetworkCost: int(l.options.NetworkCost),
		URL:         e.URL, RelayProtocol: e.Protocol,
	}
	a.locals = append(a.locals, l)
	a.gather(l)
	for _, r := range a.remotes {
		a.formPair(now, l, r)
	}
}

// loseRelayed takes back relayed candidates.
func (a *Agent) loseRelayed(now time.Time, which func(*local) bool) {
	n := len(a.locals)
	a.locals = slices.DeleteFunc(a.locals, which)
	if len(a.locals) < n && !a.ended() {
		a.lose(now, func(p *pair) bool { return which(p.local) })
	}
}

// A fate is what candidates share if they have one foundation: "they are of the
// same type", "their bases have the same IP address" and "the STUN or TURN
// servers used to obtain them have the same IP address". RFC 8445, Section 5.1.1.3.
type fate struct {
	kind         CandidateType
	base, server netip.Addr
	protocol     Protocol
	foundation   string
}

// maxFates bounds how many are remembered: servers and networks change.
const maxFates = 128

// endErrands says goodbye to the servers; a restart asks them again.
func (a *Agent) endErrands(now time.Time) {
	a.locals = slices.DeleteFunc(a.locals, func(l *local) bool { return l.relay != nil })
	a.ready = false
	for _, e := range a.errands {
		e.state, e.binding, e.dialing, e.loan = errandDone, nil, false, loan{}
		if e.client != nil {
			e.client.Close(now)
			a.ready = true
		}
	}
}
