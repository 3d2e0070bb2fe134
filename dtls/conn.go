package dtls

import (
	"io"
	"time"

	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/internal/trace"
)

const (
	// alertGrace is how long a handshake may stand still after a fatal alert
	// that came in clear, before the alert is believed.
	alertGrace = time.Second
	// maxAlertRepeats is how often a connection that ended tells so again to a
	// peer that goes on.
	maxAlertRepeats = 4
	// maxEarly and maxEarlySize bound the records held that came before their
	// keys, or application data before Finished: a flight, and what a hasty
	// peer sends right behind it.
	maxEarly     = 16
	maxEarlySize = 20 << 10
)

// A Conn is one end of a DTLS connection. It is not safe for concurrent use.
type Conn struct {
	config   Config
	isClient bool
	state    State
	timers   timers.Table[timer]
	layer    recordLayer
	// writeEpoch is the epoch of what is sent now: 1 once ChangeCipherSpec is.
	writeEpoch uint64
	flight     flight
	hs         *handshake // nil once established or closed
	chosen     ConnectionState
	// recordLimit is the most plaintext of a record that we send.
	recordLimit int
	secrets     *secrets // nil until established

	// session is what DTLS 1.3 needs once established; nil before, and in 1.2.
	session *session13
	acks    acker

	// validated is set once the peer has shown that it receives at its address;
	// until then bytesIn and bytesOut are counted.
	validated         bool
	bytesIn, bytesOut int

	// early are the records held, and earlySize their bytes; retryEarly is set
	// when something happened that they may have waited for.
	early      [][]byte
	earlySize  int
	retryEarly bool

	// data is the application data of the last datagram, borrowed from it, of
	// which nextData are handed out.
	data     [][]byte
	nextData int

	alert        alertMessage // to be sent, or sent before; level 0: none
	alertUnsent  bool
	alertRepeats int
	alertSentAt  time.Time
	// rumour is the fatal alert that came in clear last; see alertGrace.
	rumour Alert

	// dropReason and dropSize are the drops not yet told to the trace.
	dropReason string
	dropSize   int

	events []Event
	err    error
}

// An Event is a rare fact that a connection tells its owner.
type Event interface{ event() }

// Established tells that the handshake is done: the peer has the key of the
// certificate that was asked for, and application data flows.
type Established struct{}

// Closed tells that the connection ended. Err is a [*LocalError], a
// [*PeerError] or a [*TimeoutError].
type Closed struct{ Err error }

func (Established) event() {}
func (Closed) event()      {}

// A timer is one of a connection's timers.
type timer uint8

const (
	// timerRetransmit runs while a flight waits for its answer.
	timerRetransmit timer = iota
	// timerHandshake bounds the whole handshake, and later a KeyUpdate.
	timerHandshake
	// timerAlert runs after an alert that nobody authenticated; see alertGrace.
	timerAlert
	// timerACK runs while the peer's flight is incomplete, or lacks its beginning.
	timerACK
)

func (t timer) String() string {
	return [...]string{"retransmit", "handshake", "alert", "ack"}[t]
}

// ConnectionState is what the two ends agreed on.
type ConnectionState struct {
	Version     Version
	CipherSuite CipherSuite
	Group       Group
	// SRTPProfile is zero when use_srtp was not negotiated.
	SRTPProfile SRTPProfile
	// RecordSizeLimit is the most plaintext that the peer takes in a record (RFC
	// 8449); zero when it did not say.
	RecordSizeLimit int
	// PeerCertificate is the peer's certificate in DER.
	PeerCertificate []byte
}

// NewClient returns a connection that will send the ClientHello.
func NewClient(config Config) (*Conn, error) { return newConn(config, true) }

// NewServer returns a connection that waits for a ClientHello.
func NewServer(config Config) (*Conn, error) { return newConn(config, false) }

func newConn(config Config, isClient bool) (*Conn, error) {
	config, err := config.withDefaults(isClient)
	if err != nil {
		return nil, err
	}
	c := &Conn{config: config, recordLimit: maxPlaintext, isClient: isClient, validated: isClient || config.PathValidated}
	c.hs = &handshake{
		c:          c,
		secrets:    new(secrets),
		transcript: make([]byte, 0, 3<<10),
	}
	c.flight.buf = make([]byte, 0, 1<<10)
	c.flight.items = make([]flightItem, 0, 5)
	random := &c.hs.secrets.serverRandom
	if isClient {
		random = &c.hs.secrets.clientRandom
	}
	if _, err := io.ReadFull(config.Rand, random[:]); err != nil {
		return nil, randError(err)
	}
	switch {
	case isClient:
	case config.sharesCookies():
		c.hs.cookieSecret = config.addressSecret()
	case config.Cookie || config.speaks(DTLS13):
		if _, err := io.ReadFull(config.Rand, c.hs.cookieSecret[:]); err != nil {
			return nil, randError(err)
		}
	}
	return c, nil
}

