package sctp

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A modelSender is the send queue and the outstanding data as anybody would write
// them who has time: lists that are walked from end to end. FuzzSender does the
// same to both and compares them after each step.
type modelSender struct {
	queued map[uint16][]*modelMessage
	next   tsn
	cum    tsn
	chunks []*modelChunk // outstanding, by TSN
	// numbers of the streams' next messages, ordered and unordered
	mids     map[uint16]*[2]mid
	begun    *modelMessage // without interleaving: the one that goes on
	released int           // messages that are over
	partial  bool
}

type modelMessage struct {
	stream    uint16
	data      []byte
	cut       int
	fsn       uint32
	mid       mid
	unordered bool
	limit     int // -1: none
	expires   time.Time
	abandoned bool
	left      int // chunks that are outstanding
	over      bool
}

type modelChunk struct {
	tsn      tsn
	m        *modelMessage
	at, size int
	fsn      uint32
	tries    int
	state    chunkState
}

// settle counts the messages that are over, of which something was sent.
func (s *modelSender) settle(m *modelMessage) {
	if m.fsn > 0 && m.left == 0 && m.cut == len(m.data) && !m.over {
		m.over = true
		s.released++
	}
}

// expire drops messages at the front of their queues whose time ran out before
// anything of them was sent.
func (s *modelSender) expire(now time.Time, id uint16) {
	for q := s.queued[id]; len(q) > 0 && q[0].cut == 0 && !q[0].expires.IsZero() && !now.Before(q[0].expires); q = s.queued[id] {
		s.queued[id] = q[1:]
	}
}

// abandon gives up a message.
func (s *modelSender) abandon(m *modelMessage) {
	m.abandoned = true
	for _, c := range s.chunks {
		if c.m == m {
			c.state = chunkAbandoned
		}
	}
	if m.cut < len(m.data) {
		// A TSN stands for the rest.
		s.chunks = append(s.chunks, &modelChunk{tsn: s.next, m: m, state: chunkAbandoned})
		s.next++
		m.left++
		m.cut = len(m.data)
		s.queued[m.stream] = s.queued[m.stream][1:]
		if s.begun == m {
			s.begun = nil
		}
	}
}

// worth reports whether a chunk may be sent again.
func (s *modelSender) worth(now time.Time, c *modelChunk) bool {
	return !s.partial || !(c.m.limit >= 0 && c.tries > c.m.limit) && (c.m.expires.IsZero() || now.Before(c.m.expires))
}

// timeout is T3-rtx. If nothing is left but what gap ack blocks acknowledged, the
// peer has thrown that away.
func (s *modelSender) timeout(now time.Time) {
	if !slices.ContainsFunc(s.chunks, func(c *modelChunk) bool { return c.state == chunkInFlight || c.state == chunkMarked }) {
		for _, c := range s.chunks {
			if c.state == chunkAcked {
				c.state = chunkInFlight
			}
		}
	}
	for _, c := range slices.Clone(s.chunks) {
		if c.state != chunkInFlight {
			continue
		}
		if s.worth(now, c) {
			c.state = chunkMarked
		} else {
			s.abandon(c.m)
		}
	}
}

// ack takes what a SACK says: everything up to cum, and more.
func (s *modelSender) ack(cum tsn, more map[tsn]bool) (bytes int) {
	var rest []*modelChunk
	for _, c := range s.chunks {
		switch {
		case c.tsn.AtMost(cum):
			if c.state == chunkInFlight || c.state == chunkMarked {
				bytes += c.size
			}
			c.m.left--
			s.settle(c.m)
			continue
		case more[c.tsn] && c.state != chunkAbandoned:
			if c.state != chunkAcked {
				bytes += c.size
			}
			c.state = chunkAcked
		}
		rest = append(rest, c)
	}
	s.chunks, s.cum = rest, cum
	return bytes
}

