package congestion

import "time"

// pacingFactor is how much faster than the target packets leave, Section 4: so that a frame does not wait for the
// next, and a queue in the sender empties. As in libwebrtc.
const pacingFactor = 2.5

// PacingRate is how fast packets may leave now, in bit/s: that of the cluster, while one leaves.
func (c *Controller) PacingRate(now time.Time) float64 {
	if c.Probing(now) {
		return c.probing.active.Bitrate
	}
	return pacingFactor * c.Target(now)
}

// Probe reports whether packets are to leave as a cluster, and begins one when that is planned. It is asked when there is media to
// send; all that leaves then is of the cluster, and what the media lacks of it is to be filled up.
func (c *Controller) Probe(now time.Time) (Cluster, bool) {
	if !c.probing.begin(c.since(now)) {
		return Cluster{}, false
	}
	return c.probing.active.Cluster, true
}

// Probing reports whether a cluster leaves now, that is to be filled up.
func (c *Controller) Probing(now time.Time) bool {
	p := &c.probing
	if p.active != nil && c.since(now)-p.active.begun > clusterPatience {
		p.active = nil // it was not to be
	}
	return p.active != nil
}
