package peerconnection

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/sctp"
	"github.com/plainrtc/plainrtc/turn"
)

// Two whole stacks behind NATs that only a TURN server joins.

// A turnNode is a TURN server on the simulated network: its relays are ports.
type turnNode struct {
	*turn.Server
	addr   netip.AddrPort
	relays netip.Addr
	open   map[netip.AddrPort]turn.RelayID
	ports  map[turn.RelayID]netip.AddrPort
	out    []turnPacket
}

type turnPacket struct {
	from, to netip.AddrPort
	b        []byte
}

func (n *turnNode) Receive(now time.Time, local, remote netip.AddrPort, b []byte) {
	if local == n.addr {
		n.Server.Receive(now, turn.FiveTuple{Client: remote, Server: local}, b)
		if d, ok := n.NextToPeer(); ok {
			n.out = append(n.out, turnPacket{n.ports[d.Relay], d.Peer, bytes.Clone(d.Payload)})
		}
	} else {
		room := append(make([]byte, turn.Headroom, turn.Headroom+len(b)+3), b...)
		n.ReceivePeer(now, n.open[local], remote, room, turn.Headroom)
		if d, ok := n.NextToClient(); ok {
			n.out = append(n.out, turnPacket{n.addr, d.To.Client, bytes.Clone(d.Packet)})
		}
	}
	for e, ok := n.NextEvent(); ok; e, ok = n.NextEvent() {
		switch e := e.(type) {
		case turn.OpenRelay:
			port := netip.AddrPortFrom(n.relays, uint16(50000+e.Relay))
			n.open[port], n.ports[e.Relay] = e.Relay, port
			n.RelayOpened(now, e.Relay, port)
		case turn.CloseRelay:
			delete(n.open, n.ports[e.Relay])
			delete(n.ports, e.Relay)
		}
	}
}

func (n *turnNode) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	if packet, to := n.Server.AppendPacket(now, b); len(packet) > len(b) {
		return packet, n.addr, to.Client
	}
	if len(n.out) == 0 {
		return b, netip.AddrPort{}, netip.AddrPort{}
	}
	p := n.out[0]
	n.out = n.out[1:]
	return append(b, p.b...), p.from, p.to
}

