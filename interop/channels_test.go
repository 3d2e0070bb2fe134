package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"
)

func TestTwentyChannelsAtOnce(t *testing.T) {
	eachRole(t, func(t *testing.T, offerer, answerer peer) {
		ctx, r := testContext(t), testRand()
		// Ten that the offerer opens before there is a connection, five after, and
		// five that the answerer opens.
		var near []channel
		create := func(p peer, n int) {
			for range n {
				c, err := p.Create(ctx, fmt.Sprintf("channel %d", len(near)), channelOptions{})
				if err != nil {
					t.Fatal(err)
				}
				near = append(near, c)
			}
		}
		create(offerer, 10)
		connect(t, ctx, offerer, answerer, signalling{})
		create(offerer, 5)
		create(answerer, 5)
		far := map[string]channel{}
		for i := range near {
			p := answerer
			if i >= 15 {
				p = offerer
			}
			c, err := p.Accept(ctx)
			if err != nil {
				t.Fatalf("accepting channel %d of 20: %v", i+1, err)
			}
			info, err := c.Info(ctx)
			if err != nil {
				t.Fatal(err)
			}
			far[info.Label] = c
		}
		messages := make([][]message, len(near))
		for i := range messages {
			messages[i] = []message{text(r, 10+i), binary(r, 20_000), text(r, 1000*i)}
		}
		atOnce(t, len(near), func(i int) error {
			label := fmt.Sprintf("channel %d", i)
			if far[label] == nil {
				return fmt.Errorf("%q was not accepted", label)
			}
			for _, c := range []channel{near[i], far[label]} {
				if err := c.Opened(ctx); err != nil {
					return fmt.Errorf("%q: %w", label, err)
				}
			}
			return errors.Join(
				carried(ctx, near[i], far[label], messages[i]...),
				carried(ctx, far[label], near[i], messages[i]...))
		})
	}, chromium, pion)
}

// Both ends of a channel must agree on what it is, whatever it is.
func TestChannelOptions(t *testing.T) {
	options := []struct {
		label string
		channelOptions
	}{
		{"plain", channelOptions{}},
		{"", channelOptions{}},
		{"ünïcödé 🛰", channelOptions{Protocol: "prötöcöl"}},
		{"unordered", channelOptions{Ordered: ptr(false)}},
		{"no retransmission", channelOptions{MaxRetransmits: ptr(uint16(0))}},
		{"five retransmissions, unordered", channelOptions{Ordered: ptr(false), MaxRetransmits: ptr(uint16(5))}},
		{"half a second", channelOptions{MaxPacketLifeTime: ptr(uint16(500))}},
		{"half a second, unordered", channelOptions{Ordered: ptr(false), MaxPacketLifeTime: ptr(uint16(500))}},
	}
	eachRole(t, func(t *testing.T, offerer, answerer peer) {
		ctx, r := testContext(t), testRand()
		first, err := offerer.Create(ctx, "first", channelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		connect(t, ctx, offerer, answerer, signalling{})
		accept(t, ctx, first, answerer)
		for i, o := range options {
			from, to := offerer, answerer
			if i%2 == 1 {
				from, to = answerer, offerer
			}
			near, far := open(t, ctx, from, to, o.label, o.channelOptions)
			agree(t, ctx, near, far, channelInfo{
				Label: o.label, Protocol: o.Protocol,
				Ordered:        o.Ordered == nil || *o.Ordered,
				MaxRetransmits: o.MaxRetransmits, MaxPacketLifeTime: o.MaxPacketLifeTime,
			})
			if o.Ordered == nil {
				carry(t, ctx, near, far, text(r, 50), binary(r, 50_000), text(r, 0))
				carry(t, ctx, far, near, text(r, 50), binary(r, 50_000), text(r, 0))
			} else {
				carryUnordered(t, ctx, near, far, text(r, 50), binary(r, 50_000), text(r, 60))
				carryUnordered(t, ctx, far, near, text(r, 50), binary(r, 50_000), text(r, 60))
			}
		}
	}, chromium, pion)
}

// agree checks that both ends know a channel as want, and by the same id.
func agree(t *testing.T, ctx context.Context, near, far channel, want channelInfo) {
	t.Helper()
	n, err := near.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f, err := far.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n.ID == nil || f.ID == nil || *n.ID != *f.ID {
		t.Errorf("the ends of %q do not agree on its id:\n%v\n%v", want.Label, n, f)
	}
	want.ID = n.ID
	if !reflect.DeepEqual(n, want) {
		t.Errorf("the end that opened the channel has\n%v, want\n%v", n, want)
	}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("the end that accepted the channel has\n%v, want\n%v", f, want)
	}
}

