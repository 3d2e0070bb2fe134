package natlab

import (
	"slices"

	"github.com/plainrtc/plainrtc/internal/netsim"
)

// A way is what theory knows of how datagrams of one family get out of a topology
// and in.
type way struct {
	exists    bool
	mapping   netsim.Behaviour
	filtering netsim.Behaviour
}

// way4 is the way to and from IPv4 hosts, way6 that to and from IPv6 hosts. Behind
// several boxes the strictest of each behaviour counts: where one of them makes
// another mapping for another destination, those behind it see another source.
func (t *Topology) way4() way {
	w := way{exists: t.IPv4 || t.nat64()}
	for _, b := range t.Boxes {
		if !b.Firewall {
			w.mapping = max(w.mapping, b.Mapping)
		}
		w.filtering = max(w.filtering, b.Filtering)
		w.exists = w.exists && b.lets(netsim.UDP)
	}
	return w
}

func (t *Topology) way6() way {
	w := way{exists: t.IPv6}
	for _, b := range t.Boxes {
		w.filtering = max(w.filtering, b.Filtering)
		w.exists = w.exists && b.lets(netsim.UDP)
	}
	return w
}

// lets reports whether hosts may send to any port.
func (b Box) lets(p netsim.Protocol) bool {
	if b.Allow == nil {
		return true
	}
	for _, r := range b.Allow {
		if r.Protocol == p && r.Port == 0 {
			return true
		}
	}
	return false
}

// Direct reports whether theory has a direct path between agents at a and z, each
// of whom knows nothing but what a STUN server saw of the other one, and what it
// receives itself; and over which protocol: TCP only where there is none over UDP.
// It is derived from the behaviours of the boxes alone, and asks no agent.
func Direct(a, z Topology) (netsim.Protocol, bool) {
	if a.Name == z.Name && a.Shared {
		switch last := a.Boxes[len(a.Boxes)-1]; {
		case len(a.Boxes) == 1:
			return netsim.UDP, true // they are neighbours, and need no box
		case !last.Hairpin:
			return netsim.UDP, a.IPv6 // to whom the box is a firewall that they do not meet
		}
	}
	if meet(a.way4(), z.way4()) || meet(a.way6(), z.way6()) {
		return netsim.UDP, true
	}
	return netsim.TCP, a.dials(z) || z.dials(a)
}

// dials reports whether a TCP connection from t gets to z. Agents tell the addresses of
// their hosts alone for TCP, so that z must not be behind anything.
func (t *Topology) dials(z Topology) bool {
	if len(z.Boxes) > 0 || !z.IPv4 || !(t.IPv4 || t.nat64()) {
		return false
	}
	return !slices.ContainsFunc(t.Boxes, func(b Box) bool { return !b.lets(netsim.TCP) })
}

// DatagramsLeave reports whether any UDP does.
func (t *Topology) DatagramsLeave() bool {
	return !slices.ContainsFunc(t.Boxes, func(b Box) bool {
		return b.Allow != nil && !slices.ContainsFunc(b.Allow, func(r netsim.Rule) bool { return r.Protocol == netsim.UDP })
	})
}

// meet reports whether datagrams get through between two ways.
//
// A mapping that does not depend on the other end is what the STUN server saw, and
// the peer may send there; any other one is known to who receives from it. So:
//
//   - Both are of the first kind: each sends to the other, which opens its own
//     filter, whatever that looks at.
//   - One is: the other one's packet comes from a mapping nobody has sent to. It
//     is let in unless the filter looks at the port, for the address is known.
//   - None is. One side must let in whatever comes to what the STUN server saw;
//     the other side must let in what answers from another mapping, which has
//     another port. If both mappings depend on the port they never meet: each
//     answer comes from a new one, and is answered from a new one.
func meet(a, z way) bool {
	if !a.exists || !z.exists {
		return false
	}
	switch fixedA, fixedZ := a.mapping == independent, z.mapping == independent; {
	case fixedA && fixedZ:
		return true
	case fixedA:
		return a.filtering != strict
	case fixedZ:
		return z.filtering != strict
	case a.mapping == strict && z.mapping == strict:
		return false
	}
	in := func(a, z way) bool { return a.filtering == independent && z.filtering != strict }
	return in(a, z) || in(z, a)
}
