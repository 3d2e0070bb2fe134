// Package internal_test holds the architecture test: it reads the source of the
// whole module and says in words where it leaves the design. Cores have no
// sockets, clocks, locks, goroutines or randomness of their own, layers do not
// know each other, and the module needs next to nothing.
package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/plainrtc/plainrtc"

// layers are the protocols; each directory is a core.
var layers = []string{"stun", "turn", "ice", "dtls", "srtp", "sctp", "sdp", "rtp"}

// foundations are the internal packages that every layer may stand on.
var foundations = []string{"internal/wire", "internal/serial", "internal/timers", "internal/replay", "internal/trace"}

// testSupport are the internal packages that the tests of a layer may use too.
var testSupport = []string{"internal/ladder", dice}

// dice is the package that throws dice for others: from a seed, and from that alone.
const dice = "internal/netsim"

// laboratories are the packages that drive layers on the simulated network. They stand
// above them, as a command does.
var laboratories = []string{"internal/lab", "internal/lab/natlab"}

// turnShell is the shell of package turn's server. It stands above it, as a command does.
const turnShell = "internal/relay"

// pure are the packages held to a core's rules without being a layer.
var pure = []string{"internal/wire", "internal/serial", "internal/timers", "internal/replay", "internal/mdns", dice, laboratories[0], laboratories[1]}

// neighbours are the edges drawn between layers: there are no others.
var neighbours = map[string][]string{
	"ice":  {"stun", "turn"},
	"turn": {"stun"},
}

// shell are the files of peerconnection that hold its lock, its clock, its timer
// and its sockets, and the calls that block on them. Every other file there is
// the core: the composition of the layers, itself without I/O.
var shell = []string{
	"peerconnection.go", // the struct and the user's calls
	"doors.go",          // the lock, the timer and the three doors
	"datachannel.go",    // the user's calls on a channel, which take the lock and block
	"tracks.go",         // the user's calls on media, and on its parts:
	"transceiver.go",
	"sender.go",
	"receiver.go",
	"forward.go",      // what one connection tells others when its lock is released
	"track.go",        // a track of its own has a lock of its own
	"mux.go",          // UDP sockets shared by connections
	"streams.go",      // connections over TCP and TLS
	"tcpmux.go",       // and the sockets at which they arrive
	"simultaneous.go", // or arrive and leave, with what systems differ in:
	"reuse.go", "reuse_bsd.go", "reuse_other.go",
	"resolve.go",    // the names of servers
	"interfaces.go", // sockets as the host's addresses change
	"mdns.go",       // sockets of multicast DNS, which all connections share
	"gate.go",       // where blocking calls wait
	"tracer.go",     // the doors of the trace: a slog.Logger, a file
}

// forbidden says why a core does not import a package, or what is below it.
var forbidden = map[string]string{
	"net":         "a core has no sockets; bytes come in by Receive and go out by AppendPacket (net/netip is fine)",
	"os":          "a core does not know the operating system",
	"syscall":     "a core does not know the operating system",
	"sync":        "a core has no locks; the shell enters it one call at a time",
	"context":     "a core never blocks, so there is nothing to cancel",
	"log":         "a core does not log; it tells its trace.Tracer",
	"crypto/rand": "a core has no randomness of its own; it reads Config.Rand, so that a seed replays it",
	"math/rand":   "a core has no randomness of its own; it reads Config.Rand, so that a seed replays it",
}