// sent takes a chunk that the sender built, and says what is wrong with it.
func (s *modelSender) sent(now time.Time, d *dataChunk, interleaved bool) string {
	c := s.lost(now)
	if d.tsn == s.next {
		if c != nil {
			return "new data leaves before what was lost"
		}
		s.expire(now, d.stream)
		q := s.queued[d.stream]
		switch {
		case len(q) == 0:
			return "nothing is queued on the stream"
		case !interleaved && s.begun != nil && s.begun != q[0]:
			return "another message had begun"
		}
		m := q[0]
		c = &modelChunk{tsn: s.next, m: m, at: m.cut, size: len(d.payload), fsn: m.fsn, tries: 1}
		if m.cut == 0 {
			n := s.mids[m.stream]
			if n == nil {
				n = new([2]mid)
				s.mids[m.stream] = n
			}
			k := 0
			if m.unordered {
				k = 1
			}
			m.mid = n[k]
			n[k]++
		}
		m.fsn++
		m.left++
		m.cut += c.size
		s.begun = m
		if m.cut == len(m.data) {
			s.queued[m.stream], s.begun = q[1:], nil
		}
		s.chunks = append(s.chunks, c)
		s.next++
	} else {
		if c == nil || c.tsn != d.tsn {
			return "it is not the first that was lost"
		}
		c.state = chunkInFlight
		c.tries++
	}
	m := c.m
	flags := uint8(0)
	if c.at == 0 {
		flags |= flagBegin
	}
	if c.at+c.size == len(m.data) {
		flags |= flagEnd
	}
	if m.unordered {
		flags |= flagUnordered
	}
	switch {
	case d.flags&^flagImmediate != flags:
		return "its flags are others"
	case d.stream != m.stream || !bytes.Equal(d.payload, m.data[c.at:c.at+c.size]):
		return "it is of other data"
	case interleaved && (d.mid != m.mid || c.at > 0 && d.fsn != c.fsn):
		return "its MID or FSN is another"
	case !interleaved && !m.unordered && d.ssn != ssn(m.mid):
		return "its SSN is another"
	}
	return ""
}

// lost is the first chunk that is to be sent again. What stands before it and came
// too late is given up.
func (s *modelSender) lost(now time.Time) *modelChunk {
	for _, c := range slices.Clone(s.chunks) {
		if c.state != chunkMarked {
			continue
		}
		if !s.partial || c.m.expires.IsZero() || now.Before(c.m.expires) {
			return c
		}
		s.abandon(c.m)
	}
	return nil
}

func (s *modelSender) buffered(id uint16) (n int) {
	for _, m := range s.queued[id] {
		n += len(m.data) - m.cut
	}
	return n
}

// compare says where the sender differs.
func (s *modelSender) compare(t *testing.T, now time.Time, a *Association, released int) {
	t.Helper()
	o := &a.send.out
	payload, marked, acked := 0, 0, 0
	for i, c := range s.chunks {
		switch c.state {
		case chunkInFlight:
			payload += c.size
		case chunkMarked:
			marked++
		case chunkAcked:
			acked++
		}
		if i < o.len() && o.at(c.tsn).state != c.state {
			t.Fatalf("TSN %d is in state %d, want %d", c.tsn, o.at(c.tsn).state, c.state)
		}
	}
	if o.cum != s.cum || o.next != s.next || o.payload != payload || o.marked != marked || o.gapAcks != acked {
		t.Fatalf("cum %d, next %d, payload %d, marked %d, gap acks %d; want %d, %d, %d, %d, %d",
			o.cum, o.next, o.payload, o.marked, o.gapAcks, s.cum, s.next, payload, marked, acked)
	}
	buffered := 0
	for id := range uint16(4) {
		n, got := s.buffered(id), a.BufferedAmount(id)
		if n != got {
			s.expire(now, id) // the scheduler came by
			n = s.buffered(id)
		}
		if got != n {
			t.Fatalf("stream %d has %d bytes buffered, want %d", id, got, n)
		}
		buffered += n
	}
	if a.Buffered() != buffered {
		t.Fatalf("%d bytes are buffered, want %d", a.Buffered(), buffered)
	}
	if released != s.released {
		t.Fatalf("%d messages are over, want %d", released, s.released)
	}
	checkInvariants(t, a)
}

