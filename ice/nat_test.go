package ice_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/turn"
)

// Two agents behind NATs, with a STUN and TURN server in the middle of the
// network: always connected, directly where that is possible at all.

var (
	turnAddr  = netip.MustParseAddrPort("192.0.2.15:3478")
	relayAddr = netip.MustParseAddr("198.51.100.15")
)

// A serverNode is the server, with its shell on paper: relays are ports of relayAddr.
type serverNode struct {
	*turn.Server
	open map[netip.AddrPort]turn.RelayID
	port uint16
	out  []letter
	dead bool
	lies func(packet []byte) // spoils what the server answers
}

type letter struct {
	from, to netip.AddrPort
	packet   []byte
}

func newServerNode(t testing.TB) *serverNode {
	s, err := turn.NewServer(turn.ServerConfig{
		Realm: "example.org", Users: map[string]string{"alice": "wonderland", "bob": "builder"}, Rand: rand.NewChaCha8([32]byte{'s'}),
		OwnAddresses: []netip.Addr{turnAddr.Addr(), relayAddr},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &serverNode{Server: s, open: map[netip.AddrPort]turn.RelayID{}, port: 50000}
}

func (n *serverNode) Receive(now time.Time, local, remote netip.AddrPort, packet []byte) {
	if n.dead {
		return
	}
	if local == turnAddr {
		n.Server.Receive(now, turn.FiveTuple{Client: remote, Server: turnAddr}, packet)
		if d, ok := n.NextToPeer(); ok {
			for from, id := range n.open {
				if id == d.Relay {
					n.out = append(n.out, letter{from, d.Peer, bytes.Clone(d.Payload)})
				}
			}
		}
		n.serve(now)
		return
	}
	b := append(make([]byte, turn.Headroom, turn.Headroom+len(packet)+3), packet...)
	n.ReceivePeer(now, n.open[local], remote, b, turn.Headroom)
	if d, ok := n.NextToClient(); ok {
		n.out = append(n.out, letter{turnAddr, d.To.Client, bytes.Clone(d.Packet)})
	}
}

// serve does what the server's events ask for.
func (n *serverNode) serve(now time.Time) {
	for e, ok := n.NextEvent(); ok; e, ok = n.NextEvent() {
		switch e := e.(type) {
		case turn.OpenRelay:
			n.port++
			addr := netip.AddrPortFrom(relayAddr, n.port)
			n.open[addr] = e.Relay
			n.RelayOpened(now, e.Relay, addr)
		case turn.CloseRelay:
			for addr, id := range n.open {
				if id == e.Relay {
					delete(n.open, addr)
				}
			}
		}
	}
}

func (n *serverNode) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	n.serve(now)
	if packet, to := n.Server.AppendPacket(now, b); len(packet) > len(b) {
		if n.lies != nil {
			n.lies(packet[len(b):])
		}
		return packet, turnAddr, to.Client
	}
	if len(n.out) == 0 {
		return b, netip.AddrPort{}, netip.AddrPort{}
	}
	l := n.out[0]
	n.out = n.out[1:]
	return append(b, l.packet...), l.from, l.to
}

// An agentNode is an agent that trickles its candidates to its peer.
type agentNode struct {
	*ice.Agent
	n          *netsim.Network
	peer       *agentNode
	signalling time.Duration
	candidates []ice.Candidate
	gathered   int // how often GatheringDone was told
	data       []string
	outbox     []string // data to send
	selected   []ice.PathSelected
}

func newAgentNode(n *netsim.Network, name string, policy ice.Policy) *agentNode {
	return &agentNode{Agent: ice.New(ice.Config{Rand: n.Rand(name), Policy: policy}), n: n, signalling: 50 * time.Millisecond}
}

func (a *agentNode) Receive(now time.Time, local, remote netip.AddrPort, packet []byte) {
	b, path := a.Unwrap(now, ice.Path{Local: local, Remote: remote}, packet)
	switch {
	case len(b) == 0:
	case b[0] == 'D': // data
		if a.KnowsPath(path) {
			a.SeenData(now, path, 100)
			a.data = append(a.data, string(b))
		}
	default:
		a.Agent.Receive(now, path, b)
	}
}

func (a *agentNode) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	for e, ok := a.NextEvent(); ok; e, ok = a.NextEvent() {
		switch e := e.(type) {
		case ice.CandidateGathered:
			a.candidates = append(a.candidates, e.Candidate)
			text := e.Candidate.String()
			a.n.After(a.signalling, func() {
				c, err := ice.ParseCandidate(text)
				if err != nil {
					panic(err)
				}
				a.peer.AddRemoteCandidate(a.n.Now(), c)
			})
		case ice.GatheringDone:
			a.gathered++
		case ice.PathSelected:
			a.selected = append(a.selected, e)
		}
	}
	start := len(b)
	b, path := a.Agent.AppendPacket(now, b)
	if len(b) > start || len(a.outbox) == 0 {
		return b, path.Local, path.Remote
	}
	path, ok := a.SelectedPath()
	if !ok {
		return b, path.Local, path.Remote
	}
	word := a.outbox[0]
	a.outbox = a.outbox[1:]
	a.SentData(now, 100)
	if a.Relayed(path) {
		b = append(b, make([]byte, turn.Headroom)...)
		b, path = a.Wrap(now, path, append(b, word...), start)
		return b, path.Local, path.Remote
	}
	return append(b, word...), path.Local, path.Remote
}

