package sdp

import (
	"iter"
	"math"
	"strconv"
	"strings"
)

// An RTPMap says what a payload type means (RFC 8866, Section 6.6):
//
//	a=rtpmap:111 opus/48000/2
type RTPMap struct {
	PayloadType uint8
	Encoding    string
	ClockRate   uint32
	Channels    uint8 // of audio; 0 when not written, which means one
}

// RTPMaps yields the section's codecs, in the order of the lines. The order of
// preference is that of Media.Formats.
func (as Attributes) RTPMaps() iter.Seq[RTPMap] { return each(as, "rtpmap", parseRTPMap) }

// Attribute is the attribute of an rtpmap.
func (m RTPMap) Attribute() Attribute {
	value := number(m.PayloadType) + " " + m.Encoding + "/" + number(m.ClockRate)
	if m.Channels != 0 {
		value += "/" + number(m.Channels)
	}
	return NewAttribute("rtpmap", value)
}

func parseRTPMap(c *cursor) RTPMap {
	var m RTPMap
	m.PayloadType = parsePayloadType(c)
	c.space("an encoding, such as opus/48000/2")
	m.Encoding = c.until("/ ", "the name of an encoding")
	if !c.take('/') {
		c.fail(`"/" and a clock rate`)
	}
	m.ClockRate = uint32(c.number(math.MaxUint32, "a clock rate in Hz"))
	if c.take('/') {
		m.Channels = uint8(c.number(math.MaxUint8, "a number of channels"))
	}
	c.done()
	return m
}

// RFC 3550, Section 5.1: the payload type has 7 bits.
func parsePayloadType(c *cursor) uint8 {
	return uint8(c.number(127, "a payload type from 0 to 127"))
}

// An FMTP holds the parameters of a payload type (RFC 8866, Section 6.15):
//
//	a=fmtp:111 minptime=10;useinbandfec=1
type FMTP struct {
	PayloadType uint8
	Parameters  string // as written: what they mean is the codec's affair
}

// FMTPs yields the section's codec parameters.
func (as Attributes) FMTPs() iter.Seq[FMTP] { return each(as, "fmtp", parseFMTP) }

// Attribute is the attribute of an fmtp.
func (f FMTP) Attribute() Attribute {
	return NewAttribute("fmtp", number(f.PayloadType)+" "+f.Parameters)
}

// Parameter returns the value of one of the "name=value" pairs that most codecs
// put between semicolons. Names are of either case.
func (f FMTP) Parameter(name string) (string, bool) {
	for pair := range strings.SplitSeq(f.Parameters, ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if strings.EqualFold(key, name) {
			return value, true
		}
	}
	return "", false
}

func parseFMTP(c *cursor) FMTP {
	f := FMTP{PayloadType: parsePayloadType(c)}
	c.space("parameters")
	f.Parameters = c.rest()
	return f
}

// An RTCPFeedback says which feedback a payload type's receiver may send
// (RFC 4585, Section 4.2):
//
//	a=rtcp-fb:96 nack pli
type RTCPFeedback struct {
	PayloadType int    // -1: "*", all of them
	Kind        string // such as "nack", "ccm", "transport-cc"
	Parameter   string // such as "pli"; "" when there is none
}

// RTCPFeedback yields the section's feedback.
func (as Attributes) RTCPFeedback() iter.Seq[RTCPFeedback] {
	return each(as, "rtcp-fb", parseRTCPFeedback)
}

// Attribute is the attribute of a kind of feedback.
func (f RTCPFeedback) Attribute() Attribute {
	value := "*"
	if f.PayloadType >= 0 {
		value = strconv.Itoa(f.PayloadType)
	}
	value += " " + f.Kind
	if f.Parameter != "" {
		value += " " + f.Parameter
	}
	return NewAttribute("rtcp-fb", value)
}

func parseRTCPFeedback(c *cursor) RTCPFeedback {
	f := RTCPFeedback{PayloadType: -1}
	if !c.take('*') {
		f.PayloadType = int(parsePayloadType(c))
	}
	c.space("a kind of feedback")
	f.Kind = c.word("a kind of feedback, such as nack")
	if c.more() {
		f.Parameter = c.rest()
	}
	return f
}

// An RTCP is where RTCP goes where it is not multiplexed (RFC 3605). WebRTC
// requires that it is, and browsers write a placeholder.
type RTCP struct {
	Port    uint16
	Address Address // zero when nothing is said
}

// RTCP is the section's RTCP address.
func (as Attributes) RTCP() (RTCP, bool) { return first(as, "rtcp", parseRTCP) }

// Attribute is the attribute of an RTCP address.
func (r RTCP) Attribute() Attribute {
	b := append([]byte("rtcp:"), number(r.Port)...)
	if r.Address != (Address{}) {
		b = appendAddress(append(b, ' '), r.Address)
	}
	return Attribute(b)
}

func parseRTCP(c *cursor) RTCP {
	r := RTCP{Port: uint16(c.number(math.MaxUint16, "a port"))}
	if c.more() {
		r.Address = parseConnection(c)
	}
	c.done()
	return r
}

func number[T uint8 | uint16 | uint32](v T) string { return strconv.FormatUint(uint64(v), 10) }
