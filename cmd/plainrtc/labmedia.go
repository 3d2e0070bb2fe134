package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/lab"
	"github.com/plainrtc/plainrtc/internal/plot"
	"github.com/plainrtc/plainrtc/sctp"
)

var labMediaCommand = command{
	name: "lab media",
	synopsis: "[--case NAME] [--rate RATE] [--change RATE@TIME,…] [--rtt TIME] [--queue SIZE] [--loss SHARE] [--jitter TIME]\n" +
		"       [--flows N] [--stagger TIME] [--max RATE] [--data CC,…] [--feedback NAME] [--duration TIME] [--seed N]\n" +
		"       [--json] [--svg FILE] [--html FILE]",
	summary: "what congestion control makes of a path for video",
	about: `
Lets senders of video share a simulated path with each other, and with flows of
data. Encoders make 30 frames a second of the size that congestion control says;
nothing is encoded. It prints what arrived, how long packets waited in the queue,
and what was lost, and draws that and the targets over time.

Cases, of RFC 8867:
` + mediaCases() + `
A case says all but feedback and seed. Feedback is twcc (transport-wide), ccfb
(RFC 8888) or remb (the receiver estimates).`,
	example: "plainrtc lab media --rate 2mbit --change 600kbit@20s,2mbit@40s --html media.html\n" +
		"plainrtc lab media --case share --feedback ccfb --svg share.svg\n" +
		"plainrtc lab media --rate 3mbit --flows 2 --stagger 20s --data cubic",
	define: func(flags *flag.FlagSet) func(context.Context, output) error {
		m := newMediaLab()
		flags.StringVar(&m.name, "case", "", "the `name` of a case")
		flags.Var(&m.rate, "rate", "the link's `rate`, of IP packets")
		flags.Var(&m.changes, "change", "the link gets another rate at a time, such as 600kbit@20s (`rate@time`); several with commas between")
		flags.Var(&m.rtt, "rtt", "the round-trip `time` of the path without queues")
		flags.Var(&m.queue, "queue", "the queue's `size`: in time at the link's rate, bytes, or bandwidth-delay products")
		flags.Var(&m.loss, "loss", "this `share` of packets is lost, each by itself")
		flags.Var(&m.jitter, "jitter", "delay packets by up to this much more `time`, in order")
		flags.IntVar(&m.flows, "flows", 1, "let so `many` senders of video share the path")
		flags.Var(&m.stagger, "stagger", "each begins this much `time` after the one before")
		flags.Var(&m.max, "max", "encoders make no more than this `rate`")
		flags.Var(&m.data, "data", "flows of data beside them, by `name` of their congestion control: bbr, cubic, newreno")
		flags.Var(&m.feedback, "feedback", "what receivers tell: twcc, ccfb or remb (`name`)")
		flags.Var(&m.duration, "duration", "the experiment ends after this `time`")
		flags.Uint64Var(&m.seed, "seed", 1, "a `number` that decides which packets are lost, and how frames differ")
		flags.BoolVar(&m.json, "json", false, "print the result as JSON, with samples over time")
		flags.StringVar(&m.svg, "svg", "", "draw the experiment into this SVG `file`")
		flags.StringVar(&m.html, "html", "", "write results and the picture as an HTML page to this `file`")
		return func(ctx context.Context, out output) error {
			m.line = again("lab media", flags, "svg", "html", "json")
			e, err := m.experiment(flags)
			if err != nil {
				return err
			}
			return m.run(ctx, e, out)
		}
	},
}

// mediaCases lists the cases, a line each.
func mediaCases() string {
	var b strings.Builder
	for _, c := range lab.MediaCases {
		fmt.Fprintf(&b, "  %-10s  %s\n", c.Name, strings.TrimPrefix(c.About, "RFC 8867, "))
	}
	return b.String()
}

