package netsim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A Node is a whole stack as the network drives it: the five verbs of a core,
// with addresses. AppendPacket appends nothing when it has nothing to send. A
// local address that is unspecified stands for the host's first of that family.
type Node interface {
	Receive(now time.Time, local, remote netip.AddrPort, packet []byte)
	Advance(now time.Time)
	AppendPacket(now time.Time, b []byte) (packet []byte, local, remote netip.AddrPort)
	NextTimeout() time.Time
}

// A Fragmenter is a Node whose packets may, at times, be fragmented on links whose
// MTU is smaller. It is asked after AppendPacket, about the packet that this
// returned. Other packets disappear there, as those do that carry the DF bit.
type Fragmenter interface {
	MayFragment() bool
}

// stuckLimit is how much may happen at one instant before a node counts as stuck.
const stuckLimit = 1_000_000

// A Network is hosts, links and NATs, and the time there. It is not safe for
// concurrent use, and needs none.
type Network struct {
	// Trace, when set, is told of every datagram that disappears, and why.
	Trace *trace.Tracer
	// Unhashed spares what Hash costs, which is much where much is sent; it is of
	// nothing then.
	Unhashed bool

	seed   uint64
	start  time.Time
	now    time.Duration // since start
	events schedule
	hosts  []*Host
	links  []*Link
	middle realm
	free   []*packet // packets to use again
	hash   hash.Hash
	drops  Drops
}

// New returns an empty network whose randomness comes from seed and whose clock
// shows start.
func New(seed uint64, start time.Time) *Network {
	n := &Network{seed: seed, start: start, hash: sha256.New()}
	n.middle = realm{net: n, at: map[netip.Addr]*Link{}}
	return n
}

// Now is what the clock shows.
func (n *Network) Now() time.Time { return n.start.Add(n.now) }

// Rand returns a source of randomness that depends on the seed and on the name
// alone: for the nodes' own randomness, and for what a test throws dice for.
func (n *Network) Rand(name string) *rand.ChaCha8 {
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], n.seed)
	return rand.NewChaCha8(sha256.Sum256(append(key[:], name...)))
}

// Hash stands for everything that was delivered to a node so far: when, from
// where, to where, and every byte.
func (n *Network) Hash() string { return hex.EncodeToString(n.hash.Sum(nil)) }

// At runs f when the clock shows t, or at once if that is past; then every host
// is drained, so f may call into the nodes.
func (n *Network) At(t time.Time, f func()) {
	n.events.push(event{at: max(n.now, t.Sub(n.start)), call: f})
}

// After runs f when d has passed, as At does.
func (n *Network) After(d time.Duration, f func()) { n.At(n.Now().Add(d), f) }

// Run lets things happen until the condition holds, and reports whether it
// does, or until limit has passed. A nil condition never holds. The condition is
// asked after everything that happens, and must only look: what changes a node
// belongs into [Network.At] or before Run.
func (n *Network) Run(until func() bool, limit time.Duration) bool {
	end := n.now + limit
	n.drainAll()
	here, steps := n.now, 0
	for until == nil || !until() {
		if !n.step(end) {
			n.now = end
			return until != nil && until()
		}
		if n.now != here {
			here, steps = n.now, 0
		}
		if steps++; steps > stuckLimit {
			panic(fmt.Sprintf("netsim: seed %d: at %v things happen without end", n.seed, n.now))
		}
	}
	return true
}

// step does the next thing that happens no later than end.
func (n *Network) step(end time.Duration) bool {
	var first *Host
	for _, h := range n.hosts {
		if h.timed && (first == nil || h.timeout < first.timeout) {
			first = h
		}
	}
	if at, ok := n.events.next(); ok && (first == nil || at <= max(first.timeout, n.now)) {
		if at > end {
			return false
		}
		e := n.events.pop()
		n.now = e.at
		if e.call != nil {
			e.call()
			n.drainAll()
		} else {
			e.link.arrive(e.packet)
		}
		return true
	}
	if first == nil || first.timeout > end {
		return false
	}
	n.now = max(n.now, first.timeout)
	first.node.Advance(n.Now())
	first.drain()
	return true
}

func (n *Network) drainAll() {
	for _, h := range n.hosts {
		h.drain()
	}
}

// A Host is a node with addresses, and its two links.
type Host struct {
	Up, Down *Link

	net     *Network
	node    Node
	realm   *realm
	addrs   []netip.Addr
	timeout time.Duration // when the node wants to be woken, if timed
	timed   bool

	conns     []*Conn
	listening map[netip.AddrPort]bool
	port      uint16 // the last ephemeral one
}

// AddHost connects a node to the middle of the network. Both its links have the
// given profile; Host.Up and Host.Down change one.
func (n *Network) AddHost(node Node, p Profile, addrs ...netip.Addr) *Host {
	return n.middle.addHost(node, p, addrs)
}

