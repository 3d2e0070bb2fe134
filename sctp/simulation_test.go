package sctp

import (
	"bytes"
	"encoding/binary"
	"flag"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "run only this seed of the simulation")
	simSeeds = flag.Int("sim.seeds", 1000, "how many seeds the simulation runs")
)

// TestSimulation lets two associations talk over networks that lose up to 30 %
// of the packets, reorder and duplicate them, and holds them to the service
// they promise: a reliable message arrives once, in order where that was
// asked; a partially reliable one at most once, and never blocks the others; a
// reset stream begins anew; at the end nothing is left anywhere.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		simulate(t, *simSeed)
		return
	}
	seeds := *simSeeds
	if testing.Short() {
		seeds = min(seeds, 150)
	}
	for seed := range uint64(seeds) {
		seed++
		first := simulate(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d; repeat with -sim.seed=%d", seed, seed)
		}
		if seed%10 == 0 {
			if again := simulate(t, seed); again != first {
				t.Fatalf("seed %d sent other bytes the second time", seed)
			}
		}
	}
}

// highRand gives 32-bit numbers that will soon wrap.
type highRand struct{ io.Reader }

func (r highRand) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if len(b) == 4 {
		b[0], b[1], b[2] = 0xff, 0xff, 0xff
	}
	return n, err
}

// A script is what one side does and what the other has to see.
type script struct {
	t    testing.TB
	rng  *rand.Rand
	side byte
	next uint32 // number of the next message
	sent map[uint16][]simMessage
	// life counts the uses of a stream: a reset ends one.
	life map[uint16]int
	left int // messages to send
}

type simMessage struct {
	number    uint32
	size      int
	reliable  bool
	unordered bool
	life      int
}

// message makes one up. Its content is its number, then a pattern of it.
func (s *script) message(stream uint16, largest int) Message {
	n := 4 + s.rng.IntN(40)
	switch s.rng.IntN(6) {
	case 0:
		n = 4 + s.rng.IntN(largest-4)
	case 1:
		n = 900 + s.rng.IntN(500)
	}
	m := Message{Stream: stream, PPID: s.next, Unordered: s.rng.IntN(3) == 0, Data: simData(s.next, n)}
	reliable := true
	switch s.rng.IntN(6) {
	case 0:
		m.Limited, m.MaxRetransmits, reliable = true, uint16(s.rng.IntN(3)), false
	case 1:
		m.Lifetime, reliable = time.Duration(1+s.rng.IntN(300))*time.Millisecond, false
	}
	s.sent[stream] = append(s.sent[stream], simMessage{s.next, n, reliable, m.Unordered, s.life[stream]})
	s.next++
	return m
}

func simData(number uint32, n int) []byte {
	return append(binary.BigEndian.AppendUint32(nil, number), pattern(n-4, byte(number))...)
}

// check compares what arrived with what was sent.
func (s *script) check(got []Received) {
	byNumber := map[uint32]Received{}
	last := map[uint16]uint32{}
	for _, m := range got {
		number := binary.BigEndian.Uint32(m.Data)
		if _, again := byNumber[number]; again {
			s.t.Errorf("%c: message %d arrived twice", s.side, number)
		}
		byNumber[number] = m
		if m.Unordered {
			continue
		}
		if l, ok := last[m.Stream]; ok && number <= l {
			s.t.Errorf("%c: stream %d: message %d arrived after %d", s.side, m.Stream, number, l)
		}
		last[m.Stream] = number
	}
	for stream, list := range s.sent {
		for _, m := range list {
			r, ok := byNumber[m.number]
			switch {
			case !ok && m.reliable:
				s.t.Errorf("%c: stream %d: message %d of %d bytes never arrived", s.side, stream, m.number, m.size)
			case ok && (r.Stream != stream || r.Unordered != m.unordered || !bytes.Equal(r.Data, simData(m.number, m.size))):
				s.t.Errorf("%c: message %d arrived changed", s.side, m.number)
			}
			delete(byNumber, m.number)
		}
	}
	if len(byNumber) > 0 {
		s.t.Errorf("%c: %d messages arrived that nobody sent", s.side, len(byNumber))
	}
}

// lacking is, one time in three, one extension or more that an end lacks.
func lacking(rng *rand.Rand) Extensions {
	if rng.IntN(3) > 0 {
		return 0
	}
	return Extensions(rng.IntN(256)) &^ Reconfiguration
}

