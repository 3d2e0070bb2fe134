package peerconnection

import "slices"

// A Receiver receives one track from the peer (W3C RTCRtpReceiver).
type Receiver struct {
	pc          *PeerConnection
	transceiver *Transceiver
	track       *Track
}

// Transceiver is what the receiver is half of.
func (r *Receiver) Transceiver() *Transceiver { return r.transceiver }

// Track is the track that the peer sends, or might send one day.
func (r *Receiver) Track() *Track { return r.track }

// Streams are the ids of the peer's streams that the track is in.
func (r *Receiver) Streams() []string {
	r.pc.mu.Lock()
	defer r.pc.mu.Unlock()
	return slices.Clone(r.transceiver.streams)
}

// Parameters are the codecs and header extensions that were negotiated.
func (r *Receiver) Parameters() ReceiveParameters {
	r.pc.mu.Lock()
	defer r.pc.mu.Unlock()
	return r.pc.core.receiveParameters(r)
}
