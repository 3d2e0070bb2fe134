package srtp

import "encoding/binary"

const (
	// rtpHeaderSize is the fixed header of RTP (RFC 3550, Section 5.1).
	rtpHeaderSize = 12
	// rtcpHeaderSize is what is never encrypted of RTCP: the first packet's
	// header and the sender's SSRC (RFC 3711, Section 3.4).
	rtcpHeaderSize = 8
	// extensionHeaderSize is "defined by profile" and length (RFC 3550, Section 5.3.1).
	extensionHeaderSize = 4
	// maxPacket is the longest packet that is sealed or opened. Nothing longer
	// fits a datagram, and the 16-bit block counter of AES-CM is far from its end.
	maxPacket = 1<<16 - 1

	extensionBit = 0x10
)

// A header is what SRTP has to know of an RTP packet.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|V=2|P|X|  CC   |M|     PT      |       sequence number         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           timestamp                           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           synchronization source (SSRC) identifier            |
//	+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//	|            contributing source (CSRC) identifiers             |
//	|                             ....                              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      defined by profile       |           length              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        header extension                       |
//	|                             ....                              |
type header struct {
	seq  uint16
	ssrc uint32
	// csrcs is how many bytes the contributing sources take.
	csrcs int
	// extension is whether there is a header extension, at rtpHeaderSize+csrcs.
	extension bool
	// body is where the encrypted portion begins: behind the header; with
	// Cryptex, behind the fixed header and the extension's.
	body int
	// swapped is set for Cryptex with contributing sources: while the packet is
	// encrypted, the extension's header stands before them.
	swapped bool
}

// parseRTP reads the header of an RTP packet.
func parseRTP(b []byte) (h header, ok bool) {
	if len(b) < rtpHeaderSize || len(b) > maxPacket || b[0]>>6 != 2 {
		return header{}, false
	}
	h.seq = binary.BigEndian.Uint16(b[2:])
	h.ssrc = binary.BigEndian.Uint32(b[8:])
	h.csrcs = 4 * int(b[0]&0xf)
	h.body = rtpHeaderSize + h.csrcs
	if b[0]&extensionBit != 0 {
		h.extension = true
		if len(b) < h.body+extensionHeaderSize {
			return header{}, false
		}
		h.body += extensionHeaderSize + 4*int(binary.BigEndian.Uint16(b[h.body+2:]))
	}
	return h, h.body <= len(b)
}

// parseRTCP reads the SSRC of a compound or reduced-size RTCP packet's sender,
// in whose name all of it is protected.
func parseRTCP(b []byte) (ssrc uint32, ok bool) {
	if len(b) < rtcpHeaderSize || len(b) > maxPacket || b[0]>>6 != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint32(b[4:]), true
}
