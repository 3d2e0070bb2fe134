package sctp

import (
	"encoding/binary"
	"slices"
	"time"
)

// Stream reset (RFC 6525; for the rest of it see reconfig.go): how a data channel is closed and its stream
// identifier made free again. ResetStreams sends an Outgoing SSN Reset Request
// once everything queued on the streams has been sent; the peer performs it
// when it has received all that, tells its user, and answers.

// A resetState says where an outgoing stream stands.
type resetState uint8

const (
	resetNone    resetState = iota
	resetPending            // asked for; data is still queued, or another request is under way
	resetSent               // requested
)

// reconfig is an association's state of RFC 6525.
type reconfig struct {
	// Ours.
	nextSeq uint32         // Re-configuration Request Sequence Number of the next request
	pending []uint16       // streams to be reset, in the order they were asked for
	wanted  []resetRequest // other requests to be made
	request *reconfigRequest
	// The peer's.
	peerSeq    uint32 // the sequence number that its next request must have
	answer     reconfigResponse
	answered   bool // answer is of request peerSeq-1
	answerDue  bool
	deferred   *deferredReset
	incoming   bool   // a request of ours answers the peer's Incoming SSN Reset Request
	incomingTo uint32 // with this sequence number
}

// A reconfigRequest is our request that is not answered yet: there is at most
// one at a time (RFC 6525, Section 5.1.1).
type reconfigRequest struct {
	resetRequest
	streams  []uint16
	due      bool
	progress bool // the peer said In progress: it waits for data
}

// A deferredReset is the peer's request that has to wait for data which it was
// sent after.
type deferredReset struct {
	lastTSN tsn
	streams []uint16
}

// start numbers our requests, which begin with the Initial TSN (RFC 6525,
// Section 4.1); peerStart the peer's.
func (r *reconfig) start(initial uint32)     { r.nextSeq = initial }
func (r *reconfig) peerStart(initial uint32) { r.peerSeq = initial }

// ResetStreams resets outgoing streams: once what is queued on them has been
// sent, the peer is told that nothing more will come. Send on them fails until
// [StreamsResetDone].
func (a *Association) ResetStreams(now time.Time, streams ...uint16) error {
	switch {
	case a.ended || a.state > StateEstablished:
		return ErrClosed
	case a.state == StateEstablished && !a.peer.has(Reconfiguration):
		return ErrUnsupported
	}
	for _, id := range streams {
		if id >= a.out {
			return ErrStream
		}
	}
	for _, id := range streams {
		if s := a.send.queue.stream(id); s.reset == resetNone {
			s.reset = resetPending
			a.reconfig.pending = append(a.reconfig.pending, id)
		}
	}
	return nil
}

// requestReset makes the next request of those pending streams whose data has
// all been sent. It is called before each packet is built.
func (a *Association) requestReset(now time.Time) {
	r := &a.reconfig
	if r.request != nil || len(r.pending) == 0 && len(r.wanted) == 0 {
		return
	}
	if a.state != StateEstablished {
		r.wanted = nil
		a.send.queue.scheduler.resume() // too late for a reset of the association
		return
	}
	if !a.peer.has(Reconfiguration) {
		// Asked for before it was known.
		if len(r.pending) > 0 {
			a.resetDone(r.pending, true)
		}
		r.pending = nil
		return
	}
	// As many as fit into a packet beside the rest of the chunk.
	limit := (a.cfg.MTU - headerSize - chunkHeaderSize - 16) / 2
	var ready, rest []uint16
	for _, id := range r.pending {
		if s := a.send.queue.stream(id); s.head == nil && len(ready) < limit {
			s.reset = resetSent
			ready = append(ready, id)
		} else {
			rest = append(rest, id)
		}
	}
	if len(ready) == 0 {
		a.requestOther(now)
		return
	}
	r.pending = rest
	q := resetRequest{
		typ:         paramOutgoingReset,
		requestSeq:  r.nextSeq,
		responseSeq: r.peerSeq - 1,
		lastTSN:     a.send.out.next - 1,
	}
	if r.incoming {
		q.responseSeq, r.incoming = r.incomingTo, false
	}
	for _, id := range ready {
		q.streams = binary.BigEndian.AppendUint16(q.streams, id)
	}
	a.request(now, q, ready)
}

