package sctp

import (
	"encoding/binary"
	"time"
)

// A heartbeat asks an idle peer whether it is there (RFC 9260, Section 8.3),
// and measures the round trip.
type heartbeat struct {
	nonce  uint64 // of the HEARTBEAT that is not answered; zero: none
	sentAt time.Time
	heard  time.Time // the peer last acknowledged something
	moved  bool      // it asks about a path that packets were moved to
}

// start arms T-heartbeat for an association that was just established.
func (h *heartbeat) start(a *Association, now time.Time) {
	*h = heartbeat{heard: now}
	h.arm(a, now)
}

// arm is Section 8.3: "once per RTO of that destination address plus the
// protocol parameter 'HB.interval', with jittering of +/- 50% of the RTO
// value".
func (h *heartbeat) arm(a *Association, now time.Time) {
	rto := a.send.rto.current
	a.random(a.entropy[:4])
	jitter := time.Duration(binary.BigEndian.Uint32(a.entropy[:])) * rto >> 32
	a.timers.Set(timerHeartbeat, now.Add(a.cfg.HeartbeatInterval+rto/2+jitter))
}

// heartbeatTimeout is T-heartbeat: the association was idle, or the last
// HEARTBEAT was not answered within an RTO.
func (a *Association) heartbeatTimeout(now time.Time) {
	h := &a.heartbeat
	if h.nonce != 0 {
		h.nonce = 0
		if a.failed(now, "HEARTBEAT ACK") {
			return
		}
		a.send.rto.backOff()
	} else if now.Sub(h.heard) < a.cfg.HeartbeatInterval || !a.send.out.empty() {
		// Not idle: DATA and its acknowledgements say as much.
		h.arm(a, now)
		return
	} else {
		a.shrink()
	}
	a.sendHeartbeat(now)
}

// PathChanged tells that packets take another path from now on. That is ICE's
// to decide and SCTP's to measure: a HEARTBEAT leaves at once. It also shows
// the peer the path in use, where it would have to wait for data. SetMaxMTU has
// to be called again if this path begins at another interface.
func (a *Association) PathChanged(now time.Time) {
	a.send.pathChanged()
	a.resetMTU(now)
	if a.state == StateEstablished {
		a.heartbeat.moved = true
		a.sendHeartbeat(now)
	}
}

func (a *Association) sendHeartbeat(now time.Time) {
	h := &a.heartbeat
	h.nonce, h.sentAt = a.random64(), now
	info := binary.BigEndian.AppendUint64(nil, h.nonce)
	a.queueControl(now, typeHeartbeat, appendParam(nil, paramHeartbeatInfo, info))
	a.timers.Set(timerHeartbeat, now.Add(a.send.rto.current))
}

// receiveHeartbeat sends it back: "The receiver of the HEARTBEAT chunk SHOULD
// immediately respond with a HEARTBEAT ACK chunk that contains the Heartbeat
// Information TLV, together with any other received TLVs, copied unchanged
// from the received HEARTBEAT chunk."
func (a *Association) receiveHeartbeat(now time.Time, c chunk) {
	a.queueControl(now, typeHeartbeatAck, c.value)
}

func (a *Association) receiveHeartbeatAck(now time.Time, c chunk) {
	h := &a.heartbeat
	p, _, ok := nextParam(c.value)
	if ok && p.typ == paramHeartbeatInfo && a.probeAcked(now, p.value) {
		return
	}
	if !ok || p.typ != paramHeartbeatInfo || len(p.value) != 8 || h.nonce == 0 || binary.BigEndian.Uint64(p.value) != h.nonce {
		a.drop(now, dropHeartbeat, len(c.raw))
		return
	}
	a.send.rto.measured(now.Sub(h.sentAt))
	a.failures = 0
	h.nonce, h.heard = 0, now
	h.arm(a, now)
	if h.moved && a.timers.Running(timerT3) {
		// It was backed off on the path of before, perhaps for a minute.
		a.timers.SetEarlier(timerT3, now.Add(a.send.rto.current))
	}
	h.moved = false
}

// shrink gives back the memory that an idle association does not need.
func (a *Association) shrink() {
	a.recv.shrink()
	a.send.shrink()
	a.pool.drop()
	if len(a.control) == 0 {
		a.control = nil
	}
	if a.events.head == len(a.events.list) {
		a.events = eventQueue{}
	}
}
