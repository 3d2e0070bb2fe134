package plot

import (
	_ "embed"
	"strings"
)

// A Page is an HTML file of charts and tables.
type Page struct {
	Title  string
	Lead   string // a paragraph below the title
	Parts  []Part
	Footer string // such as the command that makes the same page again
}

// A Part of a page has a heading, if any, and what stands below it, in this order:
// a text, a table, a chart, and the chart's caption.
type Part struct {
	Heading string
	Text    string
	Table   *Table
	Chart   *Chart // shown as wide as the page
	Caption string
}

// A Table is rows of texts. Below a header, what begins with a digit is set flush
// right.
type Table struct {
	Header []string // none if nil: then the first column says what the others are
	Rows   [][]string
}

// chartWidth is the width that charts of a page are laid out for. They are shown a
// little larger, as wide as the page.
const chartWidth = 620

//go:embed page.css
var pageStyle string

// HTML returns the page as an HTML file, which needs no other.
func (p *Page) HTML() []byte {
	w := &writer{}
	w.WriteString("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
		"<meta name=\"color-scheme\" content=\"light dark\">\n")
	w.put("<title>{}</title>\n<style>\n{}{}</style>\n<main>\n<h1>{}</h1>\n", p.Title, markup(pageStyle), markup(dark), p.Title)
	w.paragraph(p.Lead)
	for _, part := range p.Parts {
		if part.Heading != "" {
			w.put("<h2>{}</h2>\n", part.Heading)
		}
		w.paragraph(part.Text)
		if part.Table != nil {
			w.table(part.Table)
		}
		if part.Chart != nil {
			chart := *part.Chart
			if chart.Width == 0 {
				chart.Width = chartWidth
			}
			w.put("<figure>\n{}", markup(chart.svg("")))
			if part.Caption != "" {
				w.put("<figcaption>{}</figcaption>\n", part.Caption)
			}
			w.put("</figure>\n")
		}
	}
	if p.Footer != "" {
		w.put("<footer>{}</footer>\n", p.Footer)
	}
	w.put("</main>\n")
	return []byte(w.String())
}

func (w *writer) paragraph(text string) {
	if text != "" {
		w.put("<p>{}</p>\n", text)
	}
}

func (w *writer) table(t *Table) {
	class := markup("")
	if t.Header == nil {
		class = ` class="facts"`
	}
	w.put(`<div class="wide"><table{}>`+"\n", class)
	if t.Header != nil {
		w.put("<thead><tr>")
		for i, h := range t.Header {
			w.cell("th", h, len(t.Rows) > 0 && i < len(t.Rows[0]) && isNumber(t.Rows[0][i]))
		}
		w.put("</tr></thead>\n")
	}
	w.put("<tbody>\n")
	for _, row := range t.Rows {
		w.put("<tr>")
		for _, cell := range row {
			w.cell("td", cell, t.Header != nil && isNumber(cell))
		}
		w.put("</tr>\n")
	}
	w.put("</tbody></table></div>\n")
}

func (w *writer) cell(tag, text string, right bool) {
	class := markup("")
	if right {
		class = ` class="n"`
	}
	w.put("<{}{}>{}</{}>", markup(tag), class, text, markup(tag))
}

func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "−")
	return s != "" && s[0] >= '0' && s[0] <= '9'
}
