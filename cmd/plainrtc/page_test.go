package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

// The page and everything it refers to is served, and nothing comes from elsewhere.
func TestPageFiles(t *testing.T) {
	url, _ := start(t, "serve", "--addr", "127.0.0.1:0")
	get := func(path string) string {
		r, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("GET /%s: %s, %v", path, r.Status, err)
		}
		if r.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("GET /%s: no Content-Security-Policy", path)
		}
		return string(b)
	}
	index := get("")
	if !strings.Contains(index, "<title>plainrtc</title>") {
		t.Errorf("this is not the page:\n%s", index)
	}
	files := []string{index}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(index, -1) {
		files = append(files, get(m[1]))
	}
	if len(files) != 6 {
		t.Errorf("the page refers to %d files, want its three scripts, its style and its icon", len(files)-1)
	}
	for _, f := range files {
		for _, u := range regexp.MustCompile(`(?:https?:)?//[a-z][^"'\s]*`).FindAllString(f, -1) {
			if u != "http://www.w3.org/2000/svg" { // a name, not an address
				t.Errorf("the page mentions %s", u)
			}
		}
	}
	// Every element that the script asks for exists.
	for _, m := range regexp.MustCompile(`\$\("([a-z-]+)"\)`).FindAllStringSubmatch(strings.Join(files, "\n"), -1) {
		if !strings.Contains(index, `id="`+m[1]+`"`) {
			t.Errorf("the script uses element %q, which the page does not have", m[1])
		}
	}
}

// newTestPage records into a directory of the test.
func newTestPage(t *testing.T, a *answerer, c clips) *page {
	t.Helper()
	r, err := openRecordings(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.root.Close() })
	return newPage(a, r, c)
}

// A visitor does what the page's script does.
type visitor struct {
	t        *testing.T
	url      string // of the server
	pc       *peerconnection.PeerConnection
	id       string
	channels map[string]*peerconnection.DataChannel
}

