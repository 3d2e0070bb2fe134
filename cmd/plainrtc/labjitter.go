package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/plot"
	"github.com/plainrtc/plainrtc/rtp/jitter"
	"github.com/plainrtc/plainrtc/rtp/jitter/jitterlab"
)

var labJitterCommand = command{
	name: "lab jitter",
	synopsis: "[TRACE] [--kind NAME] [--jitter TIME] [--loss SHARE] [--drift PPM] [--interval TIME] [--duration TIME]\n" +
		"       [--seed N] [--min-delay TIME] [--max-delay TIME] [--json] [--svg FILE] [--html FILE]",
	summary: "the delay and the late loss of the jitter buffer on a path",
	about: `
Sends packets over a path whose delay varies into this module's jitter buffer, and
tells how long it held them and how many came too late. Delays are those beyond
the fastest packet's. Late are packets that arrived behind their time: those that
were discarded, and those that were played only because play-out had come to a
stop for want of anything else.

The path is made up, or it is that of a TRACE: an RTP dump, as rtpdump, Wireshark
and plainrtc write them, of which it takes the longest stream; or a text file with
a line for each packet, when it was sent and when it arrived, in milliseconds, such
as "40 71.5", or "60 lost".

Kinds of paths:
  uniform   each packet by itself takes anything up to the jitter longer
  gaussian  the jitter is eight standard deviations
  gamma     of shape 2: most packets are fast, few are very late
  queue     packets keep their order, behind a queue that others fill and empty
  spikes    every few seconds the path stands still
  wifi      retries, and every ten seconds the radio is elsewhere
  handover  another path every 15 s
  rare      as wifi, twice a minute`,
	example: "plainrtc lab jitter --jitter 30ms --loss 2% --seed 1\n" +
		"plainrtc lab jitter --kind wifi --jitter 200ms --html wifi.html\n" +
		"plainrtc lab jitter call.rtpdump --svg call.svg",
	argument: "trace",
	define: func(flags *flag.FlagSet) func(context.Context, output) error {
		j := newJitterLab()
		flags.StringVar(&j.trace, "trace", "", "the `file` of a trace; the name may stand alone")
		flags.Var(&j.kind, "kind", "the `name` of a kind of path")
		flags.Var(&j.jitter, "jitter", "how much longer than the fastest packet the slowest takes, in `time`")
		flags.Var(&j.loss, "loss", "this `share` of packets is lost on the way")
		flags.Float64Var(&j.drift, "drift", 0, "how much faster the sender's clock is, in `ppm`")
		flags.Var(&j.interval, "interval", "the `time` from one packet to the next")
		flags.Var(&j.duration, "duration", "for how much `time` packets are sent")
		flags.Uint64Var(&j.seed, "seed", 1, "a `number` that decides how long each packet takes")
		flags.Var(&j.least, "min-delay", "the buffer delays packets by this `time` at least")
		flags.Var(&j.most, "max-delay", "the buffer delays packets by this `time` at most")
		flags.BoolVar(&j.json, "json", false, "print the result as JSON, with each packet's delay")
		flags.StringVar(&j.svg, "svg", "", "draw delays and late loss into this SVG `file`")
		flags.StringVar(&j.html, "html", "", "write results and the picture as an HTML page to this `file`")
		return func(ctx context.Context, out output) error {
			j.line = again("lab jitter", flags, "svg", "html", "json")
			j.made = !given(flags, "trace")
			return j.run(flags, out)
		}
	},
}

// given reports whether a flag is on the command line.
func given(flags *flag.FlagSet, name string) (ok bool) {
	flags.Visit(func(f *flag.Flag) { ok = ok || f.Name == name })
	return ok
}

// jitterLab is what the flags of lab jitter say.
type jitterLab struct {
	trace string
	made  bool // and not read

	kind               value[jitterlab.Kind]
	jitter             value[time.Duration]
	loss               value[float64]
	drift              float64
	interval, duration value[time.Duration]
	seed               uint64
	least, most        value[time.Duration]

	json      bool
	svg, html string
	line      string // the command line that gives the same again
}

