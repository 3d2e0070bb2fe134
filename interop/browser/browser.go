package browser

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTimeout bounds the time from a browser's start to its first page's first
// poll. It takes a second on an idle machine; a loaded one gets more.
const startTimeout = 90 * time.Second

// openTimeout bounds the time a window takes to open and to load.
const openTimeout = 60 * time.Second

// A kind is what differs between browsers.
type kind struct {
	name     string   // as users know it
	programs []string // names to look for in PATH, best first
	install  string   // the command that installs it
	command  func(profile, url string) ([]string, error)
	flags    []string // what makes two of a kind differ
}

func (k kind) key() string { return k.name + "\x00" + strings.Join(k.flags, "\x00") }

// A Browser is a running browser.
type Browser struct {
	name    string
	place   Place
	proc    *process
	hall    *Page
	profile string
}

// A Place is a network namespace for a browser. The zero Place is the namespace of this process.
type Place struct {
	// Enter moves the calling thread there: the browser is started by it.
	Enter func() error
	// Listen listens there, at a TCP address: the browser's pages are served from it.
	Listen func(address string) (net.Listener, error)
}

func (p Place) listen(address string) (net.Listener, error) {
	if p.Listen == nil {
		return net.Listen("tcp", address)
	}
	return p.Listen(address)
}

// running holds the browsers of this test binary, by kind.key.
var running struct {
	sync.Mutex
	inMain   bool
	browsers map[string]*Browser
}

// Main runs the tests of m and returns the exit code, having ended every
// browser that they started. TestMain of a package that uses browsers calls it.
func Main(m *testing.M) int {
	running.Lock()
	running.inMain = true
	running.Unlock()
	adoptOrphans()
	code := m.Run()
	running.Lock()
	defer running.Unlock()
	for _, b := range running.browsers {
		b.close()
	}
	if left := endOrphans(); left != "" {
		fmt.Fprintf(os.Stderr, "browser: processes outlived the tests:\n%s", left)
		return max(code, 1)
	}
	return code
}

// shared returns the running browser of kind k, or starts it.
func shared(t testing.TB, k kind) *Browser {
	t.Helper()
	running.Lock()
	defer running.Unlock()
	if !running.inMain {
		t.Fatalf("browser: the package needs func TestMain(m *testing.M) { os.Exit(browser.Main(m)) }: without it nobody ends the browser")
	}
	b := running.browsers[k.key()]
	if b != nil && b.proc.ended() {
		t.Logf("%s ended during an earlier test; starting it anew", k.name)
		b.close()
		b = nil
	}
	if b == nil {
		var err error
		if b, err = start(k, Place{}); err != nil {
			t.Fatal(err)
		}
		if running.browsers == nil {
			running.browsers = map[string]*Browser{}
		}
		running.browsers[k.key()] = b
	}
	return b
}

// apart starts a browser for this test alone, in a place of its own.
func apart(t testing.TB, k kind, place Place) *Browser {
	t.Helper()
	running.Lock()
	inMain := running.inMain
	running.Unlock()
	if !inMain {
		t.Fatalf("browser: the package needs func TestMain(m *testing.M) { os.Exit(browser.Main(m)) }: without it nobody ends what the browser leaves")
	}
	b, err := start(k, place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return b
}

func start(k kind, place Place) (*Browser, error) {
	var program string
	for _, name := range k.programs {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		return nil, fmt.Errorf("browser: %s is not installed, and this test is worth nothing without it: %s", k.name, k.install)
	}
	profile, err := os.MkdirTemp("", "interop-"+strings.ToLower(k.name)+"-")
	if err != nil {
		return nil, err
	}
	b := &Browser{name: k.name, place: place, profile: profile}
	if b.hall, err = newPage(b, "hall", nil, nil); err != nil {
		b.close()
		return nil, err
	}
	args, err := k.command(profile, b.hall.url)
	if err != nil {
		b.close()
		return nil, err
	}
	if b.proc, err = startProcess(program, args, profile, place); err != nil {
		b.close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if _, err := b.hall.Eval(ctx, `return navigator.userAgent`); err != nil {
		err = fmt.Errorf("browser: %s does not come up: %w\nThe end of its standard error:\n%s", k.name, err, b.proc.stderr.since(0))
		b.close()
		return nil, err
	}
	return b, nil
}

// Open opens a page in a window of its own, which closes with the test. The
// scripts, JavaScript sources, run in it whenever it loads, so that they
// outlive a reload.
func (b *Browser) Open(t testing.TB, scripts ...string) *Page {
	t.Helper()
	p, err := newPage(b, t.Name(), scripts, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.openFor(t)
	return p
}

// Visit opens what an HTTP server serves at url, with the harness's script
// added to each HTML page, so that the test can watch somebody's page from
// within and press its buttons.
func (b *Browser) Visit(t testing.TB, url string) *Page {
	t.Helper()
	p, err := newPage(b, t.Name(), nil, &url)
	if err != nil {
		t.Fatal(err)
	}
	p.openFor(t)
	return p
}

// close ends the browser. Not every field need be set.
func (b *Browser) close() {
	if b.hall != nil {
		b.hall.srv.Close()
	}
	if b.proc != nil {
		b.proc.end()
	}
	os.RemoveAll(b.profile)
}
