package netsim

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// A home is two hosts behind a NAT, 10.0.0.1 and 10.0.0.2, whose address outside
// is 192.0.2.100, and servers at 192.0.2.1 to 192.0.2.3 that tell nothing but
// what arrived.
type home struct {
	*Network
	t      *testing.T
	nat    *Gateway
	inside [3]*toy // by the last byte of the address; 0 is not used
	server [4]*toy
}

func newHome(t *testing.T, nat NAT, outside ...netip.Addr) *home {
	h := &home{Network: New(1, start), t: t}
	if len(outside) == 0 {
		outside = []netip.Addr{a(100, 0).Addr()}
	}
	h.nat = h.AddNAT(nat, Profile{}, outside...)
	for i := 1; i < len(h.inside); i++ {
		h.inside[i] = &toy{}
		h.nat.AddHost(h.inside[i], Profile{}, private(byte(i), 0).Addr())
	}
	for i := 1; i < len(h.server); i++ {
		h.server[i] = &toy{}
		h.AddHost(h.server[i], Profile{}, a(byte(i), 0).Addr())
	}
	return h
}

// outward sends from a host inside to a server and returns the address that the
// server sees: invalid if nothing arrived.
func (h *home) outward(host byte, port uint16, to netip.AddrPort) netip.AddrPort {
	h.t.Helper()
	server := h.server[to.Addr().As4()[3]]
	server.got = nil
	h.inside[host].send(private(host, port), to, "out")
	h.Run(nil, 0)
	if len(server.got) == 0 {
		return netip.AddrPort{}
	}
	if g := server.got[0]; g.local != to || g.text != "out" {
		h.t.Errorf("sent to %v, it arrived at %v as %q", to, g.local, g.text)
	}
	return server.got[0].remote
}

// inward sends from a server to an address of the NAT and reports whether it
// reached the host inside, at the given port.
func (h *home) inward(from, to netip.AddrPort, host byte, port uint16) bool {
	h.t.Helper()
	h.inside[host].got = nil
	h.server[from.Addr().As4()[3]].send(from, to, "in")
	h.Run(nil, 0)
	if len(h.inside[host].got) == 0 {
		return false
	}
	if g := h.inside[host].got[0]; g.local != private(host, port) || g.remote != from {
		h.t.Errorf("sent from %v, it arrived at %v from %v", from, g.local, g.remote)
	}
	return true
}

// RFC 4787, Section 4.1: what a mapping is reused for.
func TestMapping(t *testing.T) {
	for _, test := range []struct {
		mapping                  Behaviour
		sameToPort, sameToServer bool
	}{
		{EndpointIndependent, true, true},
		{AddressDependent, true, false},
		{AddressAndPortDependent, false, false},
	} {
		for _, ports := range []Ports{PreservePorts, SequentialPorts, RandomPorts} {
			h := newHome(t, NAT{Mapping: test.mapping, Ports: ports})
			first := h.outward(1, 5000, a(1, 80))
			if first.Addr() != a(100, 0).Addr() {
				t.Fatalf("%v: seen from outside as %v", test.mapping, first)
			}
			if again := h.outward(1, 5000, a(1, 80)); again != first {
				t.Errorf("%v: the same to the same gets %v after %v", test.mapping, again, first)
			}
			if other := h.outward(1, 5000, a(1, 81)); (other == first) != test.sameToPort {
				t.Errorf("%v: to another port of the server it is %v after %v", test.mapping, other, first)
			}
			if other := h.outward(1, 5000, a(2, 80)); (other == first) != test.sameToServer {
				t.Errorf("%v: to another server it is %v after %v", test.mapping, other, first)
			}
			if other := h.outward(1, 5001, a(1, 80)); other == first {
				t.Errorf("%v: another port inside shares %v", test.mapping, first)
			}
			if other := h.outward(2, 5000, a(1, 80)); other == first {
				t.Errorf("%v: another host inside shares %v", test.mapping, first)
			}
		}
	}
}

