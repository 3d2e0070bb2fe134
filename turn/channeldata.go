package turn

import "encoding/binary"

// The channel numbers. RFC 8656, Section 12 reserves those above 0x4FFF, so that
// ChannelData can share a port with everything else (RFC 7983), and our Client
// does not use them. But clients of RFC 5766 do, among them coturn's, and nothing
// else that starts so arrives at a server: ours takes them.
const (
	minChannel     = 0x4000
	maxChannel     = 0x4FFF
	maxChannel5766 = 0x7FFF
)

const channelHeader = 4

// Headroom is the space in front of a payload that its header needs at most: of
// a Send indication with an IPv6 address and DONT-FRAGMENT. [Client.WrapData] and
// [Server.ReceivePeer] build packets there.
const Headroom = 20 + 4 + 20 + 4 + 4

// IsChannelData reports whether a message between client and server is
// ChannelData: those start with the bits 01, and STUN with 00.
func IsChannelData(b []byte) bool { return len(b) >= channelHeader && b[0]&0xc0 == 0x40 }

// parseChannelData reads a ChannelData message.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Channel Number        |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	/                       Application Data                        /
//	/                                                               /
//	|                                                               |
//	|                               +-------------------------------+
//	|                               |
//	+-------------------------------+
//
// RFC 8656, Section 12.4. The message may be followed by padding: "Over UDP, the
// padding is not required but MAY be included." Section 12.5.
func parseChannelData(b []byte) (number uint16, data []byte, ok bool) {
	if !IsChannelData(b) {
		return 0, nil, false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n > len(b)-channelHeader {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(b), b[channelHeader : channelHeader+n : channelHeader+n], true
}

// wrapChannelData writes the header in front of the payload b[at:], and over a
// stream the padding behind it: "Over TCP and TLS-over-TCP, the ChannelData
// message MUST be padded to a multiple of four bytes in order to ensure the
// alignment of subsequent messages. The padding is not reflected in the length
// field of the ChannelData message". RFC 8656, Section 12.5.
func wrapChannelData(b []byte, at int, number uint16, stream bool) []byte {
	n := len(b) - at
	binary.BigEndian.PutUint16(b[at-4:], number)
	binary.BigEndian.PutUint16(b[at-2:], uint16(n))
	if stream {
		b = append(b, "\x00\x00\x00"[:padding(n)]...)
	}
	return b[at-channelHeader:]
}

// padding is how many bytes n lacks to a multiple of four.
func padding(n int) int { return -n & 3 }
