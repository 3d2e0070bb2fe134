package sctp

// congestion is the congestion control of RFC 9260, Section 7, in the order of
// that section, for the one path that DTLS gives us. Amounts are bytes of DATA
// chunks with their headers: what the network carries.
//
// It answers two questions, canSend and retransmitNow, and is told what
// happened. It knows neither TSNs nor messages.
type congestion struct {
	pmdcs    int // "path maximum DATA chunk size": the room for chunks in a packet
	cwnd     int // congestion window
	ssthresh int // slow-start threshold
	// partialBytesAcked counts towards the next growth in congestion avoidance.
	partialBytesAcked int
	// inFastRecovery is so until exitPoint is acknowledged.
	inFastRecovery bool
	exitPoint      tsn
	// afterTimeout is so until what was outstanding when T3-rtx expired is
	// acknowledged, up to recover.
	afterTimeout bool
	recover      tsn
	// fastRetransmit: one packet of retransmissions may leave whatever the window
	// says; single: no other may, until something is acknowledged.
	fastRetransmit bool
	single         bool
	// before was in flight before the events that let the next packets leave,
	// and burst is what may be in flight after those; open: both were set since
	// the last packet was built.
	before int
	burst  int
	open   bool
}

// maxBurst is Max.Burst: packets that may leave at once beyond those that
// replace acknowledged ones (RFC 9260, Section 16).
const maxBurst = 4

// start is Section 7.2.1: "The initial cwnd before data transmission MUST be
// set to min(4 * PMDCS, max(2 * PMDCS, 4404)) bytes if the peer address is an
// IPv4 address and to min(4 * PMDCS, max(2 * PMDCS, 4344)) bytes if the peer
// address is an IPv6 address"; we see no addresses and take the smaller one.
// "The initial value of ssthresh SHOULD be arbitrarily high".
func (c *congestion) start(mtu int) {
	pmdcs := mtu - headerSize
	*c = congestion{
		pmdcs:    pmdcs,
		cwnd:     min(4*pmdcs, max(2*pmdcs, 4344)),
		ssthresh: 1 << 30,
	}
}

// canSend reports whether another new DATA chunk may leave: "the sender SHOULD
// exceed cwnd by up to (PMDCS - 1) bytes on a new data transmission if the
// flightsize does not currently reach cwnd" (Section 6.1, rule B).
func (c *congestion) canSend(flight int) bool {
	return !c.single && flight < min(c.cwnd, c.burst)
}

// canResend is the same for a retransmission, of which one packet may leave
// whatever the window says when a loss was just found.
func (c *congestion) canResend(flight int) bool { return c.fastRetransmit || c.canSend(flight) }

// opportunity notes that something is about to happen after which packets may
// leave, with this amount in flight before it. "When the time comes for the
// sender to transmit new DATA chunks, the protocol parameter 'Max.Burst' SHOULD
// be used to limit the number of packets sent" (Section 6.1, rule D). When
// several packets arrive before one is built, the first counts: all that they
// acknowledge may be replaced.
func (c *congestion) opportunity(flight int) {
	if !c.open {
		c.before, c.burst, c.open = flight, flight+maxBurst*c.pmdcs, true
	}
}

// built notes that a packet was built, with DATA or, for want of room, without.
func (c *congestion) built(data bool) {
	c.open = false
	if data {
		c.fastRetransmit = false
	}
}

// acked notes that a SACK acknowledged n bytes.
func (c *congestion) acked(n int, cum tsn, allAcked bool) {
	c.single = false
	if c.afterTimeout && cum.AtLeast(c.recover) {
		c.afterTimeout = false
	}
	if c.inFastRecovery {
		// Section 7.2.4: growth has to wait until what was outstanding at the
		// loss is acknowledged.
		if cum.AtLeast(c.exitPoint) {
			c.inFastRecovery = false
		} else {
			return
		}
	}
	full := c.before >= c.cwnd
	if c.cwnd <= c.ssthresh {
		// Section 7.2.1: "only if the current congestion window is being fully
		// utilized and the data sender is not in Fast Recovery", by at most "L
		// times the destination's PMDCS"; "the positive integer L SHOULD be 1".
		if full {
			c.cwnd += min(n, c.pmdcs)
		}
		return
	}
	// Section 7.2.2: one PMDCS a round trip.
	c.partialBytesAcked += n
	switch {
	case c.partialBytesAcked >= c.cwnd && full:
		c.partialBytesAcked -= c.cwnd
		c.cwnd += c.pmdcs
	case c.partialBytesAcked > c.cwnd:
		c.partialBytesAcked = c.cwnd
	}
	// "When all of the data transmitted by the sender has been acknowledged by
	// the receiver, partial_bytes_acked is initialized to 0."
	if allAcked {
		c.partialBytesAcked = 0
	}
}

// lost is Sections 7.2.3 and 7.2.4: SACKs say that chunks are missing; exit is
// the highest TSN that is outstanding.
func (c *congestion) lost(exit tsn) {
	if c.inFastRecovery || c.afterTimeout {
		// The window was cut for this loss already. That a timeout counts here
		// as well is TCP's rule (RFC 6582, Section 4.1).
		return
	}
	c.ssthresh = max(c.cwnd/2, 4*c.pmdcs)
	c.cwnd = c.ssthresh
	c.partialBytesAcked = 0
	c.inFastRecovery, c.exitPoint = true, exit
	// "Retransmit those K DATA chunks in a single packet. When a Fast Retransmit
	// is being performed, the sender SHOULD ignore the value of cwnd and SHOULD
	// NOT delay retransmission for this single packet."
	c.fastRetransmit = true
}

// timeout is Section 7.2.3: T3-rtx expired. Start slowly again, "and ensure
// that no more than one SCTP packet will be in flight for that address until
// the endpoint receives acknowledgement". Highest is the highest TSN that is
// outstanding.
func (c *congestion) timeout(highest tsn) {
	c.afterTimeout, c.recover = true, highest
	c.ssthresh = max(c.cwnd/2, 4*c.pmdcs)
	c.cwnd = c.pmdcs
	c.partialBytesAcked = 0
	c.inFastRecovery = false
	c.single, c.fastRetransmit = true, true
}

// idle is the end of Section 7.2.1: "While the endpoint does not transmit data
// on a given transport address, the cwnd of the transport address SHOULD be
// adjusted to max(cwnd / 2, 4 * PMDCS) once per RTO. Before the first cwnd
// adjustment, the ssthresh of the transport address SHOULD be set to the cwnd."
func (c *congestion) idle(rtos int) {
	c.ssthresh = max(c.cwnd, 4*c.pmdcs)
	for ; rtos > 0 && c.cwnd > 4*c.pmdcs; rtos-- {
		c.cwnd = max(c.cwnd/2, 4*c.pmdcs)
	}
}
