package sctp

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// probing is the configuration of an end whose interface carries IP packets of mtu
// bytes.
func probing(mtu int) Config {
	const headers = 28 + belowSCTP
	return Config{MaxMTU: mtu - headers, Headers: headers}
}

// mtuPath is a path whose one link has an MTU, and ends whose interfaces carry
// 9000 bytes.
func mtuPath(t *testing.T, mtu int, loss float64) *bottleneck {
	p := newBottleneckOf(t, 1, 100, 40*ms, 1, loss, probing(9000))
	p.down.Profile.MTU = mtu
	return p
}

// expect holds the path MTU to that of the link, in IP packets.
func (p *bottleneck) expect(state MTUState, mtu int) {
	p.t.Helper()
	s := p.from[0].Stats()
	if s.MTUState != state || s.PathMTU != (mtu-28-belowSCTP)&^3 {
		p.t.Errorf("the state is %v, and packets are of %d bytes; want %v and %d", s.MTUState, s.PathMTU, state, (mtu-28-belowSCTP)&^3)
	}
}

func TestPathMTU(t *testing.T) {
	for _, link := range []struct {
		mtu, found int
		loss       float64
	}{
		{1280, 1280, 0}, {1500, 1500, 0}, {9000, 9000, 0}, {65535, 9000, 0},
		{1492, 1492, 0}, {1430, 1420, 0}, {1280, 1280, 0.01}, {1500, 1500, 0.02},
	} {
		p := mtuPath(t, link.mtu, link.loss)
		p.down.Profile.Rate, p.down.Profile.Queue = 20e6, 400e3
		p.bulk(0)
		p.run(4 * time.Second)
		p.expect(MTUSearchComplete, link.found)
		s := p.from[0].Stats()
		if s.Timeouts > 0 {
			t.Errorf("MTU %d: T3-rtx expired %d times", link.mtu, s.Timeouts)
		}
		if link.loss == 0 && s.Retransmissions > 0 {
			t.Errorf("MTU %d: %d chunks were sent again, although only probes were lost", link.mtu, s.Retransmissions)
		}
		p.run(5 * time.Second)
		if more := p.down.Counters().TooBig; link.loss == 0 && more > 4*maxProbes {
			t.Errorf("MTU %d: %d probes were lost: a binary search takes fewer", link.mtu, more)
		}
	}
}

// What Ethernet carries of user data is 94.4 of 100 Mbit/s, in packets of this
// size and under DTLS 1.3.
func TestGoodputOfEthernet(t *testing.T) {
	const dtls13 = 22
	p := newBottleneckOf(t, 1, 100, 40*ms, 1, 0, Config{MaxMTU: 1500 - 28 - dtls13, Headers: 28 + dtls13})
	p.sink.below, p.hosts[0].below = dtls13, dtls13
	p.bulk(0)
	p.run(5 * time.Second)
	p.atLeast("goodput of 100 Mbit/s", p.goodput(0, 10*time.Second), 93)
}

// The path's MTU shrinks in mid-transfer, and nobody says so: a black hole for
// large packets. What was cut for it goes on in fragments, what is new is small,
// and the search finds the new MTU.
func TestBlackHole(t *testing.T) {
	for _, mtu := range []int{1280, 1500} {
		p := mtuPath(t, 9000, 0)
		p.bulk(0)
		p.run(5 * time.Second)
		p.expect(MTUSearchComplete, 9000)
		p.down.Profile.MTU = mtu
		p.net.Run(func() bool { return p.from[0].PathMTU() < 2000 }, 2*time.Second)
		p.expect(MTUBase, 1160+28+belowSCTP)
		p.atMost("found after", p.net.Now().Sub(epoch())-5*time.Second, 600*ms)
		p.run(4 * time.Second)
		p.expect(MTUSearchComplete, mtu)
		if p.down.Counters().Fragmented == 0 {
			t.Error("no chunk that was too large came through in fragments")
		}
		p.atLeast("goodput then", p.goodput(0, 3*time.Second), 80)
	}
}

// The same where small packets go on to arrive, so that T3-rtx need not expire.
func TestBlackHoleBesideSmallMessages(t *testing.T) {
	p := mtuPath(t, 9000, 0)
	p.bulk(0)
	p.run(3 * time.Second)
	p.down.Profile.MTU = 1500
	for range 1000 {
		p.net.After(0, func() {
			p.from[0].Send(p.net.Now(), Message{Stream: 1, Data: make([]byte, 100), Unordered: true})
		})
		p.run(5 * ms)
	}
	p.expect(MTUSearchComplete, 1500)
}

// Not even packets of Config.MTU pass: smaller ones do, and when the path carries
// them again, that is found out too.
func TestNarrowPath(t *testing.T) {
	p := mtuPath(t, 9000, 0)
	p.bulk(0)
	p.run(3 * time.Second)
	p.down.Profile.MTU = 1000
	p.run(6 * time.Second)
	p.expect(MTUError, minPLPMTU)
	p.atLeast("goodput in packets of 576 bytes", p.goodput(0, time.Second), 1)
	p.down.Profile.MTU = 1500
	p.run(20 * time.Second)
	p.expect(MTUSearchComplete, 1500)
}

