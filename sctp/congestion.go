package sctp

import "time"

// congestion is what every congestion control has in common, from RFC 9260,
// Section 7, for the one path that DTLS gives us: when packets may leave, what is
// one loss and what are two, and the window itself, which a controller sets.
// Amounts are bytes of DATA chunks with their headers: what the network carries.
//
// It answers canSend and canResend, and is told what happened. It knows neither
// chunks nor messages.
type congestion struct {
	pmdcs    int // "path maximum DATA chunk size": the room for chunks in a packet
	cwnd     int // congestion window
	ssthresh int // slow-start threshold
	control  controller
	pacer    pacer
	// inFastRecovery is so until exitPoint is acknowledged.
	inFastRecovery bool
	exitPoint      tsn
	// afterTimeout is so until what was outstanding when T3-rtx expired is
	// acknowledged, up to recover.
	afterTimeout bool
	recover      tsn
	// fastRetransmit: one packet of retransmissions may leave whatever the window
	// says; single: no other may, until something is acknowledged; extra: one
	// packet of new data may leave as a tail loss probe.
	fastRetransmit bool
	single         bool
	extra          bool
	// before was in flight before the events that let the next packets leave,
	// and burst is what may be in flight after those; open: both were set since
	// the last packet was built.
	before int
	burst  int
	open   bool
	// undo is how to take back the last cut of the window: what it was, and how
	// many chunks were sent again since and not reported as duplicates.
	undo struct {
		cwnd, ssthresh int
		resent         int
		armed          bool
	}
}

// A controller is a congestion control algorithm. It sets the window of the
// congestion it is given.
type controller interface {
	// begin: the association begins; the window is the initial one.
	begin(c *congestion)
	// acked: a SACK acknowledged something.
	acked(c *congestion, s *sample)
	// lost: chunks were found lost. First says that this is not of a loss that
	// the window was cut for already.
	lost(c *congestion, s *sample, first bool)
	// timeout: T3-rtx expired. First is as with lost.
	timeout(c *congestion, first bool)
	// idle: the sender paused for so many RTOs.
	idle(c *congestion, rtos int)
	// restored: the last cut was taken back.
	restored(c *congestion)
	// rate is how fast to send, in bytes a second; zero: as fast as the window
	// allows.
	rate(c *congestion, srtt time.Duration) float64
}

// A CongestionControl is a congestion control algorithm.
type CongestionControl uint8

// The algorithms.
const (
	BBR     CongestionControl = iota // BBRv3, draft-ietf-ccwg-bbr, and more tolerant of loss
	CUBIC                            // RFC 9438, with HyStart++ (RFC 9406)
	NewReno                          // RFC 9260, Section 7
)

func (k CongestionControl) String() string { return [...]string{"BBR", "CUBIC", "NewReno"}[k] }

func newController(k CongestionControl) controller {
	switch k {
	case NewReno:
		return new(newReno)
	case CUBIC:
		return new(cubic)
	case BBR:
		return new(bbr)
	}
	panic("sctp: Config.Congestion is not one of the algorithms")
}

// A sample is what a SACK tells.
type sample struct {
	at       time.Duration // now, as a rate counts time
	acked    int           // bytes newly acknowledged
	lost     int           // bytes newly found lost
	flight   int           // bytes in flight after it
	cum      tsn
	next     tsn  // the TSN that the next new chunk gets
	allAcked bool // nothing is outstanding
	full     bool // the window was what held the sender back

	rtt    time.Duration // of the chunk that was sent last; zero: not known
	minRTT time.Duration // the least of the path
	srtt   time.Duration

	// delivered bytes in interval are a sample of the delivery rate, for a chunk
	// that flew as flown says; a zero interval is none.
	delivered int
	interval  time.Duration
	flown     flown
	blind     bool   // SACKs had no room for all of what arrived in the interval
	total     uint32 // C.delivered
	totalLost uint32 // C.lost
}

// maxBurst is Max.Burst: packets that may leave at once beyond those that
// replace acknowledged ones (RFC 9260, Section 16).
const maxBurst = 4

// start is Section 7.2.1: "The initial cwnd before data transmission MUST be
// set to min(4 * PMDCS, max(2 * PMDCS, 4404)) bytes if the peer address is an
// IPv4 address and to min(4 * PMDCS, max(2 * PMDCS, 4344)) bytes if the peer
// address is an IPv6 address"; we see no addresses and take the smaller one.
// "The initial value of ssthresh SHOULD be arbitrarily high".
func (c *congestion) start(mtu int, control controller) {
	pmdcs := mtu - headerSize
	*c = congestion{
		pmdcs:    pmdcs,
		cwnd:     min(4*pmdcs, max(2*pmdcs, 4344)),
		ssthresh: 1 << 30,
		control:  control,
	}
	control.begin(c)
}

