package session

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plainrtc/plainrtc/rtp"
	"github.com/plainrtc/plainrtc/rtp/payload"
)

// A Kind is what a section is of.
type Kind uint8

// The kinds of media.
const (
	Audio Kind = 1 + iota
	Video
)

func (k Kind) String() string {
	switch k {
	case Audio:
		return "audio"
	case Video:
		return "video"
	}
	return "unknown kind"
}

// A Codec is a payload type as it was negotiated: one of an m= line, with what
// a=rtpmap, a=fmtp and a=rtcp-fb say of it. The payload types of retransmissions
// are not codecs of their own, but a field of what they retransmit. Those of redundancy and
// error correction are: "red", "ulpfec" and "flexfec-03", without a Format.
type Codec struct {
	PayloadType uint8
	Name        string         // the encoding name: "VP8", "opus", "telephone-event"
	Format      payload.Format // 0: a format we do not know, which is passed on as it is
	ClockRate   uint32
	Channels    int
	FMTP        string
	RTX         uint8 // payload type of its retransmissions; 0: there are none

	NACK, PLI, FIR, TWCC, REMB, CCFB bool
}

// A role is what a payload type is for.
type role uint8

const (
	media     role = iota
	event          // telephone events: RFC 4733
	noise          // comfort noise between other audio: RFC 3389
	redundant      // "red", which wraps others: RFC 2198
	ulpfec         // repair packets, in RED: RFC 5109
	flexfec        // repair packets in a stream of their own: draft-ietf-payload-flexible-fec-scheme-03
)

var roleNames = [...]string{event: "telephone-event", redundant: "red", ulpfec: "ulpfec", flexfec: "flexfec-03"}

func (c *Codec) role() role {
	if c.Format == payload.CN {
		return noise
	}
	for r, name := range roleNames {
		if c.Format == 0 && name != "" && strings.EqualFold(c.Name, name) {
			return role(r)
		}
	}
	return media
}

// isEvent reports whether the codec is not media but telephone events.
func (c *Codec) isEvent() bool { return c.role() == event }

// wraps reports whether redundant audio is of a codec: its parameters list the payload types
// of its blocks (RFC 2198, Section 5).
func (c *Codec) wraps(codec *Codec) bool {
	primary, _, _ := strings.Cut(c.FMTP, "/")
	return c.role() == redundant && strings.TrimSpace(primary) == strconv.Itoa(int(codec.PayloadType))
}

