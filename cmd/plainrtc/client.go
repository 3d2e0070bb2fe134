package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/peerconnection"
)

const defaultTimeout = 20 * time.Second

// An echoClient checks an echo server.
type echoClient struct {
	url     string
	json    bool
	timeout time.Duration
}

// messageSizes are what the client sends on each channel, in bytes: the sizes
// where stacks differ. An empty message has a payload type of its own (RFC 8831,
// Section 6.6), 1,200 fill a packet, 65,536 is what a peer takes that does not
// say (RFC 8841, Section 6.1), 262,144 is what browsers take.
var messageSizes = []int{0, 1, 1200, 65536, 262144}

// A verdict is what the client found; with --json it is printed as it is.
type verdict struct {
	OK        bool         `json:"ok"`
	URL       string       `json:"url"`
	Error     string       `json:"error,omitempty"`      // why it ended early
	ConnectMS float64      `json:"connect_ms,omitempty"` // from the answer to a connection
	Checks    []check      `json:"checks"`
	Media     []mediaCheck `json:"media"`
}

// A check is one message sent and what came of it.
type check struct {
	Channel string  `json:"channel"`
	Kind    string  `json:"kind"`
	Bytes   int     `json:"bytes"`
	OK      bool    `json:"ok"`
	Skipped bool    `json:"skipped,omitempty"` // larger than the peer said it takes
	Error   string  `json:"error,omitempty"`
	MS      float64 `json:"ms,omitempty"`
}

func (c *echoClient) run(ctx context.Context, out output, sink trace.Sink) error {
	address, err := offerURL(c.url)
	if err != nil {
		return err
	}
	if c.timeout <= 0 {
		return usageError("--timeout must be longer than nothing")
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	v := verdict{URL: address, Checks: []check{}, Media: []mediaCheck{}}
	if err := v.examine(limited, sink); err != nil {
		if limited.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w (gave up after %v)", err, c.timeout)
		}
		v.Error = err.Error()
	}
	v.OK = v.Error == "" && !v.failed()
	if c.json {
		encoder := json.NewEncoder(out.stdout)
		encoder.SetIndent("", "  ")
		encoder.Encode(v)
	} else {
		v.write(out.stdout)
	}
	if !v.OK {
		return errFailed
	}
	return nil
}

// offerURL completes the URL of a server whose path is left out.
func offerURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", usageError(fmt.Sprintf("--client %q is not a URL such as http://127.0.0.1:8081/offer", s))
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/offer"
	}
	return u.String(), nil
}

// examine connects and fills in the checks. Its error is why there are no more.
func (v *verdict) examine(ctx context.Context, sink trace.Sink) error {
	var tracer *trace.Tracer
	if sink != nil {
		tracer = trace.New(sink, "client")
	}
	pc, err := peerconnection.New(peerconnection.Config{Tracer: tracer})
	if err != nil {
		return err
	}
	defer pc.Close()
	var channels []*peerconnection.DataChannel
	for _, o := range []struct {
		label   string
		options *peerconnection.DataChannelOptions
	}{
		{"ordered", nil},
		{"unordered", &peerconnection.DataChannelOptions{Unordered: true}},
	} {
		channel, err := pc.CreateDataChannel(o.label, o.options)
		if err != nil {
			return err
		}
		channels = append(channels, channel)
	}
	media, err := newMediaProbe(pc)
	if err != nil {
		return err
	}

	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	if err := pc.SetLocalDescription(offer); err != nil {
		return err
	}
	if err := pc.GatheringComplete(ctx); err != nil {
		return err
	}
	answer, err := post(ctx, v.URL, *pc.LocalDescription())
	if err != nil {
		return err
	}
	began := time.Now()
	if err := pc.SetRemoteDescription(answer); err != nil {
		return fmt.Errorf("the answer is no good: %w", err)
	}
	if err := pc.WaitConnected(ctx); err != nil {
		return fmt.Errorf("the offer was answered, and then no connection came about: %w", err)
	}
	v.ConnectMS = milliseconds(time.Since(began))
	for _, channel := range channels {
		if err := channel.Opened(ctx); err != nil {
			return fmt.Errorf("channel %q did not open: %w", channel.Label(), err)
		}
	}
	for _, channel := range channels {
		for _, kind := range []peerconnection.MessageKind{peerconnection.Text, peerconnection.Binary} {
			for _, size := range messageSizes {
				v.Checks = append(v.Checks, echoOnce(ctx, channel, kind, size))
				if ctx.Err() != nil {
					return fmt.Errorf("the echo did not come: %w", context.Cause(ctx))
				}
				if pc.Err() != nil {
					return pc.Err()
				}
			}
		}
	}
	v.Media = media.check(ctx)
	return pc.Err()
}

