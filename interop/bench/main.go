// Command bench measures plainrtc and Pion side by side on this machine: what a
// connection costs to set up and to keep, what its data channel carries and how
// soon, how many round trips it needs before it carries anything, and what SCTP
// and DTLS are of all that.
//
//	make bench                     everything, five times, into interop/bench/README.md
//	go run ./bench -only setup     one figure, on the terminal, from interop/
//	go run ./bench -only turn      the table of TURN servers, from interop/
//	go run ./bench -only turn/alone    those of its rows that have this in their name (see turn.go)
//	go run ./bench -only simulations   the table of simulated paths, from interop/
//
// Each run of each measurement is a process of its own, so that none inherits
// another's heap, and the stacks take turns, so that a machine that slows down
// slows down both. Figures are medians. CPU time is getrusage's, user and
// system, of the whole process, which holds both ends, but for what is measured
// between two processes.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// A measurement is a function that a process of its own runs.
type measurement struct {
	name string
	run  func(s stack) (figures, error)
}

// figures are a measurement's results by name; see rows in table.go.
type figures map[string]float64

// measurements in the order of the table.
var measurements = []measurement{
	{"setup", func(s stack) (figures, error) { return measureSetup(s, options{}) }},
	{"setup-1.2", func(s stack) (figures, error) { return measureSetup(s, options{dtls12: true}) }},
	{"idle", measureIdle},
	{"many", measureMany},
	{"throughput-1KiB", func(s stack) (figures, error) { return measureThroughput(s, 1<<10) }},
	{"throughput-16KiB", func(s stack) (figures, error) { return measureThroughput(s, 16<<10) }},
	{"throughput-64KiB", func(s stack) (figures, error) { return measureThroughput(s, 64<<10) }},
	{"processes-16KiB", func(s stack) (figures, error) { return measureProcesses(goEnd(s), goEnd(s), 16<<10) }},
	{"held-11MB/s", measureHeld},
	{"echo-100B", measureEcho},
	{"sctp-64KiB", measureSCTP},
	{"roundtrips", func(s stack) (figures, error) { return measureRoundTrips(s, options{}) }},
	{"roundtrips-1.2", func(s stack) (figures, error) { return measureRoundTrips(s, options{dtls12: true}) }},
	{"dtls-1.2", func(s stack) (figures, error) { return measureHandshake(s, dtls12) }},
	{"dtls-1.3", func(s stack) (figures, error) { return measureHandshake(s, dtls13) }},
	{"dtls-1.3-mlkem", func(s stack) (figures, error) { return measureHandshake(s, dtls13MLKEM) }},
	{"dtls-record-1.2", func(s stack) (figures, error) { return measureRecord(s, dtls12) }},
	{"dtls-record-1.3", func(s stack) (figures, error) { return measureRecord(s, dtls13) }},
}

func main() {
	runs := flag.Int("runs", 5, "how often to measure; the figures are medians")
	only := flag.String("only", "", "measure only what has this in its name: setup, idle, many, throughput, processes, held, echo, sctp, roundtrips, dtls, srtp, rtp, rtcp, twcc, forward, turn")
	readme := flag.String("readme", "bench/README.md", "the file that keeps the table of a whole run, between its marks")
	libdatachannel := flag.String("libdatachannel", "bench/libdatachannel", "the directory of libdatachannel's program; it is measured if npm ci was run there")
	end := flag.String("end", "", "be one end of a connection, as told on standard input: STACK (used by bench itself)")
	forward := flag.String("forward", "", "forward media, as told on standard input: STACK (used by bench itself)")
	simulation := flag.String("simulate", "", "do a simulation of Pion: ROW/SEED (used by bench itself)")
	turnServer := flag.String("turnserver", "", "be a TURN server: NAME (used by bench itself)")
	child := flag.String("child", "", "run one measurement in this process: STACK/MEASUREMENT (used by bench itself)")
	flag.Parse()
	var err error
	switch {
	case *child != "":
		err = runChild(*child)
	case *simulation != "":
		err = simulateChild(*simulation)
	case *turnServer != "":
		err = runTurnServer(*turnServer)
	case *forward != "":
		err = runForwarder(*forward)
	case *end != "":
		err = runEnd(*end)
	default:
		err = run(*runs, *only, *readme, *libdatachannel)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures everything and prints the table.
func run(runs int, only, readme, libdatachannelDir string) error {
	if only == "simulations" {
		text, err := simulate()
		fmt.Print(text)
		return err
	}
	if row, ok := strings.CutPrefix(only, "turn"); ok {
		text, err := measureTurn(runs, strings.TrimPrefix(row, "/"))
		fmt.Print(text)
		return err
	}
	var selected []measurement
	for _, m := range measurements {
		if strings.Contains(m.name, only) {
			selected = append(selected, m)
		}
	}
	if len(selected) == 0 {
		return fmt.Errorf("no measurement has %q in its name", only)
	}
	third, err := findLibdatachannel(libdatachannelDir)
	if err != nil {
		return err
	}
	all := results{}
	for i := range runs {
		for _, m := range selected {
			for _, s := range stacks {
				fmt.Fprintf(os.Stderr, "\r\033[Krun %d of %d: %s, %s ", i+1, runs, m.name, s.name)
				f, err := inProcess(s, m)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", m.name, s.name, err)
				}
				for name, v := range f {
					all.add(m.name+"/"+name, s.name, v)
				}
			}
			if m.name == "processes-16KiB" {
				fmt.Fprintf(os.Stderr, "\r\033[Krun %d of %d: %s, %s ", i+1, runs, m.name, libdatachannelName)
				if err := third.measure(m.name, 16<<10, all); err != nil {
					fmt.Fprintf(os.Stderr, "\r\033[K%v\n", err) // it is not part of the table
				}
			}
		}
	}
	fmt.Fprint(os.Stderr, "\r\033[K")
	text := report(all, runs) + third.sentence(all)
	if only != "" {
		fmt.Print(text)
		return nil
	}
	simulated, err := simulate()
	if err != nil {
		return err
	}
	turned, err := measureTurn(runs, "")
	if err != nil {
		return err
	}
	text += "\n" + turned + "\n" + simulated
	fmt.Print(text)
	return replaceBetweenMarks(readme, text)
}

// inProcess runs one measurement in a process of its own.
func inProcess(s stack, m measurement) (figures, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "-child", s.name+"/"+m.name)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var f figures
	return f, json.Unmarshal(out, &f)
}

// runChild is inProcess's other side.
func runChild(what string) error {
	stackName, name, _ := strings.Cut(what, "/")
	i := slices.IndexFunc(stacks, func(s stack) bool { return s.name == stackName })
	j := slices.IndexFunc(measurements, func(m measurement) bool { return m.name == name })
	if i < 0 || j < 0 {
		return fmt.Errorf("no such measurement: %s", what)
	}
	f, err := measurements[j].run(stacks[i])
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// results are the figures of all runs, by measurement/name and by stack.
type results map[string]map[string][]float64

func (r results) add(name, stack string, v float64) {
	if r[name] == nil {
		r[name] = map[string][]float64{}
	}
	r[name][stack] = append(r[name][stack], v)
}

// median returns the middle value, and whether there is one.
func (r results) median(name, stack string) (float64, bool) {
	v := slices.Sorted(slices.Values(r[name][stack]))
	if len(v) == 0 {
		return 0, false
	}
	return v[len(v)/2], true
}
