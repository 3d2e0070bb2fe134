package ice_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
)

// A host without IPv4, behind a NAT64 whose filter looks at addresses and ports, and
// a peer without IPv6. The STUN server's address was made up by DNS64: what it sees
// tells that there is a NAT64, and the peer's IPv4 candidates get their checks.
func TestNAT64(t *testing.T) {
	n := netsim.New(9, start)
	a, z, server := newAgentNode(n, "a", ice.PolicyAll), newAgentNode(n, "z", ice.PolicyAll), newServerNode(t)
	a.peer, z.peer = z, a
	link := netsim.Profile{Delay: 10 * time.Millisecond}
	n.AddHost(server, link, turnAddr.Addr(), relayAddr)
	home := netip.MustParseAddrPort("192.168.7.7:5000") // behind a port-restricted NAT of its own
	n.AddNAT(netsim.PortRestrictedCone, link, netip.MustParseAddr("203.0.113.1")).AddHost(a, netsim.Profile{}, home.Addr())
	here := netip.MustParseAddrPort("[2001:db8:1::2]:5000")
	n.AddNAT(netsim.NAT{
		Filtering: netsim.AddressAndPortDependent, Ports: netsim.RandomPorts,
		Routed: []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/48")}, Prefix64: netsim.WellKnownPrefix,
	}, link, netip.MustParseAddr("203.0.113.2")).AddHost(z, netsim.Profile{}, here.Addr())

	a.SetControlling(true)
	a.AddLocalAddress(start, home, ice.LocalOptions{})
	z.AddLocalAddress(start, here, ice.LocalOptions{})
	synthesised := netip.AddrPortFrom(netsim.Synthesize(netsim.WellKnownPrefix, turnAddr.Addr()), turnAddr.Port())
	for agent, addr := range map[*agentNode]netip.AddrPort{a: turnAddr, z: synthesised} {
		if err := agent.AddServer(start, ice.ServerConfig{Kind: ice.STUN, Addr: addr}); err != nil {
			t.Fatal(err)
		}
		agent.EndOfLocalCandidates(start)
	}
	n.After(50*time.Millisecond, func() {
		a.SetRemoteCredentials(n.Now(), z.LocalCredentials())
		z.SetRemoteCredentials(n.Now(), a.LocalCredentials())
	})
	completed := func() bool { return a.State() == ice.StateCompleted && z.State() == ice.StateCompleted }
	if !n.Run(completed, 5*time.Second) {
		t.Fatalf("a is %v, z is %v", a.State(), z.State())
	}
	path, _ := z.SelectedPath()
	if want := netip.MustParseAddrPort("[64:ff9b::203.0.113.1]:5000"); path.Local != here || path.Remote != want {
		t.Errorf("data goes %v, want it to go to %v", path, want)
	}
	found := false
	for _, c := range z.candidates {
		found = found || c.Type == ice.ServerReflexive && c.Addr.Addr() == netip.MustParseAddr("203.0.113.2") && c.Related == here
	}
	if !found {
		t.Errorf("z told no server-reflexive candidate of IPv4: %v", z.candidates)
	}
	// RFC 6052, Section 3.1: private addresses are not translated.
	for _, p := range z.Pairs() {
		if p.Remote.Addr == home {
			t.Errorf("there is the pair %v", p.Path)
		}
	}
}
