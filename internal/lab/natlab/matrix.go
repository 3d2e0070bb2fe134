package natlab

import (
	"math"
	"time"

	"github.com/plainrtc/plainrtc/internal/netsim"
)

// A Cell is an experiment of the table, beside what is the least that it takes and
// what browsers' schedule would take: where Compared, for neither knows TCP.
type Cell struct {
	Result
	Compared       bool
	Least, Browser Bound
}

// A Matrix is the table of all pairs of topologies, a row for each From.
type Matrix struct {
	Topologies []Topology
	Cells      [][]Cell
	RTT        time.Duration
}

// All makes every experiment of some topologies, like e.
func All(topologies []Topology, e Experiment) (Matrix, error) {
	m := Matrix{Topologies: topologies, RTT: e.rtt()}
	for _, from := range topologies {
		var row []Cell
		for _, to := range topologies {
			e.From, e.To = from, to
			c, err := Compare(e)
			if err != nil {
				return m, err
			}
			row = append(row, c)
		}
		m.Cells = append(m.Cells, row)
	}
	return m, nil
}

// Compare makes an experiment, and finds what it compares with.
func Compare(e Experiment) (c Cell, err error) {
	if c.Result, err = Connect(e); err != nil {
		return c, err
	}
	if c.Compared = e.From.DatagramsLeave() && e.To.DatagramsLeave(); !c.Compared {
		return c, nil
	}
	if c.Least, err = Least(e); err != nil {
		return c, err
	}
	c.Browser, err = Browser(e)
	return c, err
}

// As reports whether the way is what theory says.
func (r *Result) As() bool {
	return r.OK && r.Relayed != r.Direct && (r.Relayed || (r.Protocol == "tcp") == (r.Over == netsim.TCP))
}

// A Summary is the means over the cells.
type Summary struct {
	Pairs, Connected, Direct, AsTheory int
	Compared                           int
	Ours, Least, Browser               float64 // means over those compared, in round trips
}

// Summary counts.
func (m *Matrix) Summary() (s Summary) {
	for _, row := range m.Cells {
		for _, c := range row {
			s.Pairs++
			if c.OK {
				s.Connected++
			}
			if c.OK && !c.Relayed {
				s.Direct++
			}
			if c.As() {
				s.AsTheory++
			}
			if c.OK && c.Compared && !math.IsInf(c.Browser.Connected, 1) {
				s.Compared++
				s.Ours += c.Connected
				s.Least += c.Least.Connected
				s.Browser += c.Browser.Connected
			}
		}
	}
	if s.Compared > 0 {
		s.Ours /= float64(s.Compared)
		s.Least /= float64(s.Compared)
		s.Browser /= float64(s.Compared)
	}
	return s
}