// clock are the functions of package time that look at the clock or wait for it.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// sleeping are those of them that wait.
var sleeping = []string{"Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// seeded are the names in math/rand/v2 that do not stand for its global source,
// which nothing replays.
var seeded = []string{"New", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "PCG", "ChaCha8", "Zipf", "Source"}

// vague are package names that say nothing of what is inside.
var vague = []string{"util", "utils", "common", "helper", "helpers", "types", "misc", "base"}

// unfinished are the words that say so of what follows.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

// modules are what the main module may need directly.
var modules = []string{"golang.org/x/crypto", "golang.org/x/net", "github.com/google/go-cmp"}

// pulledIn are what those need in turn.
var pulledIn = []string{"golang.org/x/sys", "golang.org/x/term", "golang.org/x/text"}

func TestArchitecture(t *testing.T) {
	source := readModule(t, "..")
	if len(source) < 5 {
		t.Fatalf("only %d files found: this test reads the wrong directory", len(source))
	}
	for _, complaint := range complaints(source) {
		t.Error(complaint)
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, complaint := range modComplaints(string(mod)) {
		t.Error(complaint)
	}
}

// readModule returns every Go file of the module, by its slashed path. Modules
// inside the module (interop) are not part of it.
func readModule(t *testing.T, root string) map[string]string {
	source := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root {
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if err == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir
			}
		}
		if !d.IsDir() && strings.HasSuffix(name, ".go") {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			source[filepath.ToSlash(rel)] = string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// A file is one Go file under examination.
type file struct {
	path string // from the module's root
	dir  string
	test bool
	core bool // is, or tests, a part of a core
	fset *token.FileSet
	ast  *ast.File
	said []string
}

func (f *file) say(at token.Pos, format string, args ...any) {
	line := f.fset.Position(at).Line
	f.said = append(f.said, fmt.Sprintf("%s:%d: %s", f.path, line, fmt.Sprintf(format, args...)))
}

// complaints says in words what in the source leaves the design.
func complaints(source map[string]string) []string {
	var all []string
	for name, text := range source {
		f := &file{path: name, dir: path.Dir(name), fset: token.NewFileSet()}
		f.test = strings.HasSuffix(name, "_test.go")
		f.core = isCore(name, source)
		parsed, err := parser.ParseFile(f.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			all = append(all, err.Error())
			continue
		}
		f.ast = parsed
		f.checkImports()
		f.checkEdges()
		f.checkIdentifiers()
		f.checkName()
		f.checkFinished()
		all = append(all, f.said...)
	}
	slices.Sort(all)
	return all
}

// isCore reports whether a file is part of a core, or a test of one.
func isCore(name string, source map[string]string) bool {
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	if dir != "peerconnection" {
		return slices.Contains(layers, top(dir)) || slices.Contains(pure, dir)
	}
	if tested, ok := strings.CutSuffix(base, "_test.go"); ok {
		base = tested + ".go"
		if _, ok := source[dir+"/"+base]; !ok {
			return false
		}
	}
	return !slices.Contains(shell, base)
}

// top is the first element of a path.
func top(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return first
}

// under reports whether a package is p or below it.
func under(name, p string) bool { return name == p || strings.HasPrefix(name, p+"/") }

func (f *file) checkImports() {
	for _, spec := range f.ast.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if name == "C" {
			f.say(spec.Pos(), "imports C: the module is pure Go")
		}
		if !f.core || f.test || name == "net/netip" || f.dir == dice && name == "math/rand/v2" {
			continue
		}
		for p, why := range forbidden {
			if under(name, p) {
				f.say(spec.Pos(), "imports %s: %s", name, why)
			}
		}
	}
}

// checkEdges looks at who imports whom inside the module.
func (f *file) checkEdges() {
	for _, spec := range f.ast.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if !under(name, module) {
			continue
		}
		to := strings.TrimPrefix(strings.TrimPrefix(name, module), "/")
		switch from := top(f.dir); {
		case to == f.dir: // a test from outside its own package
		case slices.Contains(layers, from):
			switch {
			case slices.Contains(foundations, to), slices.Contains(neighbours[from], top(to)), top(to) == from:
			case f.test && slices.Contains(testSupport, to):
			case slices.Contains(layers, top(to)):
				f.say(spec.Pos(), "%s imports %s: no layer knows a neighbour; peerconnection hands bytes and keys from one to the other", from, to)
			default:
				f.say(spec.Pos(), "%s imports %s: a layer stands on %s alone", from, to, strings.Join(foundations, ", "))
			}
		case slices.Contains(laboratories, to) && from != "cmd":
			f.say(spec.Pos(), "%s imports %s: experiments stand above everything but commands", f.dir, to)
		case to == turnShell && from != "cmd" && !(from == "peerconnection" && f.test):
			f.say(spec.Pos(), "%s imports %s: servers stand above everything but commands", f.dir, to)
		case slices.Contains(laboratories, f.dir):
		case f.dir == turnShell && (top(to) == "turn" || top(to) == "dtls" || to == "internal/udp"):
		case from == "internal":
			if top(to) != "internal" {
				f.say(spec.Pos(), "%s imports %s: what is internal serves the layers and does not know them", f.dir, to)
			}
		case from == "peerconnection":
			if top(to) == "cmd" {
				f.say(spec.Pos(), "peerconnection imports %s: commands stand above it", to)
			}
		case from == "cmd":
		default:
			f.say(spec.Pos(), "package %s is not in the design's picture of who imports whom: give it a place in this test", f.dir)
		}
	}
}

func (f *file) checkIdentifiers() {
	if !f.core {
		return
	}
	called := map[string]string{} // an import's name in this file -> its path
	for _, spec := range f.ast.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		as := path.Base(name)
		if spec.Name != nil {
			as = spec.Name.Name
		}
		if name == "time" && as == "." {
			f.say(spec.Pos(), "imports time into its own scope, which hides a look at the clock")
		}
		if name == "math/rand/v2" && spec.Name == nil {
			as = "rand"
		}
		called[as] = name
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if !f.test {
				f.say(n.Pos(), "starts a goroutine: a core runs only inside the call that enters it")
			}
		case *ast.SelectorExpr:
			from, ok := n.X.(*ast.Ident)
			switch {
			case ok && called[from.Name] == "time":
				f.checkTime(n)
			case ok && called[from.Name] == "math/rand/v2" && !slices.Contains(seeded, n.Sel.Name):
				f.say(n.Pos(), "mentions rand.%s, which throws dice without a seed: nothing would replay it", n.Sel.Name)
			case f.test:
			case ok && called[from.Name] == "crypto/ecdsa" && (n.Sel.Name == "Sign" || n.Sel.Name == "SignASN1"),
				strings.HasPrefix(n.Sel.Name, "GenerateKey"):
				f.say(n.Pos(), "mentions %s, which since Go 1.26 ignores the reader it is given: a seed would not replay it", n.Sel.Name)
			}
		}
		return true
	})
}

