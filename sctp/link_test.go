package sctp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
)

// belowSCTP is what DTLS adds to a packet; the simulation uses it to tell when
// the packet left.
const belowSCTP = 37

// A terminal is a host with one association to each of its peers.
type terminal struct {
	net   *netsim.Network
	addr  netip.AddrPort
	flows []*flow
	below int   // what stands behind each packet, in place of DTLS
	last  *flow // sent the last packet
}

// A flow is one end of an association, and what its user does.
type flow struct {
	*Association
	local, remote netip.AddrPort
	bulk          []byte // the message to be sent for ever; nil: none

	got    int             // bytes of messages received
	delays []time.Duration // of packets with DATA, one way, by the time of their arrival
	lose   int             // packets with DATA yet to be lost, a burst
	onData func(m Received)
}

func (h *terminal) Receive(now time.Time, local, remote netip.AddrPort, b []byte) {
	for _, f := range h.flows {
		if f.remote != remote || f.local != local {
			continue
		}
		n := len(b) - h.below
		if n > 100 {
			if f.lose > 0 {
				f.lose--
				return
			}
			left := time.Unix(0, int64(binary.BigEndian.Uint64(b[n:])))
			f.delays = append(f.delays, now.Sub(left))
		}
		f.Association.Receive(now, b[:n])
		for m, ok := f.NextMessage(); ok; m, ok = f.NextMessage() {
			f.got += len(m.Data)
			if f.onData != nil {
				f.onData(m)
			}
			f.Release(now, m)
		}
		for _, ok := f.NextEvent(); ok; _, ok = f.NextEvent() {
		}
	}
}

func (h *terminal) Advance(now time.Time) {
	for _, f := range h.flows {
		f.Association.Advance(now)
	}
}

func (h *terminal) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	for _, f := range h.flows {
		for f.bulk != nil && f.State() == StateEstablished && f.Buffered() < 256<<10 {
			if err := f.Send(now, Message{Data: f.bulk}); err != nil {
				panic(err)
			}
		}
		start := len(b)
		if b = f.Association.AppendPacket(now, b); len(b) > start {
			h.last = f
			b = binary.BigEndian.AppendUint64(b, uint64(now.UnixNano()))
			return append(b, make([]byte, h.below-8)...), f.local, f.remote
		}
	}
	return b, netip.AddrPort{}, netip.AddrPort{}
}

func (h *terminal) MayFragment() bool { return h.last != nil && h.last.Association.MayFragment() }

func (h *terminal) NextTimeout() time.Time {
	var next time.Time
	for _, f := range h.flows {
		if t := f.Association.NextTimeout(); !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// A bottleneck is a path that several senders share, towards one receiver.
type bottleneck struct {
	t     testing.TB
	net   *netsim.Network
	rtt   time.Duration
	down  *netsim.Link
	sink  *terminal
	hosts []*terminal
	from  []*flow // the senders' ends
	to    []*flow // the receiver's
}

// newBottleneck makes a path of that many Mbit/s, with a queue of so many
// bandwidth-delay products.
func newBottleneck(t testing.TB, mbits int, rtt time.Duration, queue, loss float64, controls ...CongestionControl) *bottleneck {
	var configs []Config
	for _, control := range controls {
		configs = append(configs, Config{Congestion: control})
	}
	return newBottleneckOf(t, 1, mbits, rtt, queue, loss, configs...)
}

func newBottleneckOf(t testing.TB, seed uint64, mbits int, rtt time.Duration, queue, loss float64, configs ...Config) *bottleneck {
	net := netsim.New(seed, epoch())
	p := &bottleneck{t: t, net: net, rtt: rtt, sink: &terminal{net: net, below: belowSCTP}}
	sinkAddr := netip.MustParseAddr("192.0.2.1")
	host := net.AddHost(p.sink, netsim.Profile{Delay: rtt / 2}, sinkAddr)
	rate := int64(mbits) * 1e6
	host.Down.Profile = netsim.Profile{Delay: rtt / 2, Rate: rate, Queue: int(queue * float64(rate) / 8 * rtt.Seconds()), Loss: loss}
	p.down = host.Down
	for i, config := range configs {
		h := &terminal{net: net, below: belowSCTP}
		p.hosts = append(p.hosts, h)
		addr := netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)})
		net.AddHost(h, netsim.Profile{}, addr)
		mine, theirs := netip.AddrPortFrom(addr, 5000), netip.AddrPortFrom(sinkAddr, uint16(6000+i))
		config.Rand = net.Rand(fmt.Sprint("a", i))
		from := &flow{Association: New(config), local: mine, remote: theirs}
		config.Rand = net.Rand(fmt.Sprint("z", i))
		to := &flow{Association: New(config), local: theirs, remote: mine}
		h.flows = append(h.flows, from)
		p.sink.flows = append(p.sink.flows, to)
		p.from, p.to = append(p.from, from), append(p.to, to)
	}
	return p
}

