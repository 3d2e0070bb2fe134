package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/plainrtc/plainrtc/turn"
)

// A doctorReport is what was found out; with --json it is printed as it is.
type doctorReport struct {
	OK         bool              `json:"ok"` // everything that was tried works
	Interfaces []interfaceReport `json:"interfaces"`
	Mappings   []mappingReport   `json:"mappings,omitempty"`
	NAT        *natReport        `json:"nat,omitempty"` // nil: not found out
	Servers    []*serverReport   `json:"servers"`
	Advice     []string          `json:"advice"`
}

// An interfaceReport is one of this machine's interfaces.
type interfaceReport struct {
	Name      string       `json:"name"`
	Addresses []netip.Addr `json:"addresses"`
	MTU       int          `json:"mtu"`
	Multicast bool         `json:"multicast"` // which names that end in .local need
	Loopback  bool         `json:"loopback,omitempty"`
}

// A mappingReport is how a server sees a socket of ours.
type mappingReport struct {
	Local  netip.AddrPort  `json:"local"`
	Server netip.AddrPort  `json:"server"`
	Mapped *netip.AddrPort `json:"mapped,omitempty"`
	RTTMS  float64         `json:"rtt_ms,omitempty"`
	Reason string          `json:"reason,omitempty"` // why there is no answer
}

// A natReport is what the NAT does that is in between.
type natReport struct {
	NAT       bool      `json:"nat"` // there is one
	Mapping   behaviour `json:"mapping,omitempty"`
	Filtering behaviour `json:"filtering,omitempty"`
	By        string    `json:"by"` // who has helped
}

// A serverReport is one of the servers that were given.
type serverReport struct {
	URL        string             `json:"url"`
	Problem    string             `json:"problem,omitempty"` // why nothing could be tried
	Reason     string             `json:"reason,omitempty"`
	Transports []*transportReport `json:"transports,omitempty"`

	turn, credentials bool
}

// A transportReport is what a server does over a transport at an address.
type transportReport struct {
	Transport string          `json:"transport"` // udp, tcp, tls or dtls
	Address   netip.AddrPort  `json:"address"`
	OK        bool            `json:"ok"`
	Problem   string          `json:"problem,omitempty"` // refused, timeout, certificate, 401, …
	Reason    string          `json:"reason,omitempty"`  // in words
	Local     netip.AddrPort  `json:"local,omitzero"`
	Mapped    *netip.AddrPort `json:"mapped,omitempty"` // how the server sees this machine
	ConnectMS float64         `json:"connect_ms,omitempty"`
	RTTMS     float64         `json:"rtt_ms,omitempty"`
	Relay     *relayReport    `json:"relay,omitempty"` // of TURN

	protocol turn.Protocol
	other    netip.AddrPort // its second address
}