// Connect starts a client's handshake. A server it makes ready, and starts the
// time within which its handshake must be done; the first datagram does so too.
func (c *Conn) Connect(now time.Time) {
	if c.state != StateNew {
		return
	}
	c.timers.Set(timerHandshake, now.Add(c.config.HandshakeTimeout))
	if c.isClient {
		if err := c.hs.sendClientHello(now, nil); err != nil {
			c.fail(now, asLocal(err))
		}
	} else {
		c.setState(now, StateAwaitClientHello)
	}
}

// repeatFlight sends the last flight again because the peer repeated its own:
// "the receipt of a duplicate message is the likely result of timer expiry on
// the peer and therefore suggests that part of one's previous flight was lost"
// (RFC 6347, Section 4.2.4). But the timer may have expired because the path is
// long, or the network may have made a copy; so this is for flights that were
// sent a while ago. The last flight of the handshake has no timer of its own to
// fall back on, and is short.
func (c *Conn) repeatFlight(now time.Time) {
	f := &c.flight
	wait := f.rto / 2
	if f.final {
		wait = c.config.InitialRTO / 2
	}
	c.repeatIfOlder(now, wait)
}

// repeatIfOlder sends the last flight again if that was done a while ago.
func (c *Conn) repeatIfOlder(now time.Time, wait time.Duration) {
	if f := &c.flight; len(f.items) > 0 && !f.unsent() && now.Sub(f.sentAt) >= wait {
		f.repeat()
	}
}

// Advance fires the timers that are due.
func (c *Conn) Advance(now time.Time) {
	for {
		t, ok := c.timers.Due(now)
		if !ok {
			return
		}
		c.config.Trace.Timer(now, trace.DTLS, t.String())
		switch t {
		case timerRetransmit:
			c.flight.repeat()
		case timerHandshake:
			c.close(now, &TimeoutError{Waiting: c.state, KeyUpdate: c.session != nil && c.session.updating})
		case timerAlert:
			c.close(now, &PeerError{Alert: c.rumour, Unauthenticated: true})
		case timerACK:
			c.acks.unsent = true
			if len(c.acks.numbers) > 0 { // an empty one is not repeated: ClientHello is
				c.acks.delay = min(2*c.acks.delay, maxRTO)
				c.timers.Set(timerACK, now.Add(c.acks.delay))
			}
		}
	}
}

// NextTimeout is when Advance wants to be called; zero when no timer runs.
func (c *Conn) NextTimeout() time.Time { return c.timers.Next() }

// AppendPacket appends the next datagram of the handshake, or one with an
// alert, to b. It returns b as it is when there is nothing to send.
func (c *Conn) AppendPacket(now time.Time, b []byte) []byte {
	start := len(b)
	room := c.config.MTU
	if !c.validated {
		room = min(room, maxAmplification*c.bytesIn-c.bytesOut)
	}
	c.updateKeysInTime(now)
	if f := &c.flight; f.unsent() {
		if f.begun.IsZero() {
			f.begun = now
		}
		b = f.append(b, &c.layer, room)
		if !f.unsent() {
			f.sentAt = now
			if !f.final {
				c.timers.Set(timerRetransmit, now.Add(f.rto))
			}
		}
	}
	b = c.appendACK(b, room-(len(b)-start))
	if c.alertUnsent && len(b)-start+c.layer.overhead(c.writeEpoch)+2 <= room {
		c.alertUnsent, c.alertSentAt = false, now
		rec := len(b)
		b = c.layer.begin(b, typeAlert, c.writeEpoch)
		b = c.alert.append(b)
		b = c.layer.end(b, rec)
	}
	c.bytesOut += len(b) - start
	return b
}

// maxAmplification is how many times the bytes that came from an address are
// sent there before it is known to be the client's: what RFC 9000, Section 8
// allows QUIC. DTLS leaves the number to us.
const maxAmplification = 3

// NextEvent returns the next event, if there is one.
func (c *Conn) NextEvent() (Event, bool) {
	if len(c.events) == 0 {
		return nil, false
	}
	e := c.events[0]
	if c.events = c.events[1:]; len(c.events) == 0 {
		c.events = nil
	}
	return e, true
}

