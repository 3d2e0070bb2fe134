package browser

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"
)

//go:embed page.js
var pageJS []byte

// pollTime is how long a poll waits for a command.
const pollTime = 25 * time.Second

// maxResult bounds what a page may post: a large message in base64, and more.
const maxResult = 64 << 20

// newPage serves a page; origin is the URL of somebody else's page, or nil.
func newPage(b *Browser, name string, scripts []string, origin *string) (*Page, error) {
	l, err := b.place.listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Page{
		browser: b,
		name:    name,
		scripts: scripts,
		origin:  origin,
		url:     "http://" + l.Addr().String() + "/",
		loads:   map[string]bool{},
		loaded:  make(chan struct{}),
		queued:  make(chan struct{}),
		running: map[int]*command{},
		told:    make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.harness/page.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Write(pageJS)
	})
	mux.HandleFunc("GET /.harness/script/{n}", p.serveScript)
	mux.HandleFunc("GET /.harness/next", p.serveNext)
	mux.HandleFunc("POST /.harness/result", p.serveResult)
	mux.HandleFunc("POST /.harness/console", p.serveConsole)
	if origin != nil {
		proxy, err := visit(origin)
		if err != nil {
			l.Close()
			return nil, err
		}
		mux.Handle("/", proxy)
	} else {
		mux.HandleFunc("GET /{$}", p.servePage)
		mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	}
	p.srv = &http.Server{Handler: mux}
	go p.srv.Serve(l)
	return p, nil
}

func (p *Page) servePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, "<!doctype html>\n<meta charset=utf-8>\n<title>%s</title>\n<script src=/.harness/page.js></script>\n", html.EscapeString(p.name))
	for i := range p.scripts {
		fmt.Fprintf(w, "<script src=/.harness/script/%d></script>\n", i)
	}
}

func (p *Page) serveScript(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(p.scripts) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	io.WriteString(w, p.scripts[n])
}

// serveNext answers with the commands there are, and waits for the first.
func (p *Page) serveNext(w http.ResponseWriter, r *http.Request) {
	load := r.FormValue("load")
	timeout := time.NewTimer(pollTime)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		if load != p.load {
			if p.loads[load] {
				p.mu.Unlock()
				w.WriteHeader(http.StatusGone)
				return
			}
			p.startLoad(load)
		}
		if p.closing {
			select {
			case <-p.told:
			default:
				close(p.told)
			}
			p.mu.Unlock()
			w.WriteHeader(http.StatusResetContent)
			return
		}
		p.lastPoll = time.Now()
		commands := p.queue
		p.queue = nil
		for _, c := range commands {
			p.running[c.ID] = c
		}
		queued := p.queued
		p.mu.Unlock()
		if len(commands) > 0 {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(commands)
			return
		}
		select {
		case <-queued:
		case <-timeout.C:
			w.WriteHeader(http.StatusNoContent)
			return
		case <-r.Context().Done():
			return
		}
	}
}

// startLoad makes load the one that commands go to. The caller holds the lock.
func (p *Page) startLoad(load string) {
	p.load = load
	p.loads[load] = true
	close(p.loaded)
	p.loaded = make(chan struct{})
	for id, c := range p.running {
		delete(p.running, id)
		c.err = ErrReloaded
		close(c.done)
	}
}

func (p *Page) serveResult(w http.ResponseWriter, r *http.Request) {
	var result struct {
		Load  string
		ID    int
		Value json.RawMessage
		Error *Exception
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxResult)).Decode(&result); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.running[result.ID]
	if c == nil || result.Load != p.load {
		return
	}
	delete(p.running, result.ID)
	c.value = result.Value
	if result.Error != nil {
		c.err = result.Error
	}
	close(c.done)
}

func (p *Page) serveConsole(w http.ResponseWriter, r *http.Request) {
	var lines []struct {
		Level, Text string
		MS          int
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxResult)).Decode(&lines); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range lines {
		p.console = append(p.console, fmt.Sprintf("%6d ms  %-8s  %s", l.MS, l.Level, l.Text))
	}
	if extra := len(p.console) - maxConsole; extra > 0 {
		p.console = append(p.console[:0], p.console[extra:]...)
	}
}

// visit returns a handler that passes requests on to where origin says, and
// adds the harness's script to the HTML pages that come back.
func visit(origin *string) (http.Handler, error) {
	target, err := url.Parse(*origin)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			path := r.In.URL.Path
			r.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
			if path == "/" {
				r.Out.URL.Path = target.Path
				r.Out.URL.RawQuery = target.RawQuery
			}
			r.Out.Header.Del("Accept-Encoding")
			if r.In.Header.Get("Origin") != "" {
				r.Out.Header.Set("Origin", target.Scheme+"://"+target.Host)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			r.Body.Close()
			if err != nil {
				return err
			}
			body = addScript(body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			r.Header.Del("Content-Security-Policy") // it would forbid our script
			return nil
		},
	}, nil
}

// addScript puts the harness's script at the start of the page's head.
func addScript(page []byte) []byte {
	const script = "<script src=/.harness/page.js></script>"
	lower := bytes.ToLower(page)
	at := 0
	for _, tag := range []string{"<head>", "<!doctype html>"} {
		if i := bytes.Index(lower, []byte(tag)); i >= 0 {
			at = i + len(tag)
			break
		}
	}
	return append(page[:at:at], append([]byte(script), page[at:]...)...)
}
