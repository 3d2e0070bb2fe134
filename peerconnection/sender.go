package peerconnection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/rtp/session"
)

// A Sender sends one track to the peer (W3C RTCRtpSender).
type Sender struct {
	pc          *PeerConnection
	transceiver *Transceiver

	// id names the track in descriptions (RFC 8830); it stays when the track is replaced.
	id      string
	track   *Track          // nil: nothing is sent
	rtp     *session.Sender // nil: nothing was negotiated to be sent
	streams []string        // the ids of the streams that the peer finds the track in
	begun   *Track          // the track that is sent now, whose source was asked for a key frame

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
	if s.rtp != nil {
		s.rtp.Follow() // each track counts its times from somewhere else
	}
	if s.track = track; track != nil {
		track.attach(s)
		if track.Remote() {
			// This has it passed on to us, sound too.
			s.pc.core.wanted = append(s.pc.core.wanted, wantedKeyframe{track, track.RID()})
		}
	}
	s.pc.core.sendersBegin()
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

// TargetBitrate is what a layer of the track is to be encoded for now, in bit/s with the headers of its packets: its part of
// what the path takes, by congestion control (package rtp/congestion). An encoder asks before each frame, or
// a few times a second, and follows; W3C has browsers do so by themselves, and no word for it. A
// forwarder chooses the layer that it passes on by it. The rid is "" where there is no simulcast.
//
// Audio comes first, up to its MaxBitrate or 64 kbit/s; then senders of video have equal parts, and their layers from the lowest
// on, each up to its MaxBitrate. What is not active, or not negotiated, has 0.
func (s *Sender) TargetBitrate(rid string) int {
	now := s.pc.enter()
	defer s.pc.mu.Unlock()
	layer := slices.IndexFunc(s.transceiver.encodings, func(e session.Encoding) bool { return e.RID == rid })
	if s.rtp == nil || layer < 0 {
		return 0
	}
	return s.rtp.TargetBitrate(now, layer)
}

// CanInsertDTMF reports whether the peer takes telephone events (W3C canInsertDTMF).
func (s *Sender) CanInsertDTMF() bool {
	s.pc.mu.Lock()
	defer s.pc.mu.Unlock()
	return s.rtp != nil && s.rtp.CanInsertDTMF()
}

// InsertDTMF plays tones to the peer (RFC 4733): keys are 0 to 9, *, #, A to D, and a comma
// for a pause of two seconds. They replace those that were not played yet; none end
// them. A tone lasts for the duration, 40 ms to 6 s and 100 ms if zero, and is followed
// by a gap, of 30 ms at least and 70 ms if zero (W3C insertDTMF).
func (s *Sender) InsertDTMF(keys string, duration, gap time.Duration) error {
	now := s.pc.enter()
	defer s.pc.leave(now)
	switch {
	case s.pc.core.ended:
		return s.pc.core.endError("no tones are played")
	case s.rtp == nil:
		return errors.New("peerconnection: no tones are played: the peer does not receive this sender's media")
	}
	if duration == 0 {
		duration = 100 * time.Millisecond
	}
	if gap == 0 {
		gap = 70 * time.Millisecond
	}
	return s.refused("no tones are played", s.rtp.InsertDTMF(now, keys, duration, gap))
}

// ToneBuffer are the keys whose tones were not begun yet (W3C toneBuffer).
func (s *Sender) ToneBuffer() string {
	s.pc.mu.Lock()
	defer s.pc.mu.Unlock()
	if s.rtp == nil {
		return ""
	}
	return s.rtp.ToneBuffer()
}

// sendersBegin asks the sources of video that has begun to be sent for a key frame: peers
// can decode nothing before it, and would ask a round trip later. It is called when
// anything has changed that sending depends on.
func (c *core) sendersBegin() {
	for _, t := range c.transceivers {
		s := t.sender
		switch {
		case s.track == nil || !s.sends(s.track):
			s.begun = nil
		case s.begun != s.track:
			s.begun = s.track
			for i := range t.encodings {
				if t.encodings[i].Active {
					c.want(s.track, t.encodings[i].RID)
				}
			}
		}
	}
}

// sends reports whether what is written to the track leaves by this sender now.
func (s *Sender) sends(t *Track) bool {
	return s.track == t && s.rtp != nil && s.rtp.Codec() != nil && s.pc.core.srtpOut != nil && !s.pc.core.ended
}

func (s *Sender) writeFrame(t *Track, f *Frame) error {
	now := s.pc.enter()
	defer s.pc.leave(now)
	if !s.sends(t) {
		return nil
	}
	if f.Codec.MimeType != "" && !f.names(t.kind, s.rtp.Codec()) {
		codecs := s.rtp.Codecs()
		i := slices.IndexFunc(codecs, func(c session.Codec) bool { return f.names(t.kind, &c) })
		if i < 0 {
			return fmt.Errorf("peerconnection: a frame of %s is not sent: the peer takes %s", f.Codec.MimeType, codecNames(codecs))
		}
		if err := s.rtp.SetCodec(codecs[i].PayloadType); err != nil {
			return s.refused("a frame of "+f.Codec.MimeType+" is not sent", err)
		}
	}
	layer := 0
	if f.RID != "" || len(s.transceiver.encodings) > 1 {
		layer = slices.IndexFunc(s.transceiver.encodings, func(e session.Encoding) bool { return e.RID == f.RID })
		if layer < 0 {
			return fmt.Errorf("peerconnection: a frame of the layer %q is not sent: the sender has %q", f.RID, rids(s.transceiver.encodings))
		}
	}
	if !s.transceiver.encodings[layer].Active {
		return nil // it rests, by SetParameters or because the peer can do without it
	}
	err := s.rtp.WriteFrame(now, layer, session.Frame{
		Data: f.Data, PTS: f.PTS, KeyFrame: f.KeyFrame, CaptureTime: f.CaptureTime, AudioLevel: f.AudioLevel,
	})
	return s.refused("a frame is not sent", err)
}

func (s *Sender) writeRTP(t *Track, p session.Packet) error {
	now := s.pc.enter()
	defer s.pc.leave(now)
	if !s.sends(t) || !s.transceiver.encodings[0].Active {
		return nil
	}
	_, err := s.rtp.WritePacket(now, 0, p)
	return s.refused("a packet is not sent", err)
}

// refused says what became of a call, and why the RTP session refused it, in terms of this package.
func (s *Sender) refused(what string, err error) error {
	why := ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, session.ErrTone):
		why = "a key is one of 0 to 9, *, #, A to D, or a comma for a pause"
	case errors.Is(err, session.ErrNoTelephone):
		why = "the peer does not take telephone events; CanInsertDTMF says so beforehand"
	case errors.Is(err, session.ErrNotSending):
		why = "the direction that was negotiated does not let this side send"
	case errors.Is(err, session.ErrCodec) && s.rtp.Codec() != nil && s.rtp.Codec().Format == 0:
		why = fmt.Sprintf("frames of %s can't be cut into packets here; write packets, by WriteRTP", s.rtp.Codec().Name)
	case errors.Is(err, session.ErrCodec):
		why = "the peer takes " + codecNames(s.rtp.Codecs())
	default:
		return fmt.Errorf("peerconnection: %s: %w", what, err)
	}
	return fmt.Errorf("peerconnection: %s: %s", what, why)
}

// codecNames lists what media can be encoded by, each name once.
func codecNames(codecs []session.Codec) string {
	var names []string
	for _, c := range codecs {
		if !isAddition(c.Name) && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}
