package stun

import (
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/internal/trace"
)

// A ServerConfig says how a Server answers. The zero ServerConfig answers
// everybody.
type ServerConfig struct {
	// Software is sent in SOFTWARE; "" sends none, which tells attackers less
	// and keeps answers small.
	Software string

	// Key returns the short-term credential of a username, or nil if nobody has
	// that name; then requests need it. A nil Key asks for no credentials.
	Key func(username []byte) *Key

	Trace *trace.Tracer
}

// A Server answers Binding requests. It remembers nothing from one request to
// the next, so it has no timers: only Receive and AppendPacket. RFC 8489,
// Section 6.3.1 and, with Key, Section 9.1.3.
type Server struct {
	config ServerConfig
	next   response
}

// A response is what Receive found out and AppendPacket writes.
type response struct {
	due         bool
	id          TransactionID
	to          netip.AddrPort
	code        ErrorCode // 0 for a success response
	unknown     [maxUnknown]AttributeType
	unknowns    int
	key         *Key // signs the response; nil for none
	sha256      bool // with MESSAGE-INTEGRITY-SHA256, as the request was
	fingerprint bool // the request had FINGERPRINT, so the response has it
}

// NewServer returns a Server.
func NewServer(config ServerConfig) *Server { return &Server{config: config} }

// Receive takes a datagram from from. If it deserves an answer, AppendPacket
// has it: take it before the next Receive.
func (s *Server) Receive(now time.Time, from netip.AddrPort, packet []byte) {
	if reason := s.receive(from, packet); reason != "" {
		s.config.Trace.Drop(now, trace.STUN, string(reason), len(packet))
	}
}

func (s *Server) receive(from netip.AddrPort, packet []byte) Reason {
	m, err := Parse(packet)
	switch {
	case err != nil:
		return err.(Reason)
	// Nobody answers an indication. Other methods, and FINGERPRINTs that do not
	// match: "If any errors are detected, the message is silently discarded."
	// Section 6.3.
	case m.Type() != BindingRequest:
		return DropNotBinding
	case m.CheckFingerprint() == ErrFingerprint:
		return ErrFingerprint
	case !from.IsValid() || from.Port() == 0:
		return DropNoSource
	case s.next.due:
		return DropNotTaken
	}
	s.next = response{due: true, id: m.TransactionID(), to: from, fingerprint: m.fingerprint != 0}
	s.next.code = s.authenticate(m)
	if s.next.code != 0 {
		return ""
	}
	// "If the request contains one or more unknown comprehension-required
	// attributes, the server replies with an error response with an error code
	// of 420 (Unknown Attribute) and includes an UNKNOWN-ATTRIBUTES attribute in
	// the response that lists the unknown comprehension-required attributes."
	// Section 6.3.1.
	if s.next.unknowns = len(m.appendUnknownRequired(s.next.unknown[:0], nil)); s.next.unknowns > 0 {
		s.next.code = CodeUnknownAttribute
	}
	return ""
}

// authenticate checks short-term credentials and returns the code to refuse
// with, or 0. RFC 8489, Section 9.1.3.
func (s *Server) authenticate(m Message) ErrorCode {
	if s.config.Key == nil {
		return 0
	}
	// "If the message does not contain 1) a MESSAGE-INTEGRITY or a
	// MESSAGE-INTEGRITY-SHA256 attribute and 2) a USERNAME attribute [...] This
	// response MUST use an error code of 400 (Bad Request)."
	if m.integrity == 0 && m.integritySHA256 == 0 || !m.Has(AttrUsername) {
		return CodeBadRequest
	}
	// "If the USERNAME does not contain a username value currently valid within
	// the server [...] This response MUST use an error code of 401
	// (Unauthenticated)."
	key := s.config.Key(m.Username())
	if key == nil {
		return CodeUnauthenticated
	}
	// "If the MESSAGE-INTEGRITY-SHA256 attribute is present, compute the value for
	// the message integrity as described in Section 14.6, using the password
	// associated with the username. If the MESSAGE-INTEGRITY-SHA256 attribute is
	// not present, then use the same password to compute the value for the
	// message integrity as described in Section 14.5."
	s.next.sha256 = m.integritySHA256 != 0
	var err error
	if s.next.sha256 {
		err = m.CheckIntegritySHA256(key, FullSHA256)
	} else {
		err = m.CheckIntegrity(key)
	}
	// "If the resulting value does not match the contents of the corresponding
	// attribute [...] an error code of 401 (Unauthenticated)." And: "If any of the
	// checks fail, a server MUST NOT include a MESSAGE-INTEGRITY-SHA256,
	// MESSAGE-INTEGRITY, or USERNAME attribute in the error response." Otherwise
	// the response is authenticated as the request was.
	if err != nil {
		return CodeUnauthenticated
	}
	s.next.key = key
	return 0
}

// AppendPacket appends the response to the last request, and returns where it
// goes; without one b comes back as it was.
func (s *Server) AppendPacket(now time.Time, b []byte) ([]byte, netip.AddrPort) {
	r := &s.next
	if !r.due {
		return b, netip.AddrPort{}
	}
	r.due = false
	t := BindingSuccessResponse
	if r.code != 0 {
		t = BindingErrorResponse
	}
	m := NewBuilder(b, t, r.id)
	switch {
	case r.code != 0:
		m.AddErrorCode(r.code, "")
		if r.unknowns > 0 {
			m.AddUnknownAttributes(r.unknown[:r.unknowns])
		}
	default:
		// "When forming the success response, the server adds an XOR-MAPPED-ADDRESS
		// attribute to the response; this attribute contains the source transport
		// address of the request message." Section 6.3.1.1.
		m.AddXORAddress(AttrXORMappedAddress, r.to)
	}
	if s.config.Software != "" {
		m.AddString(AttrSoftware, s.config.Software)
	}
	if r.key != nil {
		if r.sha256 {
			m.AddIntegritySHA256(r.key, FullSHA256)
		} else {
			m.AddIntegrity(r.key)
		}
	}
	if r.fingerprint {
		m.AddFingerprint()
	}
	return m.Bytes(), r.to
}