// RFC 4787, Section 5: who may send to a mapping.
func TestFiltering(t *testing.T) {
	for _, test := range []struct {
		filtering         Behaviour
		otherPort, others bool
	}{
		{EndpointIndependent, true, true},
		{AddressDependent, true, false},
		{AddressAndPortDependent, false, false},
	} {
		for _, mapping := range []Behaviour{EndpointIndependent, AddressDependent, AddressAndPortDependent} {
			name := fmt.Sprintf("mapping %v, filtering %v", mapping, test.filtering)
			h := newHome(t, NAT{Mapping: mapping, Filtering: test.filtering})
			outside := h.outward(1, 5000, a(1, 80))
			if !h.inward(a(1, 80), outside, 1, 5000) {
				t.Errorf("%s: the answer does not come in", name)
			}
			if got := h.inward(a(1, 81), outside, 1, 5000); got != test.otherPort {
				t.Errorf("%s: from another port of the server: comes in %v", name, got)
			}
			if got := h.inward(a(2, 80), outside, 1, 5000); got != test.others {
				t.Errorf("%s: from another server: comes in %v", name, got)
			}
			if h.inward(a(1, 80), netip.AddrPortFrom(outside.Addr(), outside.Port()+1), 1, 5000) {
				t.Errorf("%s: to a port without mapping: comes in", name)
			}
			filtered := 1
			for _, open := range []bool{test.otherPort, test.others} {
				if !open {
					filtered++
				}
			}
			wantDrops(t, h.Network, Drops{Filtered: filtered})

			// "hole punching": what is sent out opens the way in.
			if mapping == EndpointIndependent {
				h.outward(1, 5000, a(2, 80))
				if !h.inward(a(2, 80), outside, 1, 5000) {
					t.Errorf("%s: the way in stays shut after a packet out", name)
				}
			}
		}
	}
}

// RFC 4787, Section 4.2.1.
func TestPortAllocation(t *testing.T) {
	t.Run("preservation", func(t *testing.T) {
		h := newHome(t, NAT{Ports: PreservePorts})
		for _, step := range []struct {
			host       byte
			port, want uint16
			why        string
		}{
			{1, 5000, 5000, "its own port"},
			{2, 5000, 5001, "the next, for that one is taken"},
			{1, 5001, 5002, "the next but one"},
			{1, 80, 1024, "outside of the range, the first"},
			{1, 65535, 65535, "the last"},
			{2, 65535, 1025, "round the end, the first that is free"},
		} {
			if got := h.outward(step.host, step.port, a(1, 80)).Port(); got != step.want {
				t.Errorf("port %d of host %d becomes %d, want %d: %s", step.port, step.host, got, step.want, step.why)
			}
		}
	})
	t.Run("sequential", func(t *testing.T) {
		h := newHome(t, NAT{Ports: SequentialPorts, FirstPort: 2000, LastPort: 2003})
		for i := range uint16(4) {
			if got := h.outward(1, 5000+7*i, a(1, 80)).Port(); got != 2000+i {
				t.Errorf("mapping %d gets port %d, want %d", i, got, 2000+i)
			}
		}
		if got := h.outward(1, 9000, a(1, 80)); got.IsValid() {
			t.Errorf("with all four ports taken a fifth mapping gets %v", got)
		}
		wantDrops(t, h.Network, Drops{NoMapping: 1})
		if got := h.outward(1, 5000, a(2, 80)).Port(); got != 2000 {
			t.Errorf("a mapping that exists no longer works: port %d", got)
		}
		h.Run(nil, defaultNATTimeout)
		if got := h.outward(1, 9000, a(1, 80)).Port(); got != 2000 {
			t.Errorf("after the others expired it gets port %d, want 2000", got)
		}
		if got := h.nat.Mappings(); got != 1 {
			t.Errorf("%d mappings are left, want 1", got)
		}
		// Whoever overtakes a port ends the mapping that had it.
		if inside, outside := len(h.nat.mappings), len(h.nat.outside); inside != outside || outside > 4 {
			t.Errorf("%d mappings are kept for %d ports outside, of four", inside, outside)
		}
	})
	t.Run("random", func(t *testing.T) {
		h := newHome(t, NAT{Ports: RandomPorts, FirstPort: 2000, LastPort: 2999})
		seen, inRow := map[uint16]bool{}, 0
		var last uint16
		for i := range uint16(200) {
			got := h.outward(1, 5000+i, a(1, 80)).Port()
			if got < 2000 || got > 2999 || seen[got] {
				t.Fatalf("mapping %d gets port %d, out of range or taken", i, got)
			}
			if got == last+1 {
				inRow++
			}
			seen[got], last = true, got
		}
		if inRow > 10 {
			t.Errorf("%d of 200 ports follow the one before", inRow)
		}
	})
}

