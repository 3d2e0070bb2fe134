package peerconnection

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/internal/trace"
)

// Two whole stacks on a simulated network and virtual time: everything but the
// shell. A failing seed is printed; "go test ./peerconnection -run Simulation
// -seed N -v" replays it to the byte, with its trace.

var (
	oneSeed   = flag.Uint64("seed", 0, "run this seed of the simulation alone")
	seedCount = flag.Int("seeds", 1000, "how many seeds the simulation runs")
)

var simStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A simPeer is a core as a node of the network.
type simPeer struct {
	pc  *PeerConnection
	app func(now time.Time) // what the application does after anything that happens
	// plain: its descriptions have no INIT chunk, as those of most peers.
	plain bool
	mtu   int // of its interface, if known
	told  ice.Path
}

func (p *simPeer) Receive(now time.Time, local, remote netip.AddrPort, b []byte) {
	p.pc.core.Receive(now, ice.Path{Local: local, Remote: remote}, b)
	p.app(now)
}

func (p *simPeer) Advance(now time.Time) {
	p.pc.core.Advance(now)
	p.app(now)
}

func (p *simPeer) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	if p.told != p.pc.core.selected {
		p.told = p.pc.core.selected
		p.pc.core.setLinkMTU(now, p.mtu)
	}
	b, path := p.pc.core.AppendPacket(now, b)
	if len(b) == 0 {
		p.pc.core.pump(now)
	}
	return b, path.Local, path.Remote
}

func (p *simPeer) MayFragment() bool { return p.pc.core.mayFragment }

func (p *simPeer) NextTimeout() time.Time { return p.pc.core.NextTimeout() }

// replayCrypto makes the one thing replay that does not follow from Config.Rand:
// ML-KEM's encapsulation, for which Go has randomness of its own.
func replayCrypto(t testing.TB) {
	if t, ok := t.(*testing.T); ok {
		cryptotest.SetGlobalRandom(t, 1)
	}
}

// newSimPeer makes a peer whose every random byte comes from the network's seed.
func newSimPeer(t testing.TB, n *netsim.Network, name string, tr *trace.Tracer) *simPeer {
	t.Helper()
	replayCrypto(t)
	rnd := n.Rand(name)
	certificate, err := dtls.GenerateCertificate(rnd, n.Now())
	if err != nil {
		t.Fatal(err)
	}
	pc, err := New(Config{Rand: rnd, Certificate: certificate, Tracer: tr})
	if err != nil {
		t.Fatal(err)
	}
	return &simPeer{pc: pc, app: func(time.Time) {}}
}

// says is what the other side gets of a description.
func (p *simPeer) says(d SessionDescription) SessionDescription {
	if p.plain {
		lines := strings.SplitAfter(d.SDP, "\n")
		d.SDP = strings.Join(slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "a=sctp-init:") }), "")
	}
	return d
}

// exchange carries an offer and an answer in no time.
func (p *simPeer) exchange(t testing.TB, now time.Time, z *simPeer, o *OfferOptions, addrP, addrZ []netip.AddrPort) {
	t.Helper()
	a, b := &p.pc.core, &z.pc.core
	offer, err := a.createOffer(o)
	if err == nil {
		err = a.setLocalDescription(now, offer)
	}
	if err == nil && addrP != nil {
		a.gather(now, addrP, false)
	}
	if err == nil {
		err = b.setRemoteDescription(now, p.says(*a.localDescription()))
	}
	var answer SessionDescription
	if err == nil {
		answer, err = b.createAnswer()
	}
	if err == nil {
		err = b.setLocalDescription(now, answer)
	}
	if err == nil && addrZ != nil {
		b.gather(now, addrZ, false)
	}
	if err == nil {
		err = a.setRemoteDescription(now, z.says(*b.localDescription()))
	}
	if err != nil {
		t.Fatal(err)
	}
}

