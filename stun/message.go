package stun

import (
	"encoding/binary"
	"encoding/hex"
	"io"
	"iter"
	"slices"

	"github.com/plainrtc/plainrtc/internal/wire"
)

const (
	headerSize  = 20
	magicCookie = 0x2112A442
)

// A TransactionID ties a response to its request.
type TransactionID [12]byte

// NewTransactionID reads a transaction id from random, which must not fail.
//
// "The transaction ID MUST be uniformly and randomly chosen from the interval
// 0 .. 2**96-1, and MUST be cryptographically random." RFC 8489, Section 5.
func NewTransactionID(random io.Reader) (id TransactionID) {
	if _, err := io.ReadFull(random, id[:]); err != nil {
		panic("BUG: the source of randomness failed: " + err.Error())
	}
	return id
}

func (id TransactionID) String() string { return hex.EncodeToString(id[:]) }

// A Message is a STUN message that Parse accepted: a view of borrowed bytes.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|0 0|     STUN Message Type     |         Message Length        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Magic Cookie                          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	|                     Transaction ID (96 bits)                  |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 8489, Section 5, Figure 2. The zero Message is none: only IsZero may be
// asked of it.
type Message struct {
	b []byte

	// Where attributes start, counted from the start of the message; 0 when absent.
	integrity, integritySHA256, fingerprint uint32

	// limit is where the attributes end that count: behind it stand only those
	// of the three above that the RFC excepts, and what must be ignored.
	limit uint32
}

// Is reports whether a datagram that arrived where several protocols share a
// port is STUN: "the most significant 2 bits of every STUN message MUST be
// zeroes", and the magic cookie. RFC 8489, Section 5; RFC 7983, Section 7.
func Is(b []byte) bool {
	return len(b) >= headerSize && b[0] < 0x40 && binary.BigEndian.Uint32(b[4:]) == magicCookie
}

// MessageSize returns how many bytes the message takes that starts with header,
// or 0 when fewer than four bytes of it are there: for a stream, where
// messages follow each other without framing.
func MessageSize(header []byte) int {
	if len(header) < 4 {
		return 0
	}
	return headerSize + int(binary.BigEndian.Uint16(header[2:]))
}

// Parse checks that b is one STUN message, down to the bounds of each
// attribute. It keeps b and does not allocate. What attributes hold is checked
// when they are read.
func Parse(b []byte) (Message, error) {
	if len(b) < headerSize {
		return Message{}, ErrShort
	}
	if !Is(b) {
		return Message{}, ErrNotSTUN
	}
	// "Since all STUN attributes are padded to a multiple of 4 bytes, the last 2
	// bits of this field are always zero." Section 5.
	if MessageSize(b) != len(b) || len(b)%4 != 0 {
		return Message{}, ErrLength
	}
	m := Message{b: b, limit: uint32(len(b))}
	r := wire.NewReader(b[headerSize:])
	for r.Len() > 0 {
		if m.fingerprint != 0 {
			return Message{}, ErrFingerprintOrder
		}
		at := uint32(len(b) - r.Len())
		t := AttributeType(r.Uint16())
		r.Skip(padded(int(r.Uint16())))
		if !r.OK() {
			return Message{}, ErrAttribute
		}
		switch t {
		// "Note that agents MUST ignore all attributes that follow
		// MESSAGE-INTEGRITY, with the exception of the MESSAGE-INTEGRITY-SHA256 and
		// FINGERPRINT attributes. Similarly, agents MUST ignore all attributes that
		// follow the MESSAGE-INTEGRITY-SHA256 attribute if the MESSAGE-INTEGRITY
		// attribute is not present, with the exception of the FINGERPRINT
		// attribute." Section 9.
		case AttrMessageIntegrity:
			if m.integrity == 0 && m.integritySHA256 == 0 {
				m.integrity = at
				m.limit = uint32(len(b) - r.Len())
			}
		case AttrMessageIntegritySHA256:
			if m.integritySHA256 == 0 {
				m.integritySHA256 = at
				m.limit = min(m.limit, uint32(len(b)-r.Len()))
			}
		case AttrFingerprint:
			m.fingerprint = at
		}
	}
	return m, nil
}