// RFC 4787, Section 4.1: REQ-2, "Paired" address pooling.
func TestPooling(t *testing.T) {
	pool := []netip.Addr{a(100, 0).Addr(), a(101, 0).Addr()}
	for _, arbitrary := range []bool{false, true} {
		h := newHome(t, NAT{ArbitraryPooling: arbitrary}, pool...)
		one, two := h.outward(1, 5000, a(1, 80)).Addr(), h.outward(2, 5000, a(1, 80)).Addr()
		if one == two {
			t.Errorf("arbitrary %v: both hosts get %v", arbitrary, one)
		}
		if same := h.outward(1, 6000, a(1, 80)).Addr() == one && h.outward(1, 6001, a(1, 80)).Addr() == one; same == arbitrary {
			t.Errorf("arbitrary %v: all mappings of a host have the same address: %v", arbitrary, same)
		}
	}
}

// RFC 4787, Section 4.3 and REQ-6: packets from inside keep a mapping, packets
// from outside only where InboundRefresh says so.
func TestTimeout(t *testing.T) {
	const timeout = 30 * time.Second
	for _, nat := range []NAT{
		{Timeout: timeout, Ports: SequentialPorts},
		{Timeout: timeout, Ports: SequentialPorts, Filtering: AddressAndPortDependent, InboundRefresh: true},
		{Timeout: timeout, Ports: SequentialPorts, Mapping: AddressAndPortDependent, Filtering: AddressDependent},
	} {
		h := newHome(t, nat)
		first := h.outward(1, 5000, a(1, 80))
		h.Run(nil, timeout-1)
		if got := h.outward(1, 5000, a(1, 80)); got != first {
			t.Errorf("%+v: before its time the mapping %v has become %v", nat, first, got)
		}
		h.Run(nil, timeout-1)
		if !h.inward(a(1, 80), first, 1, 5000) {
			t.Errorf("%+v: the packet out did not keep the mapping", nat)
		}
		h.Run(nil, timeout-1)
		if got := h.inward(a(1, 80), first, 1, 5000); got != nat.InboundRefresh {
			t.Errorf("%+v: after a packet in the mapping lives on: %v", nat, got)
		}
		h.Run(nil, timeout)
		if h.inward(a(1, 80), first, 1, 5000) || h.nat.Mappings() != 0 {
			t.Errorf("%+v: the mapping does not end", nat)
		}
		if got := h.outward(1, 5000, a(1, 80)); got == first || !got.IsValid() {
			t.Errorf("%+v: after its end the mapping %v has become %v", nat, first, got)
		}
		if got := h.nat.Mappings(); got != 1 || len(h.nat.mappings) != 1 || len(h.nat.outside) != 1 {
			t.Errorf("%+v: %d mappings; %d are kept, for %d ports", nat, got, len(h.nat.mappings), len(h.nat.outside))
		}
	}
	// A permission ends by itself, where the mapping is kept by packets to others.
	h := newHome(t, NAT{Timeout: timeout, Filtering: AddressDependent})
	outside := h.outward(1, 5000, a(1, 80))
	h.Run(nil, timeout/2)
	h.outward(1, 5000, a(2, 80))
	h.Run(nil, timeout/2)
	if h.inward(a(1, 80), outside, 1, 5000) {
		t.Error("a permission outlives its time")
	}
	if !h.inward(a(2, 80), outside, 1, 5000) {
		t.Error("a permission ends with another")
	}
}