// bulk lets flow i send from now on for ever.
func (p *bottleneck) bulk(i int) {
	p.from[i].bulk = make([]byte, 64<<10)
	p.net.After(0, func() { p.from[i].Connect(p.net.Now()) })
}

func (p *bottleneck) run(d time.Duration) { p.net.Run(nil, d) }

// goodput is what flow i receives in d, in Mbit/s.
func (p *bottleneck) goodput(i int, d time.Duration) float64 {
	before := p.to[i].got
	p.run(d)
	return float64(p.to[i].got-before) * 8 / d.Seconds() / 1e6
}

// queued is the median of the time that packets waited in the queue.
func (p *bottleneck) queued(i int) time.Duration {
	d := slices.Clone(p.to[i].delays)
	slices.Sort(d)
	return d[len(d)/2] - p.rtt/2
}

// atLeast and atMost hold a figure to a bound; the simulation is deterministic.
func (p *bottleneck) atLeast(what string, got, bound float64) {
	p.t.Helper()
	p.t.Logf("%s: %.2f", what, got)
	if got < bound {
		p.t.Errorf("%s: %.2f, want %v at least", what, got, bound)
	}
}

func (p *bottleneck) atMost(what string, got, bound time.Duration) {
	p.t.Helper()
	p.t.Logf("%s: %v", what, got)
	if got > bound {
		p.t.Errorf("%s: %v, want %v at most", what, got, bound)
	}
}

const ms = time.Millisecond

// Goodput with random loss. Of 100 Mbit/s, 92.1 are user data in packets of this
// size.
func TestGoodputOverLinks(t *testing.T) {
	for _, link := range []struct {
		control    CongestionControl
		mbits      int
		rtt        time.Duration
		loss       float64
		first      time.Duration // so many seconds
		cold, warm float64       // Mbit/s in the first seconds, and in half as many after those
	}{
		{BBR, 100, 40 * ms, 0, 10, 86, 90},
		{BBR, 100, 40 * ms, 0.001, 10, 86, 89},
		{BBR, 100, 40 * ms, 0.01, 10, 84, 87},
		{BBR, 100, 40 * ms, 0.03, 10, 70, 70},
		{BBR, 100, 100 * ms, 0, 10, 82, 90},
		{BBR, 1000, 100 * ms, 0, 6, 680, 900},
		{CUBIC, 100, 40 * ms, 0, 10, 85, 85},
		{CUBIC, 100, 40 * ms, 0.001, 10, 13, 10},
		{CUBIC, 100, 100 * ms, 0, 10, 75, 80},
		{NewReno, 100, 40 * ms, 0, 10, 75, 80},
		{NewReno, 100, 40 * ms, 0.001, 10, 9, 8},
	} {
		if testing.Short() && link.mbits > 100 {
			continue
		}
		name := fmt.Sprintf("%v, %d Mbit/s, %v, %v %% loss", link.control, link.mbits, link.rtt, 100*link.loss)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newBottleneck(t, link.mbits, link.rtt, 1, link.loss, link.control)
			p.bulk(0)
			p.atLeast("the first seconds", p.goodput(0, link.first*time.Second), link.cold)
			p.atLeast("the next", p.goodput(0, link.first/2*time.Second), link.warm)
			s := p.from[0].Stats()
			t.Logf("%d of %d chunks sent again, %d timeouts, median queue %v", s.Retransmissions, s.PacketsSent, s.Timeouts, p.queued(0))
			if link.loss == 0 && link.control != NewReno && s.Retransmissions > 500 {
				t.Errorf("%d chunks were lost in the queue: the first slow start ends too late", s.Retransmissions)
			}
		})
	}
}