// FuzzSender does what its input says to a sender and to the model of one: messages
// are queued, packets built, received or not, acknowledged or not, timers expire.
func FuzzSender(f *testing.F) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 9))
		script := make([]byte, 400)
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		script = script[:min(len(script), 600)] // the model takes its time
		if len(script) == 0 {
			return
		}
		interleaved, partial := script[0]&1 != 0, script[0]&2 != 0
		a := New(Config{Rand: seeded(1, 'a'), MTU: 400, Congestion: NewReno})
		released := 0
		forget := func(m *outMessage) { released++; a.send.queue.release(m, &a.pool) }
		a.send.out.start(1, forget)
		a.send.out.partial = partial
		a.send.interleave(interleaved, 1<<20)
		a.send.rwnd = 1 << 29
		now := epoch()
		model := &modelSender{queued: map[uint16][]*modelMessage{}, mids: map[uint16]*[2]mid{}, next: 1, partial: partial}
		got := map[tsn]bool{} // received
		for i := 1; i+1 < len(script); i += 2 {
			arg := int(script[i+1])
			switch script[i] % 7 {
			case 0, 1:
				m := &modelMessage{stream: uint16(arg % 4), data: pattern(1+arg*7, byte(i)), unordered: arg&16 != 0, limit: -1}
				send := Message{Stream: m.stream, Data: m.data, Unordered: m.unordered}
				if arg&32 != 0 {
					m.limit, send.Limited, send.MaxRetransmits = arg>>6, true, uint16(arg>>6)
				}
				if arg&8 != 0 {
					send.Lifetime = time.Duration(1+arg) * ms
					m.expires = now.Add(send.Lifetime)
				}
				if err := a.Send(now, send); err != nil {
					t.Fatal(err)
				}
				model.queued[m.stream] = append(model.queued[m.stream], m)
			case 2, 3: // a packet
				a.send.cc.cwnd, a.send.cc.burst, a.send.cc.single, a.send.cc.pacer.active = 1<<30, 1<<30, false, false
				packet := a.send.appendData(now, make([]byte, headerSize, 500), 0)
				if len(packet) > a.send.mtu {
					t.Fatalf("a packet of %d bytes", len(packet))
				}
				for chunks := packet[headerSize:]; len(chunks) > 0; {
					c, rest, ok := nextChunk(chunks)
					d, parsed := parseData(c)
					if interleaved {
						d, parsed = parseInterleaved(c)
					}
					if !ok || !parsed {
						t.Fatalf("%s", Describe(packet))
					}
					if wrong := model.sent(now, &d, interleaved); wrong != "" {
						t.Fatalf("%s: %s", Describe(packet), wrong)
					}
					chunks = rest
					if arg&1 != 0 {
						got[d.tsn] = true
					}
				}
				model.lost(now) // it was looked at, and did not fit
			case 4: // something arrives late
				for _, c := range model.chunks {
					if arg&1 == 0 && c.state != chunkAbandoned && int(c.tsn)%(2+arg%5) == 0 {
						got[c.tsn] = true
					}
				}
			case 5: // a SACK that tells the truth, or a FORWARD TSN and one
				if partial && arg&1 != 0 {
					a.send.out.advance()
					for n := model.cum + 1; n.AtMost(a.send.out.advanced); n++ {
						got[n] = true
					}
				}
				cum := model.cum
				for got[cum+1] {
					cum++
				}
				var gaps gapBlocks
				more := map[tsn]bool{}
				for n := cum + 1; n.Before(model.next); n++ {
					if !got[n] {
						continue
					}
					more[n] = true
					if len(gaps) > 0 && more[n-1] {
						binary.BigEndian.PutUint16(gaps[len(gaps)-2:], uint16(n-cum))
					} else {
						gaps = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(gaps, uint16(n-cum)), uint16(n-cum))
					}
				}
				r, ok := a.send.out.ack(now, cum, gaps)
				if !ok {
					t.Fatalf("a SACK of %d and %d blocks is refused", cum, gaps.len())
				}
				if want := model.ack(cum, more); (r.acked > 0) != (want > 0) {
					t.Fatalf("%d bytes are acknowledged, want %d", r.acked, want)
				}
			case 6:
				now = now.Add(time.Duration(arg) * ms)
				if arg&1 != 0 {
					a.send.out.timeout(now)
					a.send.tidy(now)
					model.timeout(now)
				}
			}
			model.compare(t, now, a, released)
		}
	})
}
