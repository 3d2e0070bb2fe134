package sctp

import (
	"encoding/binary"
	"time"
)

// The set-up of an association, in the order of the wire (RFC 9260, Section
// 5.1):
//
//	A ── INIT ────────────────► Z   A: Connect        Z: receiveInit, keeps nothing
//	A ◄──────────── INIT ACK ── Z   A: receiveInitAck
//	A ── COOKIE ECHO + DATA ──► Z                     Z: receiveCookieEcho
//	A ◄── COOKIE ACK + DATA ─── Z   A: receiveCookieAck
//
// Under WebRTC both ends call Connect at about the same time, and each does
// both halves; what then crosses on the wire is Section 5.2, for which
// receiveCookieEcho has a table.

// A setup is what only an association that is being set up has.
type setup struct {
	initial      tsn    // our initial TSN, in INIT and each INIT ACK
	cookie       []byte // from INIT ACK, to be echoed
	report       []byte // causes of an ERROR to go with the COOKIE ECHO
	tries        int
	asked        time.Time // when what we wait for was asked for, if only once
	preservative uint32    // milliseconds to ask for after a stale cookie
}

// Connect sends INIT, or establishes the association at once if both ends have
// told each other theirs. It does nothing unless the state is StateClosed and the
// association never was established.
func (a *Association) Connect(now time.Time) {
	if a.state != StateClosed || a.ended {
		return
	}
	initial := a.chooseTag()
	a.send.start(initial)
	a.reconfig.start(uint32(initial))
	if a.accelerate(now, initial) {
		return
	}
	a.setup = &setup{initial: initial}
	a.sendInit(now)
}

func (a *Association) sendInit(now time.Time) {
	a.due.add(dueInit)
	a.setState(now, StateCookieWait)
	a.setup.asked = now
	a.timers.Set(timerT1Init, now.Add(a.send.rto.current))
}

// appendInit builds the packet with our INIT; it travels alone and with tag
// zero (Section 8.5.1, A).
func (a *Association) appendInit(b []byte) []byte {
	b = a.header(0).append(b)
	var params []byte
	if p := a.setup.preservative; p > 0 {
		params = appendParam(params, paramCookiePreservative, binary.BigEndian.AppendUint32(nil, p))
	}
	return initChunk{
		tag:        a.localTag,
		rwnd:       uint32(a.cfg.ReceiveWindow),
		outStreams: a.cfg.OutStreams,
		inStreams:  a.cfg.InStreams,
		tsn:        a.setup.initial,
		params:     a.cfg.supported().appendParams(params),
	}.append(b, typeInit)
}

// initTimeout is T1-init (Section 5.1, step A, and Section 4).
func (a *Association) initTimeout(now time.Time) {
	if a.setupFailed(now, "INIT ACK") {
		return
	}
	a.due.add(dueInit)
	a.timers.Set(timerT1Init, now.Add(a.send.rto.current))
}

// cookieTimeout is T1-cookie. DATA that went with the COOKIE ECHO goes with it
// again.
func (a *Association) cookieTimeout(now time.Time) {
	if a.setupFailed(now, "COOKIE ACK") {
		return
	}
	a.echoCookie(now)
	a.send.again(now)
}

func (a *Association) setupFailed(now time.Time, waiting string) bool {
	a.setup.tries++
	if a.setup.tries > a.cfg.MaxInitRetransmits {
		a.end(now, &TimeoutError{Waiting: waiting, Tries: a.setup.tries})
		return true
	}
	a.send.rto.backOff()
	a.setup.asked = time.Time{}
	return false
}

// answered notes that INIT or COOKIE ECHO was answered: the first measurement
// of the round trip, unless it was sent more than once. The RFC measures DATA
// only; but the first DATA chunk is no less worth a good timeout.
func (a *Association) answered(now time.Time) {
	if !a.setup.asked.IsZero() {
		a.send.rto.measured(now.Sub(a.setup.asked))
	}
	a.send.rto.collapse(a.cfg.RTOInitial)
}

// parsePeerInit reads INIT or INIT ACK as far as both have the same; cause is
// an encoded error cause when the association can't be.
func (a *Association) parsePeerInit(c chunk) (p peerInit, params initParams, cause []byte, ok bool) {
	i, ok := parseInit(c)
	if !ok {
		return p, params, nil, false
	}
	params, ok = parseInitParams(i.params)
	switch {
	case !ok:
		cause = appendCause(nil, ProtocolViolation, []byte("malformed parameter"))
	case i.outStreams == 0 || i.inStreams == 0:
		// Neither end may announce no streams at all (Sections 3.3.2 and 3.3.3).
		cause = appendCause(nil, InvalidMandatoryParameter, nil)
	case params.hostName:
		// Host names are a thing of RFC 4960; now they are refused (Section
		// 3.3.2.1).
		cause = appendCause(nil, UnresolvableAddress, appendParam(nil, paramHostName, nil))
	}
	return peerInit{
		tag:        i.tag,
		rwnd:       i.rwnd,
		tsn:        i.tsn,
		outStreams: min(a.cfg.OutStreams, i.inStreams),
		inStreams:  min(a.cfg.InStreams, i.outStreams),
		extensions: params.extensions & a.cfg.supported(),
	}, params, cause, true
}

