package session

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "run only this seed of the simulation")
	simSeeds = flag.Int("sim.seeds", 1000, "how many seeds the simulation runs")
)

// TestSimulation sends video and audio over networks that lose 5 to 20 % of the packets both
// ways, reorder and duplicate them. Every packet of video arrives, once, within a bounded
// time, or is given up and counted, and then a key frame comes; frames come in order, and none
// that depends on one which is missing.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		simulate(t, *simSeed)
		return
	}
	seeds := *simSeeds
	if testing.Short() {
		seeds = min(seeds, 100)
	}
	var all outcome
	for seed := range uint64(seeds) {
		seed++
		first := simulate(t, seed)
		if t.Failed() {
			t.Fatalf("seed %d; repeat with -sim.seed=%d", seed, seed)
		}
		all.sent, all.lost = all.sent+first.sent, all.lost+first.lost
		all.frames, all.missed = all.frames+first.frames, all.missed+first.missed
		if seed%20 == 0 {
			if again := simulate(t, seed); again != first {
				t.Fatalf("seed %d sent other bytes the second time", seed)
			}
		}
	}
	t.Logf("%d packets, %d given up; %d frames, %d not shown", all.sent, all.lost, all.frames, all.missed)
	if all.lost*1000 > all.sent {
		t.Errorf("%d of %d packets were given up, want less than one in a thousand", all.lost, all.sent)
	}
	if all.missed*25 > all.frames {
		t.Errorf("%d frames were not shown, and %d were, want less than one in twenty-five", all.missed, all.frames)
	}
}

// An outcome is what two runs of a seed must have in common.
type outcome struct {
	hash           string
	sent, lost     int // packets, in runs by packet; lost: given up
	frames, missed int // in runs by frame
}

// A caller is a host with a session.
type caller struct {
	*Session
	local, remote netip.AddrPort
	video, audio  *Sender
	keyframe      bool // the peer asked for one
	onStream      func(now time.Time, st *Stream)
}

func (c *caller) Receive(now time.Time, _, _ netip.AddrPort, b []byte) {
	if rtcp.Is(b) {
		c.ReceiveRTCP(now, b)
	} else {
		c.ReceiveRTP(now, b)
	}
	c.drain(now)
}

func (c *caller) Advance(now time.Time) {
	c.Session.Advance(now)
	c.drain(now)
}

func (c *caller) drain(now time.Time) {
	for e, ok := c.NextEvent(); ok; e, ok = c.NextEvent() {
		switch e := e.(type) {
		case KeyframeRequested:
			c.keyframe = true
		case StreamStarted:
			if c.onStream != nil {
				c.onStream(now, e.Stream)
			}
		}
	}
	for st, ok := c.NextStream(); ok; st, ok = c.NextStream() {
		c.onStream(now, st)
	}
}

func (c *caller) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort, netip.AddrPort) {
	return c.Session.AppendPacket(now, b), c.local, c.remote
}

// simFrame is a frame of VP8 that has its number in it.
func simFrame(dice *rand.Rand, number uint32, key bool) []byte {
	size := 20 + dice.IntN(4000)
	if key {
		size *= 3
	}
	b := vp8Frame(size, key)
	binary.BigEndian.PutUint32(b[4:], number)
	return b
}

