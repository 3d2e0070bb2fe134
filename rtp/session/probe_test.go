package session

import (
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/rtp/rtcp"
)

// A narrow call is two sessions over a link; A sends video at a fixed rate.
type narrow struct {
	t    *testing.T
	net  *netsim.Network
	a, z *caller
	up   *netsim.Host // A, whose link is narrow

	rate float64 // bit/s; 0: as the target says
}

func newNarrow(t *testing.T, rate int64, change func(*Section)) *narrow {
	n := &narrow{t: t, net: netsim.New(5, testStart), rate: 200e3}
	n.a = &caller{local: netip.MustParseAddrPort("192.0.2.1:1"), remote: netip.MustParseAddrPort("192.0.2.2:2")}
	n.z = &caller{local: n.a.remote, remote: n.a.local}
	n.z.onStream = func(now time.Time, st *Stream) { st.Deliver(now, Nothing) }
	for i, c := range []*caller{n.a, n.z} {
		v := fullSections()[1]
		change(&v)
		v.Receive = v.Send
		c.Session, _, c.video = newSession(t, byte(i), []Section{v})
	}
	n.up = n.net.AddHost(n.a, netsim.Profile{Delay: 20 * time.Millisecond, Rate: rate}, n.a.local.Addr())
	n.net.AddHost(n.z, netsim.Profile{Delay: 20 * time.Millisecond}, n.z.local.Addr())
	n.net.At(testStart, n.shoot)
	return n
}

func (n *narrow) shoot() {
	now := n.net.Now()
	rate := n.rate
	if rate == 0 {
		rate = float64(n.a.video.TargetBitrate(now, 0))
	}
	size := int(rate / 8 / 30)
	if err := n.a.video.WriteFrame(now, 0, Frame{Data: vp8Frame(size, true), PTS: now.Sub(testStart), KeyFrame: true}); err != nil {
		n.t.Fatal(err)
	}
	n.net.After(time.Second/30, n.shoot)
}

// With a stream of retransmissions and feedback the path is probed at the beginning, and not beyond what can be used. What
// is sent for it is nothing to the receiver.
func TestPaddingProbes(t *testing.T) {
	for _, test := range []struct {
		name      string
		change    func(*Section)
		max       int
		low, high float64 // of the estimate
		padded    bool
	}{
		{"transport-wide", func(*Section) {}, 0, 2.5e6, 4.1e6, true},
		{"RFC 8888", func(c *Section) { c.Send[0].CCFB = true }, 0, 2.5e6, 4.1e6, true},
		{"no more than of use", func(*Section) {}, 1_000_000, 0.8e6, 1.5e6, true},
		{"no stream of retransmissions", func(c *Section) { c.Send[0].RTX = 0 }, 0, 250e3, 450e3, false},
		{"of no use", func(*Section) {}, 250_000, 250e3, 450e3, false},
		{"no feedback", func(c *Section) { c.Send[0].TWCC = false }, 0, 0, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNarrow(t, 4e6, test.change)
			e := n.a.video.Encodings()[0]
			e.MaxBitrate = test.max
			if err := n.a.video.SetEncoding(0, e); err != nil {
				t.Fatal(err)
			}
			n.net.Run(nil, 4*time.Second)
			if got := float64(n.a.AvailableOutgoingBitrate(n.net.Now())); got < test.low || got > test.high {
				t.Errorf("the estimate is %.0f, want %.0f to %.0f", got, test.low, test.high)
			}
			out := n.a.video.Stats(n.net.Now(), 0)
			if padded := out.ProbePackets > 0; padded != test.padded {
				t.Errorf("%d packets were sent to probe", out.ProbePackets)
			}
			if out.RetransmittedPackets != 0 || out.RetransmittedBytes != 0 {
				t.Errorf("%d packets of %d bytes count as asked for, and nothing was lost", out.RetransmittedPackets, out.RetransmittedBytes)
			}
			in := n.z.Streams()[0].Stats()
			if in.RetransmittedPackets != 0 || in.PacketsLost != 0 || in.PacketsReceived+out.ProbePackets+10 < out.PacketsSent {
				t.Errorf("%+v", in)
			}
		})
	}
}

// A packet that was sent again to probe may still be asked for, and is sent once more.
func TestPaddingIsNoAnswer(t *testing.T) {
	n := newNarrow(t, 4e6, func(*Section) {})
	n.net.Run(nil, time.Second)
	e := n.a.video.encodings[0]
	before := e.stats.repairs
	if before == 0 {
		t.Fatal("nothing was sent to probe")
	}
	for i := range uint16(paddingPackets) {
		if v := e.history.get(e.rewrite.next - 1 - i); v == nil || v.resent != 0 {
			t.Errorf("packet %d counts as sent again", i)
		}
	}
	n.a.ReceiveRTCP(n.net.Now(), rtcp.AppendNACK(nil, 1, e.SSRC, []uint16{e.rewrite.next - 1}))
	n.net.Run(nil, 100*time.Millisecond)
	if e.stats.repairs != before+1 {
		t.Errorf("a request is answered by %d packets", e.stats.repairs-before)
	}
}

// Who has but REMB is told by REMB: about once a second, and at once when there is less.
func TestREMBIsSent(t *testing.T) {
	n := newNarrow(t, 1e6, func(c *Section) { c.Send[0].TWCC, c.Send[0].REMB = false, true })
	n.net.Run(nil, 10*time.Second)
	got := n.a.AvailableOutgoingBitrate(n.net.Now())
	if got < 300e3 || got > 450e3 {
		t.Errorf("where 200 kbit/s arrive the peer is told %d", got)
	}
	n.rate = 0
	n.net.Run(nil, 30*time.Second)
	if got := n.a.AvailableOutgoingBitrate(n.net.Now()); got < 0.75e6 || got > 1.05e6 {
		t.Errorf("on a path of 1 Mbit/s the peer is told %d", got)
	}
	n.up.Up.Profile.Rate = 400e3
	n.net.Run(nil, 3*time.Second)
	if got := n.a.AvailableOutgoingBitrate(n.net.Now()); got < 150e3 || got > 450e3 {
		t.Errorf("on one of 400 kbit/s the peer is told %d", got)
	}
	if n.z.remb.estimator == nil || n.a.remb.estimator != nil {
		t.Error("the wrong side estimates")
	}
	for name, change := range map[string]func(c *Section){
		"transport-wide feedback takes its place": func(c *Section) { c.Send[0].REMB = true },
		"RFC 8888 feedback takes its place":       func(c *Section) { c.Send[0].REMB, c.Send[0].CCFB = true, true },
		"it was not negotiated":                   func(c *Section) { c.Send[0].TWCC = false },
	} {
		n := newNarrow(t, 1e6, change)
		n.net.Run(nil, 5*time.Second)
		if n.z.remb.bitrate != 0 {
			t.Errorf("%s, and the peer is told %.0f", name, n.z.remb.bitrate)
		}
	}
}

// When what is lost was lost by too much, sending it again does not keep that up: of who sends ten times what the path carries,
// repairs are but a part.
func TestRepairsAreBounded(t *testing.T) {
	n := newNarrow(t, 500e3, func(*Section) {})
	n.rate = 5e6
	n.net.Run(nil, 10*time.Second)
	out := n.a.video.Stats(n.net.Now(), 0)
	if share := float64(out.RetransmittedBytes) / float64(out.BytesSent); share > 0.15 {
		t.Errorf("%.2f of what leaves was sent before", share)
	}
	if out.NACKs == 0 {
		t.Error("nothing was asked for")
	}
}
