package srtp

import "encoding/binary"

// The "defined by profile" values of header extensions: those of RFC 8285,
// Sections 4.2 and 4.3, and what stands for them when the extensions are
// encrypted (RFC 9335, Section 5).
const (
	oneByteExtensions        = 0xbede
	twoByteExtensions        = 0x1000
	oneByteExtensionsCryptex = 0xc0de
	twoByteExtensionsCryptex = 0xc2de
)

// wrapCryptex prepares the RTP packet at b[start:] for Cryptex (RFC 9335, Section
// 5.1). It changes nothing if there is nothing to hide, or if the extensions
// are not those of RFC 8285, with which the mechanism MUST NOT be used. Two-byte
// extensions with appbits, which Cryptex cannot express and the RFC says not to
// negotiate, are left alone as well.
func wrapCryptex(b []byte, start int, h *header) []byte {
	at := start + rtpHeaderSize + h.csrcs
	switch {
	case h.extension:
		switch binary.BigEndian.Uint16(b[at:]) {
		case oneByteExtensions:
			binary.BigEndian.PutUint16(b[at:], oneByteExtensionsCryptex)
		case twoByteExtensions:
			binary.BigEndian.PutUint16(b[at:], twoByteExtensionsCryptex)
		default:
			return b
		}
	case h.csrcs > 0:
		// "If the packet contains CSRCs but no header extensions, an empty
		// extension block consisting of the 0xC0DE tag and a 16-bit length field
		// set to zero (explicitly permitted by [RFC3550]) MUST be appended, and
		// the X bit MUST be set to 1".
		b = grow(b, extensionHeaderSize)
		copy(b[at+extensionHeaderSize:], b[at:])
		binary.BigEndian.PutUint32(b[at:], oneByteExtensionsCryptex<<16)
		b[start] |= extensionBit
		h.extension = true
	default:
		return b
	}
	h.encryptFromCSRCs()
	return b
}

// unwrapCryptex recognizes a packet that was sent with Cryptex and sets h.body
// accordingly. The tag is left for plainExtensions: it is authenticated.
func unwrapCryptex(b []byte, h *header) bool {
	if !h.extension {
		return false
	}
	switch binary.BigEndian.Uint16(b[rtpHeaderSize+h.csrcs:]) {
	case oneByteExtensionsCryptex, twoByteExtensionsCryptex:
		h.encryptFromCSRCs()
		return true
	}
	return false
}

// plainExtensions puts the tag of RFC 8285 back into a decrypted packet.
func plainExtensions(b []byte, h *header) {
	tag := b[rtpHeaderSize+h.csrcs:]
	if binary.BigEndian.Uint16(tag) == oneByteExtensionsCryptex {
		binary.BigEndian.PutUint16(tag, oneByteExtensions)
	} else {
		binary.BigEndian.PutUint16(tag, twoByteExtensions)
	}
}

// encryptFromCSRCs extends the encrypted portion (RFC 9335, Section 6.2):
//
//	Plaintext = CSRC identifiers (if used) || header extension data ||
//	     RTP payload || RTP padding (if used) || RTP pad count (if used)
//
// The four bytes of the extension's header, which stand between the first two, are
// not encrypted.
func (h *header) encryptFromCSRCs() {
	h.body = rtpHeaderSize + extensionHeaderSize
	h.swapped = h.csrcs > 0
}

// extensionFirst moves the extension's header before the contributing sources, so
// that what is encrypted is in one piece, and so is what an AEAD authenticates
// beside it: the fixed header and the extension's. Section 6.2 suggests this
// "swapping the order of the extension header and the CSRC identifiers".
func (h *header) extensionFirst(p []byte) {
	if !h.swapped {
		return
	}
	extension := binary.BigEndian.Uint32(p[rtpHeaderSize+h.csrcs:])
	copy(p[rtpHeaderSize+extensionHeaderSize:], p[rtpHeaderSize:rtpHeaderSize+h.csrcs])
	binary.BigEndian.PutUint32(p[rtpHeaderSize:], extension)
}

// csrcsFirst undoes extensionFirst.
func (h *header) csrcsFirst(p []byte) {
	if !h.swapped {
		return
	}
	extension := binary.BigEndian.Uint32(p[rtpHeaderSize:])
	copy(p[rtpHeaderSize:], p[rtpHeaderSize+extensionHeaderSize:][:h.csrcs])
	binary.BigEndian.PutUint32(p[rtpHeaderSize+h.csrcs:], extension)
}
