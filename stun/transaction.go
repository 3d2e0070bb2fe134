package stun

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// The defaults of RFC 8489, Section 6.2.1.
const (
	defaultRTO = 500 * time.Millisecond
	defaultRc  = 7
	defaultRm  = 16
)

// A TransactionConfig says how a Transaction sends, and what it accepts. The
// zero TransactionConfig is the RFC's, without authentication.
type TransactionConfig struct {
	// RTO is how long to wait for an answer before sending again for the first
	// time; 0 means 500 ms. A client that talks often to the same server keeps
	// an estimate from Finished.RTT.
	RTO time.Duration

	// Rc is how many times the request is sent; 0 means 7.
	Rc int

	// Rm times RTO is how long to wait after the last one; 0 means 16.
	Rm int

	// Key, if not nil, is the one the request was made with. Answers that it
	// does not authenticate are dropped.
	Key *Key

	// Known reports comprehension-required attributes that the caller
	// understands in an answer, beyond those of RFC 8489. It may be nil.
	Known func(AttributeType) bool

	Trace *trace.Tracer
}

// The timers of a Transaction.
type transactionTimer uint8

const (
	// timerRetransmit sends the request again. "A client SHOULD retransmit a
	// STUN request message starting with an interval of RTO [...], doubling after each
	// retransmission." Section 6.2.1.
	timerRetransmit transactionTimer = iota

	// timerTimeout gives up: "If, after the last request, a duration equal to
	// Rm times the RTO has passed without a response [...] the client SHOULD
	// consider the transaction to have failed." Section 6.2.1.
	timerTimeout
)

func (t transactionTimer) String() string {
	return [...]string{"retransmit", "timeout"}[t]
}

// The states of a Transaction.
type transactionState uint8

const (
	stateIdle    transactionState = iota // not started
	stateCalling                         // sends the request until an answer comes
	stateDone                            // answered, or given up: Finished was told
)

func (s transactionState) String() string { return [...]string{"idle", "calling", "done"}[s] }

// A Transaction is one request over UDP, from its first sending to its answer
// or timeout. RFC 8489, Section 6.2.1.
type Transaction struct {
	config  TransactionConfig
	request Message // its own copy
	timers  timers.Table[transactionTimer]
	state   transactionState

	send     bool          // the request is due to be sent
	sent     int           // how many times it was
	sentAt   time.Time     // when it was first
	interval time.Duration // to wait after the next sending

	// forged tells that an answer was dropped because the key did not
	// authenticate it.
	forged bool

	answer []byte // what Finished.Response borrows
	event  Finished
	told   bool // NextEvent returned event
}

// An Event is a rare fact that NextEvent tells: a [Finished].
type Event interface{ event() }

// Finished is the end of a Transaction, and its only event.
type Finished struct {
	// Response is the answer, a success or an error response. It is the zero
	// Message when none came. It stays valid as long as the Transaction.
	Response Message

	// Err is nil after a success response. It is a *PeerError after an error
	// response, a *TimeoutError when there was none, and a *LocalError when the
	// answer is of no use.
	Err error

	// RTT is how long the answer took. It is 0 if the request was sent more than
	// once, for then nobody knows which one was answered (Karn's algorithm).
	RTT time.Duration
}

func (Finished) event() {}

// NewTransaction returns the transaction of a request that a Builder made, of
// which it keeps a copy.
func NewTransaction(request []byte, config TransactionConfig) *Transaction {
	m, err := Parse(append([]byte(nil), request...))
	if err != nil || m.Class() != Request {
		panic("BUG: stun: a transaction needs a request")
	}
	if config.RTO <= 0 {
		config.RTO = defaultRTO
	}
	if config.Rc <= 0 {
		config.Rc = defaultRc
	}
	if config.Rm <= 0 {
		config.Rm = defaultRm
	}
	return &Transaction{config: config, request: m}
}

func (t *Transaction) setState(now time.Time, s transactionState) {
	t.config.Trace.State(now, trace.STUN, t.state.String(), s.String())
	t.state = s
	if s == stateDone {
		t.timers.StopAll()
		t.send = false
	}
}

// Start makes the request due. Starting twice does nothing.
func (t *Transaction) Start(now time.Time) {
	if t.state != stateIdle {
		return
	}
	t.setState(now, stateCalling)
	t.send = true
	t.interval = t.config.RTO
}

// AppendPacket appends the request if it is due.
func (t *Transaction) AppendPacket(now time.Time, b []byte) []byte {
	if !t.send {
		return b
	}
	t.send = false
	t.sent++
	if t.sent == 1 {
		t.sentAt = now
	}
	if t.sent < t.config.Rc {
		t.timers.Set(timerRetransmit, now.Add(t.interval))
		t.interval *= 2
	} else {
		t.timers.Set(timerTimeout, now.Add(time.Duration(t.config.Rm)*t.config.RTO))
	}
	return append(b, t.request.b...)
}

