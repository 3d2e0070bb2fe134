package ice_test

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
)

// As much of TCP as the ladder needs: connections open and close, and nothing is lost on the
// way.

// A tcp is a host's connections.
type tcp struct {
	conns []*conn
	out   []signal
	port  uint16 // the last one that a connection left from
	deaf  bool   // takes no connections
}

// A conn is a connection: as the agent knows it, and as it is on the wire.
type conn struct {
	path, wire ice.Path
	claimed    bool // the agent knows it
}

// A signal is a segment that carries no message.
type signal struct {
	path ice.Path
	text string
}

func isSegment(packet []byte) bool {
	return slices.Contains([]string{"SYN", "SYN ACK", "FIN", "RST"}, string(packet))
}

func (t *tcp) append(b []byte) []byte {
	if len(t.out) == 0 {
		return b
	}
	s := t.out[0]
	t.out = t.out[1:]
	return append(appendPath(b, s.path), s.text...)
}

func (t *tcp) find(is func(*conn) bool) *conn {
	if i := slices.IndexFunc(t.conns, is); i >= 0 {
		return t.conns[i]
	}
	return nil
}

// wire is the path that a connection's messages take.
func (t *tcp) wire(path ice.Path) ice.Path {
	if c := t.find(func(c *conn) bool { return c.path == path }); c != nil {
		return c.wire
	}
	panic("the agent sends on " + path.String() + ", which is no connection")
}

func (t *tcp) forget(c *conn) {
	t.conns = slices.DeleteFunc(t.conns, func(other *conn) bool { return other == c })
}

// takeEvents does what the agent asks for.
func (h *host) takeEvents() {
	for e, ok := h.NextEvent(); ok; e, ok = h.NextEvent() {
		h.events = append(h.events, e)
		switch e := e.(type) {
		case ice.Dial:
			c := &conn{path: e.Path, wire: e.Path, claimed: true}
			if !e.Port {
				h.tcp.port = max(h.tcp.port+1, 49152)
				c.wire.Local = netip.AddrPortFrom(e.Path.Local.Addr(), h.tcp.port)
			}
			h.tcp.conns = append(h.tcp.conns, c)
			h.tcp.out = append(h.tcp.out, signal{c.wire, "SYN"})
		case ice.HangUp:
			c := h.tcp.find(func(c *conn) bool { return c.path == e.Path })
			h.tcp.out = append(h.tcp.out, signal{c.wire, "FIN"})
			h.tcp.forget(c)
		}
	}
}

func (h *host) receiveTCP(now time.Time, from ice.Path, packet []byte) {
	wire := ice.Path{Protocol: ice.TCP, Local: from.Remote, Remote: from.Local}
	c := h.tcp.find(func(c *conn) bool { return c.wire == wire })
	switch text := string(packet); {
	case text == "SYN" && c != nil: // both dialled
		h.Connected(now, c.path)
	case text == "SYN":
		if h.tcp.deaf || !slices.ContainsFunc(h.LocalCandidates(), func(c ice.Candidate) bool { return c.Protocol == ice.TCP && c.Addr == wire.Local }) {
			h.tcp.out = append(h.tcp.out, signal{wire, "RST"})
			return
		}
		h.tcp.conns = append(h.tcp.conns, &conn{path: wire, wire: wire})
		h.tcp.out = append(h.tcp.out, signal{wire, "SYN ACK"})
	case c == nil:
	case text == "SYN ACK":
		h.Connected(now, c.path)
	case text == "RST", text == "FIN":
		h.tcp.forget(c)
		h.Disconnected(now, c.path, errors.New(text))
	default:
		if !c.claimed {
			c.claimed = true
			h.Connected(now, c.path)
		}
		h.Agent.Receive(now, c.path, packet)
	}
}

// reset breaks the host's connections.
func (h *host) reset(now time.Time) {
	for _, c := range slices.Clone(h.tcp.conns) {
		h.tcp.forget(c)
		h.tcp.out = append(h.tcp.out, signal{c.wire, "RST"})
		h.Disconnected(now, c.path, errors.New("reset"))
	}
}

// The examples of RFC 6544, Section 4.2 are not reproduced, for the type preferences are
// libwebrtc's; but the order is what it asks for.
func TestPrioritiesOfTCP(t *testing.T) {
	a := newAgent(1)
	a.AddServer(start, ice.ServerConfig{Kind: ice.TURN, Addr: turnAddr, Username: "alice", Password: "wonderland"})
	var priorities []uint32
	for _, o := range []struct {
		addr string
		kind ice.TCPType
	}{
		{"192.0.2.1:5000", ice.NoTCPType}, {"192.0.2.1:1", ice.TCPActive}, {"192.0.2.1:7000", ice.TCPPassive}, {"192.0.2.1:7001", ice.TCPSimultaneousOpen},
	} {
		c, ok := a.AddLocalAddress(start, netip.MustParseAddrPort(o.addr), ice.LocalOptions{TCP: o.kind})
		if !ok {
			t.Fatalf("%v is not taken", o)
		}
		if o.kind == ice.TCPActive && c.Addr.Port() != 9 {
			t.Errorf("an active candidate has the port %d, not 9", c.Addr.Port())
		}
		priorities = append(priorities, c.Priority)
	}
	if !slices.IsSortedFunc(priorities, func(x, y uint32) int { return cmp.Compare(y, x) }) {
		t.Errorf("UDP, active, passive, simultaneous-open have the priorities %d: not in that order", priorities)
	}
	if _, ok := a.AddLocalAddress(start, netip.MustParseAddrPort("192.0.2.1:7000"), ice.LocalOptions{}); !ok {
		t.Error("one port cannot be used for both UDP and TCP")
	}
}

