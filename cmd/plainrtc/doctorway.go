package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/stun"
	"github.com/plainrtc/plainrtc/turn"
)

// A way is a connection to a server over one of TURN's transports. One goroutine uses it: it
// sends, and waits for messages until a time.
type way struct {
	ctx      context.Context
	protocol turn.Protocol
	conn     net.Conn
	secure   *dtls.Conn // of DTLS
	framer   turn.Framer
	buffer   []byte
	messages [][]byte // that came together, and were not taken yet
}

// errInterrupted is what Ctrl-C does to whoever waits.
var errInterrupted = errors.New("interrupted")

// lookEvery is how long is waited without seeing whether Ctrl-C was pressed.
const lookEvery = 100 * time.Millisecond

// dialWay connects to a server, whose certificate must be for host.
func dialWay(ctx context.Context, protocol turn.Protocol, server netip.AddrPort, host string, roots *x509.CertPool, timeout time.Duration) (w *way, err error) {
	w = &way{ctx: ctx, protocol: protocol, buffer: make([]byte, 1<<16)}
	end := time.Now().Add(timeout)
	dialer := net.Dialer{Deadline: end}
	network := "udp"
	if protocol.Stream() {
		network = "tcp"
	}
	conn, err := dialer.DialContext(ctx, network, server.String())
	if err != nil {
		return nil, err
	}
	w.conn = conn
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	switch protocol {
	case turn.TLS:
		secure := tls.Client(w.conn, &tls.Config{ServerName: host, RootCAs: roots, NextProtos: []string{"stun.turn"}})
		secure.SetDeadline(end)
		if err = secure.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		secure.SetDeadline(time.Time{})
		w.conn = secure
	case turn.UDP:
		dontFragment(w.conn)
	case turn.DTLS:
		err = w.handshake(host, end)
	}
	return w, err
}

// handshake is that of DTLS. The server's certificate is checked for its name and its time; who
// has signed it is not, for DTLS here shows no other certificate than the server's own.
func (w *way) handshake(host string, end time.Time) error {
	own, err := dtls.GenerateCertificate(rand.Reader, time.Now())
	if err != nil {
		return err
	}
	w.secure, err = dtls.NewClient(dtls.Config{
		Certificate: own, Rand: rand.Reader, NoClientCertificate: true,
		VerifyPeer: func(der []byte) error {
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return err
			}
			roots := x509.NewCertPool()
			roots.AddCert(c)
			_, err = c.Verify(x509.VerifyOptions{DNSName: host, Roots: roots})
			return err
		},
	})
	if err != nil {
		return err
	}
	w.secure.Connect(time.Now())
	for !w.secure.Established() {
		if err := w.flush(); err != nil {
			return err
		}
		m, err := w.receive(end)
		if err != nil {
			return err
		}
		if m != nil {
			w.messages = append(w.messages, m)
		}
	}
	return w.flush()
}

// flush sends what DTLS itself has to say.
func (w *way) flush() error {
	if w.secure == nil {
		return nil
	}
	now := time.Now()
	w.secure.Advance(now)
	for b := w.secure.AppendPacket(now, nil); len(b) > 0; b = w.secure.AppendPacket(now, nil) {
		if _, err := w.conn.Write(b); err != nil {
			return err
		}
	}
	return w.secure.Err()
}

// send sends one message.
func (w *way) send(message []byte) error {
	if w.secure != nil {
		message = w.secure.Seal(nil, message)
	}
	_, err := w.conn.Write(message)
	return err
}

// receive returns the next message, nil if there is none before the time, or what ended the way.
// After end, it is os.ErrDeadlineExceeded.
func (w *way) receive(end time.Time) ([]byte, error) {
	if len(w.messages) > 0 {
		m := w.messages[0]
		w.messages = w.messages[1:]
		return m, nil
	}
	now := time.Now()
	switch {
	case w.ctx.Err() != nil:
		return nil, errInterrupted
	case !now.Before(end):
		return nil, os.ErrDeadlineExceeded
	}
	until := now.Add(lookEvery)
	if w.secure != nil {
		if next := w.secure.NextTimeout(); !next.IsZero() && next.Before(until) {
			until = next
		}
	}
	if end.Before(until) {
		until = end
	}
	w.conn.SetReadDeadline(until)
	space := w.buffer
	if w.protocol.Stream() {
		space = w.framer.Space()
	}
	n, err := w.conn.Read(space)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, w.flush()
	}
	if err != nil {
		return nil, err
	}
	switch {
	case w.protocol.Stream():
		w.framer.Wrote(n)
		for m, ok := w.framer.Next(); ok; m, ok = w.framer.Next() {
			w.messages = append(w.messages, m)
		}
		if err := w.framer.Err(); err != nil {
			return nil, err
		}
	case w.secure != nil:
		w.secure.Receive(time.Now(), space[:n])
		for m, ok := w.secure.NextData(); ok; m, ok = w.secure.NextData() {
			w.messages = append(w.messages, append([]byte(nil), m...))
		}
		if err := w.flush(); err != nil {
			return nil, err
		}
	default:
		return space[:n], nil
	}
	if len(w.messages) == 0 {
		return nil, nil
	}
	return w.receive(end)
}