// relayedSimulation runs a call over links of a loss and an MTU, and returns the network's hash, and
// what SCTP knows of the path.
func relayedSimulation(t *testing.T, seed uint64, loss float64, mtu int) (hash string, path sctp.Stats) {
	n := netsim.New(seed, simStart)
	server := &turnNode{
		addr: netip.MustParseAddrPort("192.0.2.15:3478"), relays: netip.MustParseAddr("198.51.100.15"),
		open: map[netip.AddrPort]turn.RelayID{}, ports: map[turn.RelayID]netip.AddrPort{},
	}
	var err error
	server.Server, err = turn.NewServer(turn.ServerConfig{
		Realm: "example.org", Users: map[string]string{"alice": "wonderland"}, Rand: n.Rand("server"),
	})
	if err != nil {
		t.Fatal(err)
	}
	link := netsim.Profile{Delay: 10 * time.Millisecond, Loss: loss, Jitter: 5 * time.Millisecond, MTU: mtu}
	n.AddHost(server, netsim.Profile{Delay: 5 * time.Millisecond}, server.addr.Addr(), server.relays)
	var peers [2]*simPeer
	var addrs [2]netip.AddrPort
	for i, name := range []string{"a", "z"} {
		replayCrypto(t)
		random := n.Rand(name)
		certificate, err := dtls.GenerateCertificate(random, n.Now())
		if err != nil {
			t.Fatal(err)
		}
		pc, err := New(Config{Rand: random, Certificate: certificate, ICEServers: []ICEServer{
			{URLs: []string{"stun:192.0.2.15", "turn:192.0.2.15"}, Username: "alice", Credential: "wonderland"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		nat := n.AddNAT(netsim.Symmetric, link, netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + i)}))
		addrs[i] = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i), 2}), 5000)
		peers[i] = &simPeer{pc: pc, app: func(time.Time) {}, mtu: max(1500, mtu)}
		nat.AddHost(peers[i], netsim.Profile{}, addrs[i].Addr())
	}
	a, z := peers[0], peers[1]
	trickle := func(from, to *simPeer) func(time.Time) {
		return func(now time.Time) {
			for _, c := range from.pc.core.localCandidates {
				n.After(20*time.Millisecond, func() {
					if err := to.pc.core.addICECandidate(n.Now(), c); err != nil {
						t.Fatal(err)
					}
				})
			}
			from.pc.core.localCandidates = nil
		}
	}
	a.app, z.app = trickle(a, z), trickle(z, a)
	d, err := a.pc.CreateDataChannel("test", nil)
	if err != nil {
		t.Fatal(err)
	}
	a.exchange(t, n.Now(), z, nil, addrs[:1], addrs[1:])
	if !n.Run(func() bool { return d.state == DataChannelOpen && len(z.pc.core.unaccepted) > 0 }, 10*time.Second) {
		t.Fatalf("seed %d: not open: a is %v, z is %v", seed, a.pc.core.iceState, z.pc.core.iceState)
	}
	far := z.pc.core.acceptChannel()
	const messages = 100
	n.At(n.Now(), func() {
		for i := range messages {
			if err := a.pc.core.send(n.Now(), d, Binary, bytes.Repeat([]byte{byte(i)}, 2000)); err != nil {
				t.Fatal(err)
			}
		}
	})
	if !n.Run(func() bool { return far.messagesReceived == messages }, 30*time.Second) {
		t.Fatalf("seed %d: %d of %d messages came", seed, far.messagesReceived, messages)
	}
	if p, _ := a.pc.core.ice.SelectedPath(); p.Local.Addr() != server.relays && p.Remote.Addr() != server.relays {
		t.Errorf("seed %d: data goes %v", seed, p)
	}
	for round := 2; loss == 0 && a.pc.core.sctp.Stats().MTUState != sctp.MTUSearchComplete && round < 50; round++ {
		n.At(n.Now(), func() {
			for far.inboxRead < len(far.inbox) {
				z.pc.core.release(n.Now(), far.inbox[far.inboxRead])
				far.take()
			}
			for range messages {
				if err := a.pc.core.send(n.Now(), d, Binary, make([]byte, 2000)); err != nil {
					t.Fatal(err)
				}
			}
		})
		n.Run(func() bool { return far.messagesReceived == uint64(round*messages) }, 30*time.Second)
	}
	path = a.pc.core.sctp.Stats()
	// The end: the server has nothing of theirs any more.
	n.At(n.Now(), func() {
		for _, p := range peers {
			p.pc.core.close(n.Now())
		}
	})
	n.Run(nil, time.Second)
	n.At(n.Now(), func() {
		for _, p := range peers {
			p.pc.core.stop(n.Now())
		}
	})
	n.Run(nil, time.Second)
	if s := server.Stats(); s.Allocations > 1 { // a goodbye may be lost
		t.Errorf("seed %d: %d allocations are left", seed, s.Allocations)
	}
	return n.Hash(), path
}

func TestRelayedSimulation(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) { relayedSimulation(t, seed+1, 0.02, 0) })
	}
	first, _ := relayedSimulation(t, 1, 0.02, 0)
	if again, _ := relayedSimulation(t, 1, 0.02, 0); first != again {
		t.Error("a seed gives other bytes the second time")
	}
}

// How large packets may be is searched for on a relayed path, too: the interfaces say 1500, or more, and
// what the ways to the server carry is found, with a relay's header in it. Larger packets than Ethernet's
// are not tried: the peer may have come to the server over TCP, and would not take them.
func TestRelayedPathsAreSearched(t *testing.T) {
	for _, mtu := range []int{65535, 9000, 1500, 1400, 1280} {
		_, path := relayedSimulation(t, 1, 0, mtu)
		t.Logf("links of %d carry SCTP packets of %d bytes: %v", mtu, path.PathMTU, path.MTUState)
		const least, header, channel = 1176, 28 + 24, 4 // IPv4 and UDP, DTLS 1.3
		most := min(mtu-header-channel, 1500-header)
		if path.MTUState != sctp.MTUSearchComplete || path.PathMTU > most || path.PathMTU < max(least, most-160) {
			t.Errorf("links of %d carry SCTP packets of %d bytes: %v", mtu, path.PathMTU, path.MTUState)
		}
	}
}
