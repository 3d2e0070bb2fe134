package ice

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// Config is what an Agent is made of.
type Config struct {
	Rand  io.Reader     // required: credentials, tie-breaker, transaction ids, consent intervals
	Trace *trace.Tracer // may be nil

	// Lite makes a lite agent: it answers checks and sends none, is always
	// controlled, and must be reachable at its host candidates. RFC 8445, Section 2.5.
	Lite bool

	// Ta is the time between two ordinary checks; 0 means 50 ms. The peer must be
	// told of another value. RFC 8445, Section 14.2; RFC 8839, Section 5.5.
	Ta time.Duration

	// Policy says which local candidates there are: all, if zero.
	Policy Policy

	// MaxPairs limits the check list; 0 means 100. RFC 8445, Section 6.1.2.5.
	MaxPairs int

	// Patience is how long to wait for connectivity once checks can be sent,
	// however hopeless it looks; 0 means 39.5 s. RFC 8863, Section 4.
	Patience time.Duration

	// DisconnectedAfter is how long the selected path may be silent before the
	// state says so; 0 means 7 s.
	DisconnectedAfter time.Duration

	// ConsentTimeout is how long data may be sent without an answered check;
	// 0 means 30 s. RFC 7675, Section 5.1.
	ConsentTimeout time.Duration
}

// A Path is where a datagram goes or came from: our address, and the peer's or
// server's as we see it. Other protocols than UDP stand for a connection, one for
// each path; see [Dial].
type Path struct {
	Protocol      Protocol
	Local, Remote netip.AddrPort
}

func (p Path) String() string {
	text := p.Local.String() + " -> " + p.Remote.String()
	if p.Protocol != UDP {
		text += " " + p.Protocol.String()
	}
	return text
}

func (p Path) unmapped() Path { return Path{p.Protocol, unmap(p.Local), unmap(p.Remote)} }

func unmap(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}

// The timers of an Agent.
type timer uint8

const (
	timerPace       timer = iota // Ta: until then no ordinary check may be sent
	timerRetry                   // the earliest repetition of a check
	timerNominate                // until then a better pair may become valid
	timerConsent                 // the next consent check, or a lite agent's next keepalive
	timerSilence                 // the selected path may have been silent for too long
	timerExpiry                  // consent to send on the selected path ends
	timerPatience                // Patience: until then the agent does not fail
	timerOldSession              // the credentials of before the restart are forgotten
	timerGather                  // Ta: until then no other server may be asked
	timerGathered                // servers that have not answered do not matter any more
	timerKeepalive               // Tr: allocations may not have been heard of for so long that a NAT forgets
	timerReallocate              // the earliest lost allocation is asked for again
)

var timerNames = [...]string{
	timerPace: "pace", timerRetry: "retry", timerNominate: "nominate", timerConsent: "consent",
	timerSilence: "silence", timerExpiry: "expiry", timerPatience: "patience", timerOldSession: "old-session",
	timerGather: "gather", timerGathered: "gathered", timerKeepalive: "keepalive", timerReallocate: "reallocate",
}

// An Agent is one end of ICE for one data stream. It is not safe for
// concurrent use.
type Agent struct {
	config Config
	trace  *trace.Tracer

	state       State
	controlling bool
	remoteLite  bool
	tieBreaker  uint64

	session *session // where checks are made
	old     *session // the one before the restart, while the peer may still use it; or nil

	locals   []*local
	hidden   []*local // bases without a candidate: servers alone are reached from them
	servers  []ServerConfig
	errands  []*errand      // of each base at each server
	fates    []fate         // the foundations of what servers told
	nat64    []netip.Prefix // of the NAT64s that servers were reached through
	gathered bool           // no more local addresses or servers will come
	// gatheringTold is set once GatheringDone was told in this session.
	gatheringTold bool
	remotes       []*remote
	foundations   int // how many foundations were given to local candidates
	reflexives    int // how many remote candidates were learned from checks: their foundations
	generation    int // how many restarts there were

	pairs     []*pair // the check list, in decreasing order of priority; all of session
	triggered []*pair // the triggered-check queue and repetitions, first in first out
	responses []response
	streams   []*stream // connections that there are, or that were asked for

	// concluded is set once a pair was nominated in this session: pairs are
	// then checked when there is a reason, no longer to have been tried.
	concluded  bool
	nominating *pair // what the controlling agent asked for and was not granted yet
	nominated  *pair // the pair that both sides shall use, or nil
	selected   *pair // the pair that data goes to now, or nil; may be of old

	renomination bool   // both sides know of it: another pair may be nominated at any time
	googles      bool   // the peer is made of libwebrtc, which has numbers of its own
	nominations  uint32 // how many there were, of all pairs

	// unansweredAt is when the first data was sent since the selected pair was last heard of.
	unansweredAt time.Time

	timers timers.Table[timer]
	ready  bool // AppendPacket may have something to say

	events []Event
	stats  Stats

	scratch stun.TransactionID // here because what is passed to an io.Reader escapes
}

