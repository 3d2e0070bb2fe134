package mediafile

import (
	"testing"
	"time"
)

// A recording of a day has its frames where they belong, though timestamps of video
// wrap every 13 hours; a frame that is sent a little out of order stays there too.
func TestClock(t *testing.T) {
	codec := Codec{Name: "VP8", ClockRate: videoClock}
	for _, start := range []uint32{0, 1, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		c := Clock{Rate: codec.ClockRate}
		for pts := time.Duration(0); pts < 26*time.Hour; pts += 10 * time.Minute {
			if got := c.PTS(start + codec.Timestamp(pts)); got != pts {
				t.Fatalf("from %d on, %v is %v", start, pts, got)
			}
			if early := pts - time.Second; early >= 0 && c.PTS(start+codec.Timestamp(early)) != early {
				t.Fatalf("from %d on, a second before %v is wrong", start, pts)
			}
		}
	}
}
