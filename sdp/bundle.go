package sdp

import "strings"

// A Group says which sections belong together (RFC 5888, Section 5).
type Group struct {
	Semantics string // "BUNDLE": one transport for all of them; "LS": lips move with the voice
	MIDs      []string
}

// Bundle is the session-level attribute that puts sections on one transport,
// that of the first (RFC 9143).
func Bundle(mids ...string) Attribute { return Group{Semantics: "BUNDLE", MIDs: mids}.Attribute() }

// Attribute is the attribute of a group.
func (g Group) Attribute() Attribute {
	if len(g.MIDs) == 0 {
		return NewAttribute("group", g.Semantics)
	}
	return NewAttribute("group", g.Semantics+" "+strings.Join(g.MIDs, " "))
}

// parseGroup reads RFC 5888, Section 5:
//
//	"a=group:" semantics *(SP identification-tag)
func parseGroup(c *cursor) Group {
	g := Group{Semantics: c.token("the semantics of a group, such as BUNDLE")}
	if rest := c.text[c.at:]; rest != "" {
		g.MIDs = make([]string, 0, strings.Count(rest, " "))
	}
	for c.more() {
		g.MIDs = append(g.MIDs, c.token("a mid, which is a token"))
	}
	return g
}

// Groups returns the session's groups.
func (s *Session) Groups() []Group {
	var groups []Group
	for g := range each(s.Attributes, "group", parseGroup) {
		groups = append(groups, g)
	}
	return groups
}

// Bundled returns the mids of the session's first BUNDLE group, in its order.
func (s *Session) Bundled() ([]string, bool) {
	for g := range each(s.Attributes, "group", parseGroup) {
		if g.Semantics == "BUNDLE" {
			return g.MIDs, true
		}
	}
	return nil, false
}

// BundleTag returns the section whose transport the BUNDLE group uses: the
// first that the group names (RFC 9143, Sections 7.2 and 7.3). It is nil if
// there is no group, if the group is empty, or if it names nothing there is.
func (s *Session) BundleTag() *Media {
	mids, _ := s.Bundled()
	if len(mids) == 0 {
		return nil
	}
	return s.MediaByMID(mids[0])
}

// MediaByMID returns the section of that mid, or nil.
func (s *Session) MediaByMID(mid string) *Media {
	for i := range s.Media {
		if got, ok := s.Media[i].MID(); ok && got == mid {
			return &s.Media[i]
		}
	}
	return nil
}

// MID is the attribute that gives a media section its name.
func MID(mid string) Attribute { return NewAttribute("mid", mid) }

// MID is the section's name in groups, candidates and RTP headers.
func (as Attributes) MID() (string, bool) { return first(as, "mid", parseMID) }

// parseMID reads RFC 5888, Section 4:
//
//	"a=mid:" identification-tag
func parseMID(c *cursor) string {
	mid := c.token("a mid, which is a token")
	c.done()
	return mid
}
