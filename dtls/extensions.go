package dtls

import (
	"encoding/binary"
	"iter"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// The extensions that are read or written (IANA's TLS ExtensionType Values).
const (
	extSupportedGroups      = 10     // RFC 8422, Section 5.1.1
	extECPointFormats       = 11     // RFC 8422, Section 5.1.2
	extSignatureAlgorithms  = 13     // RFC 5246, Section 7.4.1.4.1
	extUseSRTP              = 14     // RFC 5764, Section 4.1.1
	extExtendedMasterSecret = 23     // RFC 7627, Section 5.1
	extRecordSizeLimit      = 28     // RFC 8449, Section 4
	extSupportedVersions    = 43     // RFC 8446, Section 4.2.1
	extCookie               = 44     // RFC 8446, Section 4.2.2
	extKeyShare             = 51     // RFC 8446, Section 4.2.8
	extRenegotiationInfo    = 0xff01 // RFC 5746, Section 3.2
)

// A list16 is a list of two-byte numbers as it stands on the wire.
type list16 []byte

func newList16[T ~uint16](vs []T) list16 {
	b := make(list16, 0, 2*len(vs))
	for _, v := range vs {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return b
}

func (l list16) contains(v uint16) bool {
	for w := range l.all() {
		if w == v {
			return true
		}
	}
	return false
}

func (l list16) all() iter.Seq[uint16] {
	return func(yield func(uint16) bool) {
		for i := 0; i+1 < len(l); i += 2 {
			if !yield(binary.BigEndian.Uint16(l[i:])) {
				return
			}
		}
	}
}

// A sender tells whose hello an extension stands in: some look different.
type sender bool

const (
	fromClient sender = false
	fromServer sender = true
)

// An extensions is what a hello's extensions say, as far as we understand
// them. A nil slice is an absent extension; slices are borrowed.
//
//	struct {
//	    ExtensionType extension_type;
//	    opaque extension_data<0..2^16-1>;
//	} Extension;
type extensions struct {
	supportedVersions   list16 // from a server: the one it selected
	supportedGroups     list16
	ecPointFormats      []byte
	signatureAlgorithms list16
	srtpProfiles        list16 // from a server: the one it selected
	srtpMKI             []byte
	// renegotiationInfo is what the ends verified before: empty but not nil in
	// a first handshake.
	renegotiationInfo    []byte
	extendedMasterSecret bool
	recordSizeLimit      int // zero: absent
	cookie               []byte
	// keyShares are a client's KeyShareEntries, or the one of a ServerHello;
	// selectedGroup is what a HelloRetryRequest has in their place.
	keyShares     []byte
	selectedGroup Group
	// unknown is set when there are others.
	unknown bool
}

// maxExtensions is how many extensions a hello may carry. There are about 60
// in IANA's registry; looking for duplicates costs the square of it.
const maxExtensions = 100

// parse reads the content of a hello's extensions vector, in any order.
// "There MUST NOT be more than one extension of the same type" (RFC 5246,
// Section 7.4.1.4).
func (e *extensions) parse(b []byte, from sender) bool {
	var seen [maxExtensions]uint16
	r := wire.NewReader(b)
	for n := 0; r.Len() > 0; n++ {
		typ := r.Uint16()
		data := wire.NewReader(r.Vector16())
		if !r.OK() || n == maxExtensions {
			return false
		}
		for _, t := range seen[:n] {
			if t == typ {
				return false
			}
		}
		seen[n] = typ
		if !e.parseOne(typ, data, from) {
			return false
		}
	}
	return r.OK()
}

func (e *extensions) parseOne(typ uint16, r wire.Reader, from sender) bool {
	nonEmpty16 := func(b []byte) list16 {
		if len(b) == 0 || len(b)%2 != 0 {
			r.Fail()
		}
		return b
	}
	switch typ {
	case extSupportedVersions:
		if from == fromServer {
			e.supportedVersions = r.Bytes(2)
		} else {
			e.supportedVersions = nonEmpty16(r.Vector8())
		}
	case extSupportedGroups:
		e.supportedGroups = nonEmpty16(r.Vector16())
	case extECPointFormats:
		e.ecPointFormats = r.Vector8()
		if len(e.ecPointFormats) == 0 {
			r.Fail()
		}
	case extSignatureAlgorithms:
		e.signatureAlgorithms = nonEmpty16(r.Vector16())
	case extUseSRTP:
		e.srtpProfiles = nonEmpty16(r.Vector16())
		e.srtpMKI = r.Vector8()
	case extExtendedMasterSecret:
		e.extendedMasterSecret = true
	case extRecordSizeLimit:
		e.recordSizeLimit = max(1, int(r.Uint16())) // zero is as wrong as one
	case extCookie:
		if e.cookie = r.Vector16(); len(e.cookie) == 0 {
			r.Fail()
		}
	case extKeyShare:
		switch {
		case from == fromClient:
			e.keyShares = r.Vector16()
			return r.Done() && validKeyShares(e.keyShares)
		case r.Len() == 2:
			e.selectedGroup = Group(r.Uint16())
		default:
			e.keyShares = r.Rest()
			_, _, rest, ok := nextKeyShare(e.keyShares)
			return ok && len(rest) == 0
		}
	case extRenegotiationInfo:
		e.renegotiationInfo = r.Vector8()
	default:
		e.unknown = true
		return true
	}
	return r.Done()
}

// append appends the extensions vector, its length included.
func (e *extensions) append(b []byte, from sender) []byte {
	start := len(b)
	b = append(b, 0, 0)
	if e.supportedVersions != nil {
		b = appendExtension(b, extSupportedVersions, func(b []byte) []byte {
			if from == fromServer {
				return append(b, e.supportedVersions...)
			}
			return append8(b, e.supportedVersions)
		})
	}
	if e.supportedGroups != nil {
		b = appendExtension(b, extSupportedGroups, func(b []byte) []byte { return append16(b, e.supportedGroups) })
	}
	if e.ecPointFormats != nil {
		b = appendExtension(b, extECPointFormats, func(b []byte) []byte { return append8(b, e.ecPointFormats) })
	}
	if e.signatureAlgorithms != nil {
		b = appendExtension(b, extSignatureAlgorithms, func(b []byte) []byte { return append16(b, e.signatureAlgorithms) })
	}
	if e.cookie != nil {
		b = appendExtension(b, extCookie, func(b []byte) []byte { return append16(b, e.cookie) })
	}
	if e.keyShares != nil {
		b = appendExtension(b, extKeyShare, func(b []byte) []byte {
			if from == fromServer {
				return append(b, e.keyShares...)
			}
			return append16(b, e.keyShares)
		})
	}
	if e.selectedGroup != 0 {
		b = appendExtension(b, extKeyShare, func(b []byte) []byte {
			return binary.BigEndian.AppendUint16(b, uint16(e.selectedGroup))
		})
	}
	if e.srtpProfiles != nil {
		b = appendExtension(b, extUseSRTP, func(b []byte) []byte { return append8(append16(b, e.srtpProfiles), e.srtpMKI) })
	}
	if e.extendedMasterSecret {
		b = appendExtension(b, extExtendedMasterSecret, func(b []byte) []byte { return b })
	}
	if e.recordSizeLimit != 0 {
		b = appendExtension(b, extRecordSizeLimit, func(b []byte) []byte { return binary.BigEndian.AppendUint16(b, uint16(e.recordSizeLimit)) })
	}
	if e.renegotiationInfo != nil {
		b = appendExtension(b, extRenegotiationInfo, func(b []byte) []byte { return append8(b, e.renegotiationInfo) })
	}
	wire.PutUint16At(b, start, len(b)-start-2)
	return b
}

// appendExtension appends an extension whose data content appends.
func appendExtension(b []byte, typ uint16, content func(b []byte) []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, typ)
	start := len(b)
	b = content(append(b, 0, 0))
	wire.PutUint16At(b, start, len(b)-start-2)
	return b
}

// uncompressed is the only ECPointFormat that RFC 8422 leaves.
const uncompressed = 0
