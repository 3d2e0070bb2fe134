package main

import (
	"context"
	"fmt"
	"net"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// pionStack is Pion as it comes, but that it uses the loopback address, and only
// that. In bulk its channels are detached and at most a MiB is buffered, as its
// documentation recommends; else messages go to a handler, as they do in most
// programs, which costs a goroutine and a buffer of 64 KiB a channel. It has DTLS
// 1.2 and no other.
var pionStack = stack{
	name: "Pion", module: "github.com/pion/webrtc/v4",
	port: portPion, many: 1_000,
	offer: offerPion, answer: answerPion, dtls: pionDTLS, sctp: pionSCTP,
}

// pionBuffered and pionLow are from its example data-channels-flow-control.
const (
	pionBuffered = 1 << 20
	pionLow      = 512 << 10
)

func portPion() (port, func(), error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return port{}, nil, err
	}
	mux := webrtc.NewICEUDPMux(nil, conn)
	return port{pion: mux}, func() { mux.Close() }, nil
}

func newPion(o options) (*webrtc.PeerConnection, error) {
	var e webrtc.SettingEngine
	if o.bulk {
		e.DetachDataChannels()
	}
	e.SetIncludeLoopbackCandidate(true)
	e.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	if o.port.pion != nil {
		e.SetICEUDPMux(o.port.pion)
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(e)).NewPeerConnection(webrtc.Configuration{})
}

func offerPion(ctx context.Context, o options) (*peer, error) {
	pc, err := newPion(o)
	if err != nil {
		return nil, err
	}
	opened := make(chan channel, 1)
	dc, err := pc.CreateDataChannel("bench", nil)
	if err != nil {
		return nil, err
	}
	dc.OnOpen(func() { opened <- usePion(dc, o) })
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	p, err := describePion(ctx, pc, offer, opened)
	if err != nil {
		return nil, err
	}
	p.finish = func(answer string) error {
		return pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
	}
	return p, nil
}

func answerPion(ctx context.Context, o options, offer string) (*peer, error) {
	pc, err := newPion(o)
	if err != nil {
		return nil, err
	}
	opened := make(chan channel, 1)
	pc.OnDataChannel(func(dc *webrtc.DataChannel) {
		dc.OnOpen(func() { opened <- usePion(dc, o) })
	})
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return nil, err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return nil, err
	}
	return describePion(ctx, pc, answer, opened)
}

// describePion sets the local description and waits for all candidates.
func describePion(ctx context.Context, pc *webrtc.PeerConnection, d webrtc.SessionDescription, opened chan channel) (*peer, error) {
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(d); err != nil {
		return nil, err
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return nil, fmt.Errorf("gathering: %w", ctx.Err())
	}
	return &peer{
		description: pc.LocalDescription().SDP,
		opened: func(ctx context.Context) (channel, error) {
			select {
			case c := <-opened:
				return c, nil
			case <-ctx.Done():
				return channel{}, fmt.Errorf("the channel does not open: %w", ctx.Err())
			}
		},
		close: func() { pc.GracefulClose() },
	}, nil
}

// usePion takes a channel that is open.
func usePion(dc *webrtc.DataChannel, o options) channel {
	if !o.bulk {
		messages := make(chan []byte)
		dc.OnMessage(func(m webrtc.DataChannelMessage) { messages <- m.Data })
		return channel{
			send:    dc.Send,
			receive: func(b []byte) (int, error) { return copy(b, <-messages), nil },
		}
	}
	drained := make(chan struct{}, 1)
	dc.SetBufferedAmountLowThreshold(pionLow)
	dc.OnBufferedAmountLow(func() {
		select {
		case drained <- struct{}{}:
		default:
		}
	})
	d, err := dc.Detach()
	if err != nil {
		panic("BUG: an open channel can be detached: " + err.Error())
	}
	return channel{
		send: func(message []byte) error {
			if dc.BufferedAmount() > pionBuffered {
				<-drained
			}
			_, err := d.Write(message)
			return err
		},
		receive: d.Read,
	}
}
