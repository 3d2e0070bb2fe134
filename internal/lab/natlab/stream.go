package natlab

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/turn"
)

// A conn is an agent's connection: to the server, or to the peer. TLS is TCP without
// a handshake of its own.
type conn struct {
	*netsim.Conn
	server bool
	told   bool // the agent knows that it is there
	framer turn.Framer
	in     []byte // of the peer, until a message is whole: RFC 4571
}

// dial does what the agent asks for.
func (n *node) dial(now time.Time, d ice.Dial) {
	local := netip.AddrPortFrom(d.Path.Local.Addr(), 0)
	if d.Port {
		local = d.Path.Local
	}
	n.world.tell(now, n.name, "dials", d.Path.String())
	n.conns[d.Path] = &conn{server: d.Server, Conn: n.host.Dial(local, d.Path.Remote)}
}

func (n *node) hangUp(path ice.Path) {
	if c := n.conns[path]; c != nil {
		delete(n.conns, path)
		c.Close()
	}
}

// find returns the agent's path of a connection.
func (n *node) find(c *netsim.Conn) (ice.Path, *conn) {
	for path, known := range n.conns {
		if known.Conn == c {
			return path, known
		}
	}
	return ice.Path{}, nil
}

func (n *node) Connected(now time.Time, c *netsim.Conn) {
	if c.Accepted() { // the agent is told when the first message is here
		n.conns[ice.Path{Protocol: ice.TCP, Local: c.Local, Remote: c.Remote}] = &conn{Conn: c}
		return
	}
	if path, known := n.find(c); known != nil {
		n.world.tell(now, n.name, "connects", path.String())
		known.told = true
		n.Agent.Connected(now, path)
	}
}

func (n *node) Disconnected(now time.Time, c *netsim.Conn, err error) {
	if path, known := n.find(c); known != nil {
		delete(n.conns, path)
		n.Agent.Disconnected(now, path, err)
	}
}

func (n *node) ReceiveStream(now time.Time, c *netsim.Conn, b []byte) {
	path, known := n.find(c)
	switch {
	case known == nil:
	case known.server:
		for len(b) > 0 {
			written := copy(known.framer.Space(), b)
			known.framer.Wrote(written)
			b = b[written:]
			for message, ok := known.framer.Next(); ok; message, ok = known.framer.Next() {
				n.receive(now, path, message)
			}
		}
	default:
		known.in = append(known.in, b...)
		for len(known.in) >= 2 {
			size := 2 + int(binary.BigEndian.Uint16(known.in))
			if len(known.in) < size {
				break
			}
			message := slices.Clone(known.in[2:size])
			known.in = known.in[size:]
			if !known.told {
				known.told = true
				n.Agent.Connected(now, path)
			}
			n.receive(now, path, message)
		}
	}
}

// write sends a message over its connection, if there is one.
func (n *node) write(now time.Time, path ice.Path, b []byte) {
	c := n.conns[path]
	if c == nil {
		return
	}
	n.world.note(now, n.name, "writes", c.Local, c.Remote, b)
	n.count(now, path, b)
	if !c.server {
		b = append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
	}
	c.Write(b)
}

var _ netsim.Streamer = (*node)(nil)
