package session

import (
	"errors"
	"slices"
	"time"
)

// A Sender sends for one section. It is made once for a transceiver and kept while
// the section exists: its SSRCs count on when sending pauses.
type Sender struct {
	session   *Session
	mid       string
	midText   []byte
	section   *section // nil: there is none of that mid yet
	encodings []*encoding
	codec     int16 // the payload type that was chosen by SetCodec, when it is negotiated; -1: none was
	tones     tones
}

// An Encoding is one of the streams that a sender sends: a layer of a simulcast, or
// the only one.
type Encoding struct {
	RID                   string // "": no simulcast
	SSRC, RTX             uint32 // 0: one is made up; RTX is used if the codec has retransmissions
	FEC                   uint32 // of the repair packets of FlexFEC; 0: one is made up if that is negotiated
	Active                bool
	MaxBitrate            int // bits a second; 0: no limit. It bounds TargetBitrate
	ScaleResolutionDownBy float64
	MaxFramerate          float64
}

// What senders refuse.
var (
	ErrNoEncoding = errors.New("session: the sender has no such encoding")
	ErrSSRC       = errors.New("session: the SSRC is used by another stream")
	ErrNotSending = errors.New("session: the section is not negotiated, or not for sending, or the encoding is not active")
	ErrCodec      = errors.New("session: no negotiated codec takes this media")
)

// AddSender adds a sender for the section with a mid, which may be configured later.
func (s *Session) AddSender(now time.Time, mid string, encodings []Encoding) (*Sender, error) {
	if len(encodings) == 0 {
		return nil, ErrNoEncoding
	}
	var used []uint32
	for _, e := range encodings {
		for _, ssrc := range []uint32{e.SSRC, e.RTX, e.FEC} {
			if ssrc != 0 && (slices.Contains(used, ssrc) || s.encoding(ssrc) != nil) {
				return nil, ErrSSRC
			}
			used = append(used, ssrc)
		}
	}
	x := &Sender{codec: -1, session: s, mid: mid, midText: []byte(mid)}
	s.senders = append(s.senders, x)
	for i, e := range encodings {
		x.encodings = append(x.encodings, s.newEncoding(x, i, e))
	}
	if c := s.section(mid); c != nil {
		x.configure(c)
	}
	s.reallocate()
	return x, nil
}

// RemoveSender ends a sender: its sources say goodbye (RFC 3550, Section 6.6).
func (s *Session) RemoveSender(now time.Time, x *Sender) {
	at := slices.Index(s.senders, x)
	if at < 0 {
		return
	}
	s.senders = slices.Delete(s.senders, at, at+1)
	defer s.reallocate()
	for _, e := range x.encodings {
		e.gone = true
		// "A participant which never sent an RTP or RTCP packet MUST NOT send a BYE
		// packet when they leave the group." Section 6.3.7.
		if e.stats.packets > 0 {
			s.byes = append(s.byes, e.SSRC)
			if e.stats.repairs > 0 {
				s.byes = append(s.byes, e.RTX)
			}
			if e.protection.flex != nil && e.protection.sent > 0 {
				s.byes = append(s.byes, e.FEC)
			}
		}
	}
}

// MID returns the mid of the sender's section.
func (x *Sender) MID() string { return x.mid }

// Encodings returns the sender's encodings, with their SSRCs.
func (x *Sender) Encodings() []Encoding {
	all := make([]Encoding, len(x.encodings))
	for i, e := range x.encodings {
		all[i] = e.Encoding
	}
	return all
}

// SetEncoding changes what may be changed of an encoding: all but RID and SSRCs, save
// that of FlexFEC where there was none.
func (x *Sender) SetEncoding(i int, e Encoding) error {
	if i < 0 || i >= len(x.encodings) {
		return ErrNoEncoding
	}
	old := x.encodings[i]
	e.RID, e.SSRC, e.RTX = old.RID, old.SSRC, old.RTX
	if old.FEC != 0 {
		e.FEC = old.FEC
	}
	if e.Active != old.Active {
		old.rewrite.pause()
	}
	old.Encoding = e
	x.session.reallocate()
	return nil
}

// SetCodec chooses the codec of WriteFrame by its payload type. Without it, it is
// the first that was negotiated.
func (x *Sender) SetCodec(payloadType uint8) error {
	if x.section == nil {
		return ErrCodec
	}
	if c := x.section.sends(payloadType); c == nil || c.role() != media && c.role() != noise {
		return ErrCodec
	}
	x.codec = int16(payloadType)
	x.configure(x.section)
	return nil
}

// Follow makes what is written next go on behind what was written before, whatever its
// times say: it comes from another source.
func (x *Sender) Follow() {
	for _, e := range x.encodings {
		e.rewrite.pause()
	}
}

// Codec returns the codec of WriteFrame; nil when the section does not send.
func (x *Sender) Codec() *Codec { return x.encodings[0].codec }

// Codecs returns the codecs that were negotiated for the sender's section, best first;
// SetCodec takes their payload types. They are not to be changed.
func (x *Sender) Codecs() []Codec {
	if x.section == nil {
		return nil
	}
	return x.section.Send
}

// configure takes over what negotiation says of the sender's section.
func (x *Sender) configure(c *section) {
	x.section = c
	var codec *Codec
	if x.codec >= 0 {
		codec = c.sends(uint8(x.codec))
	}
	for i := range c.Send {
		if codec == nil && c.Send[i].role() == media {
			codec = &c.Send[i]
		}
	}
	for _, e := range x.encodings {
		e.configure(c, codec)
	}
}

// sends returns the codec that has a payload type, of those we may send.
func (c *section) sends(payloadType uint8) *Codec {
	for i := range c.Send {
		if c.Send[i].PayloadType == payloadType {
			return &c.Send[i]
		}
	}
	return nil
}

// open returns an encoding that may send now.
func (x *Sender) open(i int) (*encoding, error) {
	if i < 0 || i >= len(x.encodings) {
		return nil, ErrNoEncoding
	}
	e := x.encodings[i]
	if e.closed() {
		return nil, ErrNotSending
	}
	return e, nil
}

// encoding finds an encoding of ours by its SSRC or one of those that repair it.
func (s *Session) encoding(ssrc uint32) *encoding {
	for _, x := range s.senders {
		for _, e := range x.encodings {
			if e.SSRC == ssrc || e.RTX == ssrc || e.FEC == ssrc {
				return e
			}
		}
	}
	return nil
}
