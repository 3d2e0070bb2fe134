package ice

import (
	"errors"
	"slices"
	"time"
)

// Connections: over TCP between the agents (RFC 6544), and to servers over TCP, TLS
// and DTLS. The agent says where it needs one, by the event Dial, and where it does
// not any more, by HangUp; the caller opens them, and cuts what arrives into messages:
// between the agents by two bytes of length (RFC 4571; RFC 6544, Section 3), from a
// server by turn.Framer. What is sent on a path that is not connected is lost.

// Dial asks for a connection from Path.Local to Path.Remote, which [Agent.Connected]
// or [Agent.Disconnected] tells the end of.
//
// Of TCP and TLS the local port is any free one, except where Port says that it must
// be Path.Local's. DTLS leaves from the socket of Path.Local: it shares it with what is sent
// over UDP.
type Dial struct {
	Path Path

	// Server says that the other end is a server, whose certificate, with TLS and
	// DTLS, must be for Name; or for its address, if that is "". Otherwise it is the
	// peer.
	Server bool
	Name   string

	// Port says that the connection must leave from Path.Local's port, where others
	// may arrive: a simultaneous open.
	Port bool
}

// HangUp tells that a connection is not needed any more, or not wanted.
type HangUp struct{ Path Path }

func (Dial) event()   {}
func (HangUp) event() {}

// maxStreams bounds the connections, those that peers opened among them.
const maxStreams = 128

// A stream is a connection.
type stream struct {
	path Path
	open bool // it is there; else it was asked for
}

func (a *Agent) stream(path Path) *stream {
	for _, s := range a.streams {
		if s.path == path {
			return s
		}
	}
	return nil
}

// dial asks for a connection, unless that was done. It reports whether it is open.
func (a *Agent) dial(d Dial) bool {
	if s := a.stream(d.Path); s != nil {
		return s.open
	}
	a.streams = append(a.streams, &stream{path: d.Path})
	a.emit(d)
	return false
}

// connected reports whether a check can be sent on p. If that takes a connection
// first, the check is sent when it is there: the state is In-Progress meanwhile.
//
// "When an agent wants to send a TCP-based connectivity check, it first opens a TCP
// connection, if none yet exists, for the 5-tuple defined by the candidate pair for which
// the check is to be sent." RFC 6544, Section 7.1.
func (a *Agent) connected(now time.Time, p *pair) bool {
	path := p.path()
	if !path.Protocol.Stream() {
		return true
	}
	kind := p.local.candidate.TCPType
	switch s := a.stream(path); {
	case s != nil && s.open:
		return true
	case s == nil && kind == TCPPassive:
		// It is the peer who opens it: "the agent MUST await an incoming connection
		// request". RFC 6544, Section 10.1.
		a.fail(now, p)
		return false
	case s == nil && len(a.streams) >= maxStreams:
		a.fail(now, p)
		return false
	}
	if p.state != PairInProgress {
		p.state = PairInProgress
		p.settle()
		p.started = now
	}
	a.dial(Dial{Path: path, Port: kind == TCPSimultaneousOpen})
	return false
}

// Connected tells that a connection is there: one that [Dial] asked for, or one that
// the peer opened, whose first message must have been a check with a username fragment
// of this agent.
func (a *Agent) Connected(now time.Time, path Path) {
	path = path.unmapped()
	s := a.stream(path)
	switch {
	case s != nil:
		s.open = true
	case a.ended() || a.localAt(path.Protocol, path.Local) == nil || len(a.streams) >= maxStreams:
		a.emit(HangUp{path})
		return
	default:
		// What nobody uses is hung up when all is sent that there is to send.
		a.streams = append(a.streams, &stream{path: path, open: true})
	}
	a.ready = true
	for _, e := range a.errands {
		if e.dialing && e.path() == path {
			e.dialing = false
			a.askServer(now, e)
		}
	}
	for _, p := range a.pairsAt(path) {
		if p.state == PairInProgress {
			a.enqueue(p)
		}
	}
}

// Disconnected tells that a connection is no more, or could not be opened.
func (a *Agent) Disconnected(now time.Time, path Path, err error) {
	path = path.unmapped()
	s := a.stream(path)
	if s == nil {
		return
	}
	if err == nil {
		err = errors.New("the connection was closed")
	}
	a.streams = slices.DeleteFunc(a.streams, func(other *stream) bool { return other == s })
	a.ready = true
	a.note(now, "no connection "+path.String()+": "+err.Error())
	for _, e := range slices.Clone(a.errands) {
		if e.path() == path {
			a.disconnected(now, e, err)
		}
	}
	for _, p := range a.pairsAt(path) {
		switch {
		case a.ended():
		case p.local.candidate.TCPType == TCPPassive:
			a.lose(now, func(other *pair) bool { return other == p }) // the peer may come again, from another port
		case p.answered == 0:
			a.fail(now, p)
		case s.open:
			// What was good once is opened anew: at once, and then again and again as long as
			// there is consent. It counts as lost meanwhile, and another may take over.
			a.connected(now, p)
			p.expired = lostAfter
			a.wake(now)
			a.reconsider(now)
		default:
			p.retryAt = now.Add(redialAfter)
			a.timers.SetEarlier(timerRetry, p.retryAt)
		}
	}
}

// redialAfter is how long an agent waits to open a connection that could not be opened again.
const redialAfter = time.Second

// pairsAt are the pairs on a path: the one of before a restart may be beside another.
func (a *Agent) pairsAt(path Path) (pairs []*pair) {
	for _, p := range a.pairs {
		if p.path() == path {
			pairs = append(pairs, p)
		}
	}
	if s := a.selected; s != nil && s.path() == path && !slices.Contains(pairs, s) {
		pairs = append(pairs, s)
	}
	return pairs
}

// hangUp gives up the connections that no pair and no server needs.
func (a *Agent) hangUp() {
	if len(a.streams) == 0 {
		return
	}
	a.streams = slices.DeleteFunc(a.streams, func(s *stream) bool {
		if a.needed(s.path) {
			return false
		}
		for _, p := range a.pairsAt(s.path) {
			if p.state == PairSucceeded {
				p.state = PairFrozen // until it is wanted
			}
		}
		a.emit(HangUp{s.path})
		return true
	})
}

func (a *Agent) needed(path Path) bool {
	for _, e := range a.errands {
		if (e.dialing || e.binding != nil || e.client != nil) && !e.adrift && e.path() == path {
			return true
		}
	}
	return slices.ContainsFunc(a.pairsAt(path), a.needsStream)
}

// needsStream reports whether a pair's connection is used, or will be soon. Once a pair was
// nominated the others do without: should they be wanted again, another connection is
// opened. Only who opened it gives it up, for the other side could not have it back.
func (a *Agent) needsStream(p *pair) bool {
	switch p.state {
	case PairWaiting, PairInProgress:
		return true
	case PairSucceeded:
		return !a.concluded || p == a.selected || p == a.nominated || p == a.nominating || p.queued || p.local.candidate.TCPType == TCPPassive
	}
	return false
}
