package plot

// A Chart is one picture: panels one above the other, with the x axis they share.
type Chart struct {
	Title    string // none if empty
	Subtitle string // below it, smaller: what the reader must know to believe the picture
	X        Axis
	Panels   []Panel
	// Width is that of the picture, in CSS pixels; 0: 420, a column of a paper, at
	// which its text has 7 points.
	Width int
}

// A Panel is a plot with one or two y axes.
type Panel struct {
	Left, Right Axis // Right is drawn if a series is on it
	Series      []Series
	Lines       []Line
	Height      int // of the plot without what is around it; 0: 96
}

// An Axis is what stands along one edge of a plot.
type Axis struct {
	Label string // without the unit, which is added
	Unit  Unit
	// Min and Max bound the axis; both zero: it begins at 0, or below if a value
	// is, and holds all values. An x axis holds its values and no more.
	Min, Max float64
}

// A Series is a curve.
type Series struct {
	Name string // in the legend; none if empty
	// X and Y are the points, in ascending order of X. A Y that is NaN is a gap.
	X, Y   []float64
	Right  bool // measured on the right axis
	Color  int  // 1, 2, …: a colour of the palette; 0: the next one in this panel
	Dashed bool
	Steps  bool // each value holds until the next
	Dots   bool // a dot at each point, which are few
	Area   bool // shaded down to the axis
}

// A Line is a value to compare with, across the whole plot: a link's rate, which the
// legend names; or, upright, a moment, with its name beside it.
type Line struct {
	At      float64 // on the left axis, or on the x axis
	Upright bool
	Label   string
}

// The measures of a picture, in CSS pixels.
const (
	defaultWidth  = 420
	defaultHeight = 96
	fontSize      = 11.0
	titleSize     = 13.0
	lineHeight    = 15.0
	margin        = 8.0  // around everything
	gap           = 12.0 // between panels
	tickLength    = 4.0
	tickGap       = 3.0  // between a tick and its number
	swatch        = 16.0 // a legend's piece of line
	swatchGap     = 4.0
	entryGap      = 14.0 // between the entries of a legend
)