// Stats tell what congestion control does, for whoever draws it.
func TestCongestionInStats(t *testing.T) {
	for _, test := range []struct {
		control CongestionControl
		first   string
		later   []string
	}{
		{BBR, "Startup", []string{"ProbeBW_DOWN", "ProbeBW_CRUISE", "ProbeBW_REFILL", "ProbeBW_UP"}},
		{NewReno, "slow start", []string{"congestion avoidance", "Fast Recovery"}},
	} {
		p := newBottleneck(t, 10, 40*ms, 1, 0.01, test.control)
		p.bulk(0)
		p.run(150 * ms)
		if s := p.from[0].Stats(); s.CongestionPhase != test.first {
			t.Errorf("%v begins with %q, want %q", test.control, s.CongestionPhase, test.first)
		}
		p.run(2 * time.Second)
		s := p.from[0].Stats()
		if !slices.Contains(test.later, s.CongestionPhase) {
			t.Errorf("%v is in %q after two seconds, want one of %q", test.control, s.CongestionPhase, test.later)
		}
		if rate := s.PacingRate * 8 / 1e6; rate < 1 || rate > 40 || s.MinRTT < 40*ms || s.MinRTT > 60*ms {
			t.Errorf("%v: pacing at %.1f Mbit/s of 10, least round trip %v of 40 ms", test.control, rate, s.MinRTT)
		}
	}
}

func TestColdStart(t *testing.T) {
	p := newBottleneck(t, 100, 100*ms, 1, 0, BBR)
	p.bulk(0)
	p.net.Run(func() bool { return p.to[0].got >= 10e6 }, time.Minute)
	p.atMost("10 MB", p.net.Now().Sub(epoch()), 1800*ms)
}

func TestDeepQueueStaysEmpty(t *testing.T) {
	p := newBottleneck(t, 100, 40*ms, 4, 0, BBR)
	p.bulk(0)
	p.run(10 * time.Second)
	p.atMost("median wait in a queue of four bandwidth-delay products", p.queued(0), 40*ms)
}

// After fifty losses in a row the user has what he would have had, but for a
// tenth, within three round trips.
func TestBurstOfLosses(t *testing.T) {
	p := newBottleneck(t, 100, 40*ms, 1, 0, BBR)
	p.bulk(0)
	p.run(5 * time.Second)
	p.to[0].lose = 50
	p.net.Run(func() bool { return p.to[0].lose == 0 }, time.Second)
	lost, before := p.net.Now(), p.to[0].got
	p.run(40 * ms)
	behind := func() bool {
		return float64(p.to[0].got-before)*8 < 0.9*90e6*p.net.Now().Sub(lost).Seconds()
	}
	for behind() && p.net.Now().Sub(lost) < time.Second {
		p.run(ms)
	}
	p.atMost("back at the rate", p.net.Now().Sub(lost), 120*ms)
}

