package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/peerconnection"
)

const (
	// maxConnections bounds what clients can make a server hold.
	maxConnections = 256
	// maxChannels bounds it for one connection: each channel has a goroutine.
	maxChannels = 1024
	// setupLimit is how long an answered offer may take to become a connection.
	setupLimit = 30 * time.Second
)

// overTCPUsage is the usage of --tcp.
const overTCPUsage = "let peers come over TCP too, for whom UDP is blocked, to the ports that the answer names"

// errBusy says that maxConnections are there already.
var errBusy = errors.New("there are as many connections as this server takes; try again when some have ended")

// A badOfferError says what is wrong with an offer.
type badOfferError struct{ err error }

func (e badOfferError) Error() string { return e.err.Error() }

// An answerer answers offers. Its connections share one set of UDP sockets and
// one certificate, and it ends those that have failed.
type answerer struct {
	mux         *peerconnection.UDPMux
	tcp         *peerconnection.TCPMux // nil: nobody comes over TCP
	certificate *dtls.Certificate
	trace       trace.Sink // what else follows each connection; may be nil
	log         io.Writer

	made atomic.Int64 // connections ever, for their names

	mu          sync.Mutex
	closed      bool
	connections map[*peerconnection.PeerConnection]struct{}
	running     sync.WaitGroup // follow, accept and handle
}

func newAnswerer(addresses []netip.AddrPort, overTCP bool, sink trace.Sink, log io.Writer) (*answerer, error) {
	certificate, err := dtls.GenerateCertificate(rand.Reader, time.Now())
	if err != nil {
		return nil, err
	}
	mux, err := peerconnection.ListenUDPMux(addresses...)
	if err != nil {
		return nil, err
	}
	var tcp *peerconnection.TCPMux
	if overTCP {
		if tcp, err = peerconnection.ListenTCPMux(addresses...); err != nil {
			mux.Close()
			return nil, err
		}
	}
	return &answerer{
		mux: mux, tcp: tcp, certificate: certificate, trace: sink, log: log,
		connections: make(map[*peerconnection.PeerConnection]struct{}),
	}, nil
}

// A service is what a server does with a connection that it has answered.
type service struct {
	// channel serves one data channel that the peer has opened, until it ends, in a
	// goroutine of its own.
	channel func(context.Context, *peerconnection.DataChannel)
	// media says what is sent. It is called when an offer was applied, and before it
	// is answered.
	media func(*peerconnection.PeerConnection) error
	// run, unless it is nil, goes along with the connection, in a goroutine of its own.
	run func(context.Context, *peerconnection.PeerConnection)
}

// answer makes a connection from an offer. The connection lives until it fails
// or is closed, by whichever side. The answer has all candidates in it.
func (a *answerer) answer(ctx context.Context, offer peerconnection.SessionDescription, sink trace.Sink, s service) (*peerconnection.PeerConnection, peerconnection.SessionDescription, error) {
	name := fmt.Sprintf("connection %d", a.made.Add(1))
	var none peerconnection.SessionDescription
	config := peerconnection.Config{Certificate: a.certificate, Mux: a.mux, TCPMux: a.tcp}
	if sink != nil || a.trace != nil {
		config.Tracer = trace.New(trace.Multi(sink, a.trace), name)
	}
	pc, err := peerconnection.New(config)
	if err != nil {
		return nil, none, err
	}
	if err := a.add(pc); err != nil {
		pc.Close()
		return nil, none, err
	}
	answer, err := describe(ctx, pc, offer, s.media)
	if err != nil {
		pc.Close()
		a.remove(pc)
		return nil, none, err
	}
	a.running.Go(func() { a.follow(pc, name) })
	a.running.Go(func() { a.accept(pc, s.channel) })
	if s.run != nil {
		a.running.Go(func() { s.run(context.Background(), pc) })
	}
	return pc, answer, nil
}

// describe brings pc to the point where it has answered the offer.
func describe(ctx context.Context, pc *peerconnection.PeerConnection, offer peerconnection.SessionDescription, media func(*peerconnection.PeerConnection) error) (answer peerconnection.SessionDescription, err error) {
	if err := pc.SetRemoteDescription(offer); err != nil {
		return answer, badOfferError{err}
	}
	if err := media(pc); err != nil {
		return answer, err
	}
	answer, err = pc.CreateAnswer()
	if err != nil {
		return answer, badOfferError{err}
	}
	// Without any there is nothing to connect for.
	if !takesAnything(answer.SDP) {
		return answer, badOfferError{errors.New("there is no data channel in it, and no media of a codec that is known here; add some before the offer")}
	}
	if err := pc.SetLocalDescription(answer); err != nil {
		return answer, err
	}
	if err := pc.GatheringComplete(ctx); err != nil {
		return answer, err
	}
	return *pc.LocalDescription(), nil
}

// takesAnything reports whether a description has a section that is not rejected
// (RFC 9429, Section 5.3.1: the port of one that is is zero).
func takesAnything(sdp string) bool {
	for line := range strings.Lines(sdp) {
		if words := strings.Fields(line); strings.HasPrefix(line, "m=") && len(words) > 1 && words[1] != "0" {
			return true
		}
	}
	return false
}

// add counts a connection in; the caller removes it if it comes to nothing.
func (a *answerer) add(pc *peerconnection.PeerConnection) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errors.New("this server is ending")
	}
	if len(a.connections) >= maxConnections {
		return errBusy
	}
	a.connections[pc] = struct{}{}
	// Counted under the lock, so that close waits for what answer will start.
	a.running.Add(1)
	return nil
}

func (a *answerer) remove(pc *peerconnection.PeerConnection) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.connections, pc)
	a.running.Done()
}

// follow waits for the connection's end, and brings it about when it is lost.
func (a *answerer) follow(pc *peerconnection.PeerConnection, name string) {
	defer a.remove(pc)
	defer pc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), setupLimit)
	defer cancel()
	if err := pc.WaitConnected(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("not connected after %v", setupLimit)
		}
		say(a.log, "%s: %v", name, err)
		return
	}
	say(a.log, "%s: connected", name)
	state := peerconnection.ConnectionConnected
	for state != peerconnection.ConnectionFailed && state != peerconnection.ConnectionClosed {
		var err error
		if state, err = pc.NextConnectionState(context.Background(), state); err != nil {
			break
		}
	}
	switch {
	case pc.Err() != nil:
		say(a.log, "%s: %v", name, pc.Err())
	case state == peerconnection.ConnectionFailed:
		say(a.log, "%s: the path was lost", name)
	default:
		say(a.log, "%s: closed", name)
	}
}

// accept hands the connection's channels out until the connection ends.
func (a *answerer) accept(pc *peerconnection.PeerConnection, handle func(context.Context, *peerconnection.DataChannel)) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var open atomic.Int64
	for {
		channel, err := pc.AcceptDataChannel(ctx)
		if err != nil {
			return
		}
		if open.Add(1) > maxChannels {
			open.Add(-1)
			channel.Close()
			continue
		}
		a.running.Go(func() {
			defer open.Add(-1)
			defer channel.Close()
			handle(ctx, channel)
		})
	}
}

// close ends all connections, waits until nothing of them is left, and closes
// the sockets.
func (a *answerer) close() {
	a.mu.Lock()
	a.closed = true
	for pc := range a.connections {
		pc.Close()
	}
	a.mu.Unlock()
	a.running.Wait()
	a.mux.Close()
	if a.tcp != nil {
		a.tcp.Close()
	}
}