// request has a request sent.
func (a *Association) request(now time.Time, q resetRequest, streams []uint16) {
	a.reconfig.nextSeq++
	if q.typ == paramOutgoingReset {
		a.send.out.resetAt, a.send.out.resetting = q.lastTSN, true
	}
	a.reconfig.request = &reconfigRequest{resetRequest: q, streams: streams, due: true}
	a.timers.Set(timerReconfig, now.Add(a.send.rto.current))
}

// reconfigTimeout repeats the request, with the same sequence number.
func (a *Association) reconfigTimeout(now time.Time) {
	q := a.reconfig.request
	if q == nil {
		return
	}
	if q.progress {
		// It was answered: the peer is there.
		q.progress = false
	} else {
		if a.failed(now, "RE-CONFIG response") {
			return
		}
		a.send.rto.backOff()
	}
	q.due = true
	a.timers.Set(timerReconfig, now.Add(a.send.rto.current))
}

// appendReconfig appends what is due and fits: an answer to the peer's
// request, and our own.
func (a *Association) appendReconfig(b []byte, start int) []byte {
	r := &a.reconfig
	if r.answerDue && a.room(b, start) >= 24 {
		b = appendChunk(b, typeReconfig, 0, r.answer.append(nil))
		r.answerDue = false
	}
	if q := r.request; q != nil && q.due && a.room(b, start) >= 20+padded(len(q.resetRequest.streams)) {
		b = appendChunk(b, typeReconfig, 0, q.append(nil))
		q.due = false
	}
	return b
}

// receiveReconfig takes a RE-CONFIG chunk.
func (a *Association) receiveReconfig(now time.Time, c chunk) {
	if a.state != StateEstablished && a.state != StateShutdownPending && a.state != StateShutdownSent && a.state != StateShutdownReceived {
		a.drop(now, dropState, len(c.raw))
		return
	}
	for params := c.value; len(params) > 0; {
		p, rest, ok := nextParam(params)
		if !ok {
			a.drop(now, dropMalformed, len(params))
			return
		}
		params = rest
		switch p.typ {
		case paramOutgoingReset, paramIncomingReset, paramSSNTSNReset, paramAddOutgoing, paramAddIncoming:
			q, ok := parseResetRequest(p)
			if !ok {
				a.drop(now, dropMalformed, len(p.raw))
				return
			}
			a.receiveRequest(now, q)
		case paramReconfigResponse:
			v, ok := parseReconfigResponse(p)
			if !ok {
				a.drop(now, dropMalformed, len(p.raw))
				return
			}
			a.receiveResponse(now, v)
		default:
			a.drop(now, dropUnknown, len(p.raw))
		}
	}
}

// receiveRequest is RFC 6525, Section 5.2.1 to 5.2.6.
func (a *Association) receiveRequest(now time.Time, q resetRequest) {
	r := &a.reconfig
	if own := r.request; own != nil && own.typ == paramIncomingReset && q.typ == paramOutgoingReset && q.responseSeq == own.requestSeq {
		// The Outgoing SSN Reset Request that ours asked for is its answer too.
		r.request = nil
		a.timers.Stop(timerReconfig)
	}
	switch {
	case r.answered && q.requestSeq == r.peerSeq-1:
		// Repeated: the answer was lost, or it was In progress.
		r.answerDue = true
		return
	case q.requestSeq != r.peerSeq:
		// Not the one that is next: answered, but not remembered.
		a.queueReconfigAnswer(reconfigResponse{responseSeq: q.requestSeq, result: resultBadSequence})
		return
	case r.deferred != nil:
		a.queueReconfigAnswer(reconfigResponse{responseSeq: q.requestSeq, result: resultAlreadyInProgress})
		return
	}
	r.peerSeq++
	switch q.typ {
	case paramOutgoingReset:
		r.deferred = &deferredReset{lastTSN: q.lastTSN, streams: decodeStreams(q.streams)}
		r.answer = reconfigResponse{responseSeq: q.requestSeq, result: resultInProgress}
		a.performDeferred()
	case paramIncomingReset:
		// Section 5.2.3: the answer is an Outgoing SSN Reset Request.
		r.answer = reconfigResponse{responseSeq: q.requestSeq, result: resultPerformed}
		if !a.peer.has(Reconfiguration) {
			r.answer.result = resultDenied
		}
		r.incoming, r.incomingTo = true, q.requestSeq
		a.resetForPeer(decodeStreams(q.streams))
	case paramSSNTSNReset:
		r.answer = a.performAssociationReset(q.requestSeq)
	default:
		r.answer = a.performAdd(q)
	}
	r.answered, r.answerDue = true, true
}

