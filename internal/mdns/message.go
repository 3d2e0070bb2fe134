package mdns

import (
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// What is written and read of DNS messages (RFC 1035, Section 4; RFC 6762, Section 18).

const (
	// ttl: "the recommended TTL value for Multicast DNS resource records with a host
	// name as the resource record's name [...] SHOULD be 120 seconds". RFC 6762, Section 10.
	ttl = 120 * time.Second

	// In multicast DNS the highest bit of a class is not part of it. In answers: this
	// record is all there is for the name (Section 10.2). In questions: an answer to
	// the asker alone would do (Section 5.4).
	flagBit = 1 << 15

	classIN = dnsmessage.ClassINET

	// maxMessage is what a message may have at most: "Multicast DNS Messages carried by
	// UDP may be up to the IP MTU of the physical interface, less the space required for
	// the IP header (20 bytes for IPv4; 40 bytes for IPv6) and the UDP header (8 bytes)."
	// RFC 6762, Section 17.
	maxMessage = 9000

	// maxRecords bounds how many questions and records of a message are looked at.
	maxRecords = 64
)

// IsName reports whether a name is one that hides an address: "a version 4 UUID as
// defined in [RFC4122], followed by '.local'". Of a UUID the form is looked at alone, as
// nothing depends on what is in it.
//
// Others are not asked for: "this mechanism allows attackers to send ICE traffic to
// devices with well-known mDNS names". Draft-ietf-mmusic-mdns-ice-candidates, Section 3.2.2.
func IsName(s string) bool {
	const form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
	if len(s) != len(form)+len(".local") || !strings.EqualFold(s[len(form):], ".local") {
		return false
	}
	for i := range len(form) {
		switch c := s[i]; {
		case form[i] == '-':
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// NewName makes a name of 16 random bytes. RFC 9562, Section 5.4.
func NewName(random [16]byte) string {
	const digits = "0123456789abcdef"
	random[6] = 4<<4 | random[6]&0x0f // the version
	random[8] = 2<<6 | random[8]&0x3f // the variant
	b := make([]byte, 0, 42)
	for i, c := range random {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, digits[c>>4], digits[c&15])
	}
	return string(append(b, ".local"...))
}

// dnsName is a name as messages have it.
func dnsName(name string) dnsmessage.Name { return dnsmessage.MustNewName(name + ".") }

// nameOf is the name that a message has, in lower case, or "" if it is none of ours.
func nameOf(n dnsmessage.Name) string {
	name := strings.ToLower(strings.TrimSuffix(n.String(), "."))
	if !IsName(name) {
		return ""
	}
	return name
}

// appendQuestion appends a message that asks for the addresses of names.
func appendQuestion(b []byte, names []string) []byte {
	m := dnsmessage.NewBuilder(b, dnsmessage.Header{})
	m.EnableCompression()
	must(m.StartQuestions())
	for _, name := range names {
		for _, typ := range [...]dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			must(m.Question(dnsmessage.Question{Name: dnsName(name), Type: typ, Class: classIN}))
		}
	}
	return finish(&m, b)
}

// appendAnswer appends a message that tells the address of a name, for so long.
// For a legacy asker it has the question, and no flag: RFC 6762, Section 6.7.
func appendAnswer(b []byte, name string, addr netip.Addr, ttl time.Duration, legacy *legacyQuery) []byte {
	h := dnsmessage.Header{Response: true, Authoritative: true}
	class := dnsmessage.Class(classIN | flagBit)
	if legacy != nil {
		h.ID, class = legacy.id, classIN
	}
	m := dnsmessage.NewBuilder(b, h)
	m.EnableCompression()
	if legacy != nil {
		must(m.StartQuestions())
		must(m.Question(dnsmessage.Question{Name: dnsName(name), Type: typeOf(addr), Class: classIN}))
		ttl = min(ttl, 10*time.Second) // "SHOULD NOT be greater than ten seconds"
	}
	must(m.StartAnswers())
	record := dnsmessage.ResourceHeader{Name: dnsName(name), Class: class, TTL: uint32(ttl / time.Second)}
	if addr.Is4() {
		must(m.AResource(record, dnsmessage.AResource{A: addr.As4()}))
	} else {
		must(m.AAAAResource(record, dnsmessage.AAAAResource{AAAA: addr.As16()}))
	}
	return finish(&m, b)
}

func typeOf(addr netip.Addr) dnsmessage.Type {
	if addr.Is4() {
		return dnsmessage.TypeA
	}
	return dnsmessage.TypeAAAA
}

func finish(m *dnsmessage.Builder, b []byte) []byte {
	out, err := m.Finish()
	must(err)
	return out
}

func must(err error) {
	if err != nil {
		panic("BUG: a DNS message cannot be written: " + err.Error())
	}
}

// A question is what somebody asks for.
type question struct {
	name string
	v4   bool // A, or ANY
	v6   bool // AAAA, or ANY
}

// asks reports whether an address is an answer.
func (q question) asks(addr netip.Addr) bool { return addr.Is4() && q.v4 || addr.Is6() && q.v6 }

// An answer is what somebody says.
type answer struct {
	name string
	addr netip.Addr
	ttl  time.Duration // 0: goodbye
}

// A message is what is of interest in one.
type message struct {
	id        uint16
	response  bool
	questions []question
	answers   []answer // of a response; in a question, what the asker knows already
}

// parse reads a message. What is wrong in it ends it, what came before counts.
func parse(b []byte) (m message, ok bool) {
	if len(b) > maxMessage {
		return m, false
	}
	var p dnsmessage.Parser
	h, err := p.Start(b)
	// "In both multicast query and multicast response messages, the OPCODE MUST be zero
	// on transmission [...] Multicast DNS messages received with an OPCODE other than
	// zero MUST be silently ignored." The same of the response code. RFC 6762, Section 18.
	if err != nil || h.OpCode != 0 || h.RCode != 0 {
		return m, false
	}
	m.id, m.response = h.ID, h.Response
	for range maxRecords {
		q, err := p.Question()
		if err != nil {
			break
		}
		name, class := nameOf(q.Name), q.Class&^flagBit
		if name == "" || class != classIN && class != dnsmessage.ClassANY {
			continue
		}
		m.questions = append(m.questions, question{
			name: name,
			v4:   q.Type == dnsmessage.TypeA || q.Type == dnsmessage.TypeALL,
			v6:   q.Type == dnsmessage.TypeAAAA || q.Type == dnsmessage.TypeALL,
		})
	}
	if p.SkipAllQuestions() != nil {
		return m, len(m.questions) > 0
	}
	for range maxRecords {
		h, err := p.AnswerHeader()
		if err != nil {
			break
		}
		name := nameOf(h.Name)
		a := answer{name: name, ttl: time.Duration(h.TTL) * time.Second}
		switch {
		case name == "" || h.Class&^flagBit != classIN:
			err = p.SkipAnswer()
		case h.Type == dnsmessage.TypeA:
			var r dnsmessage.AResource
			r, err = p.AResource()
			a.addr = netip.AddrFrom4(r.A)
		case h.Type == dnsmessage.TypeAAAA:
			var r dnsmessage.AAAAResource
			r, err = p.AAAAResource()
			a.addr = netip.AddrFrom16(r.AAAA).Unmap()
		default:
			err = p.SkipAnswer()
		}
		if err != nil {
			break
		}
		if a.addr.IsValid() {
			m.answers = append(m.answers, a)
		}
	}
	return m, true
}
