package sdp

import (
	"iter"
	"strings"
)

// An RID names one of several encodings of a section's media (RFC 8851,
// Section 4):
//
//	a=rid:hi send pt=97,98;max-width=1280
type RID struct {
	ID           string
	Direction    Direction // SendOnly or RecvOnly
	PayloadTypes []uint8   // nil: all of the section's
	Restrictions string    // "max-width=1280;…", without "pt"
}

// RIDs yields the section's encodings.
func (as Attributes) RIDs() iter.Seq[RID] { return each(as, "rid", parseRID) }

// Attribute is the attribute of an encoding.
func (r RID) Attribute() Attribute {
	value := r.ID + " " + ridDirections[r.Direction&SendRecv]
	separator := " "
	for i, pt := range r.PayloadTypes {
		if i == 0 {
			value += " pt="
			separator = ";"
		} else {
			value += ","
		}
		value += number(pt)
	}
	if r.Restrictions != "" {
		value += separator + r.Restrictions
	}
	return NewAttribute("rid", value)
}

// RFC 8851 writes directions in its own words.
var ridDirections = [...]string{SendOnly: "send", RecvOnly: "recv", SendRecv: ""}

func parseRID(c *cursor) RID {
	var r RID
	const direction = "send or recv"
	r.ID = c.word("the id of an encoding")
	c.check(0, r.ID, isRIDByte, "an id of letters, digits, - and _")
	c.space(direction)
	start := c.at
	switch c.word(direction) {
	case "send":
		r.Direction = SendOnly
	case "recv":
		r.Direction = RecvOnly
	default:
		c.failAt(start, direction)
	}
	if !c.more() {
		return r
	}
	// "pt" comes first if it is there.
	if rest := c.text[c.at:]; strings.HasPrefix(rest, "pt=") {
		c.at += len("pt=")
		r.PayloadTypes = append(r.PayloadTypes, parsePayloadType(c))
		for c.take(',') {
			r.PayloadTypes = append(r.PayloadTypes, parsePayloadType(c))
		}
		if !c.take(';') {
			c.done()
			return r
		}
	}
	r.Restrictions = c.rest()
	return r
}

// RFC 8852, Section 3: letters and digits; RFC 8851 adds "-" and "_".
func isRIDByte(b byte) bool {
	lower := b | 0x20
	return 'a' <= lower && lower <= 'z' || '0' <= b && b <= '9' || b == '-' || b == '_'
}

// A Simulcast says which encodings are sent and wanted at once (RFC 8853,
// Section 5.1). Of each stream there may be alternatives, the best first:
//
//	a=simulcast:send hi,mid;~lo recv thumb
type Simulcast struct {
	Send, Recv [][]SimulcastRID
}

// A SimulcastRID is an alternative of a simulcast stream.
type SimulcastRID struct {
	ID     string
	Paused bool // "~": not sent until asked for
}

// Simulcast is the section's simulcast.
func (as Attributes) Simulcast() (Simulcast, bool) {
	return first(as, "simulcast", parseSimulcast)
}

// Attribute is the attribute of a simulcast.
func (s Simulcast) Attribute() Attribute {
	var b strings.Builder
	b.WriteString("simulcast:")
	if len(s.Send) > 0 {
		b.WriteString("send ")
		writeStreams(&b, s.Send)
	}
	if len(s.Recv) > 0 {
		if len(s.Send) > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("recv ")
		writeStreams(&b, s.Recv)
	}
	return Attribute(b.String())
}

func writeStreams(b *strings.Builder, streams [][]SimulcastRID) {
	for i, alternatives := range streams {
		if i > 0 {
			b.WriteByte(';')
		}
		for j, rid := range alternatives {
			if j > 0 {
				b.WriteByte(',')
			}
			if rid.Paused {
				b.WriteByte('~')
			}
			b.WriteString(rid.ID)
		}
	}
}

func parseSimulcast(c *cursor) Simulcast {
	var s Simulcast
	for c.more() {
		const expected = "send or recv, once each"
		start := c.at
		word := c.word(expected)
		c.space("a list of rids")
		streams := parseStreams(c)
		switch {
		case word == "send" && s.Send == nil:
			s.Send = streams
		case word == "recv" && s.Recv == nil:
			s.Recv = streams
		default:
			c.failAt(start, expected)
		}
	}
	if s.Send == nil && s.Recv == nil {
		c.fail("send or recv")
	}
	return s
}

func parseStreams(c *cursor) [][]SimulcastRID {
	var streams [][]SimulcastRID
	for c.err == nil {
		var alternatives []SimulcastRID
		for c.err == nil {
			rid := SimulcastRID{Paused: c.take('~')}
			start := c.at
			rid.ID = c.until(",; ", "a rid")
			c.check(start, rid.ID, isRIDByte, "a rid of letters, digits, - and _")
			alternatives = append(alternatives, rid)
			if !c.take(',') {
				break
			}
		}
		streams = append(streams, alternatives)
		if !c.take(';') {
			break
		}
	}
	return streams
}
