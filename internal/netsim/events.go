package netsim

import (
	"net/netip"
	"time"
)

// A packet is a datagram, or a segment of TCP, on its way.
type packet struct {
	protocol Protocol
	from, to netip.AddrPort
	bytes    []byte
	segment  segment // of TCP
	// mayFragment is false for what carries the DF bit.
	mayFragment bool
	head        [65]byte // scratch for the hash
}

// packetSize is the memory a packet starts with: more than any that the
// Internet carries whole.
const packetSize = 2048

// get takes a packet from those used before.
func (n *Network) get() *packet {
	if len(n.free) == 0 {
		return &packet{bytes: make([]byte, 0, packetSize)}
	}
	p := n.free[len(n.free)-1]
	n.free = n.free[:len(n.free)-1]
	p.protocol, p.mayFragment = UDP, false
	return p
}

// put gives a packet back.
func (n *Network) put(p *packet) { n.free = append(n.free, p) }

// copyOf returns a second packet like p.
func (n *Network) copyOf(p *packet) *packet {
	c := n.get()
	c.from, c.to, c.bytes = p.from, p.to, append(c.bytes[:0], p.bytes...)
	c.protocol, c.segment, c.mayFragment = p.protocol, p.segment, p.mayFragment
	return c
}

// An event is a packet that arrives at the end of a link, or a scripted call.
type event struct {
	at     time.Duration
	order  uint64 // of those at the same time, the one entered first comes first
	packet *packet
	link   *Link
	call   func()
}

func (e *event) before(f *event) bool {
	return e.at < f.at || e.at == f.at && e.order < f.order
}

// A schedule is a heap of the events to come. It does not use container/heap,
// which allocates for every event.
type schedule struct {
	heap    []event
	entered uint64
}

// next is the time of the next event.
func (s *schedule) next() (at time.Duration, ok bool) {
	if len(s.heap) == 0 {
		return 0, false
	}
	return s.heap[0].at, true
}

func (s *schedule) push(e event) {
	s.entered++
	e.order = s.entered
	s.heap = append(s.heap, e)
	i := len(s.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !s.heap[i].before(&s.heap[parent]) {
			break
		}
		s.heap[i], s.heap[parent] = s.heap[parent], s.heap[i]
		i = parent
	}
}

func (s *schedule) pop() event {
	first, last := s.heap[0], len(s.heap)-1
	s.heap[0] = s.heap[last]
	s.heap[last] = event{} // lets go of its packet
	s.heap = s.heap[:last]
	i := 0
	for {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && s.heap[child+1].before(&s.heap[child]) {
			child++
		}
		if !s.heap[child].before(&s.heap[i]) {
			return first
		}
		s.heap[i], s.heap[child] = s.heap[child], s.heap[i]
		i = child
	}
}
