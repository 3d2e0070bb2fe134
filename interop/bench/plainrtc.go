package main

import (
	"context"
	"errors"
	"net/netip"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// plainStack is ours as it comes, but that it uses the loopback address.
var plainStack = stack{
	name: "plainrtc", module: "github.com/plainrtc/plainrtc",
	port: portPlain, many: 10_000,
	offer: offerPlain, answer: answerPlain, dtls: plainDTLS, sctp: plainSCTP,
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func portPlain() (port, func(), error) {
	mux, err := peerconnection.ListenUDPMux(netip.AddrPortFrom(loopback, 0))
	return port{plain: mux}, func() { mux.Close() }, err
}

func newPlain(o options) (*peerconnection.PeerConnection, error) {
	cfg := peerconnection.Config{Addresses: []netip.Addr{loopback}, Mux: o.port.plain}
	if o.dtls12 {
		cfg.MaxDTLSVersion = dtls.DTLS12
	}
	return peerconnection.New(cfg)
}

func offerPlain(ctx context.Context, o options) (*peer, error) {
	pc, err := newPlain(o)
	if err != nil {
		return nil, err
	}
	dc, err := pc.CreateDataChannel("bench", nil)
	if err != nil {
		return nil, err
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	p, err := describePlain(ctx, pc, offer)
	if err != nil {
		return nil, err
	}
	p.finish = func(answer string) error {
		return pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeAnswer, SDP: answer})
	}
	p.opened = func(ctx context.Context) (channel, error) { return usePlain(ctx, dc) }
	return p, nil
}

func answerPlain(ctx context.Context, o options, offer string) (*peer, error) {
	pc, err := newPlain(o)
	if err != nil {
		return nil, err
	}
	err = pc.SetRemoteDescription(peerconnection.SessionDescription{Type: peerconnection.SDPTypeOffer, SDP: offer})
	if err != nil {
		return nil, err
	}
	answer, err := pc.CreateAnswer()
	if err != nil {
		return nil, err
	}
	p, err := describePlain(ctx, pc, answer)
	if err != nil {
		return nil, err
	}
	p.opened = func(ctx context.Context) (channel, error) {
		dc, err := pc.AcceptDataChannel(ctx)
		if err != nil {
			return channel{}, err
		}
		return usePlain(ctx, dc)
	}
	return p, nil
}

func describePlain(ctx context.Context, pc *peerconnection.PeerConnection, d peerconnection.SessionDescription) (*peer, error) {
	if err := errors.Join(pc.SetLocalDescription(d), pc.GatheringComplete(ctx)); err != nil {
		return nil, err
	}
	return &peer{description: pc.LocalDescription().SDP, close: func() { pc.Close() }}, nil
}

func usePlain(ctx context.Context, dc *peerconnection.DataChannel) (channel, error) {
	return channel{send: dc.Send, receive: dc.Read}, dc.Opened(ctx)
}
