package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// A plainPeer is ours.
type plainPeer struct {
	pc *peerconnection.PeerConnection
}

// newPlainPeer makes a peer that sends its trace to the test's log, if the test
// fails, and to sinks.
func newPlainPeer(t testing.TB, cfg peerconnection.Config, sinks ...trace.Sink) *plainPeer {
	t.Helper()
	record := new(trace.Recorder)
	cfg.Tracer = trace.New(trace.Multi(append(sinks, record)...), "us")
	pc, err := peerconnection.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pc.Close()
		if t.Failed() || testing.Verbose() {
			t.Logf("our trace:\n%s", ends(record.String(), 150))
		}
	})
	return &plainPeer{pc}
}

// ends returns the first and the last n lines of s.
func ends(s string, n int) string {
	lines := strings.SplitAfter(s, "\n")
	if len(lines) <= 2*n {
		return s
	}
	return strings.Join(lines[:n], "") + fmt.Sprintf("… %d lines …\n", len(lines)-2*n) + strings.Join(lines[len(lines)-n:], "")
}

// A plainMux shares one socket between our connections.
type plainMux struct {
	mux *peerconnection.UDPMux
}

func newPlainMux(t testing.TB) *plainMux {
	t.Helper()
	m, err := peerconnection.ListenUDPMux(netip.AddrPortFrom(hostAddress(t), 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return &plainMux{m}
}

func (m *plainMux) NewPeer(t testing.TB) peer {
	return newPlainPeer(t, peerconnection.Config{Mux: m.mux})
}

func (p *plainPeer) Create(ctx context.Context, label string, o channelOptions) (channel, error) {
	options := &peerconnection.DataChannelOptions{
		Unordered:      o.Ordered != nil && !*o.Ordered,
		MaxRetransmits: o.MaxRetransmits,
		Protocol:       o.Protocol,
		Negotiated:     o.Negotiated,
	}
	if o.MaxPacketLifeTime != nil {
		options.MaxPacketLifeTime = time.Duration(*o.MaxPacketLifeTime) * time.Millisecond
	}
	if o.ID != nil {
		options.ID = *o.ID
	}
	dc, err := p.pc.CreateDataChannel(label, options)
	return &plainChannel{dc}, err
}

func (p *plainPeer) Accept(ctx context.Context) (channel, error) {
	dc, err := p.pc.AcceptDataChannel(ctx)
	return &plainChannel{dc}, err
}

func (p *plainPeer) Offer(ctx context.Context, restart bool) (string, error) {
	offer, err := p.pc.CreateOffer(&peerconnection.OfferOptions{ICERestart: restart})
	if err != nil {
		return "", err
	}
	return offer.SDP, p.pc.SetLocalDescription(offer)
}

func (p *plainPeer) Answer(ctx context.Context, offer string) (string, error) {
	err := p.pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeOffer, SDP: offer})
	if err != nil {
		return "", err
	}
	answer, err := p.pc.CreateAnswer()
	if err != nil {
		return "", err
	}
	return answer.SDP, p.pc.SetLocalDescription(answer)
}

func (p *plainPeer) Finish(ctx context.Context, answer string) error {
	return p.pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeAnswer, SDP: answer})
}

func (p *plainPeer) Gathered(ctx context.Context) (string, error) {
	if err := p.pc.GatheringComplete(ctx); err != nil {
		return "", err
	}
	return p.pc.LocalDescription().SDP, nil
}

func (p *plainPeer) NextCandidate(ctx context.Context) (*candidate, error) {
	c, err := p.pc.NextICECandidate(ctx)
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &candidate{Candidate: c.Candidate, SDPMid: &c.SDPMid, SDPMLineIndex: &c.SDPMLineIndex, UsernameFragment: &c.UsernameFragment}, nil
}

func (p *plainPeer) AddCandidate(ctx context.Context, c *candidate) error {
	var add peerconnection.ICECandidate
	if c != nil {
		add.Candidate = c.Candidate
		if c.SDPMid != nil {
			add.SDPMid = *c.SDPMid
		}
		if c.SDPMLineIndex != nil {
			add.SDPMLineIndex = *c.SDPMLineIndex
		}
		if c.UsernameFragment != nil {
			add.UsernameFragment = *c.UsernameFragment
		}
	}
	return p.pc.AddICECandidate(add)
}

func (p *plainPeer) WaitState(ctx context.Context, want string) error {
	for state := p.pc.ConnectionState(); state.String() != want; {
		if state == peerconnection.ConnectionFailed || state == peerconnection.ConnectionClosed {
			return fmt.Errorf("is %v, not %s: %w", state, want, p.pc.Err())
		}
		next, err := p.pc.NextConnectionState(ctx, state)
		if err != nil {
			return fmt.Errorf("is %v, not %s: %w", state, want, err)
		}
		state = next
	}
	return nil
}

func (p *plainPeer) Close(ctx context.Context) error { return p.pc.Close() }

// A plainChannel is a channel of a plainPeer.
type plainChannel struct {
	dc *peerconnection.DataChannel
}

func (c *plainChannel) Opened(ctx context.Context) error { return c.dc.Opened(ctx) }

func (c *plainChannel) Send(ctx context.Context, m message) error {
	kind := peerconnection.Binary
	if m.Text {
		kind = peerconnection.Text
	}
	return c.dc.WriteMessage(ctx, kind, m.Data)
}

func (c *plainChannel) Receive(ctx context.Context) (message, error) {
	m, err := c.dc.ReadMessage(ctx)
	return message{Text: m.Kind == peerconnection.Text, Data: m.Data}, err
}

func (c *plainChannel) Info(ctx context.Context) (channelInfo, error) {
	info := channelInfo{Label: c.dc.Label(), Protocol: c.dc.Protocol(), Ordered: c.dc.Ordered()}
	if id, ok := c.dc.ID(); ok {
		info.ID = &id
	}
	if n, ok := c.dc.MaxRetransmits(); ok {
		info.MaxRetransmits = &n
	}
	if d := c.dc.MaxPacketLifeTime(); d != 0 {
		info.MaxPacketLifeTime = ptr(uint16(d / time.Millisecond))
	}
	return info, nil
}

func (c *plainChannel) Close(ctx context.Context) error { return c.dc.Close() }

// A message above what the browser said it takes is refused here, in words.
func TestTooLargeAMessageIsRefused(t *testing.T) {
	ctx := testContext(t)
	our, their := newPlainPeer(t, peerconnection.Config{}), chromium.new(t)
	near, err := our.Create(ctx, "large", channelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	connect(t, ctx, our, their, signalling{})
	far := accept(t, ctx, near, their)
	r := testRand()
	if err := near.Send(ctx, binary(r, 262_145)); !errors.Is(err, peerconnection.ErrMessageTooLarge) {
		t.Errorf("a message of 262,145 bytes to Chromium: %v", err)
	}
	carry(t, ctx, near, far, binary(r, 262_144))
}