// A natKind is a NAT, or none.
type natKind struct {
	name string
	nat  *netsim.NAT
}

var natKinds = []natKind{
	{"none", nil},
	{"full cone", &netsim.FullCone},
	{"restricted", &netsim.RestrictedCone},
	{"port restricted", &netsim.PortRestrictedCone},
	{"address-dependent", &netsim.NAT{Mapping: netsim.AddressDependent, Filtering: netsim.AddressDependent, Ports: netsim.SequentialPorts}},
	{"symmetric, open", &netsim.NAT{Mapping: netsim.AddressAndPortDependent, Filtering: netsim.EndpointIndependent, Ports: netsim.RandomPorts}},
	{"symmetric", &netsim.Symmetric},
}

// direct reports whether theory has a direct path between the two.
//
// A mapping that does not depend on the other end is what the STUN server saw,
// and the peer may send there; any other is known to who receives from it. If
// both are of the first kind they meet. If one is, and lets in what comes
// from another port than it has sent to, the other one's first check tells
// its mapping. If none is, one side must let in whatever comes, to what the STUN
// server saw; and the other side what answers from another port. Two whose
// mappings depend on the port never meet: each answer comes from a new one.
func direct(a, z natKind) bool {
	mapping := func(k natKind) netsim.Behaviour {
		if k.nat == nil {
			return netsim.EndpointIndependent
		}
		return k.nat.Mapping
	}
	filtering := func(k natKind) netsim.Behaviour {
		if k.nat == nil {
			return netsim.EndpointIndependent
		}
		return k.nat.Filtering
	}
	const strict = netsim.AddressAndPortDependent
	switch fixedA, fixedZ := mapping(a) == netsim.EndpointIndependent, mapping(z) == netsim.EndpointIndependent; {
	case fixedA && fixedZ:
		return true
	case fixedA:
		return filtering(a) != strict
	case fixedZ:
		return filtering(z) != strict
	}
	if mapping(a) == strict && mapping(z) == strict {
		return false
	}
	// How z's check gets to a, where a's STUN mapping lets in anybody.
	in := func(a, z natKind) bool {
		return filtering(a) == netsim.EndpointIndependent && filtering(z) != strict
	}
	return in(a, z) || in(z, a)
}

// A natWorld is two agents at their places, and the server.
type natWorld struct {
	*netsim.Network
	a, z   *agentNode
	server *serverNode
	nats   [2]*netsim.Gateway
}

func newNATWorld(t testing.TB, seed uint64, kinds [2]natKind, policy ice.Policy) *natWorld {
	n := netsim.New(seed, start)
	w := &natWorld{Network: n, a: newAgentNode(n, "a", policy), z: newAgentNode(n, "z", policy), server: newServerNode(t)}
	w.a.peer, w.z.peer = w.z, w.a
	link := netsim.Profile{Delay: 10 * time.Millisecond}
	n.AddHost(w.server, link, turnAddr.Addr(), relayAddr)
	for i, agent := range []*agentNode{w.a, w.z} {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + i)}), 5000)
		if nat := kinds[i].nat; nat != nil {
			w.nats[i] = n.AddNAT(*nat, link, addr.Addr())
			addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 2}), 5000)
			w.nats[i].AddHost(agent, netsim.Profile{}, addr.Addr())
		} else {
			n.AddHost(agent, link, addr.Addr())
		}
		agent.AddLocalAddress(start, addr, ice.LocalOptions{})
	}
	return w
}

