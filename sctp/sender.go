package sctp

import "time"

// A sender is the send side of an association: what the user queued, what is
// outstanding, and when it may leave. It knows nothing of the receive side.
type sender struct {
	queue sendQueue
	out   outstanding
	cc    congestion
	rto   rto
	mtu   int
	// rwnd is the a_rwnd of the newest SACK.
	rwnd int
	// timed is the TSN whose round trip is being measured, since timedAt; one
	// at a time, as RFC 9260, Section 6.3.1, C4 has it. Zero time: none.
	timed    tsn
	timedAt  time.Time
	lastSent time.Time // DATA last left
	// closed: nothing is in flight, and what comes next does not fit into the
	// peer's window; probe: T3-rtx expired meanwhile, so one chunk may leave
	// all the same; probing: it did; probed: a SACK came since.
	closed  bool
	probe   bool
	probing bool
	probed  bool
	// purged: messages expired while a packet was being built.
	purged bool
	// lowest: the lowest outstanding chunk was retransmitted just now.
	lowest      bool
	forwardDue  bool
	forwardedAt time.Time
	immediate   bool // ask for SACKs at once (RFC 7053)
	pool        *buffers
	// fell is called when a stream's buffered amount fell from before.
	fell  func(s *outStream, before int)
	stats senderStats
}

type senderStats struct {
	messages        uint64
	bytes           uint64
	retransmissions uint64
	timeouts        uint64
}

// start begins with the TSN initial; queued messages stay.
func (s *sender) start(initial tsn) {
	s.out.start(initial, s.forget)
	s.cc.start(s.mtu)
}

// forget is told of messages that are acknowledged, or abandoned and passed.
func (s *sender) forget(m *outMessage) { s.queue.release(m, s.pool) }

// wake notes that the user has something to send: the end, perhaps, of a pause.
func (s *sender) wake(now time.Time) {
	if !s.out.empty() || s.lastSent.IsZero() {
		return
	}
	if rtos := int(now.Sub(s.lastSent) / s.rto.current); rtos > 0 {
		s.cc.idle(rtos)
		s.lastSent = now // the pause counts once
	}
}

// opportunity has to be called before anything that may let DATA leave.
func (s *sender) opportunity() { s.cc.opportunity(s.out.flight) }

// drained reports whether everything the user sent is acknowledged.
func (s *sender) drained() bool { return s.out.empty() && s.queue.buffered == 0 }

// sack takes a SACK.
func (s *sender) sack(now time.Time, k sackChunk) (r sackResult, ok bool) {
	timed := s.timed
	if s.timedAt.IsZero() {
		timed = s.out.cum // never newly acknowledged
	}
	s.opportunity()
	r, ok = s.out.ack(now, k.cumTSN, k.gaps, timed, s.cc.inFastRecovery)
	if !ok {
		return r, false
	}
	s.rwnd = int(min(k.rwnd, 1<<30))
	s.settle(now, &r)
	s.closed = false
	if s.probing {
		s.probed = true
		if r.advanced {
			s.probing = false
		} else if s.rwnd > 0 {
			// The window is open again, and the probe was dropped while it was
			// not: send it again; it was no loss.
			s.probing = false
			s.out.timeout(now)
		}
	}
	s.tidy(now)
	// RFC 3758, Section 3.5, C3: a peer whose Cumulative TSN lags behind has not
	// got the FORWARD TSN; but leave it a round trip to come back.
	if s.out.partial && s.out.advanced != s.out.cum && now.Sub(s.forwardedAt) >= max(s.rto.srtt, time.Millisecond) {
		s.forwardDue = true
	}
	return r, true
}

// shutdown takes the Cumulative TSN Ack of a SHUTDOWN, which says nothing of
// gaps.
func (s *sender) shutdown(now time.Time, cum tsn) (r sackResult, ok bool) {
	if cum.Before(s.out.cum) || cum.AtLeast(s.out.next) {
		return r, false
	}
	s.opportunity()
	s.out.ackUpTo(cum, s.out.cum, &r)
	s.settle(now, &r)
	return r, true
}

// settle draws the conclusions from an acknowledgement.
func (s *sender) settle(now time.Time, r *sackResult) {
	if r.timed {
		s.rto.measured(now.Sub(s.timedAt))
		s.timedAt = time.Time{}
	}
	if r.advanced || r.acked > 0 {
		s.cc.acked(r.acked, s.out.cum, s.out.empty())
	}
	if r.lost {
		s.cc.lost(s.out.next - 1)
	}
}

// timeout is T3-rtx.
func (s *sender) timeout(now time.Time) {
	s.opportunity()
	if s.out.empty() {
		s.closed = s.closed && s.queue.buffered > 0
		s.probe = s.closed
	}
	s.rto.backOff()
	if s.probe {
		return
	}
	if !s.probing || !s.probed {
		s.cc.timeout(s.out.next - 1)
		s.stats.timeouts++
	}
	s.probed = false
	s.timedAt = time.Time{}
	s.out.timeout(now)
	s.tidy(now)
	s.forwardDue = s.out.partial && s.out.advanced != s.out.cum
}

// tidy follows up on messages that were abandoned.
func (s *sender) tidy(now time.Time) {
	if st := s.queue.scheduler.current(); st != nil && st.head.abandoned {
		s.dropRest(st.head)
	}
	if s.out.partial && s.out.advance() {
		s.forwardDue = true
	}
}

