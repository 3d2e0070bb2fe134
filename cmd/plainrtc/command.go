package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // the command line made no sense
)

// A command is one thing that plainrtc does.
type command struct {
	name     string
	synopsis string // the flags in short
	summary  string // one line
	about    string // paragraphs
	example  string // lines to type
	// define declares the command's flags and returns what to do once they are
	// set. Its error is told to the user as it is; a usageError exits with 2.
	define func(*flag.FlagSet) func(context.Context, output) error
	// argument names the flag whose value may stand alone, anywhere among the flags.
	argument string
	// within are the commands of a command that has no flags of its own. Their
	// names begin with its name.
	within []command
}

// An output is where a command writes: results and news.
type output struct{ stdout, stderr io.Writer }

// A usageError is an error of the command line.
type usageError string

func (e usageError) Error() string { return string(e) }

// errFailed makes the exit status 1 when the command has said itself why.
var errFailed = errors.New("failed")

func (c command) main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if c.within != nil {
		return choose(ctx, c.name+" ", c.within, c.writeWithin, args, stdout, stderr)
	}
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors and help are worded here
	do := c.define(flags)

	err := flags.Parse(args)
	if err == nil && c.argument != "" && flags.NArg() > 0 {
		rest := flags.Args()[1:]
		if err = flags.Set(c.argument, flags.Arg(0)); err == nil {
			err = flags.Parse(rest)
		}
	}
	if errors.Is(err, flag.ErrHelp) {
		c.writeHelp(stdout, flags)
		return exitOK
	}
	if err != nil {
		err = usageError(flagMistake(err.Error()))
	} else if flags.NArg() > 0 {
		err = usageError(fmt.Sprintf("it does not know what to do with %q", flags.Arg(0)))
	} else {
		err = do(ctx, output{stdout, stderr})
	}

	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		say(stderr, "plainrtc %s: %s; plainrtc %s -h explains it", c.name, usage, c.name)
		return exitUsage
	case !errors.Is(err, errFailed):
		say(stderr, "plainrtc %s: %v", c.name, err)
	}
	return exitFailed
}

// flagMistake words what package flag says of a command line as the rest is worded:
// flags have two dashes in our help, and a number that is none is not a parse error.
func flagMistake(text string) string {
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return "there is no flag --" + name
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return "--" + name + " needs a value behind it"
	}
	return strings.NewReplacer(" for flag -", " for --", ": parse error", ": it is not what this flag takes").Replace(text)
}

func (c command) writeHelp(w io.Writer, flags *flag.FlagSet) {
	say(w, "Usage: plainrtc %s %s\n\n%s\n\nFlags:", c.name, c.synopsis, strings.TrimSpace(c.about))
	flags.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		if value != "" {
			value = " " + value
		}
		said := strings.Contains(usage, "(default:") || strings.Contains(usage, "; 0 means") // what happens without it
		if f.DefValue != "" && f.DefValue != "false" && !said {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		say(w, "  --%s%s\n        %s", f.Name, value, usage)
	})
	say(w, "  -h\n        this text")
	c.writeExample(w)
}

// writeWithin is the help of a command that holds others.
func (c command) writeWithin(w io.Writer) {
	say(w, "Usage: plainrtc %s %s\n\n%s\n\nCommands:", c.name, c.synopsis, strings.TrimSpace(c.about))
	for _, d := range c.within {
		say(w, "  %-8s%s", strings.TrimPrefix(d.name, c.name+" "), d.summary)
	}
	say(w, "\nplainrtc %s COMMAND -h explains a command.", c.name)
	c.writeExample(w)
}

func (c command) writeExample(w io.Writer) {
	label := "Example:"
	if strings.Contains(c.example, "\n") {
		label = "Examples:"
	}
	say(w, "\n%s\n  %s", label, strings.ReplaceAll(c.example, "\n", "\n  "))
}

func writeOverview(w io.Writer) {
	say(w, "plainrtc is WebRTC from scratch, to look at and to test against.\n\nUsage: plainrtc COMMAND [flags]\n\nCommands:")
	for _, c := range commands {
		say(w, "  %-8s%s", c.name, c.summary)
	}
	say(w, "\nplainrtc COMMAND -h explains a command, and plainrtc version says which this is.\n\nExample:\n  plainrtc serve")
}

// say writes a line. Output that cannot be written has nobody to be told to.
func say(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, format+"\n", args...)
}