// RFC 4787, Section 6.
func TestHairpin(t *testing.T) {
	h := newHome(t, NAT{Hairpin: true, Filtering: AddressAndPortDependent})
	one, two := h.outward(1, 5000, a(1, 80)), h.outward(2, 6000, a(1, 80))
	h.inside[1].send(private(1, 5000), two, "too early")
	h.inside[2].send(private(2, 6000), one, "round the pin")
	h.Run(nil, 0)
	wantTexts(t, h.inside[2], "")
	wantTexts(t, h.inside[1], "round the pin@0s")
	if got := h.inside[1].got[0]; got.remote != two || got.local != private(1, 5000) {
		t.Errorf("it comes from %v, want the address outside, %v", got.remote, two)
	}
	wantDrops(t, h.Network, Drops{Filtered: 1})

	h = newHome(t, NAT{})
	one = h.outward(1, 5000, a(1, 80))
	h.inside[2].send(private(2, 6000), one, "no")
	h.Run(nil, 0)
	wantTexts(t, h.inside[1], "")
	wantDrops(t, h.Network, Drops{NoMapping: 1})
}

func TestHostsBehindOneNATReachEachOther(t *testing.T) {
	h := newHome(t, Symmetric)
	h.inside[1].send(private(1, 1), private(2, 2), "neighbour")
	h.Run(nil, 0)
	wantTexts(t, h.inside[2], "neighbour@0s")
	if h.inside[2].got[0].remote != private(1, 1) || h.nat.Mappings() != 0 {
		t.Error("the NAT took part in it")
	}
	h.server[1].send(a(1, 1), private(1, 1), "from outside")
	h.Run(nil, 0)
	wantTexts(t, h.inside[1], "")
	wantDrops(t, h.Network, Drops{NoRoute: 1})
}

func TestRebind(t *testing.T) {
	for _, ports := range []Ports{PreservePorts, SequentialPorts, RandomPorts} {
		h := newHome(t, NAT{Ports: ports})
		before := h.outward(1, 5000, a(1, 80))
		h.nat.Rebind()
		if h.inward(a(1, 80), before, 1, 5000) {
			t.Error("a forgotten mapping still lets packets in")
		}
		after := h.outward(1, 5000, a(1, 80))
		if after == before || after.Addr() != before.Addr() {
			t.Errorf("after a rebinding %v has become %v, want another port", before, after)
		}
		if !h.inward(a(1, 80), after, 1, 5000) {
			t.Error("the new mapping does not work")
		}
		h.nat.Rebind(a(110, 0).Addr())
		moved := h.outward(1, 5000, a(1, 80))
		if moved.Addr() != a(110, 0).Addr() {
			t.Errorf("after the change of address it is %v", moved)
		}
		if h.inward(a(1, 80), after, 1, 5000) {
			t.Error("the old address still works")
		}
		if !h.inward(a(1, 80), moved, 1, 5000) {
			t.Error("the new address does not work")
		}
		h.AddHost(&toy{}, Profile{}, a(100, 0).Addr()) // the old address is free for others
	}
}

// A NAT behind a NAT, as with a carrier that shares addresses.
func TestNATBehindNAT(t *testing.T) {
	h := newHome(t, PortRestrictedCone)
	inner := h.nat.AddNAT(PortRestrictedCone, Profile{Delay: time.Second}, private(50, 0).Addr())
	node := &toy{}
	far := netip.MustParseAddrPort("172.16.0.1:5000")
	inner.AddHost(node, Profile{}, far.Addr())
	node.send(far, a(1, 80), "out")
	node.send(far, private(1, 1), "half way")
	h.server[1].echoes = true
	h.Run(nil, time.Minute)
	wantTexts(t, node, "out@2s")
	wantTexts(t, h.inside[1], "half way@1s")
	if got := h.server[1].got[0].remote; got != a(100, 5000) {
		t.Errorf("the server sees %v", got)
	}
	if got := h.inside[1].got[0].remote; got != private(50, 5000) {
		t.Errorf("half way it is %v", got)
	}
}