var (
	addrA = netip.MustParseAddrPort("192.0.2.1:1000")
	addrZ = netip.MustParseAddrPort("10.0.0.2:2000")
	home  = netip.MustParseAddr("198.51.100.1")
)

// On a path of 100 ms round trip without loss a channel is open, and its first
// message there, after the round trips that the protocols need and no other:
// one for the check and its answer, one and a half for DTLS 1.3, whose client is
// done with its own last flight. With SNAP that is all; without it SCTP needs one
// and a half more, and its first packet goes with that flight.
func TestRoundTripsToAnOpenChannel(t *testing.T) {
	for plain, most := range map[bool]float64{false: 2.6, true: 3.6} {
		n := netsim.New(1, simStart)
		// Half the delay on the way up, half on the way down.
		link := netsim.Profile{Delay: 25 * time.Millisecond}
		a, z := newSimPeer(t, n, "a", nil), newSimPeer(t, n, "z", nil)
		a.plain = plain
		zAddr := netip.MustParseAddrPort("192.0.2.2:2000")
		n.AddHost(a, link, addrA.Addr())
		n.AddHost(z, link, zAddr.Addr())
		da, err := a.pc.CreateDataChannel("test", nil)
		if err != nil {
			t.Fatal(err)
		}
		a.exchange(t, n.Now(), z, nil, []netip.AddrPort{addrA}, []netip.AddrPort{zAddr})
		open := n.Run(func() bool { return da.state == DataChannelOpen }, 10*time.Second)
		roundTrips := float64(n.Now().Sub(simStart)) / float64(100*time.Millisecond)
		if !open || roundTrips > most {
			t.Errorf("without SNAP: %v: the channel is open: %v, after %.2f round trips", plain, open, roundTrips)
		}
		t.Logf("without SNAP: %v: the channel is open after %.2f round trips", plain, roundTrips)
	}
}

// A simChannel is one channel of the simulation, and what each end has received.
type simChannel struct {
	ordered, reliable bool
	ends              [2]*DataChannel
	sent              [2]int // messages sent by each end
	got               [2][]uint32
}

// simMessage is message number i of one end: any size, content told by number.
func simMessage(seed uint64, channel, end, i int) []byte {
	r := rand.New(rand.NewPCG(seed, uint64(channel)<<40|uint64(end)<<32|uint64(i)))
	size := 4 + r.IntN(300)
	if r.IntN(8) == 0 {
		size = 4 + r.IntN(20000)
	}
	b := make([]byte, size)
	binary.BigEndian.PutUint32(b, uint32(i))
	for j := 4; j < len(b); j++ {
		b[j] = byte(r.Uint32())
	}
	return b
}

