package sctp

import "time"

// A sender is the send side of an association: what the user queued, what is
// outstanding, and when it may leave (transmit.go). It knows nothing of the receive side.
type sender struct {
	queue sendQueue
	out   outstanding
	cc    congestion
	rack  rack
	rto   rto
	mtu   int // PLPMTU, or Config.MTU
	// rwnd is the a_rwnd of the newest SACK.
	rwnd int
	// measured is the transmission from which on a round trip is measured again:
	// one at a time, as RFC 9260, Section 6.3.1, C4 has it.
	measured uint32
	lastSent time.Time // DATA last left
	// reorder is when to look for losses again, and probe when to send a tail loss
	// probe; zero: never.
	reorder time.Time
	probeAt time.Time
	// closed: nothing is in flight, and what comes next does not fit into the
	// peer's window; probe: T3-rtx expired meanwhile, so one chunk may leave
	// all the same; probing: it did; probed: a SACK came since. A retransmission is
	// a probe too, while the window is closed.
	closed  bool
	probe   bool
	probing bool
	probed  bool
	// refused: the last that was heard since DATA was sent is that there is no room.
	refused bool
	// purged: messages expired while a packet was being built.
	purged bool
	// lowest: the lowest outstanding chunk was retransmitted just now.
	lowest      bool
	oversize    bool // the packet just built is larger than mtu: see MayFragment
	forwardDue  bool
	forwardedAt time.Time
	immediate   bool // ask for SACKs at once (RFC 7053)
	control     controller
	sample      sample // of the newest SACK; a local one would escape
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
	probes          uint64
}

