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