// carryUnordered is carry for messages that may overtake one another. They must
// differ.
func carryUnordered(t *testing.T, ctx context.Context, from, to channel, messages ...message) {
	t.Helper()
	for _, m := range messages {
		if err := from.Send(ctx, m); err != nil {
			t.Fatalf("sending %v: %v", m, err)
		}
	}
	missing := messages
next:
	for range messages {
		got, err := to.Receive(ctx)
		if err != nil {
			t.Fatalf("waiting for one of %v: %v", missing, err)
		}
		for i, m := range missing {
			if got.equal(m) {
				missing = append(missing[:i:i], missing[i+1:]...)
				continue next
			}
		}
		t.Fatalf("%v arrived, want one of %v", got, missing)
	}
}

// A negotiated channel is opened by both ends, and nothing is said on the wire.
func TestNegotiatedChannel(t *testing.T) {
	eachRole(t, func(t *testing.T, offerer, answerer peer) {
		ctx, r := testContext(t), testRand()
		o := channelOptions{Negotiated: true, ID: ptr(uint16(7)), Ordered: ptr(false)}
		near, err := offerer.Create(ctx, "near", o)
		if err != nil {
			t.Fatal(err)
		}
		far, err := answerer.Create(ctx, "far", o) // labels need not agree
		if err != nil {
			t.Fatal(err)
		}
		connect(t, ctx, offerer, answerer, signalling{})
		for _, c := range []channel{near, far} {
			if err := c.Opened(ctx); err != nil {
				t.Fatal(err)
			}
			if info, err := c.Info(ctx); err != nil || info.ID == nil || *info.ID != 7 {
				t.Errorf("the channel is %v, %v; want id 7", info, err)
			}
		}
		carryUnordered(t, ctx, near, far, text(r, 10), binary(r, 10_000))
		carryUnordered(t, ctx, far, near, text(r, 10), binary(r, 10_000))
	}, chromium, pion)
}

// What was sent before a close arrives before the end.
func TestChannelCloses(t *testing.T) {
	eachStack(t, func(t *testing.T, our, their peer) {
		ctx, r := testContext(t), testRand()
		keep, err := our.Create(ctx, "keep", channelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		connect(t, ctx, our, their, signalling{})
		keepFar := accept(t, ctx, keep, their)
		for _, test := range []struct {
			name           string
			opener, closer peer
		}{
			{"we open, we close", our, our},
			{"we open, they close", our, their},
			{"they open, they close", their, their},
			{"they open, we close", their, our},
		} {
			other := map[peer]peer{our: their, their: our}
			near, far := open(t, ctx, test.opener, other[test.opener], test.name, channelOptions{})
			if test.closer != test.opener {
				near, far = far, near
			}
			last := []message{binary(r, 100_000), text(r, 5)}
			for _, m := range last {
				if err := near.Send(ctx, m); err != nil {
					t.Fatal(err)
				}
			}
			if err := near.Close(ctx); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			for _, want := range last {
				if got, err := far.Receive(ctx); err != nil || !got.equal(want) {
					t.Fatalf("%s: %v, %v arrived before the end, want %v", test.name, got, err, want)
				}
			}
			for end, c := range map[string]channel{"closing": near, "other": far} {
				if m, err := c.Receive(ctx); err != io.EOF {
					t.Fatalf("%s: the %s end received %v, %v; want io.EOF", test.name, end, m, err)
				}
			}
		}
		// The others live on, and closed ids can be used again.
		carry(t, ctx, keep, keepFar, text(r, 100))
		near, far := open(t, ctx, our, their, "again", channelOptions{})
		carry(t, ctx, near, far, text(r, 100))
	}, chromium, pion)
}

// When one end closes its connection, the other's channels end, soon.
func TestConnectionCloses(t *testing.T) {
	for _, weClose := range []bool{true, false} {
		name := "TheyClose"
		if weClose {
			name = "WeClose"
		}
		t.Run(name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, offerer, answerer peer) {
				ctx := testContext(t)
				near, err := offerer.Create(ctx, "end", channelOptions{})
				if err != nil {
					t.Fatal(err)
				}
				connect(t, ctx, offerer, answerer, signalling{})
				far := accept(t, ctx, near, answerer)
				closer, left := offerer, far
				if isOurs(answerer) == weClose {
					closer, left = answerer, near
				}
				carry(t, ctx, near, far, message{Text: true, Data: []byte("last words")})
				if err := closer.Close(ctx); err != nil {
					t.Fatal(err)
				}
				// It may be told that this was no channel's orderly end.
				if m, err := left.Receive(ctx); err == nil || ctx.Err() != nil {
					t.Errorf("the end that was left received %v, %v; want an error, and soon", m, err)
				}
			}, chromium, pion)
		})
	}
}