// mediaLab is what the flags of lab media say.
type mediaLab struct {
	name            string
	rate, max       value[int64]
	changes         list[lab.RateChange]
	rtt             value[time.Duration]
	queue           value[queueSize]
	loss            value[float64]
	jitter, stagger value[time.Duration]
	flows           int
	data            list[sctp.CongestionControl]
	feedback        value[lab.Feedback]
	duration        value[time.Duration]
	seed            uint64

	json      bool
	svg, html string
	line      string // the command line that gives the same again
}

func newMediaLab() *mediaLab {
	m := &mediaLab{
		rate: value[int64]{parse: parseRate}, max: value[int64]{parse: parseRate},
		changes: list[lab.RateChange]{parse: parseChange},
		rtt:     value[time.Duration]{parse: parseTime}, queue: value[queueSize]{parse: parseQueue},
		loss: value[float64]{parse: parseShare}, jitter: value[time.Duration]{parse: parseTime}, stagger: value[time.Duration]{parse: parseTime},
		data: list[sctp.CongestionControl]{parse: parseControl}, feedback: value[lab.Feedback]{parse: parseFeedback},
		duration: value[time.Duration]{parse: parseTime},
	}
	for flag, text := range map[flag.Value]string{&m.rate: "2mbit", &m.rtt: "50ms", &m.queue: "300ms", &m.loss: "0", &m.feedback: "twcc", &m.duration: "1m"} {
		if err := flag.Set(text); err != nil {
			panic("BUG: a default that does not parse: " + err.Error())
		}
	}
	return m
}

func parseFeedback(text string) (lab.Feedback, error) {
	switch strings.ToLower(text) {
	case "twcc":
		return lab.TransportWide, nil
	case "ccfb":
		return lab.PerStream, nil
	case "remb":
		return lab.Estimates, nil
	}
	return 0, errors.New("it is not one of twcc, ccfb and remb")
}

func parseChange(text string) (c lab.RateChange, err error) {
	rate, at, given := strings.Cut(text, "@")
	if !given {
		return c, errors.New("it is not a rate and a time, such as 600kbit@20s")
	}
	if c.Rate, err = parseRate(rate); err == nil {
		c.At, err = parseTime(at)
	}
	return c, err
}

// experiment is what the flags ask for.
func (m *mediaLab) experiment(flags *flag.FlagSet) (e lab.MediaExperiment, err error) {
	defer func() { e.Feedback, e.Seed = m.feedback.v, m.seed }()
	if m.name != "" {
		for _, name := range []string{"rate", "change", "rtt", "queue", "loss", "jitter", "flows", "stagger", "max", "data", "duration"} {
			if given(flags, name) {
				return e, usageError(fmt.Sprintf("--case says all of the path and of who sends: leave out --%s", name))
			}
		}
		i := slices.IndexFunc(lab.MediaCases, func(c lab.MediaCase) bool { return strings.EqualFold(c.Name, m.name) })
		if i < 0 {
			return e, usageError(fmt.Sprintf("there is no case %q; -h lists them", m.name))
		}
		return lab.MediaCases[i].Experiment, nil
	}
	last := time.Duration(m.flows-1) * m.stagger.v
	switch {
	case m.flows < 1 || m.flows > mostFlows || len(m.data.values) > mostFlows:
		return e, usageError(fmt.Sprintf("there can be 1 to %d flows", mostFlows))
	case m.duration.v < time.Second:
		return e, usageError("--duration must be 1s at least")
	case last >= m.duration.v:
		return e, usageError("the last flow would begin after the end: shorten --stagger or lengthen --duration")
	case !slices.IsSortedFunc(m.changes.values, func(a, b lab.RateChange) int { return cmp.Compare(a.At, b.At) }):
		return e, usageError("--change must be in the order of time")
	}
	e.Rate, e.RTT, e.Loss, e.Jitter = m.rate.v, m.rtt.v, m.loss.v, m.jitter.v
	e.Queue = m.queue.v.of(&e.Path)
	e.Changes, e.Duration = m.changes.values, m.duration.v
	for i := range m.flows {
		e.Flows = append(e.Flows, lab.MediaFlow{Begin: time.Duration(i) * m.stagger.v, Max: int(m.max.v)})
	}
	for _, c := range m.data.values {
		e.Data = append(e.Data, lab.DataFlow{Control: c})
	}
	return e, nil
}

