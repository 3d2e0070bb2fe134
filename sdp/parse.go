package sdp

import (
	"math"
	"strings"
)

// What a description may cost us. The largest that conference servers send to
// browsers are a third of it.
const (
	maxSize  = 1 << 20
	maxLines = 1 << 15
	maxMedia = 512
)

// Parse reads a description. If it fails, the error is an [*Error].
//
// Of the attributes, it checks those on which identity, reachability and
// routing depend: group, mid, ice-ufrag, ice-pwd, ice-options, fingerprint,
// setup, tls-id, sctp-port, max-message-size, rtpmap, extmap and ssrc.
func Parse(text string) (*Session, error) {
	p := parser{unread: text}
	s := p.description()
	if p.err != nil {
		return nil, p.err
	}
	return s, nil
}

// A parser is a cursor that moves on from line to line.
type parser struct {
	cursor
	unread string
	letter byte // the type of the current line; 0 at the end of the text

	// All sections' attributes, one section's after the other's: their number
	// is known before the first is read.
	attributes Attributes
	mids       map[string]struct{}
}

func (p *parser) description() *Session {
	if !p.bounded() {
		return nil
	}
	s := new(Session)
	p.attributes = make(Attributes, 0, strings.Count(p.unread, "\na="))
	if n := strings.Count(p.unread, "\nm="); n > 0 {
		s.Media = make([]Media, 0, n)
	}
	if p.next(); p.expect('v', "v=0, the first line of a session description") {
		if p.number(0, "0, the only version of SDP there is"); p.err == nil {
			p.done()
		}
	}
	if p.next(); p.expect('o', "o=, the origin of the session") {
		s.Origin = parseOrigin(&p.cursor)
	}
	if p.next(); p.expect('s', "s=, the name of the session") {
		s.Name = p.rest()
	}
	p.session(s)
	for p.letter == 'm' && p.err == nil {
		p.media(s)
	}
	return s
}

// bounded refuses what is too large before anything is allocated for it.
func (p *parser) bounded() bool {
	lines, media := strings.Count(p.unread, "\n")+1, strings.Count(p.unread, "\nm=")
	refuse := func(line int, expected, found string) {
		p.err = &Error{Line: line, Column: 1, Expected: expected, Found: found}
	}
	switch {
	case len(p.unread) > maxSize:
		refuse(1, "a description of at most 1 MiB", "a larger one")
	case lines > maxLines:
		refuse(maxLines+1, "a description of at most 32768 lines", "more")
	case media > maxMedia:
		refuse(lines, "a description of at most 512 media sections", "more")
	}
	return p.err == nil
}

// next moves to the next line and reads its type and the "=". At the end of the
// description the line is empty and its letter is 0.
func (p *parser) next() {
	p.letter = 0
	if p.err != nil {
		return
	}
	p.line++
	p.text, p.unread, _ = strings.Cut(p.unread, "\n")
	p.text = strings.TrimSuffix(p.text, "\r")
	p.at = 0
	if p.text == "" {
		if strings.Trim(p.unread, "\r\n") == "" {
			p.unread = ""
			return
		}
		p.fail(`a line such as "a=mid:0"`)
		return
	}
	// RFC 8866, Section 9: byte-string = 1*(%x01-09/%x0B-0C/%x0E-FF)
	if i := strings.IndexAny(p.text, "\r\x00"); i >= 0 {
		p.failAt(i, "no CR or NUL within a line")
		return
	}
	letter := p.text[0]
	if lower := letter | 0x20; lower < 'a' || 'z' < lower || len(p.text) == 1 || p.text[1] != '=' {
		p.fail(`a line type, which is a letter and "="`)
		return
	}
	p.letter, p.at = letter, 2
}

// expect fails unless the current line is of the given type.
func (p *parser) expect(letter byte, expected string) bool {
	if p.letter != letter {
		p.unexpected(expected)
	}
	return p.err == nil
}