// echoOnce sends a message and judges what comes back.
func echoOnce(ctx context.Context, channel *peerconnection.DataChannel, kind peerconnection.MessageKind, size int) check {
	c := check{Channel: channel.Label(), Kind: kind.String(), Bytes: size}
	sent := content(kind, size)
	began := time.Now()
	err := channel.WriteMessage(ctx, kind, sent)
	if errors.Is(err, peerconnection.ErrMessageTooLarge) {
		c.Skipped = true
		return c
	}
	var got peerconnection.Message
	if err == nil {
		got, err = channel.ReadMessage(ctx)
	}
	c.MS = milliseconds(time.Since(began))
	switch {
	case errors.Is(err, io.EOF):
		c.Error = "the peer closed the channel"
	case err != nil:
		c.Error = err.Error()
	case got.Kind != kind:
		c.Error = fmt.Sprintf("%v came back as %v", kind, got.Kind)
	case len(got.Data) != size:
		c.Error = fmt.Sprintf("%d bytes came back as %d", size, len(got.Data))
	case !bytes.Equal(got.Data, sent):
		c.Error = "the bytes came back changed"
	default:
		c.OK = true
	}
	return c
}

// content is a message of size bytes whose every part differs from the next.
func content(kind peerconnection.MessageKind, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		if kind == peerconnection.Text {
			b[i] = 'a' + byte((i+i/26)%26)
		} else {
			b[i] = byte(i + i>>8)
		}
	}
	return b
}

// post exchanges an offer for an answer.
func post(ctx context.Context, url string, offer peerconnection.SessionDescription) (answer peerconnection.SessionDescription, err error) {
	body, err := json.Marshal(offer)
	if err != nil {
		return answer, err
	}
	r, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer, fmt.Errorf("no server answered over HTTP: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return answer, fmt.Errorf("the server's reply broke off: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("the server refused the offer: %s: %s", response.Status, bytes.TrimSpace(text[:min(len(text), 500)]))
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, fmt.Errorf(`the server's reply is not JSON of the form {"type":"answer","sdp":"…"}: %w`, err)
	}
	return answer, nil
}

func (v *verdict) failed() bool {
	for _, c := range v.Checks {
		if !c.OK && !c.Skipped {
			return true
		}
	}
	for _, c := range v.Media {
		if !c.OK && !c.Skipped {
			return true
		}
	}
	return false
}

// write prints the verdict for a person: what went wrong, and a last line.
func (v *verdict) write(w io.Writer) {
	if v.ConnectMS > 0 {
		say(w, "connected to %s in %.1f ms", v.URL, v.ConnectMS)
	}
	line := make(map[string][]string) // what is said about a channel and kind
	var order []string
	passed, skipped := 0, 0
	for _, c := range v.Checks {
		key := fmt.Sprintf("%-10s %-7s", c.Channel, c.Kind)
		if line[key] == nil {
			order = append(order, key)
		}
		word := fmt.Sprint(c.Bytes)
		switch {
		case c.OK:
			passed++
		case c.Skipped:
			skipped++
			word += " (the peer takes less)"
		default:
			word += " (WRONG: " + c.Error + ")"
		}
		line[key] = append(line[key], word)
	}
	for _, key := range order {
		say(w, "  %s %s bytes", key, strings.Join(line[key], ", "))
	}
	echoed := 0
	for _, c := range v.Media {
		say(w, "  %-10s %-7s %s", c.Kind, c.Codec, &c)
		if c.OK {
			echoed++
		}
	}
	if v.OK {
		also := ""
		if echoed == len(v.Media) {
			also = ", and video and audio"
		}
		if skipped > 0 {
			also += fmt.Sprintf("; %d not sent, the peer takes no messages that large", skipped)
		}
		say(w, "PASS: %d messages came back unchanged%s", passed, also)
		return
	}
	if v.Error != "" {
		say(w, "FAIL: %s", v.Error)
	} else if passed+skipped == len(v.Checks) {
		say(w, "FAIL: %d messages came back unchanged, but not the media", passed)
	} else {
		say(w, "FAIL: %d of %d messages came back unchanged", passed, len(v.Checks)-skipped)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