func (m *mediaLab) run(ctx context.Context, e lab.MediaExperiment, out output) error {
	var svg, page picture
	if err := errors.Join(svg.open(m.svg), page.open(m.html)); err != nil {
		return err
	}
	run := lab.StartMedia(e)
	if err := finish(ctx, out.stderr, run); err != nil {
		return err
	}
	r := mediaResult{run.Result(), m}
	if m.json {
		writeJSONLine(out.stdout, r.json())
	} else {
		fmt.Fprint(out.stdout, r.text())
	}
	return errors.Join(svg.write(r.drawing), page.write(r.page))
}

// A mediaResult is what came of it.
type mediaResult struct {
	lab.MediaResult
	lab *mediaLab
}

// conditions say over what.
func (r *mediaResult) conditions() string {
	rate := plot.BitsPerSecond.Format(float64(r.Rate))
	for _, c := range r.Changes {
		rate += fmt.Sprintf(", from %s on %s", seconds(c.At), plot.BitsPerSecond.Format(float64(c.Rate)))
	}
	all := []string{rate, "round trip " + seconds(r.RTT), "queue " + plot.Seconds.Format(float64(r.Queue)*8/float64(max(r.Rate, 1)))}
	if r.Loss > 0 {
		all = append(all, plot.Fraction.Format(r.Loss)+" random loss")
	}
	if r.Jitter > 0 {
		all = append(all, "jitter "+seconds(r.Jitter))
	}
	return strings.Join(append(all, r.Feedback.String(), fmt.Sprintf("seed %d", r.Seed)), ", ")
}

// items are what is to be said of all flows together.
func (r *mediaResult) items() []item {
	sum := 0.0
	for i := range r.Flows {
		sum += r.Flows[i].Rate(r.Took/2, r.Took)
	}
	all := []item{
		{"used by video", fmt.Sprintf("%s of the link in the second half", plot.Fraction.Format(sum/max(r.Capacity(r.Took/2, r.Took), 1)))},
		{"wait in the queue", spread(r.Wait)},
		{"packets lost", fmt.Sprintf("%s at random, %s for which the queue had no room", grouped(r.Link.Lost), grouped(r.Link.Overflowed))},
	}
	if len(r.Flows) > 1 {
		all = append(all, item{"Jain's index", fmt.Sprintf("%.3f in the second half", r.Fairness)})
	}
	return all
}

// rows are what is to be said of each flow, with a header.
func (r *mediaResult) rows() [][]string {
	rows := [][]string{{"flow", "throughput", "second half", "lost", "sent again", "wait: median", "95 %"}}
	for i, d := range r.Data {
		moved := ""
		if d.Moved > 0 {
			moved = ", moved in " + seconds(d.Moved)
		}
		rows = append(rows, []string{fmt.Sprintf("data %d: %v%s", i+1, d.Control, moved), plot.BitsPerSecond.Format(d.Goodput), plot.BitsPerSecond.Format(d.LateRate), "", "", "", ""})
	}
	for i, f := range r.Flows {
		rows = append(rows, []string{
			fmt.Sprintf("video %d", i+1), plot.BitsPerSecond.Format(f.Throughput), plot.BitsPerSecond.Format(f.LateRate),
			plot.Fraction.Format(f.Lost), grouped(f.Repeated), seconds(f.Wait.Median), seconds(f.Wait.P95),
		})
	}
	return rows
}

func (r *mediaResult) text() string {
	var b strings.Builder
	say(&b, "Video over %s\n", r.conditions())
	for _, i := range r.items() {
		say(&b, "%-18s  %s", i.what, i.is)
	}
	say(&b, "\n%s", strings.TrimSuffix(aligned(r.rows()), "\n"))
	return b.String()
}

func (r *mediaResult) drawing() []byte {
	c := r.Chart()
	c.Title, c.Subtitle = "Congestion control of video", r.conditions()
	return c.SVG()
}

