package sdp

import "net/netip"

// A Session is a whole description (RFC 8866, Section 5).
type Session struct {
	Origin     Origin
	Name       string  // of the session; "-" in WebRTC, also when empty
	Connection Address // "c=" at session level; zero when there is none
	Timing     Timing

	// Lines are the session-level lines that WebRTC has no use for, such as
	// "i=" and "b=", and those of unknown types, in the order they came in.
	Lines []Line

	Attributes
	Media []Media
}

// A Media is one media section: an "m=" line (RFC 8866, Section 5.14) and what
// follows it up to the next.
//
//	m=<media> <port>[/<number of ports>] <proto> <fmt> ...
type Media struct {
	Kind      string // "audio", "video" or "application"
	Port      uint16 // 0: rejected, or bundled only; 9: no candidate yet
	PortCount uint16 // the number after "port/"; 0 when it is not written
	Protocol  string // such as "UDP/DTLS/SCTP" or "UDP/TLS/RTP/SAVPF"
	Formats   []string

	Connection Address // "c="; zero when there is none
	Lines      []Line  // "i=", "b=", "k=" and unknown types, in order

	Attributes
}

// An Origin is the "o=" line (RFC 8866, Section 5.2). SessionID stays what it
// is for the life of a session; SessionVersion is one higher with each new
// description of it.
type Origin struct {
	Username       string // "-" in WebRTC, also when empty
	SessionID      uint64
	SessionVersion uint64
	Address        Address // zero is written as 0.0.0.0
}

// An Address is an address of the network type "IN", which is the only one in
// use: "IN IP4 192.0.2.2".
type Address struct {
	Type string // "IP4" or "IP6"
	Host string // an address or a name; of a multicast group, with its "/ttl"
}

// Unspecified is the address of a section that has no candidate yet
// (RFC 9429, Section 5.2.1).
var Unspecified = Address{Type: "IP4", Host: "0.0.0.0"}

// AddressOf is addr as a description writes it.
func AddressOf(addr netip.Addr) Address {
	if addr = addr.Unmap(); addr.Is4() {
		return Address{Type: "IP4", Host: addr.String()}
	}
	return Address{Type: "IP6", Host: addr.WithZone("").String()}
}

// Addr is the address as a number, if it is not a name.
func (a Address) Addr() (netip.Addr, bool) {
	addr, err := netip.ParseAddr(a.Host)
	return addr, err == nil
}

// A Timing is the "t=" line (RFC 8866, Section 5.9): from when to when the
// session is active, in seconds since 1900. WebRTC sessions are not planned
// ahead: zero and zero.
type Timing struct{ Start, Stop uint64 }

// A Line is a line this package does not look into.
type Line struct {
	Type  byte // the letter before "="
	Value string
}

// New returns a description with no sections, whose first lines are those
// browsers write (RFC 9429, Section 5.2.1).
//
// The session id should be random, and its highest bit zero; the version
// counts up from any number.
func New(id, version uint64) *Session {
	return &Session{
		Origin: Origin{
			SessionID:      id,
			SessionVersion: version,
			Address:        Address{Type: "IP4", Host: "127.0.0.1"},
		},
	}
}

// Rejected reports whether the section's port says that it is not wanted. A
// port of zero that comes with "bundle-only" means something else: wanted, but
// only on the group's transport (RFC 9143, Section 6).
func (m *Media) Rejected() bool { return m.Port == 0 && !m.Has("bundle-only") }

// Bandwidth returns the limit of the given kind ("TIAS" in bit/s, "AS" in
// kbit/s) from the section's "b=" lines (RFC 8866, Section 5.8).
func (m *Media) Bandwidth(kind string) (uint64, bool) { return bandwidth(m.Lines, kind) }

// Bandwidth returns the limit of the given kind ("TIAS" in bit/s, "CT" and "AS" in
// kbit/s) that holds for all sections together.
func (s *Session) Bandwidth(kind string) (uint64, bool) { return bandwidth(s.Lines, kind) }

func bandwidth(lines []Line, kind string) (uint64, bool) {
	for _, l := range lines {
		if l.Type != 'b' {
			continue
		}
		c := cursor{text: l.Value}
		if k, v := parseBandwidth(&c); c.err == nil && k == kind {
			return v, true
		}
	}
	return 0, false
}