// A path that grows is found out about after PMTU_RAISE_TIMER.
func TestPathMTURaised(t *testing.T) {
	p := mtuPath(t, 1500, 0)
	p.down.Profile.Rate, p.down.Profile.Queue = 1e6, 1e5 // not to take so long here
	p.bulk(0)
	p.run(30 * time.Second)
	p.expect(MTUSearchComplete, 1500)
	p.down.Profile.MTU = 4200
	p.run(500 * time.Second)
	p.expect(MTUSearchComplete, 1500)
	p.run(200 * time.Second)
	p.expect(MTUSearchComplete, 4096)
}

// Who has little to say, or nothing, does not probe.
func TestNoProbesWithoutData(t *testing.T) {
	p := newPipe(t, probing(9000), probing(9000))
	p.fate = func(_ *Association, b []byte) (int, time.Duration) {
		if bytes.Contains(b, []byte{byte(typePad), 0}) && len(b) > 1200 {
			t.Errorf("a probe was sent: %s", Describe(b))
		}
		return 1, 0
	}
	p.connect()
	for range 100 {
		p.send(p.a, Message{Data: make([]byte, 2000)})
		p.run(20 * ms)
	}
	p.run(time.Hour)
}

// A peer that does not answer probes, because it does not know PAD chunks, gets
// small packets, and all of them.
func TestPeerWithoutPad(t *testing.T) {
	p := newPipe(t, probing(9000), Config{})
	probes := 0
	p.fate = func(_ *Association, b []byte) (int, time.Duration) {
		if b[headerSize] == byte(typePad) {
			probes++
			return 0, 0
		}
		return 1, 0
	}
	p.connect()
	for range 100 {
		p.send(p.a, Message{Data: make([]byte, 64<<10)})
		p.run(20 * ms)
	}
	p.run(10 * time.Second)
	if s := p.a.Stats(); s.MTUState != MTUSearchComplete || s.PathMTU != 1160 || len(p.got[p.z]) != 100 || probes > 5*maxProbes {
		t.Errorf("the state is %v, packets are of %d bytes, %d of 100 messages arrived, %d probes were sent", s.MTUState, s.PathMTU, len(p.got[p.z]), probes)
	}
}

// A probe that was cut short on the way is not answered: the HEARTBEAT is its end.
func TestProbeCutShort(t *testing.T) {
	p := newPipe(t, probing(9000), Config{DTLS: true})
	p.connect()
	p.a.pmtud.size, p.a.pmtud.nonce = 9000, 1
	b := p.a.appendProbe(p.now, nil)
	clear(b[8:12]) // as if without checksum
	if len(b) != 9000 || Describe(b) != "PAD[8964] + HEARTBEAT" {
		t.Fatalf("the probe is %d bytes: %s", len(b), Describe(b))
	}
	p.z.Receive(p.now, b[:8192])
	if b := p.z.AppendPacket(p.now, nil); len(b) > 0 {
		t.Errorf("the answer is %s", Describe(b))
	}
	p.z.Receive(p.now, b)
	if b := p.z.AppendPacket(p.now, nil); Describe(b) != "HEARTBEAT ACK" {
		t.Errorf("the answer to the whole of it is %s", Describe(b))
	}
}

// A path of another interface is searched anew; what was cut for the one before
// arrives all the same.
func TestPathMTUAfterPathChanged(t *testing.T) {
	p := newPipe(t, probing(9000), Config{ReceiveWindow: 1 << 20})
	oversized := 0
	p.fate = func(x *Association, b []byte) (int, time.Duration) {
		if x == p.a && x.MayFragment() {
			oversized++
		}
		return 1, 0
	}
	p.connect()
	for range 30 {
		p.send(p.a, Message{Data: make([]byte, 100<<10)})
		p.run(10 * ms)
	}
	if p.a.PathMTU() != probing(9000).MaxMTU&^3 {
		t.Fatalf("packets are of %d bytes", p.a.PathMTU())
	}
	// What is under way is lost with the old path.
	p.send(p.a, Message{Data: make([]byte, 100<<10)})
	p.run(5 * ms)
	p.flight = nil
	p.a.PathChanged(p.now)
	p.a.SetMaxMTU(p.now, probing(1500).MaxMTU, probing(1500).Headers)
	if p.a.PathMTU() != 1160 {
		t.Errorf("packets are of %d bytes on a path that nothing is known of", p.a.PathMTU())
	}
	for range 30 {
		p.send(p.a, Message{Data: make([]byte, 100<<10)})
		p.run(10 * ms)
	}
	p.run(10 * time.Second)
	if len(p.got[p.z]) != 61 || p.a.PathMTU() != probing(1500).MaxMTU&^3 || oversized == 0 {
		t.Errorf("%d of 61 messages arrived, packets are of %d bytes, %d were sent to be fragmented", len(p.got[p.z]), p.a.PathMTU(), oversized)
	}
}

// A HEARTBEAT ACK that answers no probe changes nothing.
func TestForgedProbeAnswer(t *testing.T) {
	p := newPipe(t, probing(9000), Config{})
	p.connect()
	p.a.pmtud.size, p.a.pmtud.nonce = 9000, 12345
	info := binary.BigEndian.AppendUint64(nil, 54321)
	info = binary.BigEndian.AppendUint32(info, 60000)
	b := appendChunk(p.z.header(p.a.localTag).append(nil), typeHeartbeatAck, 0, appendParam(nil, paramHeartbeatInfo, info))
	fillChecksum(b)
	p.a.Receive(p.now, b)
	if p.a.PathMTU() != 1160 || p.a.Stats().PacketsDropped != 1 {
		t.Errorf("packets are of %d bytes now", p.a.PathMTU())
	}
}
