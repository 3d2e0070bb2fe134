package sctp

import (
	"encoding/binary"
	"time"
)

// The rest of RFC 6525, which WebRTC has no use for and other users of SCTP do:
// to ask the peer to reset its streams, to add streams, and to begin the whole
// association anew.

// ResetIncomingStreams asks the peer to reset its outgoing streams, those given
// or all: [StreamsReset] tells when it has.
func (a *Association) ResetIncomingStreams(streams ...uint16) error {
	if len(streams) > (a.cfg.MTU-headerSize-chunkHeaderSize-8)/2 {
		return ErrStream
	}
	q := resetRequest{typ: paramIncomingReset}
	for _, id := range streams {
		if id >= a.recv.streams {
			return ErrStream
		}
		q.streams = binary.BigEndian.AppendUint16(q.streams, id)
	}
	return a.want(q)
}

// AddStreams adds outgoing streams, and asks the peer to add as many of its own
// as in says: [StreamsAdded] tells when that is done.
func (a *Association) AddStreams(out, in uint16) error {
	if int(a.out)+int(out) > 65535 || int(a.recv.streams)+int(in) > int(a.cfg.InStreams) {
		return ErrStream
	}
	if out > 0 {
		if err := a.want(resetRequest{typ: paramAddOutgoing, count: out}); err != nil {
			return err
		}
	}
	if in > 0 {
		return a.want(resetRequest{typ: paramAddIncoming, count: in})
	}
	return nil
}

// ResetAssociation begins every stream anew, in both directions, and TSNs too,
// once everything that has begun to leave is acknowledged; what has not waits
// until then. [AssociationReset] tells when that is done. A peer that is sending
// just then denies it.
func (a *Association) ResetAssociation() error {
	if a.send.queue.scheduler.hold {
		return ErrResetting
	}
	err := a.want(resetRequest{typ: paramSSNTSNReset})
	if err == nil {
		a.send.queue.scheduler.hold = true
	}
	return err
}

// want queues a request.
func (a *Association) want(q resetRequest) error {
	switch {
	case a.state != StateEstablished:
		return ErrClosed
	case !a.peer.has(Reconfiguration):
		return ErrUnsupported
	}
	a.reconfig.wanted = append(a.reconfig.wanted, q)
	return nil
}

// requestOther makes the next request that does not wait for streams to drain.
func (a *Association) requestOther(now time.Time) {
	r := &a.reconfig
	if len(r.wanted) == 0 {
		return
	}
	q := r.wanted[0]
	if q.typ == paramSSNTSNReset && !a.settled() {
		return
	}
	if r.wanted = r.wanted[1:]; len(r.wanted) == 0 {
		r.wanted = nil
	}
	q.requestSeq = r.nextSeq
	a.request(now, q, nil)
}

// settled reports whether all that has begun to leave is acknowledged.
func (a *Association) settled() bool { return a.send.out.empty() && a.send.queue.scheduler.open == 0 }

// renumbering reports whether we have asked for a reset of the association, and
// were not answered. Until then we can't tell which TSNs are of before and
// which of after it: none is taken, and the peer sends them again.
func (a *Association) renumbering() bool {
	q := a.reconfig.request
	return q != nil && q.typ == paramSSNTSNReset
}

// performAssociationReset is Section 5.2.4. We deny it while something of ours is
// on its way, for it would be lost; or while a request of ours is.
func (a *Association) performAssociationReset(seq uint32) reconfigResponse {
	if !a.settled() || a.reconfig.request != nil || a.state != StateEstablished {
		return reconfigResponse{responseSeq: seq, result: resultDenied}
	}
	// "The value SHOULD be the smallest TSN not acknowledged by the receiver of
	// the request plus 2^31": no packet of before can be taken for one of after.
	next := nextTSNs{sender: a.send.out.next, receiver: a.recv.tracker.cum + 1 + 1<<31}
	a.renumber(next.sender, next.receiver)
	return reconfigResponse{responseSeq: seq, result: resultPerformed, next: &next}
}

func (a *Association) renumber(ours, theirs tsn) {
	a.recv.renumber(theirs)
	a.send.renumber(ours)
	a.events.push(AssociationReset{})
}

// performAdd is Sections 5.2.5 and 5.2.6.
func (a *Association) performAdd(q resetRequest) reconfigResponse {
	v := reconfigResponse{responseSeq: q.requestSeq, result: resultPerformed}
	switch {
	case q.count == 0:
		v.result = resultNothingToDo
	case q.typ == paramAddOutgoing:
		if int(a.recv.streams)+int(q.count) > int(a.cfg.InStreams) {
			v.result = resultDenied
			break
		}
		a.recv.streams += q.count
		a.events.push(StreamsAdded{OutStreams: a.out, InStreams: a.recv.streams})
	case int(a.out)+int(q.count) > 65535 || len(a.reconfig.wanted) > 0 ||
		a.want(resetRequest{typ: paramAddOutgoing, count: q.count}) != nil:
		v.result = resultDenied
	}
	return v
}

// otherDone takes the answer to a request that is not an outgoing reset.
func (a *Association) otherDone(q resetRequest, v reconfigResponse) {
	performed := v.result == resultPerformed || v.result == resultNothingToDo
	name := ""
	switch q.typ {
	case paramIncomingReset:
		name = "Incoming SSN Reset"
	case paramAddIncoming:
		name = "Add Incoming Streams"
	case paramAddOutgoing:
		name = "Add Outgoing Streams"
		if performed {
			a.out += q.count
			a.events.push(StreamsAdded{OutStreams: a.out, InStreams: a.recv.streams})
		}
	case paramSSNTSNReset:
		name = "SSN/TSN Reset"
		if performed = performed && v.next != nil; performed {
			a.renumber(v.next.receiver, v.next.sender)
		}
		a.send.queue.scheduler.resume()
		a.send.opportunity()
	}
	if !performed {
		a.events.push(ReconfigDenied{Request: name, Result: v.result.String()})
	}
}
