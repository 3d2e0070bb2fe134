package netsim

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

// A NAT says how a NAT behaves, in the words of RFC 4787, for TCP as RFC 5382 has
// it. The zero NAT is the friendliest there is: what a host sends from one port
// always comes from one port outside, and everybody may answer.
type NAT struct {
	Mapping   Behaviour // Section 4.1: what a mapping is reused for
	Filtering Behaviour // Section 5: who may send to it from outside
	Ports     Ports     // Section 4.2.1: which port a new mapping gets
	// ArbitraryPooling gives each new mapping the next of the addresses, instead
	// of always the same to the same host (Section 4.1, "Paired").
	ArbitraryPooling bool
	// Timeout is how long a mapping lives after the last packet from inside
	// (Section 4.3). Zero stands for two minutes, the least that is allowed. One
	// of TCP lives for two hours and four minutes (RFC 5382, Section 5).
	Timeout time.Duration
	// InboundRefresh says that packets from outside keep a mapping alive too, as
	// they always do with TCP.
	InboundRefresh bool
	// Hairpin says that two hosts inside may reach each other by their addresses
	// outside (Section 6), seeing these as the source.
	Hairpin bool
	// FirstPort and LastPort bound the ports outside; zeros stand for 1024 and 65535.
	FirstPort, LastPort uint16
	// Allow is what hosts inside may send, apart from answers: everything, if nil.
	// What is not allowed disappears.
	Allow []Rule
	// Routed are the hosts inside that are not translated, such as those with a
	// global IPv6 address: they can be reached by their own addresses, by whoever
	// Filtering and Timeout let in. To them the NAT is a stateful firewall (RFC 6092).
	Routed []netip.Prefix
	// Prefix64, such as WellKnownPrefix, makes it a NAT64 (RFC 6146): the prefix
	// followed by an IPv4 address is that address, to IPv6 hosts inside.
	Prefix64 netip.Prefix
}

// The NATs of RFC 3489, Section 5, under the names that people still use.
var (
	FullCone           = NAT{}
	RestrictedCone     = NAT{Filtering: AddressDependent}
	PortRestrictedCone = NAT{Filtering: AddressAndPortDependent}
	Symmetric          = NAT{Mapping: AddressAndPortDependent, Filtering: AddressAndPortDependent, Ports: RandomPorts}
)

// A Behaviour says how much of the remote address a NAT looks at.
type Behaviour uint8

// The behaviours.
const (
	EndpointIndependent Behaviour = iota
	AddressDependent
	AddressAndPortDependent
)

func (b Behaviour) String() string {
	return [...]string{"Endpoint-Independent", "Address-Dependent", "Address and Port-Dependent"}[b]
}

// of is the part of a remote address that the behaviour looks at.
func (b Behaviour) of(remote netip.AddrPort) netip.AddrPort {
	switch b {
	case EndpointIndependent:
		return netip.AddrPort{}
	case AddressDependent:
		return netip.AddrPortFrom(remote.Addr(), 0)
	}
	return remote
}

// Ports says which port a new mapping gets. One that is taken is passed over for
// the next that is free: no port is overloaded.
type Ports uint8

// The ways to choose a port.
const (
	PreservePorts   Ports = iota // the one the host uses
	SequentialPorts              // the one after that of the last mapping
	RandomPorts
)

const (
	defaultNATTimeout = 2 * time.Minute
	tcpNATTimeout     = 2*time.Hour + 4*time.Minute
	defaultFirstPort  = 1024
	defaultLastPort   = 65535
)

// A Gateway is a NAT at its place in the network, with the hosts behind it.
type Gateway struct {
	Up, Down *Link

	nat    NAT
	net    *Network
	outer  *realm
	inner  realm
	random *rand.Rand

	addrs    []netip.Addr
	mappings map[mappingKey]*mapping
	outside  map[endpoint]*mapping
	paired   map[netip.Addr]int // which of the addresses a host inside is given
	turn     int                // of the addresses
	lastPort uint16             // of the newest mapping; zero before the first
	retired  map[endpoint]bool
}

