package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Page is a page in a window of a browser.
type Page struct {
	t       testing.TB // nil for the hall
	browser *Browser
	name    string
	scripts []string
	origin  *string // what Visit shows, nil for a page of ours
	url     string
	srv     *http.Server

	mu        sync.Mutex
	load      string          // the load of the page that commands go to, "" before the first
	loads     map[string]bool // every load seen
	loaded    chan struct{}   // closed and replaced when a load starts to poll
	queue     []*command      // not fetched yet
	queued    chan struct{}   // closed and replaced when queue fills
	running   map[int]*command
	lastID    int
	lastPoll  time.Time
	console   []string
	stderr    int           // where the browser's standard error was when the page opened
	closing   bool          // the page is to close its window
	told      chan struct{} // closed when it knows
	onFailure []func() string
}

// A command is JavaScript on its way through the page.
type command struct {
	ID   int    `json:"id"`
	JS   string `json:"js"`
	Args []any  `json:"args"`

	done  chan struct{}
	value json.RawMessage
	err   error
}

// An Exception is what JavaScript threw.
type Exception struct {
	Name    string // such as "TypeError", or a DOMException's "OperationError"
	Message string
	Stack   string
}

func (e *Exception) Error() string { return e.Name + ": " + e.Message }

// ErrReloaded says that the page was loaded anew while a command ran.
var ErrReloaded = errors.New("browser: the page was loaded anew while the command ran")

// maxConsole is how many console lines a page keeps: the last ones.
const maxConsole = 500

// Eval runs js in the page as the body of an async function with the parameter
// args, and returns what it returned as JSON, bytes in base64. Several can run
// at once. What JavaScript throws is an *[Exception].
func (p *Page) Eval(ctx context.Context, js string, args ...any) (json.RawMessage, error) {
	c := &command{JS: js, Args: append([]any{}, args...), done: make(chan struct{})}
	p.mu.Lock()
	p.lastID++
	c.ID = p.lastID
	p.queue = append(p.queue, c)
	close(p.queued)
	p.queued = make(chan struct{})
	p.mu.Unlock()
	select {
	case <-c.done:
		return c.value, c.err
	case <-p.browser.proc.done:
		return nil, fmt.Errorf("browser: %s ended: %v", p.browser.name, p.browser.proc.err)
	case <-ctx.Done():
		return nil, fmt.Errorf("browser: %w while the page ran:\n%s\n(%s)", ctx.Err(), indent(js), p.forget(c))
	}
}

// Do is Eval for tests: it fails the test on an error, and decodes the value
// into result unless that is nil.
func (p *Page) Do(result any, js string, args ...any) {
	p.t.Helper()
	v, err := p.Eval(p.t.Context(), js, args...)
	if err != nil {
		p.t.Fatalf("%s: %v\nin:\n%s", p.browser.name, err, indent(js))
	}
	if result == nil {
		return
	}
	if err := json.Unmarshal(v, result); err != nil {
		p.t.Fatalf("%s: the page returned %s: %v", p.browser.name, v, err)
	}
}

// forget takes back a command, and says what became of it.
func (p *Page) forget(c *command) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, q := range p.queue {
		if q == c {
			p.queue = append(p.queue[:i], p.queue[i+1:]...)
			if p.load == "" {
				return "the page has never loaded"
			}
			return fmt.Sprintf("the page did not fetch it; it last asked for commands %v ago", time.Since(p.lastPoll).Round(time.Millisecond))
		}
	}
	delete(p.running, c.ID)
	return "the page fetched it and has not come back"
}

// Reload loads the page anew, as its user's reload button does, and waits for it.
func (p *Page) Reload(ctx context.Context) error {
	p.mu.Lock()
	loaded := p.loaded
	p.mu.Unlock()
	// The answer leaves before the page does.
	if _, err := p.Eval(ctx, `setTimeout(() => location.reload(), 20)`); err != nil && !errors.Is(err, ErrReloaded) {
		return err
	}
	return p.waitLoaded(ctx, loaded)
}

func (p *Page) waitLoaded(ctx context.Context, loaded <-chan struct{}) error {
	select {
	case <-loaded:
		return nil
	case <-p.browser.proc.done:
		return fmt.Errorf("browser: %s ended: %v", p.browser.name, p.browser.proc.err)
	case <-ctx.Done():
		return fmt.Errorf("browser: %w while waiting for the page to load", ctx.Err())
	}
}

// Console returns what the page wrote to its console, one line each: the
// milliseconds since it loaded, the level, and the text.
func (p *Page) Console() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.console...)
}

// OnFailure adds what f returns to what a failing test logs: our side's trace.
func (p *Page) OnFailure(f func() string) { p.onFailure = append(p.onFailure, f) }

// openFor opens the window and arranges for its end.
func (p *Page) openFor(t testing.TB) {
	t.Helper()
	p.t = t
	p.stderr = p.browser.proc.stderr.end()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.report())
		}
		p.Close()
	})
	ctx, cancel := context.WithTimeout(t.Context(), openTimeout)
	defer cancel()
	p.mu.Lock()
	loaded := p.loaded
	p.mu.Unlock()
	_, err := p.browser.hall.Eval(ctx, `open(args[0], "_blank", "noopener,popup,width=800,height=600")`, p.url)
	if err == nil {
		err = p.waitLoaded(ctx, loaded)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Close closes the window. The end of the test does it too.
func (p *Page) Close() {
	p.mu.Lock()
	if !p.closing {
		p.closing = true
		close(p.queued) // the poll that waits says so to the page
		p.queued = make(chan struct{})
	}
	told := p.told
	if p.load == "" {
		told = nil // nobody to tell
	}
	p.mu.Unlock()
	if told != nil {
		select {
		case <-told:
		case <-p.browser.proc.done:
		case <-time.After(5 * time.Second):
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if p.srv.Shutdown(ctx) != nil {
		p.srv.Close()
	}
}

// report says what is known of the page when its test failed.
func (p *Page) report() string {
	var b strings.Builder
	console := p.Console()
	fmt.Fprintf(&b, "%s's console (%d lines):\n", p.browser.name, len(console))
	for _, line := range console {
		fmt.Fprintf(&b, "\t%s\n", line)
	}
	if s := p.browser.proc.stderr.since(p.stderr); s != "" {
		fmt.Fprintf(&b, "%s's standard error since:\n%s", p.browser.name, indent(s))
	}
	for _, f := range p.onFailure {
		b.WriteString("\n" + f())
	}
	return b.String()
}

func indent(s string) string {
	return "\t" + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n\t")
}
