package lab

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/internal/plot"
)

// A MediaResult is what an experiment with media showed.
type MediaResult struct {
	MediaExperiment // with its defaults
	Took            time.Duration
	Flows           []MediaFlowResult
	Data            []MediaDataResult
	Link            netsim.Counters // of the bottleneck
	Wait            Distribution    // of the packets of all flows of media
	// Fairness is Jain's index of the flows of media over the second half: 1/n to 1.
	Fairness float64
}

// A MediaFlowResult is what one flow of media did.
type MediaFlowResult struct {
	MediaFlow
	Throughput float64 // of IP packets, in bit/s, from its begin
	LateRate   float64 // over the second half
	Sent       uint64  // packets
	Lost       float64 // the share of packets that did not arrive, as the receiver told
	Repeated   uint64  // packets that were sent again, for who asked or to probe
	Wait       Distribution
	Samples    []MediaSample
}

// A MediaDataResult is what a flow of data did.
type MediaDataResult struct {
	DataFlow
	Goodput  float64 // of messages, in bit/s, from its begin to its end
	LateRate float64
	Moved    time.Duration // until Bytes had arrived; 0: they did not
	Samples  []Sample
}

// Result returns what the experiment showed until now.
func (r *MediaRun) Result() MediaResult {
	res := MediaResult{MediaExperiment: r.e, Took: r.Elapsed(), Link: r.link.Counters()}
	var waits []time.Duration
	var late []float64
	for _, x := range r.flows {
		s := x.video.Stats(r.net.Now(), 0)
		f := MediaFlowResult{
			MediaFlow: x.MediaFlow, Sent: s.PacketsSent, Repeated: s.RetransmittedPackets, Wait: Quantiles(x.waits.kept), Samples: x.samples,
		}
		if told := x.from.Stats(r.net.Now()).Feedback; told.Packets > 0 {
			f.Lost = float64(told.Lost) / float64(told.Lost+told.Packets)
		} else {
			f.Lost = max(0, float64(s.Remote.PacketsLost)/float64(max(s.PacketsSent, 1)))
		}
		f.Throughput, f.LateRate = f.Rate(f.Begin, res.Took), f.Rate(max(f.Begin, res.Took/2), res.Took)
		res.Flows = append(res.Flows, f)
		waits = append(waits, x.waits.kept...)
		late = append(late, f.LateRate)
	}
	for i, f := range r.data.flows {
		d := MediaDataResult{DataFlow: r.e.Data[i], Samples: f.samples}
		end := res.Took
		if d.Bytes > 0 && f.delivered >= d.Bytes {
			for _, a := range f.arrivals.kept {
				end = a.At
			}
			d.Moved = end - f.begins
		}
		d.Goodput = Goodput(f.arrivals.kept, f.begins, end)
		d.LateRate = Goodput(f.arrivals.kept, max(f.begins, res.Took/2), res.Took)
		res.Data = append(res.Data, d)
	}
	res.Wait, res.Fairness = Quantiles(waits), Fairness(late)
	return res
}

// sampleAt is the index of the last sample up to a time; -1: there is none.
func (f *MediaFlowResult) sampleAt(at time.Duration) int {
	i, ok := slices.BinarySearchFunc(f.Samples, at, func(s MediaSample, at time.Duration) int { return cmp.Compare(s.At, at) })
	if !ok {
		i--
	}
	return i
}

// Rate is how fast packets arrived between two times, in bit/s of IP packets.
func (f *MediaFlowResult) Rate(from, to time.Duration) float64 {
	a, b := f.sampleAt(from), f.sampleAt(to)
	if b <= a {
		return 0
	}
	var before MediaSample
	if a >= 0 {
		before = f.Samples[a]
	}
	return 8 * float64(f.Samples[b].Arrived-before.Arrived) / (f.Samples[b].At - before.At).Seconds()
}

// Queues are the medians of the waits in each interval between two times.
func (f *MediaFlowResult) Queues(from, to time.Duration) (waits []time.Duration) {
	for _, s := range f.Samples {
		if s.At >= from && s.At < to && s.Queue >= 0 {
			waits = append(waits, s.Queue)
		}
	}
	return waits
}

// Capacity is the mean rate of the link between two times.
func (e *MediaExperiment) Capacity(from, to time.Duration) float64 {
	sum := 0.0
	for at := from; at < to; {
		next := to
		for _, c := range e.Changes {
			if c.At > at {
				next = min(next, c.At)
			}
		}
		sum += float64(e.rateAt(at)) * (next - at).Seconds()
		at = next
	}
	return sum / (to - from).Seconds()
}

// Chart draws what the flows did over time: what they were told to send, what arrived, and how long packets
// waited.
func (r *MediaResult) Chart() plot.Chart {
	c := plot.Chart{X: plot.Axis{Label: "Time", Unit: plot.Seconds, Max: r.Took.Seconds()}}
	target := plot.Panel{Left: plot.Axis{Label: "Target", Unit: plot.BitsPerSecond}, Height: 110}
	rate := plot.Panel{Left: plot.Axis{Label: "Throughput", Unit: plot.BitsPerSecond}, Height: 110}
	wait := plot.Panel{Left: plot.Axis{Label: "Wait in the queue", Unit: plot.Seconds}, Height: 90}
	link := plot.Series{Name: "rate of the link", X: []float64{0}, Y: []float64{float64(r.Rate)}, Steps: true, Dashed: true, Color: 8}
	for _, change := range r.Changes {
		link.X, link.Y = append(link.X, change.At.Seconds()), append(link.Y, float64(change.Rate))
	}
	link.X, link.Y = append(link.X, r.Took.Seconds()), append(link.Y, link.Y[len(link.Y)-1])
	const window = time.Second
	for i := range r.Flows {
		f := &r.Flows[i]
		name := ""
		if len(r.Flows)+len(r.Data) > 1 {
			name = fmt.Sprint("video ", i+1)
		}
		t, rates := plot.Series{Name: name}, plot.Series{}
		for _, s := range f.Samples {
			if s.At < f.Begin {
				continue
			}
			t.X, rates.X = append(t.X, s.At.Seconds()), append(rates.X, s.At.Seconds())
			t.Y, rates.Y = append(t.Y, orGap(s.Target)), append(rates.Y, f.Rate(s.At-window, s.At))
		}
		target.Series, rate.Series = append(target.Series, t), append(rate.Series, rates)
	}
	for i := range r.Data {
		d := &r.Data[i]
		s := plot.Series{Name: fmt.Sprintf("data %d: %v", i+1, d.Control), Color: len(r.Flows) + i%3 + 1}
		const steps = int(window / mediaInterval)
		for k := steps; k < len(d.Samples); k++ {
			if a, b := d.Samples[k-steps], d.Samples[k]; b.At >= d.Begin {
				s.X, s.Y = append(s.X, b.At.Seconds()), append(s.Y, 8*float64(b.Delivered-a.Delivered)/window.Seconds())
			}
		}
		rate.Series = append(rate.Series, s)
	}
	target.Series, rate.Series = append(target.Series, link), append(rate.Series, plot.Series{X: link.X, Y: link.Y, Steps: true, Dashed: true, Color: 8})
	queue := plot.Series{}
	for k, s := range r.Flows[0].Samples {
		v := math.NaN()
		for i := range r.Flows {
			if w := r.Flows[i].Samples[k].Queue; w >= 0 {
				v = w.Seconds()
				break
			}
		}
		queue.X, queue.Y = append(queue.X, s.At.Seconds()), append(queue.Y, v)
	}
	wait.Series = []plot.Series{queue}
	c.Panels = []plot.Panel{target, rate, wait}
	return c
}