// NextData returns the next application data of the datagram received last. It
// is valid until the next call of Receive.
func (c *Conn) NextData() ([]byte, bool) {
	if c.nextData == len(c.data) {
		return nil, false
	}
	c.nextData++
	return c.data[c.nextData-1], true
}

// State returns what the connection waits for.
func (c *Conn) State() State { return c.state }

// Established reports whether application data can be sealed.
func (c *Conn) Established() bool { return c.state == StateEstablished }

// Err returns why the connection ended: a [*LocalError], a [*PeerError] or a
// [*TimeoutError]; nil while it has not.
func (c *Conn) Err() error { return c.err }

// ConnectionState returns what was agreed on; zero before [Established].
func (c *Conn) ConnectionState() ConnectionState { return c.chosen }

// Close ends the connection, and tells the peer with close_notify.
func (c *Conn) Close(now time.Time) {
	c.sendAlertOnClose(alertMessage{levelWarning, AlertCloseNotify})
	c.close(now, &LocalError{AlertCloseNotify, "the connection was closed"})
}

// fail ends the connection with a fatal alert.
func (c *Conn) fail(now time.Time, err *LocalError) {
	c.sendAlertOnClose(alertMessage{levelFatal, err.Alert})
	c.close(now, err)
}

// establish ends the handshake, of which only what later calls need is kept.
func (c *Conn) establish(now time.Time) {
	h := c.hs
	c.chosen = ConnectionState{
		Version:         DTLS12,
		CipherSuite:     h.params.suite,
		Group:           h.group,
		SRTPProfile:     h.srtp,
		RecordSizeLimit: h.recordLimit,
		PeerCertificate: h.peerDER,
	}
	c.secrets = h.secrets
	c.secrets.prf = prf{}
	c.hs = nil
	c.flight.shrink()
	c.retryEarly = true
	c.timers.StopAll()
	c.setState(now, StateEstablished)
	c.events = append(c.events, Established{})
}

// establish13 ends the handshake of DTLS 1.3. A client's last flight is still on
// its way then, and is sent again until it is acknowledged.
func (c *Conn) establish13(now time.Time) {
	h := c.hs
	c.chosen = ConnectionState{
		Version:         DTLS13,
		CipherSuite:     h.params.suite,
		Group:           h.group,
		SRTPProfile:     h.srtp,
		RecordSizeLimit: h.recordLimit,
		PeerCertificate: h.peerDER,
	}
	c.session = &session13{
		schedule:     h.exporter,
		in:           reassembly{next: h.in.next},
		sendSeq:      h.sendSeq,
		clientRandom: h.secrets.clientRandom,
	}
	c.hs = nil
	c.retryEarly = true
	c.timers.Stop(timerAlert)
	c.setState(now, StateEstablished)
	c.events = append(c.events, Established{})
}

// close ends the connection.
func (c *Conn) close(now time.Time, err error) {
	if c.state == StateClosed {
		return
	}
	c.err = err
	c.hs = nil
	c.flight.drop()
	c.early, c.earlySize = nil, 0
	c.timers.StopAll()
	c.setState(now, StateClosed)
	c.events = append(c.events, Closed{err})
}

func (c *Conn) sendAlert(m alertMessage) { c.alert, c.alertUnsent = m, true }

// sendAlertOnClose sends the alert that ends the connection, if it has begun
// and not ended.
func (c *Conn) sendAlertOnClose(m alertMessage) {
	if c.state != StateNew && c.state != StateClosed {
		c.sendAlert(m)
	}
}

// repeatAlert tells a peer that goes on with its handshake again that the
// connection ended: alerts are not retransmitted by themselves.
func (c *Conn) repeatAlert(now time.Time, typ contentType) {
	if typ != typeHandshake || c.alert.level == 0 || c.alertUnsent ||
		c.alertRepeats == maxAlertRepeats || now.Sub(c.alertSentAt) < c.config.InitialRTO/2 {
		return
	}
	c.alertRepeats++
	c.alertUnsent = true
}

func (c *Conn) setState(now time.Time, s State) {
	if s != c.state {
		c.config.Trace.State(now, trace.DTLS, c.state.String(), s.String())
		c.state = s
	}
}

// drop notes that size bytes are dropped. What one datagram loses in a row for
// one reason is one fact to the trace.
func (c *Conn) drop(now time.Time, reason string, size int) {
	if reason != c.dropReason {
		c.traceDrop(now)
		c.dropReason = reason
	}
	c.dropSize += size
}

func (c *Conn) traceDrop(now time.Time) {
	if c.dropReason != "" {
		c.config.Trace.Drop(now, trace.DTLS, c.dropReason, c.dropSize)
		c.dropReason, c.dropSize = "", 0
	}
}
