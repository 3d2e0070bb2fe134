package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/lab/natlab"
	"github.com/plainrtc/plainrtc/internal/plot"
)

var labNATCommand = command{
	name:     "lab nat",
	synopsis: "[--from NAME] [--to NAME] [--rtt TIME] [--seed N] [--json] [--markdown] [--html FILE]",
	summary:  "which way ICE finds between any two NATs and firewalls",
	about: `
Connects two agents of this module, each at one of several places: behind NATs of
the behaviours of RFC 4787, behind a carrier's NAT, a firewall, or with IPv6 alone.
There is a STUN and a TURN server, the latter over UDP and TLS. The table says for
every pair whether they connect, directly or over the relay, and after how many
round trips; and whether that is what theory says.

With --from or --to it tells of those pairs alone, and with both of them shows the
one pair in every detail: candidates, each message, and what was filtered.

The exit status is 1 if a pair did not connect.

Places:
` + places(),
	example: "plainrtc lab nat\n" +
		"plainrtc lab nat --from port-restricted --to symmetric\n" +
		"plainrtc lab nat --to tcp-443 --json",
	define: func(flags *flag.FlagSet) func(context.Context, output) error {
		n := natLab{
			from: value[natlab.Topology]{parse: parsePlace}, to: value[natlab.Topology]{parse: parsePlace},
			rtt: value[time.Duration]{parse: parseTime, v: 100 * time.Millisecond, text: "100ms"},
		}
		flags.Var(&n.from, "from", "the place of the one who offers, by `name` (default: each)")
		flags.Var(&n.to, "to", "the place of the one who answers, by `name` (default: each)")
		flags.Var(&n.rtt, "rtt", "the round-trip `time` between the two; half of it leads to the server and back")
		flags.Uint64Var(&n.seed, "seed", 1, "a `number` that decides what is random, such as the ports of NATs")
		flags.BoolVar(&n.json, "json", false, "print the results as JSON")
		flags.BoolVar(&n.markdown, "markdown", false, "print the table as Markdown")
		flags.StringVar(&n.html, "html", "", "write the table as an HTML page to this `file`")
		return func(ctx context.Context, out output) error {
			n.line = again("lab nat", flags, "html", "json", "markdown")
			return n.run(ctx, given(flags, "from"), given(flags, "to"), out)
		}
	},
}

func places() string {
	var b strings.Builder
	for _, t := range natlab.Topologies {
		fmt.Fprintf(&b, "  %-18s%s\n", t.Name, t.About)
	}
	return b.String()
}

func parsePlace(name string) (natlab.Topology, error) {
	t, ok := natlab.Named(name)
	if !ok {
		var names []string
		for _, t := range natlab.Topologies {
			names = append(names, t.Name)
		}
		return t, fmt.Errorf("it is not one of %s", strings.Join(names, ", "))
	}
	return t, nil
}

// natLab is what the flags of lab nat say.
type natLab struct {
	from, to       value[natlab.Topology]
	rtt            value[time.Duration]
	seed           uint64
	json, markdown bool
	html           string
	line           string // the command line that gives the same again
}