func (r *mediaResult) page() []byte {
	c := r.Chart()
	results := &plot.Table{}
	for _, i := range r.items() {
		results.Rows = append(results.Rows, []string{i.what, i.is})
	}
	rows := r.rows()
	p := plot.Page{
		Title: "Congestion control of video", Lead: r.conditions() + ".", Footer: r.lab.line,
		Parts: []plot.Part{
			{Heading: "Results", Table: &plot.Table{Header: rows[0], Rows: rows[1:]}},
			{Table: results},
			{Heading: "Over time", Chart: &c, Caption: "The target is what congestion control tells the encoder. Throughput is that of the second before. The wait in the queue is the median of the packets that arrived since the point before."},
		},
	}
	return p.HTML()
}

// mediaJSON is the result for programs.
type mediaJSON struct {
	RTT       float64         `json:"rtt_s"`
	Feedback  string          `json:"feedback"`
	Seed      uint64          `json:"seed"`
	Took      float64         `json:"took_s"`
	Jain      float64         `json:"jain"`
	Wait      timesJSON       `json:"wait"`
	LostQueue int             `json:"lost_queue"`
	Link      ratesJSON       `json:"link"`
	Flows     []mediaFlowJSON `json:"flows"`
	Data      []dataFlowJSON  `json:"data"`
}

type ratesJSON struct {
	Time []float64 `json:"time_s"`
	Rate []int64   `json:"rate_bps"`
}

type mediaFlowJSON struct {
	Begin    float64          `json:"begun_s"`
	Rate     float64          `json:"throughput_bps"`
	LateRate float64          `json:"late_throughput_bps"`
	Packets  uint64           `json:"packets"`
	Lost     float64          `json:"lost"`
	Repeated uint64           `json:"repeated_packets"`
	Wait     timesJSON        `json:"wait"`
	Samples  mediaSamplesJSON `json:"samples"`
}

// mediaSamplesJSON is a table over time, a list for each column.
type mediaSamplesJSON struct {
	Time    []float64  `json:"time_s"`
	Target  []float64  `json:"target_bps"`
	Arrived []int64    `json:"arrived_bytes"`
	Wait    []*float64 `json:"wait_s"` // null: no packet arrived
}

type dataFlowJSON struct {
	Control  string  `json:"cc"`
	Begin    float64 `json:"begun_s"`
	Goodput  float64 `json:"goodput_bps"`
	LateRate float64 `json:"late_goodput_bps"`
	Moved    float64 `json:"moved_s,omitempty"`
}

func (r *mediaResult) json() mediaJSON {
	out := mediaJSON{
		RTT: r.RTT.Seconds(), Feedback: r.Feedback.String(), Seed: r.Seed, Took: r.Took.Seconds(), Jain: r.Fairness, Wait: times(r.Wait),
		LostQueue: r.Link.Overflowed, Link: ratesJSON{[]float64{0}, []int64{r.Rate}}, Data: []dataFlowJSON{},
	}
	for _, c := range r.Changes {
		out.Link.Time, out.Link.Rate = append(out.Link.Time, c.At.Seconds()), append(out.Link.Rate, c.Rate)
	}
	for _, f := range r.Flows {
		x := mediaFlowJSON{
			Begin: f.Begin.Seconds(), Rate: f.Throughput, LateRate: f.LateRate, Packets: f.Sent, Lost: f.Lost, Repeated: f.Repeated, Wait: times(f.Wait),
		}
		for _, s := range f.Samples {
			c := &x.Samples
			wait := new(s.Queue.Seconds())
			if s.Queue < 0 {
				wait = nil
			}
			c.Time, c.Target, c.Arrived, c.Wait = append(c.Time, s.At.Seconds()), append(c.Target, s.Target), append(c.Arrived, s.Arrived), append(c.Wait, wait)
		}
		out.Flows = append(out.Flows, x)
	}
	for _, d := range r.Data {
		out.Data = append(out.Data, dataFlowJSON{d.Control.String(), d.Begin.Seconds(), d.Goodput, d.LateRate, d.Moved.Seconds()})
	}
	return out
}
