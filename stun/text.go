package stun

import (
	"fmt"
	"strings"
)

// String returns the message in one line, in the RFC's words: its type and its
// attributes in their order.
func (m Message) String() string {
	if m.IsZero() {
		return "no message"
	}
	var s strings.Builder
	s.WriteString(m.Type().String())
	for t, value := range m.Attributes() {
		fmt.Fprintf(&s, " %v", t)
		switch t {
		case AttrUsername, AttrRealm, AttrNonce, AttrSoftware, AttrAlternateDomain:
			fmt.Fprintf(&s, "=%q", value)
		case AttrMappedAddress, AttrAlternateServer:
			if a, ok := parseAddress(value, new([16]byte)); ok {
				fmt.Fprintf(&s, "=%v", a)
			}
		case AttrXORMappedAddress, AttrXORPeerAddress, AttrXORRelayedAddress:
			mask := [16]byte(m.b[4:headerSize])
			if a, ok := parseAddress(value, &mask); ok {
				fmt.Fprintf(&s, "=%v", a)
			}
		case AttrErrorCode:
			if code, reason, ok := m.ErrorCode(); ok {
				fmt.Fprintf(&s, "=%d %q", int(code), reason)
			}
		case AttrUnknownAttributes:
			fmt.Fprintf(&s, "=%v", m.UnknownAttributes())
		case AttrPasswordAlgorithm:
			if a, ok := m.PasswordAlgorithm(); ok {
				fmt.Fprintf(&s, "=%v", a)
			}
		case AttrPasswordAlgorithms:
			fmt.Fprintf(&s, "=%v", m.PasswordAlgorithms())
		case AttrPriority, AttrLifetime:
			if v, ok := m.Uint32(t); ok {
				fmt.Fprintf(&s, "=%d", v)
			}
		case AttrICEControlled, AttrICEControlling:
			if v, ok := m.Uint64(t); ok {
				fmt.Fprintf(&s, "=%016x", v)
			}
		case AttrData:
			fmt.Fprintf(&s, "[%d]", len(value))
		case AttrMessageIntegrity, AttrMessageIntegritySHA256, AttrFingerprint, AttrUseCandidate, AttrDontFragment:
		default:
			if len(value) > 0 {
				fmt.Fprintf(&s, "=%x", value[:min(len(value), 16)])
			}
		}
	}
	return s.String()
}
