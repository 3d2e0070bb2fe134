package interop

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/plainrtc/plainrtc/interop/browser"
)

// echoOnce connects two peers, sends a text and a binary message there and
// back, and tells its errors.
func echoOnce(ctx context.Context, offerer, answerer peer, texts, binaries message) error {
	near, err := offerer.Create(ctx, "one of many", channelOptions{})
	if err != nil {
		return err
	}
	if _, _, err := connected(ctx, offerer, answerer, signalling{}); err != nil {
		return err
	}
	far, err := answerer.Accept(ctx)
	if err != nil {
		return fmt.Errorf("accepting the channel: %w", err)
	}
	if err := errors.Join(near.Opened(ctx), far.Opened(ctx)); err != nil {
		return err
	}
	return errors.Join(
		carried(ctx, near, far, texts, binaries),
		carried(ctx, far, near, binaries, texts))
}

func TestFiftyConnectionsOneAfterAnother(t *testing.T) {
	r, m := testRand(), newMux(t)
	page := openPage(t, browser.Chromium(t))
	for i := range 50 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		offerer, answerer := peer(newPagePeer(t, page)), m.NewPeer(t)
		if i%2 == 1 {
			offerer, answerer = answerer, offerer
		}
		if err := echoOnce(ctx, offerer, answerer, text(r, 100), binary(r, 10_000)); err != nil {
			t.Fatalf("connection %d of 50: %v", i+1, err)
		}
		if err := errors.Join(offerer.Close(ctx), answerer.Close(ctx)); err != nil {
			t.Fatalf("closing connection %d of 50: %v", i+1, err)
		}
		cancel()
	}
}

func TestTwentyConnectionsAtOnce(t *testing.T) {
	ctx, r, m := testContext(t), testRand(), newMux(t)
	page := openPage(t, browser.Chromium(t))
	type pair struct {
		offerer, answerer peer
		text, binary      message
	}
	var pairs []pair
	for i := range 20 {
		p := pair{newPagePeer(t, page), m.NewPeer(t), text(r, 1000+i), binary(r, 50_000+i)}
		if i%2 == 1 {
			p.offerer, p.answerer = p.answerer, p.offerer
		}
		pairs = append(pairs, p)
	}
	atOnce(t, len(pairs), func(i int) error {
		p := pairs[i]
		return echoOnce(ctx, p.offerer, p.answerer, p.text, p.binary)
	})
}
