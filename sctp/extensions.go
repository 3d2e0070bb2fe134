package sctp

import "encoding/binary"

// Extensions is a set of extensions to RFC 9260, each of which both ends have
// to support before one may use it. Their INIT and INIT ACK say what they
// support.
type Extensions uint8

// The extensions.
const (
	PartialReliability Extensions = 1 << iota // RFC 3758: Message.Limited and Message.Lifetime
	Reconfiguration                           // RFC 6525: ResetStreams and its like
	ZeroChecksum                              // RFC 9653: no checksum where DTLS has a better one
	Interleaving                              // RFC 8260: I-DATA instead of DATA
	// interleavedForwarding goes with PartialReliability and Interleaving: a peer
	// that lacks it has no partial reliability if it has interleaving.
	interleavedForwarding
)

// partial reports whether messages can be given up, with the chunks agreed on.
func (e Extensions) partial() bool {
	if e.has(Interleaving) {
		return e.has(interleavedForwarding)
	}
	return e.has(PartialReliability)
}

// has reports whether all of f are in e.
func (e Extensions) has(f Extensions) bool { return e&f == f }

// edmDTLS is the error detection method "SCTP over DTLS" (RFC 9653, Section
// 4): what DTLS authenticates needs no checksum.
const edmDTLS = 1

// supported are the extensions that we announce and, if the peer does too, use.
func (c *Config) supported() Extensions {
	e := PartialReliability | Reconfiguration | Interleaving
	if c.DTLS {
		e |= ZeroChecksum
	}
	if e &^= c.Without; e.has(PartialReliability | Interleaving) {
		e |= interleavedForwarding
	}
	return e
}

// appendParams writes the parameters that announce the extensions.
func (e Extensions) appendParams(b []byte) []byte {
	if e.has(PartialReliability) {
		b = appendParam(b, paramForwardTSN, nil)
	}
	if e.has(ZeroChecksum) {
		b = appendParam(b, paramZeroChecksum, binary.BigEndian.AppendUint32(nil, edmDTLS))
	}
	if types := e.chunkTypes(); len(types) > 0 {
		b = appendParam(b, paramSupportedExtensions, types)
	}
	return b
}

// chunkTypes are the chunk types that the extensions bring: what stands in a
// Supported Extensions Parameter (RFC 5061, Section 4.2.7).
func (e Extensions) chunkTypes() (types []byte) {
	if e.has(Reconfiguration) {
		types = append(types, byte(typeReconfig))
	}
	if e.has(PartialReliability) {
		types = append(types, byte(typeForwardTSN))
	}
	if e.has(Interleaving) {
		types = append(types, byte(typeIData))
	}
	if e.has(interleavedForwarding) {
		types = append(types, byte(typeIForwardTSN))
	}
	return types
}

// announcedBy is the extension that a chunk type in a Supported Extensions
// Parameter stands for.
func announcedBy(t chunkType) Extensions {
	switch t {
	case typeReconfig:
		return Reconfiguration
	case typeForwardTSN:
		// RFC 3758 announces itself by its own parameter, but some stacks name
		// the chunk here only.
		return PartialReliability
	case typeIData:
		return Interleaving
	case typeIForwardTSN:
		return interleavedForwarding
	}
	return 0
}
