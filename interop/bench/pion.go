package main

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// pionStack is Pion as it comes, but that it uses the loopback address, and only
// that. For throughput its channels are detached and at most a MiB is buffered,
// as its documentation recommends; else messages go to a handler, as they do in
// most programs, which costs a goroutine and a buffer of 64 KiB a channel.
var pionStack = stack{
	name: "Pion", module: "github.com/pion/webrtc/v4",
	connect:     func(ctx context.Context, l *link) (*pair, error) { return connectPion(ctx, l, false) },
	connectFast: func(ctx context.Context, l *link) (*pair, error) { return connectPion(ctx, l, true) },
	dtls:        pionDTLS,
}

// pionBuffered and pionLow are from its example data-channels-flow-control.
const (
	pionBuffered = 1 << 20
	pionLow      = 512 << 10
)

func newPion(detach bool) (*webrtc.PeerConnection, error) {
	var e webrtc.SettingEngine
	if detach {
		e.DetachDataChannels()
	}
	e.SetIncludeLoopbackCandidate(true)
	e.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	return webrtc.NewAPI(webrtc.WithSettingEngine(e)).NewPeerConnection(webrtc.Configuration{})
}

func connectPion(ctx context.Context, l *link, detach bool) (*pair, error) {
	a, err := newPion(detach)
	if err != nil {
		return nil, err
	}
	z, err := newPion(detach)
	if err != nil {
		a.Close()
		return nil, err
	}
	p, err := joinPion(ctx, a, z, l, detach)
	if err != nil {
		a.Close()
		z.Close()
	}
	return p, err
}

// joinPion connects a and z and opens a channel from a to z.
func joinPion(ctx context.Context, a, z *webrtc.PeerConnection, l *link, detach bool) (*pair, error) {
	near, err := a.CreateDataChannel("bench", nil)
	if err != nil {
		return nil, err
	}
	opened, accepted := make(chan openPion, 1), make(chan openPion, 1)
	near.OnOpen(func() { opened <- usePion(near, detach) })
	z.OnDataChannel(func(far *webrtc.DataChannel) {
		far.OnOpen(func() { accepted <- usePion(far, detach) })
	})

	offer, err := a.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	if err := describePion(ctx, a, offer); err != nil {
		return nil, err
	}
	offer = *a.LocalDescription()
	offer.SDP = l.fromA(offer.SDP)
	if err := z.SetRemoteDescription(offer); err != nil {
		return nil, err
	}
	answer, err := z.CreateAnswer(nil)
	if err != nil {
		return nil, err
	}
	if err := describePion(ctx, z, answer); err != nil {
		return nil, err
	}
	answer = *z.LocalDescription()
	answer.SDP = l.fromZ(answer.SDP)
	if err := a.SetRemoteDescription(answer); err != nil {
		return nil, err
	}

	var from, to openPion
	for from.write == nil || to.write == nil {
		select {
		case from = <-opened:
		case to = <-accepted:
		case <-ctx.Done():
			return nil, fmt.Errorf("the channel does not open: %w", ctx.Err())
		}
	}

	drained := make(chan struct{}, 1)
	near.SetBufferedAmountLowThreshold(pionLow)
	near.OnBufferedAmountLow(func() {
		select {
		case drained <- struct{}{}:
		default:
		}
	})
	return &pair{
		send: func(message []byte) error {
			if near.BufferedAmount() > pionBuffered {
				<-drained
			}
			return from.write(message)
		},
		receive: to.read,
		close: func() {
			var wg sync.WaitGroup
			wg.Go(func() { a.GracefulClose() })
			wg.Go(func() { z.GracefulClose() })
			wg.Wait()
		},
	}, nil
}

// openPion is an open channel.
type openPion struct {
	write func([]byte) error
	read  func([]byte) (int, error)
}

func usePion(dc *webrtc.DataChannel, detach bool) openPion {
	if detach {
		d, err := dc.Detach()
		if err != nil {
			panic("BUG: an open channel can be detached: " + err.Error())
		}
		return openPion{
			write: func(b []byte) error { _, err := d.Write(b); return err },
			read:  d.Read,
		}
	}
	messages := make(chan []byte)
	dc.OnMessage(func(m webrtc.DataChannelMessage) { messages <- m.Data })
	return openPion{
		write: dc.Send,
		read:  func(b []byte) (int, error) { return copy(b, <-messages), nil },
	}
}

// describePion sets the local description and waits for all candidates.
func describePion(ctx context.Context, pc *webrtc.PeerConnection, d webrtc.SessionDescription) error {
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(d); err != nil {
		return err
	}
	select {
	case <-gathered:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("gathering: %w", ctx.Err())
	}
}
