package natlab

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/stun"
	"github.com/plainrtc/plainrtc/turn"
)

var start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// A world is two hosts at their places, and the server.
type world struct {
	*netsim.Network
	rtt   time.Duration
	hosts [2]place
	log   *[]string // nil: nobody wants to know
}

// signalling is how long a description or a candidate is under way.
func (w *world) signalling() time.Duration { return w.rtt / 2 }

// A place is where a host is.
type place struct {
	topology Topology
	addrs    []netip.AddrPort
	boxes    []*netsim.Gateway // as in the topology
	shared   bool              // its last box is that of the other one
}

// newWorld builds the network without any node.
func newWorld(e Experiment, log *[]string) *world {
	w := &world{Network: netsim.New(e.Seed, start), rtt: e.rtt(), log: log}
	w.Unhashed = true
	if log != nil {
		w.Network.Trace = trace.New(&facts{w, "network"}, "")
	}
	for i, t := range []Topology{e.From, e.To} {
		w.hosts[i] = place{topology: t, shared: i == 1 && t.Shared && e.From.Name == t.Name}
	}
	return w
}

// add puts a node at one of the two places. The distance is between the box next to
// the host, or the host if there is none, and everybody else.
func (w *world) add(i int, n netsim.Node) *netsim.Host {
	p := &w.hosts[i]
	t := &p.topology
	link := netsim.Profile{Delay: w.rtt / 4}
	p.boxes = make([]*netsim.Gateway, len(t.Boxes))
	last := len(t.Boxes) - 1
	if p.shared {
		p.boxes[last] = w.hosts[0].boxes[last]
	}
	for b := last; b >= 0; b-- {
		if p.boxes[b] != nil {
			continue
		}
		nat := t.Boxes[b].NAT
		nat.Routed = t.Boxes[b].routed()
		var addrs []netip.Addr
		switch {
		case t.Boxes[b].Firewall:
		case b == last:
			addrs = append(addrs, netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + i)}))
		default:
			addrs = append(addrs, netip.AddrFrom4([4]byte{100, 64, byte(i), 1}))
		}
		here := netsim.Profile{}
		if b == 0 {
			here = link
		}
		if b == last {
			p.boxes[b] = w.AddNAT(nat, here, addrs...)
		} else {
			p.boxes[b] = p.boxes[b+1].AddNAT(nat, here, addrs...)
		}
	}
	var addrs []netip.Addr
	port := uint16(5000 + i)
	if t.IPv4 {
		addr := netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + i)})
		if t.translates() {
			// Homes have the same addresses, unless both are in one.
			addr = netip.AddrFrom4([4]byte{192, 168, 1, 2})
			if p.shared && last == 0 {
				addr = addr.Next()
			}
		}
		addrs = append(addrs, addr)
	}
	if t.IPv6 {
		addrs = append(addrs, netip.MustParseAddr(fmt.Sprintf("2001:db8:%d::2", 1+i)))
	}
	for _, addr := range addrs {
		p.addrs = append(p.addrs, netip.AddrPortFrom(addr, port))
	}
	if last < 0 {
		return w.AddHost(n, link, addrs...)
	}
	return p.boxes[0].AddHost(n, netsim.Profile{}, addrs...)
}

// tell writes a line of the log.
func (w *world) tell(now time.Time, who, what, text string) {
	if w.log != nil {
		*w.log = append(*w.log, fmt.Sprintf("%7.1f ms  %-7s %-9s %s", float64(now.Sub(start).Microseconds())/1000, who, what, text))
	}
}

// note writes a message that is sent.
func (w *world) note(now time.Time, who, what string, from, to netip.AddrPort, b []byte) {
	if w.log != nil {
		w.tell(now, who, what, fmt.Sprintf("%v → %v  %s", from, to, describe(b)))
	}
}

// describe says what a datagram is.
func describe(b []byte) string {
	if turn.IsChannelData(b) && len(b) > 4 {
		return "ChannelData: " + describe(b[4:])
	}
	m, err := stun.Parse(b)
	if err != nil {
		return fmt.Sprintf("%d bytes", len(b))
	}
	text := m.Type().String()
	if m.Has(stun.AttrUseCandidate) {
		text += " USE-CANDIDATE"
	}
	if code, _, ok := m.ErrorCode(); ok {
		text += fmt.Sprintf(" %d", int(code))
	}
	if a, ok := m.XORMappedAddress(); ok {
		text += " XOR-MAPPED-ADDRESS=" + a.String()
	}
	for t, value := range m.Attributes() {
		if t == stun.AttrData {
			text += ": " + describe(value)
		}
	}
	return text
}

// facts writes what cores and the network tell into the log.
type facts struct {
	world *world
	who   string
}

func (f *facts) Trace(e *trace.Event) {
	switch e.Kind {
	case trace.KindDrop:
		f.world.tell(e.Time, f.who, "drops", e.Text)
	case trace.KindNote:
		if e.Layer == trace.ICE && !strings.HasPrefix(e.Text, "selected path") {
			f.world.tell(e.Time, f.who, "notes", e.Text)
		}
	}
}
