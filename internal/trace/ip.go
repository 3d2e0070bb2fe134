package trace

import (
	"encoding/binary"
	"net/netip"
)

// The protocols that IP carries in a capture.
const (
	protocolUDP  = 17
	protocolSCTP = 132
)

const (
	ipv4HeaderSize = 20
	ipv6HeaderSize = 40
	udpHeaderSize  = 8
)

// appendIP appends a packet as it could have been on the wire: an IP header made
// up from the event's addresses, for UDP its header too, and the bytes.
func appendIP(b []byte, e *Event, protocol uint8) []byte {
	from, to := e.Remote, e.Local
	if e.Direction == Out {
		from, to = e.Local, e.Remote
	}
	source, destination := from.Addr().Unmap(), to.Addr().Unmap()
	// One of the two may be unknown, or, in a test, both.
	if !source.IsValid() {
		source = unspecifiedLike(destination)
	}
	if !destination.IsValid() {
		destination = unspecifiedLike(source)
	}

	size := len(e.Bytes)
	if protocol == protocolUDP {
		size += udpHeaderSize
	}
	if source.Is4() && destination.Is4() {
		b = appendIPv4Header(b, source, destination, protocol, size)
	} else {
		b = appendIPv6Header(b, source, destination, protocol, size)
	}
	if protocol == protocolUDP {
		b = appendUDPHeader(b, source, destination, from.Port(), to.Port(), e.Bytes)
	}
	return append(b, e.Bytes...)
}

func unspecifiedLike(a netip.Addr) netip.Addr {
	if a.Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// RFC 791, Section 3.1.
func appendIPv4Header(b []byte, source, destination netip.Addr, protocol uint8, size int) []byte {
	start := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4HeaderSize+size))
	b = append(b, 0, 0, 0x40, 0) // identification 0, don't fragment
	b = append(b, 64, protocol)  // time to live
	b = append(b, 0, 0)          // checksum, filled in below
	s, d := source.As4(), destination.As4()
	b = append(b, s[:]...)
	b = append(b, d[:]...)
	binary.BigEndian.PutUint16(b[start+10:], ^fold(sum(0, b[start:])))
	return b
}

// RFC 8200, Section 3.
func appendIPv6Header(b []byte, source, destination netip.Addr, protocol uint8, size int) []byte {
	b = append(b, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = append(b, protocol, 64) // hop limit
	s, d := source.As16(), destination.As16()
	b = append(b, s[:]...)
	return append(b, d[:]...)
}

// RFC 768. The checksum covers a pseudo header of the addresses, the protocol
// and the length; for IPv6 it is RFC 8200, Section 8.1, which sums up the same.
func appendUDPHeader(b []byte, source, destination netip.Addr, from, to uint16, payload []byte) []byte {
	start, size := len(b), udpHeaderSize+len(payload)
	b = binary.BigEndian.AppendUint16(b, from)
	b = binary.BigEndian.AppendUint16(b, to)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = append(b, 0, 0) // checksum, filled in below

	// The ffff that As16 puts in front of an IPv4 address adds nothing: it is
	// the other zero of one's complement.
	s, d := source.As16(), destination.As16()
	total := sum(uint32(protocolUDP)+uint32(size), s[:])
	total = sum(total, d[:])
	total = sum(total, b[start:])
	checksum := ^fold(sum(total, payload))
	if checksum == 0 {
		checksum = 0xffff // "If the computed checksum is zero, it is transmitted as all ones"
	}
	binary.BigEndian.PutUint16(b[start+6:], checksum)
	return b
}

// sum adds b to a one's complement sum (RFC 1071), 16 bits at a time.
func sum(total uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		total += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		total += uint32(b[0]) << 8
	}
	return total
}

// fold brings a sum down to 16 bits by adding the carries.
func fold(total uint32) uint16 {
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}
