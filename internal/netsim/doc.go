// Package netsim is a network on virtual time, for whole stacks: hosts, links
// that delay, lose, reorder, duplicate and queue, and NATs. Everything random
// comes from one seed; the same seed gives the same bytes at the same times, and
// [Network.Hash] proves it.
//
//	n := netsim.New(seed, start)
//	wifi := netsim.Profile{Delay: 5 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.02}
//	a := n.AddHost(nodeA, wifi, netip.MustParseAddr("192.0.2.1"))
//	home := n.AddNAT(netsim.NAT{}, netsim.Profile{Delay: 20 * time.Millisecond}, netip.MustParseAddr("198.51.100.1"))
//	z := home.AddHost(nodeZ, netsim.Profile{}, netip.MustParseAddr("10.0.0.2"))
//	ok := n.Run(func() bool { return connected }, 30*time.Second)
//
// # The picture
//
// A network is a star. Each host has a link up to the middle and a link down
// from it; the middle itself takes no time, unless [Network.Path] puts a link
// between two addresses there. Behind a NAT stands another star, with addresses
// of its own, and NATs may stand behind NATs.
//
//	a ──up──►  middle  ──down──►  NAT  ──►  inner middle  ──down──►  z
//	a ◄─down─          ◄──up────  NAT  ◄──                ◄──up────  z
//
// # Time
//
// The network jumps from one thing that happens to the next. At one instant
// datagrams arrive and scripted calls run in the order they were entered; then
// the timers of the nodes fire, in the order of the hosts. After everything that
// may change a node it is drained of its packets.
//
// # NATs and firewalls
//
// A [NAT] is described in the words of RFC 4787, each behaviour by itself: three
// mappings and three filterings, which port a mapping gets, hairpinning, timeouts.
// The same holds for TCP (RFC 5382). Hosts that it routes instead of translating
// it protects as a stateful firewall does (RFC 6092), and Allow limits what they may
// send. With a Prefix64 it is a NAT64 (RFC 6146). What carriers do is a NAT behind
// a NAT; a restart, [Gateway.Rebind].
//
// # TCP
//
// A node that is a [Streamer] has TCP connections: [Host.Dial] and [Host.Listen].
// Segments take the same links as datagrams; what is lost is late at the other end.
//
// # What is left out
//
// There is no ICMP: a datagram larger than a link's MTU disappears, as one does
// whose error a firewall eats, unless its sender is a [Fragmenter] and lets it be
// fragmented; and a host that does not exist does not answer. TCP has no
// congestion control. There is no cross traffic except what another node sends.
package netsim