// drained takes what an agent has to say: the paths of its packets, and its events.
func drained(a *ice.Agent, now time.Time) (paths []ice.Path, events []ice.Event) {
	for {
		packet, path := a.AppendPacket(now, nil)
		if len(packet) == 0 {
			break
		}
		paths = append(paths, path)
	}
	for e, ok := a.NextEvent(); ok; e, ok = a.NextEvent() {
		events = append(events, e)
	}
	return paths, events
}

// A server over a stream is asked once the connection is there, and not before. What cannot
// be reached is told; and no more is waited for.
func TestServersOverStreams(t *testing.T) {
	base := netip.MustParseAddrPort("203.0.113.1:5000")
	for _, protocol := range []ice.Protocol{ice.TCP, ice.TLS, ice.DTLS} {
		path := ice.Path{Protocol: protocol, Local: base, Remote: turnAddr}
		begin := func() *ice.Agent {
			a := newAgent(1)
			a.AddLocalAddress(start, base, ice.LocalOptions{})
			s := ice.ServerConfig{Kind: ice.TURN, Protocol: protocol, Addr: turnAddr, Name: "turn.example.org", URL: "url", Username: "alice", Password: "wonderland"}
			if err := a.AddServer(start, s); err != nil {
				t.Fatal(err)
			}
			a.EndOfLocalCandidates(start)
			paths, events := drained(a, start)
			want := ice.Dial{Path: path, Server: true, Name: "turn.example.org"}
			if len(paths) != 0 || !slices.Contains(events, ice.Event(want)) {
				t.Fatalf("%v: sent %v, and the events are %v", protocol, paths, events)
			}
			return a
		}

		a := begin()
		a.Connected(start, path)
		if paths, _ := drained(a, start); !slices.Equal(paths, []ice.Path{path}) {
			t.Errorf("%v: once connected, it asks by %v", protocol, paths)
		}
		a.Close(start)
		if _, events := drained(a, start); !slices.Contains(events, ice.Event(ice.HangUp{Path: path})) {
			t.Errorf("%v: a closed agent does not hang up: %v", protocol, events)
		}

		a = begin()
		refused := errors.New("refused")
		a.Disconnected(start, path, refused)
		_, events := drained(a, start)
		failed := slices.ContainsFunc(events, func(e ice.Event) bool {
			f, ok := e.(ice.ServerFailed)
			return ok && f.Err == refused && f.Base == base && f.Server.URL == "url"
		})
		if !failed || !slices.Contains(events, ice.Event(ice.GatheringDone{})) {
			t.Errorf("%v: after the connection was refused the events are %v", protocol, events)
		}

		a = begin()
		a.Advance(start.Add(6 * time.Second))
		_, events = drained(a, start.Add(6*time.Second))
		if !slices.Contains(events, ice.Event(ice.HangUp{Path: path})) || !slices.Contains(events, ice.Event(ice.GatheringDone{})) {
			t.Errorf("%v: when nothing is heard, the events are %v", protocol, events)
		}
	}
	a := newAgent(1)
	err := a.AddServer(start, ice.ServerConfig{Kind: ice.STUN, Protocol: ice.TCP, Addr: turnAddr})
	if err == nil || !strings.Contains(err.Error(), "UDP or DTLS") {
		t.Errorf("a STUN server over TCP: %v", err)
	}
}

// Peers cannot make an agent hold connections without end, nor without a reason.
func TestUnwantedConnectionsAreHungUp(t *testing.T) {
	a := newAgent(1)
	here := netip.MustParseAddrPort("192.0.2.1:7000")
	a.AddLocalAddress(start, here, ice.LocalOptions{TCP: ice.TCPPassive})
	drained(a, start)
	for port := range uint16(1000) {
		a.Connected(start, ice.Path{Protocol: ice.TCP, Local: here, Remote: netip.AddrPortFrom(turnAddr.Addr(), 1000+port)})
	}
	_, events := drained(a, start)
	if len(events) != 1000 {
		t.Errorf("of 1000 connections on which no check came %d are hung up", len(events))
	}
}

func newAgent(seed byte) *ice.Agent {
	return ice.New(ice.Config{Rand: rand.NewChaCha8([32]byte{seed})})
}
