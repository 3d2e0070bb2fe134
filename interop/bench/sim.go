package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plainrtc/plainrtc/internal/lab"
	"github.com/plainrtc/plainrtc/sctp"
)

// A simulation is a row of the second table: SCTP alone over a simulated path, on
// virtual time, where no machine is too slow for it.
type simulation struct {
	text string
	e    lab.Experiment // without its seed, and with a Control for each flow
	// beside says that the flows after the first are NewReno's, and not of the
	// column's own kind.
	beside bool
	once   bool                        // with one seed, because it takes long and nothing in it is left to luck
	cell   func(r []lab.Result) string // of all seeds
}

// A contender is a column.
type contender struct {
	name    string
	control sctp.CongestionControl // of ours
	pion    bool
}

var contenders = []contender{
	{name: "plainrtc: BBR, the default", control: sctp.BBR},
	{name: "CUBIC", control: sctp.CUBIC},
	{name: "NewReno", control: sctp.NewReno},
	{name: "Pion", pion: true},
}

// simulatedSeeds is how many seeds there are; the figures are medians.
const simulatedSeeds = 5

// over is a path with a queue of so many bandwidth-delay products.
func over(rate int64, rtt time.Duration, loss, queue float64) lab.Path {
	p := lab.Path{Rate: rate, RTT: rtt, Loss: loss, MTU: 1500}
	p.Queue = int(queue * float64(p.BDP()))
	return p
}

// bulk is a transfer over a path for so long.
func bulkOver(p lab.Path, d time.Duration, flows int) lab.Experiment {
	return lab.Experiment{Path: p, Duration: d, MessageSize: 16 << 10, Control: make([]sctp.CongestionControl, flows)}
}

func simulations() []simulation {
	const ms = time.Millisecond
	with := func(e lab.Experiment, change func(e *lab.Experiment)) lab.Experiment {
		change(&e)
		return e
	}
	near := func(loss, queue float64) lab.Path { return over(100e6, 40*ms, loss, queue) }
	far := over(100e6, 100*ms, 0, 1)
	return []simulation{
		{text: "100 Mbit/s, 40 ms, no loss: Mbit/s", e: bulkOver(near(0, 1), 20*time.Second, 1), cell: goodputs},
		{text: "… 0.1 % loss", e: bulkOver(near(0.001, 1), 20*time.Second, 1), cell: goodputs},
		{text: "… 1 % loss", e: bulkOver(near(0.01, 1), 20*time.Second, 1), cell: goodputs},
		{text: "… 3 % loss", e: bulkOver(near(0.03, 1), 20*time.Second, 1), cell: goodputs},
		{text: "100 Mbit/s, 100 ms, no loss: Mbit/s", e: bulkOver(far, 20*time.Second, 1), cell: goodputs},
		{text: "… 10 MB from a cold start: s", cell: one("%.2f", func(r *lab.Result) float64 { return r.Flows[0].Moved.Seconds() }),
			e: with(bulkOver(far, time.Minute, 1), func(e *lab.Experiment) { e.Bytes = 10e6 })},
		{text: "1 Gbit/s, 100 ms, no loss: Mbit/s", once: true, e: bulkOver(over(1e9, 100*ms, 0, 1), 20*time.Second, 1), cell: goodputs},
		{text: "50 packets lost in a row: round trips until 90 % of the rate", cell: recoveries,
			e: with(bulkOver(near(0, 1), 15*time.Second, 1), func(e *lab.Experiment) { e.DropAt, e.DropPackets = 8*time.Second, 50 })},
		{text: "100 bytes, unordered, sent once, 1 % loss, 20 ms one way: 99 % arrive in ms",
			cell: one("%.1f", func(r *lab.Result) float64 { return r.Flows[0].Latency.P99.Seconds() * 1e3 }),
			e: with(bulkOver(near(0.01, 1), 20*time.Second, 1), func(e *lab.Experiment) {
				e.MessageSize, e.Every, e.Unordered, e.Limited = 100, 10*ms, true, true
			})},
		{text: "A queue of 4 × 40 ms: median wait in it, round trips", e: bulkOver(near(0, 4), 20*time.Second, 1),
			cell: one("%.2f", func(r *lab.Result) float64 { return r.Wait.Median.Seconds() / r.RTT.Seconds() })},
		{text: "Two flows of the kind, one after the other: Jain's index", cell: one("%.3f", func(r *lab.Result) float64 { return r.Fairness }),
			e: with(bulkOver(near(0, 1), time.Minute, 2), func(e *lab.Experiment) { e.Stagger = time.Second })},
		{text: "Beside a flow of NewReno: shares of both, %", cell: shares, beside: true,
			e: with(bulkOver(near(0, 1), time.Minute, 2), func(e *lab.Experiment) { e.Stagger = time.Second })},
	}
}

// middle is the median of a figure over all seeds.
func middle(r []lab.Result, figure func(*lab.Result) float64) float64 {
	var v []float64
	for i := range r {
		v = append(v, figure(&r[i]))
	}
	slices.Sort(v)
	return v[len(v)/2]
}