// simulate runs one seed: set-up, messages both ways on several channels over a
// bad network behind a NAT that rebinds, an ICE restart, and the end. It returns
// the network's hash.
func simulate(t *testing.T, seed uint64, sink trace.Sink) (hash string) {
	n := netsim.New(seed, simStart)
	dice := rand.New(n.Rand("dice"))
	var tracers [2]*trace.Tracer
	if sink != nil {
		tracers = [2]*trace.Tracer{trace.New(sink, "a"), trace.New(sink, "z")}
	}
	a, z := newSimPeer(t, n, "a", tracers[0]), newSimPeer(t, n, "z", tracers[1])
	a.plain, z.plain = dice.IntN(4) == 0, dice.IntN(4) == 0
	profile := netsim.Adverse(dice, 0.3)
	mtus := []int{0, 1280, 1500, 9000}
	a.mtu, z.mtu, profile.MTU = mtus[dice.IntN(4)], mtus[dice.IntN(4)], mtus[dice.IntN(4)]
	host := n.AddHost(a, profile, addrA.Addr())
	n.After(time.Duration(dice.Int64N(int64(8*time.Second))), func() { host.Up.Profile.MTU = mtus[1+dice.IntN(3)] })
	gateway := n.AddNAT(netsim.NAT{}, netsim.Profile{}, home)
	gateway.AddHost(z, netsim.Profile{}, addrZ.Addr())

	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("seed %d: %s\nafter %v, over %+v\na: %v, ICE %v, DTLS %v; z: %v, ICE %v, DTLS %v", seed, fmt.Sprintf(format, args...),
			n.Now().Sub(simStart), profile,
			a.pc.core.state, a.pc.core.iceState, a.pc.core.dtlsState(), z.pc.core.state, z.pc.core.iceState, z.pc.core.dtlsState())
	}

	zero := uint16(0)
	options := []DataChannelOptions{
		{}, {Unordered: true},
		{MaxRetransmits: &zero}, {Unordered: true, MaxPacketLifeTime: 200 * time.Millisecond},
	}
	channels := make([]*simChannel, len(options))
	messages := 5 + dice.IntN(20)
	for i, o := range options {
		c := &simChannel{ordered: !o.Unordered, reliable: i < 2}
		d, err := a.pc.CreateDataChannel(fmt.Sprint(i), &o)
		if err != nil {
			fail("%v", err)
		}
		c.ends[0] = d
		channels[i] = c
	}
	// The application: reads what has come, and keeps a few messages on the way.
	app := func(p *simPeer, end int) func(time.Time) {
		return func(now time.Time) {
			for len(p.pc.core.unaccepted) > 0 {
				d := p.pc.core.acceptChannel()
				channels[d.label[0]-'0'].ends[end] = d
			}
			for number, c := range channels {
				d := c.ends[end]
				if d == nil {
					continue
				}
				for len(d.inbox) > d.inboxRead {
					m := d.inbox[d.inboxRead]
					d.take()
					i := binary.BigEndian.Uint32(m.data)
					if !bytes.Equal(m.data, simMessage(seed, number, 1-end, int(i))) {
						fail("channel %d: message %d has changed on its way", number, i)
					}
					c.got[end] = append(c.got[end], i)
					p.pc.core.release(now, m)
				}
				for d.state == DataChannelOpen && c.sent[end] < messages && d.buffered() < 8<<10 {
					if err := p.pc.core.send(now, d, Binary, simMessage(seed, number, end, c.sent[end])); err != nil {
						fail("channel %d: %v", number, err)
					}
					c.sent[end]++
				}
			}
		}
	}
	a.app, z.app = app(a, 0), app(z, 1)

	a.exchange(t, n.Now(), z, nil, []netip.AddrPort{addrA}, []netip.AddrPort{addrZ})
	// z's address is the NAT's: it changes in mid-call, now and then.
	if dice.IntN(2) == 0 {
		n.After(time.Duration(dice.Int64N(int64(8*time.Second))), func() { gateway.Rebind() })
	}
	if dice.IntN(3) == 0 {
		n.After(3*time.Second+time.Duration(dice.Int64N(int64(5*time.Second))), func() {
			if a.pc.core.dtlsUp && z.pc.core.dtlsUp && a.pc.core.signaling == SignalingStable {
				a.exchange(t, n.Now(), z, &OfferOptions{ICERestart: true}, nil, nil)
			}
		})
	}

	// A path that is silent for too long fails: then, as an application would,
	// ICE is restarted.
	var watch func()
	watch = func() {
		if (a.pc.core.state == ConnectionFailed || z.pc.core.state == ConnectionFailed) && a.pc.core.signaling == SignalingStable {
			a.exchange(t, n.Now(), z, &OfferOptions{ICERestart: true}, nil, nil)
		}
		n.After(2*time.Second, watch)
	}
	n.After(2*time.Second, watch)

	done := func() bool {
		for _, c := range channels {
			for end := range c.ends {
				if c.ends[end] == nil || c.sent[end] < messages || c.ends[end].buffered() > 0 ||
					c.reliable && len(c.got[1-end]) < messages {
					return false
				}
			}
		}
		return true
	}
	if !n.Run(done, 10*time.Minute) {
		for number, c := range channels {
			t.Logf("channel %d: sent %v, received %d and %d", number, c.sent, len(c.got[1]), len(c.got[0]))
		}
		fail("not every message has come")
	}
	for number, c := range channels {
		for end, got := range c.got {
			sorted := slices.Clone(got)
			slices.Sort(sorted)
			if len(slices.Compact(sorted)) != len(got) {
				fail("channel %d: a message came twice: %v", number, got)
			}
			if c.ordered && !slices.IsSorted(got) {
				fail("channel %d: messages came out of order: %v", number, got)
			}
			if c.reliable && len(got) != c.sent[1-end] {
				fail("channel %d: %d of %d messages came", number, len(got), c.sent[1-end])
			}
		}
	}

	// The end, from one side: both ends agree on it.
	a.pc.core.closeChannel(n.Now(), channels[0].ends[0])
	if !n.Run(func() bool {
		return channels[0].ends[0].state == DataChannelClosed && channels[0].ends[1].state == DataChannelClosed
	}, 5*time.Minute) {
		fail("a closed channel stays %v and %v", channels[0].ends[0].state, channels[0].ends[1].state)
	}
	if a.pc.core.state != ConnectionConnected || z.pc.core.state != ConnectionConnected {
		// A lossy path may be silent for some seconds: wait for its recovery.
		if !n.Run(func() bool {
			return a.pc.core.state == ConnectionConnected && z.pc.core.state == ConnectionConnected
		}, time.Minute) {
			fail("not connected in the end")
		}
	}
	if a.pc.core.sctp.Buffered()+z.pc.core.sctp.Buffered() != 0 {
		fail("bytes are still buffered")
	}
	return n.Hash()
}

