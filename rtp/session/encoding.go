package session

import (
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// An encoding is an Encoding in use: one SSRC, and another for its retransmissions.
type encoding struct {
	Encoding
	sender  *Sender
	index   int
	ridText []byte
	gone    bool // its sender was removed
	ids     *rtp.ExtensionMap
	codec   *Codec // of WriteFrame; nil: the section does not send

	packetizer payload.Packetizer
	format     payload.Format // the packetizer's
	captured   time.Time      // when a capture time was sent last

	rewrite    rewrite
	history    history
	redundancy redundancy
	protection protection

	// What the peer has reported on: it knows the SSRC, and need not be told where
	// it belongs.
	heard, rtxHeard bool

	rtxSequence   uint16
	repairNumbers [repairNumbers]repairNumber
	askedFor      time.Time // when somebody asked for its target last
	first         uint16    // its first sequence number
	answered      nackAnswers
	requested     keyframeAsked
	report        localReport
	stats         outboundStats
}

func (s *Session) newEncoding(x *Sender, i int, o Encoding) *encoding {
	e := &encoding{Encoding: o, sender: x, index: i, ridText: []byte(o.RID)}
	if e.SSRC == 0 {
		e.SSRC = s.NewSSRC()
	}
	if e.RTX == 0 {
		e.RTX = s.NewSSRC()
	}
	// "The initial value of the sequence number SHOULD be random (unpredictable)" (RFC 3550,
	// Section 5.1), and is in the lower half: a receiver that misses the first packets
	// of a stream could not tell that the number wrapped (RFC 3711, Section 3.3.1).
	e.rewrite.next = s.random16() & 0x7fff
	e.first = e.rewrite.next
	e.rtxSequence = s.random16() & 0x7fff
	e.protection.sequence = e.rtxSequence // of another SSRC
	e.rewrite.timestamp = s.random32()
	e.answered.credit = firstCredit
	return e
}

// configure takes over what negotiation says.
func (e *encoding) configure(c *section, codec *Codec) {
	if e.ids == nil || *e.ids != *c.ids {
		e.heard, e.rtxHeard = false, false
	}
	if codec == nil {
		e.rewrite.pause()
	}
	e.ids, e.codec = c.ids, codec
	e.redundancy = redundancy{}
	e.protection.configure(e, c)
	for i := range c.Send {
		// What is best is first: RED before the audio that it wraps is wanted, behind it is
		// only possible.
		if codec == nil || c.Kind != Audio || &c.Send[i] == codec {
			break
		}
		if c.Send[i].wraps(codec) {
			e.redundancy.codec = &c.Send[i]
		}
	}
	e.rewrite.from, e.rewrite.to = nil, nil // payload types may have changed
	if codec == nil || codec.Format == 0 || e.packetizer != nil && e.format == codec.Format && !singleNAL(codec) {
		return
	}
	e.format, e.packetizer = codec.Format, codec.Format.NewPacketizer()
	switch p := e.packetizer.(type) {
	case *payload.H264Packetizer:
		p.SingleNAL = singleNAL(codec)
	case *payload.VP8Packetizer: // which may start anywhere: RFC 7741, Section 4.2
		p.Descriptor.PictureID = e.sender.session.random16() & 0x7fff
	case *payload.VP9Packetizer:
		p.Descriptor.PictureID = e.sender.session.random16() & 0x7fff
	}
}

// singleNAL reports packetization-mode=0 of H.264 (RFC 6184, Section 6.2).
func singleNAL(c *Codec) bool {
	return c.Format == payload.H264 && orElse(c.fmtp("packetization-mode"), "0") == "0"
}

// closed reports whether nothing may leave.
func (e *encoding) closed() bool { return e.gone || e.codec == nil || !e.Active }

// audio reports whether the encoding's packets need not be paced.
func (e *encoding) audio() bool { return e.sender.section.Kind == Audio }
