package turn

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/internal/timers"
)

var (
	firstSeed = flag.Uint64("seed", 0, "the first seed of the simulation; with it, only that one is run")
	seedCount = flag.Int("seeds", 200, "how many seeds of the simulation to run")
)

// A letter is a datagram that waits to be sent.
type letter struct {
	local, remote netip.AddrPort
	packet        []byte
}

type postbox []letter

func (p *postbox) put(local, remote netip.AddrPort, packet []byte) {
	*p = append(*p, letter{local, remote, bytes.Clone(packet)})
}

func (p *postbox) take(b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	if len(*p) == 0 {
		return b, netip.AddrPort{}, netip.AddrPort{}
	}
	l := (*p)[0]
	*p = (*p)[1:]
	return append(b, l.packet...), l.local, l.remote
}

var anyHost = netip.IPv4Unspecified()

// A serverNode is a host on the simulated network.
type serverNode struct {
	*host
	out postbox
}

func (n *serverNode) Receive(now time.Time, local, remote netip.AddrPort, packet []byte) {
	if local.Port() == serverAddr.Port() {
		n.host.Receive(now, FiveTuple{Client: remote, Server: serverAddr}, packet)
		if d, ok := n.NextToPeer(); ok {
			n.out.put(n.open[d.Relay], d.Peer, d.Payload)
		}
		return
	}
	b := append(make([]byte, Headroom), packet...)
	n.ReceivePeer(now, n.relayAt(local), remote, b, Headroom)
	if d, ok := n.NextToClient(); ok {
		n.out.put(serverAddr, d.To.Client, d.Packet)
	}
}

func (n *serverNode) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	n.serve(now)
	if b, to := n.host.AppendPacket(now, b); len(b) > 0 {
		return b, serverAddr, to.Client
	}
	return n.out.take(b)
}

// A clientNode sends a word to its peer every so often, and remembers what
// comes back. When its allocation ends it makes another, from another port.
type clientNode struct {
	*Client
	t        testing.TB
	config   ClientConfig
	port     uint16
	peer     netip.AddrPort
	stop     time.Time // when to close
	speak    time.Time // when to say the next word
	said     map[string]bool
	sent     int
	heard    int // words, each once
	clients  int
	mistakes []string
	out      postbox
}

func (n *clientNode) begin(now time.Time) {
	n.port++
	n.clients++
	var err error
	n.Client, err = NewClient(n.config)
	must(n.t, err)
	n.Start(now)
}

func (n *clientNode) Receive(now time.Time, _, remote netip.AddrPort, packet []byte) {
	if remote != serverAddr {
		n.mistakes = append(n.mistakes, fmt.Sprintf("a packet of %v", remote))
		return
	}
	n.Client.Receive(now, packet)
	d, ok := n.NextData()
	if !ok {
		return
	}
	unheard, known := n.said[string(d.Payload)]
	if !known || d.Peer != n.peer {
		n.mistakes = append(n.mistakes, fmt.Sprintf("%q of %v", d.Payload, d.Peer))
	}
	if unheard {
		n.heard++
		n.said[string(d.Payload)] = false
	}
}

func (n *clientNode) Advance(now time.Time) {
	if !now.Before(n.stop) {
		n.stop, n.speak = time.Time{}, time.Time{}
		n.Close(now)
	}
	if !n.speak.IsZero() && !now.Before(n.speak) {
		n.speak = now.Add(7 * time.Second)
		word := fmt.Sprintf("word %d of port %d", n.sent, n.port)
		if p, err := n.AppendData(now, nil, n.peer, []byte(word)); err == nil {
			n.out.put(netip.AddrPortFrom(anyHost, n.port), serverAddr, p)
			n.said[word] = true
			n.sent++
		}
	}
	n.Client.Advance(now)
}

func (n *clientNode) NextTimeout() time.Time {
	return timers.Earlier(timers.Earlier(n.Client.NextTimeout(), n.speak), n.stop)
}

func (n *clientNode) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	for e, ok := n.NextEvent(); ok; e, ok = n.NextEvent() {
		switch e := e.(type) {
		case Allocated:
			must(n.t, n.CreatePermission(now, n.peer.Addr()))
		case PermissionCreated:
			must(n.t, n.BindChannel(now, n.peer))
		case PermissionEnded:
			if e.Err != nil && n.state == stateAllocated {
				must(n.t, n.CreatePermission(now, n.peer.Addr()))
			}
		case TryAlternate:
			n.port++
			n.Restart(now, serverAddr)
		case Closed:
			if !n.stop.IsZero() {
				n.begin(now)
			}
		}
	}
	if b = n.Client.AppendPacket(now, b); len(b) > 0 {
		return b, netip.AddrPortFrom(anyHost, n.port), serverAddr
	}
	return n.out.take(b)
}

