package peerconnection

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
)

// These tests run the shell for real: sockets on loopback, goroutines, locks.
// What can be shown on virtual time stands in sim_test.go.

var loopback = []netip.Addr{netip.MustParseAddr("127.0.0.1")}

// within bounds a test that would otherwise hang.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(context.Background(), d, errors.New("the test waited too long"))
	t.Cleanup(cancel)
	return ctx
}

func newPeer(t *testing.T, cfg Config) *PeerConnection {
	t.Helper()
	if cfg.Mux == nil && cfg.Addresses == nil {
		cfg.Addresses = loopback
	}
	pc, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	return pc
}

// signal carries one whole offer/answer exchange from a to z.
func signal(t *testing.T, ctx context.Context, a, z *PeerConnection, o *OfferOptions) {
	t.Helper()
	offer, err := a.CreateOffer(o)
	if err == nil {
		err = a.SetLocalDescription(offer)
	}
	if err == nil {
		err = a.GatheringComplete(ctx)
	}
	if err == nil {
		err = z.SetRemoteDescription(*a.LocalDescription())
	}
	if err != nil {
		t.Fatalf("offering: %v", err)
	}
	answer, err := z.CreateAnswer()
	if err == nil {
		err = z.SetLocalDescription(answer)
	}
	if err == nil {
		err = z.GatheringComplete(ctx)
	}
	if err == nil {
		err = a.SetRemoteDescription(*z.LocalDescription())
	}
	if err != nil {
		t.Fatalf("answering: %v", err)
	}
}

// connect returns a connected pair, and a channel of a's making at both ends.
func connect(t *testing.T, ctx context.Context, a, z *PeerConnection) (da, dz *DataChannel) {
	t.Helper()
	da, err := a.CreateDataChannel("test", nil)
	if err != nil {
		t.Fatal(err)
	}
	signal(t, ctx, a, z, nil)
	if dz, err = z.AcceptDataChannel(ctx); err != nil {
		t.Fatal(err)
	}
	if err := da.Opened(ctx); err != nil {
		t.Fatal(err)
	}
	return da, dz
}

func TestEveryMessageSizeBothWays(t *testing.T) {
	ctx := within(t, 60*time.Second)
	da, dz := connect(t, ctx, newPeer(t, Config{}), newPeer(t, Config{}))
	for _, size := range []int{0, 1, 1200, 65535, 65536, defaultMaxMessageSize} {
		for _, kind := range []MessageKind{Text, Binary} {
			for _, way := range []struct{ from, to *DataChannel }{{da, dz}, {dz, da}} {
				data := make([]byte, size)
				rand.Read(data)
				if err := way.from.WriteMessage(ctx, kind, data); err != nil {
					t.Fatal(err)
				}
				m, err := way.to.ReadMessage(ctx)
				if err != nil || m.Kind != kind || !bytes.Equal(m.Data, data) {
					t.Fatalf("%v message of %d bytes came as %v of %d bytes, error %v", kind, size, m.Kind, len(m.Data), err)
				}
			}
		}
	}
	err := da.Send(make([]byte, defaultMaxMessageSize+1))
	if !errors.Is(err, ErrMessageTooLarge) {
		t.Errorf("a message above the peer's max-message-size: error %v", err)
	}
}

// The limit is the receiver's to set, and each side has its own. A message that
// nearly fills the receive window does not hold up those of other channels.
func TestMaxMessageSizeIsConfigurable(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{MaxMessageSize: 100}), newPeer(t, Config{MaxMessageSize: 16 << 20})
	da, dz := connect(t, ctx, a, z)
	if err := dz.Send(make([]byte, 101)); !errors.Is(err, ErrMessageTooLarge) {
		t.Errorf("a message of 101 bytes to a peer that takes 100: error %v", err)
	}
	other, err := a.CreateDataChannel("other", nil)
	if err != nil {
		t.Fatal(err)
	}
	dzOther, err := z.AcceptDataChannel(ctx)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 16<<20)
	rand.Read(data)
	if err := da.Send(data); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := other.Send(data[:50_000]); err != nil {
			t.Fatal(err)
		}
		if m, err := dzOther.ReadMessage(ctx); err != nil || !bytes.Equal(m.Data, data[:50_000]) {
			t.Fatalf("beside the large message came %d bytes, error %v", len(m.Data), err)
		}
	}
	m, err := dz.ReadMessage(ctx)
	if err != nil || !bytes.Equal(m.Data, data) {
		t.Errorf("of 16 MiB came %d bytes, error %v", len(m.Data), err)
	}
	if _, err := New(Config{MaxMessageSize: -1}); err == nil {
		t.Error("a negative size is taken")
	}
}