// An endpoint is a port of a protocol.
type endpoint struct {
	netip.AddrPort
	protocol Protocol
}

type mappingKey struct {
	inside endpoint
	remote netip.AddrPort // as much of it as Mapping looks at
	routed bool           // not translated
}

type mapping struct {
	key     mappingKey
	outside endpoint
	expires time.Duration
	// permitted is when the permission of each remote address ends; as much of
	// the address as Filtering looks at.
	permitted map[netip.AddrPort]time.Duration
	asked     map[netip.AddrPort]bool // who has sent to it, if there are rules who may be answered
}

// AddNAT connects a NAT with the given addresses to the middle of the network.
// The profile is that of both links between them.
func (n *Network) AddNAT(nat NAT, p Profile, addrs ...netip.Addr) *Gateway {
	return n.middle.addNAT(nat, p, addrs)
}

// AddNAT connects another NAT behind this one.
func (g *Gateway) AddNAT(nat NAT, p Profile, addrs ...netip.Addr) *Gateway {
	return g.inner.addNAT(nat, p, addrs)
}

// AddHost connects a node behind the NAT.
func (g *Gateway) AddHost(node Node, p Profile, addrs ...netip.Addr) *Host {
	return g.inner.addHost(node, p, addrs)
}

func (r *realm) addNAT(nat NAT, p Profile, addrs []netip.Addr) *Gateway {
	g := &Gateway{nat: nat, net: r.net, outer: r}
	g.Up = r.net.newLink(p, r.route)
	g.Down = r.net.newLink(p, g.in)
	g.inner = realm{net: r.net, at: map[netip.Addr]*Link{}, nat: g}
	g.random = rand.New(rand.NewPCG(r.net.seed, uint64(len(r.net.links))<<32))
	g.setAddresses(addrs)
	g.forget()
	return g
}

func (g *Gateway) setAddresses(addrs []netip.Addr) {
	for _, a := range g.addrs {
		g.outer.release(a)
	}
	for _, a := range addrs {
		g.outer.claim(a, g.Down)
	}
	g.addrs = append([]netip.Addr(nil), addrs...)
}

func (g *Gateway) forget() {
	g.mappings = map[mappingKey]*mapping{}
	g.outside = map[endpoint]*mapping{}
	g.paired = map[netip.Addr]int{}
}

// Rebind makes the NAT forget every mapping, as one does that was restarted. New
// ones get other ports than those forgotten and, when addresses are given, these
// in place of those it had.
func (g *Gateway) Rebind(addrs ...netip.Addr) {
	g.retired = map[endpoint]bool{}
	for outside := range g.outside {
		g.retired[outside] = true
	}
	g.forget()
	if len(addrs) > 0 {
		g.setAddresses(addrs)
	}
}

// Mappings is how many mappings there are.
func (g *Gateway) Mappings() int {
	count := 0
	for _, m := range g.mappings {
		if g.alive(m) {
			count++
		}
	}
	return count
}

func (g *Gateway) alive(m *mapping) bool { return m != nil && m.expires > g.net.now }

func (g *Gateway) timeout(p Protocol) time.Duration {
	switch {
	case p == TCP:
		return tcpNATTimeout
	case g.nat.Timeout > 0:
		return g.nat.Timeout
	}
	return defaultNATTimeout
}

// out takes a packet from inside whose address nobody inside has.
func (g *Gateway) out(p *packet) {
	remote := g.to4(p.to)
	m := g.mappings[g.key(p, remote)]
	if !g.allows(p) && !(g.alive(m) && m.asked[remote]) {
		g.net.drop(&g.net.drops.Filtered, "the firewall does not let it out", p)
		return
	}
	p.to = remote
	inward := g.outer.at[p.to.Addr()] == g.Down
	if inward && !g.nat.Hairpin {
		g.net.drop(&g.net.drops.NoMapping, "the NAT has no hairpin", p)
		return
	}
	if m = g.mappingFor(p); m == nil {
		g.net.drop(&g.net.drops.NoMapping, "the NAT has no port left, or no address of that family", p)
		return
	}
	// REQ-6: "The NAT mapping Refresh Direction MUST have a "NAT Outbound
	// refresh behavior" of "True"."
	m.expires = g.net.now + g.timeout(p.protocol)
	m.permitted[g.nat.Filtering.of(p.to)] = m.expires
	p.from = m.outside.AddrPort
	if inward {
		g.in(p)
		return
	}
	g.Up.send(p)
}