func newJitterLab() *jitterLab {
	j := &jitterLab{
		kind:     value[jitterlab.Kind]{parse: parseKind},
		jitter:   value[time.Duration]{parse: parseTime},
		loss:     value[float64]{parse: parseShare},
		interval: value[time.Duration]{parse: parseTime},
		duration: value[time.Duration]{parse: parseTime},
		least:    value[time.Duration]{parse: parseTime},
		most:     value[time.Duration]{parse: parseTime},
	}
	for flag, text := range map[flag.Value]string{&j.kind: "uniform", &j.jitter: "50ms", &j.loss: "0", &j.interval: "20ms", &j.duration: "5m", &j.least: "0s", &j.most: "2s"} {
		if err := flag.Set(text); err != nil {
			panic("BUG: a default that does not parse: " + err.Error())
		}
	}
	return j
}

func parseKind(name string) (jitterlab.Kind, error) {
	k, ok := jitterlab.ParseKind(name)
	if !ok {
		var names []string
		for _, k := range jitterlab.Kinds {
			names = append(names, string(k))
		}
		return "", fmt.Errorf("it is not one of %s", strings.Join(names, ", "))
	}
	return k, nil
}

// mostLabPackets keeps what is drawn and held within bounds.
const mostLabPackets = 2_000_000

// check finds what makes no sense.
func (j *jitterLab) check(flags *flag.FlagSet) error {
	if !j.made {
		for _, name := range []string{"kind", "jitter", "loss", "drift", "interval", "duration", "seed"} {
			if given(flags, name) {
				return usageError(fmt.Sprintf("--%s is about a path that is made up, and %s is one that was measured: give one of them", name, j.trace))
			}
		}
	}
	switch {
	case j.interval.v < time.Millisecond || j.interval.v > 500*time.Millisecond:
		return usageError("--interval must be between 1ms and 500ms")
	case j.duration.v < j.interval.v || int64(j.duration.v/j.interval.v) > mostLabPackets:
		return usageError(fmt.Sprintf("--duration must be one --interval at least, and %s of them at most", grouped(mostLabPackets)))
	case j.jitter.v > 10*time.Second:
		return usageError("--jitter must be no more than 10s")
	case !(math.Abs(j.drift) <= 2000):
		return usageError("--drift must be between -2000 and 2000")
	case j.most.v > 10*time.Second || j.most.v < max(j.least.v, time.Millisecond):
		return usageError("--max-delay must be between --min-delay, or 1ms, and 10s")
	}
	return nil
}

func (j *jitterLab) run(flags *flag.FlagSet, out output) error {
	if err := j.check(flags); err != nil {
		return err
	}
	trace, err := j.path()
	if err != nil {
		return err
	}
	var svg, page picture
	if err := errors.Join(svg.open(j.svg), page.open(j.html)); err != nil {
		return err
	}
	r := jitterResult{jitterlab.Run(trace, jitter.Config{MinDelay: j.least.v, MaxDelay: j.most.v}), j}
	if j.json {
		writeJSONLine(out.stdout, r.json())
	} else {
		fmt.Fprint(out.stdout, r.text())
	}
	return errors.Join(svg.write(r.drawing), page.write(r.page))
}

// path makes up a trace, or reads it.
func (j *jitterLab) path() (jitterlab.Trace, error) {
	if j.made {
		var key [32]byte
		for i := range 8 {
			key[i] = byte(j.seed >> (8 * i))
		}
		p := jitterlab.Path{Kind: j.kind.v, Jitter: j.jitter.v, Loss: j.loss.v, Interval: j.interval.v, Drift: j.drift / 1e6}
		return p.Trace(rand.NewChaCha8(key), int(j.duration.v/j.interval.v)), nil
	}
	f, err := os.Open(j.trace)
	if err != nil {
		return jitterlab.Trace{}, fmt.Errorf("the trace cannot be read: %w", err)
	}
	defer f.Close()
	t, err := jitterlab.Read(f)
	if err != nil {
		return jitterlab.Trace{}, fmt.Errorf("%s is no trace: %w", j.trace, err)
	}
	return t, nil
}

