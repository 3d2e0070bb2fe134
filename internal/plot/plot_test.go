package plot

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/plainrtc/plainrtc/internal/ladder"
)

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := "testdata/" + name
	if ladder.Updating() { // make golden
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s would change; look at it with: go test ./internal/plot -update", file)
	}
}

// everything is a chart with all that a chart can have.
func everything() Chart {
	var x, sine, saw, steps, few, fewY []float64
	for i := range 400 {
		v := float64(i) / 40
		x = append(x, v)
		sine = append(sine, 50e6+40e6*math.Sin(v))
		saw = append(saw, 400e3+1e5*math.Mod(v, 1.5))
		steps = append(steps, 0.02+0.001*math.Floor(v*7))
		if i%40 == 20 {
			few, fewY = append(few, v), append(fewY, v/200)
		}
	}
	for i := 180; i < 200; i++ {
		sine[i] = math.NaN()
	}
	return Chart{
		Title:    "Everything & all <of it>",
		Subtitle: "100 Mbit/s, round trip 40 ms, queue of one bandwidth-delay product, 0.1 % random loss; a second line shows that it is broken where it must be.",
		X:        Axis{Label: "Time", Unit: Seconds},
		Panels: []Panel{{
			Left:   Axis{Label: "Goodput", Unit: BitsPerSecond},
			Right:  Axis{Label: "Queueing delay", Unit: Seconds},
			Series: []Series{{Name: "goodput", X: x, Y: sine, Area: true}, {Name: "delay", X: x, Y: steps, Right: true, Steps: true}},
			Lines:  []Line{{At: 100e6, Label: "link 100 Mbit/s"}, {At: 3, Upright: true, Label: "50 packets lost"}, {At: 9.7, Upright: true, Label: "end of it"}},
			Height: 130,
		}, {
			Left: Axis{Label: "Window", Unit: Bytes},
			Series: []Series{
				{Name: "congestion window", X: x, Y: saw},
				{Name: "in flight", X: x, Y: sine[:len(saw)], Dashed: true, Color: 4},
				{Name: "a third one with a long name", X: x, Y: saw, Color: 3},
			},
		}, {
			Left:   Axis{Label: "Loss", Unit: Fraction},
			Series: []Series{{X: few, Y: fewY, Dots: true}},
		}},
	}
}

func TestGolden(t *testing.T) {
	c := everything()
	golden(t, "everything.svg", c.SVG())
	page := Page{
		Title: "A page", Lead: "With a lead.",
		Parts: []Part{
			{Heading: "Results", Table: &Table{Header: []string{"What", "Figure"}, Rows: [][]string{{"goodput", "91.2 Mbit/s"}, {"<lost>", "−3"}}}},
			{Heading: "Over time", Text: "A text.", Chart: &c, Caption: "A caption."},
		},
		Footer: "plainrtc lab",
	}
	golden(t, "page.html", page.HTML())
}