// queueReconfigAnswer answers a request that does not become the last one.
func (a *Association) queueReconfigAnswer(v reconfigResponse) {
	if a.room(a.control, 0) >= headerSize+16 {
		a.control = appendChunk(a.control, typeReconfig, 0, v.append(nil))
	}
}

// resetForPeer resets outgoing streams because the peer asks for it: those it
// names, or all that were used.
func (a *Association) resetForPeer(streams []uint16) {
	if len(streams) == 0 {
		for id := range a.send.queue.streams {
			streams = append(streams, id)
		}
		slices.Sort(streams)
	}
	for _, id := range streams {
		// A stream that was never used has nothing to reset.
		if s := a.send.queue.streams[id]; s != nil && s.reset == resetNone {
			s.reset = resetPending
			a.reconfig.pending = append(a.reconfig.pending, id)
		}
	}
}

// performDeferred performs the peer's outgoing reset if everything sent before
// it has arrived; until then, it stays deferred (RFC 6525, Section 5.2.2). It
// is called whenever the Cumulative TSN Ack Point moved.
func (a *Association) performDeferred() {
	r := &a.reconfig
	d := r.deferred
	if d == nil || d.lastTSN.After(a.recv.tracker.cum) {
		return
	}
	r.deferred = nil
	a.recv.resetStreams(d.streams)
	// Answered at once, if the answer before was In progress: the peer need not
	// ask again.
	r.answer.result, r.answerDue = resultPerformed, true
	a.events.push(StreamsReset{Streams: d.streams})
}

// receiveResponse is Section 5.2.7.
func (a *Association) receiveResponse(now time.Time, v reconfigResponse) {
	q := a.reconfig.request
	if q == nil || q.requestSeq != v.responseSeq {
		return // of a request that was answered before
	}
	a.failures = 0
	if v.result == resultInProgress {
		// The request is to be repeated after a while; or, sooner, when a SACK says
		// that the peer has what it waits for.
		q.progress = true
		a.timers.Set(timerReconfig, now.Add(a.send.rto.current))
		return
	}
	a.reconfig.request = nil
	a.timers.Stop(timerReconfig)
	if q.typ != paramOutgoingReset {
		a.otherDone(q.resetRequest, v)
		return
	}
	a.send.out.resetting = false
	if v.result == resultPerformed {
		a.send.out.resetDone = q.lastTSN
	}
	a.resetDone(q.streams, v.result != resultPerformed && v.result != resultNothingToDo)
}

// resetProgress repeats a request that the peer deferred once the data it was
// deferred for is acknowledged.
func (a *Association) resetProgress() {
	if q := a.reconfig.request; q != nil && q.progress && q.lastTSN.AtMost(a.send.out.cum) {
		q.progress, q.due = false, true
	}
}

// resetDone makes outgoing streams usable again.
func (a *Association) resetDone(streams []uint16, denied bool) {
	for _, id := range streams {
		s := a.send.queue.stream(id)
		s.reset = resetNone
		if !denied {
			s.nextMID, s.nextUnordered = 0, 0
			a.send.queue.forget(s)
		}
	}
	a.events.push(StreamsResetDone{Streams: streams, Denied: denied})
}
