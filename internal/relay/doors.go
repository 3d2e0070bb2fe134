package relay

import (
	"errors"
	"io"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/plainrtc/plainrtc/internal/udp"
	"github.com/plainrtc/plainrtc/turn"
)

// The doors into the core, as in package peerconnection: enter, do one thing, leave.
// What is to be sent is gathered on the way, and sent when the lock is released.

// A batch is what one visit of the core has to send.
type batch struct {
	now     time.Time
	slab    []byte
	runs    []run
	joined  []byte // runs to one place, put together
	scratch [turn.Headroom + 65535 + 3]byte
	closing []io.Closer
	spliced []*connection // whose packets end with those of this visit
}

// A run is datagrams of one size, of which the last may be shorter, to one place.
type run struct {
	by         *udp.Socket
	to         netip.AddrPort
	start, end int
	segment    int
	ended      bool // the last is shorter
}

// slabSize is how far the slab grows: what one batch of reads makes fits, with a header
// for each datagram. What does not fit is sent at once.
const slabSize = 640 << 10

// spare keeps batches for the next ones, so that a busy server makes none.
type spare struct {
	mu      sync.Mutex
	batches []*batch
}

// maxSpare is how many are kept: there are as many at a time as goroutines that send.
const maxSpare = 8

func (s *spare) get() *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.batches)
	if n == 0 {
		return new(batch)
	}
	b := s.batches[n-1]
	s.batches = s.batches[:n-1]
	return b
}

func (s *spare) put(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.batches) < maxSpare {
		s.batches = append(s.batches, b)
	}
}

// enter takes a batch behind the lock, not before it: those who wait hold none.
func (s *Server) enter() *batch {
	s.mu.Lock()
	b := s.spare.get()
	b.now = time.Now()
	return b
}

// leave takes from the core what it has to say, unlocks, and sends.
func (s *Server) leave(b *batch) {
	s.drain(b)
	s.setTimer(b.now)
	s.mu.Unlock()
	b.send()
	for _, c := range b.closing {
		c.Close()
	}
	clear(b.closing)
	b.closing = b.closing[:0]
	s.spare.put(b)
}

// drain carries out the core's wishes and gathers its responses.
func (s *Server) drain(b *batch) {
	for {
		e, ok := s.core.NextEvent()
		if !ok {
			break
		}
		s.event(b, e)
	}
	for {
		packet, to := s.core.AppendPacket(b.now, b.scratch[:0])
		if len(packet) == 0 {
			break
		}
		s.toClient(b, to, packet)
	}
	for _, c := range b.spliced {
		c.endQueue() // the answer to ConnectionBind is in it, and behind that comes the peer
	}
	clear(b.spliced)
	b.spliced = b.spliced[:0]
}

func (s *Server) setTimer(now time.Time) {
	next := earlier(s.core.NextTimeout(), s.sessions.next)
	if s.closed || next.IsZero() || !s.timerAt.IsZero() && !next.Before(s.timerAt) {
		return
	}
	s.timerAt = next
	if wait := max(next.Sub(now), time.Millisecond); s.timer == nil {
		s.timer = time.AfterFunc(wait, s.timeout)
	} else {
		s.timer.Reset(wait)
	}
}

// timeout is the door for time.
func (s *Server) timeout() {
	b := s.enter()
	s.timerAt = time.Time{}
	if !s.closed {
		s.core.Advance(b.now)
		s.advanceSessions(b)
	}
	s.leave(b)
}

// fromClients is the door for datagrams of clients.
func (s *Server) fromClients(socket *udp.Socket, packets []udp.Packet) {
	b := s.enter()
	from := turn.FiveTuple{Server: socket.Local(), Protocol: turn.UDP}
	for _, p := range packets {
		from.Client = p.From
		s.fromClient(b, from, p.Data)
	}
	s.leave(b)
}

