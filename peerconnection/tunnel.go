package peerconnection

import (
	"crypto/x509"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/timers"
)

// Servers over DTLS (RFC 7350): a connection within the datagrams of one of our
// sockets, which needs nobody's help but the core's. Those over TCP and TLS are the
// shell's; see streams.go.

// A tunnel is DTLS to a server.
type tunnel struct {
	path  ice.Path // of protocol DTLS
	conn  *dtls.Conn
	ended bool // nobody wants it any more: it says goodbye
	plain []byte
}

// outer is the path that the tunnel's own datagrams take.
func (t *tunnel) outer() ice.Path { return ice.Path{Local: t.path.Local, Remote: t.path.Remote} }

// tunnelAt is the tunnel that datagrams on a path belong to, or nil.
func (c *core) tunnelAt(path ice.Path) *tunnel {
	for _, t := range c.tunnels {
		if t.outer() == path {
			return t
		}
	}
	return nil
}

// streamEvent carries out what ICE asks for, or passes it on to the shell.
func (c *core) streamEvent(now time.Time, e ice.Event) {
	switch e := e.(type) {
	case ice.Dial:
		if e.Path.Protocol == ice.DTLS {
			c.openTunnel(now, e)
			return
		}
	case ice.HangUp:
		if e.Path.Protocol == ice.DTLS {
			if t := c.tunnelAt(ice.Path{Local: e.Path.Local, Remote: e.Path.Remote}); t != nil {
				t.ended = true
				t.conn.Close(now)
			}
			return
		}
	}
	c.streams = append(c.streams, e)
}

// takeStreamEvents takes what is left of an agent that has ended.
func (c *core) takeStreamEvents(now time.Time, agent *ice.Agent) {
	for e, ok := agent.NextEvent(); ok; e, ok = agent.NextEvent() {
		if e, ok := e.(ice.HangUp); ok {
			c.streamEvent(now, e)
		}
	}
}

// nextStreamEvent is what the shell is asked for next: an ice.Dial or an ice.HangUp.
// It answers by connected and disconnected.
func (c *core) nextStreamEvent() (ice.Event, bool) {
	if len(c.streams) == 0 {
		return nil, false
	}
	e := c.streams[0]
	if c.streams = c.streams[1:]; len(c.streams) == 0 {
		c.streams = nil
	}
	return e, true
}

// connected tells that a connection is there.
func (c *core) connected(now time.Time, path ice.Path) {
	c.ice.Connected(now, path)
	c.pump(now)
}

// disconnected tells that a connection is no more, or will not be.
func (c *core) disconnected(now time.Time, path ice.Path, err error) {
	c.ice.Disconnected(now, path, err)
	c.pump(now)
}

func (c *core) openTunnel(now time.Time, d ice.Dial) {
	c.tunnels = slices.DeleteFunc(c.tunnels, func(t *tunnel) bool { return t.path == d.Path })
	conn, err := dtls.NewClient(dtls.Config{
		Certificate: c.cfg.Certificate, Rand: c.cfg.Rand, Trace: c.cfg.Trace, MTU: pathMTU, NoClientCertificate: true,
		MaxVersion: c.cfg.MaxDTLSVersion, Groups: c.cfg.DTLSGroups,
		VerifyChain: func(chain [][]byte) error { return c.verifyServer(now, d.Name, d.Path.Remote.Addr(), chain) },
	})
	if err != nil {
		c.ice.Disconnected(now, d.Path, err)
		return
	}
	conn.Connect(now)
	c.tunnels = append(c.tunnels, &tunnel{path: d.Path, conn: conn})
}

// verifyServer asks the authorities whether a certificate is the server's.
func (c *core) verifyServer(now time.Time, name string, addr netip.Addr, chain [][]byte) error {
	if name == "" {
		name = addr.WithZone("").String()
	}
	var leaf *x509.Certificate
	issuers := x509.NewCertPool()
	for i, der := range chain {
		certificate, err := x509.ParseCertificate(der)
		switch {
		case i == 0 && err != nil:
			return err
		case i == 0:
			leaf = certificate
		case err == nil:
			issuers.AddCert(certificate)
		}
	}
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: c.cfg.RootCAs, Intermediates: issuers, CurrentTime: now})
	return err
}

// receiveTunnel takes a datagram of a tunnel's.
func (c *core) receiveTunnel(now time.Time, t *tunnel, b []byte) {
	t.conn.Receive(now, b)
	c.settleTunnel(now, t)
	for message, ok := t.conn.NextData(); ok; message, ok = t.conn.NextData() {
		c.receiveDatagram(now, t.path, message)
	}
}

// settleTunnel sees what has become of a tunnel.
func (c *core) settleTunnel(now time.Time, t *tunnel) {
	for e, ok := t.conn.NextEvent(); ok; e, ok = t.conn.NextEvent() {
		switch e := e.(type) {
		case dtls.Established:
			c.ice.Connected(now, t.path)
		case dtls.Closed:
			if t.ended {
				break
			}
			t.ended = true
			err := e.Err
			if err == nil {
				err = errors.New("the server has ended the DTLS connection")
			}
			c.ice.Disconnected(now, t.path, err)
		}
	}
}

func (c *core) advanceTunnels(now time.Time) {
	for _, t := range slices.Clone(c.tunnels) {
		t.conn.Advance(now)
		c.settleTunnel(now, t)
	}
}

func (c *core) tunnelTimeout() (next time.Time) {
	for _, t := range c.tunnels {
		next = timers.Earlier(next, t.conn.NextTimeout())
	}
	return next
}

// appendTunnels appends what a tunnel itself has to say: its handshake and its end.
func (c *core) appendTunnels(now time.Time, b []byte) ([]byte, ice.Path) {
	start := len(b)
	for i := 0; i < len(c.tunnels); i++ {
		t := c.tunnels[i]
		if b = t.conn.AppendPacket(now, b); len(b) > start {
			return b, t.outer()
		}
		if t.ended {
			c.tunnels = slices.Delete(c.tunnels, i, i+1)
			i--
		}
	}
	return b, ice.Path{}
}

// sealTunnel makes of the message b[start:] to a server the datagram that goes there. If
// the tunnel is not open it is lost.
func (c *core) sealTunnel(b []byte, start int, path ice.Path) ([]byte, ice.Path) {
	for _, t := range c.tunnels {
		if t.path == path && t.conn.Established() {
			t.plain = append(t.plain[:0], b[start:]...)
			return t.conn.Seal(b[:start], t.plain), t.outer()
		}
	}
	return b[:start], ice.Path{}
}