// unexpected fails at the type of the current line.
func (p *parser) unexpected(expected string) {
	if p.err != nil {
		return
	}
	p.failAt(0, expected)
	if p.letter == 0 {
		p.err.Found = "the end of the description"
	}
}

// session reads the session-level lines after "s=".
func (p *parser) session(s *Session) {
	first, timed := len(p.attributes), false
	for p.next(); p.letter != 0 && p.letter != 'm'; p.next() {
		switch p.letter {
		case 'v', 'o', 's':
			p.unexpected("t=, a= or m=, for there can be but one v=, o= and s=")
		case 't':
			if timing := parseTiming(&p.cursor); !timed {
				s.Timing, timed = timing, true
				continue
			}
			s.Lines = append(s.Lines, p.keep())
		case 'c':
			if address := parseConnection(&p.cursor); s.Connection == (Address{}) {
				s.Connection = address
				continue
			}
			s.Lines = append(s.Lines, p.keep())
		case 'a':
			p.attribute()
		default:
			s.Lines = append(s.Lines, p.keep())
		}
	}
	if !timed && p.err == nil {
		p.unexpected(`t=, when the session is active, in WebRTC "t=0 0"`)
	}
	s.Attributes = p.section(first)
}

// media reads a media section, of which the "m=" line is the current one.
func (p *parser) media(s *Session) {
	m := Media{}
	parseMedia(&p.cursor, &m)
	line := p.line
	first := len(p.attributes)
	for p.next(); p.letter != 0 && p.letter != 'm'; p.next() {
		switch p.letter {
		case 'v', 'o', 's', 't', 'u', 'e', 'p', 'r', 'z':
			p.unexpected("i=, c=, b=, k=, a= or m=, the lines of a media section")
		case 'c':
			if address := parseConnection(&p.cursor); m.Connection == (Address{}) {
				m.Connection = address
				continue
			}
			m.Lines = append(m.Lines, p.keep())
		case 'a':
			p.attribute()
		default:
			m.Lines = append(m.Lines, p.keep())
		}
	}
	m.Attributes = p.section(first)
	p.uniqueMID(&m, line, cap(s.Media))
	s.Media = append(s.Media, m)
}

// uniqueMID checks the section that began at the given line, of so many.
func (p *parser) uniqueMID(m *Media, line, sections int) {
	mid, ok := m.MID()
	if !ok || p.err != nil || sections == 1 {
		return
	}
	if _, taken := p.mids[mid]; taken {
		// RFC 5888, Section 4: identification tags are unique within a description.
		p.err = &Error{Line: line, Column: 1, Expected: "a section whose mid no other section has", Found: "a second a=mid:" + mid}
		return
	}
	if p.mids == nil {
		p.mids = make(map[string]struct{})
	}
	p.mids[mid] = struct{}{}
}

// section returns the attributes read since there were first of them. Its
// capacity ends with it: what is appended goes elsewhere.
func (p *parser) section(first int) Attributes {
	if first == len(p.attributes) {
		return nil
	}
	return p.attributes[first:len(p.attributes):len(p.attributes)]
}

// attribute reads an "a=" line.
//
//	a=<attribute-name>
//	a=<attribute-name>:<attribute-value>
func (p *parser) attribute() {
	name := p.until(":", "the name of an attribute")
	if check, ok := checked[name]; ok {
		if !p.take(':') {
			p.fail(`":" and a value`)
		}
		check(&p.cursor)
	}
	p.attributes = append(p.attributes, Attribute(p.text[2:]))
}

