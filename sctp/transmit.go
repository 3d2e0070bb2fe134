package sctp

import "time"

// How data leaves: whether anything may, which chunks go into a packet, and what is
// noted of them.

// ready reports whether a DATA chunk would leave now. If only the pacer holds it
// back, until is when it may.
func (s *sender) ready(now time.Time) (ok bool, until time.Time) {
	switch {
	case s.out.marked > 0:
		ok = s.mayResend()
	case s.queue.scheduler.current() != nil:
		ok = s.cc.canSend(s.out.flight)
	case s.out.flight < s.cc.cwnd:
		s.out.rate.ranOut(s.out.flight)
	}
	if ok && !s.cc.fastRetransmit && !s.cc.extra && s.cc.pacer.waits(now) {
		s.cc.pacer.held = true
		return false, s.cc.pacer.release
	}
	return ok, time.Time{}
}

// mayResend reports whether a chunk may be sent again now: a peer without room is
// sent one packet at a time.
func (s *sender) mayResend() bool {
	if s.probing && s.rwnd == 0 && s.out.flight > 0 {
		return false
	}
	return s.cc.canResend(s.out.flight)
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
		fits := len(b)-start+s.headerSize()+padded(int(c.size)) <= s.mtu
		if !s.mayResend() || !fits && len(b)-start > headerSize {
			return s.sentData(now, b, began)
		}
		s.out.resend(now, n, c)
		b = s.appendChunk(b, n, c)
		s.stats.retransmissions++
		s.cc.undo.resent++
		s.lowest = s.lowest || n == s.out.cum+1
		if !fits {
			s.oversize = true
			return s.sentData(now, b, began)
		}
	}
	for {
		queued := s.queue.buffered
		m := s.queue.first(now, s.pool, s.fell)
		s.purged = s.purged || s.queue.buffered != queued
		if m == nil || !s.cc.canSend(s.out.flight) || s.out.len() >= maxSpan {
			break
		}
		room := (s.mtu - (len(b) - start) - s.headerSize()) &^ 3
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
		s.refused = false
		s.pace(now, len(b)-began)
		s.scheduleProbe(now, nil)
	}
	return b
}

// pace notes that size bytes leave.
func (s *sender) pace(now time.Time, size int) {
	rate := 0.0
	rtt := s.rack.minRTT
	if rtt == 0 {
		rtt = s.rto.srtt // of the handshake
	}
	if rtt >= pacedRTT {
		srtt := s.rto.srtt
		if s.rack.any {
			srtt = min(srtt, s.rack.rtt)
		}
		rate = s.cc.control.rate(&s.cc, srtt)
	}
	s.cc.pacer.sent(now, size, rate, maxBurst*s.cc.pmdcs)
}

// appendNew cuts n bytes off m into a new DATA chunk.
func (s *sender) appendNew(now time.Time, b []byte, m *outMessage, n int) []byte {
	c := sentChunk{message: m, offset: int32(m.cut), size: int32(n), transmissions: 1}
	if m.cut == 0 {
		c.flags = flagBegin
		// The number is assigned only now, so that a message which expires in the
		// queue leaves no hole.
		next := &m.stream.nextMID
		if m.unordered {
			next = &m.stream.nextUnordered
		}
		m.mid = *next
		*next++
	}
	if m.unordered {
		c.flags |= flagUnordered
	}
	c.fsn = m.fsn
	m.fsn++
	if m.cut+n == len(m.data) {
		c.flags |= flagEnd
		s.stats.messages++
	}
	t := s.out.push(now, c)
	b = s.appendChunk(b, t, &c)
	before := m.stream.buffered
	s.queue.cut(m, n)
	s.stats.bytes += uint64(n)
	s.fell(m.stream, before)
	return b
}

// appendChunk writes an outstanding chunk.
func (s *sender) appendChunk(b []byte, n tsn, c *sentChunk) []byte {
	m := c.message
	d := dataChunk{
		flags:       c.flags,
		interleaved: s.queue.scheduler.interleaved,
		tsn:         n,
		stream:      m.stream.id,
		mid:         m.mid,
		fsn:         c.fsn,
		ppid:        m.ppid,
		payload:     m.data[c.offset : c.offset+c.size],
	}
	if !m.unordered {
		d.ssn = ssn(m.mid)
	}
	// RFC 7053, Section 4: the SACK is wanted at once where this end can do
	// nothing until it comes.
	if s.immediate || s.probing || s.cc.extra || c.transmissions > 1 && !s.cc.inFastRecovery {
		d.flags |= flagImmediate
	}
	return d.append(b)
}
