package peerconnection

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/plainrtc/plainrtc/rtp/session"
)

// Transceivers and the sections they are associated with (RFC 9429, Sections 4.1
// and 5.10): made by the user or by the peer's offers, and unmade by rollbacks,
// rejections and Stop.

// media is the state of a connection's media, as far as it is negotiated.
type media struct {
	transceivers []*Transceiver
	// saved is what the exchange under way may change, as it was before.
	saved []savedTransceiver
	cname string // the name of our sources in RTCP (RFC 7022)

	unacceptedTracks []*Transceiver // the peer has begun to send, and nobody has accepted it yet
	trackArrived     gate

	// negotiationNeeded is W3C's [[NegotiationNeeded]]; unreported: nobody was told yet.
	negotiationNeeded, unreported bool
	negotiationWanted             gate
}

type savedTransceiver struct {
	*Transceiver
	association
}

// newTransceiver makes a transceiver and enters it.
func (c *core) newTransceiver(kind Kind, direction Direction, track *Track, streams []string, encodings []encoding) *Transceiver {
	if c.cname == "" {
		c.cname = base64.RawURLEncoding.EncodeToString(c.random(12))
	}
	t := &Transceiver{pc: c.pc, kind: kind, direction: direction}
	t.encodings = encodings
	c.transceivers = append(c.transceivers, t)
	for i := range t.encodings {
		t.encodings[i].SSRC, t.encodings[i].RTX = c.newSources()
	}
	t.sender = &Sender{pc: c.pc, transceiver: t, streams: streams}
	t.receiver = &Receiver{pc: c.pc, transceiver: t}
	t.receiver.track = &Track{id: c.newID(), kind: kind, receiver: t.receiver}
	// Browsers refuse descriptions with two tracks of one id.
	if track != nil {
		t.sender.id = track.ID()
	}
	if !isStreamID(t.sender.id) || c.hasTrackID(t, t.sender.id) {
		t.sender.id = c.newID()
	}
	t.sender.setTrack(track)
	return t
}

// hasTrackID reports whether another transceiver's sender has that id.
func (c *core) hasTrackID(but *Transceiver, id string) bool {
	return slices.ContainsFunc(c.transceivers, func(t *Transceiver) bool { return t != but && t.sender.id == id })
}

// random reads from the connection's source of randomness.
func (c *core) random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.cfg.Rand, b); err != nil {
		panic("BUG: Rand gave no random bytes: " + err.Error())
	}
	return b
}

