package natlab

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The marks of the table's cells.
const (
	markTCP     = "t"
	markRelay   = "r"
	markWrong   = "!"
	notAtAll    = "✗"
	explanation = "alone: direct over UDP; t: direct over TCP; r: relayed, and theory has no direct path; !: not what theory says; ✗: not connected"
)

// String is the cell in the table.
func (c *Cell) String() string {
	if !c.OK {
		return notAtAll
	}
	text := fmt.Sprintf("%.1f", c.Connected)
	switch {
	case c.Relayed:
		text += markRelay
	case c.Protocol == "tcp":
		text += markTCP
	}
	if !c.As() {
		text += markWrong
	}
	return text
}

// Rows are the table, with a header: a number for each topology.
func (m *Matrix) Rows() [][]string {
	header := []string{"", "from \\ to"}
	for i := range m.Topologies {
		header = append(header, fmt.Sprint(i+1))
	}
	rows := [][]string{header}
	for i, cells := range m.Cells {
		row := []string{fmt.Sprint(i + 1), m.Topologies[i].Name}
		for _, c := range cells {
			row = append(row, c.String())
		}
		rows = append(rows, row)
	}
	return rows
}

// Caption says what the figures are.
func (m *Matrix) Caption() string {
	return fmt.Sprintf("Round trips of %d ms until both ends have a path, from when the answer is back; half of one leads to the server and back. %s%s.",
		m.RTT.Milliseconds(), strings.ToUpper(explanation[:1]), explanation[1:])
}

// Sentences are what the table comes to.
func (m *Matrix) Sentences() []string {
	s := m.Summary()
	how := "all as theory says"
	if s.AsTheory < s.Pairs {
		how = fmt.Sprintf("%d not as theory says", s.Pairs-s.AsTheory)
	}
	all := []string{fmt.Sprintf("%d of %d pairs connect, %d of them directly, %s.", s.Connected, s.Pairs, s.Direct, how)}
	if s.Compared > 0 {
		all = append(all, fmt.Sprintf("Where UDP gets out (%d pairs) it takes %.2f round trips on average; the least that any agent can need is %.2f; a model of browsers' schedule takes %.2f.",
			s.Compared, s.Ours, s.Least, s.Browser))
	}
	return all
}

// Text is the table for a terminal.
func (m *Matrix) Text() string {
	var b strings.Builder
	rows := m.Rows()
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case i == 1:
				b.WriteString(" " + cell + pad)
			case i > 1:
				// The marks stand in a column of their own.
				b.WriteString("  " + pad + cell)
			default:
				b.WriteString(pad + cell)
			}
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\n%s\n\n", m.Caption())
	for i, t := range m.Topologies {
		fmt.Fprintf(&b, "%2d %-*s  %s\n", i+1, widths[1], t.Name, t.About)
	}
	fmt.Fprintf(&b, "\n%s\n", strings.Join(m.Sentences(), "\n"))
	return b.String()
}

// Markdown is the table for a page.
func (m *Matrix) Markdown() string {
	var b strings.Builder
	for i, row := range m.Rows() {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "| --: | --- |%s\n", strings.Repeat(" --: |", len(row)-2))
		}
	}
	fmt.Fprintf(&b, "\n%s\n\n", m.Caption())
	for i, t := range m.Topologies {
		fmt.Fprintf(&b, "%d. `%s`: %s\n", i+1, t.Name, t.About)
	}
	fmt.Fprintf(&b, "\n%s\n", strings.Join(m.Sentences(), "\n"))
	return b.String()
}