// one is a cell with one figure.
func one(format string, figure func(*lab.Result) float64) func([]lab.Result) string {
	return func(r []lab.Result) string { return fmt.Sprintf(format, middle(r, figure)) }
}

// goodputs are that of the second half and, in brackets, that of the first, with the
// start.
func goodputs(r []lab.Result) string {
	first := func(r *lab.Result) float64 { return 2*r.Flows[0].Goodput - r.Flows[0].LateGoodput }
	second := func(r *lab.Result) float64 { return r.Flows[0].LateGoodput }
	return fmt.Sprintf("%.1f (%.1f)", middle(r, second)/1e6, middle(r, first)/1e6)
}

func recoveries(r []lab.Result) string {
	v := middle(r, func(r *lab.Result) float64 {
		if r.Flows[0].Recovery == 0 {
			return 1e9
		}
		return r.Flows[0].Recovery.Seconds() / r.RTT.Seconds()
	})
	if v == 1e9 {
		return "never"
	}
	return fmt.Sprintf("%.1f", v)
}

func shares(r []lab.Result) string {
	first := middle(r, func(r *lab.Result) float64 {
		return 100 * r.Flows[0].LateGoodput / (r.Flows[0].LateGoodput + r.Flows[1].LateGoodput)
	})
	return fmt.Sprintf("%.0f / %.0f", first, 100-first)
}

// simulate does all simulations, each contender's with all seeds, on all processors,
// and returns the table.
func simulate() (string, error) {
	rows := simulations()
	type job struct{ row, column, seed int }
	var jobs []job
	results := make([][][]lab.Result, len(rows))
	for i, s := range rows {
		results[i] = make([][]lab.Result, len(contenders))
		for c, contender := range contenders {
			if s.beside && contender.pion {
				continue // it has no NewReno to be beside of, that is not itself
			}
			seeds := simulatedSeeds
			if s.once {
				seeds = 1
			}
			results[i][c] = make([]lab.Result, seeds)
			for seed := range seeds {
				jobs = append(jobs, job{i, c, seed})
			}
		}
	}
	failed := make([]error, len(jobs))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(jobs) {
					return
				}
				j := jobs[n]
				fmt.Fprintf(os.Stderr, "\r\033[Ksimulation %d of %d ", n+1, len(jobs))
				r, err := simulateOne(rows[j.row], contenders[j.column], j.row, j.seed)
				if err != nil {
					failed[n] = fmt.Errorf("%s, %s: %w", rows[j.row].text, contenders[j.column].name, err)
				}
				results[j.row][j.column][j.seed] = r
			}
		})
	}
	wg.Wait()
	fmt.Fprint(os.Stderr, "\r\033[K")
	for _, err := range failed {
		if err != nil {
			return "", err
		}
	}
	return simulationTable(rows, results), nil
}

func simulationTable(rows []simulation, results [][][]lab.Result) string {
	var b strings.Builder
	b.WriteString("| On a simulated path |")
	for _, c := range contenders {
		fmt.Fprintf(&b, " %s |", c.name)
	}
	b.WriteString("\n| :--- |" + strings.Repeat(" ---: |", len(contenders)) + "\n")
	for i, s := range rows {
		fmt.Fprintf(&b, "| %s |", s.text)
		for c := range contenders {
			if results[i][c] == nil {
				b.WriteString(" — |")
				continue
			}
			fmt.Fprintf(&b, " %s |", s.cell(results[i][c]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// experiment is what one contender does in one row.
func (s *simulation) experiment(c contender, seed int) lab.Experiment {
	e := s.e
	e.Seed = uint64(seed + 1)
	e.Control = make([]sctp.CongestionControl, len(s.e.Control))
	for i := range e.Control {
		e.Control[i] = c.control
		if s.beside && i > 0 {
			e.Control[i] = sctp.NewReno
		}
	}
	return e
}

func simulateOne(s simulation, c contender, row, seed int) (lab.Result, error) {
	if c.pion {
		return pionInProcess(row, seed)
	}
	run := lab.Start(s.experiment(c, seed))
	for run.Step() {
	}
	r := run.Result()
	for i := range r.Flows {
		r.Flows[i].Samples = nil
	}
	return r, run.Err()
}

// pionInProcess does Pion's part of a row in a process of its own.
func pionInProcess(row, seed int) (r lab.Result, err error) {
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	cmd := exec.Command(self, "-simulate", fmt.Sprintf("%d/%d", row, seed))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}

// simulateChild is pionInProcess's other side. It ends the process if it succeeds.
func simulateChild(what string) error {
	var row, seed int
	rows := simulations()
	if _, err := fmt.Sscanf(what, "%d/%d", &row, &seed); err != nil || row < 0 || row >= len(rows) {
		return fmt.Errorf("no such simulation: %s", what)
	}
	e := rows[row].experiment(contenders[len(contenders)-1], seed)
	return inBubble(func() error {
		r, err := simulatePion(e)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(r)
	})
}