// padded is the space that n bytes of value take: "each STUN attribute MUST
// end on a 32-bit boundary". RFC 8489, Section 14.
func padded(n int) int { return (n + 3) &^ 3 }

// IsZero reports whether m is the zero Message.
func (m Message) IsZero() bool { return m.b == nil }

// Bytes returns the message as it is on the wire: the bytes Parse was given.
func (m Message) Bytes() []byte { return m.b }

// Type returns the message's type.
func (m Message) Type() Type { return Type(binary.BigEndian.Uint16(m.b)) }

// Method returns the message's method.
func (m Message) Method() Method { return m.Type().Method() }

// Class returns the message's class.
func (m Message) Class() Class { return m.Type().Class() }

// TransactionID returns the message's transaction id.
func (m Message) TransactionID() TransactionID { return TransactionID(m.b[8:headerSize]) }

// attribute returns the attribute that starts at offset at, and where the next one starts.
func (m Message) attribute(at uint32) (t AttributeType, value []byte, next uint32) {
	n := uint32(binary.BigEndian.Uint16(m.b[at+2:]))
	return AttributeType(binary.BigEndian.Uint16(m.b[at:])), m.b[at+4 : at+4+n : at+4+n], at + 4 + uint32(padded(int(n)))
}

// Get returns the value of the first attribute of type t: "Any attribute type
// MAY appear more than once in a STUN message. Unless specified otherwise, the
// order of appearance is significant: only the first occurrence needs to be
// processed by a receiver". RFC 8489, Section 14. Attributes that follow
// MESSAGE-INTEGRITY, which it does not protect, are not there.
func (m Message) Get(t AttributeType) (value []byte, ok bool) {
	at := uint32(headerSize)
	switch t {
	case AttrMessageIntegrity:
		at = m.integrity
	case AttrMessageIntegritySHA256:
		at = m.integritySHA256
	case AttrFingerprint:
		at = m.fingerprint
	default:
		for at < m.limit {
			found, value, next := m.attribute(at)
			if found == t {
				return value, true
			}
			at = next
		}
		at = 0
	}
	if at == 0 {
		return nil, false
	}
	_, value, _ = m.attribute(at)
	return value, true
}

// Has reports whether the message has an attribute of type t.
func (m Message) Has(t AttributeType) bool {
	_, ok := m.Get(t)
	return ok
}

// Attributes returns the message's attributes in their order, without those
// that must be ignored because they follow MESSAGE-INTEGRITY.
func (m Message) Attributes() iter.Seq2[AttributeType, []byte] {
	return func(yield func(AttributeType, []byte) bool) {
		for at := uint32(headerSize); at < m.limit; {
			t, value, next := m.attribute(at)
			if !yield(t, value) {
				return
			}
			at = next
		}
		for _, at := range [...]uint32{m.integritySHA256, m.fingerprint} {
			if at < m.limit || at == 0 {
				continue
			}
			if t, value, _ := m.attribute(at); !yield(t, value) {
				return
			}
		}
	}
}

// maxUnknown bounds how many unknown attributes are told of.
const maxUnknown = 16

// UnknownRequired returns the comprehension-required attributes, each once and
// no more than 16, that are neither of RFC 8489 nor known by the caller. It
// returns nil, and does not allocate, when there are none. A nil known knows no
// more than RFC 8489's.
func (m Message) UnknownRequired(known func(AttributeType) bool) []AttributeType {
	return m.appendUnknownRequired(nil, known)
}

func (m Message) appendUnknownRequired(unknown []AttributeType, known func(AttributeType) bool) []AttributeType {
	for t := range m.Attributes() {
		if !t.ComprehensionRequired() || knownRequired(t) || known != nil && known(t) {
			continue
		}
		if len(unknown) < maxUnknown && !slices.Contains(unknown, t) {
			unknown = append(unknown, t)
		}
	}
	return unknown
}
