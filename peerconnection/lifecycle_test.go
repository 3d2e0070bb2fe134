package peerconnection

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/internal/netsim"
	"github.com/plainrtc/plainrtc/sctp"
)

// The life of a data channel in its corners: what happens to those who wait,
// to what was not read, and to the stream.

// carry takes everything that from has to send to to, or loses it.
func carry(now time.Time, from, to *core, lose bool) (packets int) {
	var b []byte
	for {
		var path ice.Path
		if b, path = from.AppendPacket(now, b[:0]); len(b) == 0 {
			from.pump(now)
			return packets
		}
		packets++
		if !lose {
			to.Receive(now, ice.Path{Local: path.Remote, Remote: path.Local}, b)
		}
	}
}

// settle lets two cores talk until both are silent.
func settle(now time.Time, a, z *core) {
	for carry(now, a, z, false)+carry(now, z, a, false) > 0 {
	}
}

// quietCores returns two connected stacks that have nothing left to say.
func quietCores(t *testing.T) (n *netsim.Network, a, z *simPeer) {
	n, a, z = connectedCores(t)
	n.Run(func() bool { return false }, time.Second)
	return n, a, z
}

// An association that the peer has ended is the end of data channels: nobody
// may wait for one that can't come.
func TestNoChannelWithoutAnAssociation(t *testing.T) {
	n, a, z := quietCores(t)
	d := z.pc.core.acceptChannel()
	z.pc.core.sctp.Abort(n.Now(), "enough")
	settle(n.Now(), &a.pc.core, &z.pc.core)
	ctx := within(t, 5*time.Second)
	for who, pc := range map[string]*PeerConnection{"the peer": a.pc, "whoever ended it": z.pc} {
		if _, err := pc.CreateDataChannel("late", nil); err == nil {
			t.Errorf("%s makes a channel that can never open", who)
		}
		if _, err := pc.AcceptDataChannel(ctx); err == nil || ctx.Err() != nil {
			t.Errorf("%s waits for a channel that can never come: %v", who, err)
		}
	}
	if d.state != DataChannelClosed {
		t.Errorf("the channel is %v without an association", d.state)
	}
}

// What nobody reads from a channel that was closed does not take the receive
// window from the other channels.
func TestClosedChannelFreesTheWindow(t *testing.T) {
	for _, closer := range []string{"we", "the peer"} {
		n, a, z := quietCores(t)
		now := n.Now()
		whole := z.pc.core.sctp.Stats().ReceiveWindow
		dz := z.pc.core.acceptChannel()
		da := a.pc.core.channels[dz.id]
		for range 8 {
			if err := a.pc.core.send(now, da, Binary, make([]byte, 64<<10)); err != nil {
				t.Fatal(err)
			}
		}
		settle(now, &a.pc.core, &z.pc.core)
		if window := z.pc.core.sctp.Stats().ReceiveWindow; window > whole-512<<10 {
			t.Fatalf("512 kB wait unread, and the window is %d of %d", window, whole)
		}
		if closer == "we" {
			z.pc.core.closeChannel(now, dz)
			// What was there before can still be read; what comes now is dropped.
			if err := a.pc.core.send(now, da, Binary, []byte("late")); err != nil {
				t.Fatal(err)
			}
			settle(now, &a.pc.core, &z.pc.core)
			if len(dz.inbox)-dz.inboxRead != 8 {
				t.Errorf("%d messages can be read after Close, 8 had come before", len(dz.inbox)-dz.inboxRead)
			}
			for range 8 {
				if m, err := dz.ReadMessage(t.Context()); err != nil || len(m.Data) != 64<<10 {
					t.Fatalf("%d bytes, %v", len(m.Data), err)
				}
			}
		} else {
			a.pc.core.closeChannel(now, da)
			settle(now, &a.pc.core, &z.pc.core)
			if dz.state != DataChannelClosed {
				t.Fatalf("the channel is %v", dz.state)
			}
			// One is read, the program forgets the others.
			if _, err := dz.ReadMessage(t.Context()); err != nil {
				t.Fatal(err)
			}
			dz = nil
			for range 100 {
				runtime.GC()
				time.Sleep(time.Millisecond)
				if z.pc.Stats().SCTPTransport.Detail.ReceiveWindow >= whole-4096 {
					break
				}
			}
		}
		if window := z.pc.Stats().SCTPTransport.Detail.ReceiveWindow; window < whole-4096 {
			t.Errorf("%s closed the channel, and the window stays %d of %d", closer, window, whole)
		}
	}
}