func (r *realm) addHost(node Node, p Profile, addrs []netip.Addr) *Host {
	h := &Host{net: r.net, node: node, realm: r}
	h.Up = r.net.newLink(p, r.route)
	h.Down = r.net.newLink(p, h.receive)
	for _, a := range addrs {
		h.AddAddress(a)
	}
	r.net.hosts = append(r.net.hosts, h)
	return h
}

// AddAddress gives the host another address.
func (h *Host) AddAddress(a netip.Addr) {
	h.realm.claim(a, h.Down)
	h.addrs = append(h.addrs, a)
}

// RemoveAddress takes an address from the host: what is sent to it or from it
// disappears.
func (h *Host) RemoveAddress(a netip.Addr) {
	i := slices.Index(h.addrs, a)
	if i < 0 {
		panic(fmt.Sprintf("netsim: the host does not have the address %v", a))
	}
	h.addrs = slices.Delete(h.addrs, i, i+1)
	h.realm.release(a)
}

// Addresses returns the host's addresses.
func (h *Host) Addresses() []netip.Addr { return slices.Clone(h.addrs) }

// drain sends what the node has to send, and notes when to wake it.
func (h *Host) drain() {
	now := h.net.Now()
	for range stuckLimit {
		p := h.net.get()
		b, local, remote := h.node.AppendPacket(now, p.bytes[:0])
		if len(b) == 0 {
			h.net.put(p)
			t := h.node.NextTimeout()
			h.timed, h.timeout = !t.IsZero(), t.Sub(h.net.start)
			return
		}
		p.bytes, p.from, p.to = b, h.source(local, remote), remote
		if !p.from.IsValid() {
			h.net.drop(&h.net.drops.NoRoute, "not sent from an address of its host", p)
			continue
		}
		f, ok := h.node.(Fragmenter)
		p.mayFragment = ok && f.MayFragment()
		h.Up.send(p)
	}
	panic(fmt.Sprintf("netsim: seed %d: at %v a node has packets without end", h.net.seed, h.net.now))
}

// source is the address that a packet is sent from: invalid if the host does
// not have it.
func (h *Host) source(local, remote netip.AddrPort) netip.AddrPort {
	for _, a := range h.addrs {
		if a == local.Addr() || local.Addr().IsUnspecified() && a.Is4() == remote.Addr().Is4() {
			return netip.AddrPortFrom(a, local.Port())
		}
	}
	return netip.AddrPort{}
}

// receive hands a packet that came down to the node.
func (h *Host) receive(p *packet) {
	if !slices.Contains(h.addrs, p.to.Addr()) { // removed while the packet was under way
		h.net.drop(&h.net.drops.NoRoute, "the address is gone", p)
		return
	}
	if !h.net.Unhashed {
		h.net.record(p)
	}
	if p.protocol == TCP {
		h.receiveSegment(p)
		h.net.put(p)
		h.drain()
		return
	}
	h.node.Receive(h.net.Now(), p.to, p.from, p.bytes)
	// What a node keeps of borrowed bytes is overwritten in the shell too.
	clear(p.bytes)
	h.net.put(p)
	h.drain()
}

// record adds a delivery to the hash.
func (n *Network) record(p *packet) {
	b := binary.BigEndian.AppendUint64(p.head[:0], uint64(n.now))
	for _, a := range [...]netip.AddrPort{p.from, p.to} {
		addr := a.Addr().As16()
		b = append(b, addr[:]...)
		b = binary.BigEndian.AppendUint16(b, a.Port())
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.bytes)))
	if s := p.segment; p.protocol == TCP {
		b = append(b, byte(s.flags))
		b = binary.BigEndian.AppendUint64(b, uint64(s.seq))
		b = binary.BigEndian.AppendUint64(b, uint64(s.ack))
	}
	n.hash.Write(b)
	n.hash.Write(p.bytes)
}

// Drops counts the datagrams that disappeared elsewhere than on a link.
type Drops struct {
	NoRoute   int // nobody has the address they were sent to or from
	Filtered  int // a NAT did not let them in
	NoMapping int // a NAT had no port left, or no hairpin
}

// Drops counts the datagrams that disappeared elsewhere than on a link.
func (n *Network) Drops() Drops { return n.drops }

// Counters is the sum over all links.
func (n *Network) Counters() Counters {
	var sum Counters
	for _, l := range n.links {
		sum.add(l.counters)
	}
	return sum
}

// drop lets a packet disappear.
func (n *Network) drop(counter *int, why string, p *packet) {
	*counter++
	if n.Trace != nil {
		n.Trace.Drop(n.Now(), trace.UDP, fmt.Sprintf("%s: %v → %v", why, p.from, p.to), len(p.bytes))
	}
	n.put(p)
}
