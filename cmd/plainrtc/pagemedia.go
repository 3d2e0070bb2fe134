package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// What the page can have sent back to it.
const (
	sourceEcho = "echo" // what it sends
	sourceClip = "clip" // the files of --play and --play-audio
)

// errNoClip says that there is no clip to play.
var errNoClip = errors.New("no clip was given to play: start the program with --play FILE")

// pageMedia is the media of one page: what comes from it is sent back or a clip is
// played to it, what comes is read, and recorded if it asks for that.
type pageMedia struct {
	store  *recordings
	player *player

	// negotiation is one exchange at a time.
	negotiation sync.Mutex

	mu       sync.Mutex
	pc       *peerconnection.PeerConnection // nil before the first offer was applied
	source   string
	live     []*liveTrack // at most one of each kind
	recorder *recorder    // nil: nothing is recorded
	done     []*recording
	notice   string // how the latest recording ended, if not as asked
	ended    bool
}

func newPageMedia(store *recordings, c clips) *pageMedia {
	return &pageMedia{store: store, player: newPlayer(c), source: sourceEcho, done: []*recording{}}
}

// offered decides what is sent. It is called when an offer was applied, and before it is answered.
func (m *pageMedia) offered(pc *peerconnection.PeerConnection) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pc = pc
	return m.route()
}

// route gives the senders their tracks. It is called with the lock held.
func (m *pageMedia) route() error {
	if m.pc == nil {
		return nil
	}
	played := make(map[peerconnection.Kind]bool)
	for _, t := range m.pc.Transceivers() {
		track := t.Receiver().Track()
		if m.source == sourceClip {
			if track = m.player.track(t.Kind()); played[t.Kind()] {
				track = nil
			}
			played[t.Kind()] = true
		}
		if err := send(t, track); err != nil {
			return err
		}
	}
	return nil
}

// answered is called when the page has been sent the answer, or is about to be.
func (m *pageMedia) answered() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.source == sourceClip && !m.ended {
		m.player.start()
	}
}

// setSource changes what is sent back.
func (m *pageMedia) setSource(source string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case source != sourceEcho && source != sourceClip:
		return errors.New(`the source is "echo" or "clip"`)
	case source == sourceClip && m.player.clips.none():
		return errNoClip
	case m.ended:
		return errors.New("the connection has ended")
	case source == m.source:
		return nil
	}
	m.source = source
	if source == sourceEcho {
		m.player.end()
	}
	if err := m.route(); err != nil {
		return err
	}
	if source == sourceClip {
		m.player.start()
	}
	return nil
}

// run reads the page's tracks until the connection ends, and ends all that goes
// on then.
func (m *pageMedia) run(ctx context.Context, pc *peerconnection.PeerConnection) {
	var reading sync.WaitGroup
	for {
		e, err := pc.AcceptTrack(ctx)
		if err != nil {
			break
		}
		if l := m.add(e.Track); l != nil {
			reading.Go(func() { m.read(ctx, l) })
		}
	}
	reading.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	m.player.end()
	m.finish("the connection has ended")
}

// add notes a track, unless it is there, or another of its kind: the page has one of each.
func (m *pageMedia) add(track *peerconnection.Track) *liveTrack {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.ContainsFunc(m.live, func(l *liveTrack) bool { return l.track.Kind() == track.Kind() }) {
		return nil
	}
	l := &liveTrack{track: track}
	m.live = append(m.live, l)
	slices.SortFunc(m.live, func(a, b *liveTrack) int { // video first
		return strings.Compare(string(b.track.Kind()), string(a.track.Kind()))
	})
	return l
}

// read takes every frame of a track: those that nobody records are counted, in the
// statistics of the jitter buffer.
func (m *pageMedia) read(ctx context.Context, l *liveTrack) {
	for {
		f, err := l.track.ReadFrame(ctx)
		if err != nil {
			return
		}
		now := time.Now()
		m.mu.Lock()
		if f.Codec.MimeType == "audio/CN" {
			m.mu.Unlock()
			continue // noise for a pause, which files fill with silence
		}
		if !f.Concealed {
			l.saw(now, &f)
		}
		if m.recorder != nil {
			if err := m.recorder.frame(now, l, &f); err != nil {
				m.finish(err.Error())
			}
		}
		m.mu.Unlock()
	}
}

// current is how old a track's latest frame may be for the track to be recorded.
const current = 2 * time.Second

// record begins or ends a recording.
func (m *pageMedia) record(on bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if on == (m.recorder != nil) {
		return nil
	}
	if !on {
		m.finish("")
		return nil
	}
	if m.ended {
		return errors.New("the connection has ended")
	}
	now := time.Now()
	var live []*liveTrack
	for _, l := range m.live {
		if now.Sub(l.read) < current {
			live = append(live, l)
		}
	}
	r, err := newRecorder(m.store, now, live)
	if err != nil {
		return err
	}
	m.recorder, m.notice = r, ""
	return nil
}

// finish ends the recording, if there is one. It is called with the lock held.
func (m *pageMedia) finish(why string) {
	if m.recorder == nil {
		return
	}
	done, err := m.recorder.finish()
	m.recorder, m.notice = nil, why
	if err != nil {
		m.notice = err.Error()
	}
	m.done = append(m.done, done...)
}

// A mediaState is what the page shows of it.
type mediaState struct {
	Source     string       `json:"source"`
	Recording  bool         `json:"recording"`
	Seconds    float64      `json:"seconds"` // recorded so far
	Bytes      int64        `json:"bytes"`
	Notice     string       `json:"notice"`
	Refused    string       `json:"refused"` // why the clip is not played
	Recordings []*recording `json:"recordings"`
	Directory  string       `json:"directory"`
}

func (m *pageMedia) state() mediaState {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := mediaState{Source: m.source, Notice: m.notice, Recordings: slices.Clone(m.done), Directory: m.store.dir}
	if r := m.recorder; r != nil {
		s.Recording, s.Seconds, s.Bytes = true, r.length().Seconds(), r.bytes
	}
	if why := m.player.refused.Load(); why != nil && m.source == sourceClip {
		s.Refused = *why
	}
	return s
}

// change does what the page asks for: {"source":"clip"}, {"record":true}.
func (m *pageMedia) change(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Source *string
		Record *bool
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&asked); err != nil {
		http.Error(w, `The body is not JSON such as {"source":"echo"} or {"record":true}.`, http.StatusBadRequest)
		return
	}
	var err error
	if asked.Source != nil {
		err = m.setSource(*asked.Source)
	}
	if asked.Record != nil && err == nil {
		err = m.record(*asked.Record)
	}
	if err != nil {
		http.Error(w, sentence(err.Error()), http.StatusConflict)
		return
	}
	writeJSON(w, m.state())
}
