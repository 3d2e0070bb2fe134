package sctp

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

func (a *Association) drop(now time.Time, reason string, size int) {
	a.packets.dropped++
	a.cfg.Trace.Drop(now, trace.SCTP, reason, size)
}

// Receive takes a packet from the peer. It is borrowed for the call.
func (a *Association) Receive(now time.Time, packet []byte) {
	h, chunks, ok := parseHeader(packet)
	switch {
	case !ok:
		a.drop(now, dropShort, len(packet))
		return
	case h.destination != a.cfg.LocalPort || h.source != a.cfg.RemotePort:
		a.drop(now, dropPort, len(packet))
		return
	case !checkChecksum(packet) && !(a.cfg.supported().has(ZeroChecksum) && noChecksum(packet)):
		a.drop(now, dropChecksum, len(packet))
		return
	}
	c, rest, ok := nextChunk(chunks)
	if !ok {
		a.drop(now, dropMalformed, len(packet))
		return
	}
	a.packets.received++
	a.packets.bytesReceived += uint64(len(packet))
	switch c.typ {
	case typeInit, typeInitAck, typeShutdownComplete:
		// "An endpoint MUST NOT bundle INIT, INIT ACK, or SHUTDOWN COMPLETE chunks
		// with any other chunks" (RFC 9260, Section 6.10).
		if len(rest) > 0 {
			a.drop(now, dropBundled, len(packet))
			return
		}
	}
	if !a.admit(now, h, c, rest, len(packet)) {
		return
	}
	a.send.opportunity()
	a.chunks(now, h, c, rest)
}

// admit is Section 8.5, the verification tag, and Section 8.4, packets out of
// the blue. It answers those, and reports whether the packet is of the
// association.
func (a *Association) admit(now time.Time, h header, c chunk, rest []byte, size int) bool {
	switch c.typ {
	case typeInit:
		// Section 8.5.1, A: nobody has told the sender our tag.
		if h.tag != 0 {
			a.drop(now, dropTag, size)
			return false
		}
		return true
	case typeCookieEcho:
		return true // D: compared with the cookie's
	case typeAbort, typeShutdownComplete:
		// B and C: the peer's own tag stands for ours when the T bit says so.
		if a.state != StateClosed && (c.flags&flagT == 0 && h.tag == a.localTag || c.flags&flagT != 0 && a.peerTag != 0 && h.tag == a.peerTag) {
			return true
		}
		a.drop(now, dropTag, size)
		return false
	case typeShutdownAck:
		if a.state == StateClosed || a.state == StateCookieWait || a.state == StateCookieEchoed {
			// 8.5.1, E, and 8.4, 5: "the receiver SHOULD respond to the sender of
			// the OOTB packet with a SHUTDOWN COMPLETE chunk", with the T bit.
			a.drop(now, dropOOTB, size)
			a.reply(appendChunk(a.header(h.tag).append(nil), typeShutdownComplete, flagT, nil))
			return false
		}
	}
	if a.state == StateClosed {
		a.outOfTheBlue(now, h, c, rest, size)
		return false
	}
	if h.tag != a.localTag {
		a.drop(now, dropTag, size)
		return false
	}
	return true
}

// outOfTheBlue is Section 8.4 for what is left: "The receiver SHOULD respond to
// the sender of the OOTB packet with an ABORT chunk", except where that is an
// echo of an association that ended, or aborts itself.
func (a *Association) outOfTheBlue(now time.Time, h header, c chunk, rest []byte, size int) {
	a.drop(now, dropOOTB, size)
	for ok := true; ok; c, rest, ok = nextChunk(rest) {
		switch c.typ {
		case typeAbort, typeShutdownComplete, typeCookieAck, typeInitAck:
			return
		case typeError:
			if k, _, ok := nextCause(c.value); ok && k.code == StaleCookie {
				return
			}
		}
	}
	if h.tag != 0 {
		a.replyAbort(h.tag, flagT, nil)
	}
}

// chunks handles the chunks of a packet one after the other.
func (a *Association) chunks(now time.Time, h header, c chunk, rest []byte) {
	// data and urgent are for the acknowledger, which counts packets, not chunks.
	data, urgent := false, false
	for {
		if !a.chunk(now, h, c, &data, &urgent) || a.state == StateClosed {
			break
		}
		if len(rest) == 0 {
			break
		}
		var ok bool
		if c, rest, ok = nextChunk(rest); !ok {
			a.drop(now, dropMalformed, len(rest))
			break
		}
	}
	if data && a.state != StateClosed {
		a.receivedData(now, urgent)
	}
}