// start begins with the TSN initial; queued messages stay.
func (s *sender) start(initial tsn) {
	s.out.start(initial, s.forget)
	s.rack.start()
	s.measured, s.reorder, s.probeAt = 0, time.Time{}, time.Time{}
	s.cc.start(s.mtu, s.control)
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

// pathChanged forgets what was measured of another path.
func (s *sender) pathChanged() {
	s.rack.minRTT = 0
	s.cc.control.begin(&s.cc)
}

// opportunity has to be called before anything that may let DATA leave.
func (s *sender) opportunity() { s.cc.opportunity(s.out.flight) }

// drained reports whether everything the user sent is acknowledged.
func (s *sender) drained() bool { return s.out.empty() && s.queue.buffered == 0 }

// sack takes a SACK.
func (s *sender) sack(now time.Time, k sackChunk) (r sackResult, ok bool) {
	s.opportunity()
	r, ok = s.out.ack(now, k.cumTSN, k.gaps)
	if !ok {
		return r, false
	}
	s.rwnd = int(min(k.rwnd, 1<<30))
	s.refused = s.rwnd == 0 && r.acked == 0
	if r.acked == 0 && k.gaps.len() >= manyBlocks {
		s.out.rate.blind(now)
	}
	if n := len(k.duplicates) / 4; n > 0 {
		s.rack.duplicates(&s.out)
		s.cc.duplicates(n)
	}
	repaired := s.rack.probed(s.out.cum, k.duplicates)
	s.settle(now, &r, repaired)
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
	s.out.ackUpTo(cum, s.out.fack, &r)
	s.settle(now, &r, false)
	return r, true
}

// settle draws the conclusions from an acknowledgement: what it measured, what
// was lost, and what congestion control makes of both.
func (s *sender) settle(now time.Time, r *sackResult, repaired bool) {
	at := s.out.rate.since(now)
	k := &s.sample
	*k = sample{at: at, acked: r.acked}
	if r.acked > 0 {
		if s.rack.minRTT == 0 {
			s.cc.pacer.forget() // the handshake's round trip may have been far off
		}
		s.rack.acked(at, r)
		s.cc.pacer.active = s.cc.pacer.active && s.rack.minRTT >= pacedRTT
		k.flown = r.newest.flown
		k.delivered, k.interval = s.out.rate.acked(now, r.acked, k.flown)
		k.blind = k.flown.at <= s.out.rate.blindAt
		// Karn's algorithm (RFC 9260, Section 6.3.1, C5): of a chunk that was sent
		// again it is not known which one arrived. The RFC would also leave out
		// chunks behind one that was sent again, whose Cumulative TSN Ack would be
		// late; but of each gap ack block it is known when it came.
		if r.newest.once() {
			k.rtt = max(at-k.flown.at, 1)
			if int32(r.newest.order-s.measured) >= 0 {
				s.rto.measured(k.rtt)
				s.measured = s.out.order + 1
			}
		}
	}
	recovering := s.cc.inFastRecovery || s.cc.afterTimeout
	k.lost = s.detect(now)
	s.fill(k)
	if r.advanced || r.acked > 0 {
		s.cc.acked(k)
	}
	if recovering && !s.cc.inFastRecovery && !s.cc.afterTimeout {
		s.rack.recovered()
	}
	if k.lost > 0 || repaired {
		s.cc.lost(k)
	}
	s.scheduleProbe(now, r)
}

func (s *sender) fill(k *sample) {
	k.flight, k.cum, k.next, k.allAcked = s.out.flight, s.out.cum, s.out.next, s.out.empty()
	k.minRTT, k.srtt = s.rack.minRTT, s.rto.srtt
	k.total, k.totalLost = s.out.rate.delivered, s.out.rate.lost
}

// detect looks for losses and returns how many bytes were lost.
func (s *sender) detect(now time.Time) int {
	window := s.rack.window(s.out.gapAcks, s.cc.inFastRecovery || s.cc.afterTimeout, s.rto.srtt)
	lost, again := s.rack.detect(now, s.out.rate.since(now), &s.out, window)
	s.reorder = time.Time{}
	if again != 0 {
		s.reorder = s.out.rate.epoch.Add(again)
	}
	s.out.rate.lost += uint32(lost)
	return lost
}

// reorderTimeout is the end of the time left to chunks that may be late.
func (s *sender) reorderTimeout(now time.Time) {
	s.opportunity()
	k := &s.sample
	*k = sample{at: s.out.rate.since(now), lost: s.detect(now)}
	if k.lost > 0 {
		s.fill(k)
		s.cc.lost(k)
		s.tidy(now)
	}
}

// scheduleProbe is Section 7.2 of RFC 8985: a tail loss probe is for when
// nothing is known to be missing.
func (s *sender) scheduleProbe(now time.Time, r *sackResult) {
	switch {
	case s.out.flight == 0 || s.out.gapAcks > 0 || s.cc.inFastRecovery || s.cc.afterTimeout || s.rack.probing || s.probing || !s.reorder.IsZero():
		s.probeAt = time.Time{}
	case s.probeAt.IsZero() || r == nil || r.advanced || r.acked > 0:
		s.probeAt = now.Add(s.rack.probeTimeout(s.rto.srtt, s.out.oldest == s.out.newest))
	}
}

// probeTimeout sends a tail loss probe.
func (s *sender) probeTimeout(now time.Time) {
	s.opportunity()
	s.probeAt = time.Time{}
	st := s.queue.scheduler.current()
	unsent := st != nil && s.out.len() < maxSpan && s.rwnd-s.out.payload >= s.mtu
	if fresh, ok := s.rack.probe(now, &s.out, unsent); ok {
		s.cc.extra, s.cc.fastRetransmit = fresh, !fresh
		s.stats.probes++
	}
}

// answered reports whether the peer is there and has no room for what is
// outstanding: "If the sender continues to receive SACK chunks from the peer while
// doing zero window probing, the unacknowledged window probes SHOULD NOT increment
// the error counter" (Section 6.1, rule A).
func (s *sender) answered() bool { return s.probing && s.probed || s.refused }

// timeout is T3-rtx. It reports whether that says that nothing arrives.
func (s *sender) timeout(now time.Time) (expired bool) {
	s.opportunity()
	if s.out.empty() {
		s.closed = s.closed && s.queue.buffered > 0
		s.probe = s.closed
	}
	s.rto.backOff()
	if s.probe {
		return false
	}
	if expired = !s.answered(); expired {
		s.cc.timeout(s.out.next - 1)
		s.stats.timeouts++
	}
	s.probing = s.probing || s.refused
	s.probed = false
	s.measured = s.out.order + 1
	s.rack.probing, s.reorder, s.probeAt = false, time.Time{}, time.Time{}
	s.out.rate.lost += uint32(s.out.flight)
	s.out.timeout(now)
	s.tidy(now)
	s.forwardDue = s.out.partial && s.out.advanced != s.out.cum
	return expired
}

// again has everything outstanding sent again, although no timer of DATA's own
// expired: it went with a COOKIE ECHO that was lost.
func (s *sender) again(now time.Time) {
	s.out.timeout(now)
	s.tidy(now)
}

// tidy follows up on messages that were abandoned.
func (s *sender) tidy(now time.Time) {
	for _, m := range s.out.cutShort {
		s.dropRest(now, m)
	}
	s.out.cutShort = s.out.cutShort[:0]
	if s.out.partial && s.out.advance() {
		s.forwardDue = true
	}
}

// dropRest drops the unsent rest of a message that was abandoned half-way. One
// more TSN stands for it, never sent but abandoned too, so that there is a
// TSN to forward to even when all that was sent has arrived: otherwise the
// receiver would go on waiting for the rest.
func (s *sender) dropRest(now time.Time, m *outMessage) {
	before := m.stream.buffered
	s.out.push(now, sentChunk{message: m, state: chunkAbandoned, flags: flagEnd, offset: int32(len(m.data))})
	s.queue.drop(m, s.pool)
	s.fell(m.stream, before)
}

// expired reports whether m's time ran out.
func (m *outMessage) expired(now time.Time) bool {
	return !m.expires.IsZero() && !now.Before(m.expires)
}

// interleave says which kind of chunks there will be, and how much the peer can
// hold.
func (s *sender) interleave(on bool, rwnd int) {
	c := &s.queue.scheduler
	c.interleaved, c.window, c.packet = on, rwnd/2, s.mtu
	if s.out.empty() { // else the kind remains, too
		s.out.header = s.headerSize()
	}
}

// headerSize is what a chunk has beside user data.
func (s *sender) headerSize() int {
	if s.queue.scheduler.interleaved {
		return interleavedHeaderSize
	}
	return dataHeaderSize
}

// renumber begins every stream anew, and TSNs at first, while nothing is
// outstanding.
func (s *sender) renumber(first tsn) {
	if first != s.out.next {
		s.start(first)
		s.closed, s.probe, s.probing, s.forwardDue = false, false, false, false
	}
	for _, st := range s.queue.streams { // the order does not show
		st.nextMID, st.nextUnordered = 0, 0
	}
}

// restart begins anew with a peer that lost its state: what is outstanding is
// lost, what is queued stays, every stream begins at SSN zero.
func (s *sender) restart(initial tsn) {
	for _, st := range s.queue.streams { // the order does not show
		if st.head != nil && st.head.cut > 0 {
			s.queue.drop(st.head, s.pool)
		}
		st.nextMID, st.nextUnordered, st.reset = 0, 0, resetNone
	}
	s.out.reset(initial)
	s.rack.start()
	s.measured, s.reorder, s.probeAt = 0, time.Time{}, time.Time{}
	s.cc.start(s.mtu, s.control)
	s.closed, s.probe, s.probing, s.forwardDue = false, false, false, false
}

func (s *sender) shrink() {
	s.out.shrink()
	s.queue.free = nil
}
