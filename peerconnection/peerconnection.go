package peerconnection

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/plainrtc/plainrtc/dtls"
	"github.com/plainrtc/plainrtc/ice"
	"github.com/plainrtc/plainrtc/srtp"
)

// ErrClosed is wrapped by the error of a call on a connection that has ended.
var ErrClosed = errors.New("the connection is closed")

// A PeerConnection is one end of a WebRTC connection (W3C RTCPeerConnection).
// Its methods may be called by any goroutine.
//
// It is the shell around the stack's core: a lock, a clock, a timer and
// sockets. There are three doors into the core (datagrams, the timer and the
// user's calls) and each has the same form: enter, do one thing, leave. Leaving
// sends what the core wants sent and sets the timer. There is no goroutine in
// between: an idle connection is this struct and one timer.
type PeerConnection struct {
	mu   sync.Mutex
	core core

	mux                 *UDPMux
	ownMux              bool
	tcpMux              *TCPMux
	openMuxes           []*TCPMux // of simultaneous-open candidates: this connection's own, one for each address
	streams             map[ice.Path]*stream
	relays              *UDPMux // where mux is shared: the sockets to ask TURN servers from
	addresses           []netip.Addr
	accept              func(name string, addr netip.Addr) bool
	sockets             bool        // gathering has begun
	names               []serverURL // of ICE servers, to be resolved when gathering begins
	stopResolving       context.CancelFunc
	opensSimultaneously bool
	wantsRelays         bool         // there is a TURN server
	multicast           *multicaster // resolves the peer's names, and answers for ours
	lastRoute           ice.Path     // what the mux was last told of
	lastClaim           claim
	path                ice.Path // whose MTU the core was told
	timer               *time.Timer
	timerAt             time.Time // when the timer fires; zero when it is not set
	isClosed            bool
	done                chan struct{}
	doneClosed          bool
}

// New makes a PeerConnection. It opens no socket and starts no goroutine yet:
// SetLocalDescription does.
func New(cfg Config) (*PeerConnection, error) {
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	pc := &PeerConnection{mux: cfg.Mux, tcpMux: cfg.TCPMux, addresses: cfg.Addresses, accept: cfg.InterfaceFilter, opensSimultaneously: cfg.TCPSimultaneousOpen && cfg.ICETransportPolicy != ICETransportRelay, done: make(chan struct{}), multicast: &theMulticaster}
	if cfg.Certificate == nil {
		var err error
		cfg.Certificate, err = dtls.GenerateCertificate(cfg.Rand, pc.now())
		if err != nil {
			return nil, fmt.Errorf("peerconnection: no certificate could be made: %w", err)
		}
	}
	switch {
	case cfg.MaxMessageSize == 0:
		cfg.MaxMessageSize = defaultMaxMessageSize
	case cfg.MaxMessageSize < 0 || cfg.MaxMessageSize > 256<<20:
		return nil, fmt.Errorf("peerconnection: MaxMessageSize is at most 256 MiB, not %d bytes", cfg.MaxMessageSize)
	}
	switch cfg.BundlePolicy {
	case "", BundleBalanced, BundleMaxCompat, BundleMaxBundle:
	default:
		return nil, fmt.Errorf("peerconnection: BundlePolicy is balanced, max-compat or max-bundle, not %q", cfg.BundlePolicy)
	}
	if len(cfg.SRTPProfiles) == 0 {
		cfg.SRTPProfiles = defaultSRTPProfiles
	}
	for i, p := range cfg.SRTPProfiles {
		if srtp.Profile(p).KeyingMaterialLen() == 0 || slices.Contains(cfg.SRTPProfiles[:i], p) {
			return nil, fmt.Errorf("peerconnection: SRTPProfiles lists profiles of package dtls, each once, not %v", cfg.SRTPProfiles)
		}
	}
	switch cfg.ICETransportPolicy {
	case "", ICETransportAll, ICETransportRelay:
	default:
		return nil, fmt.Errorf("peerconnection: ICETransportPolicy is all or relay, not %q", cfg.ICETransportPolicy)
	}
	if cfg.MaxDTLSVersion != 0 || cfg.DTLSGroups != nil {
		if err := checkDTLS(&cfg); err != nil {
			return nil, err
		}
	}
	servers, err := parseServers(cfg.ICEServers)
	if err != nil {
		return nil, err
	}
	pc.names = pc.core.takeServers(servers)
	pc.wantsRelays = slices.ContainsFunc(servers, func(u serverURL) bool { return u.Kind == ice.TURN })
	err = pc.core.init(pc, coreConfig{
		Rand: cfg.Rand, Trace: cfg.Tracer, Certificate: cfg.Certificate, MaxMessageSize: cfg.MaxMessageSize,
		BundlePolicy: cfg.BundlePolicy, ICETransportPolicy: cfg.ICETransportPolicy, RootCAs: cfg.RootCAs, HideHostAddresses: cfg.HideHostAddresses,
		MaxDTLSVersion: cfg.MaxDTLSVersion, DTLSGroups: cfg.DTLSGroups, SRTPProfiles: slices.Clone(cfg.SRTPProfiles),
	})
	return pc, err
}