func (f *file) checkTime(n *ast.SelectorExpr) {
	switch {
	case f.test && slices.Contains(sleeping, n.Sel.Name):
		f.say(n.Pos(), "mentions time.%s: the test of a core runs on virtual time and never waits", n.Sel.Name)
	case !f.test && slices.Contains(clock, n.Sel.Name):
		f.say(n.Pos(), "mentions time.%s: a core has no clock; now is its methods' first parameter", n.Sel.Name)
	}
}

func (f *file) checkName() {
	if name := strings.TrimSuffix(f.ast.Name.Name, "_test"); slices.Contains(vague, name) {
		f.say(f.ast.Name.Pos(), "package %s: a name that says nothing collects everything; name the idea", name)
	}
}

// checkFinished looks for what was left for later, in the whole module.
func (f *file) checkFinished() {
	for _, group := range f.ast.Comments {
		for _, comment := range group.List {
			if word := unfinished.FindString(comment.Text); word != "" {
				f.say(comment.Pos(), "says %s: finish it, or write down in the package's doc why it is left out", word)
			}
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.SelectorExpr)
		if !ok || !f.test {
			return true
		}
		on, ok := call.X.(*ast.Ident)
		if ok && slices.Contains([]string{"t", "b", "f", "tb"}, on.Name) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, call.Sel.Name) {
			f.say(call.Pos(), "skips: a test that does not run is no test")
		}
		return true
	})
}

// modComplaints says in words what go.mod requires and should not.
func modComplaints(mod string) []string {
	var said []string
	block := ""
	for line := range strings.Lines(mod) {
		code, comment, _ := strings.Cut(strings.TrimSpace(line), "//")
		words := strings.Fields(code)
		switch {
		case len(words) == 0:
			continue
		case len(words) == 2 && words[1] == "(":
			block = words[0]
			continue
		case words[0] == ")":
			block = ""
			continue
		case block != "":
			words = append([]string{block}, words...)
		}
		switch {
		case words[0] == "require" && slices.Contains(modules, words[1]):
		case words[0] == "require" && slices.Contains(pulledIn, words[1]) && strings.TrimSpace(comment) == "indirect":
		case words[0] == "require":
			said = append(said, fmt.Sprintf("go.mod requires %s: the main module needs %s and no other", words[1], strings.Join(modules, ", ")))
		case words[0] == "replace" || words[0] == "exclude":
			said = append(said, fmt.Sprintf("go.mod uses %s, which a module that others import cannot rely on", words[0]))
		}
	}
	return said
}
