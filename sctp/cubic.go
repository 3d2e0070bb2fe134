package sctp

import (
	"math"
	"time"
)

// cubic is CUBIC (RFC 9438), with HyStart++ in its first slow start. Windows are
// in segments here, which are packets' worth of chunks, as in the RFC.
type cubic struct {
	hystart hystart
	wMax    float64 // W_max: the window before the last reduction
	k       float64 // K: seconds until the window is W_max again
	epoch   time.Duration
	inEpoch bool     // congestion avoidance has begun since the last reduction
	prior   float64  // cwnd_prior
	wEst    float64  // W_est: what Reno's window would be
	first   bool     // no loss yet
	fresh   struct { // as they were before the last reduction
		wMax, k float64
		epoch   time.Duration
	}
}

const (
	cubicC    = 0.4 // segments a second cubed
	cubicBeta = 0.7
	// cubicAlpha makes W_est grow as Reno would, on average, with this beta
	// (Section 4.3).
	cubicAlpha = 3 * (1 - cubicBeta) / (1 + cubicBeta)
)

func (u *cubic) begin(c *congestion) { *u = cubic{first: true} }

func (u *cubic) segments(c *congestion) float64 { return float64(c.cwnd) / float64(c.pmdcs) }

func (u *cubic) acked(c *congestion, s *sample) {
	if c.inFastRecovery {
		return
	}
	if c.cwnd <= c.ssthresh {
		grow := min(s.acked, slowStartLimit*c.pmdcs)
		if u.first {
			var end bool
			if grow, end = u.hystart.acked(c, s); end {
				c.ssthresh = c.cwnd
			}
		}
		if s.full {
			c.cwnd += grow
		}
		if c.cwnd <= c.ssthresh {
			return
		}
	}
	if !s.full {
		u.inEpoch = u.inEpoch && c.cwnd < int(u.wMax*float64(c.pmdcs))
		return
	}
	cwnd := u.segments(c)
	if !u.inEpoch {
		u.inEpoch, u.epoch, u.wEst = true, s.at, cwnd
		u.k = math.Cbrt(max(0, u.wMax-cwnd) / cubicC)
		u.wMax = max(u.wMax, cwnd)
	}
	// Section 4.2: W_cubic(t) = C * (t - K)^3 + W_max, and the target is where it
	// will be a round trip from now.
	t := (s.at - u.epoch).Seconds()
	window := func(t float64) float64 { return cubicC*(t-u.k)*(t-u.k)*(t-u.k) + u.wMax }
	target := min(max(window(t+s.srtt.Seconds()), cwnd), 1.5*cwnd)
	// Section 4.3: never less than Reno.
	alpha := cubicAlpha
	if u.wEst >= u.prior {
		alpha = 1
	}
	segments := float64(s.acked) / float64(c.pmdcs)
	u.wEst += alpha * segments / cwnd
	if window(t) < u.wEst {
		cwnd = max(cwnd, u.wEst)
	} else {
		cwnd += (target - cwnd) / cwnd * segments
	}
	c.cwnd = int(cwnd * float64(c.pmdcs))
}

// reduce is Sections 4.6 and 4.7.
func (u *cubic) reduce(c *congestion) {
	u.fresh.wMax, u.fresh.k, u.fresh.epoch = u.wMax, u.k, u.epoch
	cwnd := u.segments(c)
	u.prior = cwnd
	if cwnd < u.wMax {
		// Fast convergence: another flow may want the difference.
		u.wMax = cwnd * (1 + cubicBeta) / 2
	} else {
		u.wMax = cwnd
	}
	c.ssthresh = max(int(float64(c.cwnd)*cubicBeta), 4*c.pmdcs)
	u.inEpoch, u.first = false, false
}

func (u *cubic) lost(c *congestion, s *sample, first bool) {
	if first {
		u.reduce(c)
		c.cwnd = c.ssthresh
	}
}

// timeout is Section 4.8.
func (u *cubic) timeout(c *congestion, first bool) {
	if first {
		u.reduce(c)
	}
	u.inEpoch = false
	c.cwnd = c.pmdcs
}

func (u *cubic) idle(c *congestion, rtos int) {
	decay(c, rtos)
	u.inEpoch = false
}

// restored is Section 4.9.
func (u *cubic) restored(c *congestion) {
	u.wMax, u.k, u.epoch, u.inEpoch = u.fresh.wMax, u.fresh.k, u.fresh.epoch, u.fresh.epoch > 0
}

func (u *cubic) rate(c *congestion, srtt time.Duration) float64 { return windowRate(c, srtt) }
