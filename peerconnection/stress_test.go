package peerconnection

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// Everything at once, and then Close in the midst of it: whoever waits comes
// back, nobody deadlocks, and the race detector has nothing to say.
func TestEverythingAtOnce(t *testing.T) {
	mux, err := ListenUDPMux(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer mux.Close()
	for round := range 6 {
		ctx := within(t, 60*time.Second)
		a, z := newPeer(t, Config{}), newPeer(t, Config{Mux: mux})
		da, dz := connect(t, ctx, a, z)
		var all sync.WaitGroup
		stopped := make(chan struct{})
		// repeat calls do until it fails or the round is over.
		repeat := func(do func() error) {
			all.Go(func() {
				for do() == nil {
					select {
					case <-stopped:
						return
					default:
					}
				}
			})
		}
		never := context.Background()
		for _, d := range []*DataChannel{da, dz} {
			for range 2 { // several in the same call
				repeat(func() error { return d.WriteMessage(never, Binary, make([]byte, rand.IntN(30000))) })
				repeat(func() error { _, err := d.ReadMessage(never); return err })
				repeat(func() error { _, err := d.Read(make([]byte, 1000)); return err })
				repeat(func() error { return d.WaitBufferedAmountLow(never) })
			}
			repeat(func() error {
				d.SetBufferedAmountLowThreshold(rand.IntN(1 << 20))
				d.ReadyState()
				return d.Opened(never)
			})
		}
		for _, pc := range []*PeerConnection{a, z} {
			repeat(func() error {
				d, err := pc.AcceptDataChannel(never)
				if err == nil {
					all.Go(func() { io.Copy(d, d); d.Close() })
				}
				return err
			})
			repeat(func() error {
				d, err := pc.CreateDataChannel("short", &DataChannelOptions{Unordered: true})
				if err != nil {
					return err
				}
				d.SendText("x")
				d.ReadMessage(never)
				return d.Close()
			})
			repeat(func() error { pc.Stats(); pc.LocalDescription(); time.Sleep(time.Millisecond); return pc.Err() })
			all.Go(func() {
				for s := pc.ConnectionState(); s != ConnectionClosed; {
					s, _ = pc.NextConnectionState(never, s)
				}
			})
			all.Go(func() { <-pc.Done(); pc.WaitConnected(never); pc.GatheringComplete(never) })
		}
		all.Go(func() {
			for _, o := range []*OfferOptions{nil, {ICERestart: true}, {ICERestart: true}} {
				time.Sleep(20 * time.Millisecond)
				if signalOnce(a, z, o) != nil {
					return
				}
			}
		})
		if round%2 == 0 {
			all.Go(func() { time.Sleep(50 * time.Millisecond); da.Close() })
		}
		time.Sleep(time.Duration(80+20*round) * time.Millisecond)
		close(stopped)
		all.Go(func() { a.Close() })
		if round%3 == 0 {
			select { // z learns of it from a, unless the datagram is lost
			case <-z.Done():
			case <-time.After(time.Second):
			}
		}
		all.Go(func() { z.Close() })
		done := make(chan struct{})
		go func() { all.Wait(); close(done) }()
		select {
		case <-done:
		case <-ctx.Done():
			panic(fmt.Sprintf("round %d: somebody still waits; see the goroutines", round))
		}
	}
	if len(mux.members)+len(mux.routes) != 0 {
		t.Errorf("%d members and %d routes are left", len(mux.members), len(mux.routes))
	}
}

// signalOnce is signal for those who may be interrupted.
func signalOnce(a, z *PeerConnection, o *OfferOptions) error {
	offer, err := a.CreateOffer(o)
	if err == nil {
		err = a.SetLocalDescription(offer)
	}
	if err == nil {
		err = z.SetRemoteDescription(*a.LocalDescription())
	}
	if err == nil {
		err = z.SetLocalDescription(SessionDescription{})
	}
	if err == nil {
		err = a.SetRemoteDescription(*z.LocalDescription())
	}
	return err
}