func visit(t *testing.T, url string) *visitor {
	t.Helper()
	pc, err := peerconnection.New(peerconnection.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	v := &visitor{t: t, url: url, pc: pc, channels: make(map[string]*peerconnection.DataChannel)}
	none := uint16(0)
	for label, o := range map[string]*peerconnection.DataChannelOptions{
		"echo": nil, "throughput": nil, "rtt": {Unordered: true, MaxRetransmits: &none},
	} {
		if v.channels[label], err = pc.CreateDataChannel(label, o); err != nil {
			t.Fatal(err)
		}
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	if err := pc.GatheringComplete(t.Context()); err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(pc.LocalDescription())
	var answer struct {
		peerconnection.SessionDescription
		ID     string
		TookMS float64 `json:"took_ms"`
	}
	v.do("POST", "/offer", string(body), http.StatusOK, &answer)
	if len(answer.ID) < 20 || answer.TookMS <= 0 {
		t.Errorf("id %q, took_ms %v: the page cannot use these", answer.ID, answer.TookMS)
	}
	v.id = answer.ID
	if err := pc.SetRemoteDescription(answer.SessionDescription); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *visitor) do(method, path, body string, status int, into any) {
	v.t.Helper()
	r, err := http.NewRequest(method, v.url+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	b, _ := io.ReadAll(response.Body)
	if response.StatusCode != status {
		v.t.Fatalf("%s %s: %s: %s", method, path, response.Status, b)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			v.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
}

func (v *visitor) say(ctx context.Context, label, text string) {
	v.t.Helper()
	if err := v.channels[label].WriteMessage(ctx, peerconnection.Text, []byte(text)); err != nil {
		v.t.Fatal(err)
	}
}

func (v *visitor) hear(ctx context.Context, label string) peerconnection.Message {
	v.t.Helper()
	m, err := v.channels[label].ReadMessage(ctx)
	if err != nil {
		v.t.Fatal(err)
	}
	return m
}

// Everything the page does with the program, without a browser.
func TestPageConnection(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	a := newTestAnswerer(t)
	p := newTestPage(t, a, clips{})
	server := httptest.NewServer(p.handler())
	defer server.Close()
	v, other := visit(t, server.URL), visit(t, server.URL)

	for _, who := range []*visitor{v, other} {
		for _, label := range []string{"echo", "rtt"} {
			who.say(ctx, label, "hello")
			if m := who.hear(ctx, label); string(m.Data) != "hello" || m.Kind != peerconnection.Text {
				t.Errorf("%s came back as %v %q", label, m.Kind, m.Data)
			}
		}
	}

	v.say(ctx, "throughput", "download 50")
	downloaded := 0
	for {
		m := v.hear(ctx, "throughput")
		if m.Kind == peerconnection.Text {
			if string(m.Data) != `{"end":true}` {
				t.Errorf("the download ended with %s", m.Data)
			}
			break
		}
		downloaded += len(m.Data)
	}
	if downloaded < pieceSize {
		t.Errorf("downloaded %d bytes in 50 ms on the loopback interface", downloaded)
	}

	v.say(ctx, "throughput", "upload")
	for range 10 {
		if err := v.channels["throughput"].WriteMessage(ctx, peerconnection.Binary, make([]byte, pieceSize)); err != nil {
			t.Fatal(err)
		}
	}
	v.say(ctx, "throughput", "end")
	if m := v.hear(ctx, "throughput"); string(m.Data) != fmt.Sprintf(`{"end":true,"received":%d}`, 10*pieceSize) {
		t.Errorf("the upload ended with %s", m.Data)
	}

	var told struct{ Events []timelineEvent }
	v.do("GET", "/connections/"+v.id+"/events?from=0", "", http.StatusOK, &told)
	layers := make(map[string]bool)
	last := 0.0
	for _, e := range told.Events {
		layers[string(e.Layer)] = true
		if e.Text == "" || e.MS < 0 || e.MS < last {
			t.Errorf("an event without text or out of time: %+v after %v ms", e, last)
		}
		last = e.MS
	}
	for _, layer := range []string{"ice", "dtls", "sctp"} {
		if !layers[layer] {
			t.Errorf("the timeline does not mention %s: %+v", layer, told.Events)
		}
	}
	all := len(told.Events)
	v.do("GET", fmt.Sprintf("/connections/%s/events?from=%d", v.id, all), "", http.StatusOK, &told)
	if len(told.Events) > 0 && len(told.Events) >= all {
		t.Errorf("asked for what came after %d events, got %d", all, len(told.Events))
	}
	v.do("GET", "/connections/"+v.id+"/events?from=-1", "", http.StatusBadRequest, nil)
	v.do("GET", "/connections/guessed/events?from=0", "", http.StatusNotFound, nil)

	// One page says that it is left; the other's connection just closes.
	v.do("POST", "/connections/"+v.id+"/close", "", http.StatusNoContent, nil)
	v.do("GET", "/connections/"+v.id+"/events?from=0", "", http.StatusNotFound, nil)
	eventually(t, "the connection of the page that was left is gone", func() bool { return a.count() == 1 })
	other.pc.Close()
	eventually(t, "so is the one that was closed", func() bool { return a.count() == 0 })
	// A page that failed asks why after the end.
	other.do("GET", "/connections/"+other.id+"/events?from=0", "", http.StatusOK, nil)
}

// However many offers come, the server holds no more than it promised.
func TestBusy(t *testing.T) {
	a := newTestAnswerer(t)
	for range maxConnections {
		pc, err := peerconnection.New(peerconnection.Config{Mux: a.mux})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.add(pc); err != nil {
			t.Fatal(err)
		}
		defer a.remove(pc)
		defer pc.Close()
	}
	pc, err := peerconnection.New(peerconnection.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	if _, err := pc.CreateDataChannel("one too many", nil); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(offer)
	w := httptest.NewRecorder()
	echoHandler(a).ServeHTTP(w, httptest.NewRequest("POST", "/offer", strings.NewReader(string(body))))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "try again") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}
