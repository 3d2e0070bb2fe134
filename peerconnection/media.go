package peerconnection

import (
	"slices"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
	"github.com/plainrtc/plainrtc/rtp/session"
	"github.com/plainrtc/plainrtc/srtp"
)

// Where negotiation hands over to what carries media: the RTP session, its streams
// and senders, and the tracks that are read and written.

// An rtpTransport is the core's part in RTP.
type rtpTransport struct {
	rtp     *session.Session // nil: there was no media description yet
	srtpOut *srtp.Outbound   // nil: there are no keys yet
	srtpIn  *srtp.Inbound
	cryptex bool // the peer takes encrypted header extensions

	// relayed and wanted are what other connections are told once this one's lock is
	// released: the packets of tracks that are forwarded, and the tracks of which one of
	// our peers needs a key frame.
	relayed []relayedPacket
	wanted  []wantedKeyframe
}

// A wantedKeyframe is asked for by the peer: of a track, and of the layer with that RID.
type wantedKeyframe struct {
	track *Track
	rid   string
}

// A relayedPacket arrived on a track that is given to senders.
type relayedPacket struct {
	track  *Track
	packet session.Packet
}

// configureMedia is told what was settled for a transceiver's section, or for the time being
// what may come in before the answer does.
func (c *core) configureMedia(now time.Time, t *Transceiver, s session.Section) {
	if c.rtp == nil {
		c.rtp = session.New(session.Config{
			Rand: c.cfg.Rand, Trace: c.cfg.Trace, CNAME: c.cname, MTU: pathMTU - maxSRTPOverhead,
		})
	}
	if x := t.sender.rtp; x != nil && x.Encodings()[0].FEC != t.encodings[0].FEC {
		c.encodingsChanged(now, t) // FlexFEC was negotiated for the first time
	}
	if err := c.rtp.Configure(now, s); err != nil {
		// Negotiation does not let through what the session refuses.
		panic("BUG: " + err.Error())
	}
	if x := &t.sender.rtp; *x == nil && len(s.Send) > 0 {
		sender, err := c.rtp.AddSender(now, s.MID, t.encodings)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		*x = sender
	}
	t.receiver.setLayers(s.RIDs)
	c.startSRTP(now)
	c.sendersBegin()
}

// removeMedia is told that a section is no more.
func (c *core) removeMedia(now time.Time, mid string) {
	c.rtp.Remove(now, mid)
	for _, t := range c.transceivers {
		if t.configured == mid {
			t.sender.rtp, t.sender.begun = nil, nil
		}
	}
}

// want notes that a peer needs a key frame of what is sent to it.
func (c *core) want(track *Track, rid string) {
	if w := (wantedKeyframe{track, rid}); track.kind == KindVideo && !slices.Contains(c.wanted, w) {
		c.wanted = append(c.wanted, w)
	}
}

// encodingsChanged is told that the user has changed how a sender sends.
func (c *core) encodingsChanged(now time.Time, t *Transceiver) {
	if t.sender.rtp == nil {
		return
	}
	before := t.sender.rtp.Encodings()
	for i, e := range t.encodings {
		if e.Active && !before[i].Active && t.sender.begun != nil {
			c.want(t.sender.begun, e.RID)
		}
		if err := t.sender.rtp.SetEncoding(i, e); err != nil {
			c.cfg.Trace.Note(now, trace.RTP, err.Error())
		}
	}
}

// cryptexAgreed reports whether the peer takes encrypted header extensions, in every
// section that there is.
func cryptexAgreed(sections []section) bool {
	agreed := false
	for i := range sections {
		if s := &sections[i]; s.transceiver != nil && !s.rejected {
			if !s.remote.cryptex || !s.local.cryptex {
				return false
			}
			agreed = true
		}
	}
	return agreed
}

// transceiverOf is the transceiver that the session knows by that mid.
func (c *core) transceiverOf(mid string) *Transceiver {
	for _, t := range c.transceivers {
		if t.configured == mid {
			return t
		}
	}
	return nil
}

// pumpMedia takes from the RTP session what it has, for tracks and their readers. It
// reports whether there was anything.
func (c *core) pumpMedia(now time.Time) (anything bool) {
	for {
		e, ok := c.rtp.NextEvent()
		if !ok {
			break
		}
		anything = true
		c.rtpEvent(now, e)
	}
	for {
		st, ok := c.rtp.NextStream()
		if !ok {
			return anything
		}
		if t := c.transceiverOf(st.MID); t != nil {
			anything = true
			c.takeFrom(now, t.receiver.layer(st.RID), st)
		}
	}
}

// maxRelayAge is how old audio may be that is passed on. What was kept for whoever comes
// late would only be a delay to those it is sent to; of video they need the key frame.
const maxRelayAge = 200 * time.Millisecond

// takeFrom takes what has come on a stream, as the track is used.
func (c *core) takeFrom(now time.Time, track *Track, st *session.Stream) {
	if track.stream != st {
		return
	}
	if track.reads&readsFrames != 0 {
		track.readable.signal() // who reads takes the frame out
	}
	if track.reads&(readsPackets|relays) == 0 {
		return
	}
	relayed := track.reads&relays != 0 && len(track.attached()) > 0
	for {
		p, ok := st.NextPacket()
		if !ok {
			return
		}
		if relayed && (track.kind == KindVideo || now.Sub(p.Arrival) < maxRelayAge) {
			c.relayed = append(c.relayed, relayedPacket{track, p})
		}
		if track.reads&readsPackets != 0 {
			track.keep(p)
		}
	}
}

func (c *core) rtpEvent(now time.Time, e session.Event) {
	switch e := e.(type) {
	case session.StreamStarted:
		if t := c.transceiverOf(e.Stream.MID); t != nil {
			t.receiver.layer(e.Stream.RID).feed(now, e.Stream)
		}
	case session.StreamEnded:
		// The track goes on: another stream may take its place, and W3C's tracks are
		// muted then, not ended.
		if t := c.transceiverOf(e.Stream.MID); t != nil {
			c.feedInstead(now, t.receiver.layer(e.Stream.RID), e.Stream)
		}
	case session.KeyframeRequested:
		t := c.transceiverOf(e.Sender.MID())
		if t == nil || t.sender.track == nil || t.sender.rtp != e.Sender || e.Encoding >= len(t.encodings) {
			return // what was asked for is not sent any more
		}
		c.want(t.sender.track, t.encodings[e.Encoding].RID)
	case session.ToneReceived:
		if t := c.transceiverOf(e.Stream.MID); t != nil && e.End {
			t.receiver.track.heard(Tone{Key: e.Tone, Duration: e.Duration})
		}
	case session.ToneSent:
	}
}

// feedInstead has a track go on with the newest of the streams that are left, if it was fed by
// the one that has ended.
func (c *core) feedInstead(now time.Time, track *Track, ended *session.Stream) {
	if track.stream != ended || c.ended {
		return
	}
	for _, st := range slices.Backward(c.rtp.Streams()) {
		if st.MID == ended.MID && track.receiver.layer(st.RID) == track {
			track.feed(now, st)
			return
		}
	}
}