// Two flows share a bottleneck: ours among themselves nearly alike, and NewReno is
// left what it can take. Where a round trip is long it takes minutes to speed up,
// and so it begins there.
func TestFairness(t *testing.T) {
	for _, link := range []struct {
		mbits         int
		rtt           time.Duration
		first, second CongestionControl
		later         time.Duration // how much the second begins
		settle, watch time.Duration
	}{
		{10, 10 * ms, BBR, BBR, 500 * ms, 15, 10},
		{10, 40 * ms, BBR, BBR, 1400 * ms, 15, 10},
		{10, 200 * ms, BBR, BBR, 1900 * ms, 40, 10},
		{100, 10 * ms, BBR, BBR, 500 * ms, 10, 5},
		{100, 40 * ms, BBR, BBR, 500 * ms, 15, 10},
		{100, 40 * ms, BBR, BBR, 1700 * ms, 15, 10},
		{100, 200 * ms, BBR, BBR, 500 * ms, 40, 10},
		{1000, 10 * ms, BBR, BBR, 500 * ms, 3, 2},
		{1000, 40 * ms, BBR, BBR, 500 * ms, 4, 2},
		{10, 10 * ms, BBR, NewReno, 500 * ms, 15, 10},
		{10, 40 * ms, BBR, NewReno, 500 * ms, 15, 10},
		{10, 200 * ms, NewReno, BBR, 500 * ms, 40, 10},
		{100, 10 * ms, BBR, NewReno, 500 * ms, 10, 5},
		{100, 40 * ms, BBR, NewReno, 1000 * ms, 15, 10},
		{100, 200 * ms, NewReno, BBR, 1900 * ms, 40, 10},
		{1000, 10 * ms, BBR, NewReno, 500 * ms, 3, 2},
	} {
		if testing.Short() && (link.mbits > 100 || link.rtt > 100*ms) {
			continue
		}
		t.Run(fmt.Sprintf("%d Mbit/s, %v, %v and %v after %v", link.mbits, link.rtt, link.first, link.second, link.later), func(t *testing.T) {
			t.Parallel()
			p := newBottleneck(t, link.mbits, link.rtt, 1, 0, link.first, link.second)
			p.bulk(0)
			p.run(link.later)
			p.bulk(1)
			p.run(link.settle * time.Second)
			before := p.to[1].got
			x := p.goodput(0, link.watch*time.Second)
			y := float64(p.to[1].got-before) * 8 / float64(link.watch) / 1e6
			t.Logf("%.1f and %.1f Mbit/s", x, y)
			p.atLeast("the share of the first", x/(x+y), 0.25)
			p.atLeast("the share of the second", y/(x+y), 0.25)
			if link.first == link.second {
				p.atLeast("Jain's index", (x+y)*(x+y)/(2*(x*x+y*y)), 0.9)
			}
			p.atLeast("both together", (x+y)/float64(link.mbits), 0.85)
		})
	}
}

// A small message that is sent once is not held up by those that were lost.
func TestSmallMessageLatency(t *testing.T) {
	p := newBottleneck(t, 100, 40*ms, 1, 0.01, BBR)
	p.net.After(0, func() { p.from[0].Connect(p.net.Now()) })
	p.run(time.Second)
	var sent, took []time.Duration
	p.to[0].onData = func(m Received) { took = append(took, p.net.Now().Sub(epoch())-sent[m.PPID]) }
	for range 3000 {
		p.net.After(0, func() {
			sent = append(sent, p.net.Now().Sub(epoch()))
			p.from[0].Send(p.net.Now(), Message{PPID: uint32(len(sent) - 1), Data: make([]byte, 100), Unordered: true, Limited: true})
		})
		p.run(10 * ms)
	}
	slices.Sort(took)
	p.atLeast("messages that arrived", float64(len(took)), 2900)
	p.atMost("their 99th percentile", took[len(took)*99/100], 25*ms)
}

// A paced transfer with losses allocates nothing either.
func TestPacedTransferAllocatesNothing(t *testing.T) {
	p := newBottleneck(t, 100, 40*ms, 1, 0.01, BBR)
	p.bulk(0)
	p.run(8 * time.Second)
	p.to[0].delays = make([]time.Duration, 0, 1<<20)
	if n := testing.AllocsPerRun(200, func() { p.run(10 * ms) }); n != 0 {
		t.Errorf("10 ms of transfer: %v allocations", n)
	}
}

// The receive window grows to what the path holds, but only while the user takes
// what comes, and not where it is large enough.
func TestReceiveWindowGrows(t *testing.T) {
	for _, test := range []struct {
		rtt   time.Duration
		bytes int // that the user takes, each round trip
		want  int
		why   string
	}{
		{100 * ms, 4 << 20, 16 << 20, "up to MaxReceiveWindow"},
		{100 * ms, 1 << 20, 4 << 20, "to four times what is taken in a round trip"},
		{100 * ms, 100 << 10, 1 << 20, "it is large enough"},
		{2 * ms, 4 << 20, 1 << 20, "the path is short"},
	} {
		w := window{limit: 1 << 20, most: 16 << 20}
		now := epoch()
		for range 50 {
			w.released(now, test.bytes/2, test.rtt)
			now = now.Add(test.rtt / 2)
		}
		if w.limit > test.want*5/4 || w.limit < test.want {
			t.Errorf("the window is %d, want %d: %s", w.limit, test.want, test.why)
		}
	}
}
