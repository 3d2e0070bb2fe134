package netns

import (
	"fmt"
	"strings"
)

// A NAT is how a router translates addresses. Both kinds let in only what comes from an address and
// port that was sent to.
type NAT string

// The kinds.
const (
	// Cone keeps the port while it is free, whatever the destination, so that what
	// one host is told of the address is true for all (RFC 4787: endpoint-independent mapping).
	Cone NAT = "cone"
	// Symmetric takes a port by chance for each destination (address- and port-dependent
	// mapping): nobody can know where a peer will be seen from.
	Symmetric NAT = "symmetric"
)

// A Firewall is what a router lets out.
type Firewall string

// The kinds.
const (
	Open    Firewall = "open"
	NoUDP   Firewall = "no UDP"
	Only443 Firewall = "TCP to port 443 alone"
)

// A Router stands between a host and the internet.
type Router struct {
	NAT      NAT
	Firewall Firewall // Open if empty
	Outside  Wire     // to the internet
}

func (r Router) String() string {
	if r.Firewall == "" || r.Firewall == Open {
		return string(r.NAT)
	}
	return string(r.NAT) + ", " + string(r.Firewall)
}

// The names of a router's devices.
const (
	inner = "inner"
	outer = "outer"
)

// rules are the rules of nftables for it.
func (r Router) rules() string {
	masquerade := "masquerade"
	if r.NAT == Symmetric {
		masquerade = "masquerade fully-random"
	}
	var out []string
	switch r.Firewall {
	case NoUDP:
		out = []string{"meta l4proto udp drop"}
	case Only443:
		out = []string{"meta l4proto != tcp drop", "tcp dport != 443 drop"}
	}
	var b strings.Builder
	for _, rule := range out {
		fmt.Fprintf(&b, "\t\tiifname \"%s*\" %s\n", inner, rule)
	}
	// What comes from outside unasked is dropped, also where it is addressed to the router
	// itself: otherwise the kernel remembers a peer's first check as a flow of its own,
	// and gives the flow that answers it another port.
	return fmt.Sprintf(`
table ip router
delete table ip router
table ip router {
	chain translate {
		type nat hook postrouting priority srcnat;
		oifname %[2]s %[3]s
	}
	chain unasked {
		type filter hook input priority filter;
		iifname %[2]s ct state new drop
	}
	chain through {
		type filter hook forward priority filter;
%[4]s		iifname %[2]s ct state new drop
	}
}
`, inner, outer, masquerade, b.String())
}
