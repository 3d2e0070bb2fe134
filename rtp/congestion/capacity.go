package congestion

import "math"

// A capacity is what the link was seen to carry each time that it was over-used: the "average max bitrate" of
// Section 5.5. Rates are in kbit/s here, as the constants are made for.
type capacity struct {
	kbit      float64 // 0: not known
	deviation float64 // its variance, normalized by it
}

const (
	capacityWeight                = 0.05
	leastDeviation, mostDeviation = 0.4, 2.5
	capacityDeviations            = 3 // "three standard deviations"
)

// seen enters a throughput, in bit/s.
func (c *capacity) seen(bitrate float64) {
	sample := bitrate / 1000
	if c.kbit == 0 {
		c.kbit, c.deviation = sample, leastDeviation
	} else {
		c.kbit += capacityWeight * (sample - c.kbit)
	}
	d := c.kbit - sample
	c.deviation += capacityWeight * (d*d/max(c.kbit, 1) - c.deviation)
	c.deviation = min(max(c.deviation, leastDeviation), mostDeviation)
}

func (c *capacity) known() bool { return c.kbit > 0 }

// spread is the width in which throughput is taken for that of the same link, in bit/s.
func (c *capacity) spread() float64 {
	return 1000 * capacityDeviations * math.Sqrt(c.deviation*c.kbit)
}

func (c *capacity) above(bitrate float64) bool { return c.known() && bitrate > 1000*c.kbit+c.spread() }
func (c *capacity) below(bitrate float64) bool { return c.known() && bitrate < 1000*c.kbit-c.spread() }

func (c *capacity) forget() { *c = capacity{} }