// What is written is XML, whatever is in the texts.
func TestWellFormed(t *testing.T) {
	c := everything()
	d := xml.NewDecoder(bytes.NewReader(c.SVG()))
	for {
		_, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// There is always a picture, and its numbers are numbers.
func TestDegenerateCharts(t *testing.T) {
	nan := math.NaN()
	for name, s := range map[string]Series{
		"nothing":          {},
		"one point":        {X: []float64{1}, Y: []float64{1}},
		"all the same":     {X: []float64{1, 2, 3}, Y: []float64{5, 5, 5}},
		"zeros":            {X: []float64{0, 0, 0}, Y: []float64{0, 0, 0}},
		"gaps only":        {X: []float64{1, 2}, Y: []float64{nan, nan}},
		"infinite":         {X: []float64{1, 2}, Y: []float64{math.Inf(1), 1}},
		"tiny":             {X: []float64{1e-12, 2e-12}, Y: []float64{1e-12, 3e-12}},
		"huge":             {X: []float64{1e15, 2e15}, Y: []float64{-1e18, 3e18}},
		"X without values": {X: []float64{1, 2, 3}, Y: []float64{1}},
	} {
		for _, right := range []bool{false, true} {
			for _, unit := range []Unit{Number, Seconds, Bytes, BitsPerSecond, Fraction} {
				s.Right, s.Area, s.Dots = right, true, true
				c := Chart{X: Axis{Unit: unit}, Panels: []Panel{{Series: []Series{s}, Left: Axis{Unit: unit}, Right: Axis{Unit: unit}}}}
				if svg := string(c.SVG()); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || !strings.Contains(svg, "</svg>") {
					t.Errorf("%s, right %v, unit %d: %s", name, right, unit, svg)
				}
			}
		}
	}
	if svg := string((&Chart{}).SVG()); !strings.Contains(svg, "</svg>") {
		t.Error("a chart without panels is no picture")
	}
}

func TestScales(t *testing.T) {
	for _, test := range []struct {
		unit      Unit
		low, high float64
		n         int
		want      string
	}{
		{Number, 0, 10, 5, "0 2 4 6 8 10"},
		{Number, 0, 11, 5, "0 5 10 15"},
		{Number, 0, 0.3, 3, "0.0 0.1 0.2 0.3"},
		{Number, -3, 7, 5, "−4 −2 0 2 4 6 8"},
		{Number, 5, 6, 3, "0 2 4 6"},
		{Seconds, 0, 0.0234, 3, "ms: 0 10 20 30"},
		{Seconds, 0, 12, 3, "s: 0 5 10 15"},
		{Seconds, 0, 0.00012, 2, "µs: 0 100 200"},
		{BitsPerSecond, 0, 93.2e6, 4, "Mbit/s: 0 50 100"},
		{BitsPerSecond, 0, 1e9, 4, "Gbit/s: 0.0 0.5 1.0"},
		{BitsPerSecond, 0, 0.95e9, 4, "Mbit/s: 0 500 1000"},
		{Bytes, 0, 250, 2, "B: 0 200 400"},
		{Fraction, 0, 0.013, 3, "%: 0.0 0.5 1.0 1.5"},
	} {
		s := newScale(Axis{Unit: test.unit}, test.low, test.high, test.n, true)
		var got []string
		if s.title != "" {
			got = append(got, s.title+":")
		}
		for _, v := range s.ticks {
			got = append(got, s.number(v))
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("unit %d, %v to %v: %s, want %s", test.unit, test.low, test.high, text, test.want)
		}
	}
}

// The right axis has its ticks at the left one's, and holds what is on it.
func TestRightAxisSharesTheGrid(t *testing.T) {
	for _, high := range []float64{0.001, 0.9, 1, 1.01, 3.3, 7, 999, 12345} {
		for _, low := range []float64{0, -0.2, -high} {
			left := newScale(Axis{}, 0, 73, 3, true)
			right := beside(Axis{}, low, high, left)
			if len(right.ticks) != len(left.ticks) || right.from > low || right.to < high*(1-1e-9) {
				t.Errorf("%v to %v: from %v to %v with ticks %v beside %v", low, high, right.from, right.to, right.ticks, left.ticks)
			}
		}
	}
}

func TestFormat(t *testing.T) {
	for _, test := range []struct {
		unit Unit
		v    float64
		want string
	}{
		{BitsPerSecond, 91_234_567, "91.2 Mbit/s"},
		{BitsPerSecond, 1e9, "1 Gbit/s"},
		{BitsPerSecond, 0, "0 bit/s"},
		{Seconds, 0.04, "40 ms"},
		{Seconds, 1.25, "1.25 s"},
		{Seconds, -0.0015, "−1.5 ms"},
		{Bytes, 1_500_000, "1.5 MB"},
		{Fraction, 0.0123, "1.23 %"},
		{Fraction, 1, "100 %"},
		{Number, 12345, "12345"},
	} {
		if got := test.unit.Format(test.v); got != test.want {
			t.Errorf("%v is %q, want %q", test.v, got, test.want)
		}
	}
}

// A curve of a million points is no larger a file than the eye needs, and keeps
// its extremes.
func TestThinning(t *testing.T) {
	var s Series
	for i := range 1_000_000 {
		s.X, s.Y = append(s.X, float64(i)), append(s.Y, float64(i%1000))
	}
	s.Y[123_456] = 6000
	c := Chart{Panels: []Panel{{Series: []Series{s}}}}
	svg := c.SVG()
	if len(svg) > 100_000 {
		t.Errorf("%d bytes", len(svg))
	}
	if top := regexp.MustCompile(`,0L`).FindAll(svg, -1); len(top) != 1 {
		t.Errorf("the peak is there %d times", len(top))
	}
}

// No text stands on another, or out of the picture.
func TestNothingOverlaps(t *testing.T) {
	for _, width := range []int{260, 420, 760} {
		c := everything()
		c.Width = width
		l := c.layout()
		type box struct {
			x, y, w float64
			text    string
		}
		var boxes []box
		add := func(x, y float64, text string) { boxes = append(boxes, box{x, y, textWidth(text, fontSize), text}) }
		for i := range l.panels {
			p := &l.panels[i]
			add(margin, p.header, p.y.title)
			if p.hasRight {
				add(l.width-margin-textWidth(p.yRight.title, fontSize), p.header, p.yRight.title)
			}
			for _, e := range p.legend {
				add(e.x+swatch+swatchGap, e.baseline, e.text)
			}
			for _, b := range p.labels {
				if b.end {
					b.x -= textWidth(b.text, fontSize)
				}
				add(b.x, b.baseline, b.text)
			}
		}
		for _, v := range l.x.ticks {
			text := l.x.number(v)
			add(l.left+l.x.at(v)*(l.right-l.left)-textWidth(text, fontSize)/2, l.height, text)
		}
		for i, a := range boxes {
			if a.x < 0 || a.x+a.w > l.width {
				t.Errorf("width %d: %q reaches out of the picture", width, a.text)
			}
			for _, b := range boxes[:i] {
				if math.Abs(a.y-b.y) < fontSize && a.x < b.x+b.w && b.x < a.x+a.w {
					t.Errorf("width %d: %q and %q overlap", width, a.text, b.text)
				}
			}
		}
	}
}

func TestWrap(t *testing.T) {
	if got := wrap("one two  three", 10, textWidth("one two", 10)); !slices.Equal(got, []string{"one two", "three"}) {
		t.Errorf("%q", got)
	}
}