// newID makes up the id of a track.
func (c *core) newID() string {
	s := hex.EncodeToString(c.random(16))
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// newSources draws the SSRCs of a stream and of its retransmissions: "chosen randomly,
// and unique" (RFC 3550, Section 8).
func (c *core) newSources() (ssrc, rtx uint32) {
	for ssrc == 0 || c.hasSource(ssrc) {
		ssrc = binary.BigEndian.Uint32(c.random(4))
	}
	for rtx == 0 || rtx == ssrc || c.hasSource(rtx) {
		rtx = binary.BigEndian.Uint32(c.random(4))
	}
	return ssrc, rtx
}

func (c *core) hasSource(ssrc uint32) bool {
	for _, t := range c.transceivers {
		for i := range t.encodings {
			if t.encodings[i].SSRC == ssrc || t.encodings[i].RTX == ssrc || t.encodings[i].FEC == ssrc {
				return true
			}
		}
	}
	return false
}

// checkpoint keeps how transceivers are associated, before the first offer of an exchange.
func (c *core) checkpoint() {
	if c.signaling != SignalingStable && c.saved != nil {
		return
	}
	c.saved = make([]savedTransceiver, 0, len(c.transceivers))
	for _, t := range c.transceivers {
		c.saved = append(c.saved, savedTransceiver{t, t.association})
	}
}

// offerSet associates transceivers with the sections of our offer. Media may come
// from now on: the answer may be on a slower way.
func (c *core) offerSet(now time.Time, sections []section) {
	for i := range sections {
		s := &sections[i]
		t := s.transceiver
		if t == nil {
			continue
		}
		t.mid = s.mid
		if !slices.Contains(c.transceivers, t) { // stopped since the offer was made
			t.stopped = false
			c.transceivers = append(c.transceivers, t)
		}
		if s.rejected || t.stopping {
			continue
		}
		var former session.Section
		if in := c.sectionOf(t); in != nil {
			former = in.settled()
		}
		c.configure(now, t, s.early(former))
	}
	c.changes++
}

// offered associates transceivers with the sections of the peer's offer (RFC 9429,
// Section 5.10). It may replace an offer of the peer's that was not answered, whose
// sections were former.
func (c *core) offered(now time.Time, former, sections []section) {
	mids := c.midsInUse(sections)
	for i := range sections {
		s := &sections[i]
		if i < len(former) && former[i].said == s.said && former[i].kind == s.kind && !s.rejected {
			s.transceiver, s.mid = former[i].transceiver, former[i].mid
		}
		if i < len(c.sections) {
			if t := c.sections[i].transceiver; t != nil && !t.stopped {
				if c.remote.pending.session.Media[i].Rejected() {
					c.halt(now, t)
					continue
				}
				s.transceiver, s.mid = t, t.mid
			}
		}
		if s.rejected || !s.isRTP() {
			continue
		}
		t := s.transceiver
		if t == nil {
			t = c.transceiverFor(s)
			if s.mid == "" {
				s.mid = mids.next()
			}
			s.transceiver, t.mid = t, s.mid
		}
		c.wantLayers(t, &s.remote)
		c.remoteTrack(t, &s.remote, sends(s.remote.direction))
	}
	for i := range former {
		t := former[i].transceiver
		if t != nil && !slices.ContainsFunc(sections, func(s section) bool { return s.transceiver == t }) {
			c.dissociate(now, t)
		}
	}
	c.changes++
}

// transceiverFor finds a transceiver for a section that the peer has added: "if the
// m= section is sendrecv or recvonly, and there are RtpTransceivers of the same type
// that were added to the PeerConnection by addTrack and are not associated with any
// m= section and are not stopped, find the first [...] such RtpTransceiver"; or else a new one is made,
// and receives.
func (c *core) transceiverFor(s *section) *Transceiver {
	kind := Kind(s.kind)
	if receives(s.remote.direction) {
		for _, t := range c.transceivers {
			if t.kind == kind && t.byAddTrack && t.mid == "" && !t.stopping {
				return t
			}
		}
	}
	encodings, _ := checkEncodings(kind, nil)
	t := c.newTransceiver(kind, DirectionRecvOnly, nil, nil, encodings)
	t.byRemote = true
	return t
}

// remoteTrack follows what the peer's description says of the track it sends.
func (c *core) remoteTrack(t *Transceiver, theirs *rtpDescription, sending bool) {
	if t.stopping {
		return
	}
	t.streams = theirs.streams
	if sending && !t.receiving {
		if theirs.track != "" {
			t.receiver.rename(theirs.track)
		}
		c.unacceptedTracks = append(c.unacceptedTracks, t)
		c.trackArrived.signal()
	}
	t.receiving = sending
	c.forgetUnaccepted()
}

// forgetUnaccepted takes back what was to be told of tracks that are gone again.
func (c *core) forgetUnaccepted() {
	c.unacceptedTracks = slices.DeleteFunc(c.unacceptedTracks, func(t *Transceiver) bool { return !t.receiving || t.stopping })
}

// answerSet puts an answer in force, be it provisional.
func (c *core) answerSet(now time.Time, sections []section, theirs bool) {
	c.cryptex = cryptexAgreed(sections)
	for i := range sections {
		s := &sections[i]
		t := s.transceiver
		if t == nil || s.rejected {
			continue
		}
		direction := s.local.direction & s.remote.direction.Reverse()
		if theirs || !receives(direction) {
			c.remoteTrack(t, &s.remote, receives(direction))
		}
		if t.stopping {
			continue
		}
		if sends(direction) {
			t.agreeLayers(s)
		}
		t.current = directionOf(direction)
		t.hasSent = t.hasSent || sends(direction)
		c.configure(now, t, s.settled())
		c.encodingsChanged(now, t)
	}
	c.setCryptex()
	c.changes++
}

// settle ends an exchange: transceivers of rejected sections are stopped, and stopped
// ones leave their sections to others.
func (c *core) settle(now time.Time, sections []section) {
	ours := c.signaling == SignalingHaveLocalOffer || c.signaling == SignalingHaveRemotePranswer
	for i := range sections {
		s := &sections[i]
		if n, err := strconv.Atoi(s.mid); err == nil && n >= c.firstMID && n < 1000 {
			c.firstMID = n + 1 // packets under an old mid may still be on their way
		}
		t := s.transceiver
		switch {
		case t == nil:
		case s.rejected:
			c.halt(now, t)
			s.transceiver = nil
		case !ours && receives(s.local.direction):
			t.receiveRIDs = s.local.receiveRIDs // our next offer asks for the same
		}
		if s.rejected {
			s.local, s.remote = rtpDescription{}, rtpDescription{}
		}
	}
	c.transceivers = slices.DeleteFunc(c.transceivers, func(t *Transceiver) bool { return t.stopped })
	c.saved = nil
	c.changes++
}

// mediaTakenBack undoes what an offer has done to transceivers.
func (c *core) mediaTakenBack(now time.Time) {
	for _, t := range slices.Clone(c.transceivers) {
		c.dissociate(now, t)
	}
	c.saved = nil
	c.changes++
}

// dissociate gives a transceiver back the association that it had before the offer.
func (c *core) dissociate(now time.Time, t *Transceiver) {
	i := slices.IndexFunc(c.saved, func(s savedTransceiver) bool { return s.Transceiver == t })
	switch {
	case i >= 0:
		was := c.saved[i].association
		if slices.Equal(rids(was.encodings), rids(t.encodings)) {
			was.encodings = t.encodings // with what the user has set since
		}
		t.association = was
	case t.byRemote && t.sender.track == nil && !t.byAddTrack:
		// What applying the description has made goes, unless a track was attached to it
		// by AddTrack. RFC 9429, Section 4.1.10.2.
		c.halt(now, t)
		c.forget(t)
	default:
		t.mid, t.receiving, t.streams = "", false, nil
	}
	if in := c.sectionOf(t); in == nil {
		c.unconfigure(now, t)
		if t.stopping { // since it was offered
			t.stopped = true
			c.forget(t)
		}
	} else if !t.stopping {
		c.configure(now, t, in.settled())
	}
	c.forgetUnaccepted()
}

// stopTransceiver is the user's Stop: the peer learns of it with the next exchange.
func (c *core) stopTransceiver(now time.Time, t *Transceiver) {
	if t.stopping {
		return
	}
	c.silence(now, t)
	if t.mid == "" {
		t.stopped = true
		c.forget(t)
	}
	c.mediaChanged()
}

// forget leaves out a transceiver that no description has.
func (c *core) forget(t *Transceiver) {
	c.transceivers = slices.DeleteFunc(c.transceivers, func(o *Transceiver) bool { return o == t })
}

// halt stops a transceiver in the descriptions' sense as well.
func (c *core) halt(now time.Time, t *Transceiver) {
	c.silence(now, t)
	t.stopped, t.current = true, DirectionStopped
}

// silence ends both directions of a transceiver.
func (c *core) silence(now time.Time, t *Transceiver) {
	t.stopping, t.direction, t.receiving = true, DirectionStopped, false
	t.sender.setTrack(nil)
	t.receiver.endTracks()
	c.unconfigure(now, t)
	c.forgetUnaccepted()
}

func (c *core) configure(now time.Time, t *Transceiver, m session.Section) {
	if t.configured != "" && t.configured != m.MID {
		c.unconfigure(now, t)
	}
	t.configured = m.MID
	c.configureMedia(now, t, m)
}

func (c *core) unconfigure(now time.Time, t *Transceiver) {
	if t.configured != "" {
		c.removeMedia(now, t.configured)
		t.configured = ""
	}
}

// endMedia is the end of the connection.
func (c *core) endMedia() {
	for _, t := range c.transceivers {
		t.sender.setTrack(nil)
		t.receiver.endTracks()
	}
	c.trackArrived.signal()
	c.negotiationWanted.signal()
}

// mediaChanged follows a change that the peer must learn of.
func (c *core) mediaChanged() {
	c.changes++
	c.updateNegotiationNeeded()
}
