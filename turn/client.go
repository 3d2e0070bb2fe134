package turn

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/internal/timers"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
)

// A Family says of which address families relayed addresses are asked for.
type Family uint8

// The families.
const (
	AnyFamily Family = iota // the server's choice, which is IPv4: no attribute is sent
	IPv4                    // REQUESTED-ADDRESS-FAMILY
	IPv6
	BothFamilies // IPv4, and IPv6 by ADDITIONAL-ADDRESS-FAMILY
)

// A ClientConfig says what to ask for and how.
type ClientConfig struct {
	// Username and Password are the long-term credentials.
	Username, Password string

	// Server is where the caller connected. It is only compared with what the
	// server says in ALTERNATE-SERVER, so that redirections do not go in circles.
	Server netip.AddrPort

	// Stream says that the transport is TCP or TLS: nothing is sent twice, and
	// ChannelData is padded.
	Stream bool

	// TCP asks for an allocation whose connections are relayed, not datagrams (RFC 6062): it
	// takes Connect, and none of what sends data. It needs Stream.
	TCP bool

	Family   Family
	Lifetime time.Duration // to ask for; 0 leaves it to the server, which gives 10 minutes

	// EvenPort asks for an even port, ReserveNext with it for the one above to be
	// reserved; the event Allocated then has its token. ReservationToken, if not
	// zero, claims such a port.
	EvenPort, ReserveNext bool
	ReservationToken      [8]byte

	// DontFragment asks that datagrams to peers are not fragmented, which only
	// indications can say: data goes in them even where there is a channel. If the
	// server does not know how, it is asked again without.
	DontFragment bool

	// Mobility asks for a ticket, with which Move keeps the allocation when our
	// own address changes (RFC 8016).
	Mobility bool

	// RTO is how long to wait for the first answer before a request is sent
	// again; 0 means 500 ms.
	RTO time.Duration

	Software string    // sent in SOFTWARE; "" for none
	Rand     io.Reader // transaction ids
	Trace    *trace.Tracer
}

// The states of a Client.
type clientState uint8

const (
	stateIdle       clientState = iota // Start was not called
	stateAllocating                    // waits for the answer to Allocate; Section 7.1
	stateElsewhere                     // waits for the caller to Restart, after TryAlternate; Section 7.4
	stateAllocated                     // relays; Section 8
	stateBinding                       // waits for the answer to ConnectionBind; RFC 6062, Section 4.5
	stateClosing                       // waits for the answer to the Refresh that ends it; Section 8.1
	stateClosed                        // over: Closed was told
)

func (s clientState) String() string {
	return [...]string{"idle", "allocating", "elsewhere", "allocated", "binding", "closing", "closed"}[s]
}

// The timers of a Client, beside those of its transactions.
type clientTimer uint8

const (
	// timerRefresh refreshes the allocation, a minute before it expires or, if
	// it is short, after half of its lifetime. RFC 8656, Section 8.
	timerRefresh clientTimer = iota

	// timerRenew renews the permissions and channels that are in use, and ends
	// the others. RFC 8656, Sections 10 and 12.
	timerRenew
)

func (t clientTimer) String() string { return [...]string{"refresh", "renew"}[t] }

// A Client is the client's side of one allocation.
type Client struct {
	config   ClientConfig
	state    clientState
	timers   timers.Table[clientTimer]
	login    login
	requests []*request // not answered yet, oldest first
	events   []ClientEvent
	err      error
	farewell error // what Closed will tell, in stateClosing

	tried    []netip.AddrPort // servers that were asked
	restarts int              // how often TryAlternate was told

	// What was allocated. The second relayed address is zero but with
	// BothFamilies.
	relayed  [2]netip.AddrPort
	lifetime time.Duration
	ticket   []byte

	bindings    []binding
	nextChannel uint16

	data    Data // for NextData
	hasData bool

	// Scratch, here because what is passed to a Reader escapes.
	indication stun.TransactionID
}

// A request is a transaction that goes on.
type request struct {
	*stun.Transaction
	method     stun.Method
	id         stun.TransactionID
	peer       netip.AddrPort // of CreatePermission (port 0), ChannelBind and Connect
	connection ConnectionID   // of ConnectionBind
	signed     bool           // it was sent with credentials
	stale      int            // how often its nonce was stale
	moves      bool           // a Refresh with the mobility ticket
	ends       bool           // a Refresh with lifetime 0
}

// A ClientEvent is a rare fact: one of the structs below.
type ClientEvent interface{ clientEvent() }

// Allocated is the answer to Start: the server relays for us.
type Allocated struct {
	// Relayed is the relayed transport address. With BothFamilies Additional is
	// the one of IPv6, or zero when the server has none.
	Relayed, Additional netip.AddrPort

	// Mapped is the address that the server sees us at: the server-reflexive one.
	Mapped netip.AddrPort

	Lifetime time.Duration

	// ReservationToken is the one of the port above, with ReserveNext; or zero.
	ReservationToken [8]byte
}

// PermissionCreated tells that the server relays to and from a peer's IP address.
type PermissionCreated struct{ Peer netip.Addr }

// PermissionEnded tells that it does not, or not any more. Err is nil if there
// was no traffic with the peer, so that the permission was not renewed.
type PermissionEnded struct {
	Peer netip.Addr
	Err  error
}

// ChannelBound tells that data to and from a peer has a short header now.
type ChannelBound struct {
	Peer   netip.AddrPort
	Number uint16
}

// ChannelEnded tells that there is no channel for a peer, or not any more; data
// goes in indications, if there is a permission. Err is as in PermissionEnded; if
// it has the code 400, the server and we do not agree on what channels there are,
// and it is best to make a new allocation (RFC 8656, Section 12.3).
type ChannelEnded struct {
	Peer netip.AddrPort
	Err  error
}