// Close wakes a reader at once, however long the peer takes to answer.
func TestCloseWakesTheReader(t *testing.T) {
	n, _, z := quietCores(t)
	dz := z.pc.core.acceptChannel()
	read := make(chan error)
	go func() {
		_, err := dz.ReadMessage(context.Background())
		read <- err
	}()
	time.Sleep(10 * time.Millisecond)
	z.pc.mu.Lock()
	z.pc.core.closeChannel(n.Now(), dz)
	z.pc.mu.Unlock()
	select {
	case err := <-read:
		if err != io.EOF {
			t.Errorf("the reader gets %v, want io.EOF", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the reader still waits")
	}
}

// The peer takes a stream into use again as soon as it knows that both
// directions were reset. Its DATA_CHANNEL_OPEN may overtake what tells us so.
func TestStreamReusedBeforeWeKnow(t *testing.T) {
	n, sa, sz := quietCores(t)
	now := n.Now()
	a, z := &sa.pc.core, &sz.pc.core
	old := z.acceptChannel()
	da := a.channels[old.id]
	a.closeChannel(now, da)
	carry(now, a, z, false) // a's reset
	carry(now, z, a, false) // done, and z's own
	carry(now, a, z, true)  // done: lost
	if da.state != DataChannelClosed || old.state != DataChannelClosing {
		t.Fatalf("the channel is %v and %v", da.state, old.state)
	}
	again, err := newChannel("again", nil)
	if err != nil {
		t.Fatal(err)
	}
	da = a.newDataChannel(again)
	if err := a.addChannel(now, da); err != nil {
		t.Fatal(err)
	}
	if da.id != old.id {
		t.Fatalf("stream %d, and not %d again", da.id, old.id)
	}
	if err := a.send(now, da, Text, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	settle(now, a, z)
	if len(z.unaccepted) != 1 || old.state != DataChannelClosed {
		t.Fatalf("%d new channels have come, the old one is %v", len(z.unaccepted), old.state)
	}
	dz := z.acceptChannel()
	if len(dz.inbox) != 1 {
		t.Errorf("%d messages came with the channel", len(dz.inbox))
	}
	if err := z.send(now, dz, Text, []byte("hello yourself")); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		now = now.Add(500 * time.Millisecond)
		a.Advance(now)
		z.Advance(now)
		settle(now, a, z)
	}
	if !da.heard || len(da.inbox) != 1 || string(da.inbox[0].data) != "hello yourself" || dz.state != DataChannelOpen {
		t.Errorf("acknowledged %v, %d messages, channel %v", da.heard, len(da.inbox), dz.state)
	}
}

// A channel that has no stream at the peer ends with an error, and does not
// swallow what is written.
func TestPeerWithFewStreams(t *testing.T) {
	n, sa, _ := quietCores(t)
	a := &sa.pc.core
	// An association of z's that takes four streams in, as a peer may.
	a.sctp = sctp.New(sctp.Config{Rand: rand.NewChaCha8([32]byte{1}), OutStreams: 4})
	ch, _ := newChannel("beyond", &DataChannelOptions{Negotiated: true, ID: 10})
	d := a.newDataChannel(ch)
	if err := a.addChannel(n.Now(), d); err != nil {
		t.Fatal(err)
	}
	if err := sa.pc.core.send(n.Now(), d, Text, []byte("x")); err == nil {
		t.Error("a message on a stream that the peer does not have is taken")
	}
	for i := range 4 {
		ch, _ := newChannel("auto", nil)
		d := a.newDataChannel(ch)
		a.addChannel(n.Now(), d)
		if want := d.hasID && d.id < 4; (d.state != DataChannelClosed) != want {
			t.Errorf("channel %d on stream %d is %v", i, d.id, d.state)
		}
	}
}

// A message that was written before the peer's max-message-size was known is
// not sent if it is larger.
func TestEarlyMessageLargerThanThePeerTakes(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	d, _ := a.CreateDataChannel("x", nil)
	if err := d.Send(make([]byte, 60000)); err != nil {
		t.Fatal(err)
	}
	offer, _ := a.CreateOffer(nil)
	if err := a.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	if err := z.SetRemoteDescription(*a.LocalDescription()); err != nil {
		t.Fatal(err)
	}
	if err := z.SetLocalDescription(SessionDescription{}); err != nil {
		t.Fatal(err)
	}
	answer := *z.LocalDescription()
	answer.SDP = strings.Replace(answer.SDP, "a=max-message-size:16777216", "a=max-message-size:1000", 1)
	if err := a.SetRemoteDescription(answer); err != nil {
		t.Fatal(err)
	}
	if err := d.Opened(ctx); !errors.Is(err, ErrMessageTooLarge) {
		t.Errorf("the channel whose first message the peer can't take: %v", err)
	}
}

// Read gives bytes: an empty message has none, and does not look like the end.
func TestReadPassesOverEmptyMessages(t *testing.T) {
	n, a, z := quietCores(t)
	dz := z.pc.core.acceptChannel()
	da := a.pc.core.channels[dz.id]
	for _, text := range []string{"", "", "ab", "", "c"} {
		a.pc.core.send(n.Now(), da, Binary, []byte(text))
	}
	a.pc.core.closeChannel(n.Now(), da)
	settle(n.Now(), &a.pc.core, &z.pc.core)
	var b [1]byte
	for _, want := range "abc" {
		if k, err := dz.Read(b[:]); k != 1 || err != nil || b[0] != byte(want) {
			t.Fatalf("read %d bytes %q, %v; want %q", k, b[:k], err, want)
		}
	}
	if k, err := dz.Read(b[:]); k != 0 || err != io.EOF {
		t.Errorf("at the end: %d, %v", k, err)
	}
}

// The closed state is the last: nobody may wait for another one.
func TestNoStateAfterClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pc := quietPeer(t, 1)
		pc.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := pc.NextConnectionState(ctx, ConnectionClosed); !errors.Is(err, ErrClosed) {
			t.Errorf("error %v, want one that wraps ErrClosed", err)
		}
	})
}