// Advance fires the timers that are due.
func (t *Transaction) Advance(now time.Time) {
	for {
		timer, ok := t.timers.Due(now)
		if !ok {
			return
		}
		t.config.Trace.Timer(now, trace.STUN, timer.String())
		switch timer {
		case timerRetransmit:
			t.send = true
		case timerTimeout:
			t.finish(now, Message{}, &TimeoutError{Sent: t.sent, Time: now.Sub(t.sentAt), Forged: t.forged})
		}
	}
}

// NextTimeout is when to call Advance; zero when no timer is running.
func (t *Transaction) NextTimeout() time.Time { return t.timers.Next() }

// NextEvent returns Finished, once.
func (t *Transaction) NextEvent() (Event, bool) {
	if t.state != stateDone || t.told {
		return nil, false
	}
	t.told = true
	return t.event, true
}

// Err is nil until the transaction is done, and then Finished.Err.
func (t *Transaction) Err() error { return t.event.Err }

// Receive takes a datagram that may be the answer. RFC 8489, Section 6.3.
func (t *Transaction) Receive(now time.Time, packet []byte) {
	m, err := t.receive(packet)
	if err != "" {
		t.config.Trace.Drop(now, trace.STUN, string(err), len(packet))
		return
	}
	m.b = append(t.answer[:0], m.b...)
	t.answer = m.b

	// "If the success response contains unknown comprehension-required
	// attributes, the response is discarded and the transaction is considered to
	// have failed." Section 6.3.3; of error responses, Section 6.3.4.
	if unknown := m.UnknownRequired(t.config.Known); unknown != nil {
		t.finish(now, m, &LocalError{Reason: ErrUnknownRequired, Unknown: unknown})
		return
	}
	if m.Class() == SuccessResponse {
		t.finish(now, m, nil)
		return
	}
	code, reason, ok := m.ErrorCode()
	if !ok {
		t.finish(now, m, &LocalError{Reason: ErrNoErrorCode})
		return
	}
	t.finish(now, m, &PeerError{Code: code, Reason: string(reason), Unknown: m.UnknownAttributes()})
}

// receive checks that packet answers the request, or says why it does not.
func (t *Transaction) receive(packet []byte) (Message, Reason) {
	m, err := Parse(packet)
	if err != nil {
		return Message{}, err.(Reason)
	}
	switch {
	case m.Class() != SuccessResponse && m.Class() != ErrorResponse:
		return Message{}, DropNotResponse
	case m.TransactionID() != t.request.TransactionID() || m.Method() != t.request.Method():
		return Message{}, DropOtherTransaction
	case t.state != stateCalling || t.sent == 0:
		return Message{}, DropDone
	case m.CheckFingerprint() == ErrFingerprint:
		return Message{}, ErrFingerprint
	}
	if reason := t.authenticate(m); reason != "" {
		t.forged = true
		return Message{}, reason
	}
	return m, ""
}

// authenticate checks an answer's integrity. Without it, or with a wrong one,
// "If the request was sent over an unreliable transport, the response MUST be
// discarded, as if it had never been received. This means that retransmits, if
// applicable, will continue. If all the responses received are discarded, then
// instead of signaling a timeout after ending the transaction, the layer MUST
// signal that the integrity protection was violated." RFC 8489, Section 9.1.4.
func (t *Transaction) authenticate(m Message) Reason {
	key := t.config.Key
	if key == nil {
		return ""
	}
	var err error
	switch {
	// "If present and if the client only sent one of the MESSAGE-INTEGRITY or
	// MESSAGE-INTEGRITY-SHA256 attributes in the request [...], the algorithm in
	// the response has to match; otherwise, the response MUST be discarded."
	case m.integritySHA256 != 0 && t.request.integritySHA256 != 0:
		err = m.CheckIntegritySHA256(key, FullSHA256)
	case m.integrity != 0 && t.request.integrity != 0:
		err = m.CheckIntegrity(key)
	default:
		// A request with a NONCE used the long-term mechanism, whose server
		// answers what it cannot authenticate by a challenge which "SHOULD NOT
		// include" integrity: 401 and 438 reach the caller, who looks at the new
		// nonce. A 400 without integrity does not. Sections 9.2.4 and 9.2.5.
		code, _, _ := m.ErrorCode()
		if t.request.Has(AttrNonce) && m.Class() == ErrorResponse &&
			(code == CodeUnauthenticated || code == CodeStaleNonce) {
			return ""
		}
		err = ErrNoIntegrity
	}
	if err != nil {
		return err.(Reason)
	}
	return ""
}

func (t *Transaction) finish(now time.Time, response Message, err error) {
	t.event = Finished{Response: response, Err: err}
	if t.sent == 1 && !response.IsZero() {
		t.event.RTT = now.Sub(t.sentAt)
	}
	t.setState(now, stateDone)
}