// introduce gives the agents the server, and each other's credentials.
func (w *natWorld) introduce(t testing.TB) {
	w.a.SetControlling(true)
	for i, agent := range []*agentNode{w.a, w.z} {
		user := ice.ServerConfig{Kind: ice.TURN, Addr: turnAddr, URL: "turn:192.0.2.15", Username: "alice", Password: "wonderland"}
		if i == 1 {
			user.Username, user.Password = "bob", "builder"
		}
		for _, s := range []ice.ServerConfig{{Kind: ice.STUN, Addr: turnAddr, URL: "stun:192.0.2.15"}, user} {
			if err := agent.AddServer(w.Now(), s); err != nil {
				t.Fatal(err)
			}
		}
		agent.EndOfLocalCandidates(w.Now())
		w.After(agent.signalling, func() { agent.SetRemoteCredentials(w.Now(), agent.peer.LocalCredentials()) })
	}
}

func (w *natWorld) completed() bool {
	return w.a.State() == ice.StateCompleted && w.z.State() == ice.StateCompleted
}

// relayed reports whether data takes the way over the server, at either end.
func (w *natWorld) relayed() bool {
	for _, agent := range []*agentNode{w.a, w.z} {
		path, _ := agent.SelectedPath()
		if path.Local.Addr() == relayAddr || path.Remote.Addr() == relayAddr {
			return true
		}
	}
	return false
}

// talk has each side send words to the other, and reports how many came.
func (w *natWorld) talk(limit time.Duration) bool {
	const words = 5
	w.a.data, w.z.data = nil, nil
	for i := range words {
		w.After(time.Duration(i)*20*time.Millisecond, func() {
			w.a.outbox, w.z.outbox = append(w.a.outbox, fmt.Sprint("Da", i)), append(w.z.outbox, fmt.Sprint("Dz", i))
		})
	}
	return w.Run(func() bool { return len(w.a.data) == words && len(w.z.data) == words }, limit)
}

func TestNATs(t *testing.T) {
	for i, a := range natKinds {
		for j, z := range natKinds {
			t.Run(a.name+" to "+z.name, func(t *testing.T) {
				w := newNATWorld(t, uint64(1+i*len(natKinds)+j), [2]natKind{a, z}, ice.PolicyAll)
				w.introduce(t)
				connected := func() bool {
					_, one := w.a.SelectedPath()
					_, other := w.z.SelectedPath()
					return one && other
				}
				if !w.Run(connected, 3*time.Second) {
					t.Fatalf("not connected in 3 s: a is %v, z is %v", w.a.State(), w.z.State())
				}
				after := w.Now().Sub(start)
				if !w.Run(w.completed, 10*time.Second) {
					t.Fatalf("not completed: a is %v, z is %v", w.a.State(), w.z.State())
				}
				w.Run(nil, time.Second)
				if !w.talk(time.Second) {
					t.Errorf("data is lost: a has %q, z has %q", w.a.data, w.z.data)
				}
				if w.relayed() == direct(a, z) {
					pa, _ := w.a.SelectedPath()
					pz, _ := w.z.SelectedPath()
					t.Errorf("direct should be %v, but data goes %v and %v", direct(a, z), pa, pz)
				}
				t.Logf("direct %v, connected after %v, completed after %v", !w.relayed(), after, w.Now().Sub(start)-time.Second)
				if w.a.gathered != 1 || w.z.gathered != 1 {
					t.Errorf("GatheringDone was told %d and %d times", w.a.gathered, w.z.gathered)
				}
			})
		}
	}
}

// With the policy relay the peer learns no address but the server's, and nothing
// is sent to it but by the server.
func TestPolicyRelay(t *testing.T) {
	w := newNATWorld(t, 1, [2]natKind{natKinds[0], natKinds[1]}, ice.PolicyRelay)
	w.introduce(t)
	if !w.Run(w.completed, 5*time.Second) || !w.talk(time.Second) {
		t.Fatalf("a is %v, z is %v", w.a.State(), w.z.State())
	}
	for _, agent := range []*agentNode{w.a, w.z} {
		for _, c := range agent.candidates {
			if c.Type != ice.Relayed || c.Addr.Addr() != relayAddr || c.Related.Addr() != netip.IPv4Unspecified() {
				t.Errorf("the peer was told %v", c)
			}
		}
		for _, p := range agent.Pairs() {
			if p.Path.Local.Addr() != relayAddr {
				t.Errorf("there is the pair %v", p.Path)
			}
		}
	}
	// What comes to the base directly is not taken, be it the peer's.
	path, _ := w.z.SelectedPath()
	before := w.a.Stats()
	w.a.Agent.Receive(w.Now(), ice.Path{Local: netip.MustParseAddrPort("203.0.113.1:5000"), Remote: path.Local}, make([]byte, 20))
	if after := w.a.Stats(); after.Dropped != before.Dropped+1 {
		t.Error("a datagram that came to a hidden address was not dropped")
	}
}

