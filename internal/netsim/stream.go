package netsim

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"
)

// A Streamer is a Node with TCP connections. Who dials them, and who listens, is
// told to the Host: Dial and Listen.
type Streamer interface {
	Node
	// Connected tells that a connection is established, dialled or accepted.
	Connected(now time.Time, c *Conn)
	// ReceiveStream brings bytes of it: as many as came at once, in their order.
	ReceiveStream(now time.Time, c *Conn, b []byte)
	// Disconnected tells that there is no connection: there never was, for it was
	// refused or nobody answered, or the peer has closed or reset it, and then err is
	// io.EOF or ErrReset. It is not told who calls Close or Reset.
	Disconnected(now time.Time, c *Conn, err error)
}

// How a connection ends.
var (
	ErrRefused = errors.New("netsim: connection refused")
	ErrReset   = errors.New("netsim: connection reset by the peer")
	ErrTimeout = errors.New("netsim: connection timed out")
)

const (
	mss        = 1400 // bytes in a segment
	synRTO     = time.Second
	leastRTO   = 200 * time.Millisecond
	mostRTO    = 16 * time.Second
	mostTries  = 8
	ephemerals = 49152 // the first port of those who dial
)

// The flags of a segment.
type flags uint8

const (
	syn flags = 1 << iota
	ack
	fin
	rst
)

// A segment is what a packet of TCP has for a header. Sequence numbers begin at 0
// and do not wrap; SYN and FIN take one each. RFC 9293.
type segment struct {
	flags    flags
	seq, ack int64
}

// The states of a connection, RFC 9293, Section 3.3.2.
type connState uint8

const (
	synSent connState = iota
	synReceived
	established
	closed
)

// A Conn is a host's end of a TCP connection: as much of TCP as it takes for bytes
// to come in order, however late, over links that lose and NATs that forget. What
// is lost is sent again after a timeout, all of it from there; there is no
// congestion control, no window, and nothing is left half open.
type Conn struct {
	Local, Remote netip.AddrPort

	host     *Host
	state    connState
	accepted bool // and not dialled

	out      []outgoing // sent and not acknowledged
	next     int64      // the sequence number of what is sent next
	expected int64      // the one of what is to arrive next
	held     []arrived  // behind a gap
	closing  bool       // FIN was sent

	rto, rtt time.Duration
	began    time.Duration
	tries    int
	timer    uint64 // counts those that were set: the others are void
}

type outgoing struct {
	segment
	bytes []byte
}

type arrived struct {
	segment
	bytes []byte
}

// end is the sequence number behind a segment.
func (o outgoing) end() int64 { return o.seq + length(o.segment, o.bytes) }

func length(s segment, b []byte) int64 {
	n := int64(len(b))
	if s.flags&(syn|fin) != 0 {
		n++
	}
	return n
}

// Listen takes connections at an address and port of the host.
func (h *Host) Listen(at netip.AddrPort) {
	if h.listening == nil {
		h.listening = map[netip.AddrPort]bool{}
	}
	h.listening[at] = true
}

// Dial begins a connection. A local port of 0 stands for one that is free. Two
// hosts that dial each other at once, each from the port that the other one dials,
// get one connection between them: "simultaneous open", RFC 9293, Section 3.5.
func (h *Host) Dial(local, remote netip.AddrPort) *Conn {
	if local.Port() == 0 {
		h.port = max(h.port+1, ephemerals)
		local = netip.AddrPortFrom(local.Addr(), h.port)
	}
	c := &Conn{Local: h.source(local, remote), Remote: remote, host: h, rto: synRTO, began: h.net.now}
	if !c.Local.IsValid() || h.conn(c.Local, remote) != nil {
		h.net.After(0, func() { h.streamer().Disconnected(h.net.Now(), c, ErrRefused) })
		c.state = closed
		return c
	}
	h.conns = append(h.conns, c)
	c.enqueue(syn, nil)
	return c
}

func (h *Host) conn(local, remote netip.AddrPort) *Conn {
	for _, c := range h.conns {
		if c.Local == local && c.Remote == remote {
			return c
		}
	}
	return nil
}

func (h *Host) streamer() Streamer {
	s, ok := h.node.(Streamer)
	if !ok {
		panic(fmt.Sprintf("netsim: a host has TCP connections, but its node %T is no Streamer", h.node))
	}
	return s
}

// Accepted reports whether the other side dialled.
func (c *Conn) Accepted() bool { return c.accepted }

// Write sends bytes. After the end of the connection they are lost.
func (c *Conn) Write(b []byte) {
	if c.state != established || c.closing {
		return
	}
	for len(b) > 0 {
		n := min(len(b), mss)
		c.enqueue(ack, slices.Clone(b[:n]))
		b = b[n:]
	}
}

// Close ends the connection once everything has arrived that was written.
func (c *Conn) Close() {
	switch {
	case c.state == established && !c.closing:
		c.closing = true
		c.enqueue(ack|fin, nil)
	case c.state < established:
		c.Reset()
	}
}

// Reset ends the connection at once.
func (c *Conn) Reset() {
	if c.state != closed {
		c.transmit(outgoing{segment: segment{flags: rst | ack, seq: c.next}})
		c.forget()
	}
}

func (c *Conn) forget() {
	c.state = closed
	c.timer++
	c.host.conns = slices.DeleteFunc(c.host.conns, func(o *Conn) bool { return o == c })
}