// TryAlternate tells that the server refused, and that it is worth asking
// elsewhere: at another server after 300 (Try Alternate), and from another port
// of ours after 437 (Allocation Mismatch), for which Server is zero. When the
// caller's transport is there, it calls Restart; or it gives up.
type TryAlternate struct {
	Server netip.AddrPort
	Domain string // the name that the other server's certificate must have; "" for the same
	Err    *PeerError
}

// Moved tells that the allocation is at our new address: the answer to Move.
type Moved struct{}

// Closed is the last event: the allocation is no more. Err is nil after Close.
type Closed struct{ Err error }

func (Allocated) clientEvent()         {}
func (PermissionCreated) clientEvent() {}
func (PermissionEnded) clientEvent()   {}
func (ChannelBound) clientEvent()      {}
func (ChannelEnded) clientEvent()      {}
func (TryAlternate) clientEvent()      {}
func (Moved) clientEvent()             {}
func (Closed) clientEvent()            {}

// NewClient returns a Client that has not asked for anything yet.
func NewClient(config ClientConfig) (*Client, error) {
	if config.Rand == nil {
		return nil, fmt.Errorf("turn: ClientConfig.Rand must be set: transaction ids come from it")
	}
	if config.TCP && !config.Stream {
		return nil, fmt.Errorf("turn: ClientConfig.TCP needs Stream: only who is on TCP or TLS may ask for connections")
	}
	for _, word := range []string{config.Username, config.Password} {
		if _, err := stun.OpaqueString(word); err != nil {
			return nil, fmt.Errorf("turn: the username or the password cannot be used: %w", err)
		}
	}
	return &Client{config: config, nextChannel: minChannel}, nil
}

func (c *Client) setState(now time.Time, s clientState) {
	c.config.Trace.State(now, trace.TURN, c.state.String(), s.String())
	c.state = s
}

// Start asks the server for an allocation. The answer is the event Allocated,
// TryAlternate or Closed.
func (c *Client) Start(now time.Time) {
	if c.state == stateIdle {
		c.tried = append(c.tried, c.config.Server)
		c.allocate(now)
	}
}

// Restart asks again after TryAlternate: over another transport, which goes to
// that server or leaves from another port.
func (c *Client) Restart(now time.Time, server netip.AddrPort) {
	if c.state == stateElsewhere {
		c.tried = append(c.tried, server)
		c.login = login{}
		c.allocate(now)
	}
}

// end is the only way into stateClosed.
func (c *Client) end(now time.Time, err error) {
	c.setState(now, stateClosed)
	c.timers.StopAll()
	c.requests, c.bindings, c.hasData = nil, nil, false
	c.err = err
	c.events = append(c.events, Closed{Err: err})
}

// Err tells why the allocation is no more; nil while it is, and after Close.
func (c *Client) Err() error { return c.err }

// Advance fires the timers that are due.
func (c *Client) Advance(now time.Time) {
	for i := 0; i < len(c.requests); i++ {
		r := c.requests[i]
		r.Transaction.Advance(now)
		if c.finish(now, r) {
			i = -1 // the list is another one now
		}
	}
	for {
		t, ok := c.timers.Due(now)
		if !ok {
			return
		}
		c.config.Trace.Timer(now, trace.TURN, t.String())
		switch t {
		case timerRefresh:
			c.refresh(now)
		case timerRenew:
			c.renew(now)
		}
	}
}

// NextTimeout is when to call Advance; zero for never.
func (c *Client) NextTimeout() time.Time {
	next := c.timers.Next()
	for _, r := range c.requests {
		next = timers.Earlier(next, r.NextTimeout())
	}
	return next
}

// NextEvent returns the next event.
func (c *Client) NextEvent() (ClientEvent, bool) {
	if len(c.events) == 0 {
		return nil, false
	}
	e := c.events[0]
	if c.events = c.events[1:]; len(c.events) == 0 {
		c.events = nil
	}
	return e, true
}

// AppendPacket appends the next request to the server; without one b comes back
// as it was.
func (c *Client) AppendPacket(now time.Time, b []byte) []byte {
	for _, r := range c.requests {
		before := len(b)
		if b = r.AppendPacket(now, b); len(b) > before {
			return b
		}
	}
	return b
}

// Receive takes a datagram or, of a stream, a message from the server. If it
// brings data from a peer, NextData has it, in the bytes of packet.
func (c *Client) Receive(now time.Time, packet []byte) {
	c.hasData = false
	if reason := c.receive(now, packet); reason != "" {
		c.config.Trace.Drop(now, trace.TURN, reason, len(packet))
	}
}

// Why a Client drops what arrives, beside the reasons of package stun.
const (
	DropNotExpected = "nothing of the kind is expected"
	DropNoChannel   = "ChannelData on a channel that is not bound"
	DropMalformed   = "message lacks an attribute, or has one that makes no sense"
	DropNotPeer     = "data of a peer that has no permission"
)

func (c *Client) receive(now time.Time, packet []byte) string {
	if IsChannelData(packet) {
		return c.receiveChannelData(now, packet)
	}
	m, err := stun.Parse(packet)
	if err != nil {
		return string(err.(stun.Reason))
	}
	switch {
	case m.Class() == stun.Indication && m.Method() == stun.Data:
		return c.receiveIndication(now, m)
	case m.Class() == stun.Indication && m.Method() == stun.ConnectionAttempt:
		return c.receiveAttempt(now, m)
	case m.Class() == stun.SuccessResponse || m.Class() == stun.ErrorResponse:
		for _, r := range c.requests {
			if r.id == m.TransactionID() {
				r.Transaction.Receive(now, packet)
				c.finish(now, r)
				return ""
			}
		}
	}
	return DropNotExpected
}
