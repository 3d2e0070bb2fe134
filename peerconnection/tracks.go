package peerconnection

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// The user's calls on a connection's media.

// TransceiverInit says how AddTransceiver makes a transceiver (W3C RTCRtpTransceiverInit).
type TransceiverInit struct {
	// Direction is sendrecv if empty.
	Direction Direction
	// Streams are the ids of the streams that the peer will find the track in.
	Streams []string
	// SendEncodings are the layers to send the track in; none means one, without a name.
	SendEncodings []EncodingParameters
	// ReceiveRIDs ask the peer for a simulcast of these layers. The W3C leaves that
	// to servers: those that offer need it.
	ReceiveRIDs []string
}

// A TrackEvent is a track that the peer has begun to send (W3C RTCTrackEvent).
type TrackEvent struct {
	Track       *Track
	Receiver    *Receiver
	Transceiver *Transceiver
	Streams     []string // the ids of the streams that the track is in
}

// AddTransceiver makes a transceiver that sends the track, and receives what the
// peer sends along with it. See [PeerConnection.AddTransceiverOf] for one without a track.
func (pc *PeerConnection) AddTransceiver(track *Track, init *TransceiverInit) (*Transceiver, error) {
	if track == nil {
		return nil, errors.New("peerconnection: AddTransceiver takes a track; AddTransceiverOf does without")
	}
	return pc.addTransceiver(track.kind, track, init)
}

// AddTransceiverOf makes a transceiver without a track: to receive, or to be given a
// track later by [Sender.ReplaceTrack].
func (pc *PeerConnection) AddTransceiverOf(kind Kind, init *TransceiverInit) (*Transceiver, error) {
	return pc.addTransceiver(kind, nil, init)
}

func (pc *PeerConnection) addTransceiver(kind Kind, track *Track, init *TransceiverInit) (*Transceiver, error) {
	if init == nil {
		init = new(TransceiverInit)
	}
	direction := init.Direction
	switch direction {
	case "":
		direction = DirectionSendRecv
	case DirectionSendRecv, DirectionSendOnly, DirectionRecvOnly, DirectionInactive:
	default:
		return nil, fmt.Errorf("peerconnection: a transceiver's direction is sendrecv, sendonly, recvonly or inactive, not %q", direction)
	}
	if kind != KindAudio && kind != KindVideo {
		return nil, fmt.Errorf("peerconnection: a transceiver is of audio or video, not of %q", kind)
	}
	encodings, err := checkEncodings(kind, init.SendEncodings)
	if err != nil {
		return nil, err
	}
	if err := checkStreams(init.Streams); err != nil {
		return nil, err
	}
	if len(init.ReceiveRIDs) > maxLayers {
		return nil, fmt.Errorf("peerconnection: a simulcast has %d layers at most, not %d", maxLayers, len(init.ReceiveRIDs))
	}
	for i, id := range init.ReceiveRIDs {
		if !isRID(id) || slices.Contains(init.ReceiveRIDs[:i], id) || slices.Contains(rids(encodings), id) {
			return nil, fmt.Errorf("peerconnection: a RID is 1 to 16 letters and digits, and unique, not %q", id)
		}
	}
	now := pc.enter()
	defer pc.leave(now)
	if pc.core.ended {
		return nil, pc.core.endError("no transceiver can be made")
	}
	streams := slices.Compact(slices.Sorted(slices.Values(init.Streams)))
	t := pc.core.newTransceiver(kind, direction, track, streams, encodings)
	t.receiveRIDs = slices.Clone(init.ReceiveRIDs)
	pc.core.mediaChanged()
	return t, nil
}

