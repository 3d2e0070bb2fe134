package sctp

import "time"

// A sendQueue holds the user's messages until they become DATA chunks: a list
// by stream, so that a stream can be reset, counted and scheduled by itself.
// Every operation takes constant time however much is queued.
type sendQueue struct {
	streams   map[uint16]*outStream // looked up by identifier, never ranged over
	scheduler scheduler
	buffered  int // bytes of all messages not yet in a DATA chunk
	free      *outMessage
}

// An outStream is the sending half of a stream.
type outStream struct {
	id uint16
	// nextMID and nextUnordered number the stream's next ordered and unordered
	// message; an SSN is the lower half of the former.
	nextMID, nextUnordered mid
	head                   *outMessage
	tail                   *outMessage
	// buffered is how many bytes of its messages are not in a DATA chunk yet.
	buffered int
	// low is the amount at or below which the user, if watched, is told that
	// buffered fell.
	low     int
	watched bool
	reset   resetState
	turn    turn // the scheduler's
}

// An outMessage is one message from Send until its last fragment is
// acknowledged.
type outMessage struct {
	stream         *outStream
	data           []byte // a buffer of ours
	cut            int    // how much of data is in DATA chunks
	chunks         int    // DATA chunks that outstanding holds
	claim          int    // of the window, as the scheduler counts it
	ppid           uint32
	mid            mid
	fsn            uint32 // of its next fragment
	unordered      bool
	abandoned      bool
	maxRetransmits int       // -1: as often as it takes
	expires        time.Time // zero: never
	next           *outMessage
}

// stream returns the stream with this identifier, new if need be.
func (q *sendQueue) stream(id uint16) *outStream {
	s := q.streams[id]
	if s == nil {
		if q.streams == nil {
			q.streams = make(map[uint16]*outStream)
		}
		s = &outStream{id: id}
		q.streams[id] = s
	}
	return s
}

// push queues a message on its stream.
func (q *sendQueue) push(m *outMessage) {
	s := m.stream
	if s.tail == nil {
		s.head = m
	} else {
		s.tail.next = m
	}
	s.tail = m
	s.buffered += len(m.data)
	q.buffered += len(m.data)
	q.scheduler.activate(s)
}

// first returns the message that the next DATA chunk is cut from, or nil. It
// drops the messages at the front that expired before anything of them was
// sent: nobody will miss their TSN or SSN. Fell is called for each stream
// whose buffered amount has fallen.
func (q *sendQueue) first(now time.Time, pool *buffers, fell func(s *outStream, before int)) *outMessage {
	for {
		s := q.scheduler.current()
		if s == nil {
			return nil
		}
		m := s.head
		if m.cut > 0 || m.expires.IsZero() || now.Before(m.expires) {
			return m
		}
		before := s.buffered
		q.drop(m, pool)
		fell(s, before)
	}
}

// cut notes that n bytes of m, which first returned, went into a DATA chunk.
func (q *sendQueue) cut(m *outMessage, n int) {
	s := m.stream
	if m.cut == 0 {
		q.scheduler.begin(m, n)
	}
	m.cut += n
	s.buffered -= n
	q.buffered -= n
	done := m.cut == len(m.data)
	if done {
		q.scheduler.finish(m, n)
		q.pop(s)
	}
	q.scheduler.served(s, n, done)
}

// drop takes the unsent rest of m, the first message of its stream, out of the
// queue. If nothing of it was sent, m ceases to exist.
func (q *sendQueue) drop(m *outMessage, pool *buffers) {
	s, rest := m.stream, len(m.data)-m.cut
	if m.cut > 0 {
		q.scheduler.finish(m, rest)
	}
	m.cut = len(m.data)
	s.buffered -= rest
	q.buffered -= rest
	q.pop(s)
	q.scheduler.passed(s)
	if m.chunks == 0 {
		q.release(m, pool)
	}
}

// pop removes the first message of s.
func (q *sendQueue) pop(s *outStream) {
	m := s.head
	s.head, m.next = m.next, nil
	if s.head == nil {
		s.tail = nil
	}
}

// message returns a message to fill in.
func (q *sendQueue) message() *outMessage {
	m := q.free
	if m == nil {
		return new(outMessage)
	}
	q.free, m.next = m.next, nil
	return m
}

// release takes back a message that is neither queued nor outstanding.
func (q *sendQueue) release(m *outMessage, pool *buffers) {
	pool.put(m.data)
	*m = outMessage{next: q.free}
	q.free = m
}

// limit drops what was queued on streams that the peer turned out not to have.
func (q *sendQueue) limit(streams uint16, pool *buffers) {
	for _, s := range q.scheduler.all() {
		if s.id < streams {
			continue
		}
		for s.head != nil {
			m := s.head
			q.drop(m, pool) // what is outstanding of it, outstanding lets go of
		}
		delete(q.streams, s.id)
	}
}

// forget drops a stream that begins anew: so would a new one.
func (q *sendQueue) forget(s *outStream) {
	if s.head == nil {
		delete(q.streams, s.id)
	}
}
