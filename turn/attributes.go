package turn

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/plainrtc/plainrtc/stun"
)

// The values of REQUESTED-ADDRESS-FAMILY and ADDITIONAL-ADDRESS-FAMILY, RFC
// 8656, Sections 18.6 and 18.11.
const (
	familyIPv4 = 0x01
	familyIPv6 = 0x02
)

// The values of REQUESTED-TRANSPORT are IP's numbers of protocols. RFC 8656, Section
// 18.7; RFC 6062, Section 4.1.
const (
	protocolTCP = 6
	protocolUDP = 17
)

// lifetimes on the wire are in seconds, RFC 8656, Section 18.2.
const (
	// defaultLifetime is that of an allocation: "the default lifetime value of 600
	// seconds (10 minutes)". Section 6.
	defaultLifetime = 600 * time.Second

	// permissionLifetime: "The Permission Lifetime MUST be 300 seconds
	// (= 5 minutes)." Section 9.
	permissionLifetime = 300 * time.Second

	// channelLifetime: "A channel binding lasts for 10 minutes unless refreshed."
	// Section 12.
	channelLifetime = 600 * time.Second

	// channelHold is how long a channel that expired stays reserved for its peer,
	// and the peer for it: "To prevent race conditions, the client MUST wait 5
	// minutes after the channel binding expires". Section 12.
	channelHold = 300 * time.Second
)

// understood are the comprehension-required attributes of TURN that these
// cores know, for [stun.Message.UnknownRequired].
func understood(t stun.AttributeType) bool {
	switch t {
	case stun.AttrChannelNumber, stun.AttrLifetime, stun.AttrXORPeerAddress, stun.AttrData, stun.AttrXORRelayedAddress,
		stun.AttrRequestedAddressFamily, stun.AttrEvenPort, stun.AttrRequestedTransport, stun.AttrDontFragment, stun.AttrReservationToken, stun.AttrConnectionID:
		return true
	}
	return false
}

// understoodButDF are those of a server that cannot set the DF bit: it "treats
// the DONT-FRAGMENT attribute in the Allocate request as an unknown
// comprehension-required attribute". RFC 8656, Section 7.2.
func understoodButDF(t stun.AttributeType) bool { return t != stun.AttrDontFragment && understood(t) }

// lifetimeOf returns LIFETIME.
func lifetimeOf(m stun.Message) (time.Duration, bool) {
	v, ok := m.Uint32(stun.AttrLifetime)
	return time.Duration(v) * time.Second, ok
}

// addLifetime adds LIFETIME.
func addLifetime(b *stun.Builder, d time.Duration) {
	b.AddUint32(stun.AttrLifetime, uint32(d/time.Second))
}

// family reads an attribute in the form of REQUESTED-ADDRESS-FAMILY: the family
// in the first of four bytes.
func family(m stun.Message, t stun.AttributeType) (f byte, present bool) {
	value, present := m.Get(t)
	if len(value) != 4 {
		return 0, present
	}
	return value[0], present
}

func addFamily(b *stun.Builder, t stun.AttributeType, f byte) { b.AddUint32(t, uint32(f)<<24) }

// channelNumber reads CHANNEL-NUMBER: the number, and 16 bits that are ignored.
// RFC 8656, Section 18.1.
func channelNumber(m stun.Message) (n uint16, ok bool) {
	value, _ := m.Get(stun.AttrChannelNumber)
	if len(value) != 4 {
		return 0, false
	}
	n = binary.BigEndian.Uint16(value)
	return n, n >= minChannel && n <= maxChannel5766
}

// unmapped is an address with the IPv4 address taken out of an IPv4-mapped IPv6
// one, and without a zone: the form in which addresses are compared.
func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}
