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
	writeEpoch uint16
	flight     flight
	hs         *handshake // nil once established or closed
	chosen     ConnectionState
	secrets    *secrets // nil until established

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

	events []Event
	err    error
}

// ConnectionState is what the two ends agreed on.
type ConnectionState struct {
	Version     Version
	CipherSuite CipherSuite
	Group       Group
	// SRTPProfile is zero when use_srtp was not negotiated.
	SRTPProfile SRTPProfile
	// PeerCertificate is the peer's certificate in DER.
	PeerCertificate []byte
}

// NewClient returns a connection that will send the ClientHello.
func NewClient(config Config) (*Conn, error) { return newConn(config, true) }

// NewServer returns a connection that waits for a ClientHello.
func NewServer(config Config) (*Conn, error) { return newConn(config, false) }

func newConn(config Config, isClient bool) (*Conn, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Conn{config: config, isClient: isClient}
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
	if config.Cookie && !isClient {
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
		c.hs.sendClientHello(now, nil)
	} else {
		c.setState(now, StateAwaitClientHello)
	}
}

// Receive takes a datagram from the peer. It is decrypted in place: the
// application data in it is read with NextData, before the datagram's memory is
// used again. What is wrong with it is told to the trace alone.
func (c *Conn) Receive(now time.Time, datagram []byte) {
	clear(c.data)
	c.data, c.nextData = c.data[:0], 0
	if c.state == StateNew && !c.isClient {
		c.Connect(now)
	}
	for len(datagram) > 0 {
		rec, rest, ok := parseRecord(datagram)
		if !ok {
			c.drop(now, DropMalformedRecord, len(datagram))
			return
		}
		c.receiveRecord(now, rec, datagram[:len(datagram)-len(rest)])
		datagram = rest
	}
	for c.retryEarly && c.state != StateClosed {
		c.retryEarly = false
		held := c.early
		c.early, c.earlySize = nil, 0
		for _, raw := range held {
			rec, _, _ := parseRecord(raw)
			c.receiveRecord(now, rec, raw)
		}
	}
}

// receiveRecord takes one record; raw is all of it, header included.
func (c *Conn) receiveRecord(now time.Time, rec record, raw []byte) {
	switch {
	case c.state == StateClosed:
		c.drop(now, DropClosed, len(raw))
		c.repeatAlert(now, rec.typ)
	case c.state == StateNew:
		c.drop(now, DropNotStarted, len(raw))
	case rec.epoch == 0 && c.state == StateEstablished:
		c.drop(now, DropPlaintext, len(raw))
	case rec.epoch == 0:
		c.receiveClear(now, rec)
	case rec.epoch > 1:
		c.drop(now, DropEpoch, len(raw))
	case c.layer.in == nil, rec.typ == typeApplicationData && c.state != StateEstablished:
		c.hold(now, raw)
	default:
		c.receiveProtected(now, rec)
	}
}

// hold keeps a record for when it can be read: datagrams overtake each other,
// and it would cost the peer a retransmission, or the application its data.
func (c *Conn) hold(now time.Time, raw []byte) {
	if len(c.early) == maxEarly || c.earlySize+len(raw) > maxEarlySize {
		c.drop(now, DropTooEarly, len(raw))
		return
	}
	c.early = append(c.early, append([]byte(nil), raw...))
	c.earlySize += len(raw)
}

// receiveClear takes a record of epoch 0, during the handshake.
func (c *Conn) receiveClear(now time.Time, rec record) {
	switch rec.typ {
	case typeHandshake:
		c.receiveHandshake(now, rec)
	case typeAlert:
		m, ok := parseAlert(rec.payload)
		switch {
		case !ok:
			c.drop(now, DropMalformedAlert, len(rec.payload))
		case !m.ends():
			c.drop(now, DropWarning, len(rec.payload))
		default:
			// RFC 6347, Section 4.1.2.7 warns of what a forged alert can do.
			c.drop(now, DropAlertNotAuthentic, len(rec.payload))
			c.rumour = m.description
			c.timers.SetEarlier(timerAlert, now.Add(alertGrace))
		}
	case typeChangeCipherSpec:
		// The epoch of the records behind it says the same, and arrives for
		// sure when they do.
	default:
		c.drop(now, DropContentType, len(rec.payload))
	}
}

// receiveProtected takes a record of epoch 1, whose keys are known.
func (c *Conn) receiveProtected(now time.Time, rec record) {
	if !c.layer.window.Fresh(rec.seq) {
		c.drop(now, DropReplayed, len(rec.payload))
		return
	}
	plain, ok := c.layer.in.open(rec)
	if !ok {
		// RFC 6347, Section 4.1.2.7: "invalid records SHOULD be silently
		// discarded, thus preserving the association".
		c.drop(now, DropNotAuthentic, len(rec.payload))
		return
	}
	c.layer.window.Accept(rec.seq)
	switch rec.typ {
	case typeApplicationData:
		if len(plain) > 0 {
			c.data = append(c.data, plain)
		}
	case typeHandshake:
		rec.payload = plain
		c.receiveHandshake(now, rec)
	case typeAlert:
		m, ok := parseAlert(plain)
		switch {
		case !ok:
			c.drop(now, DropMalformedAlert, len(plain))
		case !m.ends():
			c.drop(now, DropWarning, len(plain))
		default:
			if m.description == AlertCloseNotify {
				// RFC 5246, Section 7.2.1: "The other party MUST respond with a
				// close_notify alert of its own".
				c.sendAlert(alertMessage{levelWarning, AlertCloseNotify})
			}
			c.close(now, &PeerError{Alert: m.description})
		}
	default:
		c.drop(now, DropContentType, len(plain))
	}
}