// bind asks how the server sees this end: a Binding request.
func (w *way) bind(timeout time.Duration) (mapped netip.AddrPort, m stun.Message, rtt time.Duration, err error) {
	b := stun.NewBuilder(nil, stun.BindingRequest, stun.NewTransactionID(rand.Reader))
	config := stun.TransactionConfig{RTO: 250 * time.Millisecond}
	if w.protocol.Stream() {
		config.RTO, config.Rc, config.Rm = timeout, 1, 1
	}
	transaction := stun.NewTransaction(b.Bytes(), config)
	end := time.Now().Add(timeout)
	began := time.Now()
	transaction.Start(began)
	for {
		now := time.Now()
		if e, ok := transaction.NextEvent(); ok {
			f := e.(stun.Finished)
			if f.Err != nil {
				return mapped, m, 0, f.Err
			}
			mapped, err = mappedAddress(f.Response)
			return mapped, f.Response, now.Sub(began), err
		}
		transaction.Advance(now)
		if packet := transaction.AppendPacket(now, nil); len(packet) > 0 {
			began = now
			if err := w.send(packet); err != nil {
				return mapped, m, 0, err
			}
		}
		until := end
		if next := transaction.NextTimeout(); !next.IsZero() && next.Before(end) {
			until = next
		}
		switch packet, err := w.receive(until); {
		case packet != nil:
			transaction.Receive(time.Now(), packet)
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(end):
		case err != nil:
			return mapped, m, 0, err
		}
	}
}

// A caller is a TURN client on a way.
type caller struct {
	*way
	core  *turn.Client
	event turn.ClientEvent
	data  []byte // the last that a peer sent
}

func newCaller(w *way, user, password string) (*caller, error) {
	core, err := turn.NewClient(turn.ClientConfig{Username: user, Password: password, Stream: w.protocol.Stream(), Rand: rand.Reader, RTO: 250 * time.Millisecond})
	return &caller{way: w, core: core}, err
}

// until runs the client until something has happened.
func (c *caller) until(end time.Time, done func() bool) error {
	for {
		for e, ok := c.core.NextEvent(); ok; e, ok = c.core.NextEvent() {
			c.event = e
			if closed, ok := e.(turn.Closed); ok {
				return closed.Err
			}
			if done() {
				return nil
			}
		}
		if done() {
			return nil
		}
		now := time.Now()
		c.core.Advance(now)
		for b := c.core.AppendPacket(now, nil); len(b) > 0; b = c.core.AppendPacket(now, nil) {
			if err := c.send(b); err != nil {
				return err
			}
		}
		until := end
		if next := c.core.NextTimeout(); !next.IsZero() && next.Before(end) {
			until = next
		}
		m, err := c.receive(until)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(end):
		case err != nil:
			return err
		case m != nil:
			c.core.Receive(time.Now(), m)
			if d, ok := c.core.NextData(); ok {
				c.data = append([]byte(nil), d.Payload...)
			}
		}
	}
}

// allocate asks for a relayed address.
func (c *caller) allocate(timeout time.Duration) (a turn.Allocated, err error) {
	var refused error
	c.core.Start(time.Now())
	err = c.until(time.Now().Add(timeout), func() bool {
		switch e := c.event.(type) {
		case turn.Allocated:
			a = e
			return true
		case turn.TryAlternate:
			refused = e.Err
			return true
		}
		return false
	})
	if err == nil {
		err = refused
	}
	return a, err
}

// admit binds a channel to a peer.
func (c *caller) admit(peer netip.AddrPort, timeout time.Duration) error {
	if err := c.core.BindChannel(time.Now(), peer); err != nil {
		return err
	}
	var refused error
	err := c.until(time.Now().Add(timeout), func() bool {
		if ended, ok := c.event.(turn.ChannelEnded); ok {
			refused = ended.Err
			return true
		}
		_, ok := c.event.(turn.ChannelBound)
		return ok
	})
	return errors.Join(err, refused)
}

// say sends data to a peer.
func (c *caller) say(peer netip.AddrPort, data []byte) error {
	b, err := c.core.AppendData(time.Now(), nil, peer, data)
	if err != nil {
		return err
	}
	return c.send(b)
}

// hears waits a while for data that the other end has sent, and reports whether it came.
func (c *caller) hears(end time.Time, wants func(data []byte) bool) (bool, error) {
	c.data = nil
	err := c.until(end, func() bool { return c.data != nil && wants(c.data) })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, nil
	}
	return err == nil, err
}

// close gives the allocation back, without waiting for an answer, and ends the way.
func (c *caller) close() {
	now := time.Now()
	c.core.Close(now)
	for b := c.core.AppendPacket(now, nil); len(b) > 0; b = c.core.AppendPacket(now, nil) {
		c.send(b)
	}
	c.conn.Close()
}

// mappedAddress is the address in an answer.
func mappedAddress(m stun.Message) (netip.AddrPort, error) {
	a, err := mapped(m)
	if err != nil {
		return a, fmt.Errorf("it is no STUN server: %w", err)
	}
	return a, nil
}
