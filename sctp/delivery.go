package sctp

// A delivery brings whole messages into the order that the user asked for and
// keeps them until the user takes them (RFC 9260, Section 6.6): an unordered
// message at once, an ordered one after those before it on its stream.
//
// Messages are counted by 32 bits, as I-DATA chunks do. An SSN is the lower half
// of that count.
type delivery struct {
	// next is the number of the message to deliver next, by stream; it ends at
	// the highest stream that got an ordered message.
	next []mid
	// waiting holds messages that came before their turn; a stream without any
	// is not in it. It is only ever looked up, never ranged over.
	waiting map[uint16]*waitingList
	ready   messageList
	free    *inMessage
	// paused: the peer restarted, and the user has not been told yet: before is how
	// many messages of before that are left, and those behind them wait.
	paused bool
	before int
}

// An inMessage is a whole message on its way to the user.
type inMessage struct {
	// data is of its first fragment, with the whole payload, in a buffer of
	// ours; mid is set whatever the kind of chunk.
	data dataChunk
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

// A waitingList is one stream's early messages, by number.
type waitingList struct{ messageList }

// insert puts m in its place, looking from the front only when m does not
// belong at the end, where it nearly always does. It refuses a second message
// of the same number.
func (l *waitingList) insert(m *inMessage) bool {
	switch {
	case l.tail == nil || l.tail.data.mid.Before(m.data.mid):
		l.push(m)
		return true
	case m.data.mid.Before(l.head.data.mid):
		m.next, l.head = l.head, m
		return true
	}
	p := l.head
	for p.next != nil && p.next.data.mid.AtMost(m.data.mid) {
		p = p.next
	}
	if p.data.mid == m.data.mid {
		return false
	}
	m.next, p.next = p.next, m
	return true
}

// add takes a whole message; it refuses an ordered one that was delivered before or
// is waiting already.
func (d *delivery) add(data dataChunk) bool {
	if data.flags&flagUnordered != 0 {
		d.ready.push(d.message(data))
		return true
	}
	next := d.expected(data.stream)
	if !data.interleaved {
		data.mid = unwrap(data.ssn, *next)
	}
	switch {
	case data.mid == *next:
		*next++
		d.ready.push(d.message(data))
		if len(d.waiting) > 0 {
			d.drain(data.stream, next)
		}
		return true
	case data.mid.Before(*next):
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

// unwrap is the number, nearest to the next one, whose lower half is an SSN.
func unwrap(n ssn, next mid) mid { return next + mid(int32(n.Distance(ssn(next)))) }

// late reports whether an ordered message of an I-DATA chunk was delivered or
// given up before.
func (d *delivery) late(data *dataChunk) bool {
	return int(data.stream) < len(d.next) && data.mid.Before(d.next[data.stream])
}

// expected is where the number of stream's next message stands.
func (d *delivery) expected(stream uint16) *mid {
	if n := int(stream) + 1; n > len(d.next) {
		d.next = append(d.next, make([]mid, n-len(d.next))...)
	}
	return &d.next[stream]
}

// drain makes the messages ready whose turn has come.
func (d *delivery) drain(stream uint16, next *mid) {
	list := d.waiting[stream]
	if list == nil {
		return
	}
	for list.head != nil && list.head.data.mid.AtMost(*next) {
		m := list.pop()
		*next = m.data.mid + 1
		d.ready.push(m)
	}
	if list.head == nil {
		delete(d.waiting, stream)
	}
}

// skip passes over the messages that the peer gave up on a stream, up to last,
// and delivers what waited for them: RFC 3758, Section 3.6. What did arrive of
// the skipped ones is whole and in order, and is delivered too.
func (d *delivery) skip(stream uint16, last mid) {
	next := d.expected(stream)
	if last.Before(*next) {
		return
	}
	list := d.waiting[stream]
	for list != nil && list.head != nil && list.head.data.mid.AtMost(last) {
		d.ready.push(list.pop())
	}
	*next = last + 1
	d.drain(stream, next)
}

// resetStream makes stream begin again at zero (RFC 6525, Section 5.2.2).
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

// pause keeps messages that come from now on until resume.
func (d *delivery) pause() {
	if d.paused {
		return
	}
	d.paused, d.before = true, 0
	for m := d.ready.head; m != nil; m = m.next {
		d.before++
	}
}

func (d *delivery) resume() { d.paused = false }

// take returns the next message for the user.
func (d *delivery) take() (dataChunk, bool) {
	if d.paused {
		if d.before == 0 {
			return dataChunk{}, false
		}
		d.before--
	}
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