func simulate(t *testing.T, seed uint64) outcome {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	net := netsim.New(seed, start)
	dice := rand.New(net.Rand("test"))
	profile := netsim.Profile{
		Delay:     time.Duration(1+dice.IntN(50)) * time.Millisecond / 2,
		Jitter:    time.Duration(dice.IntN(5)) * time.Millisecond,
		Loss:      0.025 + 0.075*dice.Float64(), // on each of two links
		Duplicate: 0.02,
		Reorder:   0.05,
		ReorderBy: time.Duration(1+dice.IntN(20)) * time.Millisecond,
	}
	a := &caller{local: netip.MustParseAddrPort("192.0.2.1:1"), remote: netip.MustParseAddrPort("192.0.2.2:2")}
	z := &caller{local: a.remote, remote: a.local}
	for name, c := range map[string]*caller{"a": a, "z": z} {
		c.Session = New(Config{Rand: net.Rand(name), CNAME: name})
		for _, o := range testSections() {
			o.Extensions.Set(rtp.ExtTransportSequence, idSequence)
			if err := c.Configure(start, o); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, mid := range []string{"a", "v"} {
		x, err := a.AddSender(start, mid, []Encoding{{Active: true}})
		if err != nil {
			t.Fatal(err)
		}
		if a.audio == nil {
			a.audio = x
		} else {
			a.video = x
		}
	}
	byFrame := seed%2 == 0 // otherwise by packet

	written := map[uint16]time.Time{} // packets of video
	arrived := map[uint16]bool{}
	const bound = maxMissingAge + 200*time.Millisecond
	var late time.Duration
	frames, last := 0, uint32(0)
	z.onStream = func(now time.Time, st *Stream) {
		if st.Kind == Video && byFrame {
			st.Deliver(now, Frames)
		} else {
			st.Deliver(now, Packets)
		}
		for p, ok := st.NextPacket(); ok; p, ok = st.NextPacket() {
			if st.Kind != Video {
				continue
			}
			if arrived[p.SequenceNumber()] {
				t.Errorf("packet %d was delivered twice", p.SequenceNumber())
			}
			arrived[p.SequenceNumber()] = true
			late = max(late, now.Sub(written[p.SequenceNumber()]))
		}
		for f, ok := st.NextFrame(now); ok; f, ok = st.NextFrame(now) {
			frames++
			number := binary.BigEndian.Uint32(f.Data[4:])
			if number != last+1 && !f.KeyFrame {
				t.Errorf("frame %d follows %d and is no key frame: it cannot be decoded", number, last)
			}
			if number <= last {
				t.Errorf("frame %d follows %d", number, last)
			}
			last = number
		}
	}
	const count = 90
	n := uint32(0)
	for i := range count {
		net.After(time.Duration(i)*33*time.Millisecond, func() {
			n++
			now := net.Now()
			key := n == 1 || a.keyframe
			a.keyframe = false
			before := a.video.encodings[0].rewrite.next
			if err := a.video.WriteFrame(now, 0, Frame{Data: simFrame(dice, n, key), PTS: now.Sub(start), KeyFrame: key}); err != nil {
				t.Fatal(err)
			}
			for seq := before; seq != a.video.encodings[0].rewrite.next; seq++ {
				written[seq] = now
			}
		})
		for j := range 2 {
			net.After(time.Duration(i)*33*time.Millisecond+time.Duration(j)*16*time.Millisecond, func() {
				now := net.Now()
				if err := a.audio.WriteFrame(now, 0, Frame{Data: make([]byte, 80), PTS: now.Sub(start)}); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	net.AddHost(a, profile, a.local.Addr())
	net.AddHost(z, profile, z.local.Addr())
	net.Run(nil, count*33*time.Millisecond+3*time.Second)

	out := outcome{hash: net.Hash()}
	var st *Stream
	for _, o := range z.Streams() {
		if o.Kind == Video {
			st = o
		}
	}
	if st == nil {
		t.Error("no stream of video started")
		return out
	}
	stats := st.Stats()
	if byFrame {
		out.frames, out.missed = frames, count-frames
		if frames < count/2 {
			t.Errorf("%d of %d frames came (%+v)", frames, count, st.Buffer().Stats())
		}
		return out
	}
	out.sent, out.lost = len(written), int(stats.PacketsGivenUp)
	// Packets before the first that came are nobody's loss, and the last may be lost
	// without a trace.
	missing := 0
	for seq := range written {
		if !arrived[seq] {
			missing++
		}
	}
	if missing > out.lost+20 {
		t.Errorf("%d packets did not arrive, and %d were given up", missing, out.lost)
	}
	if late > bound {
		t.Errorf("a packet came %v after it was written, want at most %v", late, bound)
	}
	if stats.PacketsReceived != uint64(len(arrived)) {
		t.Errorf("%d packets are counted, and %d were delivered", stats.PacketsReceived, len(arrived))
	}
	return out
}
