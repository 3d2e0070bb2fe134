package congestion

import (
	"math"
	"testing"
	"time"
)

// Packets that leave together are a group, and those that meet again behind a queue.
func TestGroups(t *testing.T) {
	type packet struct{ sent, arrived time.Duration }
	for name, test := range map[string]struct {
		packets []packet
		want    []variation
	}{
		"each by itself": {
			[]packet{{0, 100 * ms}, {20 * ms, 121 * ms}, {40 * ms, 143 * ms}, {60 * ms, 160 * ms}},
			[]variation{{20 * ms, 21 * ms, 121 * ms}, {20 * ms, 22 * ms, 143 * ms}},
		},
		"together": {
			[]packet{{0, 100 * ms}, {5 * ms, 105 * ms}, {20 * ms, 120 * ms}, {24 * ms, 130 * ms}, {40 * ms, 140 * ms}},
			[]variation{{19 * ms, 25 * ms, 130 * ms}},
		},
		"a burst behind a queue": {
			[]packet{{0, 100 * ms}, {20 * ms, 150 * ms}, {40 * ms, 152 * ms}, {60 * ms, 154 * ms}, {80 * ms, 180 * ms}},
			[]variation{{60 * ms, 54 * ms, 154 * ms}},
		},
		"one overtaken": {
			[]packet{{0, 100 * ms}, {40 * ms, 140 * ms}, {20 * ms, 141 * ms}, {60 * ms, 160 * ms}},
			[]variation{{40 * ms, 40 * ms, 140 * ms}},
		},
	} {
		var g groups
		var got []variation
		for _, p := range test.packets {
			if v, what := g.add(p.arrived, p.sent, p.arrived); what == varied {
				got = append(got, v)
			}
		}
		if len(got) != len(test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
			continue
		}
		for i := range got {
			if got[i] != test.want[i] {
				t.Errorf("%s: %v, want %v", name, got, test.want)
			}
		}
	}
}

// A delay that grows by a tenth of the time has a slope of one tenth; jitter around a constant has none.
func TestTrendline(t *testing.T) {
	var l trendline
	at, slope := time.Duration(0), 0.0
	for i := range 200 {
		at += 22 * ms
		if slope = l.add(variation{20 * ms, 22 * ms, at}); i < trendWindow-1 && slope != 0 {
			t.Fatalf("%d groups have a slope", i+1)
		}
	}
	if want := 2.0 / 22; math.Abs(slope-want) > 0.001 {
		t.Errorf("the slope is %v, want %v", slope, want)
	}
	l = trendline{}
	for i := range 200 {
		d := 20*ms + time.Duration(1-2*(i&1))*3*ms
		at += d
		slope = l.add(variation{20 * ms, d, at})
	}
	if math.Abs(slope) > 0.01 {
		t.Errorf("jitter has a slope of %v", slope)
	}
}

// Over-use takes 10 ms, two groups and a slope that does not fall.
func TestDetector(t *testing.T) {
	var d detector
	at := time.Duration(0)
	feed := func(slope float64) signal {
		at += 20 * ms
		d.update(slope, 60, 20*ms, at)
		return d.signal
	}
	for i, step := range []struct {
		slope float64
		want  signal
	}{
		{0, normal}, {0.1, normal}, {0.1, overuse}, {0, normal},
		{0.1, normal}, {0.09, normal}, {0.2, overuse}, {0.15, overuse}, {-0.2, underuse}, {0, normal},
	} {
		if got := feed(step.slope); got != step.want {
			t.Errorf("step %d, slope %v: %v, want %v", i, step.slope, got, step.want)
		}
	}
	// The threshold follows what is not far from it, slowly down and fast to the bounds.
	for range 1000 {
		feed(0)
	}
	if d.threshold != leastThreshold {
		t.Errorf("on a quiet path the threshold is %v", d.threshold)
	}
	feed(1)
	if d.threshold != leastThreshold {
		t.Errorf("a spike raises the threshold to %v", d.threshold)
	}
	for range 1000 {
		feed(0.05) // 12 ms
	}
	if math.Abs(d.threshold-12) > 0.1 {
		t.Errorf("beside who keeps the queue at 12 ms the threshold is %v", d.threshold)
	}
}

