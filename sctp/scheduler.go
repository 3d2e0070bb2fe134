package sctp

import "slices"

// A SchedulingPolicy says how streams share the association (RFC 8260, Section
// 3). The data channels of WebRTC have priorities, for which RFC 8831, Section
// 6.4 wants weighted fair queueing.
type SchedulingPolicy uint8

// The policies.
const (
	// WeightedFairQueueing gives each stream bytes in proportion to its priority
	// (Section 3.6). Streams of one priority get equal shares.
	WeightedFairQueueing SchedulingPolicy = iota
	// RoundRobin gives each stream a message in turn, or a packet if messages are
	// interleaved (Sections 3.2 and 3.3).
	RoundRobin
	// StrictPriority gives a stream nothing while one of higher priority has
	// something to send; equal ones take turns (Section 3.4).
	StrictPriority
)

// DefaultPriority is a stream's priority until SetStreamPriority: what RFC 8831
// calls low.
const DefaultPriority = 256

// A scheduler says which stream the next chunk is cut from.
//
// It is a queue of the streams that have something to send, ordered by start
// tags: a stream's tag grows with what it has been served, divided by its
// weight, and the lowest is served next (start-time fair queueing). A stream
// that had nothing to send starts again at the tag in service, so that silence
// saves nothing up. With a cost of one a turn, the same is round-robin.
type scheduler struct {
	policy SchedulingPolicy
	// interleaved: any stream may be next. Otherwise, once a message has begun,
	// its stream goes on, because the fragments of a message must have
	// consecutive TSNs (RFC 9260, Section 6.9).
	interleaved bool
	begun       *outStream // without interleaving: the stream of the message that has begun

	heap  []*outStream // a heap by before
	tag   uint64       // the start tag that was served last
	count uint64       // streams that were activated: breaks ties

	// Unfinished messages take room at the peer, and if it is full of nothing
	// else nothing more can be finished. So new ones begin only while all fit into
	// window, the half of what the peer offered, or a single one into the whole of
	// it; those of a single packet always.
	window, packet int
	open           int          // bytes of the messages that have begun
	held           []*outStream // that wait for another message to be finished
	// The stream that has been held for longest, and how many bytes others have sent
	// since: after a window of them nothing begins before it but single packets.
	first  *outStream
	passes int
	// hold: no message begins at all.
	hold bool
}

// A turn is a stream's place in the scheduler.
type turn struct {
	weight uint16 // its priority; zero: DefaultPriority
	in     bool   // in the heap, at index
	held   bool   // in held
	index  int
	tag    uint64
	order  uint64
}

func (t *turn) priority() uint16 {
	if t.weight == 0 {
		return DefaultPriority
	}
	return t.weight
}

// before reports whether s is served before t.
func (c *scheduler) before(s, t *outStream) bool {
	if p, q := s.turn.priority(), t.turn.priority(); c.policy == StrictPriority && p != q {
		return p > q
	}
	if s.turn.tag != t.turn.tag {
		return s.turn.tag < t.turn.tag
	}
	return s.turn.order < t.turn.order
}

// activate enters s, which has something to send.
func (c *scheduler) activate(s *outStream) {
	if s.turn.in || s.turn.held || s.head == nil {
		return
	}
	s.turn.tag = max(s.turn.tag, c.tag)
	s.turn.order = c.count
	c.count++
	c.push(s)
}

// current is the stream to serve, or nil.
func (c *scheduler) current() *outStream {
	if c.begun != nil {
		return c.begun
	}
	for len(c.heap) > 0 {
		s := c.heap[0]
		if c.admits(s.head) {
			return s
		}
		c.remove(s)
		s.turn.held = true
		c.held = append(c.held, s)
		if c.first == nil {
			c.first, c.passes = s, 0
		}
	}
	return nil
}

