package main

import (
	"context"
	"errors"
	"net/netip"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// plainStack is ours as it comes, but that it uses the loopback address.
var plainStack = stack{name: "plainrtc", module: "github.com/plainrtc/plainrtc", connect: connectPlain, connect12: connectPlain12, dtls: plainDTLS}

func connectPlain(ctx context.Context, l *link) (*pair, error) {
	return connectWith(ctx, l, peerconnection.Config{})
}

// connectPlain12 is held to the version of DTLS that Pion's connections have.
func connectPlain12(ctx context.Context, l *link) (*pair, error) {
	return connectWith(ctx, l, peerconnection.Config{MaxDTLSVersion: dtls.DTLS12})
}

func connectWith(ctx context.Context, l *link, cfg peerconnection.Config) (*pair, error) {
	cfg.Addresses = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	a, err := peerconnection.New(cfg)
	if err != nil {
		return nil, err
	}
	z, err := peerconnection.New(cfg)
	if err != nil {
		a.Close()
		return nil, err
	}
	p, err := joinPlain(ctx, a, z, l)
	if err != nil {
		a.Close()
		z.Close()
	}
	return p, err
}

// joinPlain connects a and z and opens a channel from a to z.
func joinPlain(ctx context.Context, a, z *peerconnection.PeerConnection, l *link) (*pair, error) {
	from, err := a.CreateDataChannel("bench", nil)
	if err != nil {
		return nil, err
	}
	offer, err := a.CreateOffer(nil)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(a.SetLocalDescription(offer), a.GatheringComplete(ctx)); err != nil {
		return nil, err
	}
	offer = *a.LocalDescription()
	offer.SDP = l.fromA(offer.SDP)
	if err := z.SetRemoteDescription(offer); err != nil {
		return nil, err
	}
	answer, err := z.CreateAnswer()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(z.SetLocalDescription(answer), z.GatheringComplete(ctx)); err != nil {
		return nil, err
	}
	answer = *z.LocalDescription()
	answer.SDP = l.fromZ(answer.SDP)
	if err := a.SetRemoteDescription(answer); err != nil {
		return nil, err
	}
	to, err := z.AcceptDataChannel(ctx)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(to.Opened(ctx), from.Opened(ctx)); err != nil {
		return nil, err
	}
	return &pair{
		send:    from.Send,
		receive: to.Read,
		close: func() {
			a.Close()
			z.Close()
		},
	}, nil
}
