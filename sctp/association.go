package sctp

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// A Config says how an association is to behave. Rand is required; every other
// zero field means its default.
type Config struct {
	// Rand gives verification tags, initial TSNs, and the key that
	// authenticates state cookies.
	Rand  io.Reader
	Trace *trace.Tracer // nil: no trace

	LocalPort  uint16 // 5000
	RemotePort uint16 // 5000

	// DTLS says that the packets travel in DTLS records. They need no checksum
	// of their own then, if the peer agrees (RFC 9653).
	DTLS bool

	// Without holds extensions that are not announced, and not used. Zero: none,
	// but ZeroChecksum needs DTLS.
	Without Extensions

	// LocalInit and RemoteInit are the INIT chunks that the ends told each other
	// beforehand, ours as NewInit made it (SNAP). With both of them Connect
	// establishes the association at once; otherwise they count for nothing.
	LocalInit, RemoteInit []byte

	// MTU is the size of the largest SCTP packet that any path carries: what is
	// left of a datagram after DTLS. 1160, which fits a 1200-byte datagram under any
	// cipher suite. MaxMTU and Headers are what SetMaxMTU says of the first path:
	// with them, larger packets are searched for.
	MTU             int
	MaxMTU, Headers int

	// ReceiveWindow is how much the peer may have us hold, in bytes with our
	// overhead: 1 MiB at first. It is raised, if need be, so that two messages of
	// MaxMessageSize fit, or of 256 KiB, one that the user has and one that comes; one
	// longer message at a time may be held beside it. It grows up to MaxReceiveWindow,
	// 16 MiB, where the user takes so much in a round trip that it would slow the peer
	// down.
	ReceiveWindow    int
	MaxReceiveWindow int

	// MaxMessageSize is the largest message we accept, the max-message-size we
	// announce in SDP: 256 KiB. A peer that sends a larger one is aborted.
	MaxMessageSize int

	// PeerMaxMessageSize is the largest message that the peer accepts, by its
	// max-message-size. Zero: no limit.
	PeerMaxMessageSize int

	// Scheduling says how streams share the association: WeightedFairQueueing.
	Scheduling SchedulingPolicy

	// Congestion is the congestion control of what we send: BBR.
	Congestion CongestionControl

	OutStreams uint16 // outbound streams we ask for: 65535
	InStreams  uint16 // inbound streams we allow: 65535

	// The retransmission timeout. RTOInitial is RTO.Initial: 1 s, as in the RFC.
	// RTOMin is RTO.Min: 250 ms, where the RFC has 1 s, because interactive use
	// cannot wait so long; a variance term of 220 ms at least covers SACKs that
	// the peer delays. RTOMax is RTO.Max: 5 s, where the RFC has 60, because
	// below ICE a path that was lost comes back at once, as another one.
	RTOInitial time.Duration
	RTOMin     time.Duration
	RTOMax     time.Duration

	// MaxRetransmits is Association.Max.Retrans: 10. After as many timeouts in
	// a row the peer is unreachable.
	MaxRetransmits int

	// MaxInitRetransmits is Max.Init.Retransmits: 8.
	MaxInitRetransmits int

	HeartbeatInterval time.Duration // HB.Interval: 30 s
	CookieLifetime    time.Duration // Valid.Cookie.Life: 60 s
}

