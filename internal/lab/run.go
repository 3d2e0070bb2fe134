package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/sctp"
)

// A Run is an experiment under way.
type Run struct {
	e       Experiment
	net     *netsim.Network
	start   time.Time
	link    *netsim.Link // the bottleneck
	flows   []*flow
	padding [record]byte
	err     error
}

// A Sample is a flow at one moment.
type Sample struct {
	At        time.Duration
	Delivered int64 // bytes of messages, until now
	Window    int   // of congestion control, in bytes
	Flight    int   // bytes in flight
	Pacing    float64
	Phase     string
	SRTT      time.Duration
	Queue     time.Duration // the median wait of the packets that arrived since the last sample; -1: none did
	Resent    uint64        // chunks, until now
}

// Start begins an experiment.
func Start(e Experiment) *Run {
	e.setDefaults()
	r := &Run{e: e, start: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)}
	r.net = netsim.New(e.Seed, r.start)
	r.net.Unhashed = true

	receiver := &host{run: r, sink: true}
	receiverAddr := netip.AddrFrom4([4]byte{192, 0, 2, 1})
	h := r.net.AddHost(receiver, netsim.Profile{Delay: e.RTT - e.RTT/2, Rate: e.Rate}, receiverAddr)
	r.link = h.Down
	r.link.Profile = netsim.Profile{
		Delay: e.RTT / 2, Rate: e.Rate, Queue: e.Queue, Loss: e.Loss, Burst: e.Burst,
		Jitter: e.Jitter, Reorder: e.Reorder, ReorderBy: e.ReorderBy, MTU: e.MTU,
	}
	for i, control := range e.Control {
		addr := netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)})
		f := r.newFlow(i, control, time.Duration(i)*e.Stagger, addr, receiverAddr)
		r.flows = append(r.flows, f)
		receiver.flows = append(receiver.flows, f)
		r.net.AddHost(&host{run: r, flows: []*flow{f}}, netsim.Profile{}, addr)
		r.net.After(f.begins, func() { f.from.Connect(r.net.Now()) })
	}
	if e.DropPackets > 0 {
		r.net.After(e.DropAt, func() { r.flows[0].lose = e.DropPackets })
	}
	return r
}

// newFlow makes both ends of a flow.
func (r *Run) newFlow(i int, control sctp.CongestionControl, begins time.Duration, from, to netip.Addr) *flow {
	e := &r.e
	f := &flow{run: r, begins: begins, message: make([]byte, e.MessageSize), owed: -1}
	if e.Bytes > 0 {
		f.owed = e.Bytes
	}
	config := sctp.Config{
		Congestion: control, DTLS: true,
		MTU: anyPath - record, MaxMTU: max(e.MTU, defaultMTU) - headers - record, Headers: headers + record,
		MaxMessageSize: max(e.MessageSize, 256<<10),
	}
	a, z := netip.AddrPortFrom(from, 5000), netip.AddrPortFrom(to, uint16(6000+i))
	config.Rand = r.net.Rand(fmt.Sprint("sender ", i))
	f.from = end{sctp.New(config), a, z}
	config.Rand = r.net.Rand(fmt.Sprint("receiver ", i))
	f.to = end{sctp.New(config), z, a}
	return f
}

func (r *Run) since(now time.Time) time.Duration { return now.Sub(r.start) }

// Elapsed is how much time has passed in the experiment.
func (r *Run) Elapsed() time.Duration { return r.since(r.net.Now()) }

// Done is how much of the experiment is done, from 0 to 1.
func (r *Run) Done() float64 {
	part := 0.0
	if r.e.Duration > 0 {
		part = r.Elapsed().Seconds() / r.e.Duration.Seconds()
	}
	if r.e.Bytes > 0 {
		least := 1.0
		for _, f := range r.flows {
			least = min(least, float64(f.delivered)/float64(r.e.Bytes))
		}
		part = max(part, least)
	}
	return part
}

// Err says why an experiment failed, if it did.
func (r *Run) Err() error { return r.err }

func (r *Run) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("after %v of the experiment a flow ended: %w", r.Elapsed(), err)
	}
}

// settled reports whether what is sent at a time should have arrived by the end.
func (r *Run) settled(sent time.Time) bool {
	return r.e.Duration == 0 || r.since(sent) < r.e.Duration-2*r.e.RTT
}

// least is how long a datagram is on its way if nothing holds it up.
func (r *Run) least(size int) time.Duration {
	d := r.e.RTT / 2
	if r.e.Rate > 0 {
		d += time.Duration(int64(size+headers) * 8 * int64(time.Second) / r.e.Rate)
	}
	return d
}

// Step lets the experiment go on for a little, and reports whether it is not over.
func (r *Run) Step() bool {
	limit := r.e.Duration
	if limit == 0 {
		limit = patience
	}
	left := min(limit-r.Elapsed(), r.e.interval())
	if left <= 0 || r.err != nil || r.finished() {
		return false
	}
	r.net.Run(r.finished, left)
	for _, f := range r.flows {
		f.sample(r.Elapsed())
	}
	if r.e.Duration == 0 && r.Elapsed() >= patience && !r.finished() {
		r.err = fmt.Errorf("after %v of the experiment the flows have still not moved %d bytes", patience, r.e.Bytes)
	}
	return r.err == nil && !r.finished() && r.Elapsed() < limit
}

// finished reports whether every flow has moved its bytes.
func (r *Run) finished() bool {
	for _, f := range r.flows {
		if f.finished == 0 {
			return false
		}
	}
	return true
}

// sample looks at the flow.
func (f *flow) sample(at time.Duration) {
	s := f.from.Stats()
	queue := time.Duration(-1)
	if len(f.fresh) > 0 {
		slices.Sort(f.fresh)
		queue = f.fresh[len(f.fresh)/2]
	}
	f.fresh = f.fresh[:0]
	f.samples = append(f.samples, Sample{
		At: at, Delivered: f.delivered, Window: s.CongestionWindow, Flight: s.Flight, Pacing: 8 * s.PacingRate,
		Phase: s.CongestionPhase, SRTT: s.SRTT, Queue: queue, Resent: s.Retransmissions,
	})
}
