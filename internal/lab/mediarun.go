package lab

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
)

// A MediaRun is an experiment with media under way.
type MediaRun struct {
	e     MediaExperiment
	net   *netsim.Network
	start time.Time
	link  *netsim.Link // the bottleneck
	flows []*mediaFlow
	data  *Run // whose flows are those of data
	err   error
}

// A MediaSample is a flow at one moment.
type MediaSample struct {
	At      time.Duration
	Target  float64       // bit/s; 0: it does not send
	Arrived int64         // bytes of IP packets, until now
	Queue   time.Duration // the median wait of the packets that arrived since the last sample; -1: none did
}

// StartMedia begins an experiment.
func StartMedia(e MediaExperiment) *MediaRun {
	e.setDefaults()
	r := &MediaRun{e: e, start: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)}
	r.net = netsim.New(e.Seed, r.start)
	r.net.Unhashed = true
	r.data = &Run{e: Experiment{Path: e.Path, Duration: e.Duration}, net: r.net, start: r.start}
	r.data.e.setDefaults()

	receiver := &mediaHost{sink: true, data: &host{run: r.data, sink: true}}
	receiverAddr := netip.AddrFrom4([4]byte{192, 0, 2, 1})
	h := r.net.AddHost(receiver, netsim.Profile{Delay: e.RTT - e.RTT/2}, receiverAddr)
	r.link = h.Down
	r.link.Profile = netsim.Profile{
		Delay: e.RTT / 2, Rate: e.Rate, Queue: e.Queue, Loss: e.Loss, Burst: e.Burst,
		Jitter: e.Jitter, Reorder: e.Reorder, ReorderBy: e.ReorderBy, MTU: e.MTU,
	}
	for i, f := range e.Flows {
		addr := netip.AddrFrom4([4]byte{198, 51, 100, byte(i + 1)})
		x := r.newMediaFlow(i, f, addr, receiverAddr)
		r.flows = append(r.flows, x)
		receiver.flows = append(receiver.flows, x)
		h := r.net.AddHost(&mediaHost{flows: []*mediaFlow{x}}, netsim.Profile{}, addr)
		h.Up.Profile.Delay, h.Down.Profile.Delay = f.RTT/2, f.RTT-f.RTT/2
	}
	for i, d := range e.Data {
		addr := netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)})
		f := r.data.newFlow(i, d.Control, d.Begin, addr, receiverAddr)
		if d.Bytes > 0 {
			f.owed = d.Bytes
		}
		r.data.flows = append(r.data.flows, f)
		receiver.data.flows = append(receiver.data.flows, f)
		r.net.AddHost(&host{run: r.data, flows: []*flow{f}}, netsim.Profile{}, addr)
		r.net.After(f.begins, func() { f.from.Connect(r.net.Now()) })
	}
	for _, c := range e.Changes {
		// The queue is as long as it was, in time.
		r.net.After(c.At, func() {
			r.link.Profile.Queue = int(int64(e.Queue) * c.Rate / max(e.Rate, 1))
			r.link.Profile.Rate = c.Rate
		})
	}
	return r
}

func (r *MediaRun) since(now time.Time) time.Duration { return now.Sub(r.start) }

// Elapsed is how much time has passed in the experiment.
func (r *MediaRun) Elapsed() time.Duration { return r.since(r.net.Now()) }

// Done is how much of the experiment is done, from 0 to 1.
func (r *MediaRun) Done() float64 { return r.Elapsed().Seconds() / r.e.Duration.Seconds() }

// Err says why an experiment failed, if it did.
func (r *MediaRun) Err() error {
	if r.err == nil {
		return r.data.err
	}
	return r.err
}

func (r *MediaRun) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("after %v of the experiment a flow ended: %w", r.Elapsed(), err)
	}
}

// least is how long a datagram is on its way if nothing holds it up.
func (r *MediaRun) least(now time.Time, size int) time.Duration {
	d := r.e.RTT / 2
	if rate := r.e.rateAt(r.since(now)); rate > 0 {
		d += time.Duration(int64(size+headers) * 8 * int64(time.Second) / rate)
	}
	return d
}

// Step lets the experiment go on for a little, and reports whether it is not over.
func (r *MediaRun) Step() bool {
	left := min(r.e.Duration-r.Elapsed(), mediaInterval)
	if left <= 0 || r.Err() != nil {
		return false
	}
	r.net.Run(nil, left)
	for _, x := range r.flows {
		x.sample(r.net.Now())
	}
	for _, f := range r.data.flows {
		f.sample(r.Elapsed())
	}
	return r.Err() == nil && r.Elapsed() < r.e.Duration
}
