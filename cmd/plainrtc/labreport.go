package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/lab"
	"github.com/plainrtc/plainrtc/internal/plot"
)

// An sctpResult is an experiment's result, and the command line it came from.
type sctpResult struct {
	lab.Result
	line string
}

func seconds(d time.Duration) string { return plot.Seconds.Format(d.Seconds()) }

// grouped is a count with commas between the thousands.
func grouped[T int | uint64](n T) string {
	s := strconv.FormatUint(uint64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// subject says who sends.
func (r *sctpResult) subject() string {
	var names []string
	for _, f := range r.Flows {
		names = append(names, f.Control.String())
	}
	if len(names) > 4 {
		names = append(names[:4], fmt.Sprintf("%d more", len(names)-4))
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// conditions say over what.
func (r *sctpResult) conditions() string {
	all := []string{
		plot.BitsPerSecond.Format(float64(r.Rate)), "round trip " + seconds(r.RTT),
		"queue " + plot.Bytes.Format(float64(r.Queue)) + " (" + plot.Seconds.Format(float64(r.Queue)*8/float64(r.Rate)) + ")",
		plot.Fraction.Format(r.Loss) + " random loss",
	}
	if b := r.Burst; b.Enter > 0 {
		all = append(all, fmt.Sprintf("%s more in bursts of %.3g packets", plot.Fraction.Format(b.Enter/(b.Enter+b.Leave)), 1/b.Leave))
	}
	if r.Jitter > 0 {
		all = append(all, "jitter "+seconds(r.Jitter))
	}
	if r.Reorder > 0 {
		all = append(all, plot.Fraction.Format(r.Reorder)+" reordered")
	}
	return strings.Join(append(all, fmt.Sprintf("seed %d", r.Seed)), ", ")
}

// parameters is all that was asked for.
func (r *sctpResult) parameters() []item {
	all := []item{
		{"rate of the link", plot.BitsPerSecond.Format(float64(r.Rate))},
		{"round trip", seconds(r.RTT) + " without queue"},
		{"queue", fmt.Sprintf("%s, %s, %.3g × the bandwidth-delay product", plot.Bytes.Format(float64(r.Queue)),
			plot.Seconds.Format(float64(r.Queue)*8/float64(r.Rate)), float64(r.Queue)/max(1, float64(r.BDP())))},
		{"random loss", plot.Fraction.Format(r.Loss)},
	}
	if b := r.Burst; b.Enter > 0 {
		all = append(all, item{"loss in bursts", fmt.Sprintf("%s, bursts of %.3g packets", plot.Fraction.Format(b.Enter/(b.Enter+b.Leave)), 1/b.Leave)})
	}
	if r.Jitter > 0 {
		all = append(all, item{"jitter", "up to " + seconds(r.Jitter)})
	}
	if r.Reorder > 0 {
		all = append(all, item{"reordered", plot.Fraction.Format(r.Reorder)})
	}
	if r.DropPackets > 0 {
		all = append(all, item{"lost in a row", fmt.Sprintf("%d packets at %v", r.DropPackets, r.DropAt)})
	}
	messages := plot.Bytes.Format(float64(r.MessageSize)) + " each"
	if r.Unordered {
		messages += ", unordered"
	}
	if r.Limited {
		messages += fmt.Sprintf(", sent again %d times at most", r.MaxRetransmits)
	}
	if r.Every > 0 {
		messages += ", one every " + seconds(r.Every)
	}
	until := "all have arrived"
	if r.Duration > 0 {
		until = seconds(r.Duration)
	}
	if r.Bytes > 0 {
		messages += ", " + plot.Bytes.Format(float64(r.Bytes)) + " in all"
	}
	if len(r.Flows) > 1 {
		all = append(all, item{"flows", fmt.Sprintf("%d, each %v after the one before", len(r.Flows), r.Stagger)})
	}
	return append(all, item{"path MTU", fmt.Sprintf("%d bytes", r.MTU)}, item{"messages", messages},
		item{"until", until}, item{"seed", fmt.Sprint(r.Seed)})
}

// An item is a line of a report.
type item struct{ what, is string }

// items are what is to be said of a single flow.
func (r *sctpResult) items() []item {
	f := &r.Flows[0]
	all := []item{
		{"delivered", plot.Bytes.Format(float64(f.Delivered)) + " in " + seconds(r.Took)},
		{"goodput", fmt.Sprintf("%s; in the second half %s", plot.BitsPerSecond.Format(f.Goodput), plot.BitsPerSecond.Format(f.LateGoodput))},
	}
	if f.Moved > 0 {
		all = append(all, item{"time to move it", seconds(f.Moved)})
	}
	all = append(all,
		item{"packets lost", fmt.Sprintf("%s of %s: %s at random, %s for which the queue had no room",
			plot.Fraction.Format(f.Lost), grouped(f.Packets), grouped(r.Link.Lost), grouped(r.Link.Overflowed))},
		item{"sent again", fmt.Sprintf("%s chunks; %s timeouts", grouped(f.Resent), grouped(f.Timeouts))},
		item{"wait in the queue", spread(f.Wait)},
	)
	if r.Every > 0 {
		all = append(all, item{"messages arrived", plot.Fraction.Format(f.Arrived)}, item{"their latency", spread(f.Latency)})
	}
	if r.DropPackets > 0 {
		back := "not before the end"
		if f.Recovery > 0 {
			back = fmt.Sprintf("%s (%.1f round trips) after the last of %d losses", seconds(f.Recovery), f.Recovery.Seconds()/r.RTT.Seconds(), r.DropPackets)
		}
		all = append(all, item{"back at the rate", back})
	}
	return all
}

func spread(d lab.Distribution) string {
	if d.N == 0 {
		return "—"
	}
	return fmt.Sprintf("median %s; 95 %% below %s, 99 %% below %s", seconds(d.Median), seconds(d.P95), seconds(d.P99))
}

// rows are what is to be said of several flows, with a header and a last row for
// all of them.
func (r *sctpResult) rows() [][]string {
	rows := [][]string{{"flow", "control", "goodput", "second half", "lost", "sent again", "wait: median", "95 %"}}
	for i, f := range r.Flows {
		rows = append(rows, []string{strconv.Itoa(i + 1), f.Control.String(), plot.BitsPerSecond.Format(f.Goodput), plot.BitsPerSecond.Format(f.LateGoodput),
			plot.Fraction.Format(f.Lost), grouped(f.Resent), seconds(f.Wait.Median), seconds(f.Wait.P95)})
	}
	return rows
}

// together are what is to be said of all flows.
func (r *sctpResult) together() []item {
	return []item{
		{"together", fmt.Sprintf("%s; in the second half %s", plot.BitsPerSecond.Format(r.Goodput), plot.BitsPerSecond.Format(r.LateGoodput))},
		{"Jain's index", fmt.Sprintf("%.3f in the second half", r.Fairness)},
		{"packets lost", fmt.Sprintf("%s at random, %s for which the queue had no room", grouped(r.Link.Lost), grouped(r.Link.Overflowed))},
	}
}

// text is the result in words.
func (r *sctpResult) text() string {
	var b strings.Builder
	say(&b, "%s over %s\n", r.subject(), r.conditions())
	items := r.items()
	if len(r.Flows) > 1 {
		say(&b, "%s", aligned(r.rows()))
		items = r.together()
	}
	for _, i := range items {
		say(&b, "%-18s  %s", i.what, i.is)
	}
	return b.String()
}

func (r *sctpResult) svg() []byte {
	c := r.Chart()
	c.Title = "SCTP with " + r.subject()
	c.Subtitle = r.conditions()
	return c.SVG()
}

func (r *sctpResult) html() []byte {
	c := r.Chart()
	p := plot.Page{
		Title:  "SCTP with " + r.subject(),
		Lead:   r.conditions() + ".",
		Footer: r.line,
	}
	items := r.items()
	if len(r.Flows) > 1 {
		rows := r.rows()
		p.Parts = append(p.Parts, plot.Part{Heading: "Results", Table: &plot.Table{Header: rows[0], Rows: rows[1:]}})
		items = r.together()
	} else {
		p.Parts = append(p.Parts, plot.Part{Heading: "Results"})
	}
	results := &plot.Table{}
	for _, i := range items {
		results.Rows = append(results.Rows, []string{i.what, i.is})
	}
	parameters := &plot.Table{}
	for _, i := range r.parameters() {
		parameters.Rows = append(parameters.Rows, []string{i.what, i.is})
	}
	p.Parts = append(p.Parts,
		plot.Part{Table: results},
		plot.Part{Heading: "Over time", Chart: &c, Caption: fmt.Sprintf("Goodput is over %s at a time. The wait in the queue is the median of the packets that arrived since the point before.", seconds(r.Window()))},
		plot.Part{Heading: "Parameters", Table: parameters},
	)
	return p.HTML()
}

// resultJSON is the result for programs.
type resultJSON struct {
	RateBPS     int64      `json:"rate_bps"`
	RTT         float64    `json:"rtt_s"`
	QueueBytes  int        `json:"queue_bytes"`
	Loss        float64    `json:"loss"`
	MTU         int        `json:"mtu"`
	MessageSize int        `json:"message_size"`
	Seed        uint64     `json:"seed"`
	Took        float64    `json:"took_s"`
	Goodput     float64    `json:"goodput_bps"`
	LateGoodput float64    `json:"late_goodput_bps"`
	Jain        float64    `json:"jain"`
	LostRandom  int        `json:"lost_random"`
	LostQueue   int        `json:"lost_queue"`
	Flows       []flowJSON `json:"flows"`
}

type flowJSON struct {
	Control     string       `json:"cc"`
	Begun       float64      `json:"begun_s"`
	Delivered   int64        `json:"delivered_bytes"`
	Moved       *float64     `json:"moved_s,omitempty"`
	Goodput     float64      `json:"goodput_bps"`
	LateGoodput float64      `json:"late_goodput_bps"`
	Packets     uint64       `json:"packets"`
	Lost        float64      `json:"lost"`
	Resent      uint64       `json:"resent_chunks"`
	Timeouts    uint64       `json:"timeouts"`
	Wait        timesJSON    `json:"wait"`
	Latency     *timesJSON   `json:"latency,omitempty"`
	Arrived     *float64     `json:"arrived,omitempty"`
	Recovery    *float64     `json:"recovery_s,omitempty"`
	Samples     *samplesJSON `json:"samples,omitempty"`
}

type timesJSON struct {
	Median float64 `json:"median_s"`
	P95    float64 `json:"p95_s"`
	P99    float64 `json:"p99_s"`
	Max    float64 `json:"max_s"`
}

// samplesJSON is a table over time, a list for each column.
type samplesJSON struct {
	Time      []float64  `json:"time_s"`
	Delivered []int64    `json:"delivered_bytes"`
	Window    []int      `json:"cwnd_bytes"`
	Flight    []int      `json:"flight_bytes"`
	Pacing    []float64  `json:"pacing_bps"`
	SRTT      []float64  `json:"srtt_s"`
	Wait      []*float64 `json:"wait_s"` // null: no packet arrived
	Resent    []uint64   `json:"resent_chunks"`
	Phase     []string   `json:"phase"`
}

func (r *sctpResult) json(samples bool) resultJSON {
	out := resultJSON{
		RateBPS: r.Rate, RTT: r.RTT.Seconds(), QueueBytes: r.Queue, Loss: r.Loss, MTU: r.MTU, MessageSize: r.MessageSize, Seed: r.Seed,
		Took: r.Took.Seconds(), Goodput: r.Goodput, LateGoodput: r.LateGoodput, Jain: r.Fairness, LostRandom: r.Link.Lost, LostQueue: r.Link.Overflowed,
	}
	for _, f := range r.Flows {
		x := flowJSON{
			Control: f.Control.String(), Begun: f.Begun.Seconds(), Delivered: f.Delivered, Goodput: f.Goodput, LateGoodput: f.LateGoodput,
			Packets: f.Packets, Lost: f.Lost, Resent: f.Resent, Timeouts: f.Timeouts, Wait: times(f.Wait),
		}
		if f.Moved > 0 {
			x.Moved = new(f.Moved.Seconds())
		}
		if r.Every > 0 {
			x.Latency, x.Arrived = new(times(f.Latency)), new(f.Arrived)
		}
		if f.Recovery > 0 {
			x.Recovery = new(f.Recovery.Seconds())
		}
		if samples {
			x.Samples = columns(f.Samples)
		}
		out.Flows = append(out.Flows, x)
	}
	return out
}

func times(d lab.Distribution) timesJSON {
	return timesJSON{d.Median.Seconds(), d.P95.Seconds(), d.P99.Seconds(), d.Max.Seconds()}
}

func columns(samples []lab.Sample) *samplesJSON {
	c := &samplesJSON{}
	for _, s := range samples {
		c.Time = append(c.Time, s.At.Seconds())
		c.Delivered = append(c.Delivered, s.Delivered)
		c.Window = append(c.Window, s.Window)
		c.Flight = append(c.Flight, s.Flight)
		c.Pacing = append(c.Pacing, s.Pacing)
		c.SRTT = append(c.SRTT, s.SRTT.Seconds())
		wait := new(s.Queue.Seconds())
		if s.Queue < 0 {
			wait = nil
		}
		c.Wait = append(c.Wait, wait)
		c.Resent = append(c.Resent, s.Resent)
		c.Phase = append(c.Phase, s.Phase)
	}
	return c
}

// writeJSONLine writes a value as a line of JSON.
func writeJSONLine(w io.Writer, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: a result is always JSON: " + err.Error())
	}
	say(w, "%s", b)
}
