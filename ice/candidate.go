package ice

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A CandidateType says how a candidate was learned. RFC 8445, Section 5.1.1.
type CandidateType uint8

// The types of candidates. In the order of preference, the best first.
const (
	Host            CandidateType = iota // an address of the machine itself
	PeerReflexive                        // what the peer sees instead of a base; learned from checks
	ServerReflexive                      // what a STUN server sees instead of a base
	Relayed                              // an address on a TURN server
)

var candidateTypes = [...]string{Host: "host", PeerReflexive: "prflx", ServerReflexive: "srflx", Relayed: "relay"}

// String returns the type's name in a candidate attribute.
func (t CandidateType) String() string {
	if int(t) < len(candidateTypes) {
		return candidateTypes[t]
	}
	return "type " + strconv.Itoa(int(t))
}

// preference is the type preference: "The RECOMMENDED values for type
// preferences are 126 for host candidates, 110 for peer-reflexive candidates,
// 100 for server-reflexive candidates, and 0 for relayed candidates." RFC 8445,
// Section 5.1.2.2.
func (t CandidateType) preference() uint32 {
	return [...]uint32{Host: 126, PeerReflexive: 110, ServerReflexive: 100, Relayed: 0}[t]
}

// A Protocol is a candidate's transport, or what leads to a server.
type Protocol uint8

// The transports. Candidates have one of the first two: RFC 8839, Section 5.1 and
// RFC 6544, Section 4.5.
const (
	UDP Protocol = iota
	TCP
	TLS  // over TCP, to a server
	DTLS // over UDP, to a server
)

// String returns the protocol's name: in a candidate attribute "udp" or "tcp".
func (p Protocol) String() string { return [...]string{"udp", "tcp", "tls", "dtls"}[p] }

// Stream reports whether it is one connection from end to end, which loses
// nothing and must be opened.
func (p Protocol) Stream() bool { return p == TCP || p == TLS }

// A TCPType says which end of a TCP candidate opens the connection. RFC 6544, Section 4.5.
type TCPType uint8

// The TCP types. Only TCP candidates have one.
const (
	NoTCPType TCPType = iota
	TCPActive
	TCPPassive
	TCPSimultaneousOpen
)

var tcpTypes = [...]string{NoTCPType: "", TCPActive: "active", TCPPassive: "passive", TCPSimultaneousOpen: "so"}

// String returns the TCP type's name in a candidate attribute.
func (t TCPType) String() string { return tcpTypes[t] }

// other is the type at the other end of a connection.
func (t TCPType) other() TCPType {
	return [...]TCPType{NoTCPType: NoTCPType, TCPActive: TCPPassive, TCPPassive: TCPActive, TCPSimultaneousOpen: TCPSimultaneousOpen}[t]
}

// An Extension is an attribute of a candidate that this package keeps but does
// not read. RFC 8839, Section 5.1.
type Extension struct{ Name, Value string }

// A Candidate is a transport address at which an agent may be reached, with
// what a candidate attribute tells about it:
//
//	candidate-attribute   = "candidate" ":" foundation SP component-id SP
//	                         transport SP
//	                         priority SP
//	                         connection-address SP     ;from RFC 4566
//	                         port         ;port from RFC 4566
//	                         SP cand-type
//	                         [SP rel-addr]
//	                         [SP rel-port]
//	                         *(SP cand-extension)
//
// RFC 8839, Section 5.1.
type Candidate struct {
	Foundation string // 1 to 32 of A-Z a-z 0-9 + /; equal for candidates that likely share their fate
	Component  int    // 1 to 256; 1 is RTP and everything bundled with it
	Protocol   Protocol
	Priority   uint32 // 1 to 2^31-1; what lies above is taken too

	// Addr is the transport address. Its address is not valid, and Host has the
	// name, while that is not resolved: names ending in ".local" are how
	// browsers hide the addresses of their host. The port is always Addr's.
	Addr netip.AddrPort
	Host string

	Type    CandidateType
	Related netip.AddrPort // the base of a reflexive candidate, or the like; not valid when not told
	TCPType TCPType

	Ufrag       string // the generation it belongs to, where told: "ufrag"
	Generation  int    // "generation", and -1 where not told
	NetworkID   int    // "network-id", and 0 where not told
	NetworkCost int    // "network-cost", and 0 where not told

	Extensions []Extension // the others, in their order

	// Of a local candidate that a server told, and not in its text: the server's URL,
	// where told, and of a relayed one how the server is reached.
	URL           string
	RelayProtocol Protocol
}