func orDefault[T int | uint16 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

func (c *Config) setDefaults() {
	if c.Rand == nil {
		panic("sctp: Config.Rand is required")
	}
	orDefault(&c.LocalPort, 5000)
	orDefault(&c.RemotePort, 5000)
	orDefault(&c.MTU, 1160)
	c.MTU = max(c.MTU&^3, minMTU)
	orDefault(&c.ReceiveWindow, 1<<20)
	orDefault(&c.MaxMessageSize, 256<<10)
	c.ReceiveWindow = max(c.ReceiveWindow, 2*bufferSize(min(c.MaxMessageSize, longFrom))+minReceiveWindow)
	orDefault(&c.MaxReceiveWindow, 16<<20)
	orDefault(&c.OutStreams, 65535)
	orDefault(&c.InStreams, 65535)
	orDefault(&c.RTOInitial, time.Second)
	orDefault(&c.RTOMin, 250*time.Millisecond)
	orDefault(&c.RTOMax, 5*time.Second)
	orDefault(&c.MaxRetransmits, 10)
	orDefault(&c.MaxInitRetransmits, 8)
	orDefault(&c.HeartbeatInterval, 30*time.Second)
	orDefault(&c.CookieLifetime, time.Minute)
}

const (
	// minMTU is what INIT ACK with our cookie needs, and then some.
	minMTU = 256
	// minReceiveWindow is what the window has beside the largest message: some
	// packets, so that the sender learns of losses from those after them.
	minReceiveWindow = 8 << 10
)

// An Association is one end of an SCTP association over one DTLS connection.
// It is not safe for concurrent use.
type Association struct {
	cfg   Config
	state State
	ended bool  // an association was and is no more
	err   error // why; nil after a shutdown

	localTag uint32 // verification tag of packets that arrive
	peerTag  uint32 // of those that leave; zero while unknown
	tie      tieTags
	secret   [32]byte // authenticates our cookies

	snap  *snap      // if there was no handshake
	setup *setup     // in StateCookieWait and StateCookieEchoed
	peer  Extensions // what the peer supports, of what we do
	out   uint16     // outbound streams: until agreed, those we ask for

	recv receiver
	send sender
	pool buffers // of both sides

	reconfig  reconfig
	heartbeat heartbeat
	pmtud     pmtud
	timers    timers.Table[timerKind]
	failures  int // timeouts in a row

	due     due      // control chunks to build
	control []byte   // control chunks that were built when their occasion came
	replies [][]byte // packets that belong to no association of ours
	events  eventQueue
	packets packetStats
	entropy [16]byte // where Rand writes to: a local array would escape
}

// New returns an association in state StateClosed: it waits for the peer's INIT
// until Connect is called.
func New(cfg Config) *Association {
	cfg.setDefaults()
	a := &Association{cfg: cfg, out: cfg.OutStreams}
	a.random(a.secret[:])
	a.tie = tieTags{a.random32(), a.random32()}
	a.recv = receiver{
		window:  window{limit: cfg.ReceiveWindow, most: cfg.MaxReceiveWindow, maxMessage: cfg.MaxMessageSize},
		pool:    &a.pool,
		streams: cfg.InStreams,
	}
	a.pmtud.start(&cfg)
	a.send = sender{mtu: a.pmtud.floor(), pool: &a.pool, control: newController(cfg.Congestion), fell: a.bufferedAmountFell}
	a.send.queue.scheduler.policy = cfg.Scheduling
	a.send.start(0)
	a.send.rto.start(cfg.RTOInitial, cfg.RTOMin, cfg.RTOMax)
	return a
}

func (a *Association) random(b []byte) {
	if _, err := io.ReadFull(a.cfg.Rand, b); err != nil {
		panic("sctp: Config.Rand failed: " + err.Error())
	}
}

// random32 returns a random number that is not zero, as a verification tag
// must be.
func (a *Association) random32() uint32 {
	for {
		a.random(a.entropy[:4])
		if v := binary.BigEndian.Uint32(a.entropy[:]); v != 0 {
			return v
		}
	}
}

// random64 is the same of 64 bits.
func (a *Association) random64() uint64 {
	a.random(a.entropy[:8])
	return binary.BigEndian.Uint64(a.entropy[:]) | 1
}

// State returns the association's state.
func (a *Association) State() State { return a.state }

// Err is why the association ended: nil before, and after a shutdown that went
// well; a *LocalError, *PeerError or *TimeoutError otherwise.
func (a *Association) Err() error { return a.err }

// A Message is a user message to be sent.
type Message struct {
	Stream uint16
	PPID   uint32 // payload protocol identifier: the peer's business, not ours
	Data   []byte // at least one byte; copied

	// Unordered lets the peer have it before earlier messages of the stream.
	Unordered bool

	// Limited makes MaxRetransmits count: after as many retransmissions of one
	// of its fragments the message is abandoned (RFC 3758). Zero: it is sent
	// once. It takes effect if the peer supports partial reliability.
	Limited        bool
	MaxRetransmits uint16

	// Lifetime, if not zero, is how long it may take to send and retransmit
	// the message before it is abandoned.
	Lifetime time.Duration
}

// Send queues a message. It copies Data and does not limit how much is
// queued: the caller keeps an eye on Buffered or BufferedAmount. Before the
// association is established messages wait; they leave with the COOKIE ECHO or
// COOKIE ACK.
func (a *Association) Send(now time.Time, m Message) error {
	switch {
	case a.ended || a.state > StateEstablished:
		return ErrClosed
	case len(m.Data) == 0:
		return ErrEmpty
	case a.cfg.PeerMaxMessageSize > 0 && len(m.Data) > a.cfg.PeerMaxMessageSize || len(m.Data) > 1<<30:
		return ErrTooLarge
	case m.Stream >= a.out:
		return ErrStream
	}
	s := a.send.queue.stream(m.Stream)
	if s.reset != resetNone {
		return ErrResetting
	}
	a.send.wake(now)
	a.send.opportunity()
	q := a.send.queue.message()
	q.stream = s
	q.data = append(a.pool.get(len(m.Data)), m.Data...)
	q.ppid, q.unordered, q.maxRetransmits = m.PPID, m.Unordered, -1
	if m.Limited {
		q.maxRetransmits = int(m.MaxRetransmits)
	}
	if m.Lifetime > 0 {
		q.expires = now.Add(m.Lifetime)
	}
	a.send.queue.push(q)
	return nil
}

// A Received is a message from the peer.
type Received struct {
	Stream    uint16
	PPID      uint32
	Unordered bool
	// Data stays valid, and counts against the receive window, until Release.
	Data []byte
}

// NextMessage returns the next message that arrived, if there is one. The
// caller passes it to Release when done with its Data, or to Keep, without having
// re-sliced that.
func (a *Association) NextMessage() (Received, bool) {
	d, ok := a.recv.delivery.take()
	if !ok {
		return Received{}, false
	}
	a.recv.lent++
	return Received{Stream: d.stream, PPID: d.ppid, Unordered: d.flags&flagUnordered != 0, Data: d.payload}, true
}

// Release gives the Data of a message back, and with it room in the receive
// window.
func (a *Association) Release(now time.Time, m Received) {
	a.released(now, m)
	a.recv.pool.put(m.Data)
	a.reopen()
}

// Keep is Release for a caller who wants to have Data for good.
func (a *Association) Keep(now time.Time, m Received) {
	a.released(now, m)
	a.reopen()
}

func (a *Association) released(now time.Time, m Received) {
	a.recv.lent--
	rtt := a.send.rack.minRTT
	if rtt == 0 {
		rtt = a.send.rto.srtt
	}
	a.recv.window.released(now, len(m.Data), rtt)
	long := a.recv.window.isLong(m.Data)
	a.recv.window.forget(m.Data)
	if long {
		a.recv.nextLong()
	}
}

// reopen tells the peer that there is room again.
func (a *Association) reopen() {
	if a.state.receivesData() && a.recv.ack.first && a.recv.ack.reopened(a.recv.window.rwnd(), a.recv.window.limit) {
		a.recv.ack.due = true
	}
}

// BufferedAmount is the W3C's bufferedAmount of a stream: bytes of its
// messages that were not sent yet, not even once.
func (a *Association) BufferedAmount(stream uint16) int {
	if s := a.send.queue.streams[stream]; s != nil {
		return s.buffered
	}
	return 0
}

// SetBufferedAmountLow makes a [BufferedAmountLow] event be reported whenever
// the stream's buffered amount falls from above low to low or less, until the
// stream is reset.
func (a *Association) SetBufferedAmountLow(stream uint16, low int) {
	s := a.send.queue.stream(stream)
	s.low, s.watched = low, true
}

// SetStreamPriority sets the priority of an outgoing stream, which Config's
// Scheduling gives a meaning: DefaultPriority, until it is set, and again after
// the stream is reset.
func (a *Association) SetStreamPriority(stream, priority uint16) {
	q := &a.send.queue
	q.scheduler.prioritize(q.stream(stream), priority)
}

// Buffered is how many bytes of messages wait to be sent, on all streams.
func (a *Association) Buffered() int { return a.send.queue.buffered }

// bufferedAmountFell is told by the sender.
func (a *Association) bufferedAmountFell(s *outStream, before int) {
	if s.watched && s.buffered <= s.low && before > s.low {
		a.events.push(BufferedAmountLow{Stream: s.id})
	}
}

// NextTimeout is when Advance has to be called next; zero: no timer is running.
func (a *Association) NextTimeout() time.Time { return a.timers.Next() }

// Advance fires the timers that are due.
func (a *Association) Advance(now time.Time) {
	for {
		k, ok := a.timers.Due(now)
		if !ok {
			return
		}
		a.cfg.Trace.Timer(now, trace.SCTP, k.String())
		switch k {
		case timerT1Init:
			a.initTimeout(now)
		case timerT1Cookie:
			a.cookieTimeout(now)
		case timerT2Shutdown:
			a.shutdownTimeout(now)
		case timerT3:
			a.retransmitTimeout(now)
		case timerT5Guard:
			a.abort(now, &LocalError{UserInitiatedAbort, "the shutdown took too long"})
		case timerSack:
			a.recv.ack.timeout()
		case timerReorder:
			a.send.reorderTimeout(now)
			a.lossTimers()
			a.largeLost(now)
			a.traceCongestion(now)
		case timerProbe:
			a.send.probeTimeout(now)
			a.lossTimers()
		case timerPace:
			// AppendPacket has something to send now.
		case timerReconfig:
			a.reconfigTimeout(now)
		case timerHeartbeat:
			a.heartbeatTimeout(now)
		case timerPathProbe:
			a.probeLost(now)
		}
	}
}

// retransmitTimeout is RFC 9260, Section 6.3.3.
func (a *Association) retransmitTimeout(now time.Time) {
	s := &a.send
	if !s.out.empty() && !s.answered() && a.failed(now, "SACK") {
		return
	}
	if expired := s.timeout(now); expired {
		a.pathLoses(now)
	}
	a.lossTimers()
	if !s.out.empty() || s.closed {
		a.timers.Set(timerT3, now.Add(s.rto.current))
	}
	a.traceCongestion(now)
}

// lossTimers sets the timers of RACK-TLP. A probe is of use only before T3-rtx
// expires.
func (a *Association) lossTimers() {
	s := &a.send
	a.timers.Set(timerReorder, s.reorder)
	if !s.probeAt.IsZero() && a.timers.Running(timerT3) && s.probeAt.Before(a.timers.At(timerT3)) {
		a.timers.Set(timerProbe, s.probeAt)
	} else {
		a.timers.Stop(timerProbe)
	}
}

// failed counts a timeout and ends the association when there were too many:
// RFC 9260, Section 8.1. There is one path, so
// the path's counter and the association's are the same.
func (a *Association) failed(now time.Time, waiting string) bool {
	a.failures++
	if a.failures <= a.cfg.MaxRetransmits {
		return false
	}
	a.replyAbort(a.peerTag, 0, appendCause(nil, UserInitiatedAbort, []byte("no answer for too long")))
	a.end(now, &TimeoutError{Waiting: waiting, Tries: a.failures})
	return true
}

// end is the end of the association; Closed is its last event.
func (a *Association) end(now time.Time, err error) {
	a.ended, a.err = true, err
	a.setState(now, StateClosed)
	a.events.push(Closed{Err: err})
}