// A jitterResult is what came of it.
type jitterResult struct {
	jitterlab.Result
	lab *jitterLab
}

// conditions say what the path was.
func (r *jitterResult) conditions() string {
	j := r.lab
	all := []string{fmt.Sprintf("%s packets in %s", grouped(r.Packets), seconds(r.Length))}
	if j.made {
		all = append([]string{fmt.Sprintf("%s jitter of %s", j.kind.v, seconds(j.jitter.v))}, all...)
		all = append(all, plot.Fraction.Format(j.loss.v)+" loss")
		if j.drift != 0 {
			all = append(all, fmt.Sprintf("clock drift %v ppm", j.drift))
		}
		all = append(all, fmt.Sprintf("seed %d", j.seed))
	} else {
		all = append([]string{j.trace}, append(all, plot.Fraction.Format(float64(r.Lost)/float64(max(r.Packets, 1)))+" loss")...)
	}
	if j.least.v > 0 {
		all = append(all, "at least "+seconds(j.least.v))
	}
	return strings.Join(all, ", ")
}

// items are the lines of the report.
func (r *jitterResult) items() []item {
	s := r.Stats
	return []item{
		{"99 % of the jitter", "below " + seconds(r.JitterP99)},
		{"mean delay", fmt.Sprintf("%s, %.2f × that", seconds(r.MeanDelay), r.Ratio())},
		{"99 % of the delays", "below " + seconds(r.P99Delay)},
		{"late loss", fmt.Sprintf("%s: %s discarded, %s played late", plot.Fraction.Format(r.LateLoss()), grouped(r.Late), grouped(r.Delayed))},
		{"concealed", fmt.Sprintf("%s, %s of the time, in %s events", seconds(r.Concealed), plot.Fraction.Format(r.Concealed.Seconds()/max(r.Length.Seconds(), 1e-9)), grouped(s.ConcealmentEvents))},
		{"target at the end", seconds(s.Target)},
		{"clock drift", fmt.Sprintf("%.0f ppm, as the buffer has it", 0-1e6*s.ClockDrift+0)},
	}
}

func (r *jitterResult) text() string {
	var b strings.Builder
	say(&b, "Jitter buffer: %s\n", r.conditions())
	for _, i := range r.items() {
		say(&b, "%-18s  %s", i.what, i.is)
	}
	return b.String()
}

// windows is how many points a curve has.
const windows = 300

// chart draws what was needed, aimed at and given, and the late loss.
func (r *jitterResult) chart() plot.Chart {
	n := min(windows, max(len(r.Points), 1))
	curve := func() plot.Series { return plot.Series{X: make([]float64, n), Y: make([]float64, n)} }
	needed, target, given, late := curve(), curve(), curve(), curve()
	needed.Name, target.Name, given.Name = "slowest packet", "target", "delay"
	target.Dashed, late.Steps, late.Area = true, true, true
	arrived, lateSoFar := 0, 0
	for w := range n {
		points := r.Points[w*len(r.Points)/n : (w+1)*len(r.Points)/n]
		slowest, aim, delay, played := math.NaN(), 0.0, 0.0, 0
		for _, p := range points {
			if p.Arrival >= 0 {
				arrived++
				slowest = max(p.Arrival.Seconds(), nanAs(slowest, 0))
			}
			if p.Late {
				lateSoFar++
			}
			if p.Playout >= 0 {
				aim, delay, played = aim+p.Target.Seconds(), delay+p.Playout.Seconds(), played+1
			}
		}
		if played > 0 {
			aim, delay = aim/float64(played), delay/float64(played)
		} else {
			aim, delay = math.NaN(), math.NaN()
		}
		at := points[0].Sent.Seconds()
		for i, s := range []*plot.Series{&needed, &target, &given, &late} {
			s.X[w] = at
			s.Y[w] = []float64{slowest, aim, delay, float64(lateSoFar) / float64(max(arrived, 1))}[i]
		}
	}
	return plot.Chart{
		X: plot.Axis{Label: "Time", Unit: plot.Seconds},
		Panels: []plot.Panel{
			{
				Left:   plot.Axis{Label: "Delay beyond the fastest packet's", Unit: plot.Seconds},
				Series: []plot.Series{needed, given, target},
				Lines:  []plot.Line{{At: r.JitterP99.Seconds(), Label: "99 % of the jitter"}},
				Height: 160,
			},
			{
				Left:   plot.Axis{Label: "Late loss so far", Unit: plot.Fraction},
				Series: []plot.Series{late},
				Height: 72,
			},
		},
	}
}

