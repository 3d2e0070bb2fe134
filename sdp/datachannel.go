package sdp

import (
	"encoding/base64"
	"math"
	"strconv"
)

// NewDataMedia returns the section of a session's data channels (RFC 8841): the
// "m=" and "c=" lines of a sender that has no candidate yet. Its attributes
// are the caller's to add: a transport's, then MID, SCTPPort and MaxMessageSize.
func NewDataMedia() Media {
	return Media{
		Kind:       "application",
		Port:       9, // "discard": RFC 8840, Section 4.1.1
		Protocol:   "UDP/DTLS/SCTP",
		Formats:    []string{"webrtc-datachannel"},
		Connection: Unspecified,
	}
}

// IsData reports whether the section is one of data channels, in RFC 8841's
// form or in that of its early drafts, which old stacks still offer:
//
//	m=application 9 UDP/DTLS/SCTP webrtc-datachannel
//	m=application 9 DTLS/SCTP 5000
func (m *Media) IsData() bool {
	if m.Kind != "application" {
		return false
	}
	switch m.Protocol {
	case "UDP/DTLS/SCTP", "TCP/DTLS/SCTP":
		return len(m.Formats) > 0 && m.Formats[0] == "webrtc-datachannel"
	case "DTLS/SCTP":
		return true
	}
	return false
}

// SCTPPort is the attribute of the port SCTP uses inside DTLS.
func SCTPPort(port uint16) Attribute {
	return NewAttribute("sctp-port", strconv.Itoa(int(port)))
}

// SCTPPort is the port SCTP uses inside DTLS (RFC 8841, Section 5). In the form
// of the early drafts it is the section's format.
func (m *Media) SCTPPort() (uint16, bool) {
	if port, ok := first(m.Attributes, "sctp-port", parseSCTPPort); ok {
		return port, true
	}
	if m.Protocol == "DTLS/SCTP" && len(m.Formats) > 0 {
		c := cursor{text: m.Formats[0]}
		port := parseSCTPPort(&c)
		return port, c.err == nil
	}
	return 0, false
}

func parseSCTPPort(c *cursor) uint16 {
	port := c.number(math.MaxUint16, "an SCTP port from 0 to 65535")
	c.done()
	return uint16(port)
}

// MaxMessageSize is the attribute of the largest message we accept, in bytes.
func MaxMessageSize(size uint64) Attribute {
	return NewAttribute("max-message-size", strconv.FormatUint(size, 10))
}

// DefaultMaxMessageSize holds where no max-message-size is said (RFC 8841,
// Section 6.1).
const DefaultMaxMessageSize = 64 << 10

// MaxMessageSize is the largest message the section's sender accepts, in bytes:
// zero for any size, DefaultMaxMessageSize if it does not say.
func (as Attributes) MaxMessageSize() uint64 {
	if size, ok := first(as, "max-message-size", parseMaxMessageSize); ok {
		return size
	}
	return DefaultMaxMessageSize
}

func parseMaxMessageSize(c *cursor) uint64 {
	size := c.number(math.MaxUint64, "a number of bytes, 0 for no limit")
	c.done()
	return size
}

// SCTPInit is the attribute that carries an INIT chunk in the description, and
// so spares the SCTP handshake (SNAP, draft-hancke-tsvwg-snap).
func SCTPInit(chunk []byte) Attribute {
	return NewAttribute("sctp-init", base64.StdEncoding.EncodeToString(chunk))
}

// SCTPInit is the INIT chunk in the description. Package sctp reads it.
func (as Attributes) SCTPInit() ([]byte, bool) {
	value, ok := as.Value("sctp-init")
	if !ok {
		return nil, false
	}
	chunk, err := base64.StdEncoding.DecodeString(value)
	return chunk, err == nil
}

// An SCTPMap is the attribute that went with the early form of the "m=" line:
//
//	a=sctpmap:5000 webrtc-datachannel 1024
type SCTPMap struct {
	Port     uint16
	Protocol string
	Streams  uint16 // 0 when nothing is said
}

// SCTPMap is the section's sctpmap.
func (as Attributes) SCTPMap() (SCTPMap, bool) { return first(as, "sctpmap", parseSCTPMap) }

// Attribute is the attribute of an sctpmap.
func (m SCTPMap) Attribute() Attribute {
	value := strconv.Itoa(int(m.Port)) + " " + m.Protocol
	if m.Streams != 0 {
		value += " " + strconv.Itoa(int(m.Streams))
	}
	return NewAttribute("sctpmap", value)
}

func parseSCTPMap(c *cursor) SCTPMap {
	var m SCTPMap
	m.Port = uint16(c.number(math.MaxUint16, "an SCTP port"))
	c.space("a protocol")
	m.Protocol = c.word("a protocol, such as webrtc-datachannel")
	if c.more() {
		m.Streams = uint16(c.number(math.MaxUint16, "a number of streams"))
	}
	c.done()
	return m
}
