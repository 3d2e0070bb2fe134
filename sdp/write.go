package sdp

import (
	"strconv"
	"strings"
)

// String is the description as text, ready to be sent.
func (s *Session) String() string {
	var buffer [2048]byte // what has only data channels fits
	b := buffer[:0]
	if len(s.Media) > 1 {
		lines := len(s.Attributes)
		for i := range s.Media {
			lines += 8 + len(s.Media[i].Attributes)
		}
		b = make([]byte, 0, 64*lines) // browsers' lines have about 40 bytes
	}
	return string(s.Append(b))
}

// Append appends the description to b, its lines in the order of RFC 8866,
// Section 5, each ended by CRLF.
//
// No text in s can add a line of its own: what follows a CR, LF or NUL in a
// value is not written.
func (s *Session) Append(b []byte) []byte {
	b = append(b, "v=0\r\no="...)
	b = appendText(b, orDash(s.Origin.Username))
	b = append(b, ' ')
	b = strconv.AppendUint(b, s.Origin.SessionID, 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, s.Origin.SessionVersion, 10)
	b = append(b, ' ')
	address := s.Origin.Address
	if address == (Address{}) {
		address = Unspecified
	}
	b = appendAddress(b, address)
	b = append(b, "\r\ns="...)
	b = appendText(b, orDash(s.Name))
	b = append(b, "\r\n"...)
	b = appendLines(b, s.Lines, beforeConnection)
	b = appendConnection(b, s.Connection)
	b = appendLines(b, s.Lines, afterConnection)
	b = append(b, "t="...)
	b = strconv.AppendUint(b, s.Timing.Start, 10)
	b = append(b, ' ')
	b = strconv.AppendUint(b, s.Timing.Stop, 10)
	b = append(b, "\r\n"...)
	b = appendLines(b, s.Lines, beforeAttributes)
	b = s.Attributes.append(b)
	for i := range s.Media {
		b = s.Media[i].append(b)
	}
	return b
}

func (m *Media) append(b []byte) []byte {
	b = append(b, "m="...)
	b = appendText(b, m.Kind)
	b = append(b, ' ')
	b = strconv.AppendUint(b, uint64(m.Port), 10)
	if m.PortCount != 0 {
		b = append(b, '/')
		b = strconv.AppendUint(b, uint64(m.PortCount), 10)
	}
	b = append(b, ' ')
	b = appendText(b, m.Protocol)
	for _, f := range m.Formats {
		b = append(b, ' ')
		b = appendText(b, f)
	}
	b = append(b, "\r\n"...)
	b = appendLines(b, m.Lines, beforeConnection)
	b = appendConnection(b, m.Connection)
	b = appendLines(b, m.Lines, afterConnection)
	b = appendLines(b, m.Lines, beforeAttributes)
	return m.Attributes.append(b)
}

func (as Attributes) append(b []byte) []byte {
	for _, a := range as {
		b = append(b, "a="...)
		b = appendText(b, string(a))
		b = append(b, "\r\n"...)
	}
	return b
}

func appendConnection(b []byte, a Address) []byte {
	if a == (Address{}) {
		return b
	}
	b = append(b, "c="...)
	b = appendAddress(b, a)
	return append(b, "\r\n"...)
}

func appendAddress(b []byte, a Address) []byte {
	b = append(b, "IN "...)
	b = appendText(b, a.Type)
	b = append(b, ' ')
	return appendText(b, a.Host)
}

// A place is where in its section a line belongs (RFC 8866, Section 5): the
// session's lines come as v o s i u e p c b t r z k a, a section's as m i c b
// k a. What is unknown goes before the attributes.
type place int

const (
	beforeConnection place = iota
	afterConnection
	beforeAttributes
)

func placeOf(letter byte) place {
	switch letter {
	case 'i', 'u', 'e', 'p':
		return beforeConnection
	case 'c', 'b':
		return afterConnection
	}
	return beforeAttributes
}

func appendLines(b []byte, lines []Line, at place) []byte {
	for _, l := range lines {
		if placeOf(l.Type) == at {
			b = append(b, l.Type, '=')
			b = appendText(b, l.Value)
			b = append(b, "\r\n"...)
		}
	}
	return b
}

// appendText appends text up to the first byte that cannot be within a line.
func appendText(b []byte, text string) []byte {
	if i := strings.IndexAny(text, "\r\n\x00"); i >= 0 {
		text = text[:i]
	}
	return append(b, text...)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
