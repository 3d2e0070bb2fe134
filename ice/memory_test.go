package ice_test

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/ice"
)

// A pairOfAgents talks without a network: what one has to say, the other hears.
type pairOfAgents struct {
	now    time.Time
	agents [2]*ice.Agent
	buffer []byte
}

func (p *pairOfAgents) exchange() {
	for quiet := false; !quiet; {
		quiet = true
		for i, a := range p.agents {
			for {
				packet, path := a.AppendPacket(p.now, p.buffer[:0])
				if len(packet) == 0 {
					break
				}
				p.buffer, quiet = packet, false
				p.agents[1-i].Receive(p.now, ice.Path{Local: path.Remote, Remote: path.Local}, packet)
			}
		}
	}
}

// pass lets time pass, in steps of a millisecond until the next timeout.
func (p *pairOfAgents) pass(d time.Duration) {
	for until := p.now.Add(d); p.now.Before(until); {
		next := until
		for _, a := range p.agents {
			if t := a.NextTimeout(); !t.IsZero() && t.Before(next) {
				next = t
			}
		}
		p.now = later(p.now, next)
		for _, a := range p.agents {
			a.Advance(p.now)
		}
		p.exchange()
	}
}

// connect makes two agents with that many addresses each, and connects them.
func connect(t testing.TB, addresses int) *pairOfAgents {
	p := &pairOfAgents{now: start, buffer: make([]byte, 0, 1500)}
	for i := range p.agents {
		a := ice.New(ice.Config{Rand: rand.NewChaCha8([32]byte{byte(i)})})
		for n := range addresses {
			addr := netip.AddrFrom4([4]byte{192, 0, byte(n), byte(1 + i)})
			if n%2 == 0 {
				addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 14: byte(n), 15: byte(1 + i)})
			}
			a.AddLocalAddress(p.now, netip.AddrPortFrom(addr, 5000), ice.LocalOptions{})
		}
		p.agents[i] = a
	}
	p.agents[0].SetControlling(true)
	for i, a := range p.agents {
		for _, c := range p.agents[1-i].LocalCandidates() {
			a.AddRemoteCandidate(p.now, c)
		}
		a.SetRemoteCredentials(p.now, p.agents[1-i].LocalCredentials())
	}
	p.exchange()
	p.pass(time.Second)
	for _, a := range p.agents {
		for ok := true; ok; _, ok = a.NextEvent() {
		}
		if a.State() != ice.StateCompleted {
			t.Fatalf("the agent is %v", a.State())
		}
	}
	return p
}

// A consent check, its response and the next one allocate nothing.
func TestConsentAllocatesNothing(t *testing.T) {
	p := connect(t, 2)
	p.pass(30 * time.Second)
	sent := p.agents[0].Stats().ChecksSent
	n := testing.AllocsPerRun(100, func() { p.pass(10 * time.Second) })
	if n != 0 {
		t.Errorf("ten seconds of a connected pair allocate %v times", n)
	}
	if d := p.agents[0].Stats().ChecksSent - sent; d < 150 || d > 260 {
		t.Errorf("%d checks in 1010 seconds, where one in 4 to 6 seconds is due", d)
	}
}

// A connected agent is small: the check list is gone but for what may be needed.
func TestIdleAgentIsSmall(t *testing.T) {
	for _, test := range []struct {
		addresses, limit int
	}{{1, 4096}, {2, 6144}, {8, 16384}} {
		const n = 100
		heap := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		var pairs [n]*pairOfAgents
		before := heap()
		for i := range pairs {
			pairs[i] = connect(t, test.addresses)
			pairs[i].buffer = nil
		}
		perAgent := int(heap()-before) / (2 * n)
		t.Logf("%d addresses: %d bytes an agent", test.addresses, perAgent)
		if perAgent > test.limit {
			t.Errorf("an idle agent with %d addresses takes %d bytes, want at most %d", test.addresses, perAgent, test.limit)
		}
		runtime.KeepAlive(&pairs)
	}
}

func BenchmarkConsent(b *testing.B) {
	p := connect(b, 2)
	b.ReportAllocs()
	before := p.agents[0].Stats().ChecksSent + p.agents[1].Stats().ChecksSent
	for b.Loop() {
		p.pass(5 * time.Second)
	}
	b.ReportMetric(float64(p.agents[0].Stats().ChecksSent+p.agents[1].Stats().ChecksSent-before)/float64(b.N), "checks/op")
}

func BenchmarkConnect(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		connect(b, 2)
	}
}

// AppendPacket and NextTimeout are asked after every datagram of a call.
func BenchmarkNothingToSend(b *testing.B) {
	p := connect(b, 2)
	b.ReportAllocs()
	path, _ := p.agents[0].SelectedPath()
	for b.Loop() {
		p.agents[0].SeenData(p.now, path, 100)
		p.agents[0].AppendPacket(p.now, nil)
		p.agents[0].NextTimeout()
	}
}
