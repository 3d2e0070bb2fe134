package sdp

import (
	"iter"
	"math"
)

// An Extmap gives an RTP header extension its id (RFC 8285, Section 8):
//
//	a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level
type Extmap struct {
	ID         uint16
	Direction  Direction
	URI        string
	Attributes string // what the extension adds after its URI
}

// Extmaps yields the section's header extensions.
func (as Attributes) Extmaps() iter.Seq[Extmap] { return each(as, "extmap", parseExtmap) }

// Attribute is the attribute of an extmap. The direction "sendrecv", which holds
// where nothing is said, is not written.
func (e Extmap) Attribute() Attribute {
	value := number(e.ID)
	if e.Direction != SendRecv {
		value += "/" + e.Direction.String()
	}
	value += " " + e.URI
	if e.Attributes != "" {
		value += " " + e.Attributes
	}
	return NewAttribute("extmap", value)
}

func parseExtmap(c *cursor) Extmap {
	e := Extmap{Direction: SendRecv}
	e.ID = uint16(c.number(math.MaxUint16, "the id of a header extension"))
	if c.take('/') {
		const expected = "sendrecv, sendonly, recvonly or inactive"
		start := c.at
		var ok bool
		if e.Direction, ok = directionOf(c.word(expected)); !ok {
			c.failAt(start, expected)
		}
	}
	c.space("a URI")
	e.URI = c.word("the URI of a header extension")
	if c.more() {
		e.Attributes = c.rest()
	}
	return e
}

// ExtmapAllowMixed reports whether one-byte and two-byte header extensions may
// stand in one RTP stream (RFC 8285, Section 6): of the section, or else of the
// session.
func (s *Session) ExtmapAllowMixed(m *Media) bool {
	const name = string(ExtmapAllowMixed)
	return s.inherited(m, name).Has(name)
}
