package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// browsers are those that the harness must drive alike.
var browsers = []struct {
	name string
	get  func(testing.TB) *Browser
}{
	{"Chromium", func(t testing.TB) *Browser { return Chromium(t) }},
	{"Firefox", func(t testing.TB) *Browser { return Firefox(t) }},
}

func eachBrowser(t *testing.T, f func(t *testing.T, b *Browser)) {
	for _, b := range browsers {
		t.Run(b.name, func(t *testing.T) { f(t, b.get(t)) })
	}
}

func TestValuesGoInAndOut(t *testing.T) {
	eachBrowser(t, func(t *testing.T, b *Browser) {
		page := b.Open(t)
		var sum int
		page.Do(&sum, `return args[0] + await Promise.resolve(args[1])`, 40, 2)
		if sum != 42 {
			t.Errorf("40 + 2 = %d in the page", sum)
		}
		want := bytes.Repeat([]byte{0, 1, 254, 255}, 50_000)
		var got []byte
		page.Do(&got, `return bytes(args[0])`, want)
		if !bytes.Equal(got, want) {
			t.Errorf("200,000 bytes came back as %d others", len(got))
		}
		page.Do(nil, `return`)
	})
}

func TestWhatThePageThrowsIsAnException(t *testing.T) {
	eachBrowser(t, func(t *testing.T, b *Browser) {
		page := b.Open(t)
		for _, test := range []struct{ js, name string }{
			{`null.x`, "TypeError"},
			{`)`, "SyntaxError"},
			{`new RTCPeerConnection().createDataChannel("x".repeat(70000))`, "TypeError"},
			{`throw "words"`, "Error"},
		} {
			_, err := page.Eval(t.Context(), test.js)
			var e *Exception
			if !errors.As(err, &e) || e.Name != test.name {
				t.Errorf("%s: %v, want a %s", test.js, err, test.name)
			}
		}
	})
}

func TestConsoleIsKept(t *testing.T) {
	eachBrowser(t, func(t *testing.T, b *Browser) {
		page := b.Open(t, `console.log("loading", {a: 1})`)
		page.Do(nil, `setTimeout(() => { throw new Error("oops") }, 0)`)
		deadline := time.Now().Add(20 * time.Second)
		for {
			all := strings.Join(page.Console(), "\n")
			if strings.Contains(all, `loading {"a":1}`) && strings.Contains(all, "oops") {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the console was:\n%s", all)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

func TestReloadRunsScriptsAgain(t *testing.T) {
	eachBrowser(t, func(t *testing.T, b *Browser) {
		page := b.Open(t, `globalThis.n = Number(sessionStorage.n ?? 0) + 1; sessionStorage.n = n`)
		hung := make(chan error)
		go func() {
			_, err := page.Eval(t.Context(), `await new Promise(() => {})`)
			hung <- err
		}()
		page.Do(nil, `return`) // by now the page has the command above, or will after it loads anew
		for want := 2; want < 4; want++ {
			if err := page.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			var n int
			page.Do(&n, `return n`)
			if n != want {
				t.Errorf("the script ran %d times, want %d", n, want)
			}
		}
		if err := <-hung; !errors.Is(err, ErrReloaded) {
			t.Errorf("a command that a reload cut off ended with %v", err)
		}
	})
}

func TestPagesAreManyAndApart(t *testing.T) {
	eachBrowser(t, func(t *testing.T, b *Browser) {
		var pages []*Page
		for range 10 { // more than a browser's six connections to an origin
			pages = append(pages, b.Open(t))
		}
		var wg sync.WaitGroup
		for i, page := range pages {
			wg.Go(func() {
				got, err := page.Eval(t.Context(), `globalThis.x = args[0]; await new Promise(r => setTimeout(r, 50)); return x`, i)
				if err != nil || string(got) != fmt.Sprint(i) {
					t.Errorf("page %d: %s, %v", i, got, err)
				}
			})
		}
		wg.Wait()
	})
}

func TestADeadlineNamesTheCommand(t *testing.T) {
	page := Chromium(t).Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := page.Eval(ctx, `await new Promise(() => {}) // for ever`)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "// for ever") {
		t.Errorf("the error was %v", err)
	}
}

func TestVisitDrivesSomebodysPage(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Security-Policy", "default-src 'none'")
			fmt.Fprint(w, "<!doctype html><html><head><title>x</title></head><button onclick='this.textContent = 7'>press</button>")
		case "/api":
			fmt.Fprintf(w, "%s %s", r.Method, r.Host)
		}
	}))
	defer srv.Close()
	eachBrowser(t, func(t *testing.T, b *Browser) {
		page := b.Visit(t, srv.URL+"/")
		var got []string
		page.Do(&got, `
			document.querySelector("button").click();
			return [document.title, document.querySelector("button").textContent, await (await fetch("/api", {method: "POST"})).text()]`)
		want := []string{"x", "7", "POST " + strings.TrimPrefix(srv.URL, "http://")}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the page said %q, want %q", got, want)
		}
	})
}

func TestAMissingBrowserNamesItsPackage(t *testing.T) {
	_, err := start(kind{name: "Netscape", programs: []string{"netscape-navigator"}, install: "apt-get install netscape"}, Place{})
	if err == nil || !strings.Contains(err.Error(), "apt-get install netscape") {
		t.Errorf("the error was %v", err)
	}
}

// The harness must not leave anything behind, and must say that a browser died.
func TestADeadBrowserIsNoticedAndReplaced(t *testing.T) {
	first := Chromium(t, "--user-agent=mortal")
	page := first.Open(t)
	first.proc.end()
	if _, err := page.Eval(t.Context(), `return 1`); err == nil || !strings.Contains(err.Error(), "Chromium ended") {
		t.Errorf("evaluating in a dead browser: %v", err)
	}
	var agent string
	Chromium(t, "--user-agent=mortal").Open(t).Do(&agent, `return navigator.userAgent`)
	if agent != "mortal" {
		t.Errorf("the second browser calls itself %q", agent)
	}
}
