package congestion

import (
	"cmp"
	"slices"
	"time"
)

// A Config says what is known at the beginning.
type Config struct {
	Start float64 // the first estimate, in bit/s; 0: 300 kbit/s
}

const (
	startBitrate = 300e3
	// leastBitrate is what the estimate does not fall below: audio, and little else.
	leastBitrate = 30e3
	mostBitrate  = 1e9
)

// A Controller is the sender's side, Section 2: the smaller of what the delay-based and the loss-based controller
// find, and of what others allow.
type Controller struct {
	cfg     Config
	epoch   time.Time
	history history

	delay      delayBased
	throughput throughput
	loss       lossBased
	idle       idle
	probing    probing

	rtt        time.Duration
	results    []result // of the feedback that is read
	heard      bool     // there was feedback
	unanswered time.Duration
	waiting    bool // packets left since feedback came; the first of them at unanswered

	wanted, limit float64 // 0: nothing was said
	remote        float64 // the peer's estimate, REMB; 0: none
	remoteAt      time.Duration
}

// A result is what feedback tells of a packet that arrived.
type result struct {
	sent, arrived time.Duration
	size          int
	cluster       uint16
	order         int32 // in which it was told of
}

// delayBased is what Section 5 is about.
type delayBased struct {
	groups   groups
	trend    trendline
	detector detector
	aimd     aimd
	drain    drain
	bitrate  float64 // what comes of all
}

// add takes a packet that arrived.
func (d *delayBased) add(now, sent, arrived time.Duration) {
	d.drain.add(now, arrived-sent)
	switch v, what := d.groups.add(now, sent, arrived); what {
	case varied:
		d.detector.update(d.trend.add(v), d.trend.n, v.sent, v.at)
	case jumped:
		d.restart()
	}
}

// restart forgets what is of one run of packets.
func (d *delayBased) restart() {
	d.groups, d.trend, d.detector, d.drain = groups{}, trendline{}, detector{}, drain{}
}

// update draws the conclusions, given the rate at which packets arrive.
func (d *delayBased) update(now time.Duration, incoming float64, rtt time.Duration) {
	a, before := &d.aimd, d.aimd.bitrate
	a.update(now, d.detector.signal, incoming, rtt)
	a.bitrate = min(max(a.bitrate, leastBitrate), mostBitrate)
	d.bitrate = a.bitrate
	if d.drain.update(now, a.bitrate) {
		a.bitrate = min(a.bitrate, before)
		d.bitrate = max(d.drain.share()*a.bitrate, leastBitrate)
	}
}

// set gives it another rate.
func (d *delayBased) set(bitrate float64) {
	d.aimd.bitrate = min(max(bitrate, leastBitrate), mostBitrate)
	d.bitrate = d.aimd.bitrate
}

// silence is how long packets leave without feedback until the estimate is halved.
const silence = 2 * time.Second

// rembLifetime is how long a peer's estimate holds: it is repeated every second.
const rembLifetime = 10 * time.Second

// New returns a controller that knows nothing.
func New(cfg Config) *Controller {
	if cfg.Start == 0 {
		cfg.Start = startBitrate
	}
	c := &Controller{cfg: cfg}
	c.delay.set(cfg.Start)
	return c
}

func (c *Controller) since(now time.Time) time.Duration {
	if c.epoch.IsZero() {
		c.epoch = now
	}
	return now.Sub(c.epoch)
}

// Sent is told of each packet that leaves: its number, which wraps, and size.
func (c *Controller) Sent(now time.Time, number uint16, size int) {
	at := c.since(now)
	p := &c.probing
	c.history.remember(number, at, size, p.sent(at, size))
	if c.idle.sent(at, size, c.Target(now)) {
		c.throughput.expectChange()
	}
	switch {
	case !c.waiting:
		c.waiting, c.unanswered = true, at
	case c.heard && at-c.unanswered > silence:
		c.unanswered = at
		p.fell(at, c.delay.bitrate, 0)
		c.delay.set(c.delay.bitrate / 2)
		c.loss.bitrate = min(c.loss.bitrate, c.delay.bitrate)
	}
}

// BeginFeedback begins one packet of feedback.
func (c *Controller) BeginFeedback() { c.results = c.results[:0] }

// Take enters what it tells of one packet; of those that arrived when, if it says so, by the receiver's clock.
func (c *Controller) Take(number uint16, received bool, arrived time.Duration, timed bool) {
	v := c.history.find(number)
	if v == nil {
		return
	}
	h, l := &c.history, &c.loss
	switch {
	case received:
		if v.state == lost {
			h.totals.Lost--
			l.missing--
		} else {
			l.packets++
		}
		v.state = settled
		h.totals.Packets++
		h.totals.Bytes += uint64(v.size)
		if timed && len(c.results) < departures {
			c.results = append(c.results, result{v.at, arrived, int(v.size), v.cluster, int32(len(c.results))})
		}
	case v.state == inFlight:
		v.state = lost
		h.totals.Lost++
		l.packets++
		l.missing++
	}
}