// receiveHandshake takes a record's handshake fragments.
func (c *Conn) receiveHandshake(now time.Time, rec record) {
	for b := rec.payload; len(b) > 0 && c.state != StateClosed; {
		f, rest, ok := parseFragment(b)
		if !ok {
			c.drop(now, DropMalformedFragment, len(b))
			return
		}
		b = rest
		if drop := c.receiveFragment(now, rec, f); drop != "" {
			c.drop(now, drop, len(f.body))
		}
	}
}

// receiveFragment takes a fragment, and whatever messages it completes. It
// returns a reason when it drops it.
func (c *Conn) receiveFragment(now time.Time, rec record, f fragment) (drop string) {
	h := c.hs
	if h == nil {
		return c.receiveAfterHandshake(now, f)
	}
	// Only Finished stands behind ChangeCipherSpec, and it must.
	if (f.typ == typeFinished) != (rec.epoch == 1) {
		return DropWrongProtection
	}
	if int16(f.seq-h.in.next) < 0 {
		if int16(f.seq-c.flight.answers) < 0 {
			c.repeatFlight(now)
		}
		return DropDuplicateMessage
	}
	if c.config.Cookie && !c.isClient && f.typ == typeClientHello {
		// RFC 6347, Section 4.2.1: "the server MUST use the record sequence
		// number in the ClientHello as the record sequence number in the
		// HelloVerifyRequest", and in the ServerHello. The bound keeps a forged
		// number from using them up.
		c.layer.seq[0] = max(c.layer.seq[0], min(rec.seq, maxSequence/2))
	}
	if f.seq == h.in.next && f.whole() && !h.in.pending() {
		// The usual case: nothing to put together.
		if known, ok := handshakeTypes[f.typ]; !ok {
			return DropUnknownMessage
		} else if f.length > known.max {
			return DropMessageTooLong
		}
		h.in.next++
		c.receiveMessage(now, f.seq, f.typ, f.body)
	} else if drop := h.in.add(f); drop != "" {
		return drop
	}
	for c.hs != nil {
		seq := h.in.next
		typ, body, ok := h.in.take()
		if !ok {
			break
		}
		c.receiveMessage(now, seq, typ, body)
	}
	return ""
}

// receiveMessage takes the next message and makes the step it is for.
func (c *Conn) receiveMessage(now time.Time, seq uint16, typ handshakeType, body []byte) {
	h := c.hs
	s := steps[c.state]
	var err error
	switch {
	case typ == s.want:
		h.received(seq, typ, body)
		err = s.read(h, now, body)
	case typ == typeHelloVerifyRequest && c.state == StateAwaitServerHello:
		err = h.readHelloVerifyRequest(now, body)
	case typ == typeHelloRequest && c.isClient:
		// RFC 5246, Section 7.4.1.1: "This message will be ignored by the client
		// if the client is currently negotiating a session."
	default:
		err = refuse(AlertUnexpectedMessage, "the peer sent %v where %v is due", typ, s.want)
	}
	if err != nil {
		c.fail(now, asLocal(err))
		return
	}
	c.timers.Stop(timerAlert)
}

// receiveAfterHandshake takes a fragment when no handshake is going on.
func (c *Conn) receiveAfterHandshake(now time.Time, f fragment) (drop string) {
	switch {
	case f.typ == typeFinished && !c.isClient:
		// Our Finished was lost. That the client's came in a fresh, protected
		// record says that it is the client who asks.
		c.repeatFlight(now)
		return DropDuplicateMessage
	case f.typ == typeHelloRequest && c.isClient, f.typ == typeClientHello && !c.isClient:
		if c.alert.level == 0 { // once is enough
			c.sendAlert(alertMessage{levelWarning, AlertNoRenegotiation})
		}
		return DropRenegotiation
	}
	return DropDuplicateMessage
}

// repeatFlight sends the last flight again because the peer repeated its own:
// RFC 6347, Section 4.2.4. Copies that the network made, or a flight of several
// datagrams, must not make us send several times.
func (c *Conn) repeatFlight(now time.Time) {
	f := &c.flight
	if len(f.items) == 0 || f.unsent() || now.Sub(f.sentAt) < c.config.InitialRTO/2 {
		return
	}
	f.rewind()
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
			c.flight.rewind()
			c.flight.rto = min(2*c.flight.rto, maxRTO)
		case timerHandshake:
			c.close(now, &TimeoutError{c.state})
		case timerAlert:
			c.close(now, &PeerError{Alert: c.rumour, Unauthenticated: true})
		}
	}
}

// NextTimeout is when Advance wants to be called; zero when no timer runs.
func (c *Conn) NextTimeout() time.Time { return c.timers.Next() }

// AppendPacket appends the next datagram of the handshake, or one with an
// alert, to b. It returns b as it is when there is nothing to send.
func (c *Conn) AppendPacket(now time.Time, b []byte) []byte {
	start := len(b)
	if f := &c.flight; f.unsent() {
		if f.begun.IsZero() {
			f.begun = now
		}
		b = f.append(b, &c.layer, c.config.MTU)
		if !f.unsent() {
			f.sentAt = now
			if !f.final {
				c.timers.Set(timerRetransmit, now.Add(f.rto))
			}
		}
	}
	if c.alertUnsent && len(b)-start+c.layer.overhead(c.writeEpoch)+2 <= c.config.MTU {
		c.alertUnsent, c.alertSentAt = false, now
		rec := len(b)
		b = c.layer.begin(b, typeAlert, c.writeEpoch)
		b = c.alert.append(b)
		b = c.layer.end(b, rec)
	}
	return b
}

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

func (c *Conn) drop(now time.Time, reason string, size int) {
	c.config.Trace.Drop(now, trace.DTLS, reason, size)
}
