package sctp

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// An SCTP packet is a common header and chunks (RFC 9260, Section 3).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      Source Port Number       |    Destination Port Number    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Verification Tag                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           Checksum                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type header struct {
	source      uint16
	destination uint16
	tag         uint32
}

const headerSize = 12

// parseHeader reads the common header; the checksum is checkChecksum's.
func parseHeader(packet []byte) (h header, chunks []byte, ok bool) {
	if len(packet) < headerSize {
		return header{}, nil, false
	}
	return header{
		source:      binary.BigEndian.Uint16(packet),
		destination: binary.BigEndian.Uint16(packet[2:]),
		tag:         binary.BigEndian.Uint32(packet[4:]),
	}, packet[headerSize:], true
}

// append writes the header, its checksum left blank for fillChecksum.
func (h header) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, h.source)
	b = binary.BigEndian.AppendUint16(b, h.destination)
	b = binary.BigEndian.AppendUint32(b, h.tag)
	return append(b, 0, 0, 0, 0)
}

// castagnoli is the polynomial of CRC32c (RFC 9260, Appendix A). hash/crc32
// uses the processor's instruction for it where there is one.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fillChecksum completes a packet whose checksum field is zero. CRC32c is the
// one little-endian field of SCTP (RFC 9260, Appendix A).
func fillChecksum(packet []byte) {
	binary.LittleEndian.PutUint32(packet[8:], crc32.Checksum(packet, castagnoli))
}

// noChecksum reports whether a packet has a checksum of zero. An end that
// announced it must accept that as it accepts the right one (RFC 9653, Section
// 5.3).
func noChecksum(packet []byte) bool { return binary.LittleEndian.Uint32(packet[8:]) == 0 }

// checkChecksum verifies a packet of at least a header. It blanks the field
// while it computes, and puts it back.
func checkChecksum(packet []byte) bool {
	field := packet[8:12:12]
	want := binary.LittleEndian.Uint32(field)
	clear(field)
	got := crc32.Checksum(packet, castagnoli)
	binary.LittleEndian.PutUint32(field, want)
	return got == want
}

// A chunk is a type, flags, and a value whose shape depends on the type
// (RFC 9260, Section 3.2).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Chunk Type   |  Chunk Flags  |         Chunk Length          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	\                          Chunk Value                          \
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type chunk struct {
	typ   chunkType
	flags uint8
	// value is what follows the chunk header, without padding; borrowed.
	value []byte
	// raw is the whole chunk without padding: error causes quote it.
	raw []byte
}

const chunkHeaderSize = 4

// nextChunk takes the first chunk off the front of chunks. Its length does not
// count its padding, which may be missing at the end of a packet.
func nextChunk(chunks []byte) (c chunk, rest []byte, ok bool) {
	if len(chunks) < chunkHeaderSize {
		return chunk{}, nil, false
	}
	length := int(binary.BigEndian.Uint16(chunks[2:]))
	if length < chunkHeaderSize || length > len(chunks) {
		return chunk{}, nil, false
	}
	c = chunk{
		typ:   chunkType(chunks[0]),
		flags: chunks[1],
		value: chunks[chunkHeaderSize:length:length],
		raw:   chunks[:length:length],
	}
	return c, chunks[min(padded(length), len(chunks)):], true
}

// padded rounds a length up to the four-byte boundary that chunks and
// parameters end on.
func padded(n int) int { return (n + 3) &^ 3 }

// beginChunk appends a chunk header; endChunk fills in its length.
func beginChunk(b []byte, typ chunkType, flags uint8) []byte {
	return append(b, byte(typ), flags, 0, 0)
}

// endChunk fills in the length of the chunk that starts at b[start:] and pads
// it with zero bytes to a multiple of four.
func endChunk(b []byte, start int) []byte {
	binary.BigEndian.PutUint16(b[start+2:], uint16(len(b)-start))
	return pad(b, len(b)-start)
}

// pad appends the zero bytes that a chunk or parameter of n bytes lacks.
func pad(b []byte, n int) []byte {
	var zero [3]byte
	return append(b, zero[:padded(n)-n]...)
}

// Describe tells what a packet says in the words of the RFC, in one line:
// each chunk, then "bad checksum" where there is one and it is wrong. It is for transcripts and
// logs.
func Describe(packet []byte) string {
	_, chunks, ok := parseHeader(packet)
	if !ok {
		return "not an SCTP packet"
	}
	var parts []string
	for len(chunks) > 0 {
		c, rest, ok := nextChunk(chunks)
		if !ok {
			parts = append(parts, fmt.Sprintf("malformed[%d]", len(chunks)))
			break
		}
		parts, chunks = append(parts, c.String()), rest
	}
	if !noChecksum(packet) && !checkChecksum(packet) {
		parts = append(parts, "bad checksum")
	}
	return strings.Join(parts, " + ")
}
