package payload

import "encoding/binary"

// AppendRTX appends the payload of a retransmission: the original sequence number
// and the original payload.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            OSN                |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               |
//	|                  Original RTP Packet Payload                  |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 4588, Section 4. Timestamp and marker of its packet are the original's; SSRC,
// payload type and sequence number are those of the retransmission stream.
func AppendRTX(b []byte, sequenceNumber uint16, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, sequenceNumber), payload...)
}

// ParseRTX reads the payload of a retransmission. ok is false for the padding that
// senders probe with on a retransmission stream.
func ParseRTX(payload []byte) (sequenceNumber uint16, original []byte, ok bool) {
	if len(payload) < 2 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(payload), payload[2:], true
}
