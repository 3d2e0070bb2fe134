package sctp

import (
	"time"
)

// due is the set of control chunks that belong into the next packet and are
// built from the association's state when it is.
type due uint8

const (
	dueInit due = 1 << iota
	dueCookieEcho
	dueCookieAck
	dueShutdown
	dueShutdownAck
)

func (d *due) add(x due)     { *d |= x }
func (d *due) remove(x due)  { *d &^= x }
func (d due) has(x due) bool { return d&x != 0 }

// maxReplies bounds the packets that wait to be sent to where there is no
// association: INIT ACK, and ABORT or SHUTDOWN COMPLETE out of the blue.
const maxReplies = 4

func (a *Association) header(tag uint32) header {
	return header{source: a.cfg.LocalPort, destination: a.cfg.RemotePort, tag: tag}
}

// reply queues a packet of its own. A flood makes it forget, not grow.
func (a *Association) reply(packet []byte) {
	if len(a.replies) < maxReplies {
		a.replies = append(a.replies, packet)
	}
}

// replyAbort queues an ABORT.
func (a *Association) replyAbort(tag uint32, flags uint8, causes []byte) {
	a.reply(appendChunk(a.header(tag).append(nil), typeAbort, flags, causes))
}

// queueControl queues a chunk for the next packet, unless the packet is full:
// an answer that is not sent will be asked for again.
func (a *Association) queueControl(now time.Time, typ chunkType, value []byte) {
	if headerSize+len(a.control)+chunkHeaderSize+padded(len(value)) > min(a.cfg.MTU, a.send.mtu)-sackHeaderSize {
		a.drop(now, dropFull, len(value))
		return
	}
	a.control = appendChunk(a.control, typ, 0, value)
}

// reportError queues an ERROR with one cause.
func (a *Association) reportError(now time.Time, code CauseCode, info []byte) {
	a.queueControl(now, typeError, appendCause(nil, code, info))
}

func (a *Association) reportStream(now time.Time, stream uint16) {
	a.queueControl(now, typeError, appendStreamCause(nil, stream))
}

// room is what is left of the packet that begins at b[start:].
func (a *Association) room(b []byte, start int) int { return a.send.mtu - (len(b) - start) }

// AppendPacket appends the next packet to b; it returns b as it is when there
// is nothing to send. It is to be called until then.
func (a *Association) AppendPacket(now time.Time, b []byte) []byte {
	start := len(b)
	a.send.oversize = false
	// Packets with INIT or COOKIE ECHO need one in any case (RFC 9653, Section
	// 5.2), so that a peer can verify them which does not know yet, or no longer,
	// what was agreed; and so do those that belong to no association.
	needsChecksum := len(a.replies) > 0 || a.due.has(dueInit|dueCookieEcho)
	b = a.appendPacket(now, b)
	for len(b) == start && a.send.purged {
		// Nothing was left of what was to be sent, which may be what a shutdown
		// or a stream reset waited for.
		a.send.purged = false
		a.shutdownWhenDrained(now)
		b = a.appendPacket(now, b)
	}
	if len(b) == start {
		return b
	}
	if needsChecksum || !a.peer.has(ZeroChecksum) {
		fillChecksum(b[start:])
	}
	a.packets.sent++
	a.packets.bytesSent += uint64(len(b) - start)
	return b
}

func (a *Association) appendPacket(now time.Time, b []byte) []byte {
	if len(a.replies) > 0 {
		b = append(b, a.replies[0]...)
		if a.replies = a.replies[1:]; len(a.replies) == 0 {
			a.replies = nil
		}
		return b
	}
	if a.due.has(dueInit) {
		a.due.remove(dueInit)
		return a.appendInit(b)
	}
	switch a.state {
	case StateClosed, StateCookieWait:
		return b
	case StateCookieEchoed:
		// "until the COOKIE ACK chunk is returned, the sender MUST NOT send any
		// other packets to the peer" (Section 5.1, step C).
		if !a.due.has(dueCookieEcho) {
			return b
		}
	}
	if a.state.sendsData() && a.probes(now) {
		return a.appendProbe(now, b)
	}
	return a.appendChunks(now, b)
}

// appendChunks builds a packet of the association: control chunks first, for
// "an endpoint MUST place control chunks first in the outbound SCTP packet"
// (Section 6.10), a COOKIE ECHO or COOKIE ACK before all others.
func (a *Association) appendChunks(now time.Time, b []byte) []byte {
	a.requestReset(now)
	start := len(b)
	b = a.header(a.peerTag).append(b)
	switch {
	case a.due.has(dueCookieEcho):
		b = appendChunk(b, typeCookieEcho, 0, a.setup.cookie)
		if n := len(a.setup.report); n > 0 && a.room(b, start) >= chunkHeaderSize+n {
			b = appendChunk(b, typeError, 0, a.setup.report)
		}
	case a.due.has(dueCookieAck):
		b = appendChunk(b, typeCookieAck, 0, nil)
	}
	a.due.remove(dueCookieEcho | dueCookieAck)

	data := false
	if a.state.sendsData() || a.state == StateCookieEchoed {
		var until time.Time
		data, until = a.send.ready(now)
		a.timers.Set(timerPace, until)
	}
	if a.recv.ack.due || a.recv.ack.waiting && data {
		// Before DATA is sent, "the sender SHOULD create a SACK chunk and bundle
		// it with the outbound DATA chunk" (Section 6.1). Gap ack blocks leave room
		// for other control chunks.
		b = a.recv.appendSack(b, a.room(b, start)-len(a.control))
		a.timers.Stop(timerSack)
	}
	if len(a.control) > 0 && a.room(b, start) >= len(a.control) {
		b = append(b, a.control...)
		a.control = a.control[:0]
	}
	if a.reconfig.answerDue || a.reconfig.request != nil {
		b = a.appendReconfig(b, start)
	}
	if a.due.has(dueShutdown) {
		b = appendShutdown(b, a.recv.tracker.cum)
		a.due.remove(dueShutdown)
	}
	if a.due.has(dueShutdownAck) {
		b = appendChunk(b, typeShutdownAck, 0, nil)
		a.due.remove(dueShutdownAck)
	}
	if a.state.sendsData() || a.state == StateCookieEchoed {
		b = a.appendPayload(now, b, start, data)
	}
	if len(b) == start+headerSize {
		return b[:start]
	}
	return b
}

// appendPayload appends FORWARD TSN and DATA.
func (a *Association) appendPayload(now time.Time, b []byte, start int, data bool) []byte {
	s := &a.send
	before := len(b)
	if s.forwardDue && a.room(b, start) >= 16 && a.state != StateCookieEchoed {
		b = s.out.appendForward(b, a.room(b, start), a.peer.has(Interleaving))
		s.forwardDue, s.forwardedAt = false, now
	}
	if data {
		at := len(b)
		b = s.appendData(now, b, start)
		s.cc.built(len(b) != at)
	}
	// "Whenever a transmission or retransmission is made to any address, if the
	// T3-rtx timer of that address is not currently running, the sender MUST start
	// that timer. If the timer for that address is already running, the sender
	// MUST restart the timer if the earliest (i.e., lowest TSN) outstanding DATA
	// chunk sent to that address is being retransmitted" (Section 6.1). T1-cookie
	// stands in for it before the association is established; and it paces zero
	// window probes.
	sent := len(b) != before && !s.out.empty() || s.closed
	if a.state != StateCookieEchoed && (sent && !a.timers.Running(timerT3) || s.lowest) {
		a.timers.Set(timerT3, now.Add(s.rto.current))
	}
	s.lowest = false
	a.lossTimers()
	return b
}
