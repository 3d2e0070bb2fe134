package ladder

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrUsage is what Pair.Command wraps when a line of the script makes no sense.
var ErrUsage = errors.New("ladder: bad command")

const separator = "----"

// A scenario is a part of a file: head and script as written, and the transcript.
type scenario struct {
	at         int      // the line, counted from 1, that head starts on
	head       []string // comments and script lines
	transcript []string
}

// name is the first line of the comment, for the subtest.
func (s *scenario) name() string {
	for _, line := range s.head {
		if text := strings.TrimSpace(strings.TrimLeft(line, "# ")); text != "" {
			return text
		}
	}
	return "scenario"
}

// A command is a line of the script.
type command struct {
	line  int
	words []string
}

func (c command) String() string { return strings.Join(c.words, " ") }

func (s *scenario) commands() []command {
	var cs []command
	for i, line := range s.head {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			cs = append(cs, command{s.at + i, strings.Fields(line)})
		}
	}
	return cs
}

// parse splits a file into its scenarios.
func parse(text string) ([]scenario, error) {
	var all []scenario
	s, inTranscript := scenario{at: 1}, false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		switch {
		case inTranscript && line == "":
			all = append(all, s)
			s, inTranscript = scenario{at: i + 2}, false
		case inTranscript:
			s.transcript = append(s.transcript, line)
		case line == separator:
			inTranscript = true
		case len(s.head) == 0 && line == "":
			s.at = i + 2
		default:
			s.head = append(s.head, line)
		}
	}
	if inTranscript {
		all = append(all, s)
	} else if len(s.head) > 0 {
		return nil, fmt.Errorf("%d: the scenario has no line %q after its script", s.at, separator)
	}
	if len(all) == 0 {
		return nil, errors.New("1: no scenario")
	}
	return all, nil
}

// format is the inverse of parse.
func format(all []scenario) string {
	var b strings.Builder
	for i, s := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		for _, line := range s.head {
			b.WriteString(line + "\n")
		}
		b.WriteString(separator + "\n")
		for _, line := range s.transcript {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// do runs one line of the script.
func (w *world) do(c command) error {
	verb, args := c.words[0], c.words[1:]
	peer := ""
	if len(args) > 0 && (args[0] == "a" || args[0] == "z") {
		peer, args = args[0], args[1:]
	}
	switch verb {
	case "run":
		switch {
		case peer != "" || len(args) > 1:
			return fmt.Errorf("%w: run takes at most a duration", ErrUsage)
		case len(args) == 0:
			w.runUntilQuiet()
			return nil
		}
		d, err := duration(args)
		if err == nil {
			w.runFor(d)
		}
		return err
	case "quiet":
		d, err := duration(args)
		w.quiet = d
		return err
	case "delay":
		d, err := duration(args)
		if peer != "z" {
			w.sides[a].delay = d
		}
		if peer != "a" {
			w.sides[z].delay = d
		}
		return err
	case "lose", "duplicate", "hold":
		return w.plan(verb, peer, args)
	case "show":
		return w.transcriptShow(args)
	}
	if w.pair.Command == nil {
		return fmt.Errorf("%w: no such verb", ErrUsage)
	}
	err := w.pair.Command(w.now, verb, peer, args)
	if err != nil && !errors.Is(err, ErrUsage) {
		w.say(peer, "error "+err.Error())
		err = nil
	}
	w.drain(a)
	w.drain(z)
	return err
}

// plan notes what shall happen to datagrams counted from here.
func (w *world) plan(verb, peer string, args []string) error {
	if peer == "" || len(args) == 0 {
		return fmt.Errorf("%w: %s wants a peer, a or z, and which of its datagrams", ErrUsage, verb)
	}
	f := fault{lose: verb == "lose", duplicate: verb == "duplicate"}
	which, rest := args[0], args[1:]
	if verb == "hold" {
		d, err := duration(rest)
		if err != nil {
			return err
		}
		f.hold, rest = d, nil
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: too many words", ErrUsage)
	}
	s := &w.sides[sideOf(peer)]
	switch which {
	case "all":
		s.always = f
		return nil
	case "none":
		s.always = fault{}
		clear(s.faults)
		return nil
	}
	for part := range strings.SplitSeq(which, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || from < 1 || to < from {
			return fmt.Errorf("%w: %q is not like 2 or 2,3 or 2-5 or all or none", ErrUsage, which)
		}
		for n := from; n <= to; n++ {
			s.faults[s.sent+n] = f
		}
	}
	return nil
}

func duration(args []string) (time.Duration, error) {
	if len(args) != 1 {
		return 0, fmt.Errorf("%w: want one duration, such as 20ms", ErrUsage)
	}
	d, err := time.ParseDuration(args[0])
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%w: %q is not a duration such as 20ms", ErrUsage, args[0])
	}
	return d, nil
}
