package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/peerconnection"
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// newTestAnswerer answers on the loopback interface until the test ends.
func newTestAnswerer(t *testing.T) *answerer {
	t.Helper()
	a, err := newAnswerer([]netip.AddrPort{loopback}, true, nil, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a
}

// eventually waits for what other goroutines are about to bring about.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for range 2000 {
		if happened() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("after twenty seconds, still not so: %s", what)
}

func (a *answerer) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.connections)
}

// The client's examination of our own server: every message comes back, and the
// JSON has the fields that scripts rely on.
func TestEchoJSON(t *testing.T) {
	url, _ := start(t, "echo", "--addr", "127.0.0.1:0")
	status, stdout, stderr := plainrtc(t, "echo", "--client", url, "--json")
	if status != 0 || stderr != "" {
		t.Errorf("exit status %d and stderr %q, want 0 and nothing", status, stderr)
	}
	var v struct {
		OK        *bool
		URL       string
		ConnectMS float64 `json:"connect_ms"`
		Checks    []struct {
			Channel, Kind string
			Bytes         int
			OK            bool
			MS            float64
		}
		Media []struct {
			Kind, Codec string
			Frames      int
			OK          bool
		}
	}
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if v.OK == nil || !*v.OK || v.URL != url || v.ConnectMS <= 0 {
		t.Errorf("the verdict's head is wrong: %s", stdout)
	}
	if m := fmt.Sprint(v.Media); m != "[{video VP8 10 true} {audio opus 20 true}]" {
		t.Errorf("of media it says %s", m)
	}
	var got, want []string
	for _, c := range v.Checks {
		got = append(got, fmt.Sprint(c.Channel, c.Kind, c.Bytes, c.OK))
	}
	for _, channel := range []string{"ordered", "unordered"} {
		for _, kind := range []string{"text", "binary"} {
			for _, size := range []int{0, 1, 1200, 65536, 262144} {
				want = append(want, fmt.Sprint(channel, kind, size, true))
			}
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("checks are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Ten clients at once, each on sockets of its own, on the server's one set; and
// nothing of them is left after.
func TestEchoManyClients(t *testing.T) {
	a := newTestAnswerer(t)
	server := httptest.NewServer(echoHandler(a))
	defer server.Close()
	var clients sync.WaitGroup
	for range 10 {
		clients.Go(func() {
			// The URL's path may be left out.
			status, stdout, stderr := plainrtc(t, "echo", "--client", server.URL, "--timeout", "60s")
			if status != 0 || !strings.Contains(stdout, "PASS: 20 messages came back unchanged, and video and audio\n") {
				t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
			}
		})
	}
	clients.Wait()
	eventually(t, "the server has let go of all connections", func() bool { return a.count() == 0 })
}

// A client that meets something wrong says what, and exits with 1.
func TestEchoClientFails(t *testing.T) {
	a := newTestAnswerer(t)
	answering := func(handle func(context.Context, *peerconnection.DataChannel)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			offer, _ := readOffer(w, r)
			_, answer, err := a.answer(r.Context(), offer, nil, service{channel: handle, media: echoMedia})
			if err != nil {
				t.Error(err)
			}
			writeJSON(w, answer)
		}
	}
	for _, test := range []struct {
		name   string
		server http.HandlerFunc
		want   string
	}{
		{"refuses", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "not today", http.StatusTeapot)
		}, "FAIL: the server refused the offer: 418 I'm a teapot: not today"},
		{"talks HTML", func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte("<p>hello</p>"))
		}, "FAIL: the server's reply is not JSON of the form"},
		{"answers nonsense", func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(`{"type":"answer","sdp":"hello"}`))
		}, "FAIL: the answer is no good"},
		{"changes bytes", answering(func(ctx context.Context, c *peerconnection.DataChannel) {
			for {
				m, err := c.ReadMessage(ctx)
				if err != nil {
					return
				}
				if len(m.Data) > 1 {
					m.Data[len(m.Data)/2]++
				}
				c.WriteMessage(ctx, m.Kind, m.Data)
			}
		}), "FAIL: 8 of 20 messages came back unchanged"},
		{"forgets the kind", answering(func(ctx context.Context, c *peerconnection.DataChannel) {
			for {
				m, err := c.ReadMessage(ctx)
				if err != nil {
					return
				}
				c.WriteMessage(ctx, peerconnection.Binary, m.Data)
			}
		}), "WRONG: text came back as binary"},
		{"closes channels", answering(func(ctx context.Context, c *peerconnection.DataChannel) { c.ReadMessage(ctx) }),
			"WRONG: the peer closed the channel"},
		{"sends no media", func(w http.ResponseWriter, r *http.Request) {
			offer, _ := readOffer(w, r)
			_, answer, err := a.answer(r.Context(), offer, nil, service{channel: echoMessages, media: func(pc *peerconnection.PeerConnection) error {
				for _, x := range pc.Transceivers() {
					if err := send(x, peerconnection.NewTrack(x.Kind(), "silence")); err != nil {
						return err
					}
				}
				return nil
			}})
			if err != nil {
				t.Error(err)
			}
			writeJSON(w, answer)
		}, "FAIL: 20 messages came back unchanged, but not the media"},
		{"stays silent", answering(func(ctx context.Context, c *peerconnection.DataChannel) { <-ctx.Done() }),
			"(gave up after 1s)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(test.server)
			defer server.Close()
			timeout := defaultTimeout.String()
			if strings.Contains(test.want, "gave up after 1s") || test.name == "sends no media" {
				timeout = "1s"
			}
			status, stdout, stderr := plainrtc(t, "echo", "--client", server.URL, "--timeout", timeout)
			if test.name == "sends no media" && !strings.Contains(stdout, test.want) { // the messages took longer, on a busy machine
				status, stdout, stderr = plainrtc(t, "echo", "--client", server.URL, "--timeout", defaultTimeout.String())
			}
			if status != 1 || !strings.Contains(stdout, test.want) {
				t.Errorf("exit status %d, want 1; it printed\n%s%swant something with %q", status, stdout, stderr, test.want)
			}
			status, stdout, _ = plainrtc(t, "echo", "--client", server.URL, "--timeout", timeout, "--json")
			var v verdict
			if err := json.Unmarshal([]byte(stdout), &v); err != nil || status != 1 || v.OK || v.Checks == nil {
				t.Errorf("exit status %d, error %v; JSON is %s", status, err, stdout)
			}
		})
	}
}