// maxExtensions bounds what a candidate keeps of extensions, and
// maxCandidateText all of it: browsers need some 150 bytes.
const (
	maxExtensions    = 16
	maxCandidateText = 1024
)

// ParseCandidate reads a candidate as SDP and RTCIceCandidate write it, with
// or without "a=" and "candidate:" in front.
//
// It is liberal where browsers are: names of transports and types in any case,
// IP addresses or host names, priorities of the full 32 bits.
func ParseCandidate(s string) (Candidate, error) {
	if len(s) > maxCandidateText {
		return Candidate{}, fmt.Errorf("ice: candidate %.80q… has %d bytes, of which at most %d are accepted", s, len(s), maxCandidateText)
	}
	text := strings.TrimSpace(s)
	text = strings.TrimPrefix(text, "a=")
	text = strings.TrimPrefix(text, "candidate:")
	c, err := parseCandidate(strings.Fields(text))
	if err != nil {
		return Candidate{}, fmt.Errorf("ice: candidate %.80q: %w", s, err)
	}
	return c, nil
}

func parseCandidate(f []string) (Candidate, error) {
	c := Candidate{Generation: -1}
	if len(f) < 8 {
		return c, fmt.Errorf("has %d fields, where foundation, component, transport, priority, address, port, \"typ\" and type are needed", len(f))
	}
	if !isIceChars(f[0], 1, 32) {
		return c, fmt.Errorf("foundation %.40q is not 1 to 32 of A-Z a-z 0-9 + /", f[0])
	}
	c.Foundation = f[0]
	component, err := number(f[1], 16)
	if err != nil || component < 1 || component > 256 {
		return c, fmt.Errorf("component %.20q is not a number from 1 to 256", f[1])
	}
	c.Component = int(component)
	switch strings.ToLower(f[2]) {
	case "udp":
		c.Protocol = UDP
	case "tcp":
		c.Protocol = TCP
	default:
		return c, fmt.Errorf("transport %.20q is neither udp nor tcp", f[2])
	}
	priority, err := number(f[3], 32)
	if err != nil || priority == 0 {
		return c, fmt.Errorf("priority %.20q is not a number from 1 to 4294967295", f[3])
	}
	c.Priority = uint32(priority)
	port, err := number(f[5], 16)
	if err != nil {
		return c, fmt.Errorf("port %.20q is not a number up to 65535", f[5])
	}
	if addr, err := netip.ParseAddr(f[4]); err == nil {
		if addr.Zone() != "" {
			return c, fmt.Errorf("address %.80q has a zone, which means nothing on another host", f[4])
		}
		c.Addr = netip.AddrPortFrom(addr.Unmap(), uint16(port))
	} else if !isHostName(f[4]) {
		return c, fmt.Errorf("address %.80q is neither an IP address nor a host name", f[4])
	} else {
		c.Host = f[4]
		c.Addr = netip.AddrPortFrom(netip.Addr{}, uint16(port))
	}
	if f[6] != "typ" {
		return c, fmt.Errorf("%.20q stands where \"typ\" must", f[6])
	}
	known := false
	for t, name := range candidateTypes {
		if strings.EqualFold(f[7], name) {
			c.Type, known = CandidateType(t), true
		}
	}
	if !known {
		return c, fmt.Errorf("type %.20q is none of host, srflx, prflx and relay", f[7])
	}
	return c, c.parseExtensions(f[8:])
}

