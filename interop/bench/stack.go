package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/plainrtc/plainrtc/peerconnection"
)

// A stack is a WebRTC implementation that makes peers in this process.
type stack struct {
	name   string
	module string // its Go module, for the version
	// offer makes a peer on the loopback address that offers a reliable, ordered
	// data channel; answer makes one that takes it.
	offer  func(ctx context.Context, o options) (*peer, error)
	answer func(ctx context.Context, o options, offer string) (*peer, error)
	// port opens a UDP port for many connections to share, and many is how many.
	port func() (port, func(), error)
	many int
	// dtls returns what connects two ends of DTLS alone; errNotSpoken if it can't.
	dtls func(kind dtlsKind) (connect func() (*dtlsPair, error), err error)
	// sctp carries bytes from one end of SCTP alone to another until so many have
	// arrived, in messages of that size; it calls begin after the first of them.
	sctp func(begin func(), warm, bytes, size int) error
}

var stacks = []stack{plainStack, pionStack}

// options are what a measurement asks of a peer.
type options struct {
	// bulk says that the stack is used as it is fastest, and otherwise as it is in
	// most programs.
	bulk bool
	// dtls12 holds it to DTLS 1.2.
	dtls12 bool
	// port has the answerer share it with others.
	port port
}

// A port is a UDP port that connections share, in the stack's own words.
type port struct {
	plain *peerconnection.UDPMux
	pion  ice.UDPMux
}

// A peer is one end of a connection.
type peer struct {
	description string                    // with all candidates in it
	finish      func(answer string) error // takes the answer; nil where we gave it
	opened      func(ctx context.Context) (channel, error)
	close       func() // returns when all of it is gone
}

// A channel is one end of a data channel.
type channel struct {
	send    func(message []byte) error // blocks while too much is buffered
	receive func(b []byte) (int, error)
}

// A pair is two connected peers, and the ends of the channel between them.
type pair struct {
	peers []*peer
	a, z  channel
}

// connectTimeout is generous: a set-up takes milliseconds, and 0.7 s over a slow path.
const connectTimeout = 30 * time.Second

// connectPair makes two peers with a data channel that both ends have open.
// Descriptions are exchanged at once. Packets travel through link unless it is nil.
func connectPair(s stack, o options, l *link) (p *pair, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	p = new(pair)
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	offerer := o
	offerer.port = port{} // it is the answerer that shares one
	a, err := s.offer(ctx, offerer)
	if err != nil {
		return nil, fmt.Errorf("offering: %w", err)
	}
	p.peers = append(p.peers, a)
	z, err := s.answer(ctx, o, l.fromA(a.description))
	if err != nil {
		return nil, fmt.Errorf("answering: %w", err)
	}
	p.peers = append(p.peers, z)
	if err = a.finish(l.fromZ(z.description)); err != nil {
		return nil, fmt.Errorf("taking the answer: %w", err)
	}
	if p.z, err = z.opened(ctx); err == nil {
		p.a, err = a.opened(ctx)
	}
	return p, err
}

func (p *pair) close() {
	var wg sync.WaitGroup
	for _, peer := range p.peers {
		wg.Go(peer.close)
	}
	wg.Wait()
}