// dropRest drops the unsent rest of a message that was abandoned half-way. One
// more TSN stands for it, never sent but abandoned too, so that there is a
// TSN to forward to even when all that was sent has arrived: otherwise the
// receiver would go on waiting for the rest.
func (s *sender) dropRest(m *outMessage) {
	before := m.stream.buffered
	s.out.push(sentChunk{message: m, state: chunkAbandoned, flags: flagEnd, offset: int32(len(m.data))})
	s.queue.drop(m, s.pool)
	s.fell(m.stream, before)
}

// expired reports whether m's time ran out.
func (m *outMessage) expired(now time.Time) bool {
	return !m.expires.IsZero() && !now.Before(m.expires)
}

// ready reports whether a DATA chunk would leave now.
func (s *sender) ready() bool {
	if s.out.marked > 0 {
		return s.cc.canResend(s.out.flight)
	}
	return s.queue.scheduler.current() != nil && s.cc.canSend(s.out.flight)
}

// windowOpen is Section 6.1, rule A: no new data beyond the peer's window,
// except for a probe. "The sender SHOULD send the first zero window probe after
// 1 RTO when it detects that the receiver has closed its window and SHOULD
// increase the probe interval exponentially afterwards."
func (s *sender) windowOpen(n int) bool {
	if n <= s.rwnd-s.out.payload {
		return true
	}
	s.closed = s.out.empty()
	return s.closed && s.probe
}

// appendData fills the packet that begins at b[start:] with DATA chunks: those
// to be retransmitted first, then new ones (Section 6.1, rule C).
func (s *sender) appendData(now time.Time, b []byte, start int) []byte {
	began := len(b)
	for s.out.marked > 0 {
		n, c := s.out.retransmit()
		if c.message.expired(now) && s.out.partial {
			s.out.abandon(n)
			s.tidy(now)
			s.purged = true
			continue
		}
		if !s.cc.canResend(s.out.flight) || len(b)-start+dataSize(int(c.size)) > s.mtu {
			return s.sentData(now, b, began)
		}
		s.out.resend(c)
		b = s.appendChunk(b, n, c)
		s.stats.retransmissions++
		// Karn's algorithm: a round trip is measured only "if no DATA chunk with TSN
		// less than or equal to r was retransmitted" (Section 6.3.1, C5).
		if n.AtMost(s.timed) {
			s.timedAt = time.Time{}
		}
		s.lowest = s.lowest || n == s.out.cum+1
	}
	for {
		queued := s.queue.buffered
		m := s.queue.first(now, s.pool, s.fell)
		s.purged = s.purged || s.queue.buffered != queued
		if m == nil || !s.cc.canSend(s.out.flight) || s.out.len() >= maxSpan {
			break
		}
		room := (s.mtu - (len(b) - start) - dataHeaderSize) &^ 3
		rest := len(m.data) - m.cut
		n := min(rest, room)
		// A fragment that only fills up a packet begun by others would cost
		// another chunk header for little: start with the next packet.
		if n <= 0 || n < rest && len(b) != began && n < s.mtu/2 {
			break
		}
		if !s.windowOpen(n) {
			break
		}
		s.probing = n > s.rwnd-s.out.payload
		s.probe = false
		b = s.appendNew(now, b, m, n)
	}
	return s.sentData(now, b, began)
}

func (s *sender) sentData(now time.Time, b []byte, began int) []byte {
	if len(b) != began {
		s.lastSent = now
	}
	return b
}

// appendNew cuts n bytes off m into a new DATA chunk.
func (s *sender) appendNew(now time.Time, b []byte, m *outMessage, n int) []byte {
	c := sentChunk{message: m, offset: int32(m.cut), size: int32(n), transmissions: 1}
	if m.cut == 0 {
		c.flags = flagBegin
		// The SSN is assigned only now, so that a message which expires in the
		// queue leaves no hole.
		if !m.unordered {
			m.ssn = m.stream.nextSSN
			m.stream.nextSSN++
		}
	}
	if m.unordered {
		c.flags |= flagUnordered
	}
	if m.cut+n == len(m.data) {
		c.flags |= flagEnd
		s.stats.messages++
	}
	t := s.out.push(c)
	b = s.appendChunk(b, t, &c)
	before := m.stream.buffered
	s.queue.cut(m, n)
	s.stats.bytes += uint64(n)
	if s.timedAt.IsZero() && !s.probing {
		s.timed, s.timedAt = t, now
	}
	s.fell(m.stream, before)
	return b
}

// appendChunk writes an outstanding chunk.
func (s *sender) appendChunk(b []byte, n tsn, c *sentChunk) []byte {
	m := c.message
	d := dataChunk{
		flags:   c.flags,
		tsn:     n,
		stream:  m.stream.id,
		ssn:     m.ssn,
		ppid:    m.ppid,
		payload: m.data[c.offset : c.offset+c.size],
	}
	// RFC 7053, Section 4: the SACK is wanted at once where this end can do
	// nothing until it comes.
	if s.immediate || s.probing || c.transmissions > 1 && !s.cc.inFastRecovery {
		d.flags |= flagImmediate
	}
	return d.append(b)
}

// restart begins anew with a peer that lost its state: what is outstanding is
// lost, what is queued stays, every stream begins at SSN zero.
func (s *sender) restart(initial tsn) {
	if st := s.queue.scheduler.current(); st != nil && st.head.cut > 0 {
		s.queue.drop(st.head, s.pool)
	}
	s.out.reset(initial)
	for _, st := range s.queue.streams { // the order does not show
		st.nextSSN, st.reset = 0, resetNone
	}
	s.cc.start(s.mtu)
	s.timedAt, s.closed, s.probe, s.probing, s.forwardDue = time.Time{}, false, false, false, false
}

func (s *sender) shrink() {
	s.out.shrink()
	s.queue.free = nil
}