// checkDTLS finds what package dtls will not take before a handshake needs it.
func checkDTLS(cfg *Config) error {
	_, err := dtls.NewServer(dtls.Config{
		Certificate: cfg.Certificate, Rand: rand.Reader, MaxVersion: cfg.MaxDTLSVersion, Groups: cfg.DTLSGroups,
		VerifyPeer: func([]byte) error { return nil },
	})
	if err != nil {
		return fmt.Errorf("peerconnection: MaxDTLSVersion and DTLSGroups can't be used: %w", err)
	}
	return nil
}

// CreateOffer proposes a session: to be set as the local description, and sent
// to the peer (RFC 9429, Section 5.2.1).
func (pc *PeerConnection) CreateOffer(o *OfferOptions) (SessionDescription, error) {
	now := pc.enter()
	defer pc.leave(now)
	return pc.core.createOffer(o)
}

// CreateAnswer answers the peer's offer: to be set as the local description,
// and sent to the peer (RFC 9429, Section 5.3.1).
func (pc *PeerConnection) CreateAnswer() (SessionDescription, error) {
	now := pc.enter()
	defer pc.leave(now)
	return pc.core.createAnswer()
}

// SetLocalDescription applies a description that CreateOffer or CreateAnswer
// made, and begins to gather candidates. A description without a type and SDP
// stands for the one that is due: an offer, or the answer to the peer's.
func (pc *PeerConnection) SetLocalDescription(d SessionDescription) error {
	now := pc.enter()
	defer pc.leave(now)
	if err := pc.core.setLocalDescription(now, d); err != nil {
		return err
	}
	if d.Type == SDPTypeRollback {
		return nil
	}
	return pc.gather(now)
}

// SetRemoteDescription applies the peer's description. Unknown attributes are
// passed over; what can't be part of a session is refused with an error that
// says why.
func (pc *PeerConnection) SetRemoteDescription(d SessionDescription) error {
	now := pc.enter()
	defer pc.leave(now)
	return pc.core.setRemoteDescription(now, d)
}

// gather opens the sockets and tells the core their addresses.
func (pc *PeerConnection) gather(now time.Time) error {
	if !pc.sockets && !pc.core.wantsCandidates() {
		return nil
	}
	if !pc.sockets {
		pc.sockets = true
		if pc.mux == nil {
			mux, err := listenOwn(pc, pc.addresses, pc.accept)
			if err != nil {
				pc.sockets = false
				return err
			}
			pc.mux, pc.ownMux = mux, true
		}
		if err := pc.listenForRelays(); err != nil {
			pc.sockets = false
			return err
		}
		pc.resolve()
	}
	if err := pc.mux.register(pc, pc.core.localUfrag()); err != nil {
		return err
	}
	if pc.core.gathering == ICEGatheringNew && pc.core.wantsCandidates() {
		if pc.relays != nil {
			pc.core.addHidden(now, pc.relays.addresses())
		}
		pc.core.tcpAddresses = nil
		if pc.tcpMux != nil {
			pc.core.tcpAddresses = pc.tcpMux.Addresses()
		}
		pc.core.tcpActive = true
		pc.listenToOpen()
		addresses := pc.mux.addresses()
		pc.core.gatherIn(now, hostNetworks(addresses), addresses, pc.mux.only == nil)
		pc.answerForNames()
	}
	for _, m := range append([]*TCPMux{pc.tcpMux}, pc.openMuxes...) {
		if m != nil {
			if err := m.register(pc, pc.core.localUfrag()); err != nil {
				return err
			}
		}
	}
	return nil
}

