package peerconnection

import (
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/rtp/session"
)

// On virtual time the figures are known: who only receives knows the round trip too, and a
// burst waits in the pacer.
func TestMediaStatsOfACall(t *testing.T) {
	c, _ := newSimCall(t, 3, netsim.Profile{Delay: 20 * time.Millisecond})
	c.n.Run(nil, 4*time.Second)
	now := c.n.Now()
	before := c.a.pc.core.stats(now)
	for _, o := range before.OutboundRTP {
		if o.EncodingIndex != 0 || o.MID == "" || o.RemoteID == "" {
			t.Errorf("%+v", o)
		}
	}
	reports := c.z.pc.core.stats(now).RemoteOutboundRTP
	if len(reports) != 2 {
		t.Fatalf("%d of the peer's streams are reported on", len(reports))
	}
	for _, r := range reports {
		if r.RoundTripTimeMeasurements == 0 || r.RoundTripTime < 0.039 || r.RoundTripTime > 0.06 || r.TotalRoundTripTime < r.RoundTripTime {
			t.Errorf("the round trip is 40 ms, not %v s, %v s in %d", r.RoundTripTime, r.TotalRoundTripTime, r.RoundTripTimeMeasurements)
		}
	}
	burst := session.Frame{Data: append(callMessage(KindVideo, c.sent[1], true), make([]byte, 300_000)...), KeyFrame: true, PTS: now.Sub(simStart)}
	c.z.app = func(time.Time) {}
	if err := c.tracks[1].attached()[0].rtp.WriteFrame(now, 0, burst); err != nil {
		t.Fatal(err)
	}
	c.n.Run(nil, time.Second)
	after := c.a.pc.core.stats(c.n.Now())
	waited := after.OutboundRTP[1].TotalPacketSendDelay - before.OutboundRTP[1].TotalPacketSendDelay
	if packets := 250.0; waited < 0.002*packets || waited > 0.2*packets {
		t.Errorf("the packets of a large frame wait for %v s in all", waited)
	}
}
