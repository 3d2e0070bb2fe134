package congestion

import (
	"math"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
)

// Whatever feedback says, figures are numbers within bounds, and what is kept is bounded.
func FuzzController(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	f.Add([]byte{0, 255, 0, 1, 3, 2, 2, 1, 0, 0, 2, 1, 9, 1, 3, 0, 6, 7, 3})
	f.Add([]byte{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 0, 1, 255, 2, 1, 1, 255, 2, 2, 1, 255, 3, 9})
	f.Fuzz(func(t *testing.T, script []byte) {
		c, now, number := New(Config{}), testStart, uint16(65530)
		var r Receiver
		next := func() int64 {
			if len(script) == 0 {
				return 0
			}
			v := script[0]
			script = script[1:]
			return int64(v)
		}
		c.BeginFeedback()
		for len(script) > 0 {
			switch next() % 10 {
			case 0:
				now = now.Add(time.Duration(next()*next()) * ms)
			case 1:
				for range next() % 32 {
					c.Sent(now, number, int(next()*6))
					number++
				}
			case 2:
				at := time.Duration(next()-128) << min(next()%64, 62)
				c.Take(number-uint16(next()), next()%4 > 0, at, next()%8 > 0)
			case 3:
				c.EndFeedback(now, time.Duration(next()*next())*ms)
				c.BeginFeedback()
			case 4:
				c.Probe(now)
			case 5:
				c.SetRemote(now, float64(next()*next())*1e3)
			case 6:
				c.SetLimit(float64(next()) * 1e4)
			case 7:
				c.SetWanted(float64(next()) * 1e5)
			case 8:
				c.Report(now, float64(next())/256, 0)
			case 9:
				r.Received(now, rtp.AbsSendTime(next()<<16|next()<<8|next()), int(next())*6)
				v, _ := r.Estimate(now, 0)
				if math.IsNaN(v) || v < 0 || v > mostBitrate {
					t.Fatalf("the receiver's estimate is %v", v)
				}
			}
			if v := c.Target(now); math.IsNaN(v) || v <= 0 || v > mostBitrate {
				t.Fatalf("the target is %v", v)
			}
			if v := c.PacingRate(now); math.IsNaN(v) || v <= 0 || v > pacingFactor*mostBitrate {
				t.Fatalf("the pacing rate is %v", v)
			}
			if v := c.Throughput(); math.IsNaN(v) || v < 0 {
				t.Fatalf("the throughput is %v", v)
			}
			if len(c.history.left) > departures || len(c.results) > departures {
				t.Fatal("what is kept is not bounded")
			}
		}
	})
}
