package plot

import "math"

// A layout is a chart with a place for each of its parts.
type layout struct {
	width, height float64
	left, right   float64 // the plots' edges
	title, sub    []string
	x             scale
	panels        []panelLayout
}

// A panelLayout is one panel. Heights are from the picture's top.
type panelLayout struct {
	*Panel
	header      float64 // the baseline of the axes' titles
	top, bottom float64 // the plot
	y, yRight   scale
	hasRight    bool
	legend      []entry
	labels      []label
	colors      []int // of the series
}

// An entry of a legend, from the left edge of its piece of line.
type entry struct {
	x, baseline float64
	series      int // -1: a Line
	text        string
}

// A label of an upright Line.
type label struct {
	x, baseline float64
	end         bool // x is where it ends
	text        string
}

func (c *Chart) layout() layout {
	l := layout{width: float64(c.Width)}
	if l.width == 0 {
		l.width = defaultWidth
	}
	inner := l.width - 2*margin
	l.title, l.sub = wrap(c.Title, titleSize*1.07, inner), wrap(c.Subtitle, fontSize, inner) // bold is wider
	l.panels = make([]panelLayout, len(c.Panels))
	for i := range l.panels {
		l.panels[i].measure(&c.Panels[i])
	}
	l.placeEdges(c)

	y := margin
	for range l.title {
		y += lineHeight + 2
	}
	for range l.sub {
		y += lineHeight
	}
	for i := range l.panels {
		if i > 0 {
			y += gap
		} else if y > margin {
			y += gap / 2
		}
		y = l.panels[i].place(&l, y)
	}
	l.height = math.Ceil(y + tickLength + tickGap + 2*lineHeight + margin/2)
	return l
}

// measure gives a panel its axes, which need no place to be known.
func (p *panelLayout) measure(panel *Panel) {
	p.Panel = panel
	var low, high [2]float64
	low[0], low[1], high[0], high[1] = math.NaN(), math.NaN(), math.NaN(), math.NaN()
	next := 1
	for i := range panel.Series {
		s := &panel.Series[i]
		side := 0
		if s.Right {
			side, p.hasRight = 1, true
		}
		low[side], high[side] = bounds(low[side], high[side], s.Y)
		color := s.Color
		if color == 0 {
			color = next
			next++
		}
		p.colors = append(p.colors, (color-1)%len(palette))
	}
	for _, line := range panel.Lines {
		if !line.Upright {
			low[0], high[0] = bounds(low[0], high[0], []float64{line.At})
		}
	}
	p.y = newScale(panel.Left, low[0], high[0], int(p.plotHeight()/28), true)
	if p.hasRight {
		p.yRight = beside(panel.Right, low[1], high[1], p.y)
	}
}

func (p *panelLayout) plotHeight() float64 {
	if p.Height == 0 {
		return defaultHeight
	}
	return float64(p.Height)
}

// placeEdges finds how much room the numbers beside the plots need, and makes the
// x axis.
func (l *layout) placeEdges(c *Chart) {
	widest := func(s *scale) float64 {
		w := 0.0
		for _, v := range s.ticks {
			w = max(w, textWidth(s.number(v), fontSize))
		}
		return w
	}
	left, right := 0.0, 0.0
	low, high := math.NaN(), math.NaN()
	for i := range l.panels {
		p := &l.panels[i]
		left = max(left, widest(&p.y)+tickLength+tickGap)
		if p.hasRight {
			right = max(right, widest(&p.yRight)+tickLength+tickGap)
		}
		for _, s := range p.Series {
			low, high = bounds(low, high, s.X)
		}
	}
	l.left, l.right = margin+left, l.width-margin-right
	for n := int((l.right - l.left) / 48); ; n-- {
		l.x = newScale(c.X, low, high, n, false)
		// The last number may reach beyond the plot, but not out of the picture.
		last := l.x.ticks[len(l.x.ticks)-1]
		over := l.left + l.x.at(last)*(l.right-l.left) + textWidth(l.x.number(last), fontSize)/2 - (l.width - margin/2)
		if over > 0 {
			l.right -= math.Ceil(over)
		}
		if n <= 1 || widest(&l.x)+10 < (l.right-l.left)/float64(len(l.x.ticks)) {
			return
		}
	}
}

