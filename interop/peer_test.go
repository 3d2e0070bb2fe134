package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/interop/browser"
)

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8") // parallel tests here wait for timeouts, and for nothing else
	os.Exit(browser.Main(m))
}

var us = flag.String("us", "plainrtc", "the stack under test: plainrtc, or pion to tell a failure of ours from one of the machine's")

// patience bounds one test. It is long, for a machine that runs others too: what
// passes does so in a second or two.
const patience = 2 * time.Minute

// A peer is one end of a connection: ours, Pion's or a browser's. Its methods
// have the meaning of the W3C's, and are safe for concurrent use.
type peer interface {
	// Create creates a data channel.
	Create(ctx context.Context, label string, o channelOptions) (channel, error)
	// Accept waits for the next data channel that the other end opens.
	Accept(ctx context.Context) (channel, error)

	// Offer creates an offer and makes it the local description; Answer makes
	// offer the remote one and answers it; Finish takes the answer. What they
	// return need not have candidates in it.
	Offer(ctx context.Context, restart bool) (offer string, err error)
	Answer(ctx context.Context, offer string) (answer string, err error)
	Finish(ctx context.Context, answer string) error
	// Gathered waits for all candidates, and returns the description with them.
	Gathered(ctx context.Context) (sdp string, err error)
	// NextCandidate returns the next candidate, nil after the last.
	NextCandidate(ctx context.Context) (*candidate, error)
	// AddCandidate adds a candidate of the other end, or nil after the last.
	AddCandidate(ctx context.Context, c *candidate) error

	// WaitState waits for a connection state, and fails if the connection ends
	// in another.
	WaitState(ctx context.Context, state string) error
	Close(ctx context.Context) error
}

// A channel is one end of a data channel.
type channel interface {
	Opened(ctx context.Context) error
	Send(ctx context.Context, m message) error
	// Receive returns io.EOF once the channel is closed and all was received.
	Receive(ctx context.Context) (message, error)
	Info(ctx context.Context) (channelInfo, error)
	Close(ctx context.Context) error
}

// A message is text or binary.
type message struct {
	Text bool   `json:"text"`
	Data []byte `json:"data"`
}

func (m message) equal(n message) bool { return m.Text == n.Text && bytes.Equal(m.Data, n.Data) }

func (m message) String() string {
	kind := "binary"
	if m.Text {
		kind = "text"
	}
	if len(m.Data) <= 40 {
		return fmt.Sprintf("%s %q", kind, m.Data)
	}
	return fmt.Sprintf("%s of %d bytes, %q…", kind, len(m.Data), m.Data[:16])
}

// channelOptions is W3C's RTCDataChannelInit.
type channelOptions struct {
	Ordered           *bool   `json:"ordered,omitempty"`
	MaxRetransmits    *uint16 `json:"maxRetransmits,omitempty"`
	MaxPacketLifeTime *uint16 `json:"maxPacketLifeTime,omitempty"`
	Protocol          string  `json:"protocol,omitempty"`
	Negotiated        bool    `json:"negotiated,omitempty"`
	ID                *uint16 `json:"id,omitempty"`
}

// channelInfo is what both ends of a channel must agree on.
type channelInfo struct {
	Label             string  `json:"label"`
	Protocol          string  `json:"protocol"`
	ID                *uint16 `json:"id"`
	Ordered           bool    `json:"ordered"`
	MaxRetransmits    *uint16 `json:"maxRetransmits"`
	MaxPacketLifeTime *uint16 `json:"maxPacketLifeTime"`
}

func (i channelInfo) String() string {
	b, _ := json.Marshal(i)
	return string(b)
}

// candidate is W3C's RTCIceCandidateInit.
type candidate struct {
	Candidate        string  `json:"candidate"`
	SDPMid           *string `json:"sdpMid"`
	SDPMLineIndex    *uint16 `json:"sdpMLineIndex"`
	UsernameFragment *string `json:"usernameFragment"`
}

// signalling says how two peers' descriptions and candidates travel.
type signalling struct {
	trickle bool
	restart bool // the offer restarts ICE
	// toAnswerer and toOfferer change a description on its way, if not nil.
	toAnswerer, toOfferer func(sdp string) string
}

// negotiate exchanges descriptions and candidates, and returns the descriptions.
func negotiate(ctx context.Context, offerer, answerer peer, s signalling) (offer, answer string, err error) {
	change := func(f func(string) string, sdp string) string {
		if f == nil {
			return sdp
		}
		return f(sdp)
	}
	if offer, err = offerer.Offer(ctx, s.restart); err != nil {
		return "", "", fmt.Errorf("the offerer makes no offer: %w", err)
	}
	if !s.trickle {
		if offer, err = offerer.Gathered(ctx); err != nil {
			return "", "", fmt.Errorf("the offerer does not gather: %w", err)
		}
	}
	offer = change(s.toAnswerer, offer)
	if answer, err = answerer.Answer(ctx, offer); err != nil {
		return "", "", fmt.Errorf("the answerer refuses the offer: %w\n%s", err, offer)
	}
	if !s.trickle {
		if answer, err = answerer.Gathered(ctx); err != nil {
			return "", "", fmt.Errorf("the answerer does not gather: %w", err)
		}
	}
	answer = change(s.toOfferer, answer)
	if err = offerer.Finish(ctx, answer); err != nil {
		return "", "", fmt.Errorf("the offerer refuses the answer: %w\n%s", err, answer)
	}
	if s.trickle {
		errs := make(chan error, 2)
		go func() { errs <- trickle(ctx, offerer, answerer) }()
		go func() { errs <- trickle(ctx, answerer, offerer) }()
		err = errors.Join(<-errs, <-errs)
	}
	return offer, answer, err
}

