package lab

import (
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/sctp"
)

// A Result is what an experiment showed.
type Result struct {
	Experiment  // with its defaults
	Took        time.Duration
	Flows       []FlowResult
	Goodput     float64         // of all flows, in bit/s, over the whole time
	LateGoodput float64         // over its second half
	Fairness    float64         // Jain's index of the flows' goodput over the second half: 1/n to 1
	Wait        Distribution    // of the packets of all flows
	Link        netsim.Counters // of the bottleneck
}

// A FlowResult is what one flow did.
type FlowResult struct {
	Control     sctp.CongestionControl
	Begun       time.Duration
	Moved       time.Duration // from its begin until Bytes had arrived; 0: they did not
	Delivered   int64         // bytes of messages
	Goodput     float64       // in bit/s, from its begin
	LateGoodput float64       // over the second half of the experiment
	Packets     uint64        // with data, sent
	Lost        float64       // the share of these that did not arrive
	Resent      uint64        // chunks sent again
	Timeouts    uint64        // of T3-rtx
	Wait        Distribution  // of packets, beyond what they take on an empty path
	Recovery    time.Duration // after DropPackets until the rate was back; 0: it never was

	// Of messages sent one by one: how long they took, and the share that came.
	Latency Distribution
	Arrived float64

	Samples []Sample
}

// Result returns what the experiment showed until now.
func (r *Run) Result() Result {
	res := Result{Experiment: r.e, Took: r.Elapsed(), Link: r.link.Counters()}
	half := res.Took / 2
	var waits []time.Duration
	var late []float64
	for i, f := range r.flows {
		s := f.from.Stats()
		x := FlowResult{
			Control: r.e.Control[i], Begun: f.begins, Delivered: f.delivered,
			Packets: f.sent, Resent: s.Retransmissions, Timeouts: s.Timeouts,
			Wait: Quantiles(f.waits.kept), Latency: Quantiles(f.latencies.kept), Samples: f.samples,
		}
		end := res.Took
		if f.finished > 0 {
			end, x.Moved = f.finished, f.finished-f.begins
		}
		x.Goodput = Goodput(f.arrivals.kept, f.begins, end)
		x.LateGoodput = Goodput(f.arrivals.kept, max(half, f.begins), end)
		if f.lost > 0 {
			x.Recovery = Recovery(f.arrivals.kept, f.lost, r.e.RTT)
		}
		if f.seen > 0 {
			x.Lost = 1 - float64(f.arrived)/float64(f.seen)
		}
		if f.asked > 0 {
			x.Arrived = float64(f.latencies.n) / float64(f.asked)
		}
		res.Flows = append(res.Flows, x)
		res.Goodput += Goodput(f.arrivals.kept, 0, res.Took)
		res.LateGoodput += x.LateGoodput
		waits = append(waits, f.waits.kept...)
		late = append(late, x.LateGoodput)
	}
	res.Wait, res.Fairness = Quantiles(waits), Fairness(late)
	return res
}

// Window is how long the rates of a chart are over: so long that what arrives at
// once, behind a loss that was repaired, is not a rate of its own.
func (r *Result) Window() time.Duration {
	return time.Duration(r.window()) * r.interval()
}

// window is Window in samples.
func (r *Result) window() int {
	return max(2, int(max(4*r.RTT, r.Took/50)/r.interval()))
}