// Both are behind NATs that only a relay joins. The server vanishes in mid-call:
// the agents notice. It is back and they restart: connected again.
func TestServerVanishes(t *testing.T) {
	symmetric := natKinds[len(natKinds)-1]
	w := newNATWorld(t, 3, [2]natKind{symmetric, symmetric}, ice.PolicyAll)
	w.introduce(t)
	if !w.Run(w.completed, 10*time.Second) || !w.relayed() {
		t.Fatalf("a is %v, z is %v", w.a.State(), w.z.State())
	}
	w.server.dead = true
	if !w.Run(func() bool { return w.a.State() == ice.StateDisconnected && w.z.State() == ice.StateDisconnected }, 20*time.Second) {
		t.Fatalf("without a server a is %v, z is %v", w.a.State(), w.z.State())
	}
	if !w.Run(func() bool { return w.a.State() == ice.StateFailed && w.z.State() == ice.StateFailed }, 60*time.Second) {
		t.Fatalf("without a server a is %v, z is %v", w.a.State(), w.z.State())
	}
	// The server has forgotten everything, and the NATs have other mappings by now.
	w.forget(t)
	w.server.dead = false
	w.restart()
	if !w.Run(w.completed, 20*time.Second) || !w.talk(time.Second) {
		t.Fatalf("with the server back a is %v, z is %v", w.a.State(), w.z.State())
	}
}

// A call over a relay goes on for hours: allocation, permissions and channels
// are refreshed, and the data is wrapped in four bytes. Close gives it back.
func TestRelayedCallLasts(t *testing.T) {
	symmetric := natKinds[len(natKinds)-1]
	w := newNATWorld(t, 4, [2]natKind{symmetric, symmetric}, ice.PolicyAll)
	w.introduce(t)
	if !w.Run(w.completed, 10*time.Second) {
		t.Fatalf("a is %v, z is %v", w.a.State(), w.z.State())
	}
	for range 6 {
		w.Run(nil, 20*time.Minute)
		if !w.talk(time.Second) {
			t.Fatalf("after %v data is lost: a is %v, z is %v", w.Now().Sub(start), w.a.State(), w.z.State())
		}
	}
	if n := len(w.a.selected); n > 4 {
		t.Errorf("the path changed %d times", n)
	}
	w.At(w.Now(), func() { w.a.Close(w.Now()); w.z.Close(w.Now()) })
	w.Run(nil, time.Second)
	if stats := w.server.Stats(); stats.Allocations != 0 {
		t.Errorf("the server has %d allocations after Close", stats.Allocations)
	}
}

// With a server that never answers gathering ends after five seconds, and the
// call does not wait for it.
func TestSilentServer(t *testing.T) {
	w := newNATWorld(t, 5, [2]natKind{natKinds[0], natKinds[0]}, ice.PolicyAll)
	w.server.dead = true
	w.introduce(t)
	if !w.Run(w.completed, time.Second) {
		t.Errorf("a is %v, z is %v", w.a.State(), w.z.State())
	}
	if !w.Run(func() bool { return w.a.gathered == 1 }, 6*time.Second) || w.Now().Sub(start) > 5500*time.Millisecond {
		t.Errorf("gathering was done %d times, after %v", w.a.gathered, w.Now().Sub(start))
	}
}

