package plot_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/plainrtc/plainrtc/internal/plot"
)

// A chart of two panels, as a file that a paper can include.
func Example() {
	var t, goodput, queue, window []float64
	for i := range 201 {
		x := float64(i) / 20
		t = append(t, x)
		goodput = append(goodput, 92e6*(1-math.Exp(-x)))
		queue = append(queue, 0.02+0.02*math.Sin(3*x))
		window = append(window, 500e3+100e3*math.Mod(x, 2))
	}
	c := plot.Chart{
		Title: "A flow and what it does",
		X:     plot.Axis{Label: "Time", Unit: plot.Seconds},
		Panels: []plot.Panel{{
			Left:   plot.Axis{Label: "Goodput", Unit: plot.BitsPerSecond},
			Right:  plot.Axis{Label: "Queue", Unit: plot.Seconds},
			Series: []plot.Series{{Name: "goodput", X: t, Y: goodput}, {Name: "queue", X: t, Y: queue, Right: true}},
			Lines:  []plot.Line{{At: 100e6, Label: "the link's rate"}},
		}, {
			Left:   plot.Axis{Label: "Window", Unit: plot.Bytes},
			Series: []plot.Series{{X: t, Y: window, Steps: true, Area: true}},
		}},
	}
	dir, err := os.MkdirTemp("", "plot")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	fmt.Println(os.WriteFile(filepath.Join(dir, "flow.svg"), c.SVG(), 0o644))
	fmt.Println(plot.BitsPerSecond.Format(91.4e6), plot.Seconds.Format(0.0024), plot.Fraction.Format(0.001))
	// Output:
	// <nil>
	// 91.4 Mbit/s 2.4 ms 0.1 %
}
