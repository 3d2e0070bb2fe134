package netsim

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

// A Profile says what a link does to the datagrams it carries, in one
// direction. The zero Profile carries them all, at once.
//
// Rate, Queue and MTU count IP packets: the datagram and 28 bytes of headers, or
// 48 with IPv6.
type Profile struct {
	Delay  time.Duration // each datagram's time on the way, behind the queue
	Jitter time.Duration // up to this much more, at random; datagrams keep their order

	Loss      float64 // the probability to be lost
	Burst     Burst   // losses that come together, beside Loss
	Duplicate float64 // the probability to arrive twice
	// Reorder is the probability to be late by ReorderBy, and so to arrive
	// behind what was sent in that time. A ReorderBy of zero stands for 10 ms.
	Reorder   float64
	ReorderBy time.Duration

	Rate int64 // bits a second; zero for a link without limit
	// Queue is how many bytes may wait for their turn, with the packet that is
	// being sent; a packet that does not fit is dropped. Zero stands for what
	// the link carries in 100 ms. A packet that need not wait is never dropped.
	Queue int
	MTU   int // larger packets disappear, unless they may be fragmented; zero for no limit
}

// A Burst is the model of Gilbert and Elliott: a link is in a good state, where
// Profile.Loss applies, or in a bad one. Before each datagram it may change. The
// bad state holds for 1/Leave datagrams on average, and for Enter/(Enter+Leave)
// of all. The zero Burst is never bad.
type Burst struct {
	Enter float64 // the probability to go from good to bad
	Leave float64 // the probability to go from bad to good
	Loss  float64 // the probability to be lost in the bad state; zero stands for 1
}

const (
	defaultReorderBy = 10 * time.Millisecond
	defaultQueueTime = 100 * time.Millisecond
)

// Adverse returns a Profile thrown by dice, for simulations over many seeds: a
// delay up to 100 ms, loss up to maxLoss, and at times jitter, bursts,
// reordering, duplication and a bottleneck.
func Adverse(dice *rand.Rand, maxLoss float64) Profile {
	p := Profile{
		Delay: time.Duration(dice.Int64N(int64(100 * time.Millisecond))),
		Loss:  dice.Float64() * maxLoss,
	}
	if dice.IntN(2) == 0 {
		p.Jitter = time.Duration(dice.Int64N(int64(50 * time.Millisecond)))
	}
	if dice.IntN(4) == 0 {
		p.Burst = Burst{Enter: dice.Float64() * 0.02, Leave: 0.1 + 0.9*dice.Float64()}
	}
	if dice.IntN(2) == 0 {
		p.Reorder = dice.Float64() * 0.2
		p.ReorderBy = time.Duration(dice.Int64N(int64(50 * time.Millisecond)))
	}
	if dice.IntN(2) == 0 {
		p.Duplicate = dice.Float64() * 0.2
	}
	if dice.IntN(4) == 0 {
		p.Rate = 256_000 + dice.Int64N(20_000_000)
	}
	return p
}

// Counters counts what a link did.
type Counters struct {
	Packets    int   // given to the link
	Bytes      int64 // of datagrams given to the link
	Delivered  int   // that came out at the other end, copies too
	Lost       int   // by Loss and Burst
	Overflowed int   // for which the queue had no room
	TooBig     int   // for MTU
	Fragmented int   // because of MTU
	Duplicated int
	Reordered  int // that were late by ReorderBy
}

func (c *Counters) add(d Counters) {
	c.Packets += d.Packets
	c.Bytes += d.Bytes
	c.Delivered += d.Delivered
	c.Lost += d.Lost
	c.Overflowed += d.Overflowed
	c.TooBig += d.TooBig
	c.Fragmented += d.Fragmented
	c.Duplicated += d.Duplicated
	c.Reordered += d.Reordered
}

// A Link carries datagrams in one direction.
type Link struct {
	// Profile may be changed at any time, and applies to what is sent from then on.
	Profile Profile

	net      *Network
	random   *rand.Rand
	deliver  func(*packet) // where it leads
	counters Counters

	bad  bool          // in the bad state of Burst
	idle time.Duration // when the last packet taken will have been sent
	rest int64         // the part of a nanosecond beyond idle, in 1/Rate ns
	last time.Duration // when the last packet that kept its order arrives
}

