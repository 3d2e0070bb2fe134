package natlab

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/turn"
)

// The server's addresses, and those it relays from.
var (
	server4 = netip.MustParseAddr("192.0.2.15")
	server6 = netip.MustParseAddr("2001:db8:f::15")
	relay4  = netip.MustParseAddr("198.51.100.15")
	relay6  = netip.MustParseAddr("2001:db8:f::16")
)

// The server's ports: that of TLS is the one that nearly every firewall lets through.
const (
	serverPort    = 3478
	serverPortTLS = 443
)

// stunServer is the STUN server as the name resolves for a host at base. Like many it
// has an IPv4 address alone, of which DNS64 makes another where there is a NAT64.
func stunServer(base netip.Addr, nat64 bool) netip.AddrPort {
	switch {
	case base.Is4():
		return netip.AddrPortFrom(server4, serverPort)
	case nat64:
		return netip.AddrPortFrom(netsim.Synthesize(netsim.WellKnownPrefix, server4), serverPort)
	}
	return netip.AddrPort{}
}

// turnServer is the TURN server, which has addresses of both families.
func turnServer(base netip.Addr, port uint16) netip.AddrPort {
	if base.Is4() {
		return netip.AddrPortFrom(server4, port)
	}
	return netip.AddrPortFrom(server6, port)
}

// A server is a STUN and TURN server: the core, with its sockets on paper.
type server struct {
	*turn.Server
	world *world
	open  map[netip.AddrPort]turn.RelayID
	port  uint16
	out   []letter
	conns map[turn.FiveTuple]*serverConn
}

// A serverConn is a client's connection.
type serverConn struct {
	*netsim.Conn
	framer turn.Framer
}

type letter struct {
	from, to netip.AddrPort
	packet   []byte
}

func newServer(w *world) (*server, error) {
	s, err := turn.NewServer(turn.ServerConfig{
		Realm: "lab", Users: map[string]string{users[0]: password, users[1]: password}, Rand: w.Rand("server"),
		OwnAddresses: []netip.Addr{server4, server6, relay4, relay6}, IPv6: true,
	})
	if err != nil {
		return nil, err
	}
	return &server{Server: s, world: w, open: map[netip.AddrPort]turn.RelayID{}, port: 50000, conns: map[turn.FiveTuple]*serverConn{}}, nil
}

// addServer puts a server into the middle of the network.
func addServer(w *world) error {
	s, err := newServer(w)
	if err != nil {
		return err
	}
	h := w.AddHost(s, netsim.Profile{}, server4, server6, relay4, relay6)
	for _, addr := range []netip.Addr{server4, server6} {
		h.Listen(netip.AddrPortFrom(addr, serverPortTLS))
	}
	return nil
}

func (s *server) Receive(now time.Time, local, remote netip.AddrPort, packet []byte) {
	if local.Addr() == server4 || local.Addr() == server6 {
		if local.Port() == serverPort {
			s.receive(now, turn.FiveTuple{Client: remote, Server: local}, packet)
		}
		return
	}
	b := append(make([]byte, turn.Headroom, turn.Headroom+len(packet)+3), packet...)
	s.ReceivePeer(now, s.open[local], remote, b, turn.Headroom)
	if d, ok := s.NextToClient(); ok {
		s.send(now, d.To, d.Packet)
	}
}

// send sends something to a client, over its connection if it has one.
func (s *server) send(now time.Time, to turn.FiveTuple, b []byte) {
	if !to.Protocol.Stream() {
		s.out = append(s.out, letter{to.Server, to.Client, bytes.Clone(b)})
		return
	}
	if c := s.conns[to]; c != nil {
		s.world.note(now, "server", "writes", to.Server, to.Client, b)
		c.Write(b)
	}
}

func tupleOf(c *netsim.Conn) turn.FiveTuple {
	return turn.FiveTuple{Client: c.Remote, Server: c.Local, Protocol: turn.TLS}
}

func (s *server) Connected(now time.Time, c *netsim.Conn) {
	s.conns[tupleOf(c)] = &serverConn{Conn: c}
}

func (s *server) Disconnected(now time.Time, c *netsim.Conn, err error) {
	delete(s.conns, tupleOf(c))
	s.Server.Disconnected(now, tupleOf(c))
}

func (s *server) ReceiveStream(now time.Time, c *netsim.Conn, b []byte) {
	f := &s.conns[tupleOf(c)].framer
	for len(b) > 0 {
		n := copy(f.Space(), b)
		f.Wrote(n)
		b = b[n:]
		for message, ok := f.Next(); ok; message, ok = f.Next() {
			s.receive(now, tupleOf(c), message)
		}
	}
}

// receive takes what a client says.
func (s *server) receive(now time.Time, from turn.FiveTuple, packet []byte) {
	s.Server.Receive(now, from, packet)
	if d, ok := s.NextToPeer(); ok {
		for addr, id := range s.open {
			if id == d.Relay {
				s.out = append(s.out, letter{addr, d.Peer, bytes.Clone(d.Payload)})
			}
		}
	}
}

// serve does what the server's events ask for.
func (s *server) serve(now time.Time) {
	for e, ok := s.NextEvent(); ok; e, ok = s.NextEvent() {
		switch e := e.(type) {
		case turn.OpenRelay:
			addr := relay4
			if e.IPv6 {
				addr = relay6
			}
			s.port++
			at := netip.AddrPortFrom(addr, s.port)
			s.open[at] = e.Relay
			s.RelayOpened(now, e.Relay, at)
		case turn.CloseRelay:
			for addr, id := range s.open {
				if id == e.Relay {
					delete(s.open, addr)
				}
			}
		}
	}
}

func (s *server) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	s.serve(now)
	for {
		packet, to := s.Server.AppendPacket(now, b)
		if len(packet) == len(b) {
			break
		}
		s.send(now, to, packet[len(b):])
	}
	if len(s.out) == 0 {
		return b, netip.AddrPort{}, netip.AddrPort{}
	}
	l := s.out[0]
	s.out = s.out[1:]
	s.world.note(now, "server", "sends", l.from, l.to, l.packet)
	return append(b, l.packet...), l.from, l.to
}

var _ netsim.Streamer = (*server)(nil)