// What goes over a relay costs no allocation, and stays in the caller's bytes.
func TestRelayedDataAllocatesNothing(t *testing.T) {
	w := newNATWorld(t, 6, [2]natKind{natKinds[0], natKinds[0]}, ice.PolicyRelay)
	w.introduce(t)
	if !w.Run(w.completed, 5*time.Second) || !w.talk(time.Second) {
		t.Fatalf("a is %v, z is %v", w.a.State(), w.z.State())
	}
	path, _ := w.a.SelectedPath()
	buffer := make([]byte, 0, 2048)
	var wire []byte
	var wirePath ice.Path
	allocations := testing.AllocsPerRun(100, func() {
		b := append(buffer, "in front"...)
		n := len(b)
		b = append(b[:n+turn.Headroom], "Dword"...)
		b, wirePath = w.a.Wrap(w.Now(), path, b, n)
		wire = b[n:]
	})
	if allocations != 0 {
		t.Errorf("Wrap allocates %v times", allocations)
	}
	if len(wire) != 4+5 || wirePath.Remote != turnAddr || string(buffer[:8]) != "in front" || &wire[0] != &buffer[:9][8] {
		t.Errorf("wrapped in %d bytes: % x, for %v", len(wire)-5, wire, wirePath)
	}
	var data []byte
	allocations = testing.AllocsPerRun(100, func() { data, _ = w.a.Unwrap(w.Now(), wirePath, wire) })
	if allocations != 0 || string(data) != "Dword" || &data[0] != &wire[4] {
		t.Errorf("Unwrap allocates %v times and returns %q", allocations, data)
	}
}

// The way over the relay is there before the direct one, which is slow to open:
// data takes it, and moves on without a gap.
func TestMovesFromTheRelayToADirectPath(t *testing.T) {
	w := newNATWorld(t, 7, [2]natKind{natKinds[3], natKinds[3]}, ice.PolicyAll)
	here, there := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	w.Path(here, there).Profile.Delay = 400 * time.Millisecond
	w.Path(there, here).Profile.Delay = 400 * time.Millisecond
	w.introduce(t)
	if !w.Run(func() bool { return len(w.a.selected) > 0 && len(w.z.selected) > 0 }, 2*time.Second) || !w.relayed() {
		t.Fatalf("not over the relay at first: a has %+v, z has %+v", w.a.selected, w.z.selected)
	}
	if !w.talk(150 * time.Millisecond) {
		t.Errorf("the relay carries no data yet: a has %q, z has %q", w.a.data, w.z.data)
	}
	if !w.Run(w.completed, 10*time.Second) || w.relayed() {
		t.Fatalf("not on a direct path in the end: a is %v, z is %v", w.a.State(), w.z.State())
	}
	if !w.talk(time.Second) {
		t.Errorf("the direct path carries no data: a has %q, z has %q", w.a.data, w.z.data)
	}
}

// What a relayed path costs beside a direct one: a datagram of 1,200 bytes is
// wrapped, and unwrapped at the other end.
func BenchmarkRelayed(b *testing.B) {
	w := newNATWorld(b, 6, [2]natKind{natKinds[0], natKinds[0]}, ice.PolicyRelay)
	w.introduce(b)
	if !w.Run(w.completed, 5*time.Second) || !w.talk(time.Second) {
		b.Fatalf("a is %v, z is %v", w.a.State(), w.z.State())
	}
	path, _ := w.a.SelectedPath()
	buffer := make([]byte, turn.Headroom+1200, 2048)
	b.SetBytes(1200)
	b.ReportAllocs()
	for b.Loop() {
		wire, wirePath := w.a.Wrap(w.Now(), path, buffer[:turn.Headroom+1200], 0)
		w.a.Unwrap(w.Now(), wirePath, wire)
	}
}

// A round trip of two seconds, and both NATs look at ports: the first checks are
// lost, more follow before the first answer can be there, and yet each side's are
// few enough for the answers to be known when they come.
func TestLongPath(t *testing.T) {
	w := newNATWorld(t, 9, [2]natKind{natKinds[3], natKinds[3]}, ice.PolicyAll)
	here, there := netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("203.0.113.2")
	w.Path(here, there).Profile.Delay = time.Second
	w.Path(there, here).Profile.Delay = time.Second
	w.introduce(t)
	direct := func() bool {
		for _, p := range w.a.Pairs() {
			if p.State == ice.PairSucceeded && p.Path.Remote.Addr() == there && p.Path.Local.Addr() != relayAddr {
				return true
			}
		}
		return false
	}
	if !w.Run(direct, 4*time.Second) {
		t.Errorf("no check of the direct path is answered in 4 s")
	}
	for _, p := range w.a.Pairs() {
		if p.ChecksSent > 10 {
			t.Errorf("%d checks were sent on %v", p.ChecksSent, p.Path)
		}
	}
}
