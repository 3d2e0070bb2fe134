package lab

import (
	"fmt"
	"math"

	"github.com/plainrtc/plainrtc/internal/plot"
)

// Chart draws what the flows did over time: their goodput, windows and what was
// in flight, and how long packets took.
func (r *Result) Chart() plot.Chart {
	c := plot.Chart{X: plot.Axis{Label: "Time", Unit: plot.Seconds, Max: r.Took.Seconds()}}
	goodput := plot.Panel{Left: plot.Axis{Label: "Goodput", Unit: plot.BitsPerSecond}, Height: 110}
	window := plot.Panel{Left: plot.Axis{Label: "Window", Unit: plot.Bytes}, Height: 110}
	delay := plot.Panel{Left: plot.Axis{Label: "Delay", Unit: plot.Seconds}, Height: 90}
	if r.Rate > 0 {
		goodput.Lines = append(goodput.Lines, plot.Line{At: float64(r.Rate), Label: "rate of the link"})
		window.Lines = append(window.Lines, plot.Line{At: float64(r.BDP()), Label: "bandwidth-delay product"})
	}
	delay.Lines = append(delay.Lines, plot.Line{At: r.RTT.Seconds(), Label: "round trip of the path"})
	alone := len(r.Flows) == 1
	for i := range r.Flows {
		f := &r.Flows[i]
		var t, rates, windows, flights, srtts, queues []float64
		for k, s := range f.Samples {
			if s.At < f.Begun {
				continue
			}
			t = append(t, s.At.Seconds())
			rates = append(rates, r.rateAt(f, k))
			windows = append(windows, float64(s.Window))
			flights = append(flights, float64(s.Flight))
			srtts = append(srtts, orGap(s.SRTT.Seconds()))
			queues = append(queues, s.Queue.Seconds())
			if s.Queue < 0 {
				queues[len(queues)-1] = math.NaN()
			}
		}
		if alone {
			goodput.Series = append(goodput.Series, plot.Series{X: t, Y: rates, Area: true})
			window.Series = append(window.Series,
				plot.Series{Name: "congestion window", X: t, Y: windows},
				plot.Series{Name: "in flight", X: t, Y: flights})
			delay.Series = append(delay.Series,
				plot.Series{Name: "smoothed round trip", X: t, Y: srtts},
				plot.Series{Name: "wait in the queue", X: t, Y: queues})
			continue
		}
		goodput.Series = append(goodput.Series, plot.Series{Name: fmt.Sprintf("%d: %v", i+1, f.Control), X: t, Y: rates})
		window.Series = append(window.Series, plot.Series{X: t, Y: windows})
	}
	if !alone {
		window.Left.Label, delay.Left.Label = "Congestion window", "Wait in the queue"
		delay.Lines, delay.Series = nil, []plot.Series{r.queue()}
	}
	if r.DropPackets > 0 {
		at := plot.Line{At: r.DropAt.Seconds(), Upright: true, Label: fmt.Sprintf("%d packets lost", r.DropPackets)}
		goodput.Lines = append(goodput.Lines, at)
	}
	c.Panels = []plot.Panel{goodput, window, delay}
	return c
}

// queue is the wait in the queue that all flows share: that of any of them.
func (r *Result) queue() plot.Series {
	s := plot.Series{Color: 7}
	for k, sample := range r.Flows[0].Samples {
		wait := math.NaN()
		for i := range r.Flows {
			if w := r.Flows[i].Samples[k].Queue; w >= 0 {
				wait = w.Seconds()
				break
			}
		}
		s.X, s.Y = append(s.X, sample.At.Seconds()), append(s.Y, wait)
	}
	return s
}

// orGap is v, or a gap where there is none yet.
func orGap(v float64) float64 {
	if v == 0 {
		return math.NaN()
	}
	return v
}

// rateAt is a flow's goodput in the time until sample k.
func (r *Result) rateAt(f *FlowResult, k int) float64 {
	before := max(0, k-r.window())
	a, b := f.Samples[before], f.Samples[k]
	if k == before {
		return 0
	}
	return 8 * float64(b.Delivered-a.Delivered) / (b.At - a.At).Seconds()
}
