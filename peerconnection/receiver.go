package peerconnection

import "slices"

// A Receiver receives one track from the peer (W3C RTCRtpReceiver).
type Receiver struct {
	pc          *PeerConnection
	transceiver *Transceiver
	track       *Track
	layers      []*Track // of a simulcast, beside track, which is the first layer
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

// Layers are the tracks of a simulcast, one for each RID in the peer's order; without a
// simulcast there is one, whose RID is "". The first is what Track returns.
func (r *Receiver) Layers() []*Track {
	r.pc.mu.Lock()
	defer r.pc.mu.Unlock()
	return append([]*Track{r.track}, r.layers...)
}

// setLayers makes the tracks of the layers that were negotiated.
func (r *Receiver) setLayers(rids []string) {
	if len(rids) == 0 {
		return
	}
	if r.track.rid == "" {
		r.track.mu.Lock()
		r.track.rid = rids[0]
		r.track.mu.Unlock()
	}
	for _, rid := range rids {
		if r.layer(rid).rid != rid {
			r.layers = append(r.layers, &Track{kind: r.track.kind, id: r.track.id, rid: rid, receiver: r})
		}
	}
}

// layer is the track of a layer; the receiver's own for one that is not known.
func (r *Receiver) layer(rid string) *Track {
	for _, t := range r.layers {
		if t.rid == rid {
			return t
		}
	}
	return r.track
}

// rename gives all tracks the id that the peer says.
func (r *Receiver) rename(id string) {
	r.track.rename(id)
	for _, t := range r.layers {
		t.rename(id)
	}
}

// endTracks ends the receiver's tracks.
func (r *Receiver) endTracks() {
	r.track.end()
	for _, t := range r.layers {
		t.end()
	}
}
