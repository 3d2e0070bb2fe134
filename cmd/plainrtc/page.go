package main

import (
	"context"
	"crypto/rand"
	"embed"
	"io/fs"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

//go:embed page
var pageFiles embed.FS

// lingering is how long a connection's timeline can be fetched after its end:
// a page that failed to connect asks then.
const lingering = time.Minute

// A page serves the page, and is the other end of its connections.
type page struct {
	answerer   *answerer
	recordings *recordings
	clips      clips

	mu       sync.Mutex
	sessions map[string]*session
}

// A session is one page that was opened. Its id is a secret between us and
// that page.
type session struct {
	pc       *peerconnection.PeerConnection
	timeline *timeline
	media    *pageMedia
}

func newPage(a *answerer, r *recordings, c clips) *page {
	return &page{answerer: a, recordings: r, clips: c, sessions: make(map[string]*session)}
}

func (p *page) handler() http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic("BUG: the page is not embedded: " + err.Error())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("POST /offer", p.offer)
	mux.HandleFunc("GET /connections/{id}/events", p.of((*page).events))
	mux.HandleFunc("POST /connections/{id}/offer", p.of((*page).offerAgain))
	mux.HandleFunc("GET /connections/{id}/stats", p.of(func(_ *page, w http.ResponseWriter, _ *http.Request, s *session) { writeJSON(w, s.pc.Stats()) }))
	mux.HandleFunc("GET /connections/{id}/media", p.of(func(_ *page, w http.ResponseWriter, _ *http.Request, s *session) { writeJSON(w, s.media.state()) }))
	mux.HandleFunc("POST /connections/{id}/media", p.of(func(_ *page, w http.ResponseWriter, r *http.Request, s *session) { s.media.change(w, r) }))
	mux.HandleFunc("POST /connections/{id}/close", p.close)
	mux.HandleFunc("GET /recordings/{secret}/{name}", p.recordings.download)
	// Pages from elsewhere have no business here.
	same := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache") // a newer plainrtc may have another page
		same.ServeHTTP(w, r)
	})
}

// of is a request about one connection, which must be there.
func (p *page) of(do func(*page, http.ResponseWriter, *http.Request, *session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s := p.session(r.PathValue("id")); s != nil {
			do(p, w, r, s)
			return
		}
		http.Error(w, "There is no such connection.", http.StatusNotFound)
	}
}

// offer answers the page's offer. Beside the answer it tells the session's id,
// and how long answering took, from which the page knows where the timeline's
// zero lies on its own clock.
func (p *page) offer(w http.ResponseWriter, r *http.Request) {
	s := &session{timeline: newTimeline(time.Now()), media: newPageMedia(p.recordings, p.clips)}
	offer, ok := readOffer(w, r)
	if !ok {
		return
	}
	pc, answer, err := p.answerer.answer(r.Context(), offer, s.timeline, service{channel: serveChannel, media: s.media.offered, run: s.media.run})
	if err != nil {
		refuse(w, err)
		return
	}
	s.pc = pc
	id := rand.Text()
	p.mu.Lock()
	p.sessions[id] = s
	p.mu.Unlock()
	go func() {
		<-pc.Done()
		time.AfterFunc(lingering, func() { p.forget(id) })
	}()
	writeJSON(w, struct {
		peerconnection.SessionDescription
		ID     string   `json:"id"`
		TookMS float64  `json:"took_ms"`
		Clips  []string `json:"clips"`
	}{answer, id, milliseconds(time.Since(s.timeline.start)), p.clips.labels()})
}

// offerAgain answers an offer on a connection that is there: media begins and ends
// with one. The page is the only side that offers, so that two never cross.
func (p *page) offerAgain(w http.ResponseWriter, r *http.Request, s *session) {
	offer, ok := readOffer(w, r)
	if !ok {
		return
	}
	s.media.negotiation.Lock()
	answer, err := describe(r.Context(), s.pc, offer, s.media.offered)
	s.media.negotiation.Unlock()
	if err != nil {
		refuse(w, err)
		return
	}
	writeJSON(w, answer)
	s.media.answered()
}

// events are what the timeline has beyond the first ones, which the page has.
func (p *page) events(w http.ResponseWriter, r *http.Request, s *session) {
	from, err := strconv.Atoi(r.FormValue("from"))
	if err != nil || from < 0 {
		http.Error(w, "The parameter from is not a number of events.", http.StatusBadRequest)
		return
	}
	writeJSON(w, map[string]any{"events": s.timeline.from(from)})
}

// close ends the connection of a page that is being left.
func (p *page) close(w http.ResponseWriter, r *http.Request) {
	if s := p.session(r.PathValue("id")); s != nil {
		s.pc.Close()
		p.forget(r.PathValue("id"))
	}
	w.WriteHeader(http.StatusNoContent)
}

func (p *page) session(id string) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[id]
}

func (p *page) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sessions, id)
}

// serveChannel serves a channel that the page has opened.
func serveChannel(ctx context.Context, channel *peerconnection.DataChannel) {
	if channel.Label() == "throughput" {
		serveThroughput(ctx, channel)
		return
	}
	echoMessages(ctx, channel)
}
