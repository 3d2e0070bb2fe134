package peerconnection

import (
	"encoding/binary"
	"fmt"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// The Data Channel Establishment Protocol (RFC 8832): the side that makes a
// channel says on the channel's own stream what it is; the other acknowledges.

// The payload protocol identifiers of RFC 8831, Section 8.
const (
	ppidDCEP        = 50
	ppidString      = 51
	ppidBinary      = 53
	ppidStringEmpty = 56
	ppidBinaryEmpty = 57
)

// The message types of RFC 8832, Section 8.2.1.
const (
	dcepAck  = 0x02
	dcepOpen = 0x03
)

// The channel types of RFC 8832, Section 5.1: reliability in the low bits,
// order in the highest.
const (
	channelReliable           = 0x00
	channelPartialRexmit      = 0x01
	channelPartialTimed       = 0x02
	channelUnordered     byte = 0x80
)

// A dcepOpenMessage is DATA_CHANNEL_OPEN (RFC 8832, Section 5.1).
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Message Type |  Channel Type |            Priority           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Reliability Parameter                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Label Length          |       Protocol Length         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	\                             Label                             /
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	\                            Protocol                           /
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type dcepOpenMessage struct {
	channelType byte
	priority    uint16
	reliability uint32 // retransmissions or milliseconds, by the channel type
	label       []byte
	protocol    []byte
}

func (m dcepOpenMessage) append(b []byte) []byte {
	b = append(b, dcepOpen, m.channelType)
	b = binary.BigEndian.AppendUint16(b, m.priority)
	b = binary.BigEndian.AppendUint32(b, m.reliability)
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.label)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(m.protocol)))
	b = append(b, m.label...)
	return append(b, m.protocol...)
}

// parseDCEPOpen reads a DATA_CHANNEL_OPEN whole. Its label and protocol are
// borrowed from b.
func parseDCEPOpen(b []byte) (m dcepOpenMessage, ok bool) {
	r := wire.NewReader(b)
	if r.Uint8() != dcepOpen {
		return m, false
	}
	m.channelType = r.Uint8()
	m.priority = r.Uint16()
	m.reliability = r.Uint32()
	labelLen, protocolLen := int(r.Uint16()), int(r.Uint16())
	m.label, m.protocol = r.Bytes(labelLen), r.Bytes(protocolLen)
	switch m.channelType &^ channelUnordered {
	case channelReliable, channelPartialRexmit, channelPartialTimed:
	default:
		return m, false
	}
	return m, r.Done()
}

func (m dcepOpenMessage) String() string {
	return fmt.Sprintf("DATA_CHANNEL_OPEN type=%#02x priority=%d reliability=%d label=%q protocol=%q",
		m.channelType, m.priority, m.reliability, m.label, m.protocol)
}