// What can't work is refused when the connection is made, not when the peer has answered.
func TestConfigIsChecked(t *testing.T) {
	for want, c := range map[string]Config{
		"MaxMessageSize is at most 256 MiB":               {MaxMessageSize: 1 << 30},
		`BundlePolicy is balanced, max-compat or`:         {BundlePolicy: "none"},
		`ICETransportPolicy is all or relay, not "none"`:  {ICETransportPolicy: "none"},
		"MaxDTLSVersion and DTLSGroups can't be used: dt": {MaxDTLSVersion: 5},
		"MaxDTLSVersion and DTLSGroups can't be used":     {MaxDTLSVersion: dtls.DTLS12, DTLSGroups: []dtls.Group{dtls.X25519MLKEM768}},
		"does not begin with stun:":                       {ICEServers: []ICEServer{{URLs: []string{"example.org"}}}},
		"needs a Username and a Credential":               {ICEServers: []ICEServer{{URLs: []string{"turn:example.org"}}}},
	} {
		if pc, err := New(c); err == nil || !strings.HasPrefix(err.Error(), "peerconnection: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want one that says %q", err, want)
			if err == nil {
				pc.Close()
			}
		}
	}
	pc, err := New(Config{MaxDTLSVersion: dtls.DTLS12, DTLSGroups: []dtls.Group{dtls.X25519}})
	if err != nil {
		t.Fatal(err)
	}
	pc.Close()
}

// A writer that is faster than its reader is held back, and the memory between
// them stays bounded.
func TestBackPressure(t *testing.T) {
	ctx := within(t, 60*time.Second)
	da, dz := connect(t, ctx, newPeer(t, Config{}), newPeer(t, Config{}))
	message := make([]byte, 64<<10)
	written := 0
	for {
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		err := da.WriteMessage(short, Binary, message)
		cancel()
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			break
		}
		if written += len(message); written > 16<<20 {
			t.Fatal("16 MiB were written and nobody reads: nothing holds the writer back")
		}
	}
	for read := 0; read < written; read += len(message) {
		if m, err := dz.ReadMessage(ctx); err != nil || len(m.Data) != len(message) {
			t.Fatalf("after %d of %d bytes: %d bytes, %v", read, written, len(m.Data), err)
		}
	}
	if err := da.WaitBufferedAmountLow(ctx); err != nil || da.BufferedAmount() != 0 {
		t.Errorf("all was read: buffered amount %d, %v", da.BufferedAmount(), err)
	}
}

func TestReadWriteCloser(t *testing.T) {
	ctx := within(t, 60*time.Second)
	da, dz := connect(t, ctx, newPeer(t, Config{}), newPeer(t, Config{}))
	text := strings.Repeat("All happy families are alike. ", 40000)
	go func() {
		io.Copy(da, strings.NewReader(text))
		da.Close()
	}()
	got, err := io.ReadAll(dz)
	if err != nil || string(got) != text {
		t.Errorf("%d of %d bytes came through, error %v", len(got), len(text), err)
	}
}

func TestCloseChannelFromEitherSide(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	da, dz := connect(t, ctx, a, z)
	for round := range 6 {
		closer, other := da, dz
		if round%2 == 1 {
			closer, other = dz, da
		}
		if err := closer.SendText("last words"); err != nil {
			t.Fatal(err)
		}
		closer.Close()
		if m, err := other.ReadMessage(ctx); err != nil || string(m.Data) != "last words" {
			t.Fatalf("what was written before Close came as %q, %v", m.Data, err)
		}
		if _, err := other.ReadMessage(ctx); err != io.EOF {
			t.Fatalf("after the last message: %v, want io.EOF", err)
		}
		if _, err := closer.ReadMessage(ctx); err != io.EOF {
			t.Fatalf("at the side that closed: %v, want io.EOF", err)
		}
		if err := other.SendText("too late"); !errors.Is(err, ErrDataChannelClosed) {
			t.Fatalf("writing to a channel that the peer has closed: %v", err)
		}
		// The connection is none the worse, and makes another channel.
		var err error
		if da, err = a.CreateDataChannel(fmt.Sprint("round ", round), nil); err != nil {
			t.Fatal(err)
		}
		if dz, err = z.AcceptDataChannel(ctx); err != nil || dz.Label() != da.Label() {
			t.Fatal(err)
		}
	}
}