// place puts a panel below y and returns where it ends.
func (p *panelLayout) place(l *layout, y float64) float64 {
	p.header = y + fontSize
	from := margin + textWidth(p.y.title, fontSize) + entryGap
	to := l.width - margin
	if p.hasRight {
		to -= textWidth(p.yRight.title, fontSize) + entryGap
	}
	for i := range p.Series {
		if name := p.Series[i].legend(); name != "" {
			p.legend = append(p.legend, entry{series: i, text: name})
		}
	}
	for _, line := range p.Lines {
		if line.Label != "" && !line.Upright {
			p.legend = append(p.legend, entry{series: -1, text: line.Label})
		}
	}
	whole := 0.0
	for _, e := range p.legend {
		whole += entryWidth(e.text) + entryGap
	}
	baseline, x := p.header, to-whole+entryGap
	if p.hasRight {
		x = from + max(0, (to-from-whole+entryGap)/2)
	}
	if from+whole-entryGap > to { // not beside the titles
		baseline, x, to = baseline+lineHeight, l.left, l.width-margin
	}
	for i := range p.legend {
		e := &p.legend[i]
		if x > l.left && x+entryWidth(e.text) > to+0.01 {
			baseline, x = baseline+lineHeight, l.left
		}
		e.x, e.baseline = x, baseline
		x += entryWidth(e.text) + entryGap
	}
	p.top = math.Ceil(baseline + 10)
	p.bottom = p.top + p.plotHeight()
	p.placeLabels(l)
	return p.bottom
}

// legend is what the legend calls a series.
func (s *Series) legend() string {
	if s.Right && s.Name != "" {
		return s.Name + " (right)"
	}
	return s.Name
}

func entryWidth(name string) float64 { return swatch + swatchGap + textWidth(name, fontSize) }

// A box is where a text stands: from the left end of its baseline.
type box struct{ x, y, w float64 }

// placeLabels puts the label of each upright line beside it, on no other label or
// line, and there, where the fewest points of curves are. One that fits nowhere is
// left out. Those of other lines stand in the legend.
func (p *panelLayout) placeLabels(l *layout) {
	var curves []point
	for i := range p.Series {
		curves = append(curves, p.points(i, l)...)
	}
	var taken []box
	for _, line := range p.Lines {
		if line.Label == "" || !line.Upright {
			continue
		}
		var best label
		var at box
		least := -1
		for _, try := range p.tries(line, l) {
			b := box{try.x, try.baseline, textWidth(line.Label, fontSize)}
			if try.end {
				b.x -= b.w
			}
			if !p.fits(b, taken, l) {
				continue
			}
			n := 0
			for _, q := range curves {
				if b.x-2 < q.x && q.x < b.x+b.w+2 && b.y-fontSize < q.y && q.y < b.y+3 {
					n++
				}
			}
			if least < 0 || n < least {
				best, at, least = try, b, n
			}
		}
		if least >= 0 {
			taken, p.labels = append(taken, at), append(p.labels, best)
		}
	}
}

// points are those of a series, and some between them, from the picture's top left.
func (p *panelLayout) points(series int, l *layout) []point {
	var all []point
	for _, run := range p.runs(series, l) {
		for i, q := range run {
			q.x, q.y = q.x+l.left, q.y+p.top
			if i > 0 {
				before := all[len(all)-1]
				const near = 3 // pixels
				n := int(math.Hypot(q.x-before.x, q.y-before.y) / near)
				for k := range min(n, 1000) {
					part := float64(k+1) / float64(n+1)
					all = append(all, point{before.x + part*(q.x-before.x), before.y + part*(q.y-before.y)})
				}
			}
			all = append(all, q)
		}
	}
	return all
}

// runs are those of a series in this panel, in pixels from the plot's top left.
func (p *panelLayout) runs(series int, l *layout) [][]point {
	s, y := &p.Series[series], &p.y
	if s.Right {
		y = &p.yRight
	}
	return s.runs(&l.x, y, l.right-l.left, p.bottom-p.top)
}

// tries are the places for an upright line's label, the best first.
func (p *panelLayout) tries(line Line, l *layout) (tries []label) {
	x := l.left + l.x.at(line.At)*(l.right-l.left)
	for n := range int(p.plotHeight() / lineHeight) {
		b := p.top + fontSize + 1 + float64(n)*lineHeight
		tries = append(tries, label{x + 4, b, false, line.Label}, label{x - 4, b, true, line.Label})
	}
	return tries
}

// fits reports whether a label is inside the plot and apart from others and from
// upright lines.
func (p *panelLayout) fits(b box, taken []box, l *layout) bool {
	if b.x < l.left || b.x+b.w > l.right || b.y-fontSize < p.top-1 || b.y+2 > p.bottom {
		return false
	}
	for _, line := range p.Lines {
		x := l.left + l.x.at(line.At)*(l.right-l.left)
		if line.Upright && b.x-2 < x && x < b.x+b.w+2 {
			return false
		}
	}
	for _, other := range taken {
		if b.x <= other.x+other.w+4 && other.x <= b.x+b.w+4 && math.Abs(b.y-other.y) < fontSize+1 {
			return false
		}
	}
	return true
}