// in takes a packet from outside that is sent to one of the NAT's addresses, or
// to a host inside that is routed.
//
// A SYN that is not let in is not answered: "A NAT MUST NOT respond to an
// unsolicited inbound SYN packet for at least 6 seconds after the packet is
// received." RFC 5382, REQ-4.
func (g *Gateway) in(p *packet) {
	m := g.outside[endpoint{p.to, p.protocol}]
	if !g.alive(m) || m.permitted[g.nat.Filtering.of(p.from)] <= g.net.now {
		g.net.drop(&g.net.drops.Filtered, "filtered by the NAT", p)
		return
	}
	if g.nat.InboundRefresh || p.protocol == TCP {
		m.expires = g.net.now + g.timeout(p.protocol)
		m.permitted[g.nat.Filtering.of(p.from)] = m.expires
	}
	if g.nat.Allow != nil {
		m.asked[p.from] = true
	}
	p.to = m.key.inside.AddrPort
	p.from = g.to6(p.from, p.to)
	g.inner.route(p)
}

// key is that of the mapping for what is sent to remote.
func (g *Gateway) key(p *packet, remote netip.AddrPort) mappingKey {
	inside := endpoint{p.from, p.protocol}
	if g.routes(p.from.Addr()) && p.from.Addr().Is4() == remote.Addr().Is4() {
		return mappingKey{inside: inside, routed: true}
	}
	return mappingKey{inside: inside, remote: g.nat.Mapping.of(remote)}
}

// mappingFor returns the mapping that a packet from inside uses, a new one if
// need be, or nil.
func (g *Gateway) mappingFor(p *packet) *mapping {
	key := g.key(p, p.to)
	if m := g.mappings[key]; g.alive(m) {
		return m
	}
	outside, ok := key.inside, true
	if !key.routed {
		outside, ok = g.newOutside(p)
	}
	if !ok {
		return nil
	}
	m := &mapping{key: key, outside: outside, permitted: map[netip.AddrPort]time.Duration{}, asked: map[netip.AddrPort]bool{}}
	if old := g.mappings[key]; old != nil {
		delete(g.outside, old.outside) // it has expired
	}
	g.mappings[key] = m
	g.outside[outside] = m
	return m
}

// newOutside chooses the address and port of a new mapping.
func (g *Gateway) newOutside(p *packet) (endpoint, bool) {
	var family []netip.Addr
	for _, a := range g.addrs {
		if a.Is4() == p.to.Addr().Is4() {
			family = append(family, a)
		}
	}
	if len(family) == 0 {
		return endpoint{}, false
	}
	turn, ok := g.paired[p.from.Addr()]
	if !ok || g.nat.ArbitraryPooling {
		turn = g.turn
		g.turn++
		g.paired[p.from.Addr()] = turn
	}
	addr := family[turn%len(family)]

	first, last := uint16(defaultFirstPort), uint16(defaultLastPort)
	if g.nat.FirstPort > 0 {
		first = g.nat.FirstPort
	}
	if g.nat.LastPort > 0 {
		last = g.nat.LastPort
	}
	count := int(last) - int(first) + 1
	port := first
	switch g.nat.Ports {
	case PreservePorts:
		port = p.from.Port()
	case SequentialPorts:
		if g.lastPort > 0 {
			port = g.lastPort + 1
		}
	case RandomPorts:
		port = first + uint16(g.random.IntN(count))
	}
	for range count {
		if port < first || port > last {
			port = first
		}
		outside := endpoint{netip.AddrPortFrom(addr, port), p.protocol}
		if old := g.outside[outside]; !g.alive(old) && !g.retired[outside] {
			if old != nil {
				delete(g.mappings, old.key)
			}
			g.lastPort = port
			return outside, true
		}
		port++
	}
	return endpoint{}, false
}