// GatheringComplete blocks until every local candidate is found, so that
// LocalDescription holds them all. There are none to find for a local
// description without media descriptions.
func (pc *PeerConnection) GatheringComplete(ctx context.Context) error {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	err := pc.await(ctx, &pc.core.candidateGathered, func() bool {
		return pc.core.gathering == ICEGatheringComplete || pc.core.ended || pc.core.local.newest() != nil && !pc.core.wantsCandidates()
	})
	if err == nil && pc.core.ended {
		return pc.core.endError("candidates are not gathered")
	}
	return err
}

// NextICECandidate blocks until another local candidate is found and returns
// it, to be sent to the peer. After the last one it returns io.EOF, once: there are
// more when a network comes up, and after an ICE restart, and whoever wants to tell the
// peer of these calls it again, which blocks until then.
func (pc *PeerConnection) NextICECandidate(ctx context.Context) (ICECandidate, error) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	c := &pc.core
	err := pc.await(ctx, &c.candidateGathered, func() bool {
		return len(c.localCandidates) > 0 || c.gathering == ICEGatheringComplete && !c.endTold || c.ended
	})
	switch {
	case err != nil:
		return ICECandidate{}, err
	case len(c.localCandidates) > 0:
		next := c.localCandidates[0]
		c.localCandidates = c.localCandidates[1:]
		return next, nil
	case c.ended:
		return ICECandidate{}, c.endError("no candidate will come")
	}
	c.endTold = true
	return ICECandidate{}, io.EOF
}

// ICECandidateErrors are the failures of ICE servers so far, the oldest first.
func (pc *PeerConnection) ICECandidateErrors() []ICECandidateError {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return slices.Clone(pc.core.candidateErrors)
}

// AddICECandidate adds one of the peer's candidates. One without a Candidate
// says that no more follow.
func (pc *PeerConnection) AddICECandidate(candidate ICECandidate) error {
	now := pc.enter()
	defer pc.leave(now)
	return pc.core.addICECandidate(now, candidate)
}

// RestartICE makes the next offer one that looks for paths anew, with new
// credentials (RFC 8445, Section 9). The connection goes on meanwhile. Before
// there is a local description there is nothing to restart.
func (pc *PeerConnection) RestartICE() {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	pc.core.restartWanted = pc.core.local.newest() != nil
	pc.core.mediaChanged()
}

// CreateDataChannel makes a data channel. It may be written to at once; what is
// written is sent when the connection is there.
func (pc *PeerConnection) CreateDataChannel(label string, o *DataChannelOptions) (*DataChannel, error) {
	ch, err := newChannel(label, o)
	if err != nil {
		return nil, err
	}
	now := pc.enter()
	defer pc.leave(now)
	if pc.core.noChannels() {
		return nil, pc.core.endError("no data channel can be made")
	}
	d := pc.core.newDataChannel(ch)
	if err := pc.core.addChannel(now, d); err != nil {
		return nil, err
	}
	pc.core.mediaChanged()
	return d, nil
}

// AcceptDataChannel blocks until the peer has made a data channel and returns
// it. When the connection has ended, or the peer has ended the association that
// its data channels run over, it returns an error that wraps ErrClosed.
func (pc *PeerConnection) AcceptDataChannel(ctx context.Context) (*DataChannel, error) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	c := &pc.core
	err := pc.await(ctx, &c.channelAccepted, func() bool { return len(c.unaccepted) > 0 || c.noChannels() })
	switch {
	case err != nil:
		return nil, err
	case len(c.unaccepted) > 0:
		return c.acceptChannel(), nil
	}
	return nil, c.endError("no data channel will come")
}

// SignalingState is the state of the offer/answer exchange now.
func (pc *PeerConnection) SignalingState() SignalingState {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.signaling
}