func TestChannelOptionsReachThePeer(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	connect(t, ctx, a, z)
	three := uint16(3)
	for _, o := range []DataChannelOptions{
		{Unordered: true, Protocol: "x"},
		{MaxRetransmits: &three, Priority: PriorityHigh},
		{Unordered: true, MaxPacketLifeTime: 1500 * time.Millisecond},
	} {
		da, err := z.CreateDataChannel("options", &o)
		if err != nil {
			t.Fatal(err)
		}
		dz, err := a.AcceptDataChannel(ctx)
		if err != nil {
			t.Fatal(err)
		}
		n, ok := dz.MaxRetransmits()
		if dz.Ordered() == o.Unordered || dz.Protocol() != o.Protocol || ok != (o.MaxRetransmits != nil) ||
			ok && n != *o.MaxRetransmits || dz.MaxPacketLifeTime() != o.MaxPacketLifeTime || dz.Priority() != da.Priority() {
			t.Errorf("made with %+v, accepted as %+v", o, dz.channel)
		}
	}
}

func TestNegotiatedChannel(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	o := &DataChannelOptions{Negotiated: true, ID: 77}
	da, _ := a.CreateDataChannel("a", o)
	dz, _ := z.CreateDataChannel("z", o)
	signal(t, ctx, a, z, nil)
	if err := da.SendText("hi"); err != nil {
		t.Fatal(err)
	}
	if m, err := dz.ReadMessage(ctx); err != nil || string(m.Data) != "hi" {
		t.Fatalf("%q, %v", m.Data, err)
	}
	if _, err := z.CreateDataChannel("again", o); err == nil {
		t.Error("two negotiated channels share a stream")
	}
}

// Closing one side ends the other, wakes whoever waits, and frees everything.
func TestClose(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	_, dz := connect(t, ctx, a, z)
	a.Close()
	if _, err := dz.ReadMessage(ctx); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("reading from a connection that the peer has closed: %v", err)
	}
	if _, err := z.AcceptDataChannel(ctx); !errors.Is(err, ErrClosed) {
		t.Errorf("accepting on a connection that the peer has closed: %v", err)
	}
	select {
	case <-z.Done():
	case <-ctx.Done():
		t.Error("Done is not closed")
	}
	if s := z.ConnectionState(); s != ConnectionClosed {
		t.Errorf("state %v, want closed", s)
	}
	if err := a.Err(); err != nil {
		t.Errorf("the side that called Close has the error %v", err)
	}
	if _, err := a.CreateOffer(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("an offer of a closed connection: %v", err)
	}
}

