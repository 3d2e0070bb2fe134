package plot

import (
	_ "embed"
	"fmt"
	"html"
	"strings"
)

// palette is that of Okabe and Ito, without its yellow, which white paper swallows.
var palette = [...]string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"}

// dark is the style for readers who prefer it. The light look stands in the
// attributes, which programs obey that know no style sheets.
//
//go:embed dark.css
var dark string

// SVG returns the chart as an SVG file.
func (c *Chart) SVG() []byte { return c.svg("<style>\n" + dark + "</style>\n") }

// svg returns the chart as an SVG element with this style.
func (c *Chart) svg(style string) []byte {
	l := c.layout()
	w := &writer{}
	w.put(`<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" width="{}" height="{}" viewBox="0 0 {} {}" font-family="Helvetica, Arial, 'Liberation Sans', sans-serif" font-size="{}" fill="#222222">`,
		l.width, l.height, l.width, l.height, fontSize)
	w.WriteString(style)
	w.put("<title>{}</title>\n", c.Title)
	w.put(`<rect class="paper" width="{}" height="{}" fill="#ffffff"/>`+"\n", l.width, l.height)

	y := margin
	for _, line := range l.title {
		w.put(`<text x="{}" y="{}" font-size="{}" font-weight="bold">{}</text>`+"\n", margin, y+titleSize, titleSize, line)
		y += lineHeight + 2
	}
	for _, line := range l.sub {
		w.put(`<text class="soft" x="{}" y="{}" fill="#666666">{}</text>`+"\n", margin, y+fontSize, line)
		y += lineHeight
	}
	for i := range l.panels {
		w.panel(&l, &l.panels[i])
	}
	w.xAxis(&l)
	w.WriteString("</svg>\n")
	return []byte(w.String())
}

// A writer is SVG or HTML that grows.
type writer struct{ strings.Builder }

// put writes a template in which each {} stands for the next argument: a number,
// a text, which is escaped, or markup.
func (w *writer) put(template string, args ...any) {
	for _, a := range args {
		before, after, _ := strings.Cut(template, "{}")
		w.WriteString(before)
		switch a := a.(type) {
		case float64:
			w.WriteString(number(a))
		case int:
			w.WriteString(number(float64(a)))
		case string:
			w.WriteString(html.EscapeString(a))
		case markup:
			w.WriteString(string(a))
		}
		template = after
	}
	w.WriteString(template)
}

// markup is text that is written as it is.
type markup string