// end tells the node.
func (c *Conn) end(err error) {
	told := !c.closing
	c.forget()
	if told {
		c.host.streamer().Disconnected(c.host.net.Now(), c, err)
	}
}

// enqueue sends something that is to be acknowledged.
func (c *Conn) enqueue(f flags, b []byte) {
	o := outgoing{segment{flags: f, seq: c.next}, b}
	c.next = o.end()
	c.out = append(c.out, o)
	c.transmit(o)
	if len(c.out) == 1 {
		c.setTimer()
	}
}

// transmit puts a segment on the wire.
func (c *Conn) transmit(o outgoing) {
	o.ack = c.expected
	c.host.sendSegment(c.Local, c.Remote, o.segment, o.bytes)
}

func (h *Host) sendSegment(from, to netip.AddrPort, s segment, b []byte) {
	p := h.net.get()
	p.protocol, p.from, p.to, p.segment = TCP, from, to, s
	p.bytes = append(p.bytes[:0], b...)
	h.Up.send(p)
}

func (c *Conn) setTimer() {
	c.timer++
	due := c.timer
	c.host.net.After(c.rto, func() {
		if c.timer == due {
			c.timeout()
		}
	})
}

// timeout sends again what was not acknowledged.
func (c *Conn) timeout() {
	if len(c.out) == 0 {
		return
	}
	if c.tries++; c.tries == mostTries {
		c.end(ErrTimeout)
		return
	}
	c.rto = min(2*c.rto, mostRTO)
	for _, o := range c.out {
		c.transmit(o)
	}
	c.setTimer()
}

// receiveSegment takes a segment that came to the host. RFC 9293, Section 3.10.7.
func (h *Host) receiveSegment(p *packet) {
	s := p.segment
	c := h.conn(p.to, p.from)
	if c == nil {
		switch {
		case s.flags&rst != 0:
		case s.flags == syn && h.listening[p.to]:
			c = &Conn{Local: p.to, Remote: p.from, host: h, accepted: true, state: synReceived, rto: synRTO, expected: 1, began: h.net.now}
			h.conns = append(h.conns, c)
			c.enqueue(syn|ack, nil)
		default:
			h.sendSegment(p.to, p.from, segment{flags: rst | ack, seq: s.ack, ack: s.seq + length(s, p.bytes)}, nil)
		}
		return
	}
	if s.flags&rst != 0 {
		if c.state == synSent {
			c.end(ErrRefused)
		} else {
			c.end(ErrReset)
		}
		return
	}
	if s.flags&ack != 0 {
		c.acknowledged(s.ack)
	}
	switch {
	case c.state == closed:
	case s.flags&syn != 0:
		c.receiveSYN(s)
	case c.state == synReceived && s.flags&ack != 0 && s.ack > 0:
		c.establish()
		c.receiveData(s, p.bytes)
	case c.state == established:
		c.receiveData(s, p.bytes)
	}
}

func (c *Conn) receiveSYN(s segment) {
	switch {
	case c.state == synSent && s.flags&ack != 0:
		c.expected = 1
		c.transmit(outgoing{segment: segment{flags: ack, seq: c.next}})
		c.establish()
	case c.state == synSent: // both have dialled
		c.state, c.expected = synReceived, 1
		c.out, c.next = nil, 0
		c.enqueue(syn|ack, nil)
	case c.state == synReceived && s.flags&ack != 0:
		c.transmit(outgoing{segment: segment{flags: ack, seq: c.next}})
		c.establish()
	case c.state == synReceived:
		c.transmit(outgoing{segment: segment{flags: syn | ack}})
	default: // what was answered is lost
		c.transmit(outgoing{segment: segment{flags: ack, seq: c.next}})
	}
}

func (c *Conn) establish() {
	c.state = established
	c.rto = max(leastRTO, 2*c.rtt)
	c.host.streamer().Connected(c.host.net.Now(), c)
}

// acknowledged lets go of what has arrived.
func (c *Conn) acknowledged(upTo int64) {
	n := 0
	for n < len(c.out) && c.out[n].end() <= upTo {
		n++
	}
	if n == 0 {
		return
	}
	c.out = c.out[n:]
	if c.rtt == 0 && c.tries == 0 {
		c.rtt = c.host.net.now - c.began
	}
	c.tries = 0
	c.rto = max(leastRTO, 2*c.rtt)
	switch {
	case len(c.out) > 0:
		c.setTimer()
	case c.closing:
		c.forget()
	default:
		c.timer++ // nothing to wait for
	}
}

// receiveData hands on what comes in its turn, and keeps what comes too early.
func (c *Conn) receiveData(s segment, b []byte) {
	if length(s, b) == 0 {
		return
	}
	if s.seq >= c.expected && !slices.ContainsFunc(c.held, func(h arrived) bool { return h.seq == s.seq }) {
		c.held = append(c.held, arrived{s, slices.Clone(b)})
	}
	for c.state == established {
		i := slices.IndexFunc(c.held, func(h arrived) bool { return h.seq == c.expected })
		if i < 0 {
			break
		}
		h := c.held[i]
		c.held = slices.Delete(c.held, i, i+1)
		c.expected += length(h.segment, h.bytes)
		if h.flags&fin != 0 {
			c.transmit(outgoing{segment: segment{flags: ack, seq: c.next}})
			c.end(io.EOF)
			return
		}
		c.host.streamer().ReceiveStream(c.host.net.Now(), c, h.bytes)
	}
	if c.state == established {
		c.transmit(outgoing{segment: segment{flags: ack, seq: c.next}})
	}
}