// EndFeedback draws the conclusions. rtt is zero when it is not known.
func (c *Controller) EndFeedback(now time.Time, rtt time.Duration) {
	at := c.since(now)
	c.history.totals.Feedback++
	c.heard, c.waiting = true, false
	c.rtt = rtt
	slices.SortFunc(c.results, func(a, b result) int {
		return cmp.Or(cmp.Compare(a.arrived, b.arrived), cmp.Compare(a.order, b.order))
	})
	d, before, probe := &c.delay, c.delay.bitrate, 0.0
	for i := range c.results {
		r := &c.results[i]
		c.throughput.add(r.arrived, r.size)
		d.add(at, r.sent, r.arrived)
		if r.cluster != 0 {
			probe = max(probe, c.probing.arrived(r.cluster, r.sent, r.arrived, r.size))
		}
	}
	if len(c.results) > 0 {
		d.update(at, c.throughput.bitrate, c.roundTrip())
	}
	if probe > d.bitrate && d.detector.signal != overuse && !d.drain.on {
		d.set(probe)
		d.aimd.changed = at
		c.loss.raise(probe)
	}
	c.loss.update(at, c.roundTrip(), d.aimd.bitrate, c.estimate(), c.throughput.bitrate)
	c.probing.fell(at, before, d.bitrate)
	if !c.probing.begun {
		c.probing.begun = true
		if most := c.most(); c.cfg.Start < most {
			c.probing.plan(at, firstProbe*c.cfg.Start, secondProbe*c.cfg.Start, most)
		}
	}
	c.probing.consider(at, d.detector.signal, c.estimate(), c.wanted, c.most(), &c.idle)
}

// roundTrip is that of the path, or one that stands for it.
func (c *Controller) roundTrip() time.Duration {
	if c.rtt == 0 {
		return 200 * time.Millisecond
	}
	return c.rtt
}

// most is the highest rate that is of use to know.
func (c *Controller) most() float64 {
	most := float64(mostProbe)
	if c.wanted > 0 {
		most = min(most, c.wanted)
	}
	if c.limit > 0 {
		most = min(most, c.limit)
	}
	return most
}

// estimate is what the path carries by our own account.
func (c *Controller) estimate() float64 {
	rate := c.delay.bitrate
	if c.loss.bitrate > 0 {
		rate = min(rate, c.loss.bitrate)
	}
	return max(rate, leastBitrate)
}

// Target is what may be sent, in bit/s. Before anything was told of the path it is the first estimate.
func (c *Controller) Target(now time.Time) float64 {
	rate := c.estimate()
	if c.remote > 0 && c.since(now)-c.remoteAt < rembLifetime {
		switch {
		case c.heard:
			rate = min(rate, c.remote)
		case c.loss.bitrate > 0:
			rate = min(c.loss.bitrate, c.remote)
		default:
			rate = c.remote
		}
	}
	if c.limit > 0 {
		rate = min(rate, c.limit)
	}
	return rate
}

// Known reports whether the target is more than a guess.
func (c *Controller) Known(now time.Time) bool {
	return c.heard || c.remote > 0 && c.since(now)-c.remoteAt < rembLifetime
}

// SetRemote takes the peer's own estimate of what it can receive (REMB), which holds for ten seconds. Without
// other feedback it is the estimate.
func (c *Controller) SetRemote(now time.Time, bitrate float64) {
	c.remote, c.remoteAt = min(max(bitrate, 1), mostBitrate), c.since(now)
}

// SetLimit sets what the target must not exceed, such as b=AS says; 0: nothing.
func (c *Controller) SetLimit(bitrate float64) { c.limit = bitrate }

// SetWanted says how much could be sent if the path had room; 0: any. Nothing above it is probed for.
func (c *Controller) SetWanted(bitrate float64) { c.wanted = bitrate }

// Report takes the share of packets that the peer's receiver report says were lost, which is used for want of
// better feedback: Section 7.
func (c *Controller) Report(now time.Time, share float64, rtt time.Duration) {
	if c.heard || c.remote == 0 {
		return
	}
	c.rtt = rtt
	c.loss.report(c.since(now), c.roundTrip(), share, c.remote)
}

// Totals are what feedback told so far.
func (c *Controller) Totals() Totals { return c.history.totals }

// Throughput is the rate at which packets arrive, in bit/s; 0: not known.
func (c *Controller) Throughput() float64 { return c.throughput.bitrate }