func TestNATWithoutAddressOfTheFamily(t *testing.T) {
	h := newHome(t, NAT{})
	node := &toy{}
	from, to := netip.MustParseAddrPort("[fd00::1]:1"), netip.MustParseAddrPort("[2001:db8::1]:1")
	h.nat.AddHost(node, Profile{}, from.Addr())
	node.send(from, to, "IPv6")
	h.Run(nil, 0)
	wantDrops(t, h.Network, Drops{NoMapping: 1})
}

// The links to a NAT carry what goes through it.
func TestNATLinks(t *testing.T) {
	h := newHome(t, NAT{})
	h.nat.Up.Profile.Delay = 7 * time.Millisecond
	h.nat.Down.Profile.Delay = 11 * time.Millisecond
	h.server[1].echoes = true
	h.inside[1].send(private(1, 1), a(1, 1), "ping")
	h.Run(nil, time.Second)
	wantTexts(t, h.inside[1], "ping@18ms")
}

// Two hosts behind NATs that learn their addresses from a server and then send
// to each other: RFC 5128, Section 3.3. It works unless one side's mapping is
// for another destination and the other side's filter looks at the port.
func TestHolePunching(t *testing.T) {
	kinds := []struct {
		name string
		nat  NAT
	}{{"full cone", FullCone}, {"restricted cone", RestrictedCone}, {"port-restricted cone", PortRestrictedCone}, {"symmetric", Symmetric}}
	works := [][]bool{
		{true, true, true, true},
		{true, true, true, true},
		{true, true, true, false},
		{true, true, false, false},
	}
	for i, left := range kinds {
		for j, right := range kinds {
			n := New(1, start)
			x, y, server := &toy{}, &toy{}, &toy{echoes: true}
			n.AddHost(server, Profile{}, a(1, 0).Addr())
			n.AddNAT(left.nat, Profile{}, a(100, 0).Addr()).AddHost(x, Profile{}, private(1, 0).Addr())
			n.AddNAT(right.nat, Profile{}, a(200, 0).Addr()).AddHost(y, Profile{}, private(1, 0).Addr())
			x.send(private(1, 1000), a(1, 3478), "x")
			y.send(private(1, 1000), a(1, 3478), "y")
			n.Run(nil, time.Second)
			seenX, seenY := server.got[0].remote, server.got[1].remote
			// Each sends to where the server saw the other, and to where the other
			// is heard from.
			met := func(t *toy) bool {
				for _, g := range t.got {
					if strings.HasPrefix(g.text, "hello") {
						return true
					}
				}
				return false
			}
			for range 3 {
				toY, toX := seenY, seenX
				for _, g := range x.got[1:] {
					toY = g.remote
				}
				for _, g := range y.got[1:] {
					toX = g.remote
				}
				x.send(private(1, 1000), toY, "hello y")
				y.send(private(1, 1000), toX, "hello x")
				n.Run(nil, time.Second)
			}
			if got := met(x) && met(y); got != works[i][j] {
				t.Errorf("%s and %s: they meet: %v, want %v", left.name, right.name, got, works[i][j])
			}
		}
	}
}

func TestBehaviourNames(t *testing.T) {
	for b, want := range map[Behaviour]string{
		EndpointIndependent: "Endpoint-Independent", AddressDependent: "Address-Dependent",
		AddressAndPortDependent: "Address and Port-Dependent",
	} {
		if b.String() != want {
			t.Errorf("%d is %q", b, b)
		}
	}
}