// ConnectionState is the state of the whole connection now.
func (pc *PeerConnection) ConnectionState() ConnectionState {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.state
}

// ICEConnectionState is the state of the search for a path now.
func (pc *PeerConnection) ICEConnectionState() ICEConnectionState {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return iceConnectionState(pc.core.iceState)
}

// ICEGatheringState is the state of the search for local candidates now.
func (pc *PeerConnection) ICEGatheringState() ICEGatheringState {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.gathering
}

// NextConnectionState blocks until the connection's state differs from the
// given one and returns it. No state follows ConnectionClosed: waiting for one
// is an error that wraps ErrClosed. A loop over it sees every state that lasts:
//
//	for s := pc.ConnectionState(); s != peerconnection.ConnectionClosed; {
//		s, err = pc.NextConnectionState(ctx, s)
//		…
//	}
func (pc *PeerConnection) NextConnectionState(ctx context.Context, from ConnectionState) (ConnectionState, error) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	err := pc.await(ctx, &pc.core.stateChanged, func() bool { return pc.core.state != from || from == ConnectionClosed })
	if err == nil && pc.core.state == from {
		err = pc.core.endError("no state follows")
	}
	return pc.core.state, err
}

// WaitConnected blocks until the connection is there, and returns an error that
// says why when it has failed or was closed.
func (pc *PeerConnection) WaitConnected(ctx context.Context) error {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	err := pc.await(ctx, &pc.core.stateChanged, func() bool {
		return pc.core.state == ConnectionConnected || pc.core.state >= ConnectionFailed
	})
	switch {
	case err != nil:
		return fmt.Errorf("peerconnection: not connected (ICE is %v, signaling %v): %w", pc.core.iceState, pc.core.signaling, err)
	case pc.core.state == ConnectionFailed && pc.core.endedErr == nil:
		return errors.New("peerconnection: not connected: no pair of candidates works; is UDP blocked between the two?")
	case pc.core.state >= ConnectionFailed:
		return pc.core.endError("not connected")
	}
	return nil
}

// Done is closed when the connection has ended for good: by Close, by the peer,
// or because the handshake failed. A connection whose paths are lost has not
// ended: an ICE restart may bring it back.
func (pc *PeerConnection) Done() <-chan struct{} { return pc.done }

// Err is why the connection has ended: nil before that, and when Close ended it.
func (pc *PeerConnection) Err() error {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.endedErr
}

// Close ends the connection, telling the peer as well as one datagram can, and
// frees what it holds. It returns at once. What was written and not sent is
// lost: a program that minds closes its data channels first and waits for them.
func (pc *PeerConnection) Close() error {
	now := pc.enter()
	if pc.isClosed {
		pc.mu.Unlock()
		return nil
	}
	pc.core.close(now)
	pc.flush(now)
	pc.core.stop(now)
	pc.flush(now)
	pc.isClosed = true
	if pc.stopResolving != nil {
		pc.stopResolving()
	}
	if pc.timer != nil {
		pc.timer.Stop()
	}
	pc.withdrawNames()
	mux, own, relays, openMuxes := pc.mux, pc.ownMux, pc.relays, pc.openMuxes
	pc.leave(now)
	pc.mu.Lock()
	pc.hangUpAll()
	pc.mu.Unlock()
	if pc.tcpMux != nil {
		pc.tcpMux.forget(pc)
	}
	for _, m := range openMuxes {
		m.Close()
	}
	if mux == nil {
		return nil
	}
	mux.forget(pc)
	if own {
		return mux.Close()
	}
	if relays != nil {
		return relays.Close()
	}
	return nil
}

// iceConnectionState gives ICE's state W3C's name.
func iceConnectionState(s ice.State) ICEConnectionState {
	switch s {
	case ice.StateChecking:
		return ICEConnectionChecking
	case ice.StateConnected:
		return ICEConnectionConnected
	case ice.StateCompleted:
		return ICEConnectionCompleted
	case ice.StateDisconnected:
		return ICEConnectionDisconnected
	case ice.StateFailed:
		return ICEConnectionFailed
	case ice.StateClosed:
		return ICEConnectionClosed
	}
	return ICEConnectionNew
}
