package netsim

import (
	"net/netip"
	"testing"
	"time"
)

// A stateful firewall: what a host sends lets answers in, and nothing is translated.
func TestFirewall(t *testing.T) {
	inside, server := netip.MustParseAddrPort("[2001:db8:1::2]:5000"), netip.MustParseAddrPort("[2001:db8:f::1]:80")
	other := netip.MustParseAddrPort("[2001:db8:f::1]:81")
	for _, filtering := range []Behaviour{EndpointIndependent, AddressDependent, AddressAndPortDependent} {
		n := New(1, start)
		g := n.AddNAT(NAT{Filtering: filtering, Routed: []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/48")}}, Profile{})
		x, y := &toy{}, &toy{}
		h := g.AddHost(x, Profile{}, inside.Addr())
		n.AddHost(y, Profile{}, server.Addr())
		y.send(server, inside, "unasked")
		n.Run(nil, 0)
		wantDrops(t, n, Drops{Filtered: 1})
		x.send(inside, server, "out")
		n.Run(nil, 0)
		if got := y.got[0].remote; got != inside {
			t.Errorf("the server sees %v", got)
		}
		y.send(server, inside, "in")
		y.send(other, inside, "beside")
		n.Run(nil, 0)
		want := "in@0s beside@0s"
		if filtering == AddressAndPortDependent {
			want = "in@0s"
		}
		wantTexts(t, x, want)
		n.Run(nil, defaultNATTimeout)
		y.send(server, inside, "late")
		n.Run(nil, 0)
		wantTexts(t, x, want)
		h.RemoveAddress(inside.Addr())
		n.AddHost(&toy{}, Profile{}, inside.Addr()) // the address is free for others
	}
}

// What is not allowed out disappears; what answers is let out all the same.
func TestFirewallRules(t *testing.T) {
	home := netip.MustParsePrefix("192.0.2.64/26")
	n := New(1, start)
	g := n.AddNAT(NAT{Routed: []netip.Prefix{home}, Allow: []Rule{{UDP, 3478}, {TCP, 443}}}, Profile{})
	x, server := &toy{}, &toy{}
	g.AddHost(x, Profile{}, a(65, 0).Addr())
	n.AddHost(server, Profile{}, a(1, 0).Addr())
	for _, port := range []uint16{3478, 3479, 443} {
		x.send(a(65, 5000), a(1, port), "out")
	}
	n.Run(nil, 0)
	wantTexts(t, server, "out@0s")
	wantDrops(t, n, Drops{Filtered: 2})
	server.send(a(1, 9999), a(65, 5000), "from another port, as Endpoint-Independent filtering allows")
	n.Run(nil, 0)
	if len(x.got) != 1 {
		t.Fatalf("it was not let in: %v", x.got)
	}
	x.send(a(65, 5000), a(1, 9999), "answer")
	n.Run(nil, 0)
	wantTexts(t, server, "out@0s answer@0s")
}

// An IPv6 host behind a NAT64 reaches an IPv4 server by its synthesised address, and
// IPv6 hosts by their own.
func TestNAT64(t *testing.T) {
	n := New(1, start)
	inside := netip.MustParseAddrPort("[2001:db8:1::2]:5000")
	g := n.AddNAT(NAT{
		Filtering: AddressAndPortDependent, Ports: SequentialPorts, FirstPort: 2000,
		Routed: []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/48")}, Prefix64: WellKnownPrefix,
	}, Profile{Delay: time.Second}, a(100, 0).Addr())
	x, four, six := &toy{}, &toy{echoes: true}, &toy{echoes: true}
	g.AddHost(x, Profile{}, inside.Addr())
	n.AddHost(four, Profile{}, a(1, 0).Addr())
	sixAddr := netip.MustParseAddrPort("[2001:db8:f::1]:80")
	n.AddHost(six, Profile{}, sixAddr.Addr())

	synthesised := netip.AddrPortFrom(Synthesize(WellKnownPrefix, a(1, 0).Addr()), 80)
	if got := synthesised.String(); got != "[64:ff9b::c000:201]:80" {
		t.Errorf("192.0.2.1 becomes %s: RFC 6052, Section 2.4 has 64:ff9b::192.0.2.33 for its neighbour", got)
	}
	x.send(inside, synthesised, "four")
	x.send(inside, sixAddr, "six")
	n.Run(nil, time.Minute)
	wantTexts(t, x, "four@2s six@2s")
	if got := four.got[0]; got.remote != a(100, 2000) || got.local != a(1, 80) {
		t.Errorf("the IPv4 server saw %v at %v", got.remote, got.local)
	}
	if got := six.got[0].remote; got != inside {
		t.Errorf("the IPv6 server saw %v", got)
	}
	if x.got[0].remote != synthesised || x.got[1].remote != sixAddr {
		t.Errorf("the host heard from %v and %v", x.got[0].remote, x.got[1].remote)
	}
	four.send(a(1, 81), a(100, 2000), "from another port")
	six.send(netip.AddrPortFrom(sixAddr.Addr(), 81), inside, "from another port")
	n.Run(nil, time.Minute)
	wantDrops(t, n, Drops{Filtered: 2})
}
