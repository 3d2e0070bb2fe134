package peerconnection

import (
	"fmt"
	"slices"
)

// A Sender sends one track to the peer (W3C RTCRtpSender).
type Sender struct {
	pc          *PeerConnection
	transceiver *Transceiver

	// id names the track in descriptions (RFC 8830); it stays when the track is replaced.
	id      string
	track   *Track   // nil: nothing is sent
	streams []string // the ids of the streams that the peer finds the track in

	// transaction is the id of the last Parameters, "" after SetParameters.
	transaction  string
	transactions uint64
}

// Transceiver is what the sender is half of.
func (s *Sender) Transceiver() *Transceiver { return s.transceiver }

// Track is the track that is sent, or nil.
func (s *Sender) Track() *Track {
	s.pc.mu.Lock()
	defer s.pc.mu.Unlock()
	return s.track
}

// Streams are the ids of the streams that the peer will find the track in.
func (s *Sender) Streams() []string {
	s.pc.mu.Lock()
	defer s.pc.mu.Unlock()
	return slices.Clone(s.streams)
}

// SetStreams changes the streams. The peer learns of it with the next exchange.
func (s *Sender) SetStreams(streams ...string) error {
	if err := checkStreams(streams); err != nil {
		return err
	}
	now := s.pc.enter()
	defer s.pc.leave(now)
	if s.pc.core.ended {
		return s.pc.core.endError("the streams are not changed")
	}
	s.streams = slices.Compact(slices.Sorted(slices.Values(streams)))
	s.pc.core.mediaChanged()
	return nil
}

// ReplaceTrack sends another track of the same kind, or nothing if it is nil,
// from now on and without a word to the peer.
func (s *Sender) ReplaceTrack(track *Track) error {
	now := s.pc.enter()
	defer s.pc.leave(now)
	switch {
	case s.pc.core.ended:
		return s.pc.core.endError("the track is not replaced")
	case s.transceiver.stopping:
		return errStopped("its track can't be replaced")
	case track != nil && track.kind != s.transceiver.kind:
		return fmt.Errorf("peerconnection: a sender of %s can't send a track of %s", s.transceiver.kind, track.kind)
	}
	s.setTrack(track)
	return nil
}

// setTrack changes what is sent.
func (s *Sender) setTrack(track *Track) {
	if s.track == track {
		return
	}
	if s.track != nil {
		s.track.detach(s)
	}
	if s.track = track; track != nil {
		track.attach(s)
	}
}

// Parameters are how the track is encoded and sent. To change them, change the
// encodings of what is returned and hand it to SetParameters.
func (s *Sender) Parameters() SendParameters {
	s.pc.mu.Lock()
	defer s.pc.mu.Unlock()
	return s.pc.core.sendParameters(s)
}

// SetParameters changes the encodings, without a word to the peer: layers can be
// paused and limited. Neither their number nor their RIDs can be changed.
func (s *Sender) SetParameters(p SendParameters) error {
	now := s.pc.enter()
	defer s.pc.leave(now)
	return s.pc.core.setSendParameters(now, s, p)
}