// admits reports whether m may begin, or go on.
func (c *scheduler) admits(m *outMessage) bool {
	if c.hold && m.cut == 0 {
		return false
	}
	if !c.interleaved || m.cut > 0 || len(m.data) <= c.packet || c.open == 0 {
		return true
	}
	if c.first != nil && c.first != m.stream && c.passes > c.window {
		return false
	}
	room := c.window - c.open
	if len(m.data) <= c.window/8 {
		room += c.window / 2 // what the long ones have not got, so that they don't hold up all others
	}
	return len(m.data) <= room
}

// begin notes that the first n bytes of m are sent, finish that the last n are,
// or were dropped.
func (c *scheduler) begin(m *outMessage, n int) {
	if c.first == m.stream {
		c.first = nil
	}
	if n < len(m.data) {
		if m.claim = len(m.data); m.claim > 2*c.window {
			m.claim = c.window / 2 // it does not fit anyway, and short ones shall go beside it
		}
		c.open += m.claim
		if !c.interleaved {
			c.begun = m.stream
		}
	}
}

func (c *scheduler) finish(m *outMessage, n int) {
	if n == len(m.data) {
		return
	}
	c.open -= m.claim
	c.begun = nil
	c.retry()
}

// resume ends a hold.
func (c *scheduler) resume() {
	c.hold = false
	c.retry()
}

// retry lets streams that were held try again.
func (c *scheduler) retry() {
	for _, s := range c.held {
		s.turn.held = false
		c.push(s)
	}
	clear(c.held)
	c.held = c.held[:0]
}

// served notes that n bytes of s were sent; done: the last of a message.
func (c *scheduler) served(s *outStream, n int, done bool) {
	c.tag = s.turn.tag
	if c.first != nil {
		c.passes += n
	}
	switch {
	case c.policy == WeightedFairQueueing:
		s.turn.tag += uint64(n) << 16 / uint64(s.turn.priority())
	case c.interleaved || done:
		s.turn.tag++
	}
	c.passed(s)
}

// passed takes s to where it now belongs.
func (c *scheduler) passed(s *outStream) {
	if s.head == nil && c.first == s {
		c.first = nil
	}
	switch {
	case s.head == nil && s.turn.held:
		s.turn.held = false
		c.held = slices.DeleteFunc(c.held, func(h *outStream) bool { return h == s })
	case s.head == nil && s.turn.in:
		c.remove(s)
	case s.turn.in:
		c.fix(s.turn.index)
	}
}

// prioritize gives s a priority.
func (c *scheduler) prioritize(s *outStream, priority uint16) {
	s.turn.weight = priority
	if s.turn.in {
		c.fix(s.turn.index)
	}
}

// all returns the streams that have something to send.
func (c *scheduler) all() []*outStream { return slices.Concat(c.heap, c.held) }

// The heap.

func (c *scheduler) push(s *outStream) {
	s.turn.in, s.turn.index = true, len(c.heap)
	c.heap = append(c.heap, s)
	c.fix(s.turn.index)
}

func (c *scheduler) remove(s *outStream) {
	i, last := s.turn.index, len(c.heap)-1
	c.swap(i, last)
	c.heap[last] = nil
	c.heap = c.heap[:last]
	s.turn.in = false
	if i < last {
		c.fix(i)
	}
}

func (c *scheduler) swap(i, j int) {
	c.heap[i], c.heap[j] = c.heap[j], c.heap[i]
	c.heap[i].turn.index, c.heap[j].turn.index = i, j
}

// fix moves the stream at i up or down to its place.
func (c *scheduler) fix(i int) {
	for i > 0 && c.before(c.heap[i], c.heap[(i-1)/2]) {
		c.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		child := 2*i + 1
		if child >= len(c.heap) {
			return
		}
		if child+1 < len(c.heap) && c.before(c.heap[child+1], c.heap[child]) {
			child++
		}
		if !c.before(c.heap[child], c.heap[i]) {
			return
		}
		c.swap(i, child)
		i = child
	}
}