// parseExtensions reads the pairs of name and value behind the type, the
// related address among them.
func (c *Candidate) parseExtensions(f []string) error {
	if len(f)%2 != 0 {
		return fmt.Errorf("attribute %.20q has no value", f[len(f)-1])
	}
	var related netip.Addr
	var relatedPort uint64
	for i := 0; i < len(f); i += 2 {
		name, value := f[i], f[i+1]
		var err error
		switch name {
		case "raddr":
			// A name, or nonsense, is of no use here: browsers write 0.0.0.0 or a
			// .local name to hide the address.
			related, _ = netip.ParseAddr(value)
			related = related.Unmap().WithZone("")
		case "rport":
			relatedPort, err = number(value, 16)
		case "tcptype":
			known := false
			for t, tcpType := range tcpTypes {
				if t != int(NoTCPType) && value == tcpType {
					c.TCPType, known = TCPType(t), true
				}
			}
			if !known {
				err = errors.New("unknown")
			}
		case "ufrag":
			if !isIceChars(value, 1, 256) {
				err = errors.New("not a username fragment")
			}
			c.Ufrag = value
		case "generation":
			c.Generation, err = small(value)
		case "network-id":
			c.NetworkID, err = small(value)
		case "network-cost":
			c.NetworkCost, err = small(value)
		default:
			if len(c.Extensions) < maxExtensions {
				c.Extensions = append(c.Extensions, Extension{name, value})
			}
		}
		if err != nil {
			return fmt.Errorf("attribute %s has the value %.20q: %w", name, value, err)
		}
	}
	if related.IsValid() {
		c.Related = netip.AddrPortFrom(related, uint16(relatedPort))
	}
	return nil
}

// String returns the candidate in the form of [ParseCandidate], starting with
// "candidate:", as RTCIceCandidate wants it and SDP behind "a=".
func (c Candidate) String() string {
	b := make([]byte, 0, 96)
	b = append(b, "candidate:"...)
	b = append(b, c.Foundation...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(c.Component), 10)
	b = append(b, ' ')
	b = append(b, c.Protocol.String()...)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(c.Priority), 10)
	b = append(b, ' ')
	if c.Addr.Addr().IsValid() {
		b = c.Addr.Addr().AppendTo(b)
	} else {
		b = append(b, c.Host...)
	}
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(c.Addr.Port()), 10)
	b = append(b, " typ "...)
	b = append(b, c.Type.String()...)
	if c.Related.IsValid() {
		b = append(b, " raddr "...)
		b = c.Related.Addr().AppendTo(b)
		b = append(b, " rport "...)
		b = strconv.AppendUint(b, uint64(c.Related.Port()), 10)
	}
	if c.TCPType != NoTCPType {
		b = append(b, " tcptype "...)
		b = append(b, c.TCPType.String()...)
	}
	if c.Generation >= 0 {
		b = append(b, " generation "...)
		b = strconv.AppendInt(b, int64(c.Generation), 10)
	}
	if c.Ufrag != "" {
		b = append(b, " ufrag "...)
		b = append(b, c.Ufrag...)
	}
	if c.NetworkID > 0 {
		b = append(b, " network-id "...)
		b = strconv.AppendInt(b, int64(c.NetworkID), 10)
	}
	if c.NetworkCost > 0 {
		b = append(b, " network-cost "...)
		b = strconv.AppendInt(b, int64(c.NetworkCost), 10)
	}
	for _, e := range c.Extensions {
		b = append(b, ' ')
		b = append(b, e.Name...)
		b = append(b, ' ')
		b = append(b, e.Value...)
	}
	return string(b)
}

// number reads decimal digits alone, without sign.
func number(s string, bits int) (uint64, error) {
	v, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("not a number of at most %d bits", bits)
	}
	return v, nil
}

func small(s string) (int, error) {
	v, err := number(s, 16)
	return int(v), err
}

// isIceChars reports whether s consists of ice-chars, and how many.
//
//	ice-char = ALPHA / DIGIT / "+" / "/"
//
// RFC 8839, Section 5.1. Older stacks have "-", "_", "=" and "#" beside them,
// which do no harm.
func isIceChars(s string, least, most int) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '+', c == '/', c == '-', c == '_', c == '=', c == '#':
		default:
			return false
		}
	}
	return len(s) >= least && len(s) <= most
}

func isHostName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 253 && s[0] != '.' && !strings.Contains(s, "..")
}
