package sdp

import (
	"iter"
	"strings"
)

// An Attribute is the text of an "a=" line: a name alone, or a name, a colon
// and a value (RFC 8866, Section 5.13).
type Attribute string

// Attributes that are a name alone.
const (
	RTCPMux          Attribute = "rtcp-mux"           // RFC 5761, Section 5.1.1
	RTCPMuxOnly      Attribute = "rtcp-mux-only"      // RFC 8858
	RTCPReducedSize  Attribute = "rtcp-rsize"         // RFC 5506, Section 5
	BundleOnly       Attribute = "bundle-only"        // RFC 9143, Section 6
	ICELite          Attribute = "ice-lite"           // RFC 8839, Section 5.3; session level
	EndOfCandidates  Attribute = "end-of-candidates"  // RFC 8840
	ExtmapAllowMixed Attribute = "extmap-allow-mixed" // RFC 8285, Section 6
	Cryptex          Attribute = "cryptex"            // RFC 9335, Section 4
)

// NewAttribute is the attribute of a name and a value.
func NewAttribute(name, value string) Attribute { return Attribute(name + ":" + value) }

// Name is what stands before the colon, or all of it.
func (a Attribute) Name() string {
	name, _, _ := strings.Cut(string(a), ":")
	return name
}

// Value is what stands after the colon, or "".
func (a Attribute) Value() string {
	_, value, _ := strings.Cut(string(a), ":")
	return value
}

// is reports whether the attribute has the name, without looking for its colon.
func (a Attribute) is(name string) bool {
	return len(a) >= len(name) && string(a[:len(name)]) == name &&
		(len(a) == len(name) || a[len(name)] == ':')
}

// Attributes are those of the session or of one media section, in order.
//
// Its readers return false, or nothing, when the attribute is not there or is
// ill-formed; they see the first well-formed one where there should be but one.
type Attributes []Attribute

// Has reports whether there is an attribute of that name.
func (as Attributes) Has(name string) bool {
	for _, a := range as {
		if a.is(name) {
			return true
		}
	}
	return false
}

// Value returns the value of the first attribute of that name.
func (as Attributes) Value(name string) (string, bool) {
	for _, a := range as {
		if a.is(name) {
			return a.Value(), true
		}
	}
	return "", false
}

// Values yields the value of every attribute of that name.
func (as Attributes) Values(name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, a := range as {
			if a.is(name) && !yield(a.Value()) {
				return
			}
		}
	}
}

// Lookup returns the value of an attribute that a media section has, or else
// inherits from its session. A nil section asks for the session's own.
func (s *Session) Lookup(m *Media, name string) (string, bool) {
	return s.inherited(m, name).Value(name)
}

// inherited is the level at which an attribute is said: the section's if it
// says it at all, else the session's.
func (s *Session) inherited(m *Media, name string) Attributes {
	if m != nil && m.Has(name) {
		return m.Attributes
	}
	return s.Attributes
}

// first reads the first well-formed attribute of a name.
func first[T any](as Attributes, name string, parse func(*cursor) T) (T, bool) {
	for _, a := range as {
		if a.is(name) {
			c := cursor{text: a.Value()}
			if v := parse(&c); c.err == nil {
				return v, true
			}
		}
	}
	var none T
	return none, false
}

// each reads every well-formed attribute of a name.
func each[T any](as Attributes, name string, parse func(*cursor) T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, a := range as {
			if a.is(name) {
				c := cursor{text: a.Value()}
				if v := parse(&c); c.err == nil && !yield(v) {
					return
				}
			}
		}
	}
}
