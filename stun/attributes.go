package stun

import "fmt"

// An AttributeType numbers a kind of attribute.
type AttributeType uint16

// The attributes of STUN (RFC 8489, Section 18.3), ICE (RFC 8445, Section
// 20.1), TURN (RFC 8656, Section 18; RFC 6062, Section 6.2; RFC 7635, Section 6; RFC
// 8016, Section 5), the discovery of NAT behaviour (RFC 5780, Section 7), and one of Google's that every Chromium sends. The RFC's MAPPED-ADDRESS is AttrMappedAddress, and so on.
const (
	AttrMappedAddress          AttributeType = 0x0001
	AttrChangeRequest          AttributeType = 0x0003
	AttrUsername               AttributeType = 0x0006
	AttrMessageIntegrity       AttributeType = 0x0008
	AttrErrorCode              AttributeType = 0x0009
	AttrUnknownAttributes      AttributeType = 0x000A
	AttrChannelNumber          AttributeType = 0x000C
	AttrLifetime               AttributeType = 0x000D
	AttrXORPeerAddress         AttributeType = 0x0012
	AttrData                   AttributeType = 0x0013
	AttrRealm                  AttributeType = 0x0014
	AttrNonce                  AttributeType = 0x0015
	AttrXORRelayedAddress      AttributeType = 0x0016
	AttrRequestedAddressFamily AttributeType = 0x0017
	AttrEvenPort               AttributeType = 0x0018
	AttrRequestedTransport     AttributeType = 0x0019
	AttrDontFragment           AttributeType = 0x001A
	AttrAccessToken            AttributeType = 0x001B
	AttrMessageIntegritySHA256 AttributeType = 0x001C
	AttrPasswordAlgorithm      AttributeType = 0x001D
	AttrUserhash               AttributeType = 0x001E
	AttrXORMappedAddress       AttributeType = 0x0020
	AttrReservationToken       AttributeType = 0x0022
	AttrPriority               AttributeType = 0x0024
	AttrUseCandidate           AttributeType = 0x0025
	AttrPadding                AttributeType = 0x0026
	AttrResponsePort           AttributeType = 0x0027
	AttrConnectionID           AttributeType = 0x002A

	AttrAdditionalAddressFamily AttributeType = 0x8000
	AttrAddressErrorCode        AttributeType = 0x8001
	AttrPasswordAlgorithms      AttributeType = 0x8002
	AttrAlternateDomain         AttributeType = 0x8003
	AttrICMP                    AttributeType = 0x8004
	AttrSoftware                AttributeType = 0x8022
	AttrAlternateServer         AttributeType = 0x8023
	AttrFingerprint             AttributeType = 0x8028
	AttrICEControlled           AttributeType = 0x8029
	AttrICEControlling          AttributeType = 0x802A
	AttrResponseOrigin          AttributeType = 0x802B
	AttrOtherAddress            AttributeType = 0x802C
	AttrThirdPartyAuthorization AttributeType = 0x802E
	AttrMobilityTicket          AttributeType = 0x8030

	// The NOMINATION of draft-thatcher-ice-renomination, which gives it no number: that
	// of Pion, and that of libwebrtc.
	AttrNomination     AttributeType = 0x0030
	AttrGoogNomination AttributeType = 0xC001

	// AttrGoogNetworkInfo carries a network id and its cost, 16 bits each.
	AttrGoogNetworkInfo AttributeType = 0xC057
)

// ComprehensionRequired reports whether an agent that does not know the
// attribute must refuse the message: "Attributes with type values between 0x0000 and
// 0x7FFF are comprehension-required attributes". RFC 8489, Section 14.
func (t AttributeType) ComprehensionRequired() bool { return t < 0x8000 }

// knownRequired are the comprehension-required attributes that this package
// understands by itself.
func knownRequired(t AttributeType) bool {
	switch t {
	case AttrMappedAddress, AttrUsername, AttrMessageIntegrity, AttrErrorCode, AttrUnknownAttributes, AttrRealm,
		AttrNonce, AttrMessageIntegritySHA256, AttrPasswordAlgorithm, AttrUserhash, AttrXORMappedAddress:
		return true
	}
	return false
}

// String returns the attribute's name in its RFC.
func (t AttributeType) String() string {
	switch t {
	case AttrMappedAddress:
		return "MAPPED-ADDRESS"
	case AttrChangeRequest:
		return "CHANGE-REQUEST"
	case AttrUsername:
		return "USERNAME"
	case AttrMessageIntegrity:
		return "MESSAGE-INTEGRITY"
	case AttrErrorCode:
		return "ERROR-CODE"
	case AttrUnknownAttributes:
		return "UNKNOWN-ATTRIBUTES"
	case AttrChannelNumber:
		return "CHANNEL-NUMBER"
	case AttrLifetime:
		return "LIFETIME"
	case AttrXORPeerAddress:
		return "XOR-PEER-ADDRESS"
	case AttrData:
		return "DATA"
	case AttrRealm:
		return "REALM"
	case AttrNonce:
		return "NONCE"
	case AttrXORRelayedAddress:
		return "XOR-RELAYED-ADDRESS"
	case AttrRequestedAddressFamily:
		return "REQUESTED-ADDRESS-FAMILY"
	case AttrEvenPort:
		return "EVEN-PORT"
	case AttrRequestedTransport:
		return "REQUESTED-TRANSPORT"
	case AttrDontFragment:
		return "DONT-FRAGMENT"
	case AttrAccessToken:
		return "ACCESS-TOKEN"
	case AttrMessageIntegritySHA256:
		return "MESSAGE-INTEGRITY-SHA256"
	case AttrPasswordAlgorithm:
		return "PASSWORD-ALGORITHM"
	case AttrUserhash:
		return "USERHASH"
	case AttrXORMappedAddress:
		return "XOR-MAPPED-ADDRESS"
	case AttrReservationToken:
		return "RESERVATION-TOKEN"
	case AttrPriority:
		return "PRIORITY"
	case AttrUseCandidate:
		return "USE-CANDIDATE"
	case AttrPadding:
		return "PADDING"
	case AttrResponsePort:
		return "RESPONSE-PORT"
	case AttrConnectionID:
		return "CONNECTION-ID"
	case AttrAdditionalAddressFamily:
		return "ADDITIONAL-ADDRESS-FAMILY"
	case AttrAddressErrorCode:
		return "ADDRESS-ERROR-CODE"
	case AttrPasswordAlgorithms:
		return "PASSWORD-ALGORITHMS"
	case AttrAlternateDomain:
		return "ALTERNATE-DOMAIN"
	case AttrICMP:
		return "ICMP"
	case AttrSoftware:
		return "SOFTWARE"
	case AttrAlternateServer:
		return "ALTERNATE-SERVER"
	case AttrFingerprint:
		return "FINGERPRINT"
	case AttrICEControlled:
		return "ICE-CONTROLLED"
	case AttrICEControlling:
		return "ICE-CONTROLLING"
	case AttrResponseOrigin:
		return "RESPONSE-ORIGIN"
	case AttrOtherAddress:
		return "OTHER-ADDRESS"
	case AttrThirdPartyAuthorization:
		return "THIRD-PARTY-AUTHORIZATION"
	case AttrMobilityTicket:
		return "MOBILITY-TICKET"
	case AttrNomination:
		return "NOMINATION"
	case AttrGoogNomination:
		return "GOOG-NOMINATION"
	case AttrGoogNetworkInfo:
		return "GOOG-NETWORK-INFO"
	}
	return fmt.Sprintf("%#04x", uint16(t))
}
