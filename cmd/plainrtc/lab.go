package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

var labCommand = command{
	name:     "lab",
	synopsis: "COMMAND [flags]",
	summary:  "experiments on a simulated network, printed and drawn",
	about: `
Experiments on virtual time: a minute of a slow network takes seconds, whatever
else this machine does, and the same command line gives the same bytes. Figures
are printed, or given as JSON, and drawn as SVG for a paper or as an HTML page.`,
	example: "plainrtc lab sctp --rate 100mbit --rtt 50ms --loss 0.1% --cc cubic --html cubic.html",
	within:  []command{labSCTPCommand, labJitterCommand, labMediaCommand, labNATCommand},
}

// A picture is a file that an experiment is drawn into. It is opened before the
// experiment, so that none is made in vain, and overwritten after it.
type picture struct{ file *os.File }

// open makes the file, if name is not empty.
func (p *picture) open(name string) (err error) {
	if name == "" {
		return nil
	}
	if p.file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666); err != nil {
		return fmt.Errorf("the picture cannot be written: %w", err)
	}
	return nil
}

// write fills the file, if there is one.
func (p *picture) write(draw func() []byte) error {
	if p.file == nil {
		return nil
	}
	info, err := p.file.Stat()
	if err == nil && info.Mode().IsRegular() { // and no pipe
		err = p.file.Truncate(0)
	}
	if err == nil {
		_, err = p.file.Write(draw())
	}
	if closeErr := p.file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("the picture is not complete: %w", err)
	}
	return nil
}

// progress tells a person who waits at a terminal how far an experiment is.
type progress struct {
	w     io.Writer // nil: nobody waits
	mu    sync.Mutex
	shown string
}

func newProgress(stderr io.Writer) *progress {
	if f, ok := stderr.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return &progress{w: stderr}
		}
	}
	return &progress{}
}

func (p *progress) show(format string, args ...any) {
	if p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if text := fmt.Sprintf(format, args...); text != p.shown {
		fmt.Fprint(p.w, "\r\033[K", text)
		p.shown = text
	}
}

// end takes the line away.
func (p *progress) end() {
	if p.w != nil && p.shown != "" {
		fmt.Fprint(p.w, "\r\033[K")
	}
}

// again is the command line that gives the same experiment: without the flags that
// only say where to write.
func again(name string, flags *flag.FlagSet, without ...string) string {
	line := "plainrtc " + name
	flags.Visit(func(f *flag.Flag) {
		for _, w := range without {
			if f.Name == w {
				return
			}
		}
		if b, ok := f.Value.(interface{ IsBoolFlag() bool }); ok && b.IsBoolFlag() {
			line += " --" + f.Name
			if f.Value.String() != "true" {
				line += "=" + f.Value.String()
			}
			return
		}
		line += " --" + f.Name + " " + f.Value.String()
	})
	return line
}

// aligned is rows as text, each column as wide as it must be; what is a number
// stands flush right.
func aligned(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if number := rows[len(rows)-1][i]; number != "" && number[0] >= '0' && number[0] <= '9' {
				line += pad + cell + "  "
			} else {
				line += cell + pad + "  "
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// A running experiment goes on a step at a time.
type running interface {
	Step() bool // false: it is over
	Done() float64
	Elapsed() time.Duration
	Err() error
}

// finish runs an experiment to its end, and shows how far it is.
func finish(ctx context.Context, stderr io.Writer, r running) error {
	p := newProgress(stderr)
	for r.Step() {
		if ctx.Err() != nil {
			p.end()
			return fmt.Errorf("interrupted after %v of the experiment", r.Elapsed())
		}
		p.show("%.0f %%", 100*r.Done())
	}
	p.end()
	return r.Err()
}
