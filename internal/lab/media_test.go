package lab

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/sctp"
)

func finishMedia(t *testing.T, e MediaExperiment) MediaResult {
	t.Helper()
	r := StartMedia(e)
	for r.Step() {
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return r.Result()
}

var allFeedback = []Feedback{TransportWide, PerStream, Estimates}

// One flow on a path of 50 ms: after half a minute it uses the link, and packets do not wait. Measured: 92 to 94 % of the
// capacity, and 24 to 48 ms.
func TestMediaFillsAPath(t *testing.T) {
	for _, feedback := range allFeedback {
		for _, rate := range []int64{1e6, 2e6, 3e6} {
			for seed := range uint64(3) {
				r := finishMedia(t, MediaExperiment{
					Path: Path{Rate: rate, RTT: 50 * ms}, Feedback: feedback, Duration: 60 * time.Second, Seed: seed + 1,
				})
				name := fmt.Sprintf("%v, %d bit/s, seed %d", feedback, rate, seed+1)
				f := &r.Flows[0]
				between(t, name+": the utilisation", f.Rate(30*time.Second, r.Took)/float64(rate), 0.88, 1)
				between(t, name+": the wait in ms", f.Wait.P95.Seconds()*1e3, 0, 80)
				between(t, name+": what overflowed", float64(r.Link.Overflowed), 0, 0)
			}
		}
	}
}

// Probes find the capacity in two seconds; without them, as with REMB, the rate has grown by a twelfth in each.
func TestMediaStartsByProbes(t *testing.T) {
	for _, feedback := range []Feedback{TransportWide, PerStream} {
		r := finishMedia(t, MediaExperiment{Path: Path{Rate: 2e6, RTT: 50 * ms}, Feedback: feedback, Duration: 5 * time.Second, Seed: 1})
		between(t, fmt.Sprintf("%v: the rate in the fifth second", feedback), r.Flows[0].Rate(4*time.Second, 5*time.Second), 1.6e6, 2e6)
	}
}

// When three quarters of the link are gone, three seconds later the queue that this made is empty, and what is left
// is used. Measured over ten seeds and three paths: it takes 1.3 to 2.3 s.
func TestMediaYieldsToADrop(t *testing.T) {
	for _, feedback := range allFeedback {
		for seed := range uint64(3) {
			const drop = 20 * time.Second
			r := finishMedia(t, MediaExperiment{
				Path: Path{Rate: 2.4e6, RTT: 100 * ms}, Changes: []RateChange{{drop, 600e3}},
				Feedback: feedback, Duration: 50 * time.Second, Seed: seed + 1,
			})
			name := fmt.Sprintf("%v, seed %d", feedback, seed+1)
			f := &r.Flows[0]
			between(t, name+": the wait after 3 s, in ms", Quantiles(f.Queues(drop+3*time.Second, drop+6*time.Second)).Max.Seconds()*1e3, 0, 100)
			between(t, name+": the wait after 6 s, in ms", Quantiles(f.Queues(drop+6*time.Second, r.Took)).P95.Seconds()*1e3, 0, 100)
			between(t, name+": the rate after 3 s", f.Rate(drop+3*time.Second, drop+6*time.Second), 280e3, 610e3)
			between(t, name+": the rate at last", f.Rate(drop+15*time.Second, r.Took), 510e3, 600e3)
		}
	}
}

// Two flows share a link, although one was there before. Measured in the last of three minutes: Jain's index is 0.97 to 1.
func TestMediaFlowsShare(t *testing.T) {
	for _, feedback := range allFeedback {
		r := finishMedia(t, MediaExperiment{
			Path: Path{Rate: 2e6, RTT: 50 * ms}, Flows: []MediaFlow{{}, {Begin: 20 * time.Second}},
			Feedback: feedback, Duration: 3 * time.Minute, Seed: 1,
		})
		var last []float64
		for i := range r.Flows {
			last = append(last, r.Flows[i].Rate(2*time.Minute, r.Took))
		}
		between(t, fmt.Sprintf("%v: Jain's index", feedback), Fairness(last), 0.9, 1)
		between(t, fmt.Sprintf("%v: the wait in ms", feedback), r.Wait.P95.Seconds()*1e3, 0, 100)
	}
}

// A bound on its encoder is kept to, and the rest is for others.
func TestMediaKeepsToItsMost(t *testing.T) {
	r := finishMedia(t, MediaExperiment{
		Path: Path{Rate: 2e6, RTT: 50 * ms}, Flows: []MediaFlow{{Max: 400e3}, {}}, Duration: 40 * time.Second, Seed: 1,
	})
	between(t, "the bounded one", r.Flows[0].LateRate, 360e3, 440e3)
	between(t, "the other", r.Flows[1].LateRate, 1.3e6, 1.6e6)
}

// The cases of RFC 8867, each with what it is about.
func TestMediaCases(t *testing.T) {
	results := map[string]MediaResult{}
	for _, c := range MediaCases {
		e := c.Experiment
		e.Seed = 1
		results[c.Name] = finishMedia(t, e)
	}
	v := results["variable"]
	f := &v.Flows[0]
	between(t, "variable: the use of 1 Mbit/s", f.Rate(10*time.Second, 40*time.Second)/1e6, 0.88, 1)
	between(t, "variable: the use of 2.5 Mbit/s, at last", f.Rate(56*time.Second, 60*time.Second)/2.5e6, 0.7, 1)
	between(t, "variable: the use of 0.6 Mbit/s", f.Rate(65*time.Second, 80*time.Second)/0.6e6, 0.85, 1)
	between(t, "variable: the use of 1 Mbit/s again, at last", f.Rate(95*time.Second, 100*time.Second)/1e6, 0.85, 1)
	between(t, "several: Jain's index", results["several"].Fairness, 0.8, 1)
	between(t, "share: Jain's index", results["share"].Fairness, 0.8, 1)
	between(t, "roundtrips: Jain's index", results["roundtrips"].Fairness, 0.7, 1) // a long way is no handicap, but an advantage
	between(t, "data: what is left to the video", results["data"].Flows[0].LateRate, 150e3, 1e6)
	between(t, "data: what is left to the data", results["data"].Data[0].LateRate, 0.9e6, 1.9e6)
	for i, d := range results["bursts"].Data {
		between(t, fmt.Sprintf("bursts: the time of transfer %d in s", i+1), d.Moved.Seconds(), 0.3, 12)
	}
	between(t, "bursts: the video behind them", results["bursts"].Flows[0].Rate(110*time.Second, 120*time.Second), 1.5e6, 2e6)
	between(t, "pause: what resumes", results["pause"].Flows[1].Rate(80*time.Second, 120*time.Second), 0.7e6, 1.6e6)
	for name, r := range results {
		if c := r.Chart(); len(c.SVG()) < 1000 {
			t.Errorf("%s has no picture", name)
		}
	}
}

func TestSameSeedSameMedia(t *testing.T) {
	e := MediaExperiment{
		Path:     Path{Rate: 1e6, RTT: 30 * ms, Loss: 0.01, Jitter: 2 * ms, Reorder: 0.01},
		Flows:    make([]MediaFlow, 2),
		Data:     []DataFlow{{Control: sctp.CUBIC, Begin: time.Second, Bytes: 100_000}},
		Duration: 10 * time.Second, Seed: 7,
	}
	a, b := finishMedia(t, e), finishMedia(t, e)
	if !reflect.DeepEqual(a, b) {
		t.Error("two runs of the same experiment differ")
	}
	chartA, chartB := a.Chart(), b.Chart()
	if !bytes.Equal(chartA.SVG(), chartB.SVG()) {
		t.Error("two charts of the same experiment differ")
	}
	e.Seed = 8
	if c := finishMedia(t, e); c.Link == a.Link {
		t.Error("another seed changed nothing")
	}
}
