package ice

import "net/netip"

// priority is a candidate's priority:
//
//	priority = (2^24)*(type preference) +
//	           (2^8)*(local preference) +
//	           (2^0)*(256 - component ID)
//
// RFC 8445, Section 5.1.2.1.
func priority(t CandidateType, localPreference uint16, component int) uint32 {
	return t.preference()<<24 | uint32(localPreference)<<8 | uint32(256-component)
}

// tcpTypePreference are the type preferences of candidates over TCP, lower than those of
// every one over UDP that is not relayed: "If a particular media stream can run over
// UDP or TCP, the UDP candidates might be preferred over the TCP candidates." RFC
// 6544, Section 4.2. The figures are libwebrtc's.
func tcpTypePreference(t CandidateType) uint32 {
	return [...]uint32{Host: 90, PeerReflexive: 80, ServerReflexive: 80, Relayed: 0}[t]
}

// tcpPriority is the priority of a candidate over TCP, whose local preference has its
// direction in front:
//
//	local preference = (2^13) * direction-pref + other-pref
//
// "It is RECOMMENDED that the host, UDP-tunneled, and relayed TCP candidates have the
// direction-pref assigned as follows: 6 for active, 4 for passive, and 2 for S-O. For the
// NAT-assisted and server reflexive candidates, the RECOMMENDED values are: 6 for S-O, 4
// for active, and 2 for passive." RFC 6544, Section 4.2.
func tcpPriority(t CandidateType, kind TCPType, other uint16) uint32 {
	direction := [...]uint32{NoTCPType: 0, TCPActive: 6, TCPPassive: 4, TCPSimultaneousOpen: 2}[kind]
	if t == PeerReflexive || t == ServerReflexive {
		direction = [...]uint32{NoTCPType: 0, TCPActive: 4, TCPPassive: 2, TCPSimultaneousOpen: 6}[kind]
	}
	local := direction<<13 + uint32(other)>>3
	return tcpTypePreference(t)<<24 | local<<8 | 255
}

// relayPreference is the local preference of a candidate that the rank-th server lends to
// a base, by how the server is reached: over UDP at best, over a stream at worst, on which one
// lost segment holds up all that come behind it.
func relayPreference(preference uint16, rank int, p Protocol) uint16 {
	class := [...]int{UDP: 0, DTLS: 1, TCP: 2, TLS: 3}[p]
	return preference - uint16(min(int(preference), rank+class<<13))
}

// maxCost is what libwebrtc takes a network to cost at most.
const maxCost = 999

// localPreference ranks the addresses of one host, the nth of its family: those of
// cheap networks first; then IPv6 (RFC 6724 prefers it), and the families in turn, so
// that a broken one cannot hold up the other: RFC 8421, Section 4.
func localPreference(addr netip.Addr, nth int, cost uint16) uint16 {
	rank := min(2*nth, 1<<15)
	if addr.Is4() {
		rank++
	}
	return uint16(65535 - rank - 32*int(min(cost, maxCost)))
}

// pairPriority is a pair's priority, where g is the priority of the
// controlling agent's candidate and d that of the controlled one's:
//
//	pair priority = 2^32*MIN(G,D) + 2*MAX(G,D) + (G>D?1:0)
//
// RFC 8445, Section 6.1.2.3. A candidate's priority "MUST be a positive integer
// between 1 and (2**31 - 1)" (Section 5.1.2); what is larger must not overflow.
func pairPriority(g, d uint32) uint64 {
	g, d = min(g, 1<<31-1), min(d, 1<<31-1)
	p := uint64(min(g, d))<<32 + 2*uint64(max(g, d))
	if g > d {
		p++
	}
	return p
}