// fmtp returns a parameter of a=fmtp, or "".
func (c *Codec) fmtp(name string) string {
	for parameter := range strings.SplitSeq(c.FMTP, ";") {
		if key, value, _ := strings.Cut(strings.TrimSpace(parameter), "="); strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// decodes reports whether one who negotiated c can be sent what was made as d: the
// formats are the same, with the same profile, cut in the same manner.
func (c *Codec) decodes(d *Codec) bool {
	if !strings.EqualFold(c.Name, d.Name) || c.ClockRate != d.ClockRate || max(c.Channels, 1) != max(d.Channels, 1) {
		return false
	}
	same := func(parameter, absent string) bool {
		return orElse(c.fmtp(parameter), absent) == orElse(d.fmtp(parameter), absent)
	}
	switch c.Format {
	case payload.H264:
		profile := func(c *Codec) string { // profile_idc; the constraints and the level are for the answerer to mind
			id := orElse(c.fmtp("profile-level-id"), "42e01f")
			return id[:min(2, len(id))]
		}
		return same("packetization-mode", "0") && strings.EqualFold(profile(c), profile(d))
	case payload.VP9:
		return same("profile-id", "0")
	case payload.AV1:
		return same("profile", "0")
	case payload.H265:
		return same("profile-id", "1")
	}
	return true
}

func orElse(s, absent string) string {
	if s == "" {
		return absent
	}
	return s
}

// A Source is what the peer's a=ssrc and a=ssrc-group lines declare.
type Source struct {
	SSRC  uint32
	RTX   uint32 // the SSRC of its retransmissions ("FID"); 0: none was declared
	FEC   uint32 // the SSRC of its repair packets ("FEC-FR", RFC 5956); 0: none was declared
	CNAME string
}

// A Section is what negotiation settled for one media description.
type Section struct {
	MID  string
	Kind Kind

	// Extensions are those of both directions. In all sections of a BUNDLE group an
	// id stands for the same extension (RFC 9143, Section 9.2).
	Extensions      rtp.ExtensionMap
	MixedExtensions bool // a=extmap-allow-mixed
	ReducedSize     bool // a=rtcp-rsize

	Receive []Codec  // what may come in; empty: nothing is received
	Send    []Codec  // what we may send, best first; empty: nothing is sent
	Sources []Source // what the peer declared
	RIDs    []string // the layers that the peer sends, in its order

	// MaxBitrate limits what is sent in the section, in bits a second: the peer's b=TIAS or b=AS (RFC 8866,
	// Section 5.8). SessionMaxBitrate is what all sections may have together: such a line at session
	// level. 0: the peer says nothing.
	MaxBitrate, SessionMaxBitrate int
}

// What Configure refuses.
var (
	ErrPayloadType = errors.New("session: a payload type is above 127, is one that RTCP needs (64 to 95), or stands twice in a section")
	ErrMID         = errors.New("session: a section needs a mid")
)

// A section is a Section in use.
type section struct {
	Section
	ids *rtp.ExtensionMap // the same for as long as packets refer to it

	codecs [128]uint8 // by payload type: 1 + the index into Receive
	rtx    [128]uint8 // by the payload type of a retransmission: 1 + the index of what it repairs
	roles  [128]role  // by payload type

	streams []*Stream // heard most recently last; bounded by limit
}

// limit is how many streams of a section are remembered: those that were
// negotiated, and some for sources that change their SSRC.
func (c *section) limit() int { return 4 + max(len(c.RIDs), len(c.Sources)) }

// Configure makes a section be as negotiation says: a new one, or another shape of
// one that is there, whose streams and senders go on.
func (s *Session) Configure(now time.Time, c Section) error {
	if c.MID == "" {
		return ErrMID
	}
	n := &section{Section: c}
	n.Receive, n.Send = slices.Clone(c.Receive), slices.Clone(c.Send)
	ids := c.Extensions
	n.ids = &ids
	for i, codec := range n.Receive {
		if err := n.claim(codec.PayloadType, &n.codecs, i); err != nil {
			return fmt.Errorf("%w: %d in section %q", err, codec.PayloadType, c.MID)
		}
		n.roles[codec.PayloadType] = codec.role()
	}
	for i, codec := range n.Receive {
		// Several payload types may share one for their retransmissions in
		// principle; nobody does, and then nothing tells what is repaired.
		if codec.RTX == 0 {
			continue
		}
		if err := n.claim(codec.RTX, &n.rtx, i); err != nil {
			return fmt.Errorf("%w: %d in section %q", err, codec.RTX, c.MID)
		}
	}
	for _, codec := range n.Send {
		if !validPayloadType(codec.PayloadType) || codec.RTX != 0 && !validPayloadType(codec.RTX) {
			return fmt.Errorf("%w: %d in section %q", ErrPayloadType, codec.PayloadType, c.MID)
		}
	}
	at := slices.IndexFunc(s.sections, func(o *section) bool { return o.MID == c.MID })
	if at < 0 {
		s.sections = append(s.sections, n)
	} else {
		s.sections[at], n.streams = n, s.sections[at].streams
		for _, st := range slices.Clone(n.streams) {
			st.section, st.frameIDs = n, *n.ids
			st.parity = nil // payload types and header extensions may have changed
			if len(n.Receive) == 0 {
				s.endStream(now, st, Removed)
			}
		}
	}
	for _, x := range s.senders {
		if x.mid == c.MID {
			x.configure(n)
		}
	}
	s.configured()
	return nil
}

func validPayloadType(t uint8) bool { return t < 64 || t > 95 && t < 128 }

// claim enters a payload type into one of the section's two tables.
func (c *section) claim(t uint8, table *[128]uint8, i int) error {
	if !validPayloadType(t) || c.codecs[t] != 0 || c.rtx[t] != 0 {
		return ErrPayloadType
	}
	table[t] = uint8(1 + i)
	return nil
}

// Remove ends a section: its streams end, its senders say goodbye and are gone.
func (s *Session) Remove(now time.Time, mid string) {
	at := slices.IndexFunc(s.sections, func(o *section) bool { return o.MID == mid })
	for _, x := range slices.Clone(s.senders) {
		if x.mid == mid {
			s.RemoveSender(now, x)
		}
	}
	if at < 0 {
		return
	}
	c := s.sections[at]
	for _, st := range slices.Clone(c.streams) {
		s.endStream(now, st, Removed)
	}
	s.sections = slices.Delete(s.sections, at, at+1)
	s.configured()
}

// configured draws from all sections together what holds for the transport.
func (s *Session) configured() {
	s.ids = rtp.ExtensionMap{}
	s.reducedSize = len(s.sections) > 0
	s.demux.byPayloadType = [128]*section{}
	ambiguous := [128]bool{}
	for _, c := range s.sections {
		for e := rtp.ExtMID; e <= rtp.ExtVideoLayersAllocation; e++ {
			if id := c.ids.ID(e); id != 0 {
				s.ids.Set(e, id)
			}
		}
		s.reducedSize = s.reducedSize && c.ReducedSize
		for t := range c.codecs {
			if c.codecs[t] == 0 && c.rtx[t] == 0 {
				continue
			}
			if s.demux.byPayloadType[t] != nil {
				ambiguous[t] = true
			}
			s.demux.byPayloadType[t] = c
		}
	}
	for t, twice := range ambiguous {
		if twice {
			s.demux.byPayloadType[t] = nil
		}
	}
	f := &s.feedback
	f.twcc, f.ccfb, f.remb, s.numbered = false, false, false, false
	for _, c := range s.sections {
		for _, codec := range c.Receive {
			f.twcc = f.twcc || codec.TWCC && s.ids.ID(rtp.ExtTransportSequence) != 0
			f.ccfb = f.ccfb || codec.CCFB
			f.remb = f.remb || codec.REMB && s.ids.ID(rtp.ExtAbsSendTime) != 0
		}
		for _, codec := range c.Send {
			s.numbered = s.numbered || codec.CCFB
		}
	}
	// "a=rtcp-fb ack ccfb" is for the session, and takes the place of other congestion
	// feedback. RFC 8888, Section 6.
	f.twcc = f.twcc && !f.ccfb
	f.remb = f.remb && !f.twcc && !f.ccfb
	limit := 0
	for _, c := range s.sections {
		if b := c.SessionMaxBitrate; b > 0 && (limit == 0 || b < limit) {
			limit = b
		}
	}
	s.congestion.SetLimit(float64(limit))
	s.reallocate()
}

func (s *Session) section(mid string) *section {
	for _, c := range s.sections {
		if c.MID == mid {
			return c
		}
	}
	return nil
}
