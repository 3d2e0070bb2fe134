package sctp

import "github.com/plainrtc/plainrtc/internal/serial"

// A delivery brings whole messages into the order that the user asked for and
// keeps them until the user takes them (RFC 9260, Section 6.6): an unordered
// message at once, an ordered one after those with lower SSNs on its stream.
type delivery struct {
	// next is the SSN to deliver next, by stream; it ends at the highest stream
	// that got an ordered message.
	next []serial.Number16
	// waiting holds messages that came before their turn; a stream without any
	// is not in it. It is only ever looked up, never ranged over.
	waiting map[uint16]*waitingList
	ready   messageList
	free    *inMessage
}

// An inMessage is a whole message on its way to the user.
type inMessage struct {
	data dataChunk // of its first fragment, with the whole payload, in a buffer of ours
	next *inMessage
}

type messageList struct{ head, tail *inMessage }

func (l *messageList) push(m *inMessage) {
	m.next = nil
	if l.tail == nil {
		l.head = m
	} else {
		l.tail.next = m
	}
	l.tail = m
}

func (l *messageList) pop() *inMessage {
	m := l.head
	if m != nil {
		l.head = m.next
		if l.head == nil {
			l.tail = nil
		}
		m.next = nil
	}
	return m
}

// A waitingList is one stream's early messages, by SSN.
type waitingList struct{ messageList }

// insert puts m in its place, looking from the front only when m does not
// belong at the end, where it nearly always does. It refuses a second message
// of the same SSN.
func (l *waitingList) insert(m *inMessage) bool {
	switch {
	case l.tail == nil || l.tail.data.ssn.Before(m.data.ssn):
		l.push(m)
		return true
	case m.data.ssn.Before(l.head.data.ssn):
		m.next, l.head = l.head, m
		return true
	}
	p := l.head
	for p.next != nil && p.next.data.ssn.AtMost(m.data.ssn) {
		p = p.next
	}
	if p.data.ssn == m.data.ssn {
		return false
	}
	m.next, p.next = p.next, m
	return true
}

// add takes a whole message; it refuses an ordered one whose SSN was delivered
// before or is waiting already.
func (d *delivery) add(data dataChunk) bool {
	if data.flags&flagUnordered != 0 {
		d.ready.push(d.message(data))
		return true
	}
	next := d.expected(data.stream)
	switch {
	case data.ssn == *next:
		*next++
		d.ready.push(d.message(data))
		if len(d.waiting) > 0 {
			d.drain(data.stream, next)
		}
		return true
	case data.ssn.Before(*next):
		return false
	}
	list := d.waiting[data.stream]
	if list == nil {
		if d.waiting == nil {
			d.waiting = make(map[uint16]*waitingList)
		}
		list = new(waitingList)
		d.waiting[data.stream] = list
	}
	m := d.message(data)
	if !list.insert(m) {
		d.release(m)
		return false
	}
	return true
}

// expected is where stream's next SSN stands.
func (d *delivery) expected(stream uint16) *serial.Number16 {
	if n := int(stream) + 1; n > len(d.next) {
		d.next = append(d.next, make([]serial.Number16, n-len(d.next))...)
	}
	return &d.next[stream]
}

// drain makes the messages ready whose turn has come.
func (d *delivery) drain(stream uint16, next *serial.Number16) {
	list := d.waiting[stream]
	if list == nil {
		return
	}
	for list.head != nil && list.head.data.ssn.AtMost(*next) {
		m := list.pop()
		*next = m.data.ssn + 1
		d.ready.push(m)
	}
	if list.head == nil {
		delete(d.waiting, stream)
	}
}

// forward skips the SSNs that the peer gave up, each stream's last one, and
// delivers what waited for them: RFC 3758, Section 3.6. What did arrive of the
// skipped ones is whole and in order, and is delivered too.
func (d *delivery) forward(skipped skippedStreams, streams uint16) {
	for i := range skipped.len() {
		stream, last := skipped.at(i)
		if stream >= streams {
			continue
		}
		next := d.expected(stream)
		if last.Before(*next) {
			continue
		}
		list := d.waiting[stream]
		for list != nil && list.head != nil && list.head.data.ssn.AtMost(last) {
			d.ready.push(list.pop())
		}
		*next = last + 1
		d.drain(stream, next)
	}
}

// resetStream makes stream begin again at SSN zero (RFC 6525, Section 5.2.2).
// What still waits can never be completed by what was skipped and is dropped
// by the caller.
func (d *delivery) resetStream(stream uint16, drop func([]byte)) {
	if int(stream) < len(d.next) {
		d.next[stream] = 0
	}
	if list := d.waiting[stream]; list != nil {
		for m := list.pop(); m != nil; m = list.pop() {
			drop(m.data.payload)
			d.release(m)
		}
		delete(d.waiting, stream)
	}
}

// resetAll makes every stream begin again; messages that are ready stay.
func (d *delivery) resetAll(drop func([]byte)) {
	// The map's order does not show: dropped buffers are all alike.
	for _, list := range d.waiting {
		for m := list.pop(); m != nil; m = list.pop() {
			drop(m.data.payload)
			d.release(m)
		}
	}
	d.waiting, d.next = nil, nil
}

// take returns the next message for the user.
func (d *delivery) take() (dataChunk, bool) {
	m := d.ready.pop()
	if m == nil {
		return dataChunk{}, false
	}
	data := m.data
	d.release(m)
	return data, true
}

func (d *delivery) message(data dataChunk) *inMessage {
	m := d.free
	if m == nil {
		return &inMessage{data: data}
	}
	d.free = m.next
	m.data, m.next = data, nil
	return m
}

func (d *delivery) release(m *inMessage) {
	m.data = dataChunk{}
	m.next, d.free = d.free, m
}

// shrink gives back what an idle delivery does not need.
func (d *delivery) shrink() { d.free = nil }