// trickle carries candidates to the other end until the last.
func trickle(ctx context.Context, from, to peer) error {
	for {
		c, err := from.NextCandidate(ctx)
		if err != nil {
			return fmt.Errorf("waiting for a candidate: %w", err)
		}
		if err := to.AddCandidate(ctx, c); err != nil {
			return fmt.Errorf("adding the candidate %v: %w", c, err)
		}
		if c == nil {
			return nil
		}
	}
}

// connect negotiates and waits until both ends are connected.
func connect(t testing.TB, ctx context.Context, offerer, answerer peer, s signalling) (offer, answer string) {
	t.Helper()
	offer, answer, err := connected(ctx, offerer, answerer, s)
	if err != nil {
		t.Fatal(err)
	}
	return offer, answer
}

// connected is connect where there is no test's goroutine.
func connected(ctx context.Context, offerer, answerer peer, s signalling) (offer, answer string, err error) {
	if offer, answer, err = negotiate(ctx, offerer, answerer, s); err != nil {
		return "", "", err
	}
	if err = offerer.WaitState(ctx, "connected"); err != nil {
		err = fmt.Errorf("the offerer does not connect: %w", err)
	} else if err = answerer.WaitState(ctx, "connected"); err != nil {
		err = fmt.Errorf("the answerer does not connect: %w", err)
	}
	if err != nil {
		return "", "", fmt.Errorf("%w\noffer:\n%s\nanswer:\n%s", err, offer, answer)
	}
	return offer, answer, nil
}

// open makes from open a channel to to, and returns both ends.
func open(t testing.TB, ctx context.Context, from, to peer, label string, o channelOptions) (near, far channel) {
	t.Helper()
	near, err := from.Create(ctx, label, o)
	if err != nil {
		t.Fatalf("creating channel %q: %v", label, err)
	}
	return near, accept(t, ctx, near, to)
}

// accept takes the other end of the channel near, and waits until both are open.
func accept(t testing.TB, ctx context.Context, near channel, to peer) (far channel) {
	t.Helper()
	far, err := to.Accept(ctx)
	if err != nil {
		t.Fatalf("accepting a channel: %v", err)
	}
	for _, c := range []channel{near, far} {
		if err := c.Opened(ctx); err != nil {
			t.Fatalf("waiting until a channel is open: %v", err)
		}
	}
	return far
}

// carry sends messages from one end, and checks that they arrive at the other
// as they were sent, and in that order.
func carry(t testing.TB, ctx context.Context, from, to channel, messages ...message) {
	t.Helper()
	if err := carried(ctx, from, to, messages...); err != nil {
		t.Fatal(err)
	}
}

// carried is carry where there is no test's goroutine.
func carried(ctx context.Context, from, to channel, messages ...message) error {
	sent := make(chan error, 1)
	go func() {
		for _, m := range messages {
			if err := from.Send(ctx, m); err != nil {
				sent <- fmt.Errorf("sending %v: %w", m, err)
				return
			}
		}
		sent <- nil
	}()
	for i, want := range messages {
		got, err := to.Receive(ctx)
		if err != nil {
			return fmt.Errorf("waiting for message %d of %d, %v: %w", i+1, len(messages), want, err)
		}
		if !got.equal(want) {
			return fmt.Errorf("message %d of %d arrived as %v, want %v", i+1, len(messages), got, want)
		}
	}
	return <-sent
}

// atOnce runs n functions at once, and fails the test if any fails.
func atOnce(t testing.TB, n int, f func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := f(i); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// attribute returns the value of the first attribute of that name.
func attribute(sdp, name string) string {
	m := regexp.MustCompile(`(?m)^a=` + name + `:(.*?)\r?$`).FindStringSubmatch(sdp)
	if m == nil {
		return ""
	}
	return m[1]
}

// withAttribute returns a change of a description that gives each attribute of
// that name another value.
func withAttribute(name string, change func(value string) string) func(sdp string) string {
	return func(sdp string) string {
		lines := strings.SplitAfter(sdp, "\n")
		for i, l := range lines {
			if value, ok := strings.CutPrefix(l, "a="+name+":"); ok {
				lines[i] = "a=" + name + ":" + change(strings.TrimRight(value, "\r\n")) + "\r\n"
			}
		}
		return strings.Join(lines, "")
	}
}

func testContext(t testing.TB) context.Context { return contextOf(t, patience) }

// contextOf is testContext for a test that takes its time.
func contextOf(t testing.TB, patience time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func ptr[T any](v T) *T { return &v }
