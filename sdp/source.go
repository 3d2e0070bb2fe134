package sdp

import (
	"iter"
	"math"
	"strings"
)

// An MSID says which MediaStream and which MediaStreamTrack a section sends
// (RFC 8830, Section 2).
type MSID struct {
	Stream string // "-": in no stream
	Track  string // "" in what newer browsers send
}

// MSIDs yields the section's streams.
func (as Attributes) MSIDs() iter.Seq[MSID] { return each(as, "msid", parseMSID) }

// Attribute is the attribute of an msid.
func (m MSID) Attribute() Attribute {
	if m.Track == "" {
		return NewAttribute("msid", m.Stream)
	}
	return NewAttribute("msid", m.Stream+" "+m.Track)
}

func parseMSID(c *cursor) MSID {
	m := MSID{Stream: c.word("the id of a stream")}
	if c.more() {
		m.Track = c.word("the id of a track")
	}
	c.done()
	return m
}

// An MSIDSemantic is a leftover of RFC 8830's drafts that browsers still write,
// each with its own spacing. It is "WMS" and a list of streams.
type MSIDSemantic struct {
	Semantic string
	Streams  []string // "*": all of them
}

// MSIDSemantic is the session's msid-semantic.
func (as Attributes) MSIDSemantic() (MSIDSemantic, bool) {
	return first(as, "msid-semantic", parseMSIDSemantic)
}

// Attribute is the attribute of an msid-semantic, as Chromium spaces it.
func (m MSIDSemantic) Attribute() Attribute {
	return NewAttribute("msid-semantic", strings.Join(append([]string{"", m.Semantic}, m.Streams...), " "))
}

func parseMSIDSemantic(c *cursor) MSIDSemantic {
	var m MSIDSemantic
	c.more()
	m.Semantic = c.word("WMS")
	for c.more() {
		m.Streams = append(m.Streams, c.word("the id of a stream"))
	}
	return m
}

// An SSRC says something about one RTP source (RFC 5576, Section 4.1):
//
//	a=ssrc:3597718382 cname:U7F9H1v3kERUTrBJ
type SSRC struct {
	ID    uint32
	Name  string // such as "cname"
	Value string // "" when there is none
}

// SSRCs yields what the section says of its sources, a line at a time.
func (as Attributes) SSRCs() iter.Seq[SSRC] { return each(as, "ssrc", parseSSRC) }

// Attribute is the attribute of a source.
func (s SSRC) Attribute() Attribute {
	value := number(s.ID) + " " + s.Name
	if s.Value != "" {
		value += ":" + s.Value
	}
	return NewAttribute("ssrc", value)
}

func parseSSRC(c *cursor) SSRC {
	s := SSRC{ID: uint32(c.number(math.MaxUint32, "an SSRC, a number below 2^32"))}
	c.space("an attribute of the source")
	s.Name = c.until(":", "an attribute of the source, such as cname")
	if c.take(':') {
		s.Value = c.rest()
	}
	return s
}

// An SSRCGroup relates sources (RFC 5576, Section 4.2): "FID" is a source and
// its retransmissions.
type SSRCGroup struct {
	Semantics string
	SSRCs     []uint32
}

// SSRCGroups yields the section's groups of sources.
func (as Attributes) SSRCGroups() iter.Seq[SSRCGroup] {
	return each(as, "ssrc-group", parseSSRCGroup)
}

// Attribute is the attribute of a group of sources.
func (g SSRCGroup) Attribute() Attribute {
	value := g.Semantics
	for _, id := range g.SSRCs {
		value += " " + number(id)
	}
	return NewAttribute("ssrc-group", value)
}

func parseSSRCGroup(c *cursor) SSRCGroup {
	g := SSRCGroup{Semantics: c.token("the semantics of a group, such as FID")}
	for c.more() {
		g.SSRCs = append(g.SSRCs, uint32(c.number(math.MaxUint32, "an SSRC")))
		if !c.end() && c.text[c.at] != ' ' {
			c.fail("a space and an SSRC")
		}
	}
	return g
}