// checked are the attributes a description is refused for. They are strict
// about their grammar and tolerant about what may be registered next year:
// group semantics, fingerprint algorithms, ICE options.
var checked = map[string]func(*cursor){
	"group":            func(c *cursor) { parseGroup(c) },
	"mid":              func(c *cursor) { parseMID(c) },
	"ice-ufrag":        func(c *cursor) { parseUfrag(c) },
	"ice-pwd":          func(c *cursor) { parsePwd(c) },
	"ice-options":      func(c *cursor) { parseOptions(c) },
	"fingerprint":      func(c *cursor) { parseFingerprint(c) },
	"setup":            func(c *cursor) { parseSetup(c) },
	"tls-id":           func(c *cursor) { parseTLSID(c) },
	"sctp-port":        func(c *cursor) { parseSCTPPort(c) },
	"max-message-size": func(c *cursor) { parseMaxMessageSize(c) },
	"rtpmap":           func(c *cursor) { parseRTPMap(c) },
	"extmap":           func(c *cursor) { parseExtmap(c) },
	"ssrc":             func(c *cursor) { parseSSRC(c) },
}

// keep is the current line as it stands, checked if it is one we know.
func (p *parser) keep() Line {
	if p.letter == 'b' {
		parseBandwidth(&p.cursor)
	}
	return Line{Type: p.letter, Value: p.text[2:]}
}

// parseOrigin reads RFC 8866, Section 5.2:
//
//	o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address>
func parseOrigin(c *cursor) Origin {
	var o Origin
	const id, version = "a session id, which is a number below 2^64", "a session version, which is a number below 2^64"
	o.Username = c.word(`a username, or "-"`)
	c.space(id)
	o.SessionID = c.number(math.MaxUint64, id)
	c.space(version)
	o.SessionVersion = c.number(math.MaxUint64, version)
	c.space(network)
	o.Address = parseConnection(c)
	return o
}

const network = `"IN", the network type`

// parseConnection reads RFC 8866, Section 5.7:
//
//	c=<nettype> <addrtype> <connection-address>
func parseConnection(c *cursor) Address {
	var a Address
	const kind, host = `"IP4" or "IP6"`, "an address"
	start := c.at
	if c.word(network) != "IN" {
		c.failAt(start, network)
	}
	c.space(kind)
	start = c.at
	if a.Type = c.word(kind); a.Type != "IP4" && a.Type != "IP6" {
		c.failAt(start, kind)
	}
	c.space(host)
	a.Host = c.word(host)
	c.done()
	return a
}

// parseTiming reads RFC 8866, Section 5.9:
//
//	t=<start-time> <stop-time>
func parseTiming(c *cursor) Timing {
	var t Timing
	const start, stop = "a start time in seconds, 0 for none", "a stop time in seconds, 0 for none"
	t.Start = c.number(math.MaxUint64, start)
	c.space(stop)
	t.Stop = c.number(math.MaxUint64, stop)
	c.done()
	return t
}

// parseBandwidth reads RFC 8866, Section 5.8:
//
//	b=<bwtype>:<bandwidth>
func parseBandwidth(c *cursor) (kind string, limit uint64) {
	kind = c.until(": ", "a kind of bandwidth, such as AS")
	if !c.take(':') {
		c.fail(`":" and a bandwidth`)
	}
	limit = c.number(math.MaxUint64, "a bandwidth")
	c.done()
	return kind, limit
}

// parseMedia reads RFC 8866, Section 5.14:
//
//	m=<media> <port>[/<number of ports>] <proto> <fmt> ...
func parseMedia(c *cursor, m *Media) {
	const port, protocol, format = "a port from 0 to 65535", "a protocol, such as UDP/DTLS/SCTP", "a format, such as webrtc-datachannel or 111"
	m.Kind = c.token("a kind of media: audio, video or application")
	c.space(port)
	m.Port = uint16(c.number(math.MaxUint16, port))
	if c.take('/') {
		m.PortCount = uint16(c.number(math.MaxUint16, "a number of ports"))
	}
	c.space(protocol)
	m.Protocol = c.word(protocol)
	c.space(format)
	if c.end() {
		c.fail(format)
		return
	}
	m.Formats = make([]string, 0, strings.Count(c.text[c.at:], " ")+1)
	for c.more() {
		m.Formats = append(m.Formats, c.word(format))
	}
}
