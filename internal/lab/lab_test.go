package lab

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/sctp"
)

const ms = time.Millisecond

func finish(t *testing.T, e Experiment) Result {
	t.Helper()
	r := Start(e)
	for r.Step() {
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if done := r.Done(); done < 1 {
		t.Errorf("it ended when %.2f of it was done", done)
	}
	return r.Result()
}

// between holds a figure to bounds.
func between(t *testing.T, what string, got, low, high float64) {
	t.Helper()
	if got < low || got > high {
		t.Errorf("%s is %v, want %v to %v", what, got, low, high)
	}
}

func TestSameSeedSameResult(t *testing.T) {
	e := Experiment{
		Path:     Path{Rate: 10e6, RTT: 30 * ms, Loss: 0.01, Burst: Bursts(0.005, 5), Jitter: 2 * ms, Reorder: 0.01},
		Control:  []sctp.CongestionControl{sctp.BBR, sctp.CUBIC},
		Duration: 2 * time.Second,
		Seed:     7,
	}
	a, b := finish(t, e), finish(t, e)
	if !reflect.DeepEqual(a, b) {
		t.Error("two runs of the same experiment differ")
	}
	chartA, chartB := a.Chart(), b.Chart()
	if !bytes.Equal(chartA.SVG(), chartB.SVG()) {
		t.Error("two charts of the same experiment differ")
	}
	e.Seed = 8
	if c := finish(t, e); c.Link == a.Link {
		t.Error("another seed changed nothing")
	}
}

// What is measured is what the link was told to do: a sender that never fills the
// queue sees the losses of the path and no wait.
func TestMeasuresThePath(t *testing.T) {
	r := finish(t, Experiment{
		Path:        Path{Rate: 100e6, RTT: 40 * ms, Loss: 0.02},
		MessageSize: 1000, Every: ms, Unordered: true, Limited: true,
		Duration: 20 * time.Second, Seed: 1,
	})
	f := r.Flows[0]
	between(t, "the loss", f.Lost, 0.017, 0.023)
	between(t, "what arrived", f.Arrived, 0.977, 0.983)
	between(t, "goodput in Mbit/s", r.Goodput/1e6, 0.97*8, 0.985*8)
	between(t, "the wait in ms", f.Wait.P99.Seconds()*1e3, 0, 0.2)
	between(t, "the latency in ms", f.Latency.P99.Seconds()*1e3, 20, 20.3)
	if f.Resent != 0 {
		t.Errorf("%d chunks were sent again, which was not to be", f.Resent)
	}
}

// A thousand messages a second, one in twenty of them lost: the others are not held
// up, neither by what peers tell each other of the losses nor by a controller that
// takes them for congestion.
func TestMessagesThroughLoss(t *testing.T) {
	for seed := range uint64(3) {
		r := finish(t, Experiment{
			Path:        Path{Rate: 100e6, RTT: 40 * ms, Loss: 0.05},
			MessageSize: 1000, Every: ms, Unordered: true, Limited: true,
			Duration: 20 * time.Second, Seed: seed + 1,
		})
		f := r.Flows[0]
		between(t, "what arrived", f.Arrived, 0.94, 0.96)
		between(t, "the latency in ms", f.Latency.P99.Seconds()*1e3, 20, 30)
	}
}

// While losses are repaired, what came after them fills the receive window: that
// is no congestion, and the flow has its rate all the same.
func TestLossOnALongPath(t *testing.T) {
	for seed := range uint64(2) {
		r := finish(t, Experiment{Path: Path{Rate: 100e6, RTT: 100 * ms, Loss: 0.03}, Duration: 8 * time.Second, Seed: seed + 1})
		between(t, "goodput in Mbit/s", r.LateGoodput/1e6, 75, 95)
	}
}

// A queue that a flow fills makes its packets wait.
func TestMeasuresTheQueue(t *testing.T) {
	r := finish(t, Experiment{
		Path:    Path{Rate: 10e6, RTT: 40 * ms, Queue: 50_000},
		Control: []sctp.CongestionControl{sctp.NewReno}, Duration: 10 * time.Second, Seed: 1,
	})
	between(t, "the wait in ms", r.Wait.P99.Seconds()*1e3, 35, 40) // 50,000 bytes take 40 ms
	between(t, "goodput in Mbit/s", r.LateGoodput/1e6, 7.5, 9.5)
	if r.Link.Overflowed == 0 || r.Link.Lost != 0 {
		t.Errorf("the queue dropped %d and the path %d", r.Link.Overflowed, r.Link.Lost)
	}
}

func TestMovesBytes(t *testing.T) {
	r := finish(t, Experiment{Path: Path{Rate: 10e6, RTT: 40 * ms}, Bytes: 1_000_000, MessageSize: 30_000, Seed: 1})
	f := r.Flows[0]
	if f.Delivered != 1_000_000 || f.Moved != r.Took {
		t.Errorf("%d bytes in %v of %v", f.Delivered, f.Moved, r.Took)
	}
	between(t, "the time", f.Moved.Seconds(), 0.85, 1.3)
	between(t, "goodput", f.Goodput, 8e6/1.3, 8e6/0.85)
}

func TestRecovery(t *testing.T) {
	r := finish(t, Experiment{Path: Path{Rate: 10e6, RTT: 40 * ms}, DropAt: 3 * time.Second, DropPackets: 20, Duration: 5 * time.Second, Seed: 1})
	f := r.Flows[0]
	between(t, "the time to recover, in ms", f.Recovery.Seconds()*1e3, 40, 200)
	between(t, "the packets lost", f.Lost*float64(f.Packets), 20, 40)
	chart := r.Chart()
	if !bytes.Contains(chart.SVG(), []byte("20 packets lost")) {
		t.Error("the chart does not say when")
	}
}

func TestFlowsShare(t *testing.T) {
	r := finish(t, Experiment{
		Path: Path{Rate: 20e6, RTT: 40 * ms}, Control: []sctp.CongestionControl{sctp.BBR, sctp.BBR},
		Stagger: 500 * ms, Duration: 20 * time.Second, Seed: 1,
	})
	x, y := r.Flows[0].LateGoodput, r.Flows[1].LateGoodput
	between(t, "together", (x+y)/20e6, 0.85, 0.94)
	if jain := (x + y) * (x + y) / (2 * (x*x + y*y)); math.Abs(jain-r.Fairness) > 1e-9 {
		t.Errorf("Jain's index is %v, want %v", r.Fairness, jain)
	}
	if r.Flows[1].Begun != 500*ms {
		t.Errorf("the second flow began at %v", r.Flows[1].Begun)
	}
}

// A path that carries nothing ends the experiment with a reason, and no hang.
func TestDeadPath(t *testing.T) {
	r := Start(Experiment{Path: Path{Rate: 10e6, RTT: 40 * ms, Loss: 1}, Bytes: 1000})
	for r.Step() {
	}
	var timeout *sctp.TimeoutError
	if !errors.As(r.Err(), &timeout) {
		t.Errorf("1000 bytes over nothing: %v, want a timeout", r.Err())
	}
}

func TestDistribution(t *testing.T) {
	var times []time.Duration
	for i := range 1000 {
		times = append(times, time.Duration(999-i)*ms)
	}
	want := Distribution{1000, 500 * ms, 950 * ms, 990 * ms, 999 * ms}
	if got := Quantiles(times); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := Quantiles(nil); got != (Distribution{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

// Ten bytes a millisecond, none for 50 ms, then all of those and on: nine tenths of
// what should have come are there when the gap ends.
func TestRecoveryOfArrivals(t *testing.T) {
	var arrivals []Arrival
	for i := range 2000 {
		if i < 1000 || i >= 1050 {
			arrivals = append(arrivals, Arrival{time.Duration(i) * ms, int64(10 * (i + 1))})
		}
	}
	if got := Recovery(arrivals, 999*ms, 40*ms); got != 51*ms {
		t.Errorf("back after %v, want 51ms", got)
	}
	if got := Recovery(arrivals, 999*ms, 60*ms); got != 60*ms {
		t.Errorf("with a round trip of 60 ms it is back after %v", got)
	}
	if got := Recovery(arrivals[:1000], 999*ms, 40*ms); got != 0 {
		t.Errorf("it is back after %v, and nothing came", got)
	}
	if got := Goodput(arrivals, 500*ms, 900*ms); got != 80_000 {
		t.Errorf("goodput is %v, want 80 kbit/s", got)
	}
}

// A long list is thinned and not cut off, and what is kept are every so manieth.
func TestThinnedList(t *testing.T) {
	var l thinned[int]
	for i := range 5*mostKept + 12_345 {
		l.add(i)
	}
	if len(l.kept) > mostKept || len(l.kept) < mostKept/2 || l.n != 5*mostKept+12_345 {
		t.Fatalf("%d are kept of %d", len(l.kept), l.n)
	}
	for i, v := range l.kept {
		if v != 8*i {
			t.Fatalf("number %d is %d, want %d", i, v, 8*i)
		}
	}
}

func TestFairness(t *testing.T) {
	for _, test := range []struct {
		rates []float64
		want  float64
	}{{[]float64{5, 5, 5, 5}, 1}, {[]float64{5, 0, 0, 0}, 0.25}, {[]float64{3, 1}, 0.8}, {[]float64{0, 0}, 1}} {
		if got := Fairness(test.rates); math.Abs(got-test.want) > 1e-9 {
			t.Errorf("%v: %v, want %v", test.rates, got, test.want)
		}
	}
}

// Where the first chunk is no data, a later one may be.
func TestCarriesData(t *testing.T) {
	header := make([]byte, 12)
	sack := []byte{3, 0, 0, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0}
	data := []byte{0, 3, 0, 17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 'x', 0, 0, 0}
	for _, test := range []struct {
		chunks [][]byte
		want   bool
	}{
		{nil, false},
		{[][]byte{sack}, false},
		{[][]byte{data}, true},
		{[][]byte{sack, data}, true},
		{[][]byte{sack, {64, 3, 0, 21}}, true},
	} {
		if got := carriesData(append(bytes.Clone(header), bytes.Join(test.chunks, nil)...)); got != test.want {
			t.Errorf("%x: %v", test.chunks, got)
		}
	}
}
