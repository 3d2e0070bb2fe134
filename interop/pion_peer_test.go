package interop

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/pion/datachannel"
	"github.com/pion/webrtc/v4"
)

// A pionPeer is Pion's PeerConnection. Its handlers fill queues.
type pionPeer struct {
	pc         *webrtc.PeerConnection
	incoming   *queue[*webrtc.DataChannel]
	candidates *queue[*webrtc.ICECandidate]
	states     *queue[webrtc.PeerConnectionState]
	channels   sync.Map // *webrtc.DataChannel to *pionChannel
	// detached says that its channels are read and written as streams of
	// messages, where writing blocks if the engine says so.
	detached bool
}

// A pionMux shares one socket between Pion's connections.
type pionMux struct {
	engine webrtc.SettingEngine
}

func newPionMux(t testing.TB) *pionMux {
	t.Helper()
	socket, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(hostAddress(t), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	m := new(pionMux)
	m.engine.SetICEUDPMux(webrtc.NewICEUDPMux(nil, socket))
	return m
}

func (m *pionMux) NewPeer(t testing.TB) peer { return newPionPeer(t, m.engine) }

// newPionPeer makes one, with the configuration if there is one.
func newPionPeer(t testing.TB, engine webrtc.SettingEngine, configuration ...webrtc.Configuration) *pionPeer {
	t.Helper()
	return pionPeerOf(t, webrtc.NewAPI(webrtc.WithSettingEngine(engine)), configuration...)
}

// pionPeerOf makes one by an API that was set up for the test.
func pionPeerOf(t testing.TB, api *webrtc.API, configuration ...webrtc.Configuration) *pionPeer {
	t.Helper()
	pc, err := api.NewPeerConnection(append(configuration, webrtc.Configuration{})[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	p := &pionPeer{
		pc:         pc,
		incoming:   newQueue[*webrtc.DataChannel](),
		candidates: newQueue[*webrtc.ICECandidate](),
		states:     newQueue[webrtc.PeerConnectionState](),
	}
	pc.OnDataChannel(func(dc *webrtc.DataChannel) {
		p.keep(dc)
		p.incoming.push(dc)
	})
	pc.OnICECandidate(p.candidates.push)
	pc.OnConnectionStateChange(p.states.push)
	return p
}

func (p *pionPeer) keep(dc *webrtc.DataChannel) *pionChannel {
	c := &pionChannel{dc: dc, messages: newQueue[*message](), opened: make(chan struct{}), drained: make(chan struct{}, 1)}
	p.channels.Store(dc, c)
	dc.OnOpen(func() {
		if p.detached {
			c.detach()
		}
		close(c.opened)
	})
	if p.detached {
		return c
	}
	dc.OnMessage(func(m webrtc.DataChannelMessage) { c.messages.push(&message{Text: m.IsString, Data: m.Data}) })
	dc.OnClose(func() { c.messages.push(nil) })
	dc.SetBufferedAmountLowThreshold(1 << 20)
	dc.OnBufferedAmountLow(func() {
		select {
		case c.drained <- struct{}{}:
		default:
		}
	})
	return c
}

func (p *pionPeer) Create(ctx context.Context, label string, o channelOptions) (channel, error) {
	dc, err := p.pc.CreateDataChannel(label, &webrtc.DataChannelInit{
		Ordered:           o.Ordered,
		MaxRetransmits:    o.MaxRetransmits,
		MaxPacketLifeTime: o.MaxPacketLifeTime,
		Protocol:          &o.Protocol,
		Negotiated:        &o.Negotiated,
		ID:                o.ID,
	})
	if err != nil {
		return nil, err
	}
	return p.keep(dc), nil
}

func (p *pionPeer) Accept(ctx context.Context) (channel, error) {
	dc, err := p.incoming.next(ctx)
	if err != nil {
		return nil, err
	}
	c, _ := p.channels.Load(dc)
	return c.(*pionChannel), nil
}

func (p *pionPeer) Offer(ctx context.Context, restart bool) (string, error) {
	offer, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return "", err
	}
	return p.setLocal(offer)
}

func (p *pionPeer) Answer(ctx context.Context, offer string) (string, error) {
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	return p.setLocal(answer)
}

func (p *pionPeer) setLocal(d webrtc.SessionDescription) (string, error) {
	if err := p.pc.SetLocalDescription(d); err != nil {
		return "", err
	}
	return d.SDP, nil
}

func (p *pionPeer) Finish(ctx context.Context, answer string) error {
	return p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

func (p *pionPeer) Gathered(ctx context.Context) (string, error) {
	select {
	case <-webrtc.GatheringCompletePromise(p.pc):
		return p.pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (p *pionPeer) NextCandidate(ctx context.Context) (*candidate, error) {
	c, err := p.candidates.next(ctx)
	if c == nil || err != nil {
		return nil, err
	}
	j := c.ToJSON()
	return &candidate{Candidate: j.Candidate, SDPMid: j.SDPMid, SDPMLineIndex: j.SDPMLineIndex, UsernameFragment: j.UsernameFragment}, nil
}

func (p *pionPeer) AddCandidate(ctx context.Context, c *candidate) error {
	if c == nil {
		return nil // Pion does not tell its agent the end of candidates
	}
	return p.pc.AddICECandidate(webrtc.ICECandidateInit{
		Candidate: c.Candidate, SDPMid: c.SDPMid, SDPMLineIndex: c.SDPMLineIndex, UsernameFragment: c.UsernameFragment,
	})
}

func (p *pionPeer) WaitState(ctx context.Context, want string) error {
	for state := p.pc.ConnectionState(); ; {
		switch {
		case state.String() == want:
			return nil
		case state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed:
			return fmt.Errorf("is %v, not %s", state, want)
		}
		next, err := p.states.next(ctx)
		if err != nil {
			return fmt.Errorf("is %v, not %s: %w", state, want, err)
		}
		state = next
	}
}

func (p *pionPeer) Close(ctx context.Context) error { return p.pc.Close() }

// A pionChannel is a channel of a pionPeer.
type pionChannel struct {
	dc       *webrtc.DataChannel
	messages *queue[*message]
	opened   chan struct{}
	drained  chan struct{}
	stream   datachannel.ReadWriteCloser // nil unless it is detached
}

// detach makes an open channel one that is read by a goroutine.
func (c *pionChannel) detach() {
	stream, err := c.dc.Detach()
	if err != nil {
		panic("BUG: an open channel can be detached: " + err.Error())
	}
	c.stream = stream
	go func() {
		b := make([]byte, 1<<18)
		for {
			n, isText, err := stream.ReadDataChannel(b)
			if err != nil {
				c.messages.push(nil)
				return
			}
			c.messages.push(&message{Text: isText, Data: append([]byte(nil), b[:n]...)})
		}
	}()
}

func (c *pionChannel) Opened(ctx context.Context) error {
	select {
	case <-c.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *pionChannel) Send(ctx context.Context, m message) error {
	if c.stream != nil {
		_, err := c.stream.WriteDataChannel(m.Data, m.Text)
		return err
	}
	for c.dc.BufferedAmount() > 4<<20 {
		select {
		case <-c.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if m.Text {
		return c.dc.SendText(string(m.Data))
	}
	return c.dc.Send(m.Data)
}

func (c *pionChannel) Receive(ctx context.Context) (message, error) {
	m, err := c.messages.next(ctx)
	if err != nil {
		return message{}, err
	}
	if m == nil {
		c.messages.push(nil) // it stays closed
		return message{}, io.EOF
	}
	return *m, nil
}

func (c *pionChannel) Info(ctx context.Context) (channelInfo, error) {
	return channelInfo{
		Label: c.dc.Label(), Protocol: c.dc.Protocol(), ID: c.dc.ID(), Ordered: c.dc.Ordered(),
		MaxRetransmits: c.dc.MaxRetransmits(), MaxPacketLifeTime: c.dc.MaxPacketLifeTime(),
	}, nil
}

func (c *pionChannel) Close(ctx context.Context) error {
	if c.stream != nil {
		return c.stream.Close()
	}
	return c.dc.Close()
}

// A queue has no bound: what handlers push waits for the test.
type queue[T any] struct {
	mu    sync.Mutex
	items []T
	some  chan struct{}
}

func newQueue[T any]() *queue[T] { return &queue[T]{some: make(chan struct{}, 1)} }

func (q *queue[T]) push(item T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, item)
	q.signal()
}

func (q *queue[T]) signal() {
	select {
	case q.some <- struct{}{}:
	default:
	}
}

func (q *queue[T]) next(ctx context.Context) (item T, err error) {
	for {
		q.mu.Lock()
		if len(q.items) > 0 {
			item, q.items = q.items[0], q.items[1:]
			if len(q.items) > 0 {
				q.signal()
			}
			q.mu.Unlock()
			return item, nil
		}
		q.mu.Unlock()
		select {
		case <-q.some:
		case <-ctx.Done():
			return item, ctx.Err()
		}
	}
}