// Close gives back what the stack holds, though the program keeps the connection.
func TestCloseFreesTheStack(t *testing.T) {
	ctx := within(t, 60*time.Second)
	a, z := newPeer(t, Config{}), newPeer(t, Config{})
	da, dz := connect(t, ctx, a, z)
	if err := da.SendText("unread"); err != nil {
		t.Fatal(err)
	}
	if err := dz.SendText("unread too"); err != nil {
		t.Fatal(err)
	}
	if m, err := dz.ReadMessage(ctx); err != nil || string(m.Data) != "unread" {
		t.Fatal(err)
	}
	for a.Stats().DataChannels[0].MessagesReceived == 0 {
		time.Sleep(time.Millisecond)
	}
	a.Close()
	if a.core.sctp != nil || a.core.dtls != nil {
		t.Error("a closed connection keeps its association and its keys")
	}
	if m, err := da.ReadMessage(ctx); err != nil || string(m.Data) != "unread too" {
		t.Errorf("what had come before Close reads as %q, %v", m.Data, err)
	}
	if _, err := da.ReadMessage(ctx); err != io.EOF {
		t.Errorf("after the last message: %v", err)
	}
	a.Stats()
}

// What was not sent when the connection ended stays in the buffered amount, as
// W3C has it, and is not taken for sent.
func TestUnsentIsNotSent(t *testing.T) {
	for _, connected := range []bool{false, true} {
		n, a, z := quietCores(t)
		dz := z.pc.core.acceptChannel()
		d := a.pc.core.channels[dz.id]
		if !connected {
			a.pc = quietPeer(t, 1)
			d, _ = a.pc.CreateDataChannel("x", nil)
		}
		if err := a.pc.core.send(n.Now(), d, Binary, make([]byte, 100000)); err != nil {
			t.Fatal(err)
		}
		waited := make(chan error)
		go func() { waited <- d.WaitBufferedAmountLow(context.Background()) }()
		time.Sleep(10 * time.Millisecond)
		a.pc.Close()
		if err := <-waited; !errors.Is(err, ErrDataChannelClosed) {
			t.Errorf("connected %v: waiting for what was never sent ends with %v", connected, err)
		}
		if err := d.WaitBufferedAmountLow(context.Background()); err == nil || d.BufferedAmount() < 50000 {
			t.Errorf("connected %v: buffered amount %d after the end, error %v", connected, d.BufferedAmount(), err)
		}
	}
}

// After the peer has reset its stream, what comes on it is of the stream's next
// use, and not one more message of the channel that was closed.
func TestNothingAfterTheEnd(t *testing.T) {
	n, sa, sz := quietCores(t)
	now := n.Now()
	a, z := &sa.pc.core, &sz.pc.core
	options := &DataChannelOptions{Negotiated: true, ID: 500}
	make := func(c *core) *DataChannel {
		ch, err := newChannel("negotiated", options)
		if err != nil {
			t.Fatal(err)
		}
		d := c.newDataChannel(ch)
		if err := c.addChannel(now, d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	da, old := make(a), make(z)
	a.send(now, da, Text, []byte("last words"))
	settle(now, a, z)
	a.closeChannel(now, da)
	carry(now, a, z, false) // a's reset
	carry(now, z, a, false) // done, and z's own
	carry(now, a, z, true)  // done: lost
	if err := a.send(now, make(a), Text, []byte("of the next use")); err != nil {
		t.Fatal(err)
	}
	settle(now, a, z)
	if m, err := old.ReadMessage(t.Context()); err != nil || string(m.Data) != "last words" {
		t.Fatalf("%q, %v", m.Data, err)
	}
	if m, err := old.ReadMessage(t.Context()); err != io.EOF {
		t.Errorf("after the end: %q, %v", m.Data, err)
	}
}

// A reader that is always a message behind does not make the inbox grow.
func TestInboxDoesNotGrow(t *testing.T) {
	n, sa, sz := quietCores(t)
	now := n.Now()
	dz := sz.pc.core.acceptChannel()
	da := sa.pc.core.channels[dz.id]
	for i := range 20_000 {
		if err := sa.pc.core.send(now, da, Binary, []byte{1}); err != nil {
			t.Fatal(err)
		}
		settle(now, &sa.pc.core, &sz.pc.core)
		if now = now.Add(time.Millisecond); i < 10 {
			continue
		}
		m := dz.inbox[dz.inboxRead]
		dz.take()
		sz.pc.core.release(now, m)
	}
	if unread := len(dz.inbox) - dz.inboxRead; unread != 10 || cap(dz.inbox) > 64 {
		t.Errorf("%d messages wait in an inbox for %d", unread, cap(dz.inbox))
	}
}