// A relayReport is what became of two allocations that talk with each other.
type relayReport struct {
	OK        bool            `json:"ok"`
	Problem   string          `json:"problem,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Relayed   *netip.AddrPort `json:"relayed,omitempty"`
	LifetimeS float64         `json:"lifetime_s,omitempty"`
	RTTMS     float64         `json:"rtt_ms,omitempty"`  // from one allocation to the other and back
	Payload   int             `json:"payload,omitempty"` // the largest that made it, of those tried; UDP alone
}

// overUDP are the servers' transports that have answered over UDP.
func (r *doctorReport) overUDP() (all []*transportReport) {
	for _, s := range r.Servers {
		for _, t := range s.Transports {
			if t.protocol == turn.UDP && t.Mapped != nil {
				all = append(all, t)
			}
		}
	}
	return all
}

// advise says what all of it means, and whether all is well.
func (r *doctorReport) advise() {
	r.OK = true
	say := func(format string, args ...any) { r.Advice = append(r.Advice, fmt.Sprintf(format, args...)) }
	relays, turns, ipv6 := 0, 0, false
	for _, i := range r.Interfaces {
		for _, a := range i.Addresses {
			ipv6 = ipv6 || a.Is6() && a.IsGlobalUnicast() && !a.IsPrivate()
		}
	}
	for _, s := range r.Servers {
		if s.turn {
			turns++
		}
		if s.Problem != "" {
			r.OK = false
			if s.Problem == problemName {
				say("The name of %s is not known: check it, and this machine's DNS.", s.URL)
			} else {
				say("%s cannot be tried: %s.", s.URL, s.Reason)
			}
			continue
		}
		best := r.best(s)
		for _, t := range s.Transports {
			if t.OK {
				if t.Relay != nil {
					relays++
				}
				continue
			}
			r.OK = false
			say("%s", adviceFor(s, t, best))
		}
	}
	switch {
	case turns > 0 && relays == 0:
		say("No relay works: calls fail where no direct path is found.")
	case turns == 0 && r.NAT != nil && r.NAT.NAT && r.NAT.Mapping != endpointIndependent:
		say("This NAT needs a TURN server for many calls, and none was given.")
	}
	for _, t := range r.overUDP() {
		if t.Relay != nil && t.Relay.OK && t.Relay.Payload < 1200 {
			say("Through the relay at %v packets of %d bytes arrive whole, and larger ones do not: a tunnel is in between, perhaps; media packets of 1200 bytes are lost.", t.Address, t.Relay.Payload)
		}
	}
	if n := r.NAT; n != nil && n.NAT && n.Mapping != "" {
		say("The NAT's mapping is %s: %s.", n.Mapping, mappingWords[n.Mapping])
	}
	if n := r.NAT; n != nil && n.Filtering != "" && n.NAT {
		say("The NAT's filtering is %s: %s.", n.Filtering, filteringWords[n.Filtering])
	}
	if !ipv6 {
		say("This machine has no public IPv6 address: calls use IPv4.")
	}
	if r.OK {
		r.Advice = append([]string{"All that was tried works."}, r.Advice...)
	}
}

// best is the transport of a server's host that calls will use, the quickest first; nil for none.
func (r *doctorReport) best(of *serverReport) (best *transportReport) {
	rank := map[turn.Protocol]int{turn.UDP: 1, turn.TCP: 2, turn.TLS: 3, turn.DTLS: 4} // browsers do not speak DTLS
	for _, s := range r.Servers {
		for _, t := range s.Transports {
			if t.OK && s.turn == of.turn && (best == nil || rank[t.protocol] < rank[best.protocol]) {
				best = t
			}
		}
	}
	return best
}

func adviceFor(s *serverReport, t *transportReport, best *transportReport) string {
	at := fmt.Sprintf("%v to %v", t.protocol, t.Address)
	instead := "."
	if best != nil && s.turn {
		instead = fmt.Sprintf("; calls will use TURN over %v to %v.", best.protocol, best.Address)
	}
	switch t.Problem {
	case problemTimeout:
		return at + " is blocked, or nobody is there" + instead
	case problemRefused:
		return at + " is refused: the server does not listen there" + instead
	case problemUnreachable:
		return at + " has no way from here" + instead
	case problemCertificate:
		return fmt.Sprintf("The certificate at %v is not accepted, and browsers will not accept it either: %s%s", t.Address, t.Reason, instead)
	case problemProtocol:
		return fmt.Sprintf("What answers at %v does not speak TURN over %v: a proxy is in between, or the port is another service's%s", t.Address, t.protocol, instead)
	case "401":
		if !s.credentials {
			return fmt.Sprintf("The server at %v wants a name and a password: give --username and --credential.", t.Address)
		}
		return fmt.Sprintf("The server at %v does not accept these credentials over %v: check --username and --credential, and whether a time-limited password has expired.", t.Address, t.protocol)
	case "403":
		return fmt.Sprintf("The server at %v allocates over %v and does not relay to its own addresses, so that two clients of it do not reach each other by their relays.", t.Address, t.protocol)
	case problemEcho:
		return fmt.Sprintf("The server at %v allocates over %v, and no packet passes: a firewall is between its relayed addresses and the network, or its advertised address is wrong.", t.Address, t.protocol)
	case "486", "508":
		return fmt.Sprintf("The server at %v is full, or this user has too many allocations: %s.", t.Address, t.Reason)
	}
	return fmt.Sprintf("%s does not work: %s%s", at, t.Reason, instead)
}

func (r *doctorReport) print(w io.Writer) {
	say(w, "This machine")
	for _, i := range r.Interfaces {
		var addresses []string
		for _, a := range i.Addresses {
			addresses = append(addresses, a.String())
		}
		more := ""
		if !i.Multicast && !i.Loopback {
			more = ", no multicast"
		}
		say(w, "  %-10s %s (MTU %d%s)", i.Name, strings.Join(addresses, ", "), i.MTU, more)
	}
	for _, m := range r.Mappings {
		if m.Mapped != nil {
			say(w, "  %v is seen as %v by %v, in %.2f ms", m.Local, *m.Mapped, m.Server, m.RTTMS)
		} else {
			say(w, "  %v is not seen by %v: %s", m.Local, m.Server, m.Reason)
		}
	}
	switch n := r.NAT; {
	case n == nil:
		say(w, "  What the NAT does is not known: no server has a second address, and no two answer.")
	case !n.NAT:
		say(w, "  No NAT is in between, %s say.", n.By)
	default:
		filtering := ""
		if n.Filtering != "" {
			filtering = ", its filtering " + string(n.Filtering)
		}
		say(w, "  A NAT is in between; its mapping is %s%s, %s say.", n.Mapping, filtering, n.By)
	}
	for _, s := range r.Servers {
		say(w, "\n%s", s.URL)
		if s.Problem != "" {
			say(w, "  ✗ %s", s.Reason)
		}
		for _, t := range s.Transports {
			if !t.OK {
				say(w, "  ✗ %-4s %v: %s", t.protocol, t.Address, t.Reason)
				continue
			}
			line := fmt.Sprintf("  ✓ %-4s %v: answers in %.2f ms", t.protocol, t.Address, t.RTTMS)
			if t.ConnectMS > 0 {
				line += fmt.Sprintf(", connected in %.1f ms", t.ConnectMS)
			}
			if t.Relay != nil {
				line += fmt.Sprintf("; relayed at %v, there and back in %.2f ms", *t.Relay.Relayed, t.Relay.RTTMS)
				if t.Relay.Payload > 0 {
					line += fmt.Sprintf(", up to %d bytes", t.Relay.Payload)
				}
			}
			say(w, "%s", line)
		}
	}
	say(w, "\nWhat it means")
	for _, a := range r.Advice {
		say(w, "  %s", a)
	}
}