// fromClient takes one message of a client's.
func (s *Server) fromClient(b *batch, from turn.FiveTuple, message []byte) {
	if s.closed {
		return
	}
	s.core.Receive(b.now, from, message)
	if d, ok := s.core.NextToPeer(); ok {
		if r := s.relays[d.Relay]; r != nil {
			b.add(r.socket, d.Peer, d.Payload)
		}
		return
	}
	s.drain(b)
}

// fromPeers is the door for datagrams that arrive at a relay.
func (s *Server) fromPeers(id turn.RelayID, packets []udp.Packet) {
	b := s.enter()
	for _, p := range packets {
		if s.closed {
			break
		}
		const at = turn.Headroom
		n := copy(b.scratch[at:], p.Data)
		s.core.ReceivePeer(b.now, id, p.From, b.scratch[:at+n], at)
		if d, ok := s.core.NextToClient(); ok {
			s.toClient(b, d.To, d.Packet)
		}
	}
	s.leave(b)
}

// toClient gathers a packet for a client, by the door that it came in by.
func (s *Server) toClient(b *batch, to turn.FiveTuple, packet []byte) {
	if to.Protocol == turn.DTLS {
		s.seal(b, to, packet)
		return
	}
	if to.Protocol.Stream() {
		if c := s.clients[to]; c != nil {
			c.queue(packet)
		}
		return
	}
	for _, group := range s.groups {
		if group[0].Local() == to.Server {
			// Any of them will do, and one client's packets leave by one.
			b.add(group[int(to.Client.Port())%len(group)], to.Client, packet)
			return
		}
	}
}

// add gathers a datagram.
func (b *batch) add(by *udp.Socket, to netip.AddrPort, datagram []byte) {
	if len(b.slab)+len(datagram) > slabSize {
		b.send()
	}
	start := len(b.slab)
	b.slab = append(b.slab, datagram...)
	end := len(b.slab)
	if n := len(b.runs); n > 0 {
		r := &b.runs[n-1]
		if r.by == by && r.to == to && !r.ended && len(datagram) <= r.segment && end-r.start <= maxRun && len(datagram) > 0 {
			r.end = end
			r.ended = len(datagram) < r.segment
			return
		}
	}
	b.runs = append(b.runs, run{by: by, to: to, start: start, end: end, segment: len(datagram)})
}

// maxRun is what one system call takes.
const maxRun = 60 << 10

// send sends what was gathered. What can't be sent is lost, as datagrams may be.
func (b *batch) send() {
	for i := range b.runs {
		r := &b.runs[i]
		if r.by == nil {
			continue // it has left with another
		}
		packets := b.join(i)
		// A datagram that fitted into what carried it here may not do so with our header in
		// front, and its sender does not know of that: it goes on in fragments.
		if errors.Is(r.by.Send(r.to, packets, r.segment), syscall.EMSGSIZE) {
			for at := 0; at < len(packets); at += r.segment {
				r.by.SendInFragments(r.to, packets[at:min(at+r.segment, len(packets))])
			}
		}
		*r = run{}
	}
	b.runs, b.slab = b.runs[:0], b.slab[:0]
}

// ahead is how many runs are looked at for more that goes to the same place.
const ahead = 64

// join puts together a run and those behind it that go to the same place, so that what several
// clients send, each packet alone, does not cost a system call each. Copying is cheap beside one.
func (b *batch) join(i int) []byte {
	r := &b.runs[i]
	packets := b.slab[r.start:r.end]
	for j := i + 1; j < min(len(b.runs), i+ahead) && !r.ended; j++ {
		next := &b.runs[j]
		if next.by != r.by || next.to != r.to {
			continue
		}
		// What comes later must not leave earlier: at the first that does not fit it ends.
		n := next.end - next.start
		if n == 0 || next.segment > r.segment || next.segment < r.segment && n > next.segment || len(packets)+n > maxRun {
			break
		}
		if &packets[0] == &b.slab[r.start] {
			packets = append(b.joined[:0], packets...)
		}
		packets = append(packets, b.slab[next.start:next.end]...)
		b.joined = packets
		r.ended = next.ended || next.segment < r.segment
		*next = run{}
	}
	return packets
}