func (n *natLab) run(ctx context.Context, from, to bool, out output) error {
	if n.markdown && (n.json || from || to) {
		return usageError("--markdown prints the whole table: it goes without --json, --from and --to")
	}
	if n.html != "" && (from || to) {
		return usageError("--html draws the whole table: it goes without --from and --to")
	}
	if n.rtt.v < time.Millisecond || n.rtt.v > 3*time.Second {
		return usageError("--rtt must be between 1ms and 3s")
	}
	var page picture
	if err := page.open(n.html); err != nil {
		return err
	}
	if from && to && !n.json {
		return n.one(out)
	}
	m := natlab.Matrix{Topologies: natlab.Topologies, RTT: n.rtt.v}
	wait := newProgress(out.stderr)
	defer wait.end()
	for i, f := range natlab.Topologies {
		if from && f.Name != n.from.v.Name {
			continue
		}
		wait.show("%d of %d", i, len(natlab.Topologies))
		var row []natlab.Cell
		for _, t := range natlab.Topologies {
			if to && t.Name != n.to.v.Name {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			c, err := natlab.Compare(natlab.Experiment{From: f, To: t, RTT: n.rtt.v, Seed: n.seed})
			if err != nil {
				return err
			}
			row = append(row, c)
		}
		m.Cells = append(m.Cells, row)
	}
	wait.end()
	switch {
	case n.json:
		for _, row := range m.Cells {
			for i := range row {
				writeJSONLine(out.stdout, natResult(&row[i]))
			}
		}
	case n.markdown:
		fmt.Fprint(out.stdout, m.Markdown())
	case from || to:
		for _, row := range m.Cells {
			for i := range row {
				say(out.stdout, "%v", &row[i].Result)
			}
		}
	default:
		fmt.Fprint(out.stdout, m.Text())
	}
	err := page.write(func() []byte { return n.page(&m) })
	if s := m.Summary(); s.Connected < s.Pairs {
		say(out.stderr, "plainrtc lab nat: %d of %d pairs did not connect", s.Pairs-s.Connected, s.Pairs)
		return errors.Join(err, errFailed)
	}
	return err
}

// one shows a pair.
func (n *natLab) one(out output) error {
	e := natlab.Experiment{From: n.from.v, To: n.to.v, RTT: n.rtt.v, Seed: n.seed, Log: true}
	c, err := natlab.Compare(e)
	if err != nil {
		return err
	}
	say(out.stdout, "a, who offers: %s, %s\nz, who answers: %s, %s\n", e.From.Name, e.From.About, e.To.Name, e.To.About)
	for _, line := range c.Log {
		say(out.stdout, "%s", line)
	}
	say(out.stdout, "\n%v", &c.Result)
	over, direct := natlab.Direct(e.From, e.To)
	if direct {
		say(out.stdout, "theory has a direct path over %v", over)
	} else {
		say(out.stdout, "theory has no direct path")
	}
	if c.Compared {
		say(out.stdout, "the least that any agent can need is %.1f round trips; a model of browsers' schedule takes %.1f", c.Least.Connected, c.Browser.Connected)
	}
	if !c.OK {
		return errFailed
	}
	return nil
}

func (n *natLab) page(m *natlab.Matrix) []byte {
	rows := m.Rows()
	about := &plot.Table{}
	for i, t := range m.Topologies {
		about.Rows = append(about.Rows, []string{fmt.Sprint(i + 1), t.Name, t.About})
	}
	p := plot.Page{
		Title: "ICE through NATs", Lead: strings.Join(m.Sentences(), " "), Footer: n.line,
		Parts: []plot.Part{
			{Heading: "Round trips", Table: &plot.Table{Header: rows[0], Rows: rows[1:]}, Caption: m.Caption()},
			{Heading: "Places", Table: about},
		},
	}
	return p.HTML()
}

// natJSON is a result for programs.
type natJSON struct {
	From      string   `json:"from"`
	To        string   `json:"to"`
	Connected bool     `json:"connected"`
	Relayed   bool     `json:"relayed"`
	Theory    bool     `json:"theory_direct"`
	AsTheory  bool     `json:"as_theory"`
	Local     string   `json:"local"`
	Remote    string   `json:"remote"`
	Protocol  string   `json:"protocol"`
	Trips     float64  `json:"connected_rtts"`
	Nominated float64  `json:"nominated_rtts"`
	Checks    int      `json:"checks"`
	Pace      float64  `json:"least_pace_s"`
	Least     *float64 `json:"least_rtts,omitempty"`
	Browser   *float64 `json:"browser_model_rtts,omitempty"`
}

func natResult(c *natlab.Cell) natJSON {
	out := natJSON{
		From: c.From.Name, To: c.To.Name, Connected: c.OK, Relayed: c.Relayed, Theory: c.Direct, AsTheory: c.As(),
		Local: c.Local, Remote: c.Remote, Protocol: c.Protocol, Trips: c.Connected, Nominated: c.Nominated,
		Checks: c.Checks, Pace: c.Pace.Seconds(),
	}
	if c.Compared {
		out.Least = new(c.Least.Connected)
		if !math.IsInf(c.Browser.Connected, 1) {
			out.Browser = new(c.Browser.Connected)
		}
	}
	return out
}