// simulate runs one seed and returns a hash of every datagram.
func simulate(t *testing.T, seed uint64) uint64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	largest := 2000 + rng.IntN(30000)
	config := func(side byte) Config {
		var random io.Reader = seeded(seed, side)
		if seed%4 == 0 {
			random = highRand{random} // TSNs wrap in mid-transfer
		}
		return Config{
			Rand: random, MTU: 300 + rng.IntN(1200), MaxMessageSize: largest, ReceiveWindow: 1 << (13 + rng.IntN(6)),
			MaxRetransmits: 1000, MaxInitRetransmits: 1000, RTOMax: 2 * time.Second,
			DTLS: rng.IntN(3) > 0, Without: lacking(rng), Scheduling: SchedulingPolicy(rng.IntN(3)),
			OutStreams: 60000, MaxMTU: rng.IntN(3) * (500 + rng.IntN(4000)), Headers: 65,
		}
	}
	ca, cz := config('a'), config('z')
	snap := rng.IntN(4) == 0
	if snap {
		ca.LocalInit, cz.LocalInit = NewInit(ca), NewInit(cz)
		ca.RemoteInit, cz.RemoteInit = cz.LocalInit, ca.LocalInit
	}
	p := newPipe(t, ca, cz)
	p.delay = time.Duration(1+rng.IntN(80)) * time.Millisecond
	loss, again, late := rng.Float64()*0.3, rng.Float64()*0.1, rng.Float64()*0.3
	jitter := time.Duration(1 + rng.IntN(int(2*p.delay)))
	hash := fnv.New64a()
	lossy := true
	// What the path carries may change at any time, and what may not be fragmented
	// then disappears.
	narrow := 300 + rng.IntN(4000)
	p.fate = func(from *Association, packet []byte) (int, time.Duration) {
		hash.Write(packet)
		if rng.IntN(200) == 0 {
			narrow = 300 + rng.IntN(4000)
		}
		if len(packet) > max(narrow, from.pmtud.floor()) && !from.MayFragment() {
			return 0, 0
		}
		copies, extra := 1, time.Duration(0)
		if lossy && rng.Float64() < loss {
			copies = 0
		} else if rng.Float64() < again {
			copies = 2
		}
		if rng.Float64() < late {
			extra = time.Duration(rng.Int64N(int64(jitter)))
		}
		return copies, extra
	}
	sides := []struct {
		x *Association
		s *script
	}{{p.a, nil}, {p.z, nil}}
	for i := range sides {
		sides[i].s = &script{t: t, rng: rng, side: "az"[i], sent: map[uint16][]simMessage{}, life: map[uint16]int{}, left: 5 + rng.IntN(60)}
	}
	connect := rng.IntN(3)
	if snap {
		connect = 2
	}
	switch connect {
	case 0:
		p.a.Connect(p.now)
	case 1:
		p.z.Connect(p.now)
	case 2:
		p.a.Connect(p.now)
		p.z.Connect(p.now)
	}
	streams := 1 + rng.IntN(6)
	for sides[0].s.left+sides[1].s.left > 0 {
		for _, side := range sides {
			for n := rng.IntN(8); n > 0 && side.s.left > 0; n-- {
				stream := uint16(rng.IntN(streams))
				if rng.IntN(20) == 0 && side.x.State() == StateEstablished {
					if err := side.x.ResetStreams(p.now, stream); err != nil {
						t.Fatal(err)
					}
				}
				if rng.IntN(25) == 0 && side.x.State() == StateEstablished && len(side.x.reconfig.wanted) < 3 {
					var err error
					switch rng.IntN(3) {
					case 0:
						err = side.x.ResetIncomingStreams(stream)
					case 1:
						err = side.x.AddStreams(uint16(rng.IntN(3)), uint16(rng.IntN(3)))
					case 2:
						err = side.x.ResetAssociation()
					}
					if err != nil && err != ErrResetting {
						t.Fatal(err)
					}
				}
				if st := side.x.send.queue.streams[stream]; st != nil && st.reset != resetNone {
					continue
				}
				side.s.left--
				p.send(side.x, side.s.message(stream, largest))
			}
		}
		p.run(time.Duration(rng.IntN(200)) * time.Millisecond)
		checkInvariants(t, p.a)
		checkInvariants(t, p.z)
	}
	quiet := func() bool {
		for _, side := range sides {
			x := side.x
			if x.State() != StateEstablished || !x.send.drained() || x.reconfig.request != nil || len(x.reconfig.pending)+len(x.reconfig.wanted) > 0 {
				return false
			}
		}
		return true
	}
	p.until("everything acknowledged", 30*time.Minute, quiet)
	p.run(2 * time.Second)
	for _, side := range sides {
		x := side.x
		side.s.check(p.got[p.other(x)])
		if x.Buffered() != 0 || x.send.out.flight != 0 || x.send.out.payload != 0 || x.send.out.marked != 0 || x.send.out.gapAcks != 0 {
			t.Errorf("%c: left over: buffered %d, flight %d, payload %d, marked %d, gap acks %d", side.s.side,
				x.Buffered(), x.send.out.flight, x.send.out.payload, x.send.out.marked, x.send.out.gapAcks)
		}
		if x.recv.window.used != 0 || x.recv.reassembly.live != 0 || len(x.recv.delivery.waiting) != 0 {
			t.Errorf("%c: left over: window %d, pieces %d, waiting %d", side.s.side, x.recv.window.used, x.recv.reassembly.live, len(x.recv.delivery.waiting))
		}
		if x.send.out.next-1 != p.other(x).recv.tracker.cum {
			t.Errorf("%c: the peer's Cumulative TSN is not ours", side.s.side)
		}
	}
	lossy = rng.IntN(2) == 0
	p.a.Shutdown(p.now)
	if rng.IntN(3) == 0 {
		p.z.Shutdown(p.now)
	}
	p.until("both closed", 10*time.Minute, func() bool { return p.a.State() == StateClosed && p.z.State() == StateClosed })
	return hash.Sum64()
}