// New returns an Agent in StateNew, controlled, with fresh credentials.
func New(config Config) *Agent {
	config.Ta = orDefault(config.Ta, 50*time.Millisecond)
	config.MaxPairs = orDefault(config.MaxPairs, 100)
	config.Patience = orDefault(config.Patience, 39500*time.Millisecond)
	config.DisconnectedAfter = orDefault(config.DisconnectedAfter, 7*time.Second)
	config.ConsentTimeout = orDefault(config.ConsentTimeout, 30*time.Second)
	a := &Agent{config: config, trace: config.Trace}
	a.session = newSession(NewCredentials(config.Rand))
	a.newTieBreaker()
	return a
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// LocalCredentials returns what the peer must be told. A restart changes it.
func (a *Agent) LocalCredentials() Credentials { return a.session.local }

// SetRemoteCredentials takes the peer's credentials; from here checks are sent.
// The same ones again change nothing. Other ones are the peer's restart: what
// it told so far is forgotten, and data stays on the selected path until a new
// one is nominated. As a restart takes both sides, the caller calls
// [Agent.Restart] before, unless it did already.
func (a *Agent) SetRemoteCredentials(now time.Time, c Credentials) error {
	if err := c.check(); err != nil {
		return err
	}
	if a.ended() {
		return errEnded
	}
	if c == a.session.remote {
		return nil
	}
	if a.session.complete() {
		a.startSession(now, a.session.local)
	}
	a.session.setRemote(c)
	a.dropStrangers(now)
	a.timers.Set(timerPatience, now.Add(a.config.Patience))
	a.updateState(now)
	a.ready = true
	return nil
}

// Advance fires the timers that are due.
func (a *Agent) Advance(now time.Time) {
	a.advanceErrands(now)
	for {
		t, due := a.timers.Due(now)
		if !due {
			return
		}
		if t != timerPace && t != timerGather { // there is nothing to learn from it but that time passes
			a.trace.Timer(now, trace.ICE, timerNames[t])
		}
		switch t {
		case timerPace:
			a.ready = true
		case timerRetry:
			a.retry(now)
		case timerNominate:
			a.nominate(now)
		case timerConsent:
			a.consentDue(now)
		case timerSilence:
			a.silenceDue(now)
		case timerExpiry:
			a.consentExpired(now)
		case timerPatience:
			a.failIfHopeless(now)
		case timerOldSession:
			a.forgetOldSession(now)
		case timerGather:
			a.sendNext(now)
		case timerGathered:
			a.gatheredInVain(now)
		case timerKeepalive:
			a.keepAllocations(now)
		case timerReallocate:
			a.reallocate(now)
		}
	}
}

// NextTimeout is when Advance has something to do; zero means never.
func (a *Agent) NextTimeout() time.Time {
	next := a.timers.Next()
	for _, e := range a.errands {
		next = timers.Earlier(next, e.nextTimeout())
	}
	return next
}

// AppendPacket appends the next packet to send, a STUN message, to b, and tells
// where to send it. It returns b unchanged when there is nothing to send now.
func (a *Agent) AppendPacket(now time.Time, b []byte) ([]byte, Path) {
	for a.ready {
		if len(a.responses) > 0 {
			r := a.responses[0]
			a.responses = append(a.responses[:0], a.responses[1:]...)
			if packet, path := a.appendResponse(now, b, &r); len(packet) > len(b) {
				return packet, path
			}
			continue
		}
		if packet, path := a.appendErrand(now, b); len(packet) > len(b) {
			return packet, path
		}
		if a.state == StateClosed {
			a.ready = false
			a.errands = nil
			break
		}
		p := a.nextTriggered(now)
		if p == nil {
			p = a.nextOrdinary(now)
		}
		if p == nil {
			a.ready = false
			break
		}
		if !a.connected(now, p) {
			continue
		}
		if a.config.Lite {
			return a.appendKeepalive(b), p.path()
		}
		if packet, path := a.appendCheck(now, b, p); len(packet) > len(b) {
			return packet, path
		}
	}
	a.hangUp()
	return b, Path{}
}

// Close ends the agent: nothing is sent any more but what ends the allocations at
// TURN servers, and what arrives is dropped.
func (a *Agent) Close(now time.Time) {
	if a.state != StateClosed {
		a.end(now, StateClosed)
		a.hidden, a.servers = nil, nil
	}
}

// end leaves nothing behind but the state, and goodbyes to servers.
func (a *Agent) end(now time.Time, s State) {
	a.timers.StopAll()
	a.pairs, a.remotes, a.triggered, a.responses = nil, nil, nil, nil
	a.nominating, a.nominated, a.selected, a.old = nil, nil, nil, nil
	a.endErrands(now)
	a.ready = a.ready || len(a.streams) > 0
	a.setState(now, s)
}

// ended reports whether only a restart helps, or nothing.
func (a *Agent) ended() bool { return a.state == StateFailed || a.state == StateClosed }

// random returns a number from the agent's source of randomness.
func (a *Agent) random() uint64 {
	read(a.config.Rand, a.scratch[:8])
	return binary.BigEndian.Uint64(a.scratch[:8])
}

// newTransactionID returns the id of a new transaction.
func (a *Agent) newTransactionID() stun.TransactionID {
	read(a.config.Rand, a.scratch[:])
	return a.scratch
}
