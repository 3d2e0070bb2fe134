package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/plainrtc/plainrtc/internal/lab"
	"github.com/plainrtc/plainrtc/internal/plot"
	"github.com/plainrtc/plainrtc/sctp"
)

// A sweep is the experiments of all combinations, and what came of them.
type sweep struct {
	*sctpLab
	experiments []lab.Experiment
	results     []sctpResult
}

// runSweep tries every combination.
func (s *sctpLab) runSweep(ctx context.Context, out output, svg, page *picture) error {
	w := sweep{sctpLab: s}
	for _, rate := range s.rates.values {
		for _, rtt := range s.rtts.values {
			for _, queue := range s.queues.values {
				for _, loss := range s.losses.values {
					for _, control := range s.controls.values {
						e := s.on(rate, rtt, loss, queue)
						e.Control = []sctp.CongestionControl{control}
						w.experiments = append(w.experiments, e)
					}
				}
			}
		}
	}
	if len(w.experiments) > mostExperiments {
		return usageError(fmt.Sprintf("%d combinations are too many; %d is the limit", len(w.experiments), mostExperiments))
	}
	if err := w.run(ctx, newProgress(out.stderr)); err != nil {
		return err
	}
	if s.json {
		all := []resultJSON{}
		for _, r := range w.results {
			all = append(all, r.json(false))
		}
		writeJSONLine(out.stdout, all)
	} else {
		fmt.Fprint(out.stdout, aligned(w.rows()))
	}
	if err := svg.write(w.svg); err != nil {
		return err
	}
	return page.write(w.html)
}

// run does the experiments on all processors; they know nothing of each other.
func (w *sweep) run(ctx context.Context, p *progress) error {
	defer p.end()
	w.results = make([]sctpResult, len(w.experiments))
	failed := make([]error, len(w.experiments))
	var next, done atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(w.experiments)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(w.experiments) {
					return
				}
				run := lab.Start(w.experiments[i])
				for run.Step() && ctx.Err() == nil {
				}
				w.results[i], failed[i] = sctpResult{run.Result(), w.line}, run.Err()
				for k := range w.results[i].Flows {
					w.results[i].Flows[k].Samples = nil // a table has no use for them
				}
				p.show("%d of %d", done.Add(1), len(w.experiments))
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted after %d of %d experiments", done.Load(), len(w.experiments))
	}
	return errors.Join(failed...)
}

// rows is the sweep as a table, with its header.
func (w *sweep) rows() [][]string {
	header := []string{"rate", "round trip"}
	several := len(w.queues.values) > 1
	if several {
		header = append(header, "queue")
	}
	header = append(header, "loss", "control", "goodput")
	switch {
	case w.every.v > 0:
		header = append(header, "arrived", "latency: median", "95 %", "99 %")
	case w.bytes.v > 0:
		header = append(header, "time", "lost", "sent again", "wait: median", "95 %")
	default:
		header = append(header, "second half", "lost", "sent again", "wait: median", "95 %")
	}
	rows := [][]string{header}
	for _, r := range w.results {
		f := &r.Flows[0]
		row := []string{plot.BitsPerSecond.Format(float64(r.Rate)), plot.Seconds.Format(r.RTT.Seconds())}
		if several {
			row = append(row, plot.Bytes.Format(float64(r.Queue)))
		}
		row = append(row, plot.Fraction.Format(r.Loss), f.Control.String(), plot.BitsPerSecond.Format(r.Goodput))
		switch {
		case w.every.v > 0:
			row = append(row, plot.Fraction.Format(f.Arrived), seconds(f.Latency.Median), seconds(f.Latency.P95), seconds(f.Latency.P99))
		case w.bytes.v > 0:
			moved := "—"
			if f.Moved > 0 {
				moved = seconds(f.Moved)
			}
			row = append(row, moved, plot.Fraction.Format(f.Lost), grouped(f.Resent), seconds(r.Wait.Median), seconds(r.Wait.P95))
		default:
			row = append(row, plot.BitsPerSecond.Format(r.LateGoodput), plot.Fraction.Format(f.Lost), grouped(f.Resent), seconds(r.Wait.Median), seconds(r.Wait.P95))
		}
		rows = append(rows, row)
	}
	return rows
}

// chart draws goodput over loss, or over the round trip where there is one loss
// only: a panel for each path, a curve for each congestion control.
func (w *sweep) chart() plot.Chart {
	c := plot.Chart{X: plot.Axis{Label: "Random loss", Unit: plot.Fraction}}
	overRTT := len(w.losses.values) == 1 && len(w.rtts.values) > 1
	if overRTT {
		c.X = plot.Axis{Label: "Round trip", Unit: plot.Seconds}
	}
	for _, r := range w.results {
		label := plot.BitsPerSecond.Format(float64(r.Rate))
		x := r.RTT.Seconds()
		if !overRTT {
			label += ", round trip " + plot.Seconds.Format(x)
			x = r.Loss
		}
		if len(w.queues.values) > 1 {
			label += ", queue " + plot.Bytes.Format(float64(r.Queue))
		}
		label += ": goodput"
		var p *plot.Panel
		for i := range c.Panels {
			if c.Panels[i].Left.Label == label {
				p = &c.Panels[i]
			}
		}
		if p == nil {
			c.Panels = append(c.Panels, plot.Panel{
				Left:  plot.Axis{Label: label, Unit: plot.BitsPerSecond},
				Lines: []plot.Line{{At: float64(r.Rate)}},
			})
			p = &c.Panels[len(c.Panels)-1]
		}
		name := r.Flows[0].Control.String()
		var s *plot.Series
		for i := range p.Series {
			if p.Series[i].Name == name {
				s = &p.Series[i]
			}
		}
		if s == nil {
			p.Series = append(p.Series, plot.Series{Name: name, Dots: true})
			s = &p.Series[len(p.Series)-1]
		}
		s.X, s.Y = append(s.X, x), append(s.Y, r.Goodput)
	}
	return c
}

func (w *sweep) svg() []byte {
	c := w.chart()
	c.Title = "Goodput of SCTP"
	c.Subtitle = w.line
	return c.SVG()
}

func (w *sweep) html() []byte {
	rows := w.rows()
	c := w.chart()
	p := plot.Page{
		Title: "SCTP over many paths",
		Lead:  fmt.Sprintf("%d experiments on a simulated network, each with a flow of its own.", len(w.results)),
		Parts: []plot.Part{
			{Heading: "Results", Table: &plot.Table{Header: rows[0], Rows: rows[1:]}},
			{Heading: "Goodput", Chart: &c, Caption: "Messages that the receiver got. The dotted line is the rate of the link."},
		},
		Footer: w.line,
	}
	return p.HTML()
}
