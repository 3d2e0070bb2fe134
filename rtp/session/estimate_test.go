package session

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/rtp"
)

// Who sends what the estimate says fills a narrow path for the most part, and does not
// flood it; when the path becomes wider, the estimate follows.
func TestEstimateFollowsThePath(t *testing.T) {
	for _, feedback := range []string{"transport-wide", "RFC 8888"} {
		t.Run(feedback, func(t *testing.T) {
			net := netsim.New(1, testStart)
			a := &caller{local: netip.MustParseAddrPort("192.0.2.1:1"), remote: netip.MustParseAddrPort("192.0.2.2:2")}
			z := &caller{local: a.remote, remote: a.local}
			z.onStream = func(now time.Time, st *Stream) { st.Deliver(now, Nothing) }
			for _, c := range []*caller{a, z} {
				c.Session = New(Config{Rand: net.Rand(c.local.String()), CNAME: "c"})
				v := testSections()[1]
				if feedback == "RFC 8888" {
					v.Send = []Codec{vp8Codec()}
					v.Send[0].CCFB = true
					v.Receive = v.Send
				} else {
					v.Extensions.Set(rtp.ExtTransportSequence, idSequence)
				}
				if err := c.Configure(testStart, v); err != nil {
					t.Fatal(err)
				}
			}
			var err error
			if a.video, err = a.AddSender(testStart, "v", []Encoding{{Active: true}}); err != nil {
				t.Fatal(err)
			}
			host := net.AddHost(a, netsim.Profile{Delay: 20 * time.Millisecond, Rate: 1e6}, a.local.Addr())
			net.AddHost(z, netsim.Profile{Delay: 20 * time.Millisecond}, z.local.Addr())
			dice := rand.New(rand.NewPCG(1, 1))
			var shoot func()
			shoot = func() {
				now := net.Now()
				rate := float64(a.video.TargetBitrate(now, 0))
				size := int(rate / 8 / 30 * (0.8 + 0.4*dice.Float64()))
				if err := a.video.WriteFrame(now, 0, Frame{Data: vp8Frame(size, false), PTS: now.Sub(testStart)}); err != nil {
					t.Fatal(err)
				}
				net.After(time.Second/30, shoot)
			}
			net.At(testStart, shoot)
			average := func(d time.Duration) float64 {
				sum, n := 0.0, 0
				for range int(d / time.Second) {
					net.Run(nil, time.Second)
					sum, n = sum+float64(a.AvailableOutgoingBitrate(net.Now())), n+1
				}
				return sum / float64(n)
			}
			average(30 * time.Second)
			if got := average(20 * time.Second); got < 0.6e6 || got > 1.1e6 {
				t.Errorf("on a path of 1 Mbit/s the estimate is %.2f", got/1e6)
			}
			lost := a.Stats(net.Now()).Feedback
			if lost.Lost*20 > lost.Packets {
				t.Errorf("%d packets were lost, and %d arrived", lost.Lost, lost.Packets)
			}
			host.Up.Profile.Rate = 3e6
			average(40 * time.Second)
			if got := average(20 * time.Second); got < 1.8e6 || got > 3.3e6 {
				t.Errorf("when it has 3 Mbit/s the estimate is %.2f", got/1e6)
			}
		})
	}
}
