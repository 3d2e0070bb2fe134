package trace

import (
	"encoding/binary"
	"net/netip"
)

// Exported PDU tags (Wireshark, epan/exported_pdu.h): each is a number, a length,
// and a value that is padded to a multiple of four bytes. Behind them stands what the dissector
// that they name takes.
const (
	tagEnd             = 0
	tagDissector       = 12
	tagIPv4Source      = 20
	tagIPv4Destination = 21
	tagIPv6Source      = 22
	tagIPv6Destination = 23
	tagPortType        = 24
	tagSourcePort      = 25
	tagDestinationPort = 26
)

// portUDP is Wireshark's number for ports of UDP.
const portUDP = 3

func appendTag(b []byte, tag uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, tag)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

func appendNumber(b []byte, tag uint16, value uint32) []byte {
	b = appendTag(b, tag, nil)
	b[len(b)-1] = 4
	return binary.BigEndian.AppendUint32(b, value)
}

func appendAddress(b []byte, v4, v6 uint16, a netip.Addr) []byte {
	switch a = a.Unmap(); {
	case a.Is4():
		ip := a.As4()
		return appendTag(b, v4, ip[:])
	case a.Is6():
		ip := a.As16()
		return appendTag(b, v6, ip[:])
	}
	return b
}

// appendSyslog appends the fact as a line of text. There is no link type for
// text; Wireshark shows what is said to be syslog (RFC 3164) as it is.
func appendSyslog(b []byte, e *Event) []byte {
	b = appendTag(b, tagDissector, []byte("syslog\x00\x00"))
	b = appendTag(b, tagEnd, nil)
	if e.Conn != "" {
		b = append(b, e.Conn...)
		b = append(b, ' ')
	}
	return append(b, e.String()...)
}

// appendRTP appends an RTP or RTCP packet, with the addresses that it came from and went
// to, by which Wireshark tells streams apart. As UDP it would have to guess, at the same ports, that
// the packet is not one of SRTP.
func appendRTP(b []byte, e *Event) []byte {
	dissector := "rtp\x00"
	// RFC 5761, Section 4: the second byte of RTCP is 192 to 223.
	if len(e.Bytes) > 1 && e.Bytes[1] >= 192 && e.Bytes[1] <= 223 {
		dissector = "rtcp"
	}
	b = appendTag(b, tagDissector, []byte(dissector))
	from, to := e.Remote, e.Local
	if e.Direction == Out {
		from, to = e.Local, e.Remote
	}
	b = appendAddress(b, tagIPv4Source, tagIPv6Source, from.Addr())
	b = appendAddress(b, tagIPv4Destination, tagIPv6Destination, to.Addr())
	b = appendNumber(b, tagPortType, portUDP)
	b = appendNumber(b, tagSourcePort, uint32(from.Port()))
	b = appendNumber(b, tagDestinationPort, uint32(to.Port()))
	b = appendTag(b, tagEnd, nil)
	return append(b, e.Bytes...)
}
