package natlab

import (
	"net/netip"
	"slices"

	"github.com/plainrtc/plainrtc/internal/netsim"
)

// A Topology is a place in the network where an agent may be: its host's addresses,
// and what stands between the host and the middle of the network.
type Topology struct {
	Name  string
	About string

	// IPv4 and IPv6 are the families the host has an address of. One of IPv4 is
	// private where a box translates, and the host's own where none does; one of
	// IPv6 is global.
	IPv4, IPv6 bool

	// Boxes are NATs and firewalls, the one next to the host first. Their Routed
	// is filled in: IPv6, and IPv4 where Firewall says so.
	Boxes []Box

	// Shared says that two agents of this topology stand behind the same last box,
	// and not each behind one of its own.
	Shared bool
}

// A Box is a NAT, or a firewall, which translates nothing.
type Box struct {
	netsim.NAT
	Firewall bool
}

// The behaviours of RFC 4787, in short.
const (
	independent = netsim.EndpointIndependent
	address     = netsim.AddressDependent
	strict      = netsim.AddressAndPortDependent
)

// nat is one box that translates.
func nat(mapping, filtering netsim.Behaviour, ports netsim.Ports) []Box {
	return []Box{{NAT: netsim.NAT{Mapping: mapping, Filtering: filtering, Ports: ports}}}
}

// behind is a NAT behind that of a carrier.
func behind(home, carrier netsim.NAT) []Box { return []Box{{NAT: home}, {NAT: carrier}} }

// only is a NAT that filters as strictly as can be and lets out what rules allow.
func only(rules ...netsim.Rule) []Box {
	return []Box{{NAT: netsim.NAT{Filtering: strict, Allow: rules}}}
}

// Topologies are the places of the laboratory, in the order of its table.
var Topologies = []Topology{
	{
		Name: "open", IPv4: true,
		About: "a public IPv4 address, and nothing in between",
	},
	{
		Name: "firewall", IPv4: true,
		Boxes: []Box{{NAT: netsim.NAT{Filtering: strict}, Firewall: true}},
		About: "a public IPv4 address behind a stateful firewall",
	},
	{
		Name: "full-cone", IPv4: true,
		Boxes: nat(independent, independent, netsim.PreservePorts),
		About: "Endpoint-Independent Mapping and Filtering",
	},
	{
		Name: "restricted", IPv4: true,
		Boxes: nat(independent, address, netsim.PreservePorts),
		About: "Endpoint-Independent Mapping, Address-Dependent Filtering",
	},
	{
		Name: "port-restricted", IPv4: true,
		Boxes: nat(independent, strict, netsim.PreservePorts),
		About: "Endpoint-Independent Mapping, Address and Port-Dependent Filtering: common at home",
	},
	{
		Name: "address-dependent", IPv4: true,
		Boxes: nat(address, address, netsim.RandomPorts),
		About: "Address-Dependent Mapping and Filtering, random ports",
	},
	{
		Name: "symmetric-open", IPv4: true,
		Boxes: nat(strict, independent, netsim.RandomPorts),
		About: "Address and Port-Dependent Mapping, Endpoint-Independent Filtering, random ports",
	},
	{
		Name: "symmetric", IPv4: true,
		Boxes: nat(strict, strict, netsim.RandomPorts),
		About: "Address and Port-Dependent Mapping and Filtering, random ports: common in offices",
	},
	{
		Name: "sequential", IPv4: true,
		Boxes: nat(strict, strict, netsim.SequentialPorts),
		About: "as symmetric, with ports one after the other",
	},
	{
		Name: "lan", IPv4: true, Shared: true,
		Boxes: nat(independent, strict, netsim.PreservePorts),
		About: "as port-restricted; two of them are in one home",
	},
	{
		Name: "cgn", IPv4: true, Shared: true,
		Boxes: behind(netsim.PortRestrictedCone, netsim.NAT{Ports: netsim.RandomPorts, Hairpin: true}),
		About: "port-restricted behind a carrier's NAT as RFC 6888 wants it, which two of them share, with hairpinning",
	},
	{
		Name: "cgn-no-hairpin", IPv4: true, Shared: true,
		Boxes: behind(netsim.PortRestrictedCone, netsim.NAT{Ports: netsim.RandomPorts}),
		About: "the same without hairpinning",
	},
	{
		Name: "cgn-symmetric", IPv4: true, Shared: true,
		Boxes: behind(netsim.FullCone, netsim.Symmetric),
		About: "full-cone behind a carrier's symmetric NAT, which two of them share",
	},
	{
		Name: "dual-stack", IPv4: true, IPv6: true,
		Boxes: nat(independent, strict, netsim.PreservePorts),
		About: "IPv4 as port-restricted; IPv6 behind a stateful firewall (RFC 6092)",
	},
	{
		Name: "ipv6-nat64", IPv6: true,
		Boxes: []Box{{NAT: netsim.NAT{Filtering: strict, Ports: netsim.RandomPorts, Prefix64: netsim.WellKnownPrefix}}},
		About: "IPv6 alone behind a stateful firewall; IPv4 by NAT64 and DNS64 (RFC 6146, 6147)",
	},
	{
		Name: "udp-3478", IPv4: true,
		Boxes: only(netsim.Rule{Protocol: netsim.UDP, Port: 3478}),
		About: "port-restricted, and UDP leaves to port 3478 alone",
	},
	{
		Name: "no-udp", IPv4: true,
		Boxes: only(netsim.Rule{Protocol: netsim.TCP}),
		About: "a NAT that lets TCP out, and no UDP",
	},
	{
		Name: "tcp-443", IPv4: true,
		Boxes: only(netsim.Rule{Protocol: netsim.TCP, Port: 443}),
		About: "a NAT that lets TCP out to port 443 alone",
	},
}

// Named returns the topology with that name.
func Named(name string) (Topology, bool) {
	i := slices.IndexFunc(Topologies, func(t Topology) bool { return t.Name == name })
	if i < 0 {
		return Topology{}, false
	}
	return Topologies[i], true
}

// routed are the hosts that a box does not translate.
func (b Box) routed() []netip.Prefix {
	all := []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}
	if b.Firewall {
		all = append(all, netip.MustParsePrefix("203.0.113.0/24"))
	}
	return all
}

// translates reports whether the hosts' IPv4 addresses, or what of IPv6 goes to
// IPv4, are translated on the way.
func (t *Topology) translates() bool {
	return slices.ContainsFunc(t.Boxes, func(b Box) bool { return !b.Firewall })
}

// nat64 reports whether the host reaches IPv4 by NAT64.
func (t *Topology) nat64() bool {
	return slices.ContainsFunc(t.Boxes, func(b Box) bool { return b.Prefix64.IsValid() })
}
