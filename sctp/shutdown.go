package sctp

import "time"

// The end of an association (RFC 9260, Section 9): graceful, in three steps
//
//	A ── SHUTDOWN ──────────► Z   A: ShutdownPending, then ShutdownSent   Z: ShutdownReceived
//	A ◄────── SHUTDOWN ACK ── Z                                           Z: ShutdownAckSent
//	A ── SHUTDOWN COMPLETE ─► Z   A: Closed                               Z: Closed
//
// each of which waits until everything is acknowledged, or at once by ABORT.

// Shutdown ends the association once everything that was sent is acknowledged.
// Send fails from now on. Before the association is established, it ends at
// once.
func (a *Association) Shutdown(now time.Time) {
	switch a.state {
	case StateEstablished:
		a.setState(now, StateShutdownPending)
		a.send.opportunity()
		a.shutdownWhenDrained(now)
	case StateClosed, StateCookieWait, StateCookieEchoed:
		if !a.ended {
			a.end(now, nil)
		}
	}
}

// Abort ends the association at once; what is queued or outstanding is lost.
// Reason is for the peer's user.
func (a *Association) Abort(now time.Time, reason string) {
	if a.ended {
		return
	}
	a.abort(now, &LocalError{UserInitiatedAbort, reason[:min(len(reason), 128)]})
}

// abort tells the peer, if there is one, and ends the association.
func (a *Association) abort(now time.Time, e *LocalError) {
	if a.peerTag != 0 {
		var info []byte
		switch e.Cause {
		case UserInitiatedAbort, ProtocolViolation:
			info = []byte(e.Reason)
		}
		a.replyAbort(a.peerTag, 0, appendCause(nil, e.Cause, info))
	}
	a.end(now, e)
}

// shutdownWhenDrained goes on with a shutdown once nothing is outstanding.
func (a *Association) shutdownWhenDrained(now time.Time) {
	if a.state != StateShutdownPending && a.state != StateShutdownReceived || !a.send.drained() {
		return
	}
	a.timers.Stop(timerT3)
	if a.state == StateShutdownPending {
		a.sendShutdown(now)
		// T5-shutdown-guard "SHOULD be set to the RECOMMENDED value of 5 times
		// 'RTO.Max'".
		a.timers.Set(timerT5Guard, now.Add(5*a.cfg.RTOMax))
		a.setState(now, StateShutdownSent)
	} else {
		a.sendShutdownAck(now)
	}
}

func (a *Association) sendShutdown(now time.Time) {
	a.due.add(dueShutdown)
	a.timers.Set(timerT2Shutdown, now.Add(a.send.rto.current))
}

func (a *Association) sendShutdownAck(now time.Time) {
	a.due.remove(dueShutdown)
	a.due.add(dueShutdownAck)
	a.timers.Set(timerT2Shutdown, now.Add(a.send.rto.current))
	if a.state != StateShutdownAckSent {
		a.setState(now, StateShutdownAckSent)
	}
}

// shutdownTimeout is T2-shutdown.
func (a *Association) shutdownTimeout(now time.Time) {
	waiting := "SHUTDOWN ACK"
	if a.state == StateShutdownAckSent {
		waiting = "SHUTDOWN COMPLETE"
	}
	if a.failed(now, waiting) {
		return
	}
	a.send.rto.backOff()
	if a.state == StateShutdownSent {
		a.sendShutdown(now)
	} else {
		a.sendShutdownAck(now)
	}
}

// receiveShutdown takes the peer's SHUTDOWN, which acknowledges like a SACK
// without gaps.
func (a *Association) receiveShutdown(now time.Time, c chunk) {
	cum, ok := parseShutdown(c)
	if !ok {
		a.drop(now, dropMalformed, len(c.raw))
		return
	}
	switch a.state {
	case StateEstablished, StateShutdownPending, StateShutdownReceived:
		r, ok := a.send.shutdown(now, cum)
		if !ok {
			a.drop(now, dropBadSack, len(c.raw))
			return
		}
		if a.state != StateShutdownReceived {
			a.setState(now, StateShutdownReceived)
		}
		a.acknowledged(now, r)
	case StateShutdownSent:
		// "If an endpoint is in the SHUTDOWN-SENT state and receives a SHUTDOWN
		// chunk from its peer, the endpoint SHOULD respond immediately with a
		// SHUTDOWN ACK chunk ... and move into the SHUTDOWN-ACK-SENT state".
		a.sendShutdownAck(now)
	case StateShutdownAckSent:
		a.due.add(dueShutdownAck)
	default:
		a.drop(now, dropState, len(c.raw))
	}
}

func (a *Association) receiveShutdownAck(now time.Time, c chunk) {
	switch a.state {
	case StateShutdownSent, StateShutdownAckSent:
		a.reply(appendChunk(a.header(a.peerTag).append(nil), typeShutdownComplete, 0, nil))
		a.end(now, nil)
	default:
		// Not expected; the states before ESTABLISHED are admit's.
		a.drop(now, dropState, len(c.raw))
	}
}

func (a *Association) receiveShutdownComplete(now time.Time, c chunk) {
	if a.state != StateShutdownAckSent {
		a.drop(now, dropState, len(c.raw))
		return
	}
	a.end(now, nil)
}