// receiveInit answers INIT with INIT ACK, whatever the state, and keeps
// nothing of it.
func (a *Association) receiveInit(now time.Time, c chunk) {
	p, params, cause, ok := a.parsePeerInit(c)
	if !ok || p.tag == 0 {
		// An Initiate Tag of 0 cannot be answered (Section 3.3.2).
		a.drop(now, dropMalformed, len(c.raw))
		return
	}
	if cause != nil {
		a.replyAbort(p.tag, 0, cause)
		return
	}
	k := cookie{
		created:  now.UnixNano(),
		lifetime: a.cfg.CookieLifetime + min(time.Duration(params.preservative)*time.Millisecond, a.cfg.CookieLifetime),
		peer:     p,
	}
	switch a.state {
	case StateEstablished:
		if a.unaware(p) {
			k.localTag, k.localTSN = a.localTag, a.snap.initial
			break
		}
		// Section 5.2.2: a fresh tag, and Tie-Tags.
		k.localTag, k.localTSN, k.tie = a.random32(), tsn(a.random32()), a.tie
	case StateClosed:
		if a.ended {
			a.replyAbort(p.tag, 0, nil)
			return
		}
		k.localTag, k.localTSN = a.random32(), tsn(a.random32())
	case StateCookieWait, StateCookieEchoed:
		// Section 5.2.1: "an endpoint MUST respond with an INIT ACK chunk using the
		// same parameters it sent in its original INIT chunk (including its
		// Initiate Tag, unchanged)".
		k.localTag, k.localTSN = a.localTag, a.setup.initial
		if a.state == StateCookieEchoed {
			k.tie = a.tie
		}
	case StateShutdownAckSent:
		// Section 9.2: the peer is done and wants to begin anew; this end "SHOULD
		// discard the INIT chunk and retransmit the SHUTDOWN ACK chunk".
		a.due.add(dueShutdownAck)
		return
	default:
		k.localTag, k.localTSN, k.tie = a.random32(), tsn(a.random32()), a.tie
	}
	b := appendParam(nil, paramStateCookie, k.append(nil, a.secret[:]))
	a.reply(initChunk{
		tag:        k.localTag,
		rwnd:       uint32(a.cfg.ReceiveWindow),
		outStreams: min(a.cfg.OutStreams, p.outStreams),
		inStreams:  a.cfg.InStreams,
		tsn:        k.localTSN,
		params:     appendReported(a.cfg.supported().appendParams(b), params.unrecognized),
	}.append(a.header(p.tag).append(nil), typeInitAck))
}

// appendReported appends encoded parameters to others.
func appendReported(b, params []byte) []byte {
	if len(params) == 0 {
		return b
	}
	return append(pad(b, len(b)), params...)
}

// receiveInitAck is step C of Section 5.1.
func (a *Association) receiveInitAck(now time.Time, c chunk) {
	if a.state != StateCookieWait {
		// Section 5.2.3: "the endpoint SHOULD discard the INIT ACK chunk".
		a.drop(now, dropState, len(c.raw))
		return
	}
	p, params, cause, ok := a.parsePeerInit(c)
	switch {
	case !ok:
		a.drop(now, dropMalformed, len(c.raw))
		return
	case p.tag == 0:
		// Such an association cannot be, nor can the peer be told (Section 3.3.3).
		a.end(now, &LocalError{InvalidMandatoryParameter, "the peer's INIT ACK has an Initiate Tag of zero"})
		return
	case cause == nil && params.cookie == nil:
		cause = appendMissingCause(nil, paramStateCookie)
	}
	if cause != nil {
		a.replyAbort(p.tag, 0, cause)
		e := peerError(cause)
		a.end(now, &LocalError{e.Cause, "the peer's INIT ACK cannot be accepted"})
		return
	}
	a.adopt(p)
	a.setup.cookie = append([]byte(nil), params.cookie...)
	if len(params.unrecognizedCauses) > 0 {
		a.setup.report = appendCause(nil, UnrecognizedParameters, params.unrecognizedCauses)
	}
	a.setup.tries = 0
	a.answered(now)
	a.setState(now, StateCookieEchoed)
	a.setup.asked = now
	a.echoCookie(now)
}

// adopt takes over what the peer said.
func (a *Association) adopt(p peerInit) {
	a.peerTag = p.tag
	before := a.peer
	a.peer = p.extensions
	a.out = p.outStreams
	a.recv.streams = p.inStreams
	a.recv.tracker.start(p.tsn)
	a.reconfig.peerStart(uint32(p.tsn))
	a.send.rwnd = int(min(p.rwnd, 1<<30))
	if !a.send.out.empty() {
		// What went with a COOKIE ECHO before goes again as what it was: a peer
		// has no reason to support one thing in INIT and another in INIT ACK.
		a.peer = a.peer&^Interleaving | before&Interleaving
	}
	a.send.out.partial = a.peer.partial()
	a.send.interleave(a.peer.has(Interleaving), int(min(p.rwnd, 1<<30)))
	a.send.queue.limit(a.out, &a.pool)
}

