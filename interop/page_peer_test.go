package interop

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/plainrtc/plainrtc/interop/browser"
)

//go:embed testdata/peer.js
var peerJS string

// A pagePeer is an RTCPeerConnection in a browser's page.
type pagePeer struct {
	page *browser.Page
	id   int
}

// openPage opens a page that can have peers.
func openPage(t testing.TB, b *browser.Browser) *browser.Page {
	t.Helper()
	return b.Open(t, peerJS)
}

// newPagePeer makes a peer in page. It closes with the page.
func newPagePeer(t testing.TB, page *browser.Page) *pagePeer {
	t.Helper()
	p := &pagePeer{page: page}
	page.Do(&p.id, `return newPeer()`)
	return p
}

// allowCamera makes the browser show its host addresses in candidates, which it
// otherwise hides behind mDNS names.
func allowCamera(t testing.TB, page *browser.Page) {
	t.Helper()
	page.Do(nil, `globalThis.stream = await camera({audio: true, video: true})`)
}

// call evaluates an expression of the peer p and of args from args[1] on.
func (p *pagePeer) call(ctx context.Context, result any, expression string, args ...any) error {
	v, err := p.page.Eval(ctx, `const p = peers[args[0]]; return await `+expression, append([]any{p.id}, args...)...)
	if err != nil || result == nil {
		return err
	}
	if err := json.Unmarshal(v, result); err != nil {
		return fmt.Errorf("the page returned %s for %s: %w", v, expression, err)
	}
	return nil
}

func (p *pagePeer) Create(ctx context.Context, label string, o channelOptions) (channel, error) {
	c := &pageChannel{peer: p}
	return c, p.call(ctx, &c.n, `p.create(args[1], args[2])`, label, o)
}

func (p *pagePeer) Accept(ctx context.Context) (channel, error) {
	c := &pageChannel{peer: p}
	return c, p.call(ctx, &c.n, `p.incoming.next()`)
}

func (p *pagePeer) Offer(ctx context.Context, restart bool) (offer string, err error) {
	return offer, p.call(ctx, &offer, `p.offer(args[1])`, restart)
}

func (p *pagePeer) Answer(ctx context.Context, offer string) (answer string, err error) {
	return answer, p.call(ctx, &answer, `p.answer(args[1])`, offer)
}

func (p *pagePeer) Finish(ctx context.Context, answer string) error {
	return p.call(ctx, nil, `p.finish(args[1])`, answer)
}

func (p *pagePeer) Gathered(ctx context.Context) (sdp string, err error) {
	return sdp, p.call(ctx, &sdp, `p.gathered()`)
}

func (p *pagePeer) NextCandidate(ctx context.Context) (*candidate, error) {
	var c *candidate
	err := p.call(ctx, &c, `p.candidates.next()`)
	if c != nil && c.Candidate == "" { // Firefox says so before it says null
		return p.NextCandidate(ctx)
	}
	return c, err
}

func (p *pagePeer) AddCandidate(ctx context.Context, c *candidate) error {
	if c == nil {
		return p.call(ctx, nil, `p.pc.addIceCandidate()`)
	}
	return p.call(ctx, nil, `p.pc.addIceCandidate(args[1])`, c)
}

func (p *pagePeer) WaitState(ctx context.Context, state string) error {
	return p.call(ctx, nil, `p.state(args[1])`, state)
}

func (p *pagePeer) Close(ctx context.Context) error { return p.call(ctx, nil, `p.pc.close()`) }

// usesUfrag waits until the candidate in use is one of the given ufrag.
func (p *pagePeer) usesUfrag(ctx context.Context, ufrag string) error {
	return p.call(ctx, nil, `p.usesUfrag(args[1])`, ufrag)
}

// A pageChannel is a channel of a pagePeer.
type pageChannel struct {
	peer   *pagePeer
	n      int
	closed atomic.Bool
}

func (c *pageChannel) call(ctx context.Context, result any, expression string, args ...any) error {
	return c.peer.call(ctx, result, fmt.Sprintf(`p.channels[%d].%s`, c.n, expression), args...)
}

func (c *pageChannel) Opened(ctx context.Context) error { return c.call(ctx, nil, `opened`) }

func (c *pageChannel) Send(ctx context.Context, m message) error {
	return c.call(ctx, nil, `send(args[1])`, m)
}

func (c *pageChannel) Receive(ctx context.Context) (message, error) {
	if c.closed.Load() {
		return message{}, io.EOF
	}
	var m *message
	if err := c.call(ctx, &m, `messages.next()`); err != nil {
		return message{}, err
	}
	if m == nil {
		c.closed.Store(true)
		return message{}, io.EOF
	}
	return *m, nil
}

func (c *pageChannel) Info(ctx context.Context) (info channelInfo, err error) {
	return info, c.call(ctx, &info, `info()`)
}

func (c *pageChannel) Close(ctx context.Context) error { return c.call(ctx, nil, `dc.close()`) }
