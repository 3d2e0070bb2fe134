package congestion

import "time"

// groups makes groups of packets that left together, and measures by how much two of them that follow
// each other are further apart, or closer, when they arrive. Section 5.1: the inter-arrival
// time, the inter-departure time, and the inter-group delay variation, which is their difference.
type groups struct {
	current, previous group
	n                 int // groups there are, up to two
}

// A group is packets "that are sent within a burst_time interval" of 5 ms, and those that met again in a
// queue: Section 5.2.
type group struct {
	firstSent, sent       time.Duration // of the first and the last packet
	firstArrived, arrived time.Duration
	now                   time.Duration // when the last was told of
}

const (
	burstTime = 5 * time.Millisecond // Section 5.2
	// maxBurst is how long packets may go on arriving as one group.
	maxBurst = 100 * time.Millisecond
	// clockJump is how much the receiver's clock may differ from ours between two groups: if it
	// does so by more, it was set, or feedback is made up.
	clockJump = 3 * time.Second
)

// A variation is what two groups tell.
type variation struct {
	sent, arrived time.Duration // between them
	at            time.Duration // when the second arrived
}

// A measure is what came of a packet.
type measure uint8

const (
	nothing measure = iota
	varied          // a group is complete, and there was one before
	jumped          // a clock was set: what was measured before is of no use
)

// add takes a packet, in the order of arrival. now is our own time. It returns
// the variation between the two groups before, when a new one begins.
func (g *groups) add(now, sent, arrived time.Duration) (v variation, what measure) {
	c := &g.current
	switch {
	case g.n == 0:
		g.n = 1
		*c = group{sent, sent, arrived, arrived, now}
		return v, nothing
	case sent < c.firstSent-clockJump:
		*g = groups{}
		return v, jumped
	case sent < c.firstSent: // it was overtaken, and says nothing about the queue
		return v, nothing
	case g.together(sent, arrived):
		c.sent, c.arrived, c.now = max(c.sent, sent), max(c.arrived, arrived), now
		return v, nothing
	}
	if g.n == 2 {
		v = variation{sent: c.sent - g.previous.sent, arrived: c.arrived - g.previous.arrived, at: c.arrived}
		passed := c.now - g.previous.now
		if d := v.arrived - passed; d > clockJump || d < -clockJump || v.arrived < 0 {
			*g = groups{}
			return v, jumped
		}
		what = varied
	}
	g.previous, g.n = *c, 2
	*c = group{sent, sent, arrived, arrived, now}
	return v, what
}

// together reports whether a packet belongs to the current group. Section 5.2: "A Packet which has
// an inter-arrival time less than burst_time and an inter-group delay variation d(i) less
// than 0 are considered being part of the current group of packets".
func (g *groups) together(sent, arrived time.Duration) bool {
	c := &g.current
	if sent-c.firstSent <= burstTime {
		return true
	}
	interArrival := arrived - c.arrived
	return interArrival <= burstTime && interArrival-(sent-c.sent) < 0 && arrived-c.firstArrived < maxBurst
}