// canSend reports whether another new DATA chunk may leave: "the sender SHOULD
// exceed cwnd by up to (PMDCS - 1) bytes on a new data transmission if the
// flightsize does not currently reach cwnd" (Section 6.1, rule B).
func (c *congestion) canSend(flight int) bool {
	return c.extra || !c.single && flight < c.cwnd && (c.pacer.active || flight < c.burst)
}

// canResend is the same for a retransmission, of which one packet may leave
// whatever the window says when a loss was just found.
func (c *congestion) canResend(flight int) bool { return c.fastRetransmit || c.canSend(flight) }

// opportunity notes that something is about to happen after which packets may
// leave, with this amount in flight before it. "When the time comes for the
// sender to transmit new DATA chunks, the protocol parameter 'Max.Burst' SHOULD
// be used to limit the number of packets sent" (Section 6.1, rule D). When
// several packets arrive before one is built, the first counts: all that they
// acknowledge may be replaced. Packets that are paced make no bursts.
func (c *congestion) opportunity(flight int) {
	if !c.open {
		c.before, c.burst, c.open = flight, flight+maxBurst*c.pmdcs, true
	}
}

// built notes that a packet was built, with DATA or, for want of room, without.
func (c *congestion) built(data bool) {
	c.open = false
	if data {
		c.fastRetransmit, c.extra = false, false
	}
}

// acked notes what a SACK acknowledged.
func (c *congestion) acked(s *sample) {
	c.single = false
	if c.afterTimeout && s.cum.AtLeast(c.recover) {
		c.afterTimeout = false
	}
	if c.inFastRecovery && s.cum.AtLeast(c.exitPoint) {
		c.inFastRecovery = false
	}
	// A packet that waits for its time would have left, and filled the window.
	s.full = c.before >= c.cwnd || c.pacer.held
	c.pacer.held = false
	c.control.acked(c, s)
}

// lost is Sections 7.2.3 and 7.2.4: SACKs say that chunks are missing.
func (c *congestion) lost(s *sample) {
	// The window was cut for this loss already, if it is of what was outstanding
	// then. That a timeout counts here as well is TCP's rule (RFC 6582, Section 4.1).
	first := !c.inFastRecovery && !c.afterTimeout
	if first {
		c.remember()
		c.inFastRecovery, c.exitPoint = true, s.next-1
		// "Retransmit those K DATA chunks in a single packet. When a Fast Retransmit
		// is being performed, the sender SHOULD ignore the value of cwnd and SHOULD
		// NOT delay retransmission for this single packet."
		c.fastRetransmit = true
	}
	c.control.lost(c, s, first)
}

// timeout is Section 7.2.3: T3-rtx expired. Start slowly again, "and ensure
// that no more than one SCTP packet will be in flight for that address until
// the endpoint receives acknowledgement". Highest is the highest TSN that is
// outstanding.
func (c *congestion) timeout(highest tsn) {
	first := !c.afterTimeout
	if first {
		c.remember()
	}
	c.afterTimeout, c.recover = true, highest
	c.inFastRecovery = false
	c.single, c.fastRetransmit, c.extra = true, true, false
	c.control.timeout(c, first)
}

// idle is told at the end of a pause.
func (c *congestion) idle(rtos int) { c.control.idle(c, rtos) }

// remember keeps the window as it is before a cut.
func (c *congestion) remember() {
	c.undo.cwnd, c.undo.ssthresh, c.undo.resent, c.undo.armed = c.cwnd, c.ssthresh, 0, true
}

// duplicates takes back the last cut when as many duplicates were reported as
// chunks were sent again since: none of them was lost. This is Eifel's response
// (RFC 4015) on the evidence of RFC 3708, which SCTP's SACK has of itself.
func (c *congestion) duplicates(n int) {
	if !c.undo.armed || c.undo.resent == 0 || n == 0 {
		return
	}
	if c.undo.resent -= n; c.undo.resent > 0 {
		return
	}
	c.undo.armed = false
	c.cwnd, c.ssthresh = max(c.cwnd, c.undo.cwnd), max(c.ssthresh, c.undo.ssthresh)
	c.inFastRecovery, c.afterTimeout = false, false
	c.control.restored(c)
}
