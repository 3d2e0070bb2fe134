package congestion_test

import (
	"fmt"
	"time"

	"github.com/plainrtc/plainrtc/rtp/congestion"
)

// A path that carries 1 Mbit/s: packets that leave faster wait there.
func Example() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := congestion.New(congestion.Config{})
	var number uint16
	free := now // when the path is
	var arrivals []time.Time
	for range 3000 { // a packet each 10 ms, as large as it may be; feedback on ten of them
		size := int(c.Target(now) / 8 / 100)
		c.Sent(now, number, size)
		number++
		if free.Before(now) {
			free = now
		}
		free = free.Add(time.Duration(size) * 8 * time.Microsecond)
		arrivals = append(arrivals, free)
		if now = now.Add(10 * time.Millisecond); len(arrivals) == 10 {
			c.BeginFeedback()
			for i, at := range arrivals {
				c.Take(number-10+uint16(i), true, time.Duration(at.UnixNano()), true)
			}
			c.EndFeedback(now, 20*time.Millisecond)
			arrivals = arrivals[:0]
		}
	}
	target := c.Target(now)
	fmt.Println("near what the path carries:", target > 0.75e6 && target < 1.05e6)
	// Output: near what the path carries: true
}