// Section 5.5: the rate falls to 0.85 of what arrives, rises by 8 % a second at first, and near what is known of the link by
// half a packet in a response time.
func TestRateControl(t *testing.T) {
	const rtt = 100 * ms
	a := aimd{bitrate: 1e6}
	at := time.Duration(0)
	step := func(s signal, incoming float64) {
		at += 100 * ms
		a.update(at, s, incoming, rtt)
	}
	step(normal, 1e6)
	for range 10 {
		step(normal, 1e6)
	}
	if math.Abs(a.bitrate-1.08e6) > 1e3 {
		t.Errorf("after a second it is %.0f", a.bitrate)
	}
	for range 100 {
		step(normal, 1e6)
	}
	if a.bitrate != 1.51e6 {
		t.Errorf("where 1 Mbit/s arrives the most is %.0f", a.bitrate)
	}
	step(overuse, 1.2e6)
	if a.bitrate != 1.02e6 || !a.capacity.known() {
		t.Errorf("over-used, it is %.0f", a.bitrate)
	}
	step(underuse, 1.1e6)
	before := a.bitrate
	step(normal, 1.1e6) // the first only leaves hold
	for range 10 {
		step(normal, 1.1e6)
	}
	// 4,250 bytes a frame, in four packets of 8,500 bits, in 2 × 200 ms.
	if rise := a.bitrate - before; rise < 18e3 || rise > 24e3 {
		t.Errorf("near the capacity it rises by %.0f in a second", rise)
	}
	// What is far from what is known of the link is of another one.
	step(normal, 2e6)
	if a.capacity.known() {
		t.Error("the capacity is that of before")
	}
	// A second decrease waits for a round trip, unless it is needed at once.
	step(overuse, 1e6)
	before = a.bitrate
	at += 20*ms - 100*ms
	step(overuse, 0.9e6)
	if a.bitrate != before {
		t.Errorf("20 ms later it falls from %.0f to %.0f", before, a.bitrate)
	}
	step(overuse, 0.3e6)
	if a.bitrate != 0.255e6 {
		t.Errorf("where 300 kbit/s arrive it is %.0f", a.bitrate)
	}
}

// A cluster shows the smaller of the rates at which it left and arrived, and less when it has filled the path.
func TestCluster(t *testing.T) {
	for name, test := range map[string]struct {
		left, came time.Duration // from packet to packet
		n          int
		want       float64
	}{
		"as it left":          {8 * ms, 8 * ms, 5, 1e6},
		"a little slower":     {8 * ms, 8400 * time.Microsecond, 5, 8000 / 8.4e-3},
		"much slower":         {8 * ms, 16 * ms, 5, 0.95 * 0.5e6},
		"faster":              {8 * ms, 5 * ms, 5, 1e6},
		"faster than it can":  {8 * ms, 3 * ms, 5, 0},
		"too few":             {8 * ms, 8 * ms, 3, 0},
		"all at once":         {0, 8 * ms, 5, 0},
		"out of one batch":    {8 * ms, 0, 5, 0},
		"too slow for a rate": {8 * ms, 300 * ms, 5, 0},
	} {
		m := measured{Cluster: newCluster(1e6)}
		got := 0.0
		for i := range test.n {
			got = m.take(time.Duration(i)*test.left, time.Hour+time.Duration(i)*test.came, 1000)
		}
		if math.Abs(got-test.want) > 1 {
			t.Errorf("%s: %.0f, want %.0f", name, got, test.want)
		}
	}
}

// Departures are remembered for a second, as many as there are; those that were told of make room.
func TestDeparturesAreBounded(t *testing.T) {
	var h history
	for i := range 100_000 {
		h.remember(uint16(i), time.Duration(i)*time.Millisecond, 100, 0)
		if i >= 40 {
			h.find(uint16(i - 40)).state = settled
		}
	}
	if len(h.left) != minDepartures {
		t.Errorf("with 40 packets on their way %d are remembered", len(h.left))
	}
	h = history{}
	for i := range 1000 { // from the middle of the ring on
		h.remember(uint16(minDepartures/2+i), 0, 100, 0)
	}
	for i := range 1000 {
		if v := h.find(uint16(minDepartures/2 + i)); v == nil {
			t.Fatalf("packet %d is not found again when the ring has grown", i)
		} else {
			v.state = settled
		}
	}
	for i := range 100_000 {
		h.remember(uint16(i), 0, 100, 0)
	}
	if len(h.left) != departures {
		t.Errorf("without feedback %d are remembered", len(h.left))
	}
}
