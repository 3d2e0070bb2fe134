package stun

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"github.com/plainrtc/plainrtc/internal/wire"
)

// Address families, RFC 8489, Section 14.1.
const (
	familyIPv4 = 0x01
	familyIPv6 = 0x02
)

// MappedAddress returns MAPPED-ADDRESS.
func (m Message) MappedAddress() (netip.AddrPort, bool) { return m.Address(AttrMappedAddress) }

// XORMappedAddress returns XOR-MAPPED-ADDRESS: the address that the sender of
// a response saw its request come from.
func (m Message) XORMappedAddress() (netip.AddrPort, bool) { return m.XORAddress(AttrXORMappedAddress) }

// Address reads an attribute in the form of MAPPED-ADDRESS.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|0 0 0 0 0 0 0 0|    Family     |           Port                |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                                                               |
//	|                 Address (32 bits or 128 bits)                 |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// RFC 8489, Section 14.1, Figure 5.
func (m Message) Address(t AttributeType) (netip.AddrPort, bool) {
	var noMask [16]byte
	return m.address(t, &noMask)
}

// XORAddress reads an attribute in the form of XOR-MAPPED-ADDRESS, where the
// port is masked with the magic cookie and the address with the magic cookie
// and the transaction id. RFC 8489, Section 14.2.
func (m Message) XORAddress(t AttributeType) (netip.AddrPort, bool) {
	mask := [16]byte(m.b[4:headerSize])
	return m.address(t, &mask)
}

func (m Message) address(t AttributeType, mask *[16]byte) (netip.AddrPort, bool) {
	value, ok := m.Get(t)
	if !ok {
		return netip.AddrPort{}, false
	}
	return parseAddress(value, mask)
}

// XORAddresses returns every attribute of type t, all in the form of
// XOR-MAPPED-ADDRESS, in their order: TURN has some that appear more than once.
// One that holds no address is the zero AddrPort.
func (m Message) XORAddresses(t AttributeType) iter.Seq[netip.AddrPort] {
	return func(yield func(netip.AddrPort) bool) {
		mask := [16]byte(m.b[4:headerSize])
		for found, value := range m.Attributes() {
			if found != t {
				continue
			}
			if a, _ := parseAddress(value, &mask); !yield(a) {
				return
			}
		}
	}
}

func parseAddress(value []byte, mask *[16]byte) (netip.AddrPort, bool) {
	r := wire.NewReader(value)
	r.Skip(1) // "MUST be set to 0 and MUST be ignored by receivers"
	family := r.Uint8()
	port := r.Uint16() ^ binary.BigEndian.Uint16(mask[:])
	var addr netip.Addr
	switch b := r.Rest(); {
	case family == familyIPv4 && len(b) == 4:
		a := [4]byte(b)
		xor(a[:], mask)
		addr = netip.AddrFrom4(a)
	case family == familyIPv6 && len(b) == 16:
		a := [16]byte(b)
		xor(a[:], mask)
		addr = netip.AddrFrom16(a)
	default:
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr, port), true
}

func xor(b []byte, mask *[16]byte) {
	for i := range b {
		b[i] ^= mask[i]
	}
}

// AddAddress adds an attribute in the form of MAPPED-ADDRESS.
func (b *Builder) AddAddress(t AttributeType, a netip.AddrPort) {
	var noMask [16]byte
	b.addAddress(t, a, &noMask)
}

// AddXORAddress adds an attribute in the form of XOR-MAPPED-ADDRESS.
func (b *Builder) AddXORAddress(t AttributeType, a netip.AddrPort) {
	mask := [16]byte(b.b[b.start+4 : b.start+headerSize])
	b.addAddress(t, a, &mask)
}

func (b *Builder) addAddress(t AttributeType, a netip.AddrPort, mask *[16]byte) {
	addr := a.Addr().Unmap()
	if !addr.IsValid() {
		panic("BUG: stun: an address attribute needs a valid address")
	}
	var value [20]byte
	value[1] = familyIPv4
	n := 8
	if addr.Is4() {
		v4 := addr.As4()
		copy(value[4:], v4[:])
	} else {
		v6 := addr.As16()
		copy(value[4:], v6[:])
		value[1] = familyIPv6
		n = 20
	}
	binary.BigEndian.PutUint16(value[2:], a.Port()^binary.BigEndian.Uint16(mask[:]))
	xor(value[4:n], mask)
	b.Add(t, value[:n])
}