func (w *writer) panel(l *layout, p *panelLayout) {
	wide, high := l.right-l.left, p.bottom-p.top
	at := func(s *scale, v float64) float64 { return p.top + (1-s.at(v))*high }

	w.put(`<g class="grid" stroke="#dddddd" stroke-width="0.75">`)
	for _, v := range p.y.ticks {
		w.put(`<path d="M{},{}h{}"/>`, l.left, at(&p.y, v), wide)
	}
	for _, v := range l.x.ticks {
		w.put(`<path d="M{},{}v{}"/>`, l.left+l.x.at(v)*wide, p.top, high)
	}
	w.put("</g>\n")

	w.put(`<text x="{}" y="{}">{}</text>`, margin, p.header, p.y.title)
	w.put(`<g class="soft" fill="#666666" text-anchor="end">`)
	for _, v := range p.y.ticks {
		w.put(`<text x="{}" y="{}">{}</text>`, l.left-tickLength-tickGap, at(&p.y, v)+fontSize*0.36, p.y.number(v))
	}
	w.put("</g>\n")
	if p.hasRight {
		w.put(`<text x="{}" y="{}" text-anchor="end">{}</text>`, l.width-margin, p.header, p.yRight.title)
		w.put(`<g class="soft" fill="#666666">`)
		for _, v := range p.yRight.ticks {
			w.put(`<text x="{}" y="{}">{}</text>`, l.right+tickLength+tickGap, at(&p.yRight, v)+fontSize*0.36, p.yRight.number(v))
		}
		w.put("</g>\n")
	}
	for _, e := range p.legend {
		if e.series < 0 {
			w.put(`<path class="line" d="M{},{}h{}" stroke="#444444" stroke-dasharray="2 3"/><text x="{}" y="{}">{}</text>`+"\n",
				e.x, e.baseline-fontSize*0.34, swatch, e.x+swatch+swatchGap, e.baseline, e.text)
			continue
		}
		s, c := &p.Series[e.series], p.colors[e.series]
		w.put(`<g class="c{}" color="{}"><path d="M{},{}h{}" stroke="currentColor" stroke-width="2"{}/></g>`,
			c+1, palette[c], e.x, e.baseline-fontSize*0.34, swatch, dashes(s))
		w.put(`<text x="{}" y="{}">{}</text>`+"\n", e.x+swatch+swatchGap, e.baseline, e.text)
	}

	// An SVG in the SVG cuts off what is beyond the plot, without names that would
	// have to differ from those of other charts on a page.
	const over = 3 // for dots and lines at the edge
	w.put(`<svg x="{}" y="{}" width="{}" height="{}" viewBox="-3 -3 {} {}">`+"\n",
		l.left-over, p.top-over, wide+2*over, high+2*over, wide+2*over, high+2*over)
	for i := range p.Series {
		w.series(&p.Series[i], p.colors[i], p.runs(i, l), p)
	}
	w.put(`<g class="line" stroke="#444444" stroke-dasharray="2 3">`)
	for _, line := range p.Lines {
		if line.Upright {
			w.put(`<path d="M{},0v{}"/>`, l.x.at(line.At)*wide, high)
		} else {
			w.put(`<path d="M0,{}h{}"/>`, at(&p.y, line.At)-p.top, wide)
		}
	}
	w.put("</g></svg>\n")
	for _, b := range p.labels {
		anchor := markup("")
		if b.end {
			anchor = ` text-anchor="end"`
		}
		w.put(`<text class="label" x="{}" y="{}"{} fill="#444444" stroke="#ffffff" stroke-width="3" stroke-linejoin="round" paint-order="stroke">{}</text>`+"\n",
			b.x, b.baseline, anchor, b.text)
	}
	w.put(`<path class="axis" d="M{},{}h{}" stroke="#222222"/>`+"\n", l.left, p.bottom, wide)
}

func dashes(s *Series) markup {
	if s.Dashed {
		return ` stroke-dasharray="5 3"`
	}
	return ""
}

// series draws a curve.
func (w *writer) series(s *Series, color int, runs [][]point, p *panelLayout) {
	y := &p.y
	if s.Right {
		y = &p.yRight
	}
	w.put(`<g class="c{}" color="{}">`, color+1, palette[color])
	if s.Area {
		floor := (1 - y.at(max(y.from, 0))) * (p.bottom - p.top)
		for _, run := range runs {
			d := fmt.Appendf(path(nil, run), "L%s,%sL%s,%[2]sZ", number(run[len(run)-1].x), number(floor), number(run[0].x))
			w.put(`<path d="{}" fill="currentColor" fill-opacity="0.18"/>`, markup(d))
		}
	}
	var d []byte
	for _, run := range runs {
		d = path(d, run)
	}
	w.put(`<path d="{}" fill="none" stroke="currentColor" stroke-width="1.4" stroke-linejoin="round" stroke-linecap="round"{}/>`,
		markup(d), dashes(s))
	if s.Dots {
		for _, run := range runs {
			for _, q := range run {
				w.put(`<circle cx="{}" cy="{}" r="2.5" fill="currentColor"/>`, q.x, q.y)
			}
		}
	}
	w.put("</g>\n")
}

// xAxis draws what stands below the last panel.
func (w *writer) xAxis(l *layout) {
	if len(l.panels) == 0 {
		return
	}
	bottom := l.panels[len(l.panels)-1].bottom
	baseline := bottom + tickLength + tickGap + fontSize*0.8
	w.put(`<g class="axis" stroke="#222222">`)
	for _, v := range l.x.ticks {
		w.put(`<path d="M{},{}v{}"/>`, l.left+l.x.at(v)*(l.right-l.left), bottom, tickLength)
	}
	w.put(`</g><g class="soft" fill="#666666" text-anchor="middle">`)
	for _, v := range l.x.ticks {
		w.put(`<text x="{}" y="{}">{}</text>`, l.left+l.x.at(v)*(l.right-l.left), baseline, l.x.number(v))
	}
	w.put(`</g><text x="{}" y="{}" text-anchor="middle">{}</text>`+"\n", (l.left+l.right)/2, baseline+lineHeight, l.x.title)
}