// newLink returns a link with dice of its own, so that what one link carries
// does not change the luck of another.
func (n *Network) newLink(p Profile, deliver func(*packet)) *Link {
	l := &Link{Profile: p, net: n, deliver: deliver}
	l.random = rand.New(rand.NewPCG(n.seed, uint64(len(n.links))))
	n.links = append(n.links, l)
	return l
}

// Counters counts what the link did.
func (l *Link) Counters() Counters { return l.counters }

// send puts a packet on the link.
func (l *Link) send(p *packet) {
	l.counters.Packets++
	l.counters.Bytes += int64(len(p.bytes))
	size := ipSize(p)
	fragments := 1
	if l.Profile.MTU > 0 && size > l.Profile.MTU {
		if !p.mayFragment {
			l.net.drop(&l.counters.TooBig, "larger than the MTU", p)
			return
		}
		l.counters.Fragmented++
		header := size - len(p.bytes) - udpHeader // TCP does not fragment
		room := (l.Profile.MTU - header) &^ 7     // fragments begin at multiples of eight bytes
		fragments = (size - header + room - 1) / room
		size += (fragments - 1) * header
	}
	sent, ok := l.transmit(size)
	if !ok {
		l.net.drop(&l.counters.Overflowed, "the queue is full", p)
		return
	}
	// A packet is lost on the way: it took its turn in the queue.
	for range fragments {
		if l.loses() {
			l.net.drop(&l.counters.Lost, "lost", p)
			return
		}
	}
	if l.happens(l.Profile.Duplicate) {
		l.counters.Duplicated++
		l.fly(l.net.copyOf(p), sent)
	}
	l.fly(p, sent)
}

// transmit returns when a packet of that size will have left the queue, or that
// the queue has no room for it.
func (l *Link) transmit(size int) (time.Duration, bool) {
	now, rate := l.net.now, l.Profile.Rate
	if rate <= 0 {
		return now, true
	}
	if l.idle <= now {
		l.idle, l.rest = now, 0
	}
	// In units of 1/Rate ns, so that no time is lost to rounding.
	const bitNanoseconds = 8 * int64(time.Second)
	needs := int64(size)*bitNanoseconds + l.rest%rate
	after := l.idle + time.Duration(needs/rate)
	room := defaultQueueTime
	if l.Profile.Queue > 0 {
		room = time.Duration(int64(l.Profile.Queue) * bitNanoseconds / rate)
	}
	if l.idle > now && after-now > room {
		return 0, false
	}
	l.idle, l.rest = after, needs%rate
	return after, true
}

// loses throws the dice for Loss and Burst.
func (l *Link) loses() bool {
	loss, burst := l.Profile.Loss, l.Profile.Burst
	if l.bad {
		l.bad = !l.happens(burst.Leave)
	} else {
		l.bad = l.happens(burst.Enter)
	}
	if l.bad {
		loss = burst.Loss
		if loss == 0 {
			loss = 1
		}
	}
	return l.happens(loss)
}

// happens throws dice, but not for what is impossible or certain.
func (l *Link) happens(probability float64) bool {
	return probability > 0 && (probability >= 1 || l.random.Float64() < probability)
}

// fly schedules the arrival of a packet that leaves the queue at the time sent.
func (l *Link) fly(p *packet, sent time.Duration) {
	at := sent + l.Profile.Delay
	if l.Profile.Jitter > 0 {
		at += time.Duration(l.random.Int64N(int64(l.Profile.Jitter) + 1))
	}
	if l.happens(l.Profile.Reorder) {
		l.counters.Reordered++
		by := l.Profile.ReorderBy
		if by == 0 {
			by = defaultReorderBy
		}
		at = max(at, l.last) + by
	} else {
		at = max(at, l.last)
		l.last = at
	}
	l.net.events.push(event{at: at, packet: p, link: l})
}

// arrive hands a packet on to where the link leads.
func (l *Link) arrive(p *packet) {
	l.counters.Delivered++
	l.deliver(p)
}

const udpHeader, tcpHeader = 8, 20

// ipSize is the size of the IP packet that carries a datagram or a segment.
func ipSize(p *packet) int {
	const ipv4, ipv6 = 20, 40
	size := len(p.bytes) + udpHeader
	if p.protocol == TCP {
		size = len(p.bytes) + tcpHeader
	}
	if isIPv4(p.to.Addr()) {
		return ipv4 + size
	}
	return ipv6 + size
}

func isIPv4(a netip.Addr) bool { return a.Is4() || a.Is4In6() }