func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		recorder := new(trace.Recorder)
		defer func() { t.Log("\n" + recorder.String()) }()
		simulate(t, *oneSeed, recorder)
		return
	}
	seeds := *seedCount
	if testing.Short() {
		seeds = min(seeds, 20)
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed+1), func(t *testing.T) { simulate(t, seed+1, nil) })
	}
}

// The same seed gives the same bytes, traced or not.
func TestSimulationIsDeterministic(t *testing.T) {
	for seed := range uint64(10) {
		first := simulate(t, seed+1, nil)
		if again := simulate(t, seed+1, new(trace.Recorder)); again != first {
			t.Errorf("seed %d: hash %.16s, and %.16s when it is run again", seed+1, first, again)
		}
	}
}

// A set-up on a perfect path reads like the protocols' figures.
func TestSetUpTranscript(t *testing.T) {
	recorder := new(trace.Recorder)
	n := netsim.New(7, simStart)
	a, z := newSimPeer(t, n, "a", trace.New(recorder, "a")), newSimPeer(t, n, "z", trace.New(recorder, "z"))
	zAddr := netip.MustParseAddrPort("192.0.2.2:2000")
	n.AddHost(a, netsim.Profile{Delay: 5 * time.Millisecond}, addrA.Addr())
	n.AddHost(z, netsim.Profile{Delay: 5 * time.Millisecond}, zAddr.Addr())
	d, err := a.pc.CreateDataChannel("test", nil)
	if err != nil {
		t.Fatal(err)
	}
	a.exchange(t, n.Now(), z, nil, []netip.AddrPort{addrA}, []netip.AddrPort{zAddr})
	n.Run(func() bool { return d.state == DataChannelOpen && len(z.pc.core.unaccepted) > 0 }, time.Second)
	transcript := recorder.String()
	at := 0
	for _, fact := range []string{"new → checking", "checking → connected", "→ established", "connecting → connected", "data channel open"} {
		i := strings.Index(transcript[at:], fact)
		if i < 0 {
			t.Fatalf("after byte %d nothing says %q:\n%s", at, fact, transcript)
		}
		at += i
	}
}
