package ice_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/turn"
)

// A mobileWorld is two agents that have relayed candidates alone, of a server that lets allocations
// move. The one of a is behind a NAT.
type mobileWorld struct {
	*netsim.Network
	a, z   *agentNode
	host   *netsim.Host // a's
	nat    *netsim.Gateway
	server *serverNode
}

const (
	firstAddr  = "10.0.0.2:5000"
	secondAddr = "10.0.0.3:5000"
)

func newMobileWorld(t *testing.T) *mobileWorld {
	n := netsim.New(1, start)
	w := &mobileWorld{Network: n, a: newAgentNode(n, "a", ice.PolicyRelay), z: newAgentNode(n, "z", ice.PolicyRelay), server: newServerNode(t)}
	server, err := turn.NewServer(turn.ServerConfig{
		Realm: "example.org", Users: map[string]string{"alice": "wonderland"}, Rand: rand.NewChaCha8([32]byte{'s'}), Mobility: true,
		OwnAddresses: []netip.Addr{turnAddr.Addr(), relayAddr},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.server.Server = server
	w.a.peer, w.z.peer = w.z, w.a
	link := netsim.Profile{Delay: 10 * time.Millisecond}
	n.AddHost(w.server, link, turnAddr.Addr(), relayAddr)
	w.nat = n.AddNAT(netsim.Symmetric, link, netip.MustParseAddr("203.0.113.1"))
	w.host = w.nat.AddHost(w.a, netsim.Profile{}, netip.MustParseAddrPort(firstAddr).Addr())
	n.AddHost(w.z, link, netip.MustParseAddr("203.0.113.2"))
	w.a.AddLocalAddress(start, netip.MustParseAddrPort(firstAddr), ice.LocalOptions{})
	w.z.AddLocalAddress(start, netip.MustParseAddrPort("203.0.113.2:5000"), ice.LocalOptions{})
	w.a.SetControlling(true)
	for _, agent := range []*agentNode{w.a, w.z} {
		s := ice.ServerConfig{Kind: ice.TURN, Addr: turnAddr, Username: "alice", Password: "wonderland", Mobility: true}
		if err := agent.AddServer(start, s); err != nil {
			t.Fatal(err)
		}
		agent.EndOfLocalCandidates(start)
		w.After(agent.signalling, func() { agent.SetRemoteCredentials(w.Now(), agent.peer.LocalCredentials()) })
	}
	if !w.Run(func() bool { return w.a.State() == ice.StateCompleted && w.z.State() == ice.StateCompleted }, 20*time.Second) {
		t.Fatalf("not completed: a is %v, z is %v", w.a.State(), w.z.State())
	}
	w.Run(nil, time.Second)
	return w
}

// goesOn checks that words pass again both ways, without another candidate, and by the same relay.
func (w *mobileWorld) goesOn(t *testing.T, within time.Duration, candidates int, path ice.Path) {
	t.Helper()
	w.a.data, w.z.data = nil, nil
	began := w.Now()
	say := func() {
		w.a.outbox, w.z.outbox = append(w.a.outbox, "Da"), append(w.z.outbox, "Dz")
	}
	for i := range int(within / (100 * time.Millisecond)) {
		w.After(time.Duration(i)*100*time.Millisecond, say)
	}
	if !w.Run(func() bool { return len(w.a.data) > 0 && len(w.z.data) > 0 }, within) {
		t.Fatalf("no words pass within %v: a is %v, z is %v", within, w.a.State(), w.z.State())
	}
	t.Logf("words pass after %v", w.Now().Sub(began))
	if n := len(w.a.candidates); n != candidates {
		t.Errorf("the peer has to be told %d more candidates", n-candidates)
	}
	if now, _ := w.a.SelectedPath(); now != path {
		t.Errorf("data goes %v, not %v", now, path)
	}
	if s := w.server.Stats(); s.Allocations != 2 || s.Moved == 0 {
		t.Errorf("the server has %d allocations, and %d moved", s.Allocations, s.Moved)
	}
}

// The NAT forgets everything: the allocation comes along to the next mapping.
func TestAllocationSurvivesARebinding(t *testing.T) {
	w := newMobileWorld(t)
	path, _ := w.a.SelectedPath()
	candidates := len(w.a.candidates)
	w.At(w.Now(), func() { w.nat.Rebind() })
	w.goesOn(t, 15*time.Second, candidates, path)
}

// The address changes: the old one is gone before there is another.
func TestAllocationSurvivesAnotherAddress(t *testing.T) {
	w := newMobileWorld(t)
	path, _ := w.a.SelectedPath()
	candidates := len(w.a.candidates)
	first, second := netip.MustParseAddrPort(firstAddr), netip.MustParseAddrPort(secondAddr)
	w.At(w.Now(), func() {
		w.host.RemoveAddress(first.Addr())
		w.a.RemoveLocalAddress(w.Now(), first)
	})
	w.Run(nil, 3*time.Second)
	w.At(w.Now(), func() {
		w.host.AddAddress(second.Addr())
		w.a.AddLocalAddress(w.Now(), second, ice.LocalOptions{})
	})
	w.goesOn(t, 5*time.Second, candidates, path)
}