// chunk handles one chunk and reports whether to go on with the packet.
func (a *Association) chunk(now time.Time, h header, c chunk, data, urgent *bool) bool {
	switch c.typ {
	case typeData, typeIData:
		if c.typ == typeIData && !a.peer.has(Interleaving) {
			return a.receiveUnknown(now, c)
		}
		return a.receiveData(now, c, data, urgent)
	case typeSack:
		a.receiveSack(now, c)
	case typeInit:
		a.receiveInit(now, c)
	case typeInitAck:
		a.receiveInitAck(now, c)
	case typeCookieEcho:
		return a.receiveCookieEcho(now, h, c)
	case typeCookieAck:
		a.receiveCookieAck(now, c)
	case typeHeartbeat:
		a.receiveHeartbeat(now, c)
	case typeHeartbeatAck:
		a.receiveHeartbeatAck(now, c)
	case typeAbort:
		a.end(now, peerError(c.value))
	case typeError:
		a.receiveError(now, c)
	case typeShutdown:
		a.receiveShutdown(now, c)
	case typeShutdownAck:
		a.receiveShutdownAck(now, c)
	case typeShutdownComplete:
		a.receiveShutdownComplete(now, c)
	case typeReconfig:
		a.receiveReconfig(now, c)
	case typeForwardTSN, typeIForwardTSN:
		if c.typ == typeIForwardTSN && !a.peer.has(Interleaving) {
			return a.receiveUnknown(now, c)
		}
		a.receiveForward(now, c, data, urgent)
	case typeECNE, typeCWR, typePad:
		// ECN is never negotiated; padding is what it says.
	default:
		return a.receiveUnknown(now, c)
	}
	return true
}

// receiveUnknown does with a chunk of unknown type what its type says.
func (a *Association) receiveUnknown(now time.Time, c chunk) bool {
	a.drop(now, dropUnknown, len(c.raw))
	if c.typ.reportUnknown() {
		a.reportError(now, UnrecognizedChunkType, c.raw[:min(len(c.raw), maxReported)])
	}
	return c.typ.skipUnknown()
}

var dataNotInterleaved = &LocalError{ProtocolViolation, "the peer sent DATA although I-DATA was negotiated"}

func (a *Association) receiveData(now time.Time, c chunk, data, urgent *bool) bool {
	parse := parseData
	if c.typ == typeIData {
		parse = parseInterleaved
	}
	d, ok := parse(c)
	if !ok {
		a.drop(now, dropMalformed, len(c.raw))
		return false
	}
	if !a.state.receivesData() {
		a.drop(now, dropState, len(c.raw))
		return true
	}
	if a.renumbering() {
		// It may be of after the reset, and would be taken for one of before.
		a.drop(now, dropRenumbering, len(c.raw))
		return true
	}
	if !d.interleaved && a.peer.has(Interleaving) {
		// "If user message interleaving support has been negotiated for an association,
		// I-DATA chunks MUST be used for all user messages and DATA chunks MUST NOT be
		// used." RFC 8260, Section 2.2.1.
		a.abort(now, dataNotInterleaved)
		return false
	}
	if len(d.payload) == 0 {
		// "If an endpoint receives a DATA chunk with no user data (i.e., the Length
		// field is set to 16), it SHOULD send an ABORT chunk with a 'No User Data'
		// error cause" (Section 6.2).
		info := []byte{byte(d.tsn >> 24), byte(d.tsn >> 16), byte(d.tsn >> 8), byte(d.tsn)}
		a.replyAbort(a.peerTag, 0, appendCause(nil, NoUserData, info))
		a.end(now, &LocalError{NoUserData, "the peer sent a DATA chunk without data"})
		return false
	}
	o := a.recv.data(&d)
	*data, *urgent = true, *urgent || o.immediate
	if o.drop != "" {
		a.drop(now, o.drop, len(c.raw))
	}
	if o.badStream {
		a.reportStream(now, d.stream)
	}
	if o.abort != nil {
		a.abort(now, o.abort)
		return false
	}
	return true
}

