package rtp

// The values of the extensions mid, rid and repaired-rid are text, as it stands
// in SDP (RFC 7941, Section 4.1; RFC 9143, Section 15; RFC 8852, Section 3).

// ValidStreamID reports whether value may be an RtpStreamId or
// RepairedRtpStreamId, which consist of letters and digits (RFC 8852, Section 3).
// Hyphen and underscore, which RFC 8851, Section 10 allows in the "a=rid" line
// that the value has to match, are accepted too.
func ValidStreamID(value []byte) bool {
	for _, c := range value {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return len(value) > 0
}

// ValidMID reports whether value may be a mid: a token in the sense of RFC 8866,
// Section 9.
func ValidMID(value []byte) bool {
	for _, c := range value {
		switch {
		case c <= ' ' || c >= 0x7f:
			return false
		case c == '"' || c == '(' || c == ')' || c == ',' || c == '/' || c >= ':' && c <= '@' || c >= '[' && c <= ']':
			return false
		}
	}
	return len(value) > 0
}
