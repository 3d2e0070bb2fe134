package plot

import (
	"math"
	"strconv"
)

// bounds are the least and the largest of the values that are numbers; NaN if
// there is none.
func bounds(low, high float64, values []float64) (float64, float64) {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		if math.IsNaN(low) || v < low {
			low = v
		}
		if math.IsNaN(high) || v > high {
			high = v
		}
	}
	return low, high
}

// A point is a place in a plot, in pixels from its top left.
type point struct{ x, y float64 }

// runs returns the points of a series, a slice for each stretch without a gap.
func (s *Series) runs(x, y *scale, width, height float64) (all [][]point) {
	var run []point
	for i := range min(len(s.X), len(s.Y)) {
		if math.IsNaN(s.Y[i]) || math.IsInf(s.Y[i], 0) {
			if len(run) > 0 {
				all = append(all, run)
			}
			run = nil
			continue
		}
		p := point{x.at(s.X[i]) * width, (1 - y.at(s.Y[i])) * height}
		if s.Steps && len(run) > 0 {
			run = append(run, point{p.x, run[len(run)-1].y})
		}
		run = append(run, p)
	}
	if len(run) > 0 {
		all = append(all, run)
	}
	for i := range all {
		all[i] = thin(all[i])
	}
	return all
}

// column is how many pixels of a curve may be drawn as one upright line.
const column = 0.5

// thin leaves out the points that nobody would see: of those within one column
// the first, the last and the extremes are enough.
func thin(run []point) []point {
	out := run[:0]
	for i := 0; i < len(run); {
		end, low, high := i, i, i
		at := math.Floor(run[i].x / column)
		for ; end < len(run) && math.Floor(run[end].x/column) == at; end++ {
			if run[end].y < run[low].y {
				low = end
			}
			if run[end].y > run[high].y {
				high = end
			}
		}
		first, second := min(low, high), max(low, high)
		keep := [...]int{i, first, second, end - 1}
		var kept [4]point
		n := 0
		for k, j := range keep {
			if k == 0 || j != keep[k-1] {
				kept[n] = run[j]
				n++
			}
		}
		out = append(out, kept[:n]...)
		i = end
	}
	return out
}

// path returns points as the data of an SVG path.
func path(b []byte, run []point) []byte {
	for i, p := range run {
		if i == 0 {
			b = append(b, 'M')
		} else {
			b = append(b, 'L')
		}
		b = append(appendNumber(b, p.x), ',')
		b = appendNumber(b, p.y)
	}
	return b
}

// appendNumber appends a coordinate with a tenth of a pixel, or hundredths where
// that is not enough to tell curves apart on paper.
func appendNumber(b []byte, v float64) []byte {
	if math.IsNaN(v) {
		v = 0
	}
	v = math.Round(min(max(v, -1e6), 1e6)*100) / 100
	if v == 0 {
		v = 0 // not -0
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

func number(v float64) string { return string(appendNumber(nil, v)) }