func nanAs(v, instead float64) float64 {
	if math.IsNaN(v) {
		return instead
	}
	return v
}

func (r *jitterResult) drawing() []byte {
	c := r.chart()
	c.Title = "Jitter buffer"
	c.Subtitle = r.conditions()
	return c.SVG()
}

func (r *jitterResult) page() []byte {
	c := r.chart()
	results := &plot.Table{}
	for _, i := range r.items() {
		results.Rows = append(results.Rows, []string{i.what, i.is})
	}
	p := plot.Page{
		Title: "Jitter buffer", Lead: r.conditions() + ".", Footer: r.lab.line,
		Parts: []plot.Part{
			{Heading: "Results", Table: results},
			{Heading: "Over time", Chart: &c, Caption: "Delays are those beyond the fastest packet's. Of each stretch of time it shows the slowest packet, and the means of what the buffer gave and aimed at."},
		},
	}
	return p.HTML()
}

// jitterJSON is the result for programs.
type jitterJSON struct {
	Packets   int              `json:"packets"`
	Lost      int              `json:"lost"`
	Late      int              `json:"late"`
	Delayed   int              `json:"delayed"`
	LateLoss  float64          `json:"late_loss"`
	JitterP99 float64          `json:"jitter_p99_s"`
	MeanDelay float64          `json:"mean_delay_s"`
	P99Delay  float64          `json:"p99_delay_s"`
	Ratio     float64          `json:"ratio"`
	Concealed float64          `json:"concealed_s"`
	Events    uint64           `json:"concealment_events"`
	Length    float64          `json:"length_s"`
	Drift     float64          `json:"clock_drift"`
	Each      jitterPointsJSON `json:"each"`
}

// jitterPointsJSON is a table of all packets, a list for each column. null stands for
// what did not arrive or was not played.
type jitterPointsJSON struct {
	Sent    []float64  `json:"sent_s"`
	Arrival []*float64 `json:"arrival_s"`
	Playout []*float64 `json:"playout_s"`
	Target  []*float64 `json:"target_s"`
}

func (r *jitterResult) json() jitterJSON {
	out := jitterJSON{
		Packets: r.Packets, Lost: r.Lost, Late: r.Late, Delayed: r.Delayed, LateLoss: r.LateLoss(), JitterP99: r.JitterP99.Seconds(),
		MeanDelay: r.MeanDelay.Seconds(), P99Delay: r.P99Delay.Seconds(), Ratio: r.Ratio(), Concealed: r.Concealed.Seconds(),
		Events: r.Stats.ConcealmentEvents, Length: r.Length.Seconds(), Drift: r.Stats.ClockDrift,
	}
	known := func(d time.Duration, ok bool) *float64 {
		if !ok {
			return nil
		}
		return new(d.Seconds())
	}
	for _, p := range r.Points {
		out.Each.Sent = append(out.Each.Sent, p.Sent.Seconds())
		out.Each.Arrival = append(out.Each.Arrival, known(p.Arrival, p.Arrival >= 0))
		out.Each.Playout = append(out.Each.Playout, known(p.Playout, p.Playout >= 0))
		out.Each.Target = append(out.Each.Target, known(p.Target, p.Playout >= 0))
	}
	return out
}