func TestICERestartKeepsTheChannel(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	da, dz := connect(t, ctx, a, z)
	for round, offerer := range []*PeerConnection{a, z, a} {
		other := a
		if offerer == a {
			other = z
		}
		before := a.LocalDescription().SDP
		signal(t, ctx, offerer, other, &OfferOptions{ICERestart: true})
		if a.LocalDescription().SDP == before {
			t.Fatal("the descriptions are the same after the restart")
		}
		for i := range 20 {
			text := fmt.Sprint(round, i)
			if err := da.SendText(text); err != nil {
				t.Fatal(err)
			}
			if m, err := dz.ReadMessage(ctx); err != nil || string(m.Data) != text {
				t.Fatalf("%q, %v", m.Data, err)
			}
		}
		if err := offerer.WaitConnected(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTrickle(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	da, _ := a.CreateDataChannel("trickled", nil)
	trickle := func(from, to *PeerConnection) {
		for {
			c, err := from.NextICECandidate(ctx)
			if err == io.EOF {
				to.AddICECandidate(ICECandidate{})
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if err := to.AddICECandidate(c); err != nil {
				t.Error(err)
			}
		}
	}
	offer, _ := a.CreateOffer(nil)
	if err := a.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(offer.SDP, "a=candidate") {
		t.Error("what CreateOffer returned has candidates before any was gathered")
	}
	trickle(a, z) // candidates may even overtake the offer
	if err := z.SetRemoteDescription(offer); err != nil {
		t.Fatal(err)
	}
	answer, _ := z.CreateAnswer()
	if err := z.SetLocalDescription(answer); err != nil {
		t.Fatal(err)
	}
	if err := a.SetRemoteDescription(answer); err != nil {
		t.Fatal(err)
	}
	trickle(z, a)
	if err := da.Opened(ctx); err != nil {
		t.Fatal(err)
	}
}

// Many connections share one socket, and find their own datagrams.
func TestMux(t *testing.T) {
	ctx := within(t, 60*time.Second)
	mux, err := ListenUDPMux(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer mux.Close()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			a, z := newPeer(t, Config{}), newPeer(t, Config{Mux: mux})
			if i%2 == 1 {
				a, z = z, a
			}
			da, dz := connect(t, ctx, a, z)
			text := fmt.Sprint("connection ", i)
			if err := da.SendText(text); err != nil {
				t.Error(err)
			}
			if m, err := dz.ReadMessage(ctx); err != nil || string(m.Data) != text {
				t.Errorf("connection %d read %q, %v", i, m.Data, err)
			}
			a.Close()
			z.Close()
		})
	}
	all.Wait()
	mux.mu.Lock()
	defer mux.mu.Unlock()
	if len(mux.members)+len(mux.ufrags)+len(mux.routes) != 0 {
		t.Errorf("closed connections leave %d members, %d ufrags, %d routes behind", len(mux.members), len(mux.ufrags), len(mux.routes))
	}
}

// An idle connected peer connection costs no goroutine of its own, with a
// socket of its own or a shared one; and what it holds is freed by Close.
func TestIdleConnectionsCostNoGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("elsewhere than on Linux each socket has a reading goroutine")
		return
	}
	ctx := within(t, 60*time.Second)
	certificate := newPeer(t, Config{}).core.cfg.Certificate
	const connections = 200
	// The first pair starts the readers that all sockets share.
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	connect(t, ctx, a, z)
	before := runtime.NumGoroutine()
	var peers []*PeerConnection
	for range connections / 2 {
		a, z := newPeer(t, Config{Certificate: certificate}), newPeer(t, Config{Certificate: certificate})
		connect(t, ctx, a, z)
		peers = append(peers, a, z)
	}
	// A timer that has just fired runs for a moment, and on a busy machine for a longer one:
	// what counts is what stays.
	const passing = 3
	staying := func() (n int) {
		for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if n = runtime.NumGoroutine() - before; n <= passing || time.Now().After(deadline) {
				return n
			}
		}
	}
	if n := staying(); n > passing {
		t.Errorf("%d idle connections cost %d goroutines", connections, n)
	}
	for _, pc := range peers {
		pc.Close()
	}
	if n := staying(); n > passing {
		t.Errorf("%d closed connections leave %d goroutines", connections, n)
	}
}

func TestWrongFingerprintIsRefused(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	a.CreateDataChannel("never", nil)
	offer, _ := a.CreateOffer(nil)
	if err := a.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	other := newPeer(t, Config{}).core.fingerprint()
	forged := *a.LocalDescription()
	forged.SDP = strings.Replace(forged.SDP, a.core.fingerprint().String(), other.String(), 1)
	if err := z.SetRemoteDescription(forged); err != nil {
		t.Fatal(err)
	}
	answer, _ := z.CreateAnswer()
	if err := z.SetLocalDescription(answer); err != nil {
		t.Fatal(err)
	}
	if err := a.SetRemoteDescription(*z.LocalDescription()); err != nil {
		t.Fatal(err)
	}
	if err := z.WaitConnected(ctx); err == nil || !strings.Contains(err.Error(), "fingerprint") {
		t.Errorf("the side that was lied to: %v", err)
	}
	if err := a.WaitConnected(ctx); err == nil {
		t.Error("the other side is connected")
	}
}
