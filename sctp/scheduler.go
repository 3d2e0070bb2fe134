package sctp

// A scheduler says which stream's message comes next (RFC 8260, Section 3.1
// calls this one round-robin): each stream with something to send gets one
// message in turn.
//
// Once a message has begun its stream stays the current one, because the
// fragments of a message must have consecutive TSNs (RFC 9260, Section 6.9).
type scheduler struct {
	// last is the last stream of a circle whose next one is the current one.
	last *outStream
}

// activate enters s, which has something to send.
func (c *scheduler) activate(s *outStream) {
	if s.scheduled || s.head == nil {
		return
	}
	s.scheduled = true
	if c.last == nil {
		s.next = s
	} else {
		s.next, c.last.next = c.last.next, s
	}
	c.last = s
}

// current is the stream to serve, or nil.
func (c *scheduler) current() *outStream {
	if c.last == nil {
		return nil
	}
	return c.last.next
}

// served notes that the current stream's first message is done with, and
// passes on to the next stream.
func (c *scheduler) served(s *outStream) {
	if c.current() != s {
		panic("BUG: the scheduler serves another stream")
	}
	if s.head != nil {
		c.last = s
		return
	}
	if s.next == s {
		c.last = nil
	} else {
		c.last.next = s.next
	}
	s.scheduled, s.next = false, nil
}
