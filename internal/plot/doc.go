// Package plot draws line charts as SVG, fit for a paper or a page, without any
// dependency:
//
//	c := plot.Chart{
//		Title: "One flow, 100 Mbit/s, 50 ms",
//		X:     plot.Axis{Label: "Time", Unit: plot.Seconds},
//		Panels: []plot.Panel{{
//			Left:   plot.Axis{Label: "Goodput", Unit: plot.BitsPerSecond},
//			Right:  plot.Axis{Label: "Queue", Unit: plot.Seconds},
//			Series: []plot.Series{{Name: "goodput", X: t, Y: rate}, {Name: "queue", X: t, Y: queue, Right: true}},
//		}},
//	}
//	os.Stdout.Write(c.SVG())
//
// A [Chart] is panels one above the other that share the x axis, as a trace of a
// connection wants them. Values are in base units (seconds, bytes, bits a second,
// fractions of one); an [Axis] chooses milliseconds or Mbit/s by what is on it. A
// [Page] is an HTML file that holds charts and tables and needs no other.
//
// # How it looks
//
// A chart is as wide as a column of a paper unless it is told otherwise, and its
// text is of the size that one reads there. Names of axes are horizontal and
// stand above them. The colours are those of Okabe and Ito, which people with any
// colour vision tell apart; with print in grey in mind a [Series] can be dashed.
// The file follows the reader's preference for light or dark, and is light on paper.
//
// The same chart gives the same bytes, so that a test can hold them.
//
// # How to read it
//
// chart is what a user describes; layout gives each of its parts a place, and svg
// writes them down. axis has the units and the ticks, curve turns a series into
// a path, text knows how wide words are; page is the HTML.
//
// # What is left out
//
// Logarithmic axes, bars, error bars, and interaction: a picture in a paper has
// none. Text is measured as Helvetica, Arial and Liberation Sans have it: with
// another font legends stand a little closer or wider, and do not overlap.
package plot
