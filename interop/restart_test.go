package interop

import (
	"testing"
	"time"
)

// Either end can restart ICE; data flows on before, during and after, over the
// same DTLS and SCTP.
func TestICERestart(t *testing.T) {
	for _, trickled := range []bool{false, true} {
		name := "AllAtOnce"
		if trickled {
			name = "Trickle"
		}
		t.Run(name, func(t *testing.T) {
			eachRole(t, func(t *testing.T, offerer, answerer peer) {
				ctx, r := testContext(t), testRand()
				near, err := offerer.Create(ctx, "restart", channelOptions{})
				if err != nil {
					t.Fatal(err)
				}
				offer, answer := connect(t, ctx, offerer, answerer, signalling{trickle: trickled})
				far := accept(t, ctx, near, answerer)
				carry(t, ctx, near, far, text(r, 10))
				ufrag := map[peer]string{offerer: attribute(offer, "ice-ufrag"), answerer: attribute(answer, "ice-ufrag")}

				// First the one that offered restarts, then the other.
				for _, by := range []struct {
					who         string
					first, then peer
				}{{"offerer", offerer, answerer}, {"answerer", answerer, offerer}} {
					offer, answer := connect(t, ctx, by.first, by.then, signalling{restart: true, trickle: trickled})
					for p, sdp := range map[peer]string{by.first: offer, by.then: answer} {
						now := attribute(sdp, "ice-ufrag")
						if now == ufrag[p] {
							t.Errorf("the %s restarted ICE, and an ufrag is still %s", by.who, now)
						}
						ufrag[p] = now
						if p, ok := p.(*pagePeer); ok {
							if err := p.usesUfrag(ctx, now); err != nil {
								t.Errorf("the %s restarted ICE, and the browser does not use it: %v", by.who, err)
							}
						}
					}
					carry(t, ctx, near, far, text(r, 100), binary(r, 100_000))
					carry(t, ctx, far, near, text(r, 100), binary(r, 100_000))
				}
			}, chromium, pion)
		})
	}
}

// Offers without a restart change nothing, and are answered.
func TestRenegotiationWithoutRestart(t *testing.T) {
	eachRole(t, func(t *testing.T, offerer, answerer peer) {
		ctx, r := testContext(t), testRand()
		near, err := offerer.Create(ctx, "steady", channelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		offer, answer := connect(t, ctx, offerer, answerer, signalling{})
		far := accept(t, ctx, near, answerer)
		again, _ := connect(t, ctx, offerer, answerer, signalling{})
		back, _ := connect(t, ctx, answerer, offerer, signalling{})
		for _, name := range []string{"ice-ufrag", "fingerprint", "mid"} {
			if was, is := attribute(offer, name), attribute(again, name); is != was {
				t.Errorf("the offerer's second offer has %s:%s, the first had %s", name, is, was)
			}
			if was, is := attribute(answer, name), attribute(back, name); is != was {
				t.Errorf("the answerer's offer has %s:%s, its answer had %s", name, is, was)
			}
		}
		carry(t, ctx, near, far, text(r, 100))
		carry(t, ctx, far, near, text(r, 100))
	}, chromium, pion)
}

// A page that its user loads anew is gone, and connects again.
func TestBrowserReload(t *testing.T) {
	// If the browser says nothing it takes half a minute each time until we know.
	ctx, r := contextOf(t, 3*patience), testRand()
	first := chromium.new(t).(*pagePeer)
	m := newMux(t)
	their := first
	for range 3 {
		our := m.NewPeer(t)
		near, err := our.Create(ctx, "reload", channelOptions{})
		if err != nil {
			t.Fatal(err)
		}
		connect(t, ctx, our, their, signalling{})
		far := accept(t, ctx, near, their)
		carry(t, ctx, near, far, text(r, 1000))
		carry(t, ctx, far, near, text(r, 1000))
		start := time.Now()
		if err := first.page.Reload(ctx); err != nil {
			t.Fatal(err)
		}
		if m, err := near.Receive(ctx); err == nil {
			t.Errorf("the reloaded page sent %v on a channel that it no longer has", m)
		} else if ctx.Err() != nil {
			t.Fatalf("we did not notice for %v that the page was loaded anew", time.Since(start))
		}
		t.Logf("we noticed the reload after %v", time.Since(start))
		their = newPagePeer(t, first.page)
	}
}