// AddTrack sends a track, by a transceiver that has not sent yet, or else by a new
// one. The streams are ids that the application gives meaning to: the peer finds
// the track in them.
func (pc *PeerConnection) AddTrack(track *Track, streams ...string) (*Sender, error) {
	if track == nil {
		return nil, errors.New("peerconnection: AddTrack takes a track")
	}
	if err := checkStreams(streams); err != nil {
		return nil, err
	}
	streams = slices.Compact(slices.Sorted(slices.Values(streams)))
	now := pc.enter()
	defer pc.leave(now)
	c := &pc.core
	if c.ended {
		return nil, c.endError("the track is not added")
	}
	for _, t := range c.transceivers {
		if t.sender.track == track && !t.stopping {
			return nil, fmt.Errorf("peerconnection: the track %q is sent on this connection already", track.ID())
		}
	}
	for _, t := range c.transceivers {
		if t.sender.track != nil || t.kind != track.kind || t.stopping || t.hasSent {
			continue
		}
		t.sender.setTrack(track)
		t.sender.streams = streams
		t.direction = directionOf(t.direction.bits() | DirectionSendOnly.bits())
		t.byAddTrack = true
		c.mediaChanged()
		return t.sender, nil
	}
	encodings, _ := checkEncodings(track.kind, nil)
	t := c.newTransceiver(track.kind, DirectionSendRecv, track, streams, encodings)
	t.byAddTrack = true
	c.mediaChanged()
	return t.sender, nil
}

// RemoveTrack stops sending at once, and tells the peer with the next exchange.
func (pc *PeerConnection) RemoveTrack(s *Sender) error {
	if s == nil || s.pc != pc {
		return errors.New("peerconnection: the sender is not one of this connection")
	}
	now := pc.enter()
	defer pc.leave(now)
	t := s.transceiver
	switch {
	case pc.core.ended:
		return pc.core.endError("the track is not removed")
	case t.stopping || s.track == nil:
		return nil
	}
	s.setTrack(nil)
	t.direction = directionOf(t.direction.bits() & DirectionRecvOnly.bits())
	pc.core.mediaChanged()
	return nil
}

// Transceivers are those that are not stopped, in the order in which they were made.
func (pc *PeerConnection) Transceivers() []*Transceiver {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	return pc.core.live()
}

// Senders are the senders of Transceivers.
func (pc *PeerConnection) Senders() (senders []*Sender) {
	for _, t := range pc.Transceivers() {
		senders = append(senders, t.sender)
	}
	return senders
}

// Receivers are the receivers of Transceivers.
func (pc *PeerConnection) Receivers() (receivers []*Receiver) {
	for _, t := range pc.Transceivers() {
		receivers = append(receivers, t.receiver)
	}
	return receivers
}

// AcceptTrack blocks until the peer has begun to send a track, and returns it (W3C's
// track event). One that the peer takes away and sends again is accepted again. When the
// connection has ended it returns an error that wraps ErrClosed.
func (pc *PeerConnection) AcceptTrack(ctx context.Context) (TrackEvent, error) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	c := &pc.core
	if err := pc.await(ctx, &c.trackArrived, func() bool { return len(c.unacceptedTracks) > 0 || c.ended }); err != nil {
		return TrackEvent{}, err
	}
	if len(c.unacceptedTracks) == 0 {
		return TrackEvent{}, c.endError("no track will come")
	}
	t := c.unacceptedTracks[0]
	c.unacceptedTracks = slices.Delete(c.unacceptedTracks, 0, 1)
	return TrackEvent{Track: t.receiver.track, Receiver: t.receiver, Transceiver: t, Streams: slices.Clone(t.streams)}, nil
}

// NextNegotiationNeeded blocks until there is something that the peer must learn of by
// an offer and its answer (W3C's negotiationneeded event). A loop around it is half of
// perfect negotiation:
//
//	for pc.NextNegotiationNeeded(ctx) == nil {
//		pc.SetLocalDescription(peerconnection.SessionDescription{})
//		send(*pc.LocalDescription())
//	}
func (pc *PeerConnection) NextNegotiationNeeded(ctx context.Context) error {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	c := &pc.core
	err := pc.await(ctx, &c.negotiationWanted, func() bool {
		return c.unreported && c.signaling == SignalingStable || c.ended
	})
	switch {
	case err != nil:
		return err
	case c.ended:
		return c.endError("no negotiation will be needed")
	}
	c.unreported = false
	return nil
}