// unknownMedia has nothing that anybody here could take.
const unknownMedia = `v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F
a=setup:actpass
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
m=audio 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:0
a=rtcp-mux
a=sendrecv
a=rtpmap:96 yodel/8000
`

// A bad offer gets a sentence, whatever it is.
func TestBadOffers(t *testing.T) {
	a := newTestAnswerer(t)
	for _, test := range []struct {
		body   string
		status int
		want   string
	}{
		{"", 400, "The body is not JSON"},
		{"[]", 400, "The body is not JSON"},
		{`{"type":"answer","sdp":"v=0"}`, 400, `The description's type is "answer"`},
		{`{"sdp":"v=0"}`, 400, `The description's type is ""`},
		{`{"type":"offer"}`, 400, "The offer was not answered: "},
		{`{"type":"offer","sdp":"v=0\r\n"}`, 400, "The offer was not answered: "},
		{`{"type":"offer","sdp":"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"}`, 400, "there is no data channel in it, and no media"},
		{`{"type":"offer","sdp":"` + strings.ReplaceAll(unknownMedia, "\n", `\r\n`) + `"}`, 400, "no media of a codec that is known here"},
		{`{"type":"offer","sdp":"` + strings.Repeat("x", maxOffer) + `"}`, 413, "larger than 65536 bytes"},
	} {
		for name, handler := range map[string]http.Handler{"echo": echoHandler(a), "serve": newTestPage(t, a, clips{}).handler()} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest("POST", "/offer", strings.NewReader(test.body)))
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("%s: %.60s: status %d, %q; want %d and %q", name, test.body, w.Code, w.Body, test.status, test.want)
			}
		}
	}
	if n := a.count(); n != 0 {
		t.Errorf("%d connections are left of offers that were refused", n)
	}
}

// Pages of other origins may use the echo server, and only that.
func TestOtherOrigins(t *testing.T) {
	a := newTestAnswerer(t)
	ask := func(h http.Handler, method string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/offer", strings.NewReader("{}"))
		r.Header.Set("Origin", "https://example.com")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, method := range []string{"OPTIONS", "POST"} {
		if w := ask(echoHandler(a), method); w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Code == http.StatusForbidden {
			t.Errorf("echo: %s from elsewhere: %d %v", method, w.Code, w.Header())
		}
	}
	if w := ask(newTestPage(t, a, clips{}).handler(), "POST"); w.Code != http.StatusForbidden {
		t.Errorf("serve: POST from elsewhere: %d, want 403", w.Code)
	}
}

func TestTraceFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "call.pcapng")
	url, stop := start(t, "echo", "--addr", "127.0.0.1:0", "--trace", file)
	if status, stdout, _ := plainrtc(t, "echo", "--client", url); status != 0 {
		t.Error(stdout)
	}
	if status := stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(b), "\x0a\x0d\x0d\x0a") || !strings.Contains(string(b), "CLIENT_TRAFFIC_SECRET_0") {
		t.Errorf("%d bytes that are not a pcapng file with the keys", len(b))
	}
	// It holds the keys: it is for its owner.
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v, want 0600 (%v)", info.Mode(), err)
	}
}
