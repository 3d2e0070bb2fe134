package peerconnection

import "fmt"

// An SDPType says what a session description is in the offer/answer exchange
// (RFC 9429, Section 4.1.10; W3C RTCSdpType).
type SDPType string

// The types of session description.
const (
	// SDPTypeOffer proposes a session.
	SDPTypeOffer SDPType = "offer"
	// SDPTypeProvisionalAnswer answers an offer, and may be followed by another answer.
	SDPTypeProvisionalAnswer SDPType = "pranswer"
	// SDPTypeAnswer answers an offer and ends the exchange.
	SDPTypeAnswer SDPType = "answer"
	// SDPTypeRollback takes back an offer that was set but not answered. Its SDP is empty.
	SDPTypeRollback SDPType = "rollback"
)

// A SessionDescription is one side's half of an offer/answer exchange. As JSON
// it is what a browser's JSON.stringify(description) gives.
type SessionDescription struct {
	Type SDPType `json:"type"`
	SDP  string  `json:"sdp"`
}

// An ICECandidate is one address at which a peer may be reached, as it is
// passed from peer to peer beside the descriptions (trickle ICE, RFC 8838). As
// JSON it is what a browser's JSON.stringify(candidate) gives.
type ICECandidate struct {
	// Candidate is the candidate attribute, "candidate:…" (RFC 8839, Section
	// 5.1). The empty string says that no more candidates follow.
	Candidate string `json:"candidate"`
	// SDPMid is the mid of the media description that the candidate belongs to.
	SDPMid string `json:"sdpMid"`
	// SDPMLineIndex is that media description's index, from zero.
	SDPMLineIndex uint16 `json:"sdpMLineIndex"`
	// UsernameFragment is the ICE ufrag that the candidate belongs to: a
	// candidate of an earlier generation is not used after an ICE restart. The
	// empty string means the newest.
	UsernameFragment string `json:"usernameFragment,omitempty"`
}

// OfferOptions changes what CreateOffer makes.
type OfferOptions struct {
	// ICERestart asks for new ICE credentials and so for a new search for paths.
	ICERestart bool
}

// A SignalingState says where the offer/answer exchange stands (RFC 9429,
// Section 3.2; W3C RTCSignalingState).
type SignalingState uint8

// The signaling states.
const (
	// SignalingStable waits for nobody: no exchange is under way.
	SignalingStable SignalingState = iota
	// SignalingHaveLocalOffer waits for the peer's answer.
	SignalingHaveLocalOffer
	// SignalingHaveRemoteOffer waits for our answer.
	SignalingHaveRemoteOffer
	// SignalingHaveLocalPranswer waits for our final answer.
	SignalingHaveLocalPranswer
	// SignalingHaveRemotePranswer waits for the peer's final answer.
	SignalingHaveRemotePranswer
	// SignalingClosed is the end.
	SignalingClosed
)

func (s SignalingState) String() string {
	return name(s, "stable", "have-local-offer", "have-remote-offer", "have-local-pranswer", "have-remote-pranswer", "closed")
}

// A ConnectionState is the state of the connection as a whole (W3C
// RTCPeerConnectionState).
type ConnectionState uint8

// The connection states.
const (
	// ConnectionNew has not begun to connect.
	ConnectionNew ConnectionState = iota
	// ConnectionConnecting looks for a path, or shakes hands on it.
	ConnectionConnecting
	// ConnectionConnected has a path, and keys for it.
	ConnectionConnected
	// ConnectionDisconnected has not heard from its peer for some seconds. It
	// may recover by itself.
	ConnectionDisconnected
	// ConnectionFailed has lost every path, or could not agree on keys. An ICE
	// restart may help in the first case, nothing in the second.
	ConnectionFailed
	// ConnectionClosed was ended by Close or by the peer.
	ConnectionClosed
)

func (s ConnectionState) String() string {
	return name(s, "new", "connecting", "connected", "disconnected", "failed", "closed")
}

// An ICEConnectionState is the state of the search for a path (W3C
// RTCIceConnectionState).
type ICEConnectionState uint8

// The ICE connection states.
const (
	// ICEConnectionNew waits for the remote candidates.
	ICEConnectionNew ICEConnectionState = iota
	// ICEConnectionChecking has pairs to check and none that works.
	ICEConnectionChecking
	// ICEConnectionConnected has a pair that works and may find a better one.
	ICEConnectionConnected
	// ICEConnectionCompleted has settled on a pair.
	ICEConnectionCompleted
	// ICEConnectionDisconnected has not heard from its peer for some seconds.
	ICEConnectionDisconnected
	// ICEConnectionFailed has no pair that works, and none left to check.
	ICEConnectionFailed
	// ICEConnectionClosed was closed.
	ICEConnectionClosed
)

func (s ICEConnectionState) String() string {
	return name(s, "new", "checking", "connected", "completed", "disconnected", "failed", "closed")
}

// An ICEGatheringState says whether more local candidates may be found (W3C
// RTCIceGatheringState).
type ICEGatheringState uint8

// The gathering states.
const (
	// ICEGatheringNew has not begun.
	ICEGatheringNew ICEGatheringState = iota
	// ICEGatheringGathering is under way.
	ICEGatheringGathering
	// ICEGatheringComplete has found every candidate.
	ICEGatheringComplete
)

func (s ICEGatheringState) String() string { return name(s, "new", "gathering", "complete") }

// name picks the W3C name of a state.
func name[S ~uint8](s S, names ...string) string {
	if int(s) < len(names) {
		return names[s]
	}
	return fmt.Sprintf("state %d", s)
}

// LocalDescription is the local description with the candidates gathered so
// far: the one under negotiation, or else the one in force. It is nil before there is one.
func (pc *PeerConnection) LocalDescription() *SessionDescription {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.localDescription()
}

// RemoteDescription is the remote description: the one under negotiation, or
// else the one in force. It is nil before there is one.
func (pc *PeerConnection) RemoteDescription() *SessionDescription {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.remote.newest().text()
}

// CurrentLocalDescription is the local description in force, with the candidates
// gathered so far, or nil.
func (pc *PeerConnection) CurrentLocalDescription() *SessionDescription {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.withCandidates(pc.core.local.current)
}

// PendingLocalDescription is the local description under negotiation, with the
// candidates gathered so far, or nil.
func (pc *PeerConnection) PendingLocalDescription() *SessionDescription {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.withCandidates(pc.core.local.pending)
}

// CurrentRemoteDescription is the remote description in force, or nil.
func (pc *PeerConnection) CurrentRemoteDescription() *SessionDescription {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.remote.current.text()
}

// PendingRemoteDescription is the remote description under negotiation, or nil.
func (pc *PeerConnection) PendingRemoteDescription() *SessionDescription {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.remote.pending.text()
}