// An echoNode says what it hears, to whoever said it; and some of it to strangers.
type echoNode struct{ out postbox }

func (n *echoNode) Receive(_ time.Time, local, remote netip.AddrPort, packet []byte) {
	n.out.put(local, remote, packet)
}
func (n *echoNode) Advance(time.Time)      {}
func (n *echoNode) NextTimeout() time.Time { return time.Time{} }
func (n *echoNode) AppendPacket(_ time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	return n.out.take(b)
}

// simulate runs half an hour of one seed, and returns the network's hash.
func simulate(t *testing.T, seed uint64) string {
	n := netsim.New(seed, start)
	dice := rand.New(n.Rand("dice"))
	const maxLoss = 0.15
	profile := func() netsim.Profile { return netsim.Adverse(dice, maxLoss) }

	server := ServerConfig{Rand: n.Rand("server"), Mobility: dice.IntN(2) == 0, NonceLifetime: time.Duration(1+dice.IntN(60)) * time.Minute}
	z := &serverNode{host: newHost(t, server)}
	n.AddHost(z, profile(), serverAddr.Addr(), relayHost)
	n.AddHost(&echoNode{}, profile(), peerAddr.Addr())
	stranger := &echoNode{}
	n.AddHost(stranger, profile(), netip.MustParseAddr("203.0.113.66"))

	var clients []*clientNode
	for i := range 1 + dice.IntN(3) {
		c := &clientNode{
			t: t, port: uint16(1000 * (i + 1)), peer: peerAddr, said: map[string]bool{},
			stop: start.Add(30 * time.Minute), speak: start.Add(time.Duration(dice.IntN(7000)) * time.Millisecond),
			config: ClientConfig{Username: "alice", Password: "wonderland", Rand: n.Rand(fmt.Sprint("client", i)), Server: serverAddr,
				Mobility: dice.IntN(2) == 0, Lifetime: time.Duration(dice.IntN(30)) * time.Minute},
		}
		c.begin(start)
		home := n.AddNAT(netsim.PortRestrictedCone, profile(), netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)}))
		home.AddHost(c, netsim.Profile{}, netip.MustParseAddr("10.0.0.2"))
		clients = append(clients, c)
		if dice.IntN(2) == 0 { // the NAT restarts, and gives other ports
			n.After(time.Duration(dice.IntN(20))*time.Minute, func() { home.Rebind() })
		}
	}
	if dice.IntN(3) == 0 { // the server restarts, and has forgotten everything
		n.After(time.Duration(dice.IntN(20))*time.Minute, func() {
			server.Rand = n.Rand("server, again")
			z.host, z.out = newHost(t, server), nil
		})
	}
	// A stranger tries every relay now and then.
	for i := range 60 {
		n.After(time.Duration(i)*29*time.Second, func() {
			for port := uint16(50002); port < 50012; port += 2 {
				stranger.out.put(netip.AddrPortFrom(anyHost, 66), netip.AddrPortFrom(relayHost, port), []byte("let me in"))
			}
		})
	}
	n.Run(nil, 31*time.Minute)
	for i, c := range clients {
		if len(c.mistakes) > 0 {
			t.Errorf("seed %d: client %d got what is not for it: %q", seed, i, c.mistakes)
		}
		// Four links each way lose; if 15 % each, 0.85^8 = 27 % come back.
		if c.sent < 150 || c.heard*10 < c.sent {
			t.Errorf("seed %d: client %d, with %d allocations, said %d words and heard %d", seed, i, c.clients, c.sent, c.heard)
		}
		if c.state != stateClosed {
			t.Errorf("seed %d: client %d is %v at its end", seed, i, c.state)
		}
	}
	n.Run(nil, time.Hour)
	if s := z.Stats(); s.Allocations != 0 || len(z.open) != 0 {
		t.Errorf("seed %d: the server is left with %d allocations and %d relays", seed, s.Allocations, len(z.open))
	}
	return n.Hash()
}

// Clients behind NATs, a server and a peer, over a network that loses,
// reorders, duplicates and delays.
func TestSimulation(t *testing.T) {
	seeds := *seedCount
	if testing.Short() {
		seeds = min(seeds, 20)
	}
	first := uint64(1)
	if *firstSeed != 0 {
		first, seeds = *firstSeed, 1
	}
	for seed := first; seed < first+uint64(seeds); seed++ {
		hash := simulate(t, seed)
		if seed%20 == 1 && simulate(t, seed) != hash {
			t.Errorf("seed %d runs differently the second time", seed)
		}
		if t.Failed() {
			t.Fatalf("go test ./turn -run Simulation -seed %d", seed)
		}
	}
}