// echoCookie has the COOKIE ECHO sent, and DATA with it: "The sender MAY also
// add any pending DATA chunks to the packet after the COOKIE ECHO chunk"
// (Section 5.1.4).
func (a *Association) echoCookie(now time.Time) {
	a.due.add(dueCookieEcho)
	a.send.opportunity()
	a.timers.Set(timerT1Cookie, now.Add(a.send.rto.current))
}

// receiveCookieEcho is step D of Section 5.1 and all of Section 5.2.4. It
// reports whether the rest of the packet may be read: whether the cookie is
// one of the association that exists now.
func (a *Association) receiveCookieEcho(now time.Time, h header, c chunk) bool {
	k, ok := openCookie(c.value, a.secret[:])
	if !ok || a.ended {
		a.drop(now, dropCookie, len(c.raw))
		return false
	}
	// Section 5.1.5, step 3: the tag in the cookie has to be that of the packet.
	// The ports need not be in it: they are those of this one association.
	if h.tag != k.localTag {
		a.drop(now, dropTag, len(c.raw))
		return false
	}
	fits := a.state != StateClosed && k.localTag == a.localTag && k.peer.tag == a.peerTag
	if stale := k.age(now) - k.lifetime; stale > 0 && !fits {
		// "the endpoint MUST transmit an ERROR chunk with a 'Stale Cookie' error
		// cause" (step 4), whose Measure of Staleness is in microseconds.
		a.drop(now, dropStaleCookie, len(c.raw))
		us := uint32(min(stale.Microseconds(), 1<<32-1))
		cause := appendCause(nil, StaleCookie, binary.BigEndian.AppendUint32(nil, us))
		a.reply(appendChunk(a.header(k.peer.tag).append(nil), typeError, 0, cause))
		return false
	}
	if a.state == StateClosed {
		if age := k.age(now); age < a.cfg.RTOInitial {
			a.send.rto.measured(age) // INIT ACK and COOKIE ECHO, not repeated
		}
		a.localTag = k.localTag
		a.send.start(k.localTSN)
		a.reconfig.start(uint32(k.localTSN))
		a.adopt(k.peer)
		a.establish(now)
		a.due.add(dueCookieAck)
		return true
	}
	switch a.collide(k) {
	case restart:
		if a.state == StateShutdownAckSent {
			// "it MUST NOT set up a new association but instead resend the
			// SHUTDOWN ACK chunk and send an ERROR chunk with a 'Cookie Received
			// While Shutting Down' error cause to its peer".
			a.due.add(dueShutdownAck)
			a.reportError(now, CookieReceivedWhileShuttingDown, nil)
			return false
		}
		a.restart(now, k)
	case simultaneous:
		if a.setup != nil {
			a.adopt(k.peer)
			a.establish(now)
		} else {
			a.peerTag = k.peer.tag
		}
	case duplicated:
		if a.state == StateCookieEchoed {
			a.establish(now)
		}
	case late:
		a.drop(now, dropCollision, len(c.raw))
		return false
	default:
		a.drop(now, dropCollision, len(c.raw))
		return false
	}
	a.due.add(dueCookieAck)
	return true
}

// establish enters ESTABLISHED.
func (a *Association) establish(now time.Time) {
	a.due.remove(dueInit | dueCookieEcho)
	a.setState(now, StateEstablished)
	a.failures = 0
	a.send.rto.collapse(a.cfg.RTOInitial)
	a.send.opportunity()
	if !a.send.out.empty() {
		a.timers.Set(timerT3, now.Add(a.send.rto.current))
	}
	a.heartbeat.start(a, now)
	a.events.push(Established{OutStreams: a.out, InStreams: a.recv.streams})
}

// receiveCookieAck is step E of Section 5.1.
func (a *Association) receiveCookieAck(now time.Time, c chunk) {
	if a.state != StateCookieEchoed {
		a.drop(now, dropState, len(c.raw)) // Section 5.2.5
		return
	}
	a.answered(now)
	a.establish(now)
}

// receiveStaleCookie is Section 5.2.6: the cookie took too long; begin again,
// and ask for a longer life for the next one.
func (a *Association) receiveStaleCookie(now time.Time, info []byte) {
	if a.state != StateCookieEchoed || len(info) != 4 {
		return
	}
	a.setup.tries++
	if a.setup.tries > a.cfg.MaxInitRetransmits {
		a.end(now, &PeerError{Cause: StaleCookie})
		return
	}
	// The Suggested Cookie Life-Span Increment: the staleness, in milliseconds,
	// and a second more.
	a.setup.preservative = binary.BigEndian.Uint32(info)/1000 + 1000
	a.due.remove(dueCookieEcho)
	a.timers.Stop(timerT1Cookie)
	a.peerTag = 0
	a.send.again(now) // what went with the cookie goes with the next one
	a.sendInit(now)
}