// receivedData follows up on a packet with DATA or FORWARD TSN.
func (a *Association) receivedData(now time.Time, urgent bool) {
	a.heartbeat.heard = now
	if a.state == StateShutdownSent {
		// "the SHUTDOWN chunk sender MUST immediately respond to each received
		// packet containing one or more DATA chunks with a SHUTDOWN chunk and
		// restart the T2-shutdown timer" (Section 9.2), and a SACK for gaps.
		a.sendShutdown(now)
		a.failures = 0
		urgent = true
	}
	if a.recv.ack.packet(urgent) {
		a.timers.SetEarlier(timerSack, now.Add(sackDelay))
	}
	if a.reconfig.deferred != nil {
		a.performDeferred()
	}
}

func (a *Association) receiveSack(now time.Time, c chunk) {
	k, ok := parseSack(c)
	switch {
	case !ok:
		a.drop(now, dropMalformed, len(c.raw))
		return
	case !a.state.sendsData():
		a.drop(now, dropState, len(c.raw))
		return
	case k.cumTSN.Before(a.send.out.cum):
		// "If Cumulative TSN Ack is less than the Cumulative TSN Ack Point, then
		// drop the SACK chunk" (Section 6.2.1, D.i): it is out of order.
		a.drop(now, dropStaleSack, len(c.raw))
		return
	}
	r, ok := a.send.sack(now, k)
	if !ok {
		a.drop(now, dropBadSack, len(c.raw))
		return
	}
	a.acknowledged(now, r)
}

// acknowledged follows up on a SACK or SHUTDOWN: T3-rtx by the rules of
// Section 6.3.2, and whatever waited for the acknowledgement.
func (a *Association) acknowledged(now time.Time, r sackResult) {
	a.heartbeat.heard = now
	if r.acked > 0 || r.advanced {
		a.failures = 0 // Section 8.1
		a.pathCarries(now)
	}
	switch {
	case a.send.out.empty():
		a.timers.Stop(timerT3) // R2
	case r.advanced: // R3
		a.timers.Set(timerT3, now.Add(a.send.rto.current))
	}
	a.lossTimers()
	a.largeLost(now)
	a.resetProgress()
	a.shutdownWhenDrained(now)
	if a.cfg.Trace != nil {
		a.traceCongestion(now)
	}
}

func (a *Association) traceCongestion(now time.Time) {
	a.cfg.Trace.Value(now, trace.SCTP, "cwnd", int64(a.send.cc.cwnd))
	a.cfg.Trace.Value(now, trace.SCTP, "flight", int64(a.send.out.flight))
	a.cfg.Trace.Value(now, trace.SCTP, "srtt", int64(a.send.rto.srtt))
}

// receiveError takes an ERROR. Only a stale cookie has a consequence.
func (a *Association) receiveError(now time.Time, c chunk) {
	for v := c.value; len(v) > 0; {
		k, rest, ok := nextCause(v)
		if !ok {
			a.drop(now, dropMalformed, len(v))
			return
		}
		v = rest
		a.cfg.Trace.Note(now, trace.SCTP, k.code.String())
		if k.code == StaleCookie {
			a.receiveStaleCookie(now, k.info)
		}
	}
}

// receiveForward is the receiver's side of RFC 3758, Section 3.6.
func (a *Association) receiveForward(now time.Time, c chunk, data, urgent *bool) {
	var f forwardChunk
	var i interleavedForward
	var ok bool
	if c.typ == typeIForwardTSN {
		i, ok = parseInterleavedForward(c)
		f.newCumTSN = i.newCumTSN
	} else {
		f, ok = parseForward(c)
	}
	switch {
	case c.typ == typeForwardTSN && a.peer.has(Interleaving):
		// It cannot name a message of I-DATA chunks.
		a.drop(now, dropNotNegotiated, len(c.raw))
		return
	case !ok:
		a.drop(now, dropMalformed, len(c.raw))
		return
	case !a.state.receivesData():
		a.drop(now, dropState, len(c.raw))
		return
	}
	if a.renumbering() {
		a.drop(now, dropRenumbering, len(c.raw))
		return
	}
	if f.newCumTSN.After(a.recv.tracker.cum+maxSpan) || f.newCumTSN-a.recv.tracker.cum == 1<<31 {
		a.drop(now, dropSpan, len(c.raw)) // no DATA so far ahead is taken either
		return
	}
	*data = true
	if f.newCumTSN.AtMost(a.recv.tracker.cum) {
		// Out of date; the SACK that told of it may have been lost.
		*urgent = true
		return
	}
	*urgent = *urgent || a.recv.tracker.gap()
	if c.typ == typeIForwardTSN {
		a.recv.forwardInterleaved(i)
	} else {
		a.recv.forward(f)
	}
}
